"""Who waits for whom.

A task does not hold what it still waits for: it counts how many of its ids have finished
(`Task.after_accepted` and its like), and the graph says whose counters a finished task
moves.  So an id that finishes costs O(1) for each task that named it, however many ids
that task waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TypeAlias

from .history import History, Outcome
from .task import SUCCEEDED, Task

SWEEP = 64
"""From how many dependents on a list is swept, each time that its length is a power of two."""


def count_after(task: Task, outcome: Outcome) -> bool:
    """An id that `task` comes after has finished; whether that decides how `after` stands."""
    after = task.after
    if after.success if outcome.succeeded else after.failure:  # as `accepts`, once for each id
        task.after_accepted += 1
        return task.after_accepted >= after.needed
    task.after_refused += 1
    return task.after_refused > after.spare


def count_follow(task: Task, outcome: Outcome) -> bool:
    """An id that `task` follows has finished; whether that may decide how `follow` stands.

    One that ran nowhere cannot be followed.
    """
    if outcome.engines and task.follow.accepts(outcome.succeeded):
        task.follow_accepted += 1
        if not task.follow_engines:
            task.follow_engines = outcome.engines
        elif not outcome.engines <= task.follow_engines:
            task.follow_engines |= outcome.engines
    else:
        task.follow_refused += 1
    return True


News: TypeAlias = tuple[list[Task], Outcome, Callable[[Task, Outcome], bool]]
"""News of a finished task for those that named it: these tasks, the first to be told at the end;
its outcome; and what counts it, by what they named it for."""


class DependencyGraph:
    """The unfinished tasks' dependents, and the engines that waiting tasks watch."""

    def __init__(self) -> None:
        self._after: dict[str, list[Task]] = {}
        self._follow: dict[str, list[Task]] = {}
        self._watchers: dict[bytes, dict[Task, None]] = {}

    def __len__(self) -> int:
        """How many unfinished tasks have dependents."""
        return len(self._after.keys() | self._follow.keys())

    def enter(
        self, task: Task, unfinished: Container[str], history: History
    ) -> tuple[str, str] | None:
        """Take in a new task: count what has finished, wait for the rest; O(its ids).

        Returns
        -------
        tuple of str, or None
            (field, msg_id) of the first unknown or self-referring id, the field being ``'after'``
            or ``'follow'``; None if all are valid.
        """
        for kind, ids, count, dependents in (
            ("after", task.after.ids, count_after, self._after),
            ("follow", task.follow.ids, count_follow, self._follow),
        ):
            if task.msg_id in ids:
                return kind, task.msg_id
            for dep_id in ids:
                if dep_id not in unfinished:
                    outcome = history.get(dep_id)
                    if outcome is None:
                        return kind, dep_id
                    count(task, outcome)
                    continue
                waiting = dependents.get(dep_id)
                if waiting is None:
                    dependents[dep_id] = [task]
                    continue
                waiting.append(task)
                if len(waiting) >= SWEEP and len(waiting).bit_count() == 1:
                    # Drop those that have finished: a task that never ends must not collect them.
                    waiting[:] = [other for other in waiting if other.state < SUCCEEDED]
        return None

    def pop(self, msg_id: str) -> tuple[list[Task] | None, list[Task] | None]:
        """Take out a finished task: those that come after it, and those that follow it.

        Some may have finished in the meantime: a task that stops waiting stays in the lists
        of what it waited for, since to look for it there would cost O(dependents).
        """
        return self._after.pop(msg_id, None), self._follow.pop(msg_id, None)

    def watch(self, task: Task, engines: tuple[bytes, ...]) -> None:
        """Have `watchers` name the waiting `task` when one of `engines` comes or dies."""
        if task.watched == engines:
            return
        self.unwatch(task)
        for ident in engines:
            self._watchers.setdefault(ident, {})[task] = None
        task.watched = engines

    def unwatch(self, task: Task) -> None:
        """Have `watchers` name the task no more."""
        for ident in task.watched:
            watchers = self._watchers[ident]
            del watchers[task]
            if not watchers:
                del self._watchers[ident]
        task.watched = ()

    def watchers(self, ident: bytes) -> list[Task]:
        """Waiting tasks that watch this engine, in the order of submission; O(n log n) in them."""
        return sorted(self._watchers.get(ident, ()))
