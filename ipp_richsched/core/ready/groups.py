"""Ready tasks that the same engines may take."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping

from ..engines.engine import Engine
from ..task import Task
from .order import Rank


class Group:
    """Ready tasks with the same targets and the same excluded engines, by rank.

    Nearly all come in the order of their ranks and go to the end of a list.  Those that come
    late (retried, or released by a dependency) go to a heap.  Both hold tasks with the rank that
    they had when they came.  An entry is void when its task has left or has another rank; it
    stays until it surfaces or until void entries are the most.  `add` costs O(1), or O(log n)
    for late ones; `first` O(1) amortized, or O(log n) for late ones.

    Attributes
    ----------
    targets : frozenset of bytes, or None
        The identities of the engines that may take its tasks; None for any.
    excluded : frozenset of Engine
        Engines that may not.
    number : int
        What names it in the lines of the `ReadyQueue`.
    engines : int
        How many registered engines may take its tasks, if it has targets.
    size : int
        How many tasks it holds.
    parked : bool
        Whether deadlines run for its tasks, since no engine may take them.
    """

    __slots__ = ("_fifo", "_late", "engines", "excluded", "number", "parked", "size", "targets")

    def __init__(
        self, targets: frozenset[bytes] | None, excluded: frozenset[Engine], number: int
    ) -> None:
        self.targets = targets
        self.excluded = excluded
        self.number = number
        self.engines = 0
        self.size = 0
        self.parked = False
        self._fifo: deque[tuple[Rank, Task]] = deque()
        self._late: list[tuple[Rank, Task]] = []

    def admits(self, engine: Engine) -> bool:
        """Whether its tasks may run on this engine."""
        targets = self.targets
        return engine not in self.excluded and (targets is None or engine.ident in targets)

    def has_engine(self, engines: Mapping[bytes, Engine]) -> bool:
        """Whether any of the registered engines may take its tasks; O(excluded)."""
        if self.targets is not None:
            return self.engines > 0
        if not self.excluded:
            return bool(engines)
        alive = sum(engines.get(engine.ident) is engine for engine in self.excluded)
        return len(engines) > alive

    def add(self, task: Task) -> None:
        """Take in a task."""
        rank = task.rank
        if not self._fifo or rank > self._fifo[-1][0]:
            self._fifo.append((rank, task))
        else:
            heapq.heappush(self._late, (rank, task))
        task.group = self
        self.size += 1

    def remove(self, task: Task) -> None:
        """Give up a task."""
        task.group = None
        self.size -= 1
        if len(self._fifo) + len(self._late) > 64 + 2 * self.size:
            # once each: a task that came back with a rank that it had before has two entries
            counting = dict.fromkeys(filter(self._counts, [*self._fifo, *self._late]))
            self._fifo.clear()
            self._late = [*counting]
            heapq.heapify(self._late)

    def first(self) -> Task | None:
        """The task with the lowest rank."""
        fifo, late = self._fifo, self._late
        while fifo and (fifo[0][1].group is not self or fifo[0][1].rank != fifo[0][0]):
            fifo.popleft()
        while late and not self._counts(late[0]):
            heapq.heappop(late)
        if late and (not fifo or late[0][0] < fifo[0][0]):
            return late[0][1]
        return fifo[0][1] if fifo else None

    def __iter__(self) -> Iterator[Task]:
        """Its tasks, in no order."""
        entries = dict.fromkeys([*self._fifo, *self._late])
        return (entry[1] for entry in entries if self._counts(entry))

    def _counts(self, entry: tuple[Rank, Task]) -> bool:
        rank, task = entry
        return task.group is self and task.rank == rank
