"""Finds the reason for what becomes of a task."""

from __future__ import annotations

from collections.abc import Iterable

from .dependency import Dependency
from .failures import Few, engine_name, few, kept
from .placement.prospects import Prospects
from .reasons import (
    Awaited,
    CannotFollow,
    Ended,
    NoTargetLeft,
    Obstacle,
    OutOfReach,
    Stranded,
    TimedOut,
    UnreachableDependency,
    ValueNotSent,
)
from .state import State
from .task import WAITING, Task


class Explain:
    """Reasons, derived from the state; nothing here changes what becomes of tasks.

    Parameters
    ----------
    state : State
        What is known.
    """

    def __init__(self, state: State) -> None:
        self._pool = state.pool
        self._history = state.history
        self._causes = state.causes
        self._values = state.values
        self._stranded = state.stranded

    def after(self, task: Task) -> UnreachableDependency:
        """Why a task can no longer run after what it names; O(ids)."""
        return self._unreachable("after", task.after)

    def follow(self, task: Task) -> CannotFollow | UnreachableDependency:
        """Why a task can no longer follow what it names; O(ids and their engines)."""
        places = task.follow_engines
        gone = [ident for ident in places if ident not in self._pool.engines]
        if gone:
            return CannotFollow(Obstacle.GONE, _names(gone))
        outside = places - (task.targets or places)
        if outside:
            return CannotFollow(Obstacle.OFF_TARGETS, _names(outside))
        if task.follow.all and len(places) > 1:
            return CannotFollow(Obstacle.APART, _names(places))
        return self._unreachable("follow", task.follow)

    def arguments(self, task: Task) -> UnreachableDependency | ValueNotSent | None:
        """Why a task will not get its arguments; None if it may; O(its arguments)."""
        needs = task.needs
        assert needs is not None
        if needs.failed:
            return self._unreachable("arguments", Dependency(task.rich.arguments))
        return self._values.problem(task) if needs.asks else None

    @staticmethod
    def no_target_left(task: Task) -> NoTargetLeft:
        """Why none of a task's targets can run it."""
        assert task.targets is not None
        return NoTargetLeft(_names(task.targets))

    def timed_out(self, task: Task) -> TimedOut:
        """What a task waited for until its timeout ended; O(ids)."""
        assert task.timeout is not None
        if task.state is not WAITING:
            return TimedOut(task.timeout, self._awaited_engine(task))
        dependencies = task.after, task.follow, Dependency(task.rich.arguments)
        unfinished = [self._unfinished(dependency) for dependency in dependencies]
        awaited = Awaited.TURN
        if any(few.names for few in unfinished):
            awaited = Awaited.DEPENDENCIES
        elif task.needs is not None and task.needs.asks:
            awaited = Awaited.VALUES
        return TimedOut(task.timeout, awaited, *unfinished)

    def _awaited_engine(self, task: Task) -> Awaited:
        """What kind of engine a ready task waits for; O(engines)."""
        if not any(self._pool.among(Prospects.places(task))):
            return Awaited.ABSENT_ENGINE
        if task.msg_id in self._stranded:
            return Awaited.WILLING_ENGINE
        if task.busy:
            return Awaited.FREE_ENGINE
        return Awaited.FRESH_ENGINE if task.failed_on else Awaited.ENGINE

    def stranded(self, task: Task, seconds: float | None) -> Stranded:
        """Why no registered engine runs a task, which has waited this long; O(engines)."""
        places, engines = Prospects.places(task), self._pool.engines
        absent = [ident for ident in places or () if ident not in engines]
        refused = [engine.ident for engine in task.refused_by if self._pool.has(engine)]
        error = task.refusal if refused else None
        return Stranded(seconds, _names(absent), _names(refused), error)

    def out_of_reach(self, task: Task, seconds: float) -> OutOfReach:
        """That the engines which may run a task were not reached for this long; O(engines)."""
        able = self._pool.among(Prospects.places(task))
        return OutOfReach(seconds, _names(engine.ident for engine in able))

    def _unfinished(self, dependency: Dependency) -> Few:
        return few(msg_id for msg_id in dependency.ids if msg_id not in self._history)

    def _unreachable(self, field: str, dependency: Dependency) -> UnreachableDependency:
        outcomes = [(msg_id, self._history.get(msg_id)) for msg_id in dependency.ids]
        ended = [
            Ended(
                msg_id,
                outcome.succeeded,
                dependency.accepts(outcome.succeeded),
                self._causes.label_of(msg_id),
            )
            for msg_id, outcome in outcomes
            if outcome is not None
            and (not outcome.engines or not dependency.accepts(outcome.succeeded))
        ]
        ended.sort(key=lambda end: self._causes.place_of(end.msg_id))
        cause = self._causes.first_of(end.msg_id for end in ended)
        most = kept(len(ended))
        return UnreachableDependency(field, tuple(ended[:most]), len(ended) - most, cause)


def _names(idents: Iterable[bytes]) -> Few:
    """A few of many engines, by name."""
    return few(map(engine_name, idents))
