"""The graph of tasks that belong together: those since there was last nothing to be done."""

from __future__ import annotations

from collections import Counter

from ...workflows.paths import longest_chain
from .labels import Labels
from .tasks import ENDED, LiveTask

FEW = 500
"""So many tasks are drawn one by one; of more, those of a label are drawn together."""

GROUPS = 200
"""So many groups are drawn by label and layer; if there are more, by label alone."""

PAUSE = 30.0
"""Seconds in which nothing is to be done, after which the next task begins another graph."""

Node = tuple[int, ...]
"""A group: the number of its label and, if it is drawn by layer, its layer."""


class Group:
    """Tasks that are drawn together.

    Attributes
    ----------
    label : int
        The number of their label.
    layer : int
        The first layer in which one of them is.
    first : LiveTask
        The first of them.
    states : Counter of str
        How many are in each state.
    """

    __slots__ = ("first", "label", "layer", "states")

    def __init__(self, first: LiveTask) -> None:
        self.first = first
        self.label = first.group
        self.layer = first.layer
        self.states: Counter[str] = Counter()


class Graph:
    """Tasks and what they depend on, counted by label and layer as they come.

    Each task and dependency costs O(1).

    Attributes
    ----------
    number : int
        Which one it is: each graph has a higher one than those before it.
    since : float or None
        When its first task was submitted.
    tasks : list of LiveTask
        Its tasks, as they were submitted.
    groups : dict of Node to Group
        The same by label and layer, or by label.
    edges : Counter
        How many dependencies there are from which group to which.
    version : int
        Changes when tasks are added.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._unfinished = 0
        self._idle_since: float | None = None
        self.version = 0
        self.number = 0
        self._begin(None)

    def _begin(self, since: float | None) -> None:
        self.number += 1
        self.since = since
        self._is_over = False
        self.tasks: list[LiveTask] = []
        self.groups: dict[Node, Group] = {}
        self.edges: Counter[tuple[Node, Node]] = Counter()
        self.by_layer = True
        self._unfinished = 0

    @property
    def is_few(self) -> bool:
        """Whether its tasks are drawn one by one."""
        return len(self.tasks) <= FEW

    def end(self) -> None:
        """The controller has gone: the next task begins another graph."""
        self._is_over = True

    def add(self, task: LiveTask, parents: list[LiveTask], when: float) -> None:
        """A task was submitted; O(its parents), in the mean of many."""
        idle = self._idle_since
        if self.since is None or self._is_over or (idle is not None and when - idle > PAUSE):
            for each in self.tasks:
                each.node = None
            self._begin(when)
        self._idle_since = None
        self._unfinished += 1
        its = [parent for parent in parents if parent.node is not None]
        task.layer = max((parent.layer + 1 for parent in its), default=0)
        self.tasks.append(task)
        self._put(task)
        for parent in its:
            assert parent.node is not None
            assert task.node is not None
            self.edges[parent.node, task.node] += 1
        if self.by_layer and len(self.groups) > GROUPS:
            self._join_layers()
        self.version += 1

    def moved(self, task: LiveTask, before: str, when: float) -> None:
        """A task has gone from one state to another one; O(1)."""
        if task.node is None:
            return
        states = self.groups[task.node].states
        states[before] -= 1
        states[task.state] += 1
        if task.state in ENDED:
            self._unfinished -= 1
            if not self._unfinished:
                self._idle_since = when

    def _put(self, task: LiveTask) -> None:
        task.node = (task.group, task.layer) if self.by_layer else (task.group,)
        group = self.groups.get(task.node)
        if group is None:
            group = self.groups[task.node] = Group(task)
        group.layer = min(group.layer, task.layer)
        group.states[task.state] += 1

    def _join_layers(self) -> None:
        """Draw tasks by label alone from now on: there are too many layers to be seen."""
        self.by_layer = False
        self.groups = {}
        for task in self.tasks:
            self._put(task)
        edges, self.edges = self.edges, Counter()
        for (first, second), number in edges.items():
            self.edges[first[:1], second[:1]] += number

    def critical_path(self) -> list[LiveTask]:
        """The tasks on the chain that takes longest: see `Run.critical_path`.

        What has not ended counts as its client says, or as others of its label took.  O(tasks +
        dependencies).
        """
        means = self._labels.expected()
        by_id = {task.msg_id: task for task in self.tasks}
        seconds = {}
        for task in self.tasks:
            expected = means[task.group] if task.cost is None else task.cost
            seconds[task.msg_id] = task.seconds if task.state in ENDED else expected
        chain = longest_chain(
            ((task.msg_id, filter(by_id.__contains__, task.parents)) for task in self.tasks),
            seconds,
        )
        return [by_id[msg_id] for msg_id in chain]
