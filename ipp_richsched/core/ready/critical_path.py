"""Critical path first: of the tasks that may run, the one with the most work behind it.

The *path* of a task is the time that the longest chain of tasks from it to the end takes, if there
is an engine for each: its own cost and the longest path of those that wait for it.  List scheduling
by that is within a few percent of the best makespan for most graphs (Adam, Chandy and Dickson,
"A comparison of list schedules for parallel processing systems", CACM 1974).

A task that is submitted makes the paths of all that it waits for longer, and of what these wait
for.  That is not followed at once: new tasks are gathered, and then their news is carried to the
others in one *sweep*, the last submitted first, so that each task is looked at once.  A sweep
begins when the tasks have become more by an eighth, or when no more come.  So all sweeps together
cost O(log n) for each edge, and no event costs more than a slice of one.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from ..step import Step
from ..task import Task
from .costs import Costs
from .fairness import FairQueue
from .order import Order
from .queue import ReadyQueue

PART = 8
"""A sweep begins when one of so many tasks is new, or one of so many has finished."""

QUIET = 0.05
"""Seconds without a new task after which a sweep begins, however few there are."""


class Path:
    """Where a task stands on the paths.

    Attributes
    ----------
    place : int
        Its place in the order of submission; what it waits for has a lower one.
    behind : float
        Seconds of the longest path of those that wait for it.
    sweep : int
        The last sweep of all tasks that has come to it.
    is_due : bool
        Whether the present sweep has still to come to it, or the next one.
    """

    __slots__ = ("behind", "is_due", "place", "sweep")

    def __init__(self, place: int, sweep: int) -> None:
        self.place = place
        self.behind = 0.0
        self.sweep = sweep
        self.is_due = False

    def reach(self, sweep: int) -> None:
        """A sweep comes to it; one of all tasks measures anew."""
        if self.sweep != sweep:
            self.sweep, self.behind = sweep, 0.0


class CriticalPath:
    """Keeps the ranks of tasks in the order of their paths.

    Parameters
    ----------
    tasks : mapping of str to Task
        Those that are not finished, by msg_id, in the order of submission.
    queue : ReadyQueue or FairQueue
        Ready tasks that have no engine.
    order : Order
        What gives tasks their ranks.

    Attributes
    ----------
    due : float or None
        When it is to be looked whether a sweep may begin.
    """

    def __init__(
        self, tasks: Mapping[str, Task], queue: ReadyQueue | FairQueue, order: Order
    ) -> None:
        self._tasks = tasks
        self._queue = queue
        self._order = order
        self._costs = Costs()
        self.due: float | None = None
        self._place = 0
        self._sweep = 0
        self._fresh: list[Task] = []  # what they wait for does not know of them
        self._fresh_before = 0
        self._finished = 0  # since all tasks were looked at
        # what a sweep has still to come to: what it began with, and what that concerns
        self._is_of_all = False
        self._rest: list[Task] = []  # the next at the end
        self._heap: list[tuple[int, Task]] = []

    @property
    def busy(self) -> bool:
        """Whether a sweep is under way."""
        return bool(self._rest or self._heap)

    def enter(self, task: Task, now: float) -> None:
        """Take in a new task."""
        self._place += 1
        task.path = Path(self._place, self._sweep)
        self._rank(task, now)

    def connect(self, task: Task, now: float) -> None:
        """A new task waits for others."""
        fresh = self._fresh
        fresh.append(task)
        self._path(task).is_due = True
        if self.due is None:
            self._fresh_before = 0
            self.due = now + QUIET
        if not self.busy and len(fresh) * PART >= len(self._tasks):
            self._begin()

    def learn(self, task: Task, seconds: float) -> None:
        """A task has succeeded, and has taken so long on its engine."""
        self._costs.learn(task.rich.label, seconds)
        self._finished += 1
        if not self.busy and self._costs.changed and self._finished * PART >= len(self._tasks):
            self._begin_all()

    def time_passed(self, step: Step) -> None:
        """Begin a sweep if one is due, and go on with it as far as the budget of the step goes."""
        if self.due is not None and step.now >= self.due:
            self._look(step.now)
        self._work(step)

    def _look(self, now: float) -> None:
        """`due` has come."""
        if self.busy:
            self.due = now + QUIET
        elif len(self._fresh) == self._fresh_before:
            self._begin()
        else:
            self._fresh_before = len(self._fresh)
            self.due = now + QUIET

    def _work(self, step: Step) -> None:
        rest, heap = self._rest, self._heap
        while step.work_left > 0:
            if rest and (not heap or self._path(rest[-1]).place > -heap[0][0]):
                self._visit(step, rest.pop())
            elif heap:
                self._visit(step, heapq.heappop(heap)[1])
            else:
                return

    def _begin(self) -> None:
        """Begin to tell of new tasks."""
        self._is_of_all = False
        self._rest = self._fresh
        self._fresh = []
        self.due = None

    def _begin_all(self) -> None:
        """Begin to look at all tasks, since costs have changed; O(tasks), a copy of the list."""
        self._costs.settle()
        self._finished = 0
        self._sweep += 1
        self._is_of_all = True
        self._rest = [*self._tasks.values()]
        self._fresh = []
        self.due = None

    def _visit(self, step: Step, task: Task) -> None:
        """Put the rank of a task right, and tell those that it waits for; O(its ids)."""
        step.work_left -= 1
        path = self._path(task)
        path.is_due = False
        if task.msg_id not in self._tasks:
            return
        path.reach(self._sweep)
        length = self._rank(task, step.now)
        for ids in (task.after.ids, task.follow.ids, task.rich.arguments):
            step.work_left -= len(ids)
            for msg_id in ids:
                other = self._tasks.get(msg_id)
                if other is None:
                    continue
                its = self._path(other)
                its.reach(self._sweep)
                if length > its.behind:
                    its.behind = length
                    if not (its.is_due or self._is_of_all):
                        its.is_due = True
                        heapq.heappush(self._heap, (-its.place, other))

    def _rank(self, task: Task, now: float) -> float:
        """Give a task the rank for its path; the length of that."""
        length = self._costs.of(task) + self._path(task).behind
        if not task.crashed:  # it stays behind all others
            rank = self._order.with_path(task.rank, length)
            if rank != task.rank:
                if task.group is not None:
                    self._queue.change_rank(task, rank, now)
                else:
                    task.rank = rank
        return length

    @staticmethod
    def _path(task: Task) -> Path:
        path = task.path
        assert isinstance(path, Path)
        return path
