"""The scheduler as a state machine: `SchedulerCore.handle(event, now=...)` -> actions.

One event at a time moves tasks between the collections that `core.task` names, by the steps of
`Lifecycle`.  What an event entails is worked off in a loop (`_settle`), never by recursion:
`Cascade` tells dependents of finished tasks, `Placement` brings ready tasks and engines with
room together, and whatever fails on the way goes round again.  No event does more than a slice
of that.  What is left is the backlog, and makes `TimePassed` due at once, so that the shell can
serve its sockets in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from random import Random
from typing import TypeAlias

from .absence import Absence
from .actions import Action, AssignTask
from .attempts import Attempts
from .cancelling import Cancelling
from .cascade import Cascade
from .deadlines import Kind
from .dues import Dues
from .durations import Durations
from .engines.engine import Engine
from .engines.pool import EnginePool
from .engines.schemes import find_scheme
from .events import (
    AskingFailed,
    CancelRequested,
    ConnectionsChanged,
    EngineAnswered,
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    InterruptDone,
    SendingFailed,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
    ValueSent,
)
from .explain import Explain
from .happenings import Page, happenings_of
from .invariants import check
from .lending import Lending
from .lifecycle import Lifecycle
from .losses import Losses
from .notices import EngineGone, EngineNotice, Oddity, TraceFailed
from .placement.match import Placement
from .placement.prospects import Prospects
from .placement.stranded import Strandings
from .questions import Questions
from .reach import Reach
from .reasons import InvalidDependency, InvalidMetadata
from .recovery import Recovery
from .settings import Settings
from .state import State
from .status import Status, status_of
from .step import Step
from .story import Mark
from .tale import Tale, tales_of
from .task import FAILED, WAITING

Trace: TypeAlias = Callable[[float, Event, list[Action]], object]
"""What is called with the time, the event and the actions of each step."""


class SchedulerCore:
    """All that the scheduler knows and decides.

    Parameters
    ----------
    settings : Settings
        What the user has set.
    pool : EnginePool or None
        The engines, for a subclass of the scheduler that counts their loads in its own way.
    trace : callable or None
        See below.
    durations : Durations or None
        Where it is counted how long tasks queue and run, if somebody wants to know.

    Attributes
    ----------
    trace : callable or None
        Called with the time, the event and the actions of each step; it may be set later.
    needed : mapping of str to Value
        By msg_id, the tasks of which `TaskReplied` has to give the size.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        pool: EnginePool | None = None,
        trace: Trace | None = None,
        durations: Durations | None = None,
    ) -> None:
        settings = settings or Settings()
        if pool is None:
            scheme = find_scheme(settings.scheme)
            pool = EnginePool(scheme, settings.hwm, Random(settings.seed))
        self.state = State(settings, pool, durations)
        self.pool = pool
        self.tasks = self.state.tasks
        self.needed = self.state.values.uses
        self.trace = trace
        self._backlog = self.state.backlog
        self._rates = self.state.rates
        self._grace = settings.engine_grace
        self._now = -math.inf
        self._deadlines = self.state.deadlines
        self._lifecycle = Lifecycle(self.state)
        self._recovery = Recovery(self.state, self._lifecycle)
        self._prospects = Prospects(pool)
        self._paths = self.state.paths
        explain = Explain(self.state)
        self._lending = Lending(self.state)
        self._cancelling = Cancelling(self.state, self._lifecycle)
        self._absence = Absence(self.state, self._lifecycle)
        self._reach = Reach(self.state, self._lifecycle)
        self._questions = Questions(self.state, self._lifecycle, self._reach)
        losses = Losses(self.state, self._lifecycle, self._questions)
        parts = self.state, self._lifecycle, self._prospects
        self._strandings = Strandings(*parts, explain, self._reach)
        self._attempts = Attempts(self.state, self._lifecycle, self._strandings, self._reach)
        self._placement = Placement(*parts, self._strandings)
        self._cascade = Cascade(*parts, explain, self._strandings)
        self._dues = Dues(
            self.state,
            self._lifecycle,
            explain,
            losses,
            self._questions,
            self._attempts,
            self._strandings,
            self._absence,
        )
        self._handlers = {
            EngineRegistered: self._engine_registered,
            EngineUnregistered: self._engine_unregistered,
            EngineUnreachable: self._attempts.unreachable,
            SendingFailed: self._attempts.sending_failed,
            AskingFailed: self._asking_failed,
            EngineAnswered: self._engine_answered,
            ConnectionsChanged: self._connections_changed,
            TaskSubmitted: self._task_submitted,
            TaskRejected: self._task_rejected,
            TaskReplied: self._attempts.replied,
            ValueSent: self.state.values.sent,
            CancelRequested: self._cancel_requested,
            InterruptDone: self._interrupt_done,
            TimePassed: self._time_passed,
        }

    def handle(self, event: Event, *, now: float) -> list[Action]:
        """Take in what happened.

        Parameters
        ----------
        event : Event
            What happened.
        now : float
            Seconds on any clock that never goes back.

        Returns
        -------
        list of Action
            What to do, in this order.

        Raises
        ------
        CoreError
            If there is an error in the core itself.
        """
        step = Step(now)
        if now >= self._rates.due:
            self._rates.sample(now, self.state.tallies.totals())
        self._now = now
        # While a backlog exists, events only record their own effect; TimePassed alone works it
        # off.  Otherwise each event in a flood would pay for a slice.
        backlog = self._backlog  # as `busy`, without its calls
        settles = not (
            backlog.news
            or backlog.reviews
            or backlog.unplaced
            or backlog.loans
            or backlog.cancellations
            or self.pool.roomy
        )
        try:
            self._handlers[type(event)](step, event)  # type: ignore[operator]
            if settles:
                self._settle(step)
        except Exception as error:
            raise self._recovery.struck(step, event, error) from error
        finally:
            if self.trace is not None:
                self._tell_trace(step, event)
        return step.actions

    def _tell_trace(self, step: Step, event: Event) -> None:
        """Have the trace told of a step; what goes wrong there is no matter of the tasks."""
        assert self.trace is not None
        try:
            self.trace(step.now, event, step.actions)
        except Exception as error:
            self.trace = None
            self._lifecycle.warn(step, TraceFailed(f"{type(error).__name__}: {error}"))

    @property
    def busy(self) -> bool:
        """Whether there is work left of the events so far, for `TimePassed` to go on with."""
        return self.state.busy or (self._paths is not None and self._paths.busy)

    def stands(self, action: AssignTask) -> bool:
        """Whether an assignment is still to be carried out, though other events came since."""
        task = self.tasks.get(action.msg_id)
        attempt = task.attempt if task is not None else None
        return attempt is not None and attempt.number == action.attempt

    def next_deadline(self) -> float | None:
        """When `TimePassed` is due, or None; now or, after an error, soon where work is left."""
        if self.busy:
            return max(self._now, self._recovery.ends)
        due, paths = self._deadlines.next(), self._paths
        if paths is not None and paths.due is not None and (due is None or paths.due < due):
            return paths.due
        return due

    def status(self, *, now: float, oldest: int = 10) -> Status:
        """How things stand: see `status_of`.  To ask is no event, and changes no decision."""
        return status_of(self.state, now, oldest)

    def why(self, msg_ids: Iterable[str], *, now: float) -> list[Tale]:
        """What is known of some tasks: see `tales_of`.  To ask changes nothing either."""
        return tales_of(self.state, now, msg_ids)

    def happenings(self, mark: Mark) -> Page:
        """What happened behind a mark: see `happenings_of`.  To ask changes nothing."""
        return happenings_of(self.state, mark)

    def story(self, msg_id: str) -> list[str]:
        """What happened to a task, as far as it is remembered; O(`story.LINES`)."""
        return self.state.story.of(msg_id)

    def validate(self) -> None:
        """Check that the state is consistent; raises AssertionError. O(tasks), for tests."""
        check(self.state, self._prospects, self._now)

    # -- events ------------------------------------------------------------------------

    def _engine_registered(self, step: Step, event: EngineRegistered) -> None:
        if event.engine in self.pool.engines:
            notice = EngineNotice(event.engine, Oddity.ANNOUNCED_TWICE)
            self._lifecycle.warn(step, notice)
            return
        self._absence.end()
        engine = self.pool.register(event.engine)
        reviews = self.state.backlog.reviews
        reviews.extend(self.state.graph.watchers(engine.ident))  # it was here before, and is back
        reviews.extend(self._strandings.engine_registered(step, engine))

    def _engine_unregistered(self, step: Step, event: EngineUnregistered) -> None:
        if event.engine not in self.pool.engines:
            notice = EngineNotice(event.engine, Oddity.UNKNOWN_AND_GONE)
            self._lifecycle.warn(step, notice)
            return
        engine = self.pool.unregister(event.engine)
        if engine.attempts:
            self._lifecycle.warn(step, EngineGone(engine.ident, len(engine.attempts)))
            engine.grace = step.now + self._grace
            self.state.dead[engine] = None
            self._deadlines.add(engine.grace, Kind.GRACE, engine)
            # whether it would have refused them, nobody knows
            for msg_id in [each for each in self.state.stranded.asked if each in engine.attempts]:
                self.state.stranded.end(msg_id)
        for entry in (engine.probe, engine.interrupt):
            if entry is not None:
                self._deadlines.cancel(entry)
        engine.probe = None
        self._absence.begin(step)
        reviews = self.state.backlog.reviews
        reviews.extend(self.state.graph.watchers(engine.ident))
        reviews.extend(self._strandings.engine_died(engine))

    def _asking_failed(self, step: Step, event: AskingFailed) -> None:
        engine = self._asked(event)
        if engine is not None:
            self._questions.not_asked(step, engine, event.question)

    def _engine_answered(self, step: Step, event: EngineAnswered) -> None:
        engine = self._asked(event)
        if engine is not None:
            self._questions.answered(step, engine, event.question)

    def _asked(self, event: AskingFailed | EngineAnswered) -> Engine | None:
        """The engine of a question that is open; None if it was of an engine's earlier life."""
        engine = self.pool.engines.get(event.engine)
        return engine if engine is not None and event.question in engine.questions else None

    def _connections_changed(self, step: Step, event: ConnectionsChanged) -> None:
        self._questions.connections_changed(step)

    def _task_submitted(self, step: Step, event: TaskSubmitted) -> None:
        task = self._lifecycle.submit(step, event)
        if task is None:
            return
        with step.on(task):
            self._lifecycle.begin(step, task)
            if not self.pool.engines:
                self._absence.begin(step)
            if not (task.after.ids or task.follow.ids or task.rich.arguments):
                self._lifecycle.make_ready(step, task)
                return
            unknown = self.state.graph.enter(task, self.tasks, self.state.history)
            if unknown is None and task.rich.arguments:
                unknown = self.state.values.enter(task, self.tasks, self.state.history)
            if unknown:
                field, msg_id = unknown
                reason = InvalidDependency(field, msg_id, itself=msg_id == task.msg_id)
                self._lifecycle.fail(step, task, reason)
            else:
                self._cascade.advance(step, task)
                if task.state is WAITING and not self.state.order.is_flat:
                    self._lending.lend(task)
                if task.state is not FAILED and self._paths is not None:
                    self._paths.connect(task, step.now)

    def _task_rejected(self, step: Step, event: TaskRejected) -> None:
        task = self._lifecycle.submit(step, TaskSubmitted(event.msg_id, event.message))
        if task is not None:
            with step.on(task):
                self._lifecycle.fail(step, task, InvalidMetadata(event.problem))

    def _cancel_requested(self, step: Step, event: CancelRequested) -> None:
        self._cancelling.begin(event)

    def _interrupt_done(self, step: Step, event: InterruptDone) -> None:
        engine = self.pool.engines.get(event.engine)
        entry = engine.interrupt if engine is not None else None
        if engine is not None and entry is not None and entry.number == event.interrupt:
            self._deadlines.cancel(entry)
            self._lifecycle.interrupt_is_over(engine)

    def _time_passed(self, step: Step, event: TimePassed) -> None:
        if self.state.busy:
            self._settle(step)  # before the deadlines: an engine may wait for what they end
        if self._paths is not None:
            self._paths.time_passed(step)
        self._dues.work(step)

    # -- carrying an event through -----------------------------------------------------

    def _settle(self, step: Step) -> None:
        """Work off what events entail, as far as the budget of the step goes."""
        backlog, roomy = self._backlog, self.pool.roomy
        while True:
            if backlog.cancellations:
                self._cancelling.work(step)
            if backlog.loans:
                self._lending.work(step)
            if backlog.news or backlog.reviews:
                self._cascade.work(step)
            if backlog.unplaced or roomy:
                self._placement.match(step)
            more = backlog.news or backlog.reviews or backlog.loans or backlog.cancellations
            if not more or min(step.work_left, step.places_left) <= 0:
                return
