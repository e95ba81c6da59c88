"""A scheduler in a process of its own, fed by this one: what does a task cost it?"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import psutil
import zmq

from . import messages
from .peers import HOLD, RELAY, run_engines, run_hub, run_scheduler

DEADLINE = 60.0
"""Seconds without an answer after which a benchmark gives up."""


class StuckError(Exception):
    """No answer came for `DEADLINE` seconds."""


class Cluster:
    """A scheduler with engines that answer at once; the client and the hub's voice are here.

    Parameters
    ----------
    kind : {'rich', 'stock', 'relay'}
    engines : int
    config : dict
        The scheduler's, such as ``{"TaskScheduler": {"hwm": 0}}``.
    """

    def __init__(self, kind: str, engines: int = 16, config: dict[str, Any] | None = None) -> None:
        self.kind = kind
        self.names = [f"{number:08x}-67cc4e9b89adf2d355e6e762" for number in range(engines)]
        self._directory = TemporaryDirectory(prefix="zw")
        names = ("client", "engine", "monitor", "notify", "query")
        urls = {name: f"ipc://{self._directory.name}/{name}" for name in names}
        self._context = zmq.Context()
        self._notifier = self._context.socket(zmq.XPUB)
        self._notifier.bind(urls["notify"])
        self._query = self._context.socket(zmq.ROUTER)
        self._query.bind(urls["query"])
        fork = multiprocessing.get_context("fork")
        self._processes = [
            fork.Process(target=run_hub, args=(urls["monitor"],), daemon=True),
            fork.Process(target=run_scheduler, args=(kind, urls, config or {}), daemon=True),
            fork.Process(target=run_engines, args=(urls["engine"], self.names), daemon=True),
        ]
        for process in self._processes:
            process.start()
        self.scheduler = psutil.Process(self._processes[1].pid)
        self.client = self._context.socket(zmq.DEALER)
        self.client.setsockopt(zmq.IDENTITY, b"5cd3d2f1-67cc4e9b89adf2d355e6e762")
        self.client.setsockopt(zmq.SNDHWM, 0)
        self.client.setsockopt(zmq.RCVHWM, 0)
        self.client.connect(urls["client"])
        self.submitted = 0
        self.outstanding = 0
        self._start()

    def _start(self) -> None:
        if self.kind != RELAY:
            if not self._notifier.poll(10_000):
                raise StuckError("the scheduler did not start")
            self._notifier.recv()
            time.sleep(0.5)  # the engines connect; nothing can tell when they have
            for name in self.names:
                self._notifier.send_multipart(messages.notification("registration", name))
        time.sleep(0.5)
        self.flow(4 * len(self.names))

    # -- the client --------------------------------------------------------------------

    def submit(self, buffers: Sequence[bytes] = messages.PAYLOAD, **metadata: Any) -> str:
        """Send a task; its msg_id."""
        number = self.submitted
        self.submitted += 1
        self.outstanding += 1
        self.client.send_multipart(messages.task(number, buffers, **metadata))
        return messages.msg_id(number)

    def hold(self, engine: int) -> str:
        """Have an engine busy for good; the msg_id of its task."""
        msg_id = self.submit([HOLD], targets=[self.names[engine]])
        self.outstanding -= 1
        return msg_id

    def drain(self, outstanding: int = 0) -> None:
        """Take answers until at most so many tasks are without one."""
        while self.outstanding > outstanding:
            if not self.client.poll(int(DEADLINE * 1000)):
                raise StuckError(f"{self.kind}: {self.outstanding} tasks are not answered")
            while True:
                try:
                    self.client.recv_multipart(zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    break
                self.outstanding -= 1

    def flow(self, tasks: int, window: int = 0, **metadata: Any) -> None:
        """Send flat tasks, so many at a time, and take all answers."""
        window = window or 4 * len(self.names)
        before = self.outstanding
        for _ in range(tasks):
            self.submit(**metadata)
            if self.outstanding - before >= window:
                self.drain(before + window // 2)
        self.drain(before)

    # -- the measure -------------------------------------------------------------------

    def cpu(self) -> float:
        """Seconds of CPU that the scheduler's process has had, of all its threads."""
        times = self.scheduler.cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Bytes of memory that the scheduler's process holds."""
        return int(self.scheduler.memory_info().rss)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.kill()
            process.join()
        self._context.destroy(linger=0)
        self._directory.cleanup()
