"""A local cluster as `ipp.Cluster` starts it, and which process of it does what."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import ipyparallel as ipp
import psutil
from traitlets.config import Config

from .clock import cpu_seconds

START = 60
"""Seconds that the engines may take to register."""

CLIENT, HUB, SCHEDULER, ENGINES = "client", "hub", "scheduler", "engines"


class RealCluster:
    """A cluster of local engines in an IPython directory of its own, gone when its block ends.

    Parameters
    ----------
    controller : str
        ``'local'``, the stock one, or ``'richsched'``.
    engines : int
    """

    def __init__(self, controller: str, engines: int) -> None:
        self._engines = engines
        self._directory = TemporaryDirectory(prefix="ete", ignore_cleanup_errors=True)
        profile = Path(self._directory.name, "profile_default")
        profile.mkdir()
        config = Config()
        # every process of the cluster inherits this, and is found by it
        config.BaseLauncher.environment = {"IPYTHONDIR": self._directory.name}
        self._cluster = ipp.Cluster(
            n=engines,
            controller=controller,
            engines="local",
            profile_dir=str(profile),
            load_profile=False,
            # engines register with the second heartbeat, and the stock period is 3 s
            controller_args=["--HeartMonitor.period=500"],
            delay=0,
            config=config,
            log_level=40,
        )
        self._profile = profile

    def start(self) -> None:
        """Start the processes; `connect` waits for them."""
        # the cluster's own `_sync` methods leave what a Ctrl-C interrupts to be complained of
        asyncio.run(self._cluster.start_cluster())

    def connect(self) -> ipp.LoadBalancedView:
        """Wait for the engines, and find out which process does what."""
        self._client = asyncio.run(self._cluster.connect_client(ipython_dir=self._directory.name))
        self._client.wait_for_engines(self._engines, timeout=START, interactive=False)
        self._roles = self._find_roles()
        return self._client.load_balanced_view()

    def _find_roles(self) -> dict[str, list[psutil.Process]]:
        (file,) = Path(self._profile, "security").glob("ipcontroller*-client.json")
        port = json.loads(file.read_text())["task"]
        processes = self._processes()
        # only the scheduler binds the port for tasks; the hub is what started it
        (scheduler,) = (process for process in processes if port in _listens(process))
        engines = [
            process for process in processes if "ipyparallel.engine" in " ".join(process.cmdline())
        ]
        return {
            CLIENT: [psutil.Process()],
            HUB: [scheduler.parent()],
            SCHEDULER: [scheduler],
            ENGINES: engines,
        }

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far, by role; that of all engines together."""
        return {role: sum(map(cpu_seconds, found)) for role, found in self._roles.items()}

    def _processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
                if process.environ().get("IPYTHONDIR") == self._directory.name:
                    found.append(process)
        return [process for process in found if process.pid != os.getpid()]

    def __enter__(self) -> RealCluster:
        return self

    def __exit__(self, *error: object) -> None:
        # a nanny outlives its engine, and a process caught while it starts is in no books
        while processes := self._processes():
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(processes, timeout=1)
        self._cluster.stop_cluster_sync()
        client = getattr(self, "_client", None)
        if client is not None:
            client.close(linger=0)
        self._directory.cleanup()


def _listens(process: psutil.Process) -> set[int]:
    return {
        connection.laddr.port
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
