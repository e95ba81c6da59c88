"""`RichTaskScheduler`: the core behind ipyparallel's sockets.

One turn of the loop drains the notifications, the engines' replies and the clients'
submissions, a bounded number of each, feeds them to the core and carries out its actions.
The sockets are read and written directly, past their streams: only so a send can report
that an engine is not there.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import zmq
from ipyparallel.controller.task_scheduler import TaskScheduler
from traitlets import Float, Integer, TraitError, Unicode, default, observe, validate

from . import __version__
from .checks import MessageError, NamelessTaskError, printable
from .core.engines import EnginePool
from .core.events import (
    EngineRegistered,
    EngineUnregistered,
    Event,
    TaskSubmitted,
    TimePassed,
)
from .core.machine import SchedulerCore
from .core.schemes import BUILT_IN, Scheme, SchemeError, find_scheme, user_scheme
from .core.story import CoreError
from .hooked import HookedPool
from .outbox import Outbox
from .removed import without_removed_methods
from .transport import is_readable, receive
from .wire import Frames, Wire

BATCH = 100
"""How many messages of a socket one turn of the loop takes, so that it serves all of them."""


@without_removed_methods
class RichTaskScheduler(TaskScheduler):
    """A task scheduler that never leaves a task waiting in silence.

    Takes the place of `ipyparallel.controller.task_scheduler.TaskScheduler`.  A subclass
    may override `add_job`, `finish_job` and `_scheme_default` as it would there.
    """

    hwm = Integer(1, min=0, config=True, help=TaskScheduler.hwm.help)

    scheme_name = Unicode(
        "leastload",
        config=True,
        help="""The scheme: the rule that picks an engine for a task.

        One of 'leastload' (the default), 'lru', 'plainrandom', 'twobin', 'weighted'; a name
        in the entry point group 'ipp_richsched.schemes'; or the package.module.function of
        your own, a function of `loads` that returns an index. 'pure' and 'none' are the
        stock controller's own.
        """,
    )

    engine_grace = Float(
        5.0,
        min=0,
        config=True,
        help="""Seconds that the tasks of a dead engine wait for its late replies, before
        they count as failed with EngineError.""",
    )

    stranded_timeout = Float(
        60.0,
        min=0,
        allow_none=True,
        config=True,
        help="""Seconds that a task waits for an engine that could take it, when no
        registered one may; then it fails with ImpossibleDependency. 0: at once; None: it
        waits for ever.""",
    )

    @validate("scheme_name")
    def _validate_scheme_name(self, proposal: Any) -> str:
        try:
            self._scheme = find_scheme(proposal.value)
        except SchemeError as error:
            raise TraitError(f"{type(self).__name__}.scheme_name: {error}") from None
        return proposal.value

    @validate("engine_grace", "stranded_timeout")
    def _validate_seconds(self, proposal: Any) -> float | None:
        if proposal.value is not None and not math.isfinite(proposal.value):
            name = f"{type(self).__name__}.{proposal.trait.name}"
            raise TraitError(f"{name}: {proposal.value} is no number of seconds")
        return proposal.value

    @observe("scheme_name")
    def _scheme_name_changed(self, change: Any) -> None:
        self.log.debug("Using scheme %r", change["new"])

    @default("scheme")
    def _scheme_default(self) -> Callable[[list[float]], int]:
        return self._stock_scheme

    _scheme: Scheme

    def __init__(self, **kwargs: Any) -> None:
        self._scheme = BUILT_IN["leastload"]
        self._random = Random()
        # what `scheme` is unless a subclass has one of its own
        self._stock_scheme = lambda loads: self._scheme.choose(loads, self._random)
        super().__init__(**kwargs)
        self._core = SchedulerCore(
            self._make_pool(),
            engine_grace=self.engine_grace,
            stranded_timeout=self.stranded_timeout,
        )
        self._turn_is_due = False
        self._alarm: Any = None
        self._alarm_time: float | None = None

    def _make_pool(self) -> EnginePool:
        scheme = self._scheme
        if self.scheme is not self._stock_scheme:
            scheme = user_scheme(getattr(self.scheme, "__name__", "scheme"), self.scheme)
        stock = RichTaskScheduler
        if type(self).add_job is stock.add_job and type(self).finish_job is stock.finish_job:
            return EnginePool(scheme, self.hwm, self._random)
        return HookedPool(scheme, self.hwm, self._random, self.add_job, self.finish_job)

    def start(self) -> None:
        """Take over the sockets and ask the hub which engines there are."""
        self._wire = Wire(self.session)
        # a trait costs more to read than a small message to send
        clients, engines = self.client_stream.socket, self.engine_stream.socket
        self._hub = self.notifier_stream.socket
        self._outbox = Outbox(
            self._wire, clients, engines, self.mon_stream.socket, self.ident, self.log
        )
        self._handlers: dict[Any, Callable[[Frames], None]] = {
            self._hub: self.dispatch_notification,
            engines: self.dispatch_result,
            clients: self.dispatch_submission,
        }
        for socket in self._handlers:
            self.loop.remove_handler(socket)  # the stream's own
            self.loop.add_handler(socket, self._turn, self.loop.READ)
        self.query_stream.on_recv(self.dispatch_query_reply, copy=False)
        self.session.send(self.query_stream, "connection_request", {})
        self.log.info(
            "ipp_richsched %s: %s started [%s]",
            __version__,
            type(self).__name__,
            self._core.pool.scheme.name,
        )
        self._schedule_turn()

    # -- the contract of the base class ------------------------------------------------

    @property
    def targets(self) -> list[bytes]:
        """The engines' identities, the least recently used first."""
        pool = self._core.pool
        if isinstance(pool, HookedPool):
            return pool.targets
        return [engine.ident for engine in pool.by_use()]

    @property
    def loads(self) -> list[float]:
        """The engines' loads, in the order of `targets`."""
        pool = self._core.pool
        if isinstance(pool, HookedPool):
            return pool.loads
        return [engine.load for engine in pool.by_use()]

    def add_job(self, idx: int) -> None:
        """Count a task that ``targets[idx]`` was assigned; override with subclasses."""
        self._core.pool.assign_at(idx)

    def finish_job(self, idx: int) -> None:
        """Count a task that ``targets[idx]`` no longer holds; override with subclasses."""
        self._core.pool.finish_at(idx)

    def stop_receiving(self) -> None:
        """Stop accepting tasks; they stay in the queue of the socket."""
        socket = self.client_stream.socket
        if self._handlers.pop(socket, None) is not None:
            self.loop.remove_handler(socket)

    def resume_receiving(self) -> None:
        """Accept tasks again."""
        socket = self.client_stream.socket
        if socket not in self._handlers:
            self._handlers[socket] = self.dispatch_submission
            self.loop.add_handler(socket, self._turn, self.loop.READ)
            self._schedule_turn()

    # -- from the sockets --------------------------------------------------------------

    def _turn(self, *event: Any) -> None:
        """Serve every socket; come back soon if one may have more.

        A socket's descriptor tells only of news, and any use of the socket may swallow
        them, sends included: so each is asked for what is left before the turn ends.
        """
        self._turn_is_due = False
        for socket, handle in list(self._handlers.items()):
            for _ in range(BATCH):
                try:
                    message = receive(socket)
                except zmq.Again:
                    break
                self._guarded(handle, message)
        self._set_alarm()
        if any(map(is_readable, self._handlers)):
            self._schedule_turn()

    def _guarded(self, handle: Callable[..., None], *args: Any) -> None:
        """Carry on after an error of our own, which must not keep the rest from being served."""
        try:
            handle(*args)
        except Exception:
            self.log.exception("task::internal error; please report it")

    def _schedule_turn(self) -> None:
        if not self._turn_is_due:
            self._turn_is_due = True
            self.loop.add_callback(self._turn)

    def dispatch_submission(self, raw_msg: Frames) -> None:
        """Take in a task from a client."""
        # an engine that the client knows of is known here first
        self._drain_notifications()
        event = self._read(self._wire.read_submission, raw_msg, "client")
        if event is None:
            return
        if not self._core.knows(event.msg_id):
            if type(event) is TaskSubmitted:  # what is refused is no task for the hub
                self._outbox.tell_hub(b"intask", raw_msg)
        elif not self._is_under_way(event.msg_id, raw_msg):
            text = f"task {event.msg_id}: 'msg_id' is that of an earlier task; only that one counts"
            self._outbox.refuse(raw_msg, text)
            return
        self._feed(event)

    def _is_under_way(self, msg_id: str, raw_msg: Frames) -> bool:
        """Whether a client still waits for an answer to the task that it submits again.

        It would take an answer to the second message for that to the first.
        """
        first = self._core.tasks.get(msg_id)
        return first is not None and first.message[0] == raw_msg[0]

    def dispatch_result(self, raw_msg: Frames) -> None:
        """Take in a reply from an engine."""
        self._feed(self._read(self._wire.read_reply, raw_msg, "engine"))

    def dispatch_notification(self, msg: Frames) -> None:
        """Take in what the hub says of its engines."""
        self._feed(self._read(self._wire.read_notification, msg))

    def dispatch_query_reply(self, msg: Frames) -> None:
        """Take in the engines that were there before."""
        self._guarded(self._take_in_engines, msg)
        self._turn()

    def _take_in_engines(self, msg: Frames) -> None:
        engines, problem = self._read(self._wire.read_engines, msg) or ([], "")
        if problem:
            self.log.error("task::in a message of the hub: %s", printable(problem))
        for event in engines:
            if event.engine not in self._core.pool.engines:
                self._feed(event)

    def _register_engine(self, uid: bytes) -> None:
        self._feed(EngineRegistered(uid))
        self._schedule_turn()

    def _unregister_engine(self, uid: bytes) -> None:
        self._feed(EngineUnregistered(uid))
        self._schedule_turn()

    def _drain_notifications(self) -> None:
        while is_readable(self._hub):
            self._guarded(self.dispatch_notification, receive(self._hub))

    def _read(self, read: Callable[[Frames], Any], frames: Frames, peer: str = "") -> Any:
        """What a message of a client, an engine or the hub says; None if it says nothing."""
        try:
            return read(frames)
        except NamelessTaskError as error:
            self._outbox.refuse(frames, str(error))
        except MessageError as error:
            sender = f"{peer} {frames[0]!r}" if peer else "the hub"
            self.log.error("task::dropped a message of %s: %s", sender, printable(str(error)))
        return None

    # -- to the core and back ----------------------------------------------------------

    def _feed(self, event: Event | None) -> None:
        """Hand an event to the core and carry out what it decides."""
        events = deque([event] if event is not None else [])
        while events:
            try:
                actions = self._core.handle(events.popleft(), now=time.monotonic())
            except CoreError as error:
                self.log.exception("task::internal error; please report it")
                actions = error.actions
            for action in actions:
                answer = self._outbox.carry_out(action)
                if answer is not None:
                    events.append(answer)

    def _set_alarm(self) -> None:
        """Have the core's next deadline, and only that, wake the loop."""
        deadline = self._core.next_deadline()
        if deadline == self._alarm_time:
            return
        if self._alarm is not None:
            self.loop.remove_timeout(self._alarm)
            self._alarm = None
        self._alarm_time = deadline
        if deadline is not None:
            delay = max(0.0, deadline - time.monotonic())
            self._alarm = self.loop.call_later(delay, self._time_passed)

    def _time_passed(self) -> None:
        self._alarm = self._alarm_time = None
        # what has arrived counts before what has come too late
        self._turn()
        self._guarded(self._feed, TimePassed())
        self._turn()
