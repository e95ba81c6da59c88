"""Bringing ready tasks and engines with room together, in the order of submission.

Where there is no work left, no task is ready while an engine that may take it has room.  So
only what became ready, and the engines that gained room, have to be looked at.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from ..actions import Reason
from ..deadlines import Kind
from ..dependency import PENDING, UNREACHABLE
from ..engines.pool import Engine
from ..engines.schemes import SchemeError
from ..explain import Explain
from ..lifecycle import Lifecycle
from ..ready.queue import Group
from ..task import READY, Task
from .prospects import Prospects

RETRY_PAUSE = 0.25
"""Seconds before engines that have all failed a task may try it again."""


class Placement:
    """The choice of an engine for each ready task, and what becomes of those without one.

    Parameters
    ----------
    lifecycle : Lifecycle
    prospects : Prospects
    explain : Explain
    stranded_timeout : float or None
        Seconds that a task waits when no registered engine may take it; None for ever.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        prospects: Prospects,
        explain: Explain,
        stranded_timeout: float | None,
    ) -> None:
        self._lifecycle = lifecycle
        self._pool = lifecycle.pool
        self._queue = lifecycle.queue
        self._deadlines = lifecycle.deadlines
        self._prospects = prospects
        self._explain = explain
        self._stranded_timeout = stranded_timeout

    @property
    def waits_for_ever(self) -> bool:
        """Whether a task that no engine may take waits without a deadline."""
        return self._stranded_timeout is None

    def match(self, budget: int) -> int:
        """Place tasks that became ready, and queued ones on engines that gained room.

        Costs what `ReadyQueue.first` and the scheme's index cost, for each task assigned
        and each that is the first of its group; where engines gained room while tasks are
        queued, O(those engines) for each that is.

        Parameters
        ----------
        budget : int
            How many queued tasks may be assigned.

        Returns
        -------
        int
            What is left of it; engines for which it did not suffice are still `roomy`.
        """
        life, queue = self._lifecycle, self._queue
        ready, roomy = life.unplaced, list(self._pool.roomy)
        self._pool.roomy.clear()
        if len(ready) > 1:
            ready.sort(reverse=True)
        while ready:
            task = life.in_hand = ready[-1]
            if task.state is not READY:
                ready.pop()
                continue  # it failed on the way
            places, excluded = self._prospects.places(task), task.excluded
            chosen = None
            # where others wait for the same engines, only the roomy have room: their turn comes
            if not queue.holds(places, excluded):
                if roomy and queue:
                    able = [
                        engine
                        for engine in roomy
                        if (places is None or engine.ident in places)
                        and engine.ident not in excluded
                    ]
                    budget = self._fill(able, budget, task.seq)
                    if budget <= 0:
                        # engines that still owe their room to earlier tasks
                        excluded |= {e.ident for e in able if self._offer(e, task.seq) is not None}
                    roomy = [engine for engine in roomy if self._pool.has_room(engine)]
                    life.in_hand = task
                chosen = self._choose(places, excluded)
            ready.pop()
            if chosen is not None:
                life.assign(task, chosen)
                continue
            group = queue.add(task, places, task.excluded)
            if not queue.has_engine(group):
                self._park(task, group)
        if roomy and queue:
            budget = self._fill(roomy, budget)
            if budget <= 0:
                left = [engine for engine in roomy if self._offer(engine) is not None]
                # or else those in front would gain by every slice
                left.sort(key=lambda engine: len(engine.assigned))
                self._pool.roomy.update(dict.fromkeys(left))
        return budget

    def engine_registered(self, engine: Engine) -> list[Task]:
        """Tasks to review because engines have come; O(groups), and O(tasks parked for one)."""
        self._queue.engine_registered(engine)
        first = len(self._pool.engines) == 1
        tasks: list[Task] = []
        for group in self._queue.groups():
            if group.admits(engine.ident):
                self._unpark(group)
            elif first or (group.parked and engine.ident in group.excluded):
                for task in group:
                    again = engine.ident in task.failed_on - task.refused_by
                    if again:  # once more, as on any that failed it
                        self._lifecycle.unpark(task)
                    if again or first:  # while there was no engine at all they just waited
                        tasks.append(task)
        return sorted(tasks)

    def engine_died(self, engine: Engine) -> list[Task]:
        """Tasks to review because `engine` has died; O(groups), O(n log n) in those tasks."""
        return sorted(task for group in self._queue.engine_died(engine) for task in group)

    def review(self, task: Task) -> None:
        """Look again at a task that no engine could take; one that can may have come since."""
        if task.group is not None and not self._queue.has_engine(task.group):
            self._park(task, task.group)

    def give_up(self, task: Task) -> None:
        """A task has waited long enough for an engine that could take it."""
        if self._pool.engines:
            assert self._stranded_timeout is not None
            text = self._explain.gave_up(task, self._stranded_timeout)
            self._lifecycle.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, text)

    def watch(self, task: Task) -> None:
        """Look again at a task when an engine comes or dies that decides what becomes of it."""
        self._lifecycle.graph.watch(task, self._prospects.decisive_engines(task))

    def _choose(self, places: frozenset[bytes] | None, excluded: frozenset[bytes]) -> Engine | None:
        """The engine for a ready task, if one that may take it has room."""
        try:
            return self._pool.choose(places, excluded)
        except SchemeError as error:
            self._lifecycle.warn(f"{error}; 'leastload' chose instead")
            return self._pool.least_loaded(places, excluded)

    def _offer(self, engine: Engine, before: float = math.inf) -> Task | None:
        """The next task for an engine if it has room, of those submitted before another."""
        if not self._pool.has_room(engine):
            return None
        task = self._queue.first(engine)
        return task if task is not None and task.seq < before else None

    def _fill(self, engines: Iterable[Engine], budget: int, before: float = math.inf) -> int:
        """Give engines, in turn, the tasks that they have room for; the budget that is left."""
        line = deque(engines)
        while budget > 0 and line:
            engine = line.popleft()
            task = self._lifecycle.in_hand = self._offer(engine, before)
            if task is not None:
                self._queue.remove(task)
                self._lifecycle.assign(task, engine)
                budget -= 1
                if self._pool.has_room(engine):
                    line.append(engine)
        return budget

    def _park(self, task: Task, group: Group) -> None:
        """Decide what becomes of a queued task that no registered engine may take now."""
        now = self._lifecycle.now
        follow = self._prospects.follow(task)
        if follow is UNREACHABLE:
            text = self._explain.follow(task)
            self._lifecycle.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, text)
        elif self._prospects.hopeless(task):
            text = self._explain.targets(task)
            self._lifecycle.fail(task, Reason.IMPOSSIBLE_DEPENDENCY, text)
        elif follow is PENDING:
            self.watch(task)  # what else it follows has still to run
        elif not self._pool.engines or task.parking is not None:
            return  # with no engine at all tasks wait: the cluster may be starting
        elif self._pool.has_any(self._prospects.places(task), task.refused_by):
            group.parked = True
            task.parking = self._deadlines.add(now + RETRY_PAUSE, Kind.RETRY, task)
        else:
            if not group.parked:
                group.parked = True
                self._lifecycle.warn(self._explain.stranded(task))
            if self._stranded_timeout is not None:
                when = now + self._stranded_timeout
                task.parking = self._deadlines.add(when, Kind.STRANDED, task)

    def _unpark(self, group: Group) -> None:
        """An engine has come that may take the tasks of `group`; O(n) where they were parked."""
        if group.parked:
            group.parked = False
            for task in group:
                self._lifecycle.unpark(task)
