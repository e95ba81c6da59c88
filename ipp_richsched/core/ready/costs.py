"""What tasks cost: what their clients say, or what others like them took."""

from __future__ import annotations

from ..task import Task

CHANGED = 1.25
"""By what factor a mean has to differ from the one in use to count as changed."""

MANY = 10_000
"""How many labels are told apart."""


class _Mean:
    """What the tasks of a label took.

    Attributes
    ----------
    count : int
        How many tasks there were.
    total : float
        Seconds that they took together.
    used : float or None
        The mean that is in use.
    """

    __slots__ = ("count", "total", "used")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.used: float | None = None

    def add(self, seconds: float) -> bool:
        """Take in one more; whether the mean has changed."""
        self.count += 1
        self.total += seconds
        if self.used is None:
            return True
        return not self.used <= self.total / self.count * CHANGED <= self.used * CHANGED**2

    def settle(self) -> None:
        """Have the mean in use."""
        self.used = self.total / self.count if self.count else None


class Costs:
    """The costs of tasks, in seconds on an engine.

    Where a client gives none, it is the mean of the tasks with the same label or function, or of
    all where there was none yet, or one second.  Means in use do not change until `settle`, so
    that all tasks are measured alike.

    Attributes
    ----------
    changed : bool
        Whether a mean has changed by much since.
    """

    def __init__(self) -> None:
        self._labels: dict[str, _Mean] = {}
        self._all = _Mean()
        self.changed = False

    def of(self, task: Task) -> float:
        """The cost of a task."""
        flags = task.rich
        if flags.cost is not None:
            return flags.cost
        mean = self._labels.get(flags.label) if flags.label is not None else None
        for each in (mean, self._all):
            if each is not None and each.used is not None:
                return each.used
        return 1.0

    def learn(self, label: str | None, seconds: float) -> None:
        """A task took so long."""
        changed = self._all.add(seconds)
        if label is not None:
            mean = self._labels.get(label)
            if mean is None:
                if len(self._labels) >= MANY:
                    del self._labels[next(iter(self._labels))]  # the first of them
                mean = self._labels[label] = _Mean()
            changed |= mean.add(seconds)
        self.changed |= changed

    def settle(self) -> None:
        """Have the means in use as they are now; O(labels)."""
        self._all.settle()
        for mean in self._labels.values():
            mean.settle()
        self.changed = False
