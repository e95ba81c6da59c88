"""The texts of errors and warnings: which task, which dependency or engine, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .dependency import Dependency
from .engines.pool import EnginePool
from .history import History
from .task import WAITING, Task

SHOWN = 3
"""How many of a list of names a text shows."""


def name(engine: bytes) -> str:
    """An engine's identity as people see it."""
    return engine.decode("utf-8", "backslashreplace")


def several(names: Collection[str]) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(sorted(names)[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


class Explain:
    """Texts about tasks, derived from what is known of their dependencies and engines."""

    def __init__(self, pool: EnginePool, history: History) -> None:
        self._pool = pool
        self._history = history

    def invalid(self, task: Task, kind: str, dep_id: str) -> str:
        what = "is the task itself" if dep_id == task.msg_id else "is no task of this scheduler"
        return f"task {task.msg_id}: {kind!r} names {dep_id}, which {what}"

    def after(self, task: Task, first: str = "") -> str:
        """Where the failure is one of a chain, `first` is the task that failed first."""
        return f"task {task.msg_id} cannot run after {self._blame(task.after, first)}"

    def follow(self, task: Task, first: str = "") -> str:
        text = f"task {task.msg_id} cannot follow "
        dead = [ident for ident in task.follow_engines if ident not in self._pool.engines]
        if dead:
            return text + f"to engine {several([name(i) for i in dead])}, which has died"
        outside = task.follow_engines - (task.targets or task.follow_engines)
        if outside:
            return text + f"to engine {several([name(i) for i in outside])}: not in its targets"
        if task.follow_engines & task.refused_by:
            return (
                text + f"to engine {several([name(i) for i in task.follow_engines])}, where {UNMET}"
            )
        if task.follow.all and len(task.follow_engines) > 1:
            ran = several([name(ident) for ident in task.follow_engines])
            return text + f"tasks that ran on different engines: {ran}"
        return text + self._blame(task.follow, first)

    def targets(self, task: Task) -> str:
        assert task.targets is not None
        gone = {name(ident) for ident in task.targets - task.refused_by}
        refused = {name(ident) for ident in task.targets & task.refused_by}
        whys = [f"{several(gone)} died"] * bool(gone)
        whys += [f"on {several(refused)} {UNMET}"] * bool(refused)
        return f"task {task.msg_id}: none of its target engines can run it: {'; '.join(whys)}"

    def timeout(self, task: Task) -> str:
        if task.state is WAITING:
            pending = [
                f"{kind} {several(waiting)}"
                for kind, dependency in (("after", task.after), ("follow", task.follow))
                if (waiting := [i for i in dependency.ids if i not in self._history])
            ]
            what = f"its dependencies: {'; '.join(pending)}" if pending else "its turn"
        elif task.failed_on:
            what = "an engine that had not failed it"
        else:
            what = "an engine with room that may run it"
        return f"task {task.msg_id} waited {task.timeout:g} s for {what}"

    def internal_error(self, task: Task) -> str:
        return f"task {task.msg_id} was struck by an error in the scheduler itself; see its log"

    def engine_died(self, task: Task) -> str:
        assert task.engine is not None
        # the words of the stock scheduler, which people search for
        return f"Engine {name(task.engine.ident)!r} died while running task {task.msg_id!r}"

    def no_status(self, task: Task) -> str:
        assert task.engine is not None
        return f"task {task.msg_id}: the reply of engine {name(task.engine.ident)} has no status"

    def stranded(self, task: Task) -> str:
        return f"task {task.msg_id} and others like it wait: {self._nobody(task)}"

    def gave_up(self, task: Task, waited: float) -> str:
        return f"task {task.msg_id}: {self._nobody(task)}, and none that could came in {waited:g} s"

    def _nobody(self, task: Task) -> str:
        engines = self._pool.engines
        if task.targets is not None and not any(ident in engines for ident in task.targets):
            return f"no engine {several([name(i) for i in task.targets])} is registered"
        return f"on every engine that may run it ({self._count(task.refused_by)}) {UNMET}"

    def _count(self, idents: Iterable[bytes]) -> str:
        return several([name(ident) for ident in idents if ident in self._pool.engines])

    def _blame(self, dependency: Dependency, first: str) -> str:
        outcomes = {msg_id: self._history.get(msg_id) for msg_id in dependency.ids}
        ended = [
            f"{msg_id}, which {'succeeded' if outcome.succeeded else 'failed'}"
            + " and ran nowhere" * dependency.accepts(outcome.succeeded)
            for msg_id, outcome in outcomes.items()
            if outcome is not None
            and (not outcome.engines or not dependency.accepts(outcome.succeeded))
        ]
        began = f"; the first to fail was {first}" * (first not in ("", *dependency.ids))
        return several(ended) + began


UNMET = "its functional dependency is unmet"
