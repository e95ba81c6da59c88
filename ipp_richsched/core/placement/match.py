"""Bringing ready tasks and engines with room together, in the order of their ranks.

Where there is no backlog, no task is ready while an engine that may take it has room.  So only
what became ready, and the engines that gained room, have to be looked at.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from operator import attrgetter

from ..engines.engine import Engine
from ..engines.schemes import SchemeError
from ..lifecycle import Lifecycle
from ..notices import SchemeFailed
from ..state import State
from ..step import Step
from ..task import READY, Task
from .prospects import Prospects
from .stranded import Strandings

_rank = attrgetter("rank")


def _admits(engine: Engine, places: frozenset[bytes] | None, excluded: frozenset[Engine]) -> bool:
    return engine not in excluded and (places is None or engine.ident in places)


class Placement:
    """The choice of an engine for each ready task.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.
    prospects : Prospects
        Where tasks may run.
    strandings : Strandings
        What looks after tasks that nobody may take.
    """

    def __init__(
        self, state: State, lifecycle: Lifecycle, prospects: Prospects, strandings: Strandings
    ) -> None:
        self._pool = state.pool
        self._queue = state.queue
        self._takes_turns = state.shares is not None
        self._backlog = state.backlog
        self._lifecycle = lifecycle
        self._prospects = prospects
        self._strandings = strandings

    def match(self, step: Step) -> None:
        """Place tasks that became ready, and queued ones on engines that gained room.

        Costs what `ReadyQueue.first` and the scheme's index cost, for each task assigned and
        each that is the first of its group.  Where engines gained room while tasks are queued,
        it costs O(those engines) for each task that became ready.

        Engines for which the budget of the step did not suffice are still `roomy`.
        """
        ready, roomy = self._backlog.unplaced, list(self._pool.roomy)
        self._pool.roomy.clear()
        if len(ready) > 1:
            ready.sort(key=_rank, reverse=True)
        if self._takes_turns and roomy and ready and (len(ready) > 1 or self._queue):
            ready[:] = self._take_turns(step, ready, roomy)
        while ready:
            task = ready[-1]
            if task.state is not READY:
                ready.pop()  # it has failed since
                continue
            with step.on(task):
                places, excluded = self._prospects.places(task), task.excluded
                # If others of its group wait, then no engine has room for it but those that just
                # gained it, and these are offered the queue below.
                joins_others = self._queue.holds(places, excluded)
            if roomy and self._queue and not joins_others:  # where clients take turns, none is able
                able = [engine for engine in roomy if _admits(engine, places, excluded)]
                self._fill(step, able, task.rank)
                if step.places_left <= 0:
                    # The budget is spent: these engines keep their room for earlier tasks.
                    excluded |= {e for e in able if self._offer(step, e, task.rank) is not None}
                roomy = [engine for engine in roomy if self._pool.has_room(engine)]
            with step.on(task):
                engine = None if joins_others else self._choose(step, places, excluded)
                ready.pop()
                if engine is not None:
                    self._lifecycle.assign(step, task, engine)
                    continue
                group = self._queue.add(task, places, task.excluded, step.now)
                self._strandings.queued(step, task, group)
            if self._backlog.news and step.work_left > 0:
                # The task has failed, and tasks that waited for that may come before the next ones.
                self._pool.roomy.update(dict.fromkeys(roomy))
                return
        if roomy and self._queue:
            self._fill(step, roomy)
            if step.places_left <= 0:
                left = [engine for engine in roomy if self._offer(step, engine) is not None]
                # The least loaded first, or those in front would gain in every slice.
                left.sort(key=lambda engine: len(engine.attempts))
                self._pool.roomy.update(dict.fromkeys(left))

    def _take_turns(self, step: Step, ready: list[Task], roomy: list[Engine]) -> list[Task]:
        """Have tasks compete for the engines that gained room; those that are left, and not queued.

        While clients take turns, each assignment may change which task is next.
        """
        tasks = []
        while ready:
            task = ready.pop()
            if task.state is not READY:
                continue
            with step.on(task):
                places, excluded = self._prospects.places(task), task.excluded
                competes = any(_admits(engine, places, excluded) for engine in roomy)
                if competes:
                    group = self._queue.add(task, places, excluded, step.now)
                    self._strandings.queued(step, task, group)
                tasks.append((task, places, excluded, competes))
        self._fill(step, roomy)
        left = frozenset(engine for engine in roomy if self._offer(step, engine) is not None)
        others = []
        # For the other engines all of them compete, or a lower priority might take one first.
        for task, places, excluded, competed in tasks:
            if task.state is READY:
                with step.on(task):
                    engine = self._choose(step, places, excluded | left)
                    if engine is None:
                        others += [] if competed else [task]
                        continue
                    if competed:
                        self._queue.remove(task)
                    self._lifecycle.assign(step, task, engine)
        others.reverse()
        return others

    def _choose(
        self, step: Step, places: frozenset[bytes] | None, excluded: frozenset[Engine]
    ) -> Engine | None:
        """The engine for a ready task, if one that may take it has room."""
        try:
            return self._pool.choose(places, excluded)
        except SchemeError as error:
            self._lifecycle.warn(step, SchemeFailed(str(error)))
            return self._pool.least_loaded(places, excluded)

    def _offer(self, step: Step, engine: Engine, before: float = math.inf) -> Task | None:
        """The next task for an engine if it has room, of those with a rank below another."""
        if not self._pool.has_room(engine):
            return None
        task = self._queue.first(engine, step.now)
        return task if task is not None and task.rank < before else None

    def _fill(self, step: Step, engines: Iterable[Engine], before: float = math.inf) -> None:
        """Give engines, in turn, the tasks that they have room for, as far as the budget goes."""
        line = deque(engines)
        while step.places_left > 0 and line:
            engine = line.popleft()
            task = self._offer(step, engine, before)
            if task is not None:
                with step.on(task):
                    self._queue.remove(task)
                    self._lifecycle.assign(step, task, engine)
                step.places_left -= 1
                if self._pool.has_room(engine):
                    line.append(engine)
