"""Who waits for whom.

A task does not hold what it still waits for: it counts how many of its ids have finished
(`Task.after_accepted` and its like), and the graph says whose counters a finished task
moves.  So an id that finishes costs O(1) for each task that named it, however many ids
that task waits for.
"""

from __future__ import annotations

from collections.abc import Sequence

from .task import Task


class DependencyGraph:
    """The unfinished tasks' dependents, and the engines that waiting tasks watch."""

    def __init__(self) -> None:
        self._after: dict[str, list[Task]] = {}
        self._follow: dict[str, list[Task]] = {}
        self._watchers: dict[bytes, dict[Task, None]] = {}

    def __len__(self) -> int:
        """How many unfinished tasks have dependents."""
        return len(self._after.keys() | self._follow.keys())

    def add_after(self, msg_id: str, task: Task) -> None:
        self._after.setdefault(msg_id, []).append(task)

    def add_follow(self, msg_id: str, task: Task) -> None:
        self._follow.setdefault(msg_id, []).append(task)

    def pop(self, msg_id: str) -> tuple[Sequence[Task], Sequence[Task]]:
        """Take out the tasks that named a finished one in `after`, and in `follow`.

        Some may have finished in the meantime: a task that stops waiting stays in the lists
        of what it waited for, since to look for it there would cost O(dependents).
        """
        return self._after.pop(msg_id, ()), self._follow.pop(msg_id, ())

    def watch(self, task: Task, engines: tuple[bytes, ...]) -> None:
        """Have `engine_died` name the waiting `task` when one of `engines` dies."""
        if task.watched == engines:
            return
        self.unwatch(task)
        for ident in engines:
            self._watchers.setdefault(ident, {})[task] = None
        task.watched = engines

    def unwatch(self, task: Task) -> None:
        for ident in task.watched:
            watchers = self._watchers[ident]
            del watchers[task]
            if not watchers:
                del self._watchers[ident]
        task.watched = ()

    def engine_died(self, ident: bytes) -> list[Task]:
        """Waiting tasks that watch this engine, in the order of submission; O(n log n) in them."""
        return sorted(self._watchers.get(ident, ()))
