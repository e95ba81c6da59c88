"""What becomes of queued tasks that no registered engine may take now.

A task may be kept from an engine because the engine has failed it, or refused it.  Both end:
engines that failed it may try again when all have, or when the task has waited for another one
for long enough; those that refused it are asked again when all have, with growing pauses.
"""

from __future__ import annotations

import math

from ..deadlines import Entry, Kind
from ..dependency import PENDING, UNREACHABLE
from ..engines.engine import NO_ENGINES, Engine
from ..explain import Explain
from ..lifecycle import Lifecycle
from ..notices import TaskStranded
from ..reach import Reach
from ..ready.groups import Group
from ..state import State
from ..step import Step
from ..task import Stranding, Task
from .prospects import Prospects

RETRY_PAUSE = 0.25
"""Seconds before engines that have all failed a task may try it again."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds before engines that have all refused a task are asked again, doubled each time."""


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
    reach : Reach
        Which engines have no connection.
    """

    def __init__(
        self,
        state: State,
        lifecycle: Lifecycle,
        prospects: Prospects,
        explain: Explain,
        reach: Reach,
    ) -> None:
        self._pool = state.pool
        self._queue = state.queue
        self._graph = state.graph
        self._deadlines = state.deadlines
        self._stranded = state.stranded
        timeout = state.settings.stranded_timeout
        self._timeout = math.inf if timeout is None else timeout
        self._lifecycle = lifecycle
        self._prospects = prospects
        self._explain = explain
        self._reach = reach

    def queued(self, step: Step, task: Task, group: Group) -> None:
        """Decide what becomes of a task that has just been queued."""
        if not group.has_engine(self._pool.engines):
            self.park(step, task, group)
        elif task.refused_by and self._waits_for_lost(task):
            group.parked = True
            self._strand(step, task, asks=True)
        elif task.failed_on and task.fresh_until < math.inf:
            when = max(step.now, task.fresh_until)
            task.parking = self._deadlines.add(when, Kind.RETRY, task)

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
        elif self._pool.engines:  # While there is none at all tasks wait: it may be the start.
            if task.parking is not None:
                if task.parking.kind is not Kind.RETRY:
                    return
                self._lifecycle.unpark(task)  # it waited for an engine that has died
            group.parked = True
            places = self._prospects.places(task)
            busy = task.refused_by.union(task.busy or ())
            if self._pool.has_any(places, busy):
                when = max(step.now, min(step.now + RETRY_PAUSE, task.fresh_until))
                task.parking = self._deadlines.add(when, Kind.RETRY, task)
            elif not self._pool.has_any(places, task.refused_by):
                self._strand(step, task, asks=self._pool.has_any(places, NO_ENGINES))

    def _strand(self, step: Step, task: Task, asks: bool) -> None:
        """Have a task wait until engines that refused it are asked again, or one comes."""
        stranding = self._stranded.get(task.msg_id)
        if stranding is None:
            stranding = self._stranded[task.msg_id] = Stranding(step.now, FIRST_PAUSE)
            reason = self._explain.stranded(task, None)
            self._lifecycle.warn(step, TaskStranded(task.msg_id, reason))
        end = stranding.since + self._timeout
        if task.follow_accepted + task.follow_refused < len(task.follow.ids):
            end = math.inf  # it may soon follow others elsewhere
        if stranding.again is None:
            stranding.again = step.now + stranding.pause
            stranding.pause = min(2 * stranding.pause, LONGEST_PAUSE)
        if asks and stranding.again < end:
            # It may be due: a send that failed may have come in between.
            when = max(step.now, stranding.again)
            task.parking = self._deadlines.add(when, Kind.ASK_AGAIN, task)
        elif end < math.inf:
            task.parking = self._deadlines.add(max(end, step.now), Kind.STRANDED, task)

    def unparked(self, step: Step, entry: Entry) -> None:
        """The deadline of a parked task has come."""
        task: Task = entry.subject
        task.parking = None
        if not self._pool.engines:
            self._stranded.end(task.msg_id)  # it begins anew when engines are there
        if entry.kind is Kind.STRANDED:
            if self._pool.engines:
                reason = self._explain.stranded(task, self._timeout)
                self._lifecycle.fail(step, task, reason)
            return
        if entry.kind is Kind.RETRY:
            task.failed_on = NO_ENGINES
        else:
            task.refused_by = NO_ENGINES
            if task.msg_id in self._stranded:
                self._stranded[task.msg_id].again = None
        self._lifecycle.requeue(task)

    def busy_is_over(self, task: Task, engine: Engine) -> None:
        """An engine that was busy may try a task again."""
        assert task.busy is not None
        del task.busy[engine]
        task.busy = task.busy or None
        if task.group is not None:
            self._lifecycle.requeue(task)

    def review(self, step: Step, task: Task) -> None:
        """Look again at a task that no engine could take; one that can may have come since."""
        if task.group is not None:
            group = self._queue.group_of(task)
            if not group.has_engine(self._pool.engines):
                self.park(step, task, group)
            elif self.is_out_of_reach(task):
                self.give_up(step, task)

    def is_out_of_reach(self, task: Task) -> bool:
        """Whether the engines that a task may run on have long had no connection; O(engines).

        A task that may run anywhere waits on: another engine may come.
        """
        places = self._prospects.places(task)
        return places is not None and self._are_out_of_reach(places)

    def _are_out_of_reach(self, places: frozenset[bytes]) -> bool:
        able = list(self._pool.among(places))
        return bool(able) and all(map(self._reach.is_given_up, able))

    def _waits_for_lost(self, task: Task) -> bool:
        """Whether the engines that have not refused a task are out of reach; O(engines)."""
        able = self._pool.among(self._prospects.places(task))
        return all(engine in task.refused_by or self._reach.is_given_up(engine) for engine in able)

    def give_up(self, step: Step, task: Task) -> None:
        """Fail a task whose engines are out of reach."""
        self._lifecycle.fail(step, task, self._explain.out_of_reach(task, self._timeout))

    def engine_lost(self, engine: Engine) -> list[Task]:
        """Tasks that wait in vain because sends do not reach `engine`; O(groups and targets)."""
        if not self._reach.is_given_up(engine):
            return []
        return sorted(
            task
            for group in self._queue.groups()
            if group.targets is not None
            and group.admits(engine)
            and self._are_out_of_reach(group.targets)
            for task in group
        )

    def engine_registered(self, step: Step, engine: Engine) -> list[Task]:
        """Tasks to review because `engine` has come; O(groups), and O(tasks parked for one)."""
        self._queue.engine_registered(engine)
        first = len(self._pool.engines) == 1
        tasks: list[Task] = []
        for group in self._queue.groups():
            if group.admits(engine):
                self._unpark(step, group)
            elif first:  # while there was no engine at all they just waited
                tasks += group
        return sorted(tasks)

    def engine_died(self, engine: Engine) -> list[Task]:
        """Tasks to review because `engine` has died; O(groups), O(n log n) in those tasks."""
        return sorted(task for group in self._queue.engine_died(engine) for task in group)

    def _unpark(self, step: Step, group: Group) -> None:
        """An engine has come that may take the tasks of `group`; O(n) where they were parked."""
        if group.parked:
            group.parked = False
            for task in group:
                self._lifecycle.unpark(task)
                self._stranded.end(task.msg_id)
                self.queued(step, task, group)
