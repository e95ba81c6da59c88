"""Tasks that are ready and have no engine yet.

Tasks that the same engines may take are one `Group`.  An engine that has room is offered the
first task, by rank, of all the groups that it belongs to.  So tasks that have to wait for a
busy engine cost the others nothing.  This is the one place that decides which of the ready
tasks is next.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from itertools import count

from ..engines.engine import NO_ENGINES, Engine
from ..task import Task
from .groups import Group
from .order import Rank


class _Line:
    """The groups with targets that one engine belongs to, by the rank of their first tasks.

    An entry is a rank and the number of a group.  Of each group one entry counts, whose rank is
    not above that of its first task; it may be below, and is put right when it surfaces.  The
    others are void, and go when they surface or when they are the most.

    Attributes
    ----------
    heap : list of tuple
        The entries.
    lowest : dict of int to int
        The rank of the entry that counts, by the number of the group.
    """

    __slots__ = ("heap", "lowest")

    def __init__(self) -> None:
        self.heap: list[tuple[Rank, int]] = []
        self.lowest: dict[int, Rank] = {}

    def put(self, rank: Rank, number: int) -> None:
        """Have an entry count for a group, in the place of the one before; O(log n) amortized."""
        self.lowest[number] = rank
        heapq.heappush(self.heap, (rank, number))
        if len(self.heap) > 64 + 2 * len(self.lowest):
            self.heap = [(rank, number) for number, rank in self.lowest.items()]
            heapq.heapify(self.heap)


class ReadyQueue:
    """The groups of ready tasks.

    Parameters
    ----------
    engines : mapping of bytes to Engine
        The registered engines, by identity.
    """

    def __init__(self, engines: Mapping[bytes, Engine]) -> None:
        self._engines = engines
        self._number = count()
        self._anywhere = Group(None, NO_ENGINES, next(self._number))
        self._elsewhere: dict[frozenset[Engine], Group] = {}  # anywhere but on some engines
        self._targeted: dict[tuple[frozenset[bytes], frozenset[Engine]], Group] = {}
        self._numbered: dict[int, Group] = {}  # those with targets, by their numbers
        self._lines: dict[Engine, _Line] = {}

    def __bool__(self) -> bool:
        return bool(self._anywhere.size or self._elsewhere or self._targeted)

    def __len__(self) -> int:
        return sum(group.size for group in self.groups())

    def groups(self) -> list[Group]:
        """All groups; that of the tasks that may run anywhere is there even if it is empty."""
        return [self._anywhere, *self._elsewhere.values(), *self._targeted.values()]

    def holds(self, targets: frozenset[bytes] | None, excluded: frozenset[Engine]) -> bool:
        """Whether tasks with these are queued."""
        if targets is not None:
            return (targets, excluded) in self._targeted
        return excluded in self._elsewhere if excluded else self._anywhere.size > 0

    def group_of(self, task: Task) -> Group:
        """The group of a queued task."""
        group = task.group
        assert isinstance(group, Group)
        return group

    def add(
        self, task: Task, targets: frozenset[bytes] | None, excluded: frozenset[Engine], now: float
    ) -> Group:
        """Put a ready task into its group; O(targets log groups) if it is the first there."""
        if targets is not None:
            group = self._targeted.get((targets, excluded)) or self._open(targets, excluded)
            first = group.first()
            group.add(task)
            if first is None or task.rank < first.rank:
                self._announce(group, task.rank)
            return group
        if not excluded:
            group = self._anywhere
        elif excluded in self._elsewhere:
            group = self._elsewhere[excluded]
        else:
            group = self._elsewhere[excluded] = Group(None, excluded, next(self._number))
        group.add(task)
        return group

    def remove(self, task: Task) -> None:
        """Take a task out; O(1) amortized, O(targets) for the last of a group."""
        group = self.group_of(task)
        group.remove(task)
        if group.size or group is self._anywhere:
            return
        if group.targets is None:
            del self._elsewhere[group.excluded]
        else:
            self._close(group, group.targets)

    def change_rank(self, task: Task, rank: Rank, now: float) -> None:
        """Give a queued task another rank; costs as much as `add`."""
        group = self.group_of(task)
        group.remove(task)
        task.rank = rank
        group.add(task)
        if group.targets is not None and group.first() is task:
            self._announce(group, rank)

    def first(self, engine: Engine, now: float) -> Task | None:
        """The task with the lowest rank that `engine` may take.

        Costs O(log groups) amortized, and O(groups with excluded engines and no targets).
        """
        task = self._anywhere.first()
        if self._elsewhere:
            for group in self._elsewhere.values():
                if engine not in group.excluded:
                    other = group.first()
                    if other is not None and (task is None or other.rank < task.rank):
                        task = other
        line = self._lines.get(engine)
        if line is not None:
            other = self._first_in(line)
            if other is not None and (task is None or other.rank < task.rank):
                task = other
        return task

    def key(self, task: Task, now: float) -> tuple[float, ...]:
        """What `first` sorts queued tasks by."""
        return (task.rank,)

    def engine_registered(self, engine: Engine) -> None:
        """Have `engine` take part; O(groups)."""
        for group in self._targeted.values():
            if group.admits(engine):
                first = group.first()
                assert first is not None
                self._join(group, engine)
                self._lines[engine].put(first.rank, group.number)

    def engine_died(self, engine: Engine) -> list[Group]:
        """Have `engine` take no part; the groups that it leaves without any, O(groups)."""
        for group in self._targeted.values():
            if group.admits(engine):
                group.engines -= 1
        self._lines.pop(engine, None)
        return [
            group
            for group in self.groups()
            if (group.targets is None or engine.ident in group.targets)
            and not group.has_engine(self._engines)
        ]

    def _open(self, targets: frozenset[bytes], excluded: frozenset[Engine]) -> Group:
        """A new group with targets."""
        group = Group(targets, excluded, next(self._number))
        self._targeted[targets, excluded] = self._numbered[group.number] = group
        for ident in targets:
            engine = self._engines.get(ident)
            if engine is not None and engine not in excluded:
                self._join(group, engine)
        return group

    def _close(self, group: Group, targets: frozenset[bytes]) -> None:
        """Forget a group that has become empty."""
        del self._targeted[targets, group.excluded], self._numbered[group.number]
        for ident in targets:
            engine = self._engines.get(ident)
            if engine is not None and engine not in group.excluded:
                del self._lines[engine].lowest[group.number]

    def _join(self, group: Group, engine: Engine) -> None:
        group.engines += 1
        if engine not in self._lines:
            self._lines[engine] = _Line()

    def _announce(self, group: Group, rank: Rank) -> None:
        """Tell the engines of a group that its first task has a lower rank than before."""
        assert group.targets is not None
        for ident in group.targets:
            engine = self._engines.get(ident)
            if engine is not None and engine not in group.excluded:
                self._lines[engine].put(rank, group.number)

    def _first_in(self, line: _Line) -> Task | None:
        """The first task of a line."""
        heap, lowest = line.heap, line.lowest
        while heap:
            rank, number = heap[0]
            if lowest.get(number) != rank:
                heapq.heappop(heap)
                continue
            task = self._numbered[number].first()
            assert task is not None
            if task.rank == rank:
                return task
            lowest[number] = task.rank
            heapq.heapreplace(heap, (task.rank, number))
        return None
