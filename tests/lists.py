"""A whole scheduler in this process: its sockets are lists, and time passes when a test says so."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import zmq
from jupyter_client.session import DELIM, Session
from traitlets.config import Config

from ipp_richsched import RichTaskScheduler
from ipp_richsched.scheduler.turns import Channels
from ipp_richsched.wire.transport import Channel

KEY = b"a key"

Frames = list[bytes]


class ListChannel(Channel):
    """A channel that is two lists.

    Attributes
    ----------
    name : str
        What it is called.
    incoming : deque
        What the scheduler will receive.
    sent : list
        What it has sent.
    fails : callable
        Called with each message before it is sent; may raise.
    """

    def __init__(self, name: str, journal: list[tuple[str, Frames]]) -> None:
        self.name = name
        self.socket = name  # type: ignore[assignment]  # what the loop knows it by
        self.incoming: deque[Frames] = deque()
        self.sent: list[Frames] = []
        self.fails: Callable[[Frames], None] = lambda frames: None
        self._journal = journal

    def receive(self) -> Any:
        if not self.incoming:
            raise zmq.Again
        return self.incoming.popleft()

    def send(self, parts: Sequence[Any]) -> None:
        self.fails(list(parts))
        self.sent.append(list(parts))
        self._journal.append((self.name, list(parts)))

    def take(self) -> list[Frames]:
        """What was sent since it was last asked."""
        sent, self.sent = self.sent, []
        return sent


class FakeLoop:
    """A loop that runs when it is told."""

    READ = 1

    def __init__(self) -> None:
        self.handlers: dict[Any, Callable[..., None]] = {}
        self.callbacks: deque[Callable[[], None]] = deque()
        self.timers: dict[object, tuple[float, Callable[[], None]]] = {}

    def add_handler(self, socket: Any, handler: Callable[..., None], events: int) -> None:
        self.handlers[socket] = handler

    def remove_handler(self, socket: Any) -> None:
        del self.handlers[socket]

    def add_callback(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        timer = object()
        self.timers[timer] = delay, callback
        return timer

    def remove_timeout(self, timer: object) -> None:
        del self.timers[timer]


class ListCluster:
    """A scheduler whose peers are lists.

    Parameters
    ----------
    scheduler_class : type
        `RichTaskScheduler`, or a subclass.
    config : dict
        Such as ``{"TaskScheduler": {"hwm": 0}}``.

    Attributes
    ----------
    journal : list of tuple
        All that was sent, and over which channel, in order.
    """

    def __init__(
        self, scheduler_class: type[RichTaskScheduler] = RichTaskScheduler, **config: dict[str, Any]
    ) -> None:
        self.journal: list[tuple[str, Frames]] = []
        names = ("clients", "engines", "notifier", "monitor")
        channels = [ListChannel(name, self.journal) for name in names]
        self.clients, self.engines, self.notifier, self.monitor = channels
        self.loop = FakeLoop()
        self.now = 1000.0
        self.session = Session(key=KEY)
        self.scheduler = scheduler_class(config=Config({"Session": {"key": KEY}, **config}))
        turns = self.scheduler._make_turns(
            Channels(*channels), self.loop, lambda: self.now, poll=self._poll
        )
        self.scheduler._turns = turns
        turns.start()
        self.run()

    @staticmethod
    def _poll(channels: Sequence[Any]) -> list[Any]:
        return [channel for channel in channels if channel.incoming]

    def run(self) -> None:
        """Let the loop run until it has nothing to do."""
        for handler in list(self.loop.handlers.values())[:1]:
            handler("news")
        while self.loop.callbacks:
            self.loop.callbacks.popleft()()

    def wait(self, seconds: float) -> None:
        """Let time pass: timers that were set are called when it has passed."""
        self.now += seconds
        timers, self.loop.timers = self.loop.timers, {}
        for _, callback in timers.values():
            callback()
        self.run()

    # -- what peers say ----------------------------------------------------------------

    def submit(self, client: bytes = b"client", **metadata: Any) -> str:
        """A client sends a task; the scheduler has not read it yet."""
        message = self.session.msg("apply_request", metadata=metadata)
        self.clients.incoming.append([client, *self.session.serialize(message)])
        return message["header"]["msg_id"]

    def register(self, *names: bytes) -> None:
        """The hub announces engines; the scheduler has not heard it yet."""
        for name in names:
            content = {"id": 0, "uuid": name.decode()}
            message = self.session.msg("registration_notification", content)
            self.notifier.incoming.append(self.session.serialize(message))

    def reply(self, task: Frames, status: str = "ok") -> Frames:
        """An engine answers what it got; the reply as the scheduler will read it."""
        engine, *idents = task[: task.index(DELIM)]
        parent = json.loads(task[task.index(DELIM) + 2])
        content = {"status": status, "ename": "E", "evalue": "", "traceback": []}
        metadata = {"status": status, "engine": engine.decode(), "dependencies_met": True}
        message = self.session.msg("apply_reply", content, parent=parent, metadata=metadata)
        frames = [engine, *self.session.serialize(message, ident=idents)]
        self.engines.incoming.append(frames)
        return frames

    def topics(self) -> list[bytes]:
        """What the hub has heard since it was last asked."""
        return [frames[0] for frames in self.monitor.take()]


def msg_id_of(frames: Frames, part: int = 2) -> str:
    """The msg_id in a message: in its header, or with part 3 in its parent header."""
    return json.loads(frames[frames.index(DELIM) + part])["msg_id"]
