"""A local cluster that is gone when its block ends, however the block ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Literal

import ipyparallel as ipp
import psutil
from traitlets.config import Config

# Engines register with the second heartbeat after their start; the stock period is 3 s.
_HEARTBEAT_MS = 500

Controller = Literal["richsched", "stock"]


class ClusterError(Exception):
    """The cluster did not start."""


@contextmanager
def local_cluster(
    n: int, *, controller: Controller = "richsched", controller_args: Sequence[str] = ()
) -> Iterator[ipp.Client]:
    """Run a local cluster, with the richsched controller or the stock one.

    It lives in a temporary IPython directory: no profile of the user's is read or written. Its
    processes are killed when the block ends, also by an exception, Ctrl-C, SIGTERM or SIGHUP.

    Parameters
    ----------
    n : int
        The number of engines.
    controller : {"richsched", "stock"}
        Whose task scheduler it has. The stock one is stock even where a configuration file of this
        environment says otherwise.
    controller_args : sequence of str
        More command line arguments for the controller.

    Yields
    ------
    ipyparallel.Client
        A client that sees all `n` engines.

    Raises
    ------
    ClusterError
        If the controller or an engine does not start.
    """
    with (
        _stopped_by_signals() as ignore_signals,
        TemporaryDirectory(prefix="ipp-richsched-", ignore_cleanup_errors=True) as ipython_dir,
    ):
        # What a process of the cluster printed is shown when it fails to start.
        log = logging.getLogger(__name__)
        log.setLevel(logging.WARNING)
        cluster = _cluster(n, ipython_dir, controller, controller_args, log)
        client: ipp.Client | None = None
        try:
            try:
                client = asyncio.run(_start(cluster, ipython_dir))
                client.wait_for_engines(n, timeout=cluster.engine_timeout, interactive=False)
            except Exception as error:
                raise ClusterError(f"the cluster did not start: {error}") from error
            # From here on an engine that ends is the business of whoever runs tasks on it.
            log.setLevel(logging.ERROR)
            yield client
        finally:
            ignore_signals()
            log.setLevel(logging.ERROR)
            _stop(cluster, ipython_dir)
            if client is not None:
                client.close(linger=0)


def _cluster(
    n: int,
    ipython_dir: str,
    controller: Controller,
    controller_args: Sequence[str],
    log: logging.Logger,
) -> ipp.Cluster:
    profile_dir = Path(ipython_dir, "profile_default")
    profile_dir.mkdir()
    config = Config()
    # Every process of the cluster inherits this; `_processes_in` finds them by it.
    config.BaseLauncher.environment = {"IPYTHONDIR": ipython_dir}
    if controller == "stock":
        command = [sys.executable, "-m", f"{__package__}.stock_controller"]
        config.LocalControllerLauncher.controller_cmd = command
    return ipp.Cluster(
        n=n,
        controller="local" if controller == "stock" else controller,
        engines="local",
        profile_dir=str(profile_dir),
        load_profile=False,
        controller_args=[f"--HeartMonitor.period={_HEARTBEAT_MS}", *controller_args],
        delay=0,
        config=config,
        log=log,
    )


async def _start(cluster: ipp.Cluster, ipython_dir: str) -> ipp.Client:
    # Under asyncio.run, and not by the cluster's own `_sync` methods: it cancels what a Ctrl-C
    # interrupts, where they leave it to be complained of.
    await cluster.start_cluster()
    return await cluster.connect_client(ipython_dir=ipython_dir)


def _stop(cluster: ipp.Cluster, ipython_dir: str) -> None:
    """Kill every process of the cluster.

    A busy engine does not heed SIGTERM, its nanny outlives it, and a process caught while it starts
    is in no launcher's books: so they are found by their environment, until none is left.
    """
    while processes := _processes_in(ipython_dir):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=1)
    # Now it only has to reap and forget them.
    cluster.stop_cluster_sync()


def _processes_in(ipython_dir: str) -> list[psutil.Process]:
    """Return the running processes whose environment names `ipython_dir`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("IPYTHONDIR") == ipython_dir:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's
    return [process for process in found if process.pid != os.getpid()]


@contextmanager
def _stopped_by_signals() -> Iterator[Callable[[], None]]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does: with an exception.

    The first signal is the last that counts, so that a second Ctrl-C does not cut short what the
    first one started. Yields a function that ignores signals for the rest of the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # One that is ignored already stays so: nohup.
    before = {
        number: handler
        for number in numbers
        if (handler := signal.getsignal(number)) not in (None, signal.SIG_IGN)
    }

    def ignore() -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)

    def stop(number: int, frame: FrameType | None) -> None:
        ignore()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    for number in before:
        signal.signal(number, stop)
    try:
        yield ignore
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
