"""What becomes of queued tasks that no registered engine may take."""

from __future__ import annotations

from ..deadlines import Kind
from ..dependency import PENDING, UNREACHABLE
from ..engines.engine import Engine
from ..explain import Explain
from ..lifecycle import Lifecycle
from ..ready.groups import Group
from ..reasons import TaskNotice
from ..state import State
from ..step import Step
from ..task import Task
from .prospects import Prospects

RETRY_PAUSE = 0.25
"""Seconds before engines that have all failed a task may try it again."""


class Strandings:
    """Parks such tasks with a deadline, and takes them up again when an engine comes.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.
    prospects : Prospects
        What may become of tasks.
    explain : Explain
        Why they fail.
    """

    def __init__(
        self, state: State, lifecycle: Lifecycle, prospects: Prospects, explain: Explain
    ) -> None:
        self._pool = state.pool
        self._queue = state.queue
        self._graph = state.graph
        self._deadlines = state.deadlines
        self._timeout = state.settings.stranded_timeout
        self._lifecycle = lifecycle
        self._prospects = prospects
        self._explain = explain

    def park(self, step: Step, task: Task, group: Group) -> None:
        """Decide what becomes of a queued task that no registered engine may take now."""
        follow = self._prospects.follow(task)
        if follow is UNREACHABLE:
            self._lifecycle.fail(step, task, self._explain.follow(task))
        elif self._prospects.is_hopeless(task):
            self._lifecycle.fail(step, task, self._explain.no_target_left(task))
        elif follow is PENDING:
            # It follows any of several, and others of them have still to run.
            self._graph.watch(task, self._prospects.decisive_engines(task))
        elif not self._pool.engines or task.parking is not None:
            return  # While there is no engine at all tasks wait: the cluster may be starting.
        elif self._pool.has_any(self._prospects.places(task), task.refused_by):
            group.parked = True
            task.parking = self._deadlines.add(step.now + RETRY_PAUSE, Kind.RETRY, task)
        else:
            if not group.parked:
                group.parked = True
                reason = self._explain.stranded(task, None)
                self._lifecycle.warn(step, TaskNotice(task.msg_id, reason))
            if self._timeout is not None:
                when = step.now + self._timeout
                task.parking = self._deadlines.add(when, Kind.STRANDED, task)

    def give_up(self, step: Step, task: Task) -> None:
        """A task has waited long enough for an engine that could take it."""
        if self._pool.engines:
            self._lifecycle.fail(step, task, self._explain.stranded(task, self._timeout))

    def review(self, step: Step, task: Task) -> None:
        """Look again at a task that no engine could take; one that can may have come since."""
        if task.group is not None:
            group = self._queue.group_of(task)
            if not self._queue.has_engine(group):
                self.park(step, task, group)

    def engine_registered(self, engine: Engine) -> list[Task]:
        """Tasks to review because `engine` has come; O(groups), and O(tasks parked for one)."""
        self._queue.engine_registered(engine)
        first = len(self._pool.engines) == 1
        tasks: list[Task] = []
        for group in self._queue.groups():
            if group.admits(engine):
                self._unpark(group)
            elif first:  # while there was no engine at all they just waited
                tasks += group
        return sorted(tasks)

    def engine_died(self, engine: Engine) -> list[Task]:
        """Tasks to review because `engine` has died; O(groups), O(n log n) in those tasks."""
        return sorted(task for group in self._queue.engine_died(engine) for task in group)

    def _unpark(self, group: Group) -> None:
        """An engine has come that may take the tasks of `group`; O(n) where they were parked."""
        if group.parked:
            group.parked = False
            for task in group:
                self._lifecycle.unpark(task)
