"""`RichTaskScheduler`: settings, and the contract of the class whose place it takes."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import zmq
from ipyparallel.controller.task_scheduler import TaskScheduler
from traitlets import (
    Bool,
    Dict,
    Enum,
    Float,
    Integer,
    TraitError,
    Unicode,
    default,
    observe,
    validate,
)

from ..core.engines.pool import EnginePool
from ..core.engines.schemes import BUILT_IN, Scheme, SchemeError, find_scheme, user_scheme
from ..core.events import (
    ConnectionsChanged,
    EngineRegistered,
    EngineUnregistered,
    Event,
    TaskReplied,
)
from ..core.machine import SchedulerCore
from ..core.settings import Settings
from ..wire.checks import printable
from ..wire.messages import Frames, Wire
from ..wire.requests import Asked
from ..wire.transport import Channel
from .connections import Watch, guard, news_of
from .event_logging import EventLogging
from .hooked import HookedPool
from .hub_line import bound
from .interrupts import Interrupts
from .lines import Lines
from .metering import Metering
from .outbox import Outbox
from .removed import without_removed_methods
from .requests import serve
from .sight import Sights
from .turns import Channels, Handlers, Turns
from .values import size_of


@without_removed_methods
class RichTaskScheduler(EventLogging, Metering, TaskScheduler):
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

    probe_after = Float(
        2.0,
        min=0,
        allow_none=True,
        config=True,
        help="""Seconds after which the engine of a task that has not been answered is asked
        whether it still has it. If the task, or its answer, is lost, it has failed with
        EngineError, or is retried. None: nobody is asked, and such a task is never answered.""",
    )

    retry_elsewhere = Float(
        30.0,
        min=0,
        allow_none=True,
        config=True,
        help="""Seconds that a failed task with retries left waits for an engine that has not
        failed it, while those are busy; then any may try it. 0: any engine at once; None: it
        waits for as long as it takes.""",
    )

    max_crashes = Integer(
        3,
        min=1,
        allow_none=True,
        config=True,
        help="""How many engines may die while they run a task; then it has failed with
        EngineError, though retries are left. None: only the retries count.""",
    )

    aging = Float(
        None,
        min=0.001,
        allow_none=True,
        config=True,
        help="""How many seconds of waiting are worth one step of a task's priority, so that
        tasks of low priority get their turn. None: none are.""",
    )

    order = Enum(
        ("fifo", "critical-path"),
        "fifo",
        config=True,
        help="""Which of the tasks of a priority that may run comes first: the one that was
        submitted first (fifo), or the one with the longest path of work behind it
        (critical-path), by the costs of tasks: their flag `cost`, or what tasks of their label
        or function took so far.""",
    )

    fair = Bool(
        False,
        config=True,
        help="""Whether clients take turns: of the tasks of the highest priority, the next is one
        of the client that has used the least time of engines, so that a client with many tasks
        does not hold up the others.""",
    )

    interrupt_on_timeout = Bool(
        False,
        config=True,
        help="""Whether an engine is interrupted (SIGINT) that takes longer for a task than its
        run_timeout, so that it takes tasks again.""",
    )

    values_size_limit = Integer(
        2**30,
        min=0,
        config=True,
        help="""How many bytes of results are held because they are arguments of tasks that are not
        finished. What is over it the client is asked to send, for one task at a time.""",
    )

    control = Dict(
        config=True,
        help="""Where signals for engines go, and the keys for that: RichController sets it.""",
    )

    @validate("scheme_name")
    def _validate_scheme_name(self, proposal: Any) -> str:
        try:
            self._scheme = find_scheme(proposal.value)
        except SchemeError as error:
            raise TraitError(f"{type(self).__name__}.scheme_name: {error}") from None
        return proposal.value

    @validate("engine_grace", "stranded_timeout", "probe_after", "retry_elsewhere", "aging")
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
        seed = random.SystemRandom().getrandbits(32)
        self._random = random.Random(seed)
        # This is `scheme`, unless a subclass has one of its own.
        self._stock_scheme = lambda loads: self._scheme.choose(loads, self._random)
        super().__init__(**kwargs)
        pool = self._make_pool()
        settings = Settings(
            scheme=pool.scheme.name,
            hwm=self.hwm,
            engine_grace=self.engine_grace,
            stranded_timeout=self.stranded_timeout,
            probe_after=self.probe_after,
            retry_elsewhere=self.retry_elsewhere,
            max_crashes=self.max_crashes,
            aging=self.aging,
            order=self.order,
            fair=self.fair,
            interrupt_on_timeout=self.interrupt_on_timeout,
            values_size_limit=self.values_size_limit,
            seed=seed,
        )
        self._core = SchedulerCore(settings, pool, durations=self._make_durations())

    def _make_pool(self) -> EnginePool:
        scheme = self._scheme
        if self.scheme is not self._stock_scheme:
            scheme = user_scheme(getattr(self.scheme, "__name__", "scheme"), self.scheme)
        stock = RichTaskScheduler
        if type(self).add_job is stock.add_job and type(self).finish_job is stock.finish_job:
            return EnginePool(scheme, self.hwm, self._random)
        hooks = (self.add_job, self.finish_job)
        return HookedPool(scheme, self.hwm, self._random, *hooks, self.log)

    _turns: Turns | None = None  # until it is started

    def start(self) -> None:
        """Take over the sockets and ask the hub which engines there are."""
        sources = (self.client_stream, self.engine_stream, self.notifier_stream)
        for stream in sources:
            self.loop.remove_handler(stream.socket)  # the stream's own
        clients, engines, notifier = (stream.socket for stream in sources)
        # The streams are traits, and to read a trait costs more than to send a small message.
        channels = Channels(
            Channel(clients),
            Channel(engines, addresses=True),
            Channel(notifier, from_many=False),
            Channel(self.mon_stream.socket),
        )
        engines.setsockopt(zmq.ROUTER_MANDATORY, 1)
        guard(engines, self.hwm)
        bound(self.mon_stream.socket)
        self._turns = self._make_turns(channels, self.loop, time.monotonic)
        self._turns.start()
        self._begin_metrics(self._sights, self._core.state.durations, self.loop, self._lines)
        Watch(news_of(engines), self.loop, time.monotonic, self._connections_changed)
        self.query_stream.on_recv(self.dispatch_query_reply)
        self.session.send(self.query_stream, "connection_request", {})
        self.log.info(
            "ipp_richsched %s: %s started [%s]",
            version("ipp-richsched"),
            type(self).__name__,
            self._core.pool.scheme.name,
        )

    def _make_turns(
        self, channels: Channels, loop: Any, clock: Callable[[], float], **kwargs: Any
    ) -> Turns:
        """What serves these channels by this loop and clock."""
        self._wire = Wire(self.session, channels.engines.addresses)
        self._channels = channels
        self._lines = lines = Lines(self.log, loop, clock)
        self._begin_event_log(self._core, self._wire.names.called, loop, clock, lines)
        interrupts = Interrupts(
            self.control,
            self.session,
            loop,
            self._feed,
            lines,
            self.log,
        )
        self._outbox = Outbox(
            self._wire,
            channels.clients,
            channels.engines,
            channels.monitor,
            self.ident,
            self.log,
            lines,
            self._core.stands,
            interrupts.send,
        )
        handlers = Handlers(
            self.dispatch_submission, self.dispatch_result, self.dispatch_notification
        )
        turns = Turns(self._core, channels, self._outbox, handlers, loop, clock, self.log, **kwargs)
        self._sights = Sights(self._core, self._wire.names, clock, turns.lag)
        return turns

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
        assert self._turns is not None
        self._turns.stop(self._channels.clients)

    def resume_receiving(self) -> None:
        """Accept tasks again."""
        assert self._turns is not None
        self._turns.resume(self._channels.clients)

    def dispatch_submission(self, raw_msg: Frames) -> None:
        """Take in a task, or a request, from a client."""
        submission = self._wire.read_submission(raw_msg)
        if isinstance(submission, Asked):
            serve(submission, self._outbox, self._feed, self._decide, self._sights)
        else:
            self._feed(submission)

    def dispatch_result(self, raw_msg: Frames) -> None:
        """Take in a reply from an engine."""
        event = self._wire.read_reply(raw_msg)
        needed = self._core.needed
        if needed and isinstance(event, TaskReplied) and event.msg_id in needed:
            event = event._replace(size=size_of(event.message))
        self._feed(event)

    def dispatch_notification(self, msg: Frames) -> None:
        """Take in what the hub says of its engines."""
        event = self._wire.read_notification(msg)
        if event is not None:
            self._feed(event)

    def dispatch_query_reply(self, msg: Frames) -> None:
        """Take in the engines that were there before."""
        assert self._turns is not None
        self._turns.dispatch(self._take_in_engines, [msg], "hub")

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

    def _connections_changed(self) -> None:
        """Engines' connections have been made since this was called last."""
        self._feed(ConnectionsChanged())

    def _feed(self, event: Event) -> None:
        """Have the core decide on an event."""
        assert self._turns is not None
        self._turns.feed(event)

    def _decide(self) -> None:
        """Have the core decide on all that was fed."""
        if self._turns is not None:
            self._turns.decide()
