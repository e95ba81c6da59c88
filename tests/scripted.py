"""A cluster at the wire: the real scheduler in a process of its own, all others scripted.

The scheduler is launched by ipyparallel's own `launch_scheduler`.  A hub, clients and
engines are sockets in the test, which say just what the test has them say.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
from ipyparallel.controller.scheduler import launch_scheduler
from jupyter_client.session import DELIM, Session

from ipp_richsched import RichTaskScheduler
from ipp_richsched.wire.identities import MARK, QUESTION

DEADLINE = 30.0
"""Seconds until a test that waits for a message fails."""


def without_mark(frames: list[bytes]) -> list[bytes]:
    """A message without the identity that says which attempt of a task it is about."""
    place = frames.index(DELIM) - 1
    if place >= 0 and frames[place].startswith(MARK):
        return [*frames[:place], *frames[place + 1 :]]
    return frames


def _launch(log: str, kwargs: dict[str, Any]) -> None:
    # `Processes`, which other tests may hold open here, has a handler of its own
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with open(log, "a", buffering=1) as sys.stdout:
        sys.stderr = sys.stdout
        launch_scheduler(**kwargs)


class Peer:
    """A client or an engine: a DEALER socket with an identity."""

    kind = zmq.DEALER

    def __init__(self, cluster: ScriptedCluster, ident: bytes, url: str) -> None:
        self.ident = ident
        self.session = Session(key=cluster.key)
        self.socket = cluster.socket(self.kind)
        self.socket.setsockopt(zmq.IDENTITY, ident)
        self.socket.connect(url)

    def send(self, frames: list[bytes]) -> None:
        self.socket.send_multipart(frames)

    def recv(self, timeout: float = DEADLINE) -> list[bytes]:
        """The frames of the next message; fails if none comes in time."""
        assert self.socket.poll(int(timeout * 1000)), f"no message for {self.ident!r}"
        return self.unwrapped(self.socket.recv_multipart())

    def unwrapped(self, frames: list[bytes]) -> list[bytes]:
        """A message without what the socket itself has put before it."""
        return frames

    def idle(self, seconds: float = 0.3) -> bool:
        """Whether no message comes for a while: for what must not happen."""
        return not self.socket.poll(int(seconds * 1000))

    def read(self, frames: list[bytes]) -> dict[str, Any]:
        """Take a message apart, checking its signature."""
        return self.session.deserialize(frames[frames.index(DELIM) + 1 :])


class Client(Peer):
    """Submits tasks."""

    def submit(self, *buffers: bytes, msg_id: str | None = None, **metadata: Any) -> str:
        """Send a task, and return its msg_id."""
        frames, msg_id = self.task(*buffers, msg_id=msg_id, **metadata)
        self.send(frames)
        return msg_id

    def task(
        self, *buffers: bytes, msg_id: str | None = None, **metadata: Any
    ) -> tuple[list[bytes], str]:
        """The frames of a task, and its msg_id."""
        message = self.session.msg("apply_request", metadata=metadata)
        if msg_id is not None:
            message["header"]["msg_id"] = message["msg_id"] = msg_id
        return [*self.session.serialize(message), *buffers], message["header"]["msg_id"]

    def answer(self) -> dict[str, Any]:
        """The next reply, taken apart."""
        return self.read(self.recv())


class Engine(Peer):
    """Gets tasks and answers them; questions it leaves alone, as one that is busy, unless asked."""

    def recv(self, timeout: float = DEADLINE) -> list[bytes]:
        frames = super().recv(timeout)
        while frames[0].startswith(QUESTION):
            frames = super().recv(timeout)
        return frames

    def answer_question(self, frames: list[bytes] | None = None) -> None:
        """Answer a question: this one, or the next, before which there must be no task."""
        frames = frames or super().recv()
        request = self.read(frames)
        assert request["header"]["msg_type"] == "kernel_info_request", f"{request} is no question"
        message = self.session.msg("kernel_info_reply", {"status": "ok"}, parent=request["header"])
        self.send(self.session.serialize(message, ident=frames[: frames.index(DELIM)]))

    def take(self) -> tuple[str, list[bytes]]:
        """The next task: its msg_id and its frames."""
        frames = self.recv()
        return self.read(frames)["header"]["msg_id"], frames

    def reply(
        self,
        task: list[bytes],
        *buffers: bytes,
        status: str | None = "ok",
        error: tuple[str, str] = ("ValueError", "failed"),
        **metadata: Any,
    ) -> list[bytes]:
        """Answer a task; the frames of the answer."""
        content = {"status": status or "ok"}
        if status == "error":
            content |= {"ename": error[0], "evalue": error[1], "traceback": []}
        metadata = {"engine": self.ident.decode(), "dependencies_met": True, **metadata}
        if status is not None:
            metadata["status"] = status
        start = task.index(DELIM)
        parent = self.session.unpack(task[start + 2])
        message = self.session.msg("apply_reply", content, parent=parent, metadata=metadata)
        frames = [*self.session.serialize(message, ident=task[:start]), *buffers]
        self.send(frames)
        return frames

    def refuse(self, task: list[bytes], missing: str = "") -> None:
        """Answer that the functional dependency of the task is unmet here, as `@ipp.require`."""
        error = "UnmetDependency", missing
        self.reply(task, status="error", error=error, dependencies_met=False)


class Faulty(RichTaskScheduler):
    """A scheduler with a planted error, of which the log may tell with a traceback."""


class ScriptedCluster:
    """A scheduler with a scripted hub; clients and engines are added by the test.

    Parameters
    ----------
    path : Path
        A short directory for the sockets and the log.
    scheduler_class : type
        `RichTaskScheduler`, a subclass, or the stock class.
    engines : sequence of bytes
        Engines that the hub knows before the scheduler starts.
    config : dict
        Such as ``{"TaskScheduler": {"hwm": 0}}``.
    """

    def __init__(
        self,
        path: Path,
        scheduler_class: type = RichTaskScheduler,
        *,
        engines: tuple[bytes, ...] = (),
        config: dict[str, dict[str, Any]] | None = None,
        key: bytes = b"a key",
    ) -> None:
        self.key = key
        self.path = path
        self.is_faulty = issubclass(scheduler_class, Faulty)
        self.session = Session(key=key)
        self.context = zmq.Context()
        self.monitored: list[tuple[bytes, dict[str, Any]]] = []
        self._urls = urls = self._choose_urls(path)
        self._monitor = self.socket(zmq.SUB)
        self._monitor.setsockopt(zmq.SUBSCRIBE, b"")
        self._monitor.bind(urls["mon"])
        self._notifier = self.socket(zmq.XPUB)
        self._notifier.bind(urls["not"])
        self._registrar = self.socket(zmq.ROUTER)
        self._registrar.bind(urls["reg"])
        kwargs = {
            "scheduler_class": scheduler_class,
            "in_addr": urls["in"],
            "out_addr": urls["out"],
            "mon_addr": urls["mon"],
            "not_addr": urls["not"],
            "reg_addr": urls["reg"],
            "config": {"Session": {"key": key}, **(config or {})},
            "identity": b"task",
            "logname": "task",
            "loglevel": 20,
        }
        context = multiprocessing.get_context("fork")
        self.process = context.Process(
            target=_launch, args=(str(path / "log"), kwargs), daemon=True
        )
        self.process.start()
        self._ends: list[Callable[[], None]] = []
        try:
            assert self._notifier.poll(int(DEADLINE * 1000)), f"no scheduler: {self.log}"
            self._notifier.recv()
            self._answer_connection_request(engines)
            self._wait_for_monitor()
        except BaseException:
            self.close()
            raise

    def _choose_urls(self, path: Path) -> dict[str, str]:
        """Where the scheduler and the hub are to be reached."""
        return {name: f"ipc://{path}/{name}" for name in ("in", "out", "mon", "not", "reg")}

    def socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        return socket

    @property
    def log(self) -> str:
        """What the scheduler has logged."""
        path = self.path / "log"
        return path.read_text() if path.exists() else ""

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """Poll a condition until it holds; fails after a while."""
        end = time.monotonic() + DEADLINE
        while not (value := condition()):
            assert time.monotonic() < end, f"{what} did not come; the log says:\n{self.log}"
            time.sleep(0.01)
        return value

    # -- the hub -----------------------------------------------------------------------

    def _answer_connection_request(self, engines: tuple[bytes, ...]) -> None:
        assert self._registrar.poll(int(DEADLINE * 1000)), f"no request: {self.log}"
        frames = self._registrar.recv_multipart()
        known = {str(number): ident.decode() for number, ident in enumerate(engines)}
        content = {"status": "ok", "engines": known}
        message = self.session.msg("connection_reply", content)
        self._registrar.send_multipart(self.session.serialize(message, ident=frames[:1]))

    def _wait_for_monitor(self) -> None:
        """Until the subscription is in force the scheduler's PUB socket drops what it sends."""
        client = self.client(b"warm-up")
        heard: set[str] = set()
        for _ in range(int(DEADLINE / 0.02)):
            msg_id = client.submit(after=["nobody"])
            client.recv()
            while self._monitor.poll(20):
                frames = self._monitor.recv_multipart()
                if frames[0] == b"outtask":
                    header = frames[frames.index(DELIM) + 3]
                    heard.add(self.session.unpack(header)["msg_id"])
            if msg_id in heard:
                return
        raise AssertionError(f"the hub hears nothing: {self.log}")

    def notify(self, kind: str, ident: bytes) -> None:
        content = {"id": None, "uuid": ident.decode()}
        message = self.session.msg(f"{kind}_notification", content)
        self._notifier.send_multipart(self.session.serialize(message))

    def monitor(self, count: int) -> list[tuple[bytes, dict[str, Any]]]:
        """The first `count` messages to the hub: topic and message, as they came."""
        while len(self.monitored) < count:
            assert self._monitor.poll(int(DEADLINE * 1000)), f"the hub got {self.monitored}"
            frames = self._monitor.recv_multipart()
            start = frames.index(DELIM) + 1
            message = Session(key=self.key).deserialize(frames[start:])
            self.monitored.append((frames[0], {**message, "idents": frames[1 : start - 1]}))
        return self.monitored[:count]

    def hear(self, timeout: float = 0.0) -> list[list[bytes]]:
        """The messages to the hub that have come since, and wait for the first of them."""
        heard = []
        while self._monitor.poll(0 if heard else int(timeout * 1000)):
            heard.append(self._monitor.recv_multipart())
        return heard

    # -- clients and engines -----------------------------------------------------------

    def url(self, name: str) -> str:
        """The address of a socket: ``in`` for clients, ``out`` for engines."""
        return self._urls[name]

    def client(self, ident: bytes = b"client") -> Client:
        return Client(self, ident, self._urls["in"])

    def submitted(self, client: Client) -> None:
        """Wait until the scheduler has read all that a client has sent, and answered at once."""
        client.submit(after=["nobody"])
        assert client.answer()["content"]["ename"] == "InvalidDependency"

    def connect_engine(self, ident: bytes) -> Engine:
        """An engine that is connected, and not registered."""
        return Engine(self, ident, self._urls["out"])

    def engine(self, ident: bytes) -> Engine:
        """An engine that is connected and registered."""
        engine = self.connect_engine(ident)
        self.notify("registration", ident)
        return engine

    def unregister(self, ident: bytes) -> None:
        self.notify("unregistration", ident)

    # -- the end -----------------------------------------------------------------------

    def __enter__(self) -> ScriptedCluster:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        alive = self.process.is_alive()
        self.close()
        if kind is None:
            assert alive, f"the scheduler died:\n{self.log}"
            assert self.is_faulty or "Traceback" not in self.log, self.log

    def close(self) -> None:
        self.process.terminate()
        self.process.join(DEADLINE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.context.destroy(linger=0)


Start = Callable[..., ScriptedCluster]
"""Starts a cluster."""
