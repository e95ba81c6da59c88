"""A real cluster: a controller that can check its scheduler, and stock engines."""

from __future__ import annotations

import os
import re
import signal
import sys

import ipyparallel as ipp

from . import validating
from .processes import PATIENCE, ROOT, Command, Processes

CONNECTION_FILES = ["ipcontroller-client.json", "ipcontroller-engine.json"]


class Cluster:
    """A controller that validates its scheduler, and engines, each known by its id."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.engines: dict[int, Command] = {}

    def start_controller(self, *options: str) -> None:
        """Start it with heartbeats so fast that an engine is given up after 1.5 s."""
        self.controller = self.processes.start(
            *(sys.executable, "-m", "tests.validating", *options),
            *("--HeartMonitor.period=250", "--HeartMonitor.max_heartmonitor_misses=5"),
            cwd=ROOT,
        )
        self.controller.wait_until(
            lambda: set(CONNECTION_FILES) <= set(self.processes.security_files()),
            "connection files",
        )
        self.controller.wait_for_log(validating.PID)

    def start_engine(self) -> int:
        """Start one more engine, which may register later; its id."""
        number = len(self.engines)
        self.engines[number] = self.processes.start(
            sys.executable, "-m", "ipyparallel.engine", f"--IPEngine.id={number}"
        )
        return number

    def pid(self, number: int) -> int:
        """The process of an engine."""
        return self.engines[number].process.pid

    def connect(self) -> ipp.Client:
        security = self.processes.ipython_dir / "profile_default" / "security"
        return ipp.Client(str(security / CONNECTION_FILES[0]), timeout=PATIENCE)

    def validate(self) -> int:
        """Have the scheduler check its state; the number of its unfinished tasks."""
        [pid] = re.findall(f"{validating.PID}(\\d+)", self.controller.log)
        before = len(self._findings())
        os.kill(int(pid), signal.SIGUSR1)
        self.controller.wait_until(lambda: len(self._findings()) > before, "a validated state")
        finding = self._findings()[-1]
        assert finding.startswith(validating.VALID), finding
        return int(finding.removeprefix(validating.VALID))

    def _findings(self) -> list[str]:
        pattern = f"(?:{validating.VALID}|{validating.NOT_VALID}).*\n"
        return re.findall(pattern, self.controller.log)
