"""How far the tasks of each label are, counted as it happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ...client.status import QueuePart
from .tasks import LiveTask

OWN = 300
"""So many labels are counted by themselves; all others are counted together."""

OTHERS = "(other labels)"
NONE = "(no label)"

COLOURS = 8
"""So many labels have a colour of their own."""

BEFORE = "(submitted before this page knew of it)"
"""The label of tasks whose submission is forgotten."""


class Label:
    """The tasks of a label.

    Attributes
    ----------
    name : str
        What it is called.
    states : Counter of str
        How many of them are in each state.
    done : int
        How many attempts have succeeded.
    seconds : float
        How long these took.
    colour : int or None
        The number of its colour, if it has one of its own.
    graph : int
        The number of the latest graph that has a task of it.
    """

    __slots__ = ("colour", "done", "graph", "name", "seconds", "states")

    def __init__(self, name: str) -> None:
        self.name = name
        self.states: Counter[str] = Counter()
        self.done = 0
        self.seconds = 0.0
        self.colour: int | None = None
        self.graph = 0

    def is_seen(self, graph: int) -> bool:
        """Whether it is in a graph, or a task of it is under way."""
        states = self.states
        return self.graph == graph or bool(states["waiting"] + states["ready"] + states["running"])

    @property
    def total(self) -> int:
        """How many there are."""
        return self.states.total()


class Labels:
    """The labels, in the order in which they came; each is known by its number.

    Attributes
    ----------
    all : list of Label
        The labels.
    recoloured : int
        How often a label has lost its colour to another one.
    """

    def __init__(self) -> None:
        self.all: list[Label] = []
        self.recoloured = 0
        self._coloured: list[Label] = []
        self._numbers: dict[str | None, int] = {}

    def __getitem__(self, number: int) -> Label:
        return self.all[number]

    def number(self, name: str | None) -> int:
        """The number of a label; O(1)."""
        found = self._numbers.get(name)
        if found is None:
            if len(self.all) < OWN:
                self.all.append(Label(NONE if name is None else name))
                found = self._numbers[name] = len(self.all) - 1
            else:
                if len(self.all) == OWN:
                    self.all.append(Label(OTHERS))
                found = OWN
        return found

    def show(self, number: int, graph: int) -> None:
        """A graph has a task of a label: give it a colour, if there is one.

        What is on the screen keeps its colour, so a label gets that of one that is not.  O(1) for
        a label that has a colour, else O(`COLOURS`).
        """
        label = self.all[number]
        label.graph = graph
        if label.colour is not None or label.name in (OTHERS, BEFORE):
            return
        if len(self._coloured) < COLOURS:
            label.colour = len(self._coloured)
            self._coloured.append(label)
            return
        unseen = [each for each in self._coloured if not each.is_seen(graph)]
        if unseen:
            last = min(unseen, key=lambda each: each.graph)
            label.colour, last.colour = last.colour, None
            self._coloured.remove(last)
            self._coloured.append(label)
            self.recoloured += 1

    def expected(self) -> list[float]:
        """The seconds that a task of each label takes: the mean of its own, or of all."""
        done = sum(label.done for label in self.all)
        mean = sum(label.seconds for label in self.all) / done if done else 1.0
        return [label.seconds / label.done if label.done else mean for label in self.all]

    def took(self, task: LiveTask, seconds: float) -> None:
        """A task has succeeded."""
        label = self.all[task.group]
        label.done += 1
        label.seconds += seconds


def progress_of(
    labels: Labels, parts: Iterable[QueuePart], is_whole: bool
) -> list[tuple[str, int | None, Counter[str]]]:
    """How far the tasks of each label are.

    Parameters
    ----------
    labels : Labels
        What is counted.
    parts : iterable of QueuePart
        What the scheduler counts: labels of which some tasks are not finished.
    is_whole : bool
        Whether all that happened was seen; if not, the scheduler's numbers are taken where it has
        any, and they are larger.

    Returns
    -------
    list of tuple
        The name of a label, its number if it has one of its own, and how many of its tasks are in
        each state.
    """
    told: dict[str, Counter[str]] = {}
    if not is_whole:
        for part in parts:
            states = told.setdefault(NONE if part.label is None else part.label, Counter())
            states["waiting"] += part.waiting
            states["ready"] += part.ready
            states["running"] += part.assigned
            states["succeeded"] += part.succeeded
            states["failed"] += part.failed
    found: list[tuple[str, int | None, Counter[str]]] = []
    for number, label in enumerate(labels.all):
        if label.name == BEFORE and told:  # the scheduler counts them under their labels
            found.append((label.name, number, Counter(lost=label.states["lost"])))
            continue
        states = told.pop(label.name, Counter())
        found.append((label.name, number, max(states, label.states, key=Counter.total)))
    found += [(name, None, states) for name, states in told.items()]
    return [each for each in found if each[2].total()]
