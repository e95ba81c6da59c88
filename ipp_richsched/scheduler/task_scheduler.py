"""`RichTaskScheduler`: the core behind ipyparallel's sockets.

One turn of the loop is a few rounds over the sockets.  A round takes the notifications, the
engines' replies and the clients' submissions, a bounded number of each: all are read, then
the core decides on all, then all that it decided is sent.  At the end of a turn the core is
told of the deadlines that have come, and of the time to do what is left.  The sockets are read
and written directly, past their streams: only so a send can report that an engine is not there.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import zmq
from ipyparallel.controller.task_scheduler import TaskScheduler
from traitlets import Float, Integer, TraitError, Unicode, default, observe, validate

from .. import __version__
from ..core.actions import RefuseTask
from ..core.engines.pool import EnginePool
from ..core.engines.schemes import BUILT_IN, Scheme, SchemeError, find_scheme, user_scheme
from ..core.events import (
    EngineRegistered,
    EngineUnregistered,
    Event,
    TaskSubmitted,
    TimePassed,
)
from ..core.machine import SchedulerCore
from ..core.story import CoreError
from ..wire.checks import MessageError, NamelessTaskError, printable
from ..wire.messages import Frames, Wire
from ..wire.transport import readable, receive
from .hooked import HookedPool
from .outbox import Outbox
from .removed import without_removed_methods

ROUNDS, BATCH, NOTIFICATIONS = 4, 50, 1000
"""How often one turn of the loop serves the sockets, and how many messages it takes of each."""


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
        self._events: deque[Event] = deque()  # what has been read, for the core to decide on
        self._deciding = False
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
        hooks = (self.add_job, self.finish_job)
        return HookedPool(scheme, self.hwm, self._random, *hooks, self.log)

    def start(self) -> None:
        """Take over the sockets and ask the hub which engines there are."""
        self._wire = Wire(self.session)
        # a trait costs more to read than a small message to send
        clients, engines = self.client_stream.socket, self.engine_stream.socket
        self._clients, self._engines, self._hub = clients, engines, self.notifier_stream.socket
        self._from_client, self._from_engine = partial(receive, clients), partial(receive, engines)
        # it has no sender's identity before each message, and need not be fast
        self._from_hub = partial(self._hub.recv_multipart, zmq.NOBLOCK)
        self._outbox = Outbox(
            self._wire,
            clients,
            engines,
            self.mon_stream.socket,
            self.ident,
            self.log,
            self._core.stands,
        )
        self._sources = [self._hub, engines, clients]
        for socket in self._sources:
            self.loop.remove_handler(socket)  # the stream's own
            self.loop.add_handler(socket, self._turn, self.loop.READ)
        self.query_stream.on_recv(self.dispatch_query_reply)
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
        self._decide()
        pool = self._core.pool
        if isinstance(pool, HookedPool):
            return pool.targets
        return [engine.ident for engine in pool.by_use()]

    @property
    def loads(self) -> list[float]:
        """The engines' loads, in the order of `targets`."""
        self._decide()
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
        if self._clients in self._sources:
            self._sources.remove(self._clients)
            self.loop.remove_handler(self._clients)

    def resume_receiving(self) -> None:
        """Accept tasks again."""
        if self._clients not in self._sources:
            self._sources.append(self._clients)
            self.loop.add_handler(self._clients, self._turn, self.loop.READ)
            self._schedule_turn()

    # -- from the sockets --------------------------------------------------------------

    def _turn(self, *event: Any) -> None:
        """Serve every socket; come back soon if one may have more.

        A socket's descriptor tells only of news, and any use of the socket may swallow
        them, sends included: so each is asked for what is left before the turn ends.
        """
        self._turn_is_due = True  # nothing that happens in it need ask for another
        more = True
        try:
            self._respond()
            for _ in range(ROUNDS):
                sources = readable(self._sources)
                more = bool(sources)
                if not more:
                    break
                self._serve(sources)
            # what was taken in counts before what has come too late
            deadline = self._core.next_deadline()
            if deadline is not None and deadline <= time.monotonic():
                more = True  # the sends may swallow news
                self._events.append(TimePassed())
                self._respond()
        finally:
            self._turn_is_due = False
            if more:
                self._schedule_turn()
            else:
                self._set_alarm()

    def _serve(self, sources: list[zmq.Socket]) -> None:
        """Take in what has come, and carry out what it leads to."""
        # taken first and handled last: an engine that a client knows of is known here first
        submissions = self._take(self._from_client) if self._clients in sources else []
        if self._hub in sources or (submissions and readable([self._hub])):
            notifications = self._take(self._from_hub, NOTIFICATIONS)
            self._dispatch(self.dispatch_notification, notifications, "hub")
        if self._engines in sources:
            self._dispatch(self.dispatch_result, self._take(self._from_engine), "engine")
        self._dispatch(self.dispatch_submission, submissions, "client")
        self._respond()

    def _take(self, receive_one: Callable[[], Frames], limit: int = BATCH) -> list[Frames]:
        """The messages that have come, up to a limit."""
        messages: list[Frames] = []
        try:
            while len(messages) < limit:
                messages.append(receive_one())
        except zmq.Again:
            pass
        return messages

    def _dispatch(
        self, handle: Callable[[Frames], None], messages: list[Frames], peer: str
    ) -> None:
        """Read each message; no error in one may keep the others from being served."""
        for message in messages:
            try:
                try:
                    handle(message)
                except NamelessTaskError as error:
                    self._outbox.refuse(message, str(error))
                except MessageError as error:
                    sender = "the hub" if peer == "hub" else f"{peer} {message[0]!r}"
                    text = printable(str(error))
                    self.log.error("task::dropped a message of %s: %s", sender, text)
            except Exception:
                self.log.exception("task::internal error; please report it")

    def _schedule_turn(self) -> None:
        if not self._turn_is_due:
            self._turn_is_due = True
            self.loop.add_callback(self._turn)

    def dispatch_submission(self, raw_msg: Frames) -> None:
        """Take in a task from a client."""
        self._feed(self._wire.read_submission(raw_msg))

    def dispatch_result(self, raw_msg: Frames) -> None:
        """Take in a reply from an engine."""
        self._feed(self._wire.read_reply(raw_msg))

    def dispatch_notification(self, msg: Frames) -> None:
        """Take in what the hub says of its engines."""
        event = self._wire.read_notification(msg)
        if event is not None:
            self._feed(event)

    def dispatch_query_reply(self, msg: Frames) -> None:
        """Take in the engines that were there before."""
        self._dispatch(self._take_in_engines, [msg], "hub")

    def _take_in_engines(self, msg: Frames) -> None:
        engines, problem = self._wire.read_engines(msg)
        if problem:
            self.log.error("task::in a message of the hub: %s", printable(problem))
        for event in engines:
            self._decide()  # it may be one that was announced meanwhile
            if event.engine not in self._core.pool.engines:
                self._feed(event)

    def _register_engine(self, uid: bytes) -> None:
        self._feed(EngineRegistered(uid))

    def _unregister_engine(self, uid: bytes) -> None:
        self._feed(EngineUnregistered(uid))

    # -- to the core and back ----------------------------------------------------------

    def _feed(self, event: Event) -> None:
        """Have the core decide on an event in this turn, or the next."""
        self._events.append(event)
        if not self._turn_is_due:
            self._schedule_turn()

    def _respond(self) -> None:
        """Have the core decide on what has been read, and send what it decides."""
        self._decide()
        while failures := self._outbox.flush():
            self._events.extend(failures)
            self._decide()

    def _decide(self) -> None:
        """Hand what has been read to the core; what it decides is for `_respond` to send."""
        if self._deciding:
            return  # a subclass asks or feeds from within: what it fed comes next
        self._deciding = True
        try:
            while self._events:
                self._decide_on(self._events.popleft())
        finally:
            self._deciding = False

    def _decide_on(self, event: Event) -> None:
        try:
            actions = self._core.handle(event, now=time.monotonic())
        except Exception as error:
            self.log.exception("task::internal error; please report it")
            actions = error.actions if isinstance(error, CoreError) else []
        if isinstance(event, TaskSubmitted):
            refused = bool(actions) and isinstance(actions[0], RefuseTask)
            if not refused:  # or else it is no task for the hub
                self._outbox.tell_hub(b"intask", event.message)
        for action in actions:
            self._outbox.put(action)

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
            self._alarm = self.loop.call_later(delay, self._wake)

    def _wake(self) -> None:
        self._alarm = self._alarm_time = None
        self._turn()
