"""The scheduler as a state machine: `SchedulerCore.handle(event, now=...)` -> actions.

One event at a time moves tasks between the collections that `core.task` names.  What one
event entails is worked off in a loop (`_settle`), never by recursion: finished tasks move
the counters of their dependents (`_tell`), tasks that became ready and engines that gained
room are matched (`Placement.match`), and whatever fails on the way goes round again.  No
event does more than a slice of that: what is left makes `TimePassed` due at once, so that
the shell can serve its sockets in between.  What comes meanwhile is taken in and adds to it.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from random import Random

from .actions import Action, AssignTask, FailTask, Reason, RefuseTask, RelayReply, Warn
from .deadlines import Deadlines, Kind
from .dependency import Status
from .engines import Engine, EnginePool
from .events import (
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from .explain import Explain, name
from .graph import DependencyGraph, News, count_after, count_follow
from .history import History
from .invariants import check
from .placement import Placement
from .prospects import Prospects
from .schemes import find_scheme
from .story import CoreError, Story
from .task import NOWHERE, Task, TaskState

SLICE = 500
"""How much work one event may cost."""

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
        self.tasks: dict[str, Task] = {}
        self.history = History()
        self.graph = DependencyGraph()
        self.deadlines = Deadlines()
        self.prospects = Prospects(self.pool)
        self._explain = Explain(self.pool, self.history)
        self.placement = Placement(
            self.pool,
            self.deadlines,
            self.prospects,
            self._explain,
            stranded_timeout,
            lifecycle=self,
        )
        self.queue = self.placement.queue
        self._story = Story()
        self._note = self._story.note
        self._submitted = 0
        self._now = 0.0
        self._actions: list[Action] = []
        self._first = ""  # while one failure entails another: the first
        # what events entail and `_settle` has still to work off:
        self._news: deque[News] = deque()  # dependents of finished tasks
        self._reviews: deque[Task] = deque()  # tasks that engines which came or died concern
        self.unplaced: list[Task] = []
        self._roomy: list[Engine] = []
        self._handlers = {
            EngineRegistered: self._engine_registered,
            EngineUnregistered: self._engine_unregistered,
            EngineUnreachable: self._engine_unreachable,
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
        # or else a flood of events that each do some of the work that is left would not be read
        goes_on = not self.busy or type(event) is TimePassed
        self._now = now
        self._actions = []
        try:
            self._handlers[type(event)](event)  # type: ignore[operator]
            if goes_on:
                self._settle()
        except Exception as error:
            # what it kept from being done is done with the next event
            self._first = ""
            self._roomy = list(self.pool.engines.values())
            raise CoreError(event, error, self._story, self._actions) from error
        return self._actions

    @property
    def busy(self) -> bool:
        """Whether there is work left of the events so far, for `TimePassed` to go on with."""
        return bool(self._news or self._reviews or self.unplaced or self._roomy)

    def stands(self, action: AssignTask) -> bool:
        """Whether a task is still assigned as it was, though other events have come since."""
        task = self.tasks.get(action.msg_id)
        return task is not None and task.engine is not None and task.attempts == action.attempt

    def next_deadline(self) -> float | None:
        """When `TimePassed` is due, or None; now, where there is work left."""
        return self._now if self.busy else self.deadlines.next()

    def story(self, msg_id: str) -> list[str]:
        """What happened to a task, as far as it is remembered; O(`story.LINES`)."""
        return self._story.of(msg_id)

    def validate(self) -> None:
        """Check that the state is consistent; raises AssertionError. O(tasks), for tests."""
        check(self)

    # -- events ------------------------------------------------------------------------

    def _engine_registered(self, event: EngineRegistered) -> None:
        pool = self.pool
        if event.engine in pool.engines:
            self.warn(f"engine {name(event.engine)} was announced twice")
            return
        engine = pool.register(event.engine)
        self._reviews.extend(self.graph.watchers(engine.ident))  # it was here before, and is back
        self._reviews.extend(self.placement.engine_registered(engine))
        self._roomy.append(engine)

    def _engine_unregistered(self, event: EngineUnregistered) -> None:
        if event.engine not in self.pool.engines:
            self.warn(f"engine {name(event.engine)} is unknown and was said to be gone")
            return
        engine = self.pool.unregister(event.engine)
        if engine.assigned:
            self.deadlines.add(self._now + self.engine_grace, Kind.GRACE, engine)
        self._reviews.extend(self.graph.watchers(engine.ident))
        self._reviews.extend(self.placement.engine_died(engine))

    def _engine_unreachable(self, event: EngineUnreachable) -> None:
        task = self.tasks.get(event.msg_id)
        if task is None or task.engine is None or task.engine.ident != event.engine:
            return  # before it could be sent, a repeated reply to an earlier attempt ended it
        engine = task.engine
        if not engine.paused:
            last, engine.pause = engine.pause, min(engine.pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
            if engine.pause == LONGEST_PAUSE != last:
                self.warn(f"engine {name(engine.ident)} is registered, but cannot be reached")
            self.deadlines.add(self._now + engine.pause, Kind.PAUSE, engine)
            self.pool.set_paused(engine, True)
        self._release(task)
        self._make_ready(task, task.expires)

    def _task_submitted(self, event: TaskSubmitted) -> None:
        task = self._new_task(event)
        if task is None:
            return
        self._start_timeout(task)
        if not (task.after.ids or task.follow.ids):
            self._queue(task)
            return
        unknown = self.graph.enter(task, self.tasks, self.history)
        if unknown:
            text = self._explain.invalid(task, *unknown)
            self.fail(task, Reason.INVALID_DEPENDENCY, text)
        else:
            self._advance(task)

    def _task_rejected(self, event: TaskRejected) -> None:
        task = self._new_task(TaskSubmitted(event.msg_id, event.message))
        if task is not None:
            text = f"task {event.msg_id}: {event.text}"
            self.fail(task, Reason.INVALID_METADATA, text)

    def _task_replied(self, event: TaskReplied) -> None:
        task = self.tasks.get(event.msg_id)
        engine = task.engine if task is not None else None
        if task is None or engine is None or engine.ident != event.engine:
            self.warn(
                f"engine {name(event.engine)} answered task {event.msg_id}, which it does"
                " not hold; the reply is discarded"
            )
            return
        engine.pause = 0.0
        if not event.dependencies_met:
            task.refused_by |= {engine.ident}
            self._take_back(task)
        elif event.status in ("ok", "aborted") or (event.status and not task.retries):
            self._relay(task, event)
        else:
            text = self._explain.no_status(task)
            if event.problem:
                text += f": {event.problem}"
                self.warn(text)
            self._attempt_failed(task, text)

    def _time_passed(self, event: TimePassed) -> None:
        for _ in range(SLICE):
            entry = self.deadlines.pop_due(self._now)
            if entry is None:
                break
            subject = entry.subject
            if entry.kind is Kind.TIMEOUT:
                subject.timer = None
                self.fail(subject, Reason.TASK_TIMEOUT, self._explain.timeout(subject))
            elif entry.kind is Kind.STRANDED:
                subject.parking = None
                self.placement.give_up(subject)
            elif entry.kind is Kind.RETRY:
                subject.parking = None
                subject.failed_on = NOWHERE
                self._requeue(subject)
            elif entry.kind is Kind.GRACE:
                for task in list(islice(subject.assigned.values(), SLICE)):
                    self._attempt_failed(task, self._explain.engine_died(task))
                if subject.assigned:
                    self.deadlines.add(self._now, Kind.GRACE, subject)
                    break
            else:
                self.pool.set_paused(subject, False)
                self._roomy.append(subject)

    def _new_task(self, event: TaskSubmitted) -> Task | None:
        first = self.tasks.get(event.msg_id)
        if first is not None or event.msg_id in self.history:
            message = first.message if first is not None else None
            self._actions.append(RefuseTask(event.msg_id, event.message, message))
            return None
        self._submitted += 1
        task = self.tasks[event.msg_id] = Task(
            event.msg_id,
            self._submitted,
            event.message,
            event.targets,
            event.after,
            event.follow,
            event.timeout,
            event.retries,
        )
        self._note((self._now, task.msg_id, "submitted", ""))
        return task

    # -- a task's way ------------------------------------------------------------------

    def _advance(self, task: Task) -> None:
        """Look again at a waiting task, after a change in what it waits for."""
        after = task.after_status
        follow = self.prospects.follow(task)
        if after is Status.UNREACHABLE:
            self.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, self._explain.after(task, self._first))
        elif follow is Status.UNREACHABLE:
            self.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, self._explain.follow(task, self._first))
        elif after is Status.MET and follow is Status.MET:
            self.graph.unwatch(task)
            self._queue(task)
        elif self.prospects.hopeless(task):
            self.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, self._explain.targets(task))
        else:
            self.watch(task)

    def watch(self, task: Task) -> None:
        """Look again at a task when an engine comes or dies that decides what becomes of it."""
        self.graph.watch(task, self.prospects.decisive_engines(task))

    def _queue(self, task: Task) -> None:
        """All that a task waited for is there, but an engine."""
        task.move(TaskState.READY)
        self._note((self._now, task.msg_id, "ready", ""))
        self.unplaced.append(task)

    def assign(self, task: Task, engine: Engine) -> None:
        task.move(TaskState.ASSIGNED)
        self._stop_timers(task)
        self.graph.unwatch(task)
        task.engine = engine
        engine.assigned[task.msg_id] = task
        self.pool.assign(engine)
        task.attempts += 1
        self._note((self._now, task.msg_id, "assigned to", engine.ident))
        again = task.attempts if engine.ident in task.had_by else 0
        action = AssignTask(task.msg_id, engine.ident, task.message, again, task.attempts)
        self._actions.append(action)

    def _release(self, task: Task) -> None:
        """Take an assigned task off its engine."""
        engine = task.engine
        assert engine is not None
        del engine.assigned[task.msg_id]
        task.engine = None
        self.pool.finish(engine)
        if self.pool.has(engine):
            self._roomy.append(engine)

    def _take_back(self, task: Task) -> None:
        """Make a task ready again after an attempt."""
        assert task.engine is not None
        task.had_by |= {task.engine.ident}
        self._release(task)
        self._make_ready(task)

    def _make_ready(self, task: Task, expires: float | None = None) -> None:
        """Have a task wait for an engine; its timeout starts anew unless `expires` is given."""
        task.move(TaskState.READY)
        self._note((self._now, task.msg_id, "ready again, retries left:", task.retries))
        self._start_timeout(task, expires)
        self.unplaced.append(task)

    def _requeue(self, task: Task) -> None:
        """Look again at a queued task: other engines may take it now."""
        self.placement.unpark(task)
        self.queue.remove(task)
        self.unplaced.append(task)

    def _attempt_failed(self, task: Task, text: str) -> None:
        """An attempt failed: there is a retry left, or else no reply that could be relayed."""
        engine = task.engine
        assert engine is not None
        if task.retries > 0:
            task.retries -= 1
            if engine.ident in self.pool.engines:
                task.failed_on |= {engine.ident}
            self._take_back(task)
        else:
            self.fail(task, Reason.ENGINE_ERROR, text, engine.ident)

    def _relay(self, task: Task, event: TaskReplied) -> None:
        self._actions.append(RelayReply(task.msg_id, event.engine, task.message, event.message))
        self._release(task)
        state = TaskState.SUCCEEDED if event.status == "ok" else TaskState.FAILED
        self._rest(task, state, event.engine)

    def fail(self, task: Task, reason: Reason, text: str, engine: bytes | None = None) -> None:
        """Answer an unfinished task with an error of our own."""
        self.graph.unwatch(task)
        if task.group is not None:
            self.queue.remove(task)
        elif task.engine is not None:
            self._release(task)
        self._actions.append(FailTask(task.msg_id, reason, text, task.message, engine))
        self._rest(task, TaskState.FAILED, engine)

    def _rest(self, task: Task, state: TaskState, engine: bytes | None) -> None:
        task.move(state)
        self._stop_timers(task)
        del self.tasks[task.msg_id]
        succeeded = state is TaskState.SUCCEEDED
        outcome = self.history.record(task.msg_id, succeeded, engine)
        self._note((self._now, task.msg_id, "succeeded" if succeeded else "failed", engine or ""))
        task.message = None  # others may still refer to the task
        self._news.extend(self.graph.pop(task.msg_id, outcome, self._first or task.msg_id))

    # -- carrying an event through -----------------------------------------------------

    def _settle(self) -> None:
        """Work off what events entail, as far as the budget goes."""
        # placing has a budget of its own, so that no engine idles while a long cascade is told
        budget = places = SLICE
        while True:
            while self._news and budget > 0:
                self._tell(self._news.popleft())
                budget -= 1
            while self._reviews and budget > 0:
                self._review(self._reviews.popleft())
                budget -= 1
            if self.unplaced or self._roomy:
                roomy, self._roomy = self._roomy, []
                left, places = self.placement.match(self.unplaced, roomy, self._now, places)
                self._roomy += left
            if not (self._news or self._reviews) or min(budget, places) <= 0:
                return

    def _review(self, task: Task) -> None:
        """Look again at a task whose fate an engine may have decided, coming or dying."""
        if task.state is TaskState.WAITING:
            self._advance(task)
        else:
            self.placement.review(task, self._now)

    def _tell(self, news: News) -> None:
        """Move the counters of a task that waited for one that has finished."""
        task, outcome, follows, first = news
        if task.state >= TaskState.SUCCEEDED:
            return
        if follows:
            count_follow(task, outcome)
        else:
            count_after(task, outcome)
        if task.state is TaskState.WAITING:
            if not follows and task.after_status is Status.PENDING:
                return  # one of several, which decides nothing else
            self._first = first
            self._advance(task)
            self._first = ""
        elif follows and task.group is not None:
            # one id of several sufficed, and now it may run in one more place
            self._requeue(task)

    # -- small things ------------------------------------------------------------------

    def _start_timeout(self, task: Task, expires: float | None = None) -> None:
        if task.timeout:
            task.expires = self._now + task.timeout if expires is None else expires
            task.timer = self.deadlines.add(task.expires, Kind.TIMEOUT, task)

    def _stop_timers(self, task: Task) -> None:
        if task.timer is not None:
            self.deadlines.cancel(task.timer)
            task.timer = None
        self.placement.unpark(task)

    def warn(self, text: str) -> None:
        self._actions.append(Warn(text))
