"""Tasks that are ready and have no engine yet.

Tasks that the same engines may take are one `Group`, in the order of submission.  An
engine that has room is offered the earliest task among the heads of the groups that it
belongs to, so that tasks which have to wait for a busy engine cost the others nothing.
This is the one place that decides which of the ready tasks is next.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from ..engines.pool import Engine
from ..task import NOWHERE, Task


class Group:
    """Ready tasks with the same targets and the same excluded engines, in order.

    Nearly all arrive in the order of submission and go to the end of a list; those that
    come late (retried, or released by a dependency) go to a heap.  A task that leaves
    stays in them until it surfaces or until such are the most.  `add` costs O(1), or
    O(log n) for late ones; `first` O(1) amortized, or as much.
    """

    __slots__ = ("_fifo", "_late", "engines", "excluded", "parked", "size", "targets")

    def __init__(self, targets: frozenset[bytes] | None, excluded: frozenset[bytes]) -> None:
        self.targets = targets
        self.excluded = excluded
        self.engines = 0  # registered ones among the targets
        self.size = 0
        self.parked = False  # whether deadlines run for its tasks: no engine may take them
        self._fifo: deque[Task] = deque()
        self._late: list[tuple[int, Task]] = []  # with their `seq`

    def admits(self, ident: bytes) -> bool:
        """Whether its tasks may run on this engine."""
        return ident not in self.excluded and (self.targets is None or ident in self.targets)

    def add(self, task: Task) -> None:
        if not self._fifo or task.seq > self._fifo[-1].seq:
            self._fifo.append(task)
        else:
            heapq.heappush(self._late, (task.seq, task))
        task.group = self
        self.size += 1

    def remove(self, task: Task) -> None:
        task.group = None
        self.size -= 1
        if len(self._fifo) + len(self._late) > 64 + 2 * self.size:
            self._fifo = deque(task for task in self._fifo if task.group is self)
            self._late = [entry for entry in self._late if entry[1].group is self]
            heapq.heapify(self._late)

    def first(self) -> Task | None:
        """The earliest of its tasks."""
        fifo, late = self._fifo, self._late
        while fifo and fifo[0].group is not self:
            fifo.popleft()
        while late and late[0][1].group is not self:
            heapq.heappop(late)
        if late and (not fifo or late[0][0] < fifo[0].seq):
            return late[0][1]
        return fifo[0] if fifo else None

    def __iter__(self) -> Iterator[Task]:
        """Its tasks, in no order."""
        seen = dict.fromkeys([*self._fifo, *(task for _, task in self._late)])
        return (task for task in seen if task.group is self)


class ReadyQueue:
    """The groups of ready tasks.

    Parameters
    ----------
    engines : mapping of bytes to Engine
        The registered engines, by identity.
    """

    def __init__(self, engines: Mapping[bytes, Engine]) -> None:
        self._engines = engines
        self._anywhere = Group(None, NOWHERE)
        self._elsewhere: dict[frozenset[bytes], Group] = {}  # anywhere but on some engines
        self._targeted: dict[tuple[frozenset[bytes], frozenset[bytes]], Group] = {}

    def __bool__(self) -> bool:
        return bool(self._anywhere.size or self._elsewhere or self._targeted)

    def __len__(self) -> int:
        return sum(group.size for group in self.groups())

    def groups(self) -> list[Group]:
        return [self._anywhere, *self._elsewhere.values(), *self._targeted.values()]

    def holds(self, targets: frozenset[bytes] | None, excluded: frozenset[bytes]) -> bool:
        """Whether there are tasks in the group of these."""
        if targets is not None:
            return (targets, excluded) in self._targeted
        return excluded in self._elsewhere if excluded else self._anywhere.size > 0

    def add(
        self, task: Task, targets: frozenset[bytes] | None, excluded: frozenset[bytes]
    ) -> Group:
        """Put a ready task into its group; O(targets) for the first of a group."""
        if targets is None:
            if not excluded:
                group = self._anywhere
            elif excluded in self._elsewhere:
                group = self._elsewhere[excluded]
            else:
                group = self._elsewhere[excluded] = Group(None, excluded)
        else:
            key = (targets, excluded)
            if key in self._targeted:
                group = self._targeted[key]
            else:
                group = self._targeted[key] = Group(targets, excluded)
                for ident in targets - excluded:
                    if ident in self._engines:
                        self._join(group, self._engines[ident])
        group.add(task)
        return group

    def remove(self, task: Task) -> None:
        """Take a task out; O(1) amortized, O(targets) for the last of a group."""
        group = task.group
        assert group is not None
        group.remove(task)
        if group.size or group is self._anywhere:
            return
        if group.targets is None:
            del self._elsewhere[group.excluded]
        else:
            del self._targeted[group.targets, group.excluded]
            for ident in group.targets:
                if ident in self._engines:
                    self._engines[ident].groups.pop(group, None)

    def first(self, engine: Engine) -> Task | None:
        """The earliest task that `engine` may take; O(groups that it belongs to)."""
        task = self._anywhere.first()
        groups: Iterable[Group] = engine.groups
        if self._elsewhere:
            elsewhere = self._elsewhere.values()
            groups = [*groups, *[group for group in elsewhere if group.admits(engine.ident)]]
        for group in groups:
            other = group.first()
            if other is not None and (task is None or other.seq < task.seq):
                task = other
        return task

    def has_engine(self, group: Group) -> bool:
        """Whether any registered engine may take the tasks of `group`; O(excluded)."""
        if group.targets is not None:
            return group.engines > 0
        if not group.excluded:
            return bool(self._engines)
        return len(self._engines) > sum(ident in self._engines for ident in group.excluded)

    def engine_registered(self, engine: Engine) -> None:
        """Have `engine` take part; O(groups)."""
        for group in self._targeted.values():
            if group.admits(engine.ident):
                self._join(group, engine)

    def engine_died(self, engine: Engine) -> list[Group]:
        """Have `engine` take no part; the groups that it might have saved, O(groups)."""
        for group in engine.groups:
            group.engines -= 1
        engine.groups.clear()
        return [
            group
            for group in self.groups()
            if (group.targets is None or engine.ident in group.targets)
            and not self.has_engine(group)
        ]

    def _join(self, group: Group, engine: Engine) -> None:
        group.engines += 1
        engine.groups[group] = None
