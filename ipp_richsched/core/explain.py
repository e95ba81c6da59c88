"""Finds the reason for what becomes of a task."""

from __future__ import annotations

from collections.abc import Iterable

from .dependency import Dependency
from .engines.engine import Engine
from .reasons import (
    NO_NAMES,
    SHOWN,
    Awaited,
    CannotFollow,
    Ended,
    Few,
    NoTargetLeft,
    Obstacle,
    Stranded,
    TimedOut,
    UnreachableDependency,
    engine_name,
    few,
)
from .state import State
from .task import WAITING, Task


class Explain:
    """Reasons, derived from the state; nothing here changes anything.

    Parameters
    ----------
    state : State
        What is known.
    """

    def __init__(self, state: State) -> None:
        self._pool = state.pool
        self._history = state.history

    def after(self, task: Task, first: str) -> UnreachableDependency:
        """Why a task can no longer run after what it names; O(ids).

        Parameters
        ----------
        task : Task
            The task that fails.
        first : str
            The task with which a chain of failures began; empty if there is no chain.
        """
        return self._unreachable("after", task.after, first)

    def follow(self, task: Task, first: str = "") -> CannotFollow | UnreachableDependency:
        """Why a task can no longer follow what it names; O(ids and their engines)."""
        places = task.follow_engines
        gone = [ident for ident in places if ident not in self._pool.engines]
        if gone:
            return CannotFollow(Obstacle.GONE, _names(gone))
        outside = places - (task.targets or places)
        if outside:
            return CannotFollow(Obstacle.OFF_TARGETS, _names(outside))
        if not task.refused_by.isdisjoint(self._pool.among(places)):
            return CannotFollow(Obstacle.REFUSED, _names(places))
        if task.follow.all and len(places) > 1:
            return CannotFollow(Obstacle.APART, _names(places))
        return self._unreachable("follow", task.follow, first)

    def no_target_left(self, task: Task) -> NoTargetLeft:
        """Why none of a task's targets can run it."""
        assert task.targets is not None
        refused = {engine.ident for engine in task.refused_by} & task.targets
        return NoTargetLeft(_names(task.targets - refused), _names(refused))

    def timed_out(self, task: Task) -> TimedOut:
        """What a task waited for until its timeout ended; O(ids)."""
        assert task.timeout is not None
        if task.state is not WAITING:
            awaited = Awaited.FRESH_ENGINE if task.failed_on else Awaited.ENGINE
            return TimedOut(task.timeout, awaited)
        after, follow = self._unfinished(task.after), self._unfinished(task.follow)
        awaited = Awaited.DEPENDENCIES if after.names or follow.names else Awaited.TURN
        return TimedOut(task.timeout, awaited, after, follow)

    def stranded(self, task: Task, seconds: float | None) -> Stranded:
        """Why no registered engine may run a task, which has waited this long."""
        if task.targets is not None and not any(self._pool.among(task.targets)):
            return Stranded(seconds, _names(task.targets), NO_NAMES)
        refused = _registered(task.refused_by, self._pool.engines.values())
        return Stranded(seconds, NO_NAMES, _names(refused))

    def _unfinished(self, dependency: Dependency) -> Few:
        return few(msg_id for msg_id in dependency.ids if msg_id not in self._history)

    def _unreachable(self, field: str, dependency: Dependency, first: str) -> UnreachableDependency:
        outcomes = [(msg_id, self._history.get(msg_id)) for msg_id in dependency.ids]
        ended = [
            Ended(msg_id, outcome.succeeded, dependency.accepts(outcome.succeeded))
            for msg_id, outcome in outcomes
            if outcome is not None
            and (not outcome.engines or not dependency.accepts(outcome.succeeded))
        ]
        ended.sort()
        return UnreachableDependency(field, tuple(ended[:SHOWN]), len(ended[SHOWN:]), first)


def _names(idents: Iterable[bytes]) -> Few:
    return few(map(engine_name, idents))


def _registered(engines: Iterable[Engine], registered: Iterable[Engine]) -> list[bytes]:
    alive = set(registered)
    return [engine.ident for engine in engines if engine in alive]
