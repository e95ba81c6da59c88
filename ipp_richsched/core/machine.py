"""The scheduler as a state machine: `SchedulerCore.handle(event, now=...)` -> actions.

One event at a time moves tasks between the collections that `core.task` names, by the steps
of `Lifecycle`.  What one event entails is worked off in a loop (`_settle`), never by recursion:
finished tasks move the counters of their dependents (`_tell`), tasks that became ready and
engines that gained room are matched (`Placement.match`), and whatever fails on the way goes
round again.  No event does more than a slice of that: what is left makes `TimePassed` due at
once, so that the shell can serve its sockets in between.  What comes meanwhile is taken in and
adds to it.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from random import Random

from .actions import Action, AssignTask, FailTask, Reason
from .deadlines import Entry, Kind
from .dependency import MET, UNREACHABLE
from .engines.pool import EnginePool
from .engines.schemes import find_scheme
from .events import (
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    SendingFailed,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from .explain import Explain, name
from .graph import count_after, count_follow
from .invariants import check
from .lifecycle import Lifecycle
from .placement.match import Placement
from .placement.prospects import Prospects
from .story import CoreError
from .task import FAILED, NOWHERE, SUCCEEDED, WAITING, Task

SLICE = 500
"""How much work one event may cost."""

RECOVERY = 0.1
"""Seconds until work goes on after an error of our own, which may come again."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds that an engine which could not be reached is left alone, doubled each time."""


class SchedulerCore:
    """All that the scheduler knows and decides.

    Parameters
    ----------
    pool : EnginePool or None
        The engines; by default none yet, with the scheme `leastload` and `hwm` 1.
    engine_grace : float
        Seconds in which replies of a dead engine still count.
    stranded_timeout : float or None
        Seconds that a task waits when no registered engine may take it; None for ever.
    """

    def __init__(
        self,
        pool: EnginePool | None = None,
        *,
        engine_grace: float = 5.0,
        stranded_timeout: float | None = 60.0,
    ) -> None:
        self.pool = pool or EnginePool(find_scheme("leastload"), 1, Random(0))
        self.engine_grace = engine_grace
        self.lifecycle = Lifecycle(self.pool)
        self.tasks = self.lifecycle.tasks
        self.history = self.lifecycle.history
        self.graph = self.lifecycle.graph
        self.queue = self.lifecycle.queue
        self.deadlines = self.lifecycle.deadlines
        self.prospects = Prospects(self.pool)
        self._explain = Explain(self.pool, self.history)
        self.placement = Placement(self.lifecycle, self.prospects, self._explain, stranded_timeout)
        self._reviews: deque[Task] = deque()  # tasks that engines which came or died concern
        self._recovers = -math.inf  # when to go on after an error of our own
        self._handlers = {
            EngineRegistered: self._engine_registered,
            EngineUnregistered: self._engine_unregistered,
            EngineUnreachable: self._engine_unreachable,
            SendingFailed: self._sending_failed,
            TaskSubmitted: self._task_submitted,
            TaskRejected: self._task_rejected,
            TaskReplied: self._task_replied,
            TimePassed: self._time_passed,
        }

    def handle(self, event: Event, *, now: float) -> list[Action]:
        """Take in what happened.

        Parameters
        ----------
        event : Event
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
        life = self.lifecycle
        life.now = now
        life.actions = []
        life.in_hand = None
        # if each did a part of the work that is left, a flood of events would be read slowly
        goes_on = not self.busy
        try:
            self._handlers[type(event)](event)  # type: ignore[operator]
            if goes_on:
                self._settle()
        except Exception as error:
            raise self._struck(event, error) from error
        return life.actions

    @property
    def busy(self) -> bool:
        """Whether there is work left of the events so far, for `TimePassed` to go on with."""
        life = self.lifecycle
        return bool(life.news or self._reviews or life.unplaced or self.pool.roomy)

    def stands(self, action: AssignTask) -> bool:
        """Whether a task is still assigned as it was, though other events have come since."""
        task = self.tasks.get(action.msg_id)
        return task is not None and task.engine is not None and task.attempts == action.attempt

    def next_deadline(self) -> float | None:
        """When `TimePassed` is due, or None; now or, after an error, soon where work is left."""
        return max(self.lifecycle.now, self._recovers) if self.busy else self.deadlines.next()

    def story(self, msg_id: str) -> list[str]:
        """What happened to a task, as far as it is remembered; O(`story.LINES`)."""
        return self.lifecycle.story.of(msg_id)

    def validate(self) -> None:
        """Check that the state is consistent; raises AssertionError. O(tasks), for tests."""
        check(self)

    # -- events ------------------------------------------------------------------------

    def _engine_registered(self, event: EngineRegistered) -> None:
        pool = self.pool
        if event.engine in pool.engines:
            self.lifecycle.warn(f"engine {name(event.engine)} was announced twice")
            return
        engine = pool.register(event.engine)
        self._reviews.extend(self.graph.watchers(engine.ident))  # it was here before, and is back
        self._reviews.extend(self.placement.engine_registered(engine))

    def _engine_unregistered(self, event: EngineUnregistered) -> None:
        if event.engine not in self.pool.engines:
            self.lifecycle.warn(f"engine {name(event.engine)} is unknown and was said to be gone")
            return
        engine = self.pool.unregister(event.engine)
        if engine.assigned:
            self.deadlines.add(self.lifecycle.now + self.engine_grace, Kind.GRACE, engine)
        self._reviews.extend(self.graph.watchers(engine.ident))
        self._reviews.extend(self.placement.engine_died(engine))

    def _not_sent(self, event: EngineUnreachable | SendingFailed) -> Task | None:
        """The task that could not be sent, unless it has left its engine in the meantime."""
        task = self.tasks.get(event.msg_id)
        if task is None or task.engine is None or task.engine.ident != event.engine:
            return None  # a repeated reply to an earlier attempt ended it
        self.lifecycle.in_hand = task
        return task

    def _engine_unreachable(self, event: EngineUnreachable) -> None:
        task = self._not_sent(event)
        if task is None or task.engine is None:
            return
        engine = task.engine
        if not engine.paused:
            last, engine.pause = engine.pause, min(engine.pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
            if engine.pause == LONGEST_PAUSE != last:
                self.lifecycle.warn(
                    f"engine {name(engine.ident)} is registered, but cannot be reached"
                )
            self.deadlines.add(self.lifecycle.now + engine.pause, Kind.PAUSE, engine)
            self.pool.set_paused(engine, True)
        self.lifecycle.unassign(task)

    def _sending_failed(self, event: SendingFailed) -> None:
        task = self._not_sent(event)
        if task is not None:  # to try again might fail for ever, ahead of all others
            self.lifecycle.fail(task, Reason.INTERNAL_ERROR, self._explain.internal_error(task))

    def _task_submitted(self, event: TaskSubmitted) -> None:
        task = self.lifecycle.submit(event)
        if task is None:
            return
        if not (task.after.ids or task.follow.ids):
            self.lifecycle.make_ready(task)
            return
        unknown = self.graph.enter(task, self.tasks, self.history)
        if unknown:
            text = self._explain.invalid(task, *unknown)
            self.lifecycle.fail(task, Reason.INVALID_DEPENDENCY, text)
        else:
            self._advance(task)

    def _task_rejected(self, event: TaskRejected) -> None:
        task = self.lifecycle.submit(TaskSubmitted(event.msg_id, event.message))
        if task is not None:
            text = f"task {event.msg_id}: {event.text}"
            self.lifecycle.fail(task, Reason.INVALID_METADATA, text)

    def _task_replied(self, event: TaskReplied) -> None:
        task = self.tasks.get(event.msg_id)
        engine = task.engine if task is not None else None
        if task is None or engine is None or engine.ident != event.engine:
            self.lifecycle.warn(
                f"engine {name(event.engine)} answered task {event.msg_id}, which it does"
                " not hold; the reply is discarded"
            )
            return
        self.lifecycle.in_hand = task
        engine.pause = 0.0
        if not event.dependencies_met:
            task.refused_by |= {engine.ident}
            self.lifecycle.take_back(task)
        elif event.status in ("ok", "aborted") or (event.status and not task.retries):
            self.lifecycle.relay(task, event)
        else:
            text = self._explain.no_status(task)
            if event.problem:
                text += f": {event.problem}"
                self.lifecycle.warn(text)
            self.lifecycle.attempt_failed(task, text)

    def _time_passed(self, event: TimePassed) -> None:
        if self.busy:
            self._settle()  # before the deadlines: an engine may be waiting for what they end
        budget = SLICE
        while budget > 0:
            entry = self.deadlines.pop_due(self.lifecycle.now)
            if entry is None:
                return
            budget -= self._end(entry, budget)

    def _end(self, entry: Entry, budget: int) -> int:
        """Do what a deadline asks for, as far as the budget goes; what it cost."""
        life = self.lifecycle
        life.in_hand = None
        if entry.kind is Kind.PAUSE:
            self.pool.set_paused(entry.subject, False)
        elif entry.kind is Kind.GRACE:
            tasks = list(islice(entry.subject.assigned.values(), budget))
            if tasks:  # it comes again until there is none
                self.deadlines.add(life.now, Kind.GRACE, entry.subject)
            for task in tasks:
                life.in_hand = task
                life.attempt_failed(task, self._explain.engine_died(task))
            return max(1, len(tasks))
        else:
            self._end_wait(entry.subject, entry.kind)
        return 1

    def _end_wait(self, task: Task, kind: Kind) -> None:
        """Do what a deadline of a task asks for."""
        self.lifecycle.in_hand = task
        if kind is Kind.TIMEOUT:
            task.timer = None
            self.lifecycle.fail(task, Reason.TASK_TIMEOUT, self._explain.timeout(task))
        elif kind is Kind.STRANDED:
            task.parking = None
            self.placement.give_up(task)
        else:
            task.parking = None
            task.failed_on = NOWHERE
            self.lifecycle.requeue(task)

    # -- carrying an event through -----------------------------------------------------

    def _settle(self) -> None:
        """Work off what events entail, as far as the budget goes."""
        life = self.lifecycle
        life.in_hand = None
        # placing has a budget of its own, so that no engine idles while a long cascade is told
        budget = places = SLICE
        while True:
            while life.news and budget > 0:
                budget = self._tell(budget)
            while self._reviews and budget > 0:
                self._review(self._reviews.popleft())
                budget -= 1
            if life.unplaced or self.pool.roomy:
                places = self.placement.match(places)
            if not (life.news or self._reviews) or min(budget, places) <= 0:
                return

    def _review(self, task: Task) -> None:
        """Look again at a task whose fate an engine may have decided, coming or dying."""
        self.lifecycle.in_hand = task
        if task.state is WAITING:
            self._advance(task)
        else:
            self.placement.review(task)

    def _tell(self, budget: int) -> int:
        """Move the counters of tasks that waited for a finished one; the budget that is left."""
        life = self.lifecycle
        dependents, outcome, follows, first = life.news[0]
        count = count_follow if follows else count_after
        steps = min(budget, len(dependents))
        for _ in range(steps):
            task = life.in_hand = dependents.pop()
            if task.state is WAITING:
                if count(task, outcome):
                    life.first = first
                    self._advance(task)
                    life.first = ""
            elif follows and task.state < SUCCEEDED:
                count(task, outcome)
                if task.group is not None:
                    # one id of several sufficed, and now it may run in one more place
                    life.requeue(task)
        if not dependents:
            life.news.popleft()
        return budget - steps

    def _advance(self, task: Task) -> None:
        """Look again at a waiting task."""
        life = self.lifecycle
        after = task.after.status(task.after_accepted, task.after_refused)
        follow = self.prospects.follow(task) if task.follow.ids else MET
        if after is MET and follow is MET:
            if task.watched:
                self.graph.unwatch(task)
            life.make_ready(task)
        elif after is UNREACHABLE:
            life.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, self._explain.after(task, life.first))
        elif follow is UNREACHABLE:
            life.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, self._explain.follow(task, life.first))
        elif task.targets is None and not task.follow_engines:
            return  # no engine decides what becomes of it
        elif self.prospects.hopeless(task):
            life.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, self._explain.targets(task))
        else:
            self.placement.watch(task)

    def _struck(self, event: Event, error: Exception) -> CoreError:
        """Have an error of our own cost one task at most, and that one an answer, not silence."""
        life, task = self.lifecycle, self.lifecycle.in_hand
        msg_id = task.msg_id if task is not None else getattr(event, "msg_id", "")
        life.first = ""
        # what it kept from being done is taken up again, after a while
        self.pool.roomy = dict.fromkeys(self.pool.engines.values())
        if self._recovers <= life.now:  # or else errors that keep coming would put it off for ever
            self._recovers = life.now + RECOVERY
        if task is not None and msg_id in self.tasks:
            text = self._explain.internal_error(task)
            try:
                if task.state < SUCCEEDED:
                    life.fail(task, Reason.INTERNAL_ERROR, text)
            except Exception as another:
                error = another
            if task.state < SUCCEEDED:  # not even that
                task.state = FAILED
                life.actions.append(FailTask(msg_id, Reason.INTERNAL_ERROR, text, task.message))
            self.tasks.pop(msg_id, None)
        return CoreError(event, error, msg_id, life.story, life.actions)
