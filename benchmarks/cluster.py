"""A scheduler in a process of its own, fed by this one: what does a task cost it?"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Sequence
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import zmq

from ipp_richsched.wire.requests import Request
from ipp_richsched.wire.transport import Channel

from . import messages
from .clock import cpu_seconds
from .peers import HOLD, RELAY, run_engines, run_hub, run_scheduler
from .shapes import MakeShape, flat

DEADLINE = 60.0
"""Seconds without an answer after which a benchmark gives up."""

START = 10
"""Seconds that a process may take to start."""

REST = 0.03
"""Seconds in which a scheduler that has nothing to do has less than a hundredth of the CPU."""

IN_STEP = 200
"""How many tasks `Cluster.queue` sends before it waits until they are taken in."""


class StuckError(Exception):
    """No answer came for `DEADLINE` seconds."""


class Cluster:
    """A scheduler with engines that answer at once; the client and the hub's voice are here.

    Parameters
    ----------
    kind : {'ours', 'stock', 'C relay'}
    engines : int
    config : dict
        The scheduler's, such as ``{"TaskScheduler": {"hwm": 0}}``.
    clients : int
        How many there are, which submit in turns.

    Raises
    ------
    StuckError
        If the scheduler does not start.
    """

    def __init__(
        self,
        kind: str,
        engines: int = 16,
        config: dict[str, Any] | None = None,
        clients: int = 1,
    ) -> None:
        self.kind = kind
        self.names = [f"{number:08x}-67cc4e9b89adf2d355e6e762" for number in range(engines)]
        self.submitted = 0
        self.outstanding = 0
        self.mark = ""
        self._directory = TemporaryDirectory(prefix="zw")
        names = ("client", "engine", "monitor", "notify", "query")
        urls = {name: f"ipc://{self._directory.name}/{name}" for name in names}
        fork = multiprocessing.get_context("fork")
        self._connected = fork.Event()
        self._processes = [
            fork.Process(target=run_hub, args=(urls["monitor"],), daemon=True),
            fork.Process(
                target=run_scheduler,
                args=(kind, urls, config or {}, self._directory.name),
                daemon=True,
            ),
            fork.Process(
                target=run_engines, args=(urls["engine"], self.names, self._connected), daemon=True
            ),
        ]
        self._context = zmq.Context()
        try:
            self._bind(urls, clients)
            for process in self._processes:
                process.start()
            self.scheduler = psutil.Process(self._processes[1].pid)
            self._announce()
        except BaseException:
            self.close()
            raise

    def _bind(self, urls: dict[str, str], clients: int) -> None:
        self._notifier = self._context.socket(zmq.XPUB)
        self._query = self._context.socket(zmq.ROUTER)
        self._clients = [self._context.socket(zmq.DEALER) for _ in range(clients)]
        for socket in (self._notifier, self._query, *self._clients):
            socket.set_hwm(0)
        self._notifier.bind(urls["notify"])
        self._query.bind(urls["query"])
        self._poller = zmq.Poller()
        for number, client in enumerate(self._clients):
            client.setsockopt(zmq.IDENTITY, b"%08x-67cc4e9b89adf2d355e6e762" % number)
            client.connect(urls["client"])
            self._poller.register(client, zmq.POLLIN)
        self._sends = [Channel(client).send for client in self._clients]

    def _announce(self) -> None:
        if self.kind != RELAY:
            if not self._notifier.poll(START * 1000):
                raise StuckError(f"{self.kind}: it did not start")
            self._notifier.recv()
        if not self._connected.wait(START):
            raise StuckError(f"{self.kind}: the engines could not connect")
        time.sleep(0.1)  # for the scheduler to hear of the last ones
        if self.kind != RELAY:
            for name in self.names:
                self._notifier.send_multipart(messages.notification("registration", name))
            time.sleep(0.1)
        self.flow(4 * len(self.names))

    # -- the client --------------------------------------------------------------------

    def submit(self, buffers: Sequence[bytes] = messages.PAYLOAD, **fields: Any) -> str:
        """Send a task; its msg_id."""
        msg_id = messages.msg_id(self.submitted)
        self.submitted += 1
        self.outstanding += 1
        send = self._sends[self.submitted % len(self._sends)]
        send(messages.task(msg_id, buffers, **fields))
        return msg_id

    def answer(self) -> None:
        """Wait for the next answer.

        Raises
        ------
        StuckError
            If none comes.
        """
        self._wait()
        for client in self._clients:
            with suppress(zmq.Again):
                messages.receive(client)
                self.outstanding -= 1
                return

    def drain(self, outstanding: int = 0) -> None:
        """Take answers until at most so many tasks are without one."""
        while self.outstanding > outstanding:
            self._wait()
            for client in self._clients:
                with suppress(zmq.Again):
                    while True:
                        messages.receive(client)
                        self.outstanding -= 1

    def _wait(self) -> None:
        """Wait until a client has got something."""
        if not self._poller.poll(int(DEADLINE * 1000)):
            raise StuckError(f"{self.kind}: {self.outstanding} tasks are not answered")

    def flow(
        self,
        tasks: int,
        shape: MakeShape = flat,
        window: int = 0,
        buffers: Sequence[bytes] = messages.PAYLOAD,
    ) -> None:
        """Send tasks of a shape and take all answers.

        Parameters
        ----------
        tasks : int
        shape : callable
        window : int
            How many are without an answer at most; four for each engine if 0.
        buffers : sequence of bytes
            What each of them carries.
        """
        window = window or 4 * len(self.names)
        before = self.outstanding
        stream = shape(self.names)
        fields = next(stream)
        for _ in range(tasks):
            fields = stream.send(self.submit(buffers, **fields))
            if self.outstanding - before >= window:
                self.drain(before + window // 2)
        self.drain(before)

    def ask(self, request: Request, **fields: Any) -> dict[str, Any]:
        """Ask the scheduler for something while no task is under way; its answer."""
        msg_id = messages.msg_id(self.submitted)
        self.submitted += 1
        self._sends[0](messages.request(msg_id, request, **fields))
        self._wait()
        answer: dict[str, Any] = json.loads(bytes(messages.receive(self._clients[0])[-1]))
        assert answer["status"] == "ok", answer
        return answer

    def hold(self, engine: int) -> str:
        """Have an engine busy for good; the msg_id of its task."""
        msg_id = self.submit([HOLD], targets=[self.names[engine]])
        self.outstanding -= 1
        return msg_id

    def queue(self, tasks: int, buffers: Sequence[bytes] = messages.PAYLOAD, **fields: Any) -> None:
        """Send tasks that are never answered, and see that the scheduler has taken them in.

        In small steps, so that they take no room in the sockets' queues.
        """
        for number in range(tasks):
            self.submit(buffers, **fields)
            self.outstanding -= 1
            if number % IN_STEP == 0 or number == tasks - 1:
                self.submit(after=["nobody"])  # an error: answered whether or not engines are idle
                self.answer()

    # -- the measure -------------------------------------------------------------------

    def cpu(self) -> float:
        """Seconds of CPU that the scheduler's process has had, of all its threads, once it rests.

        A client has its answers before the hub has heard of them, with the stock class long
        before: what that costs counts as well.

        Raises
        ------
        StuckError
            If it does not come to rest.
        """
        deadline = time.monotonic() + DEADLINE
        now = cpu_seconds(self.scheduler)
        while time.monotonic() < deadline:
            time.sleep(REST)
            before, now = now, cpu_seconds(self.scheduler)
            if now - before < REST / 100:
                return now
        raise StuckError(f"{self.kind}: it is busy with nothing to do")

    def memory(self) -> int:
        """Bytes of memory that the scheduler's process holds."""
        return int(self.scheduler.memory_info().rss)

    def close(self) -> None:
        for process in self._processes:
            if process.pid is not None:
                process.kill()
                process.join()
        self._context.destroy(linger=0)
        self._directory.cleanup()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
