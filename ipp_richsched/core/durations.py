"""How long tasks queue and how long they run, by label: kept only where somebody wants to know."""

from __future__ import annotations

from bisect import bisect_left

from .tallies import OTHERS

BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200, 43_200)
"""Seconds: the upper bounds of the buckets; one more bucket has what is above."""

LABELS = 50
"""How many labels are told apart; the tasks of all others count under `OTHERS`."""


class Histogram:
    """How many durations fell into each bucket.

    Attributes
    ----------
    counts : list of int
        One for each of `BOUNDS`: how many were at most so long, and longer than the one before.
        The last is of those that were longer than all bounds.
    total : float
        The sum of them all, in seconds.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def copy(self) -> Histogram:
        """The same, as of now."""
        copy = Histogram()
        copy.counts, copy.total = self.counts[:], self.total
        return copy


class LabelDurations:
    """The durations of the tasks of one label.

    Attributes
    ----------
    queued : Histogram
        From when a task was ready, or came back from an engine, until it was assigned.
    ran : Histogram
        From when an engine began to work on a task until it answered.
    """

    __slots__ = ("queued", "ran")

    def __init__(self, queued: Histogram, ran: Histogram) -> None:
        self.queued = queued
        self.ran = ran


class Durations:
    """The durations of all tasks.

    Nothing is ever taken out, since who reads these looks at what was added between two readings.

    Attributes
    ----------
    by_label : dict of str or None to LabelDurations
        None is for tasks without a label.
    """

    def __init__(self) -> None:
        self.by_label: dict[str | None, LabelDurations] = {}

    def of(self, label: str | None) -> LabelDurations:
        """Those of a label, or of `OTHERS`; O(1)."""
        found = self.by_label.get(label)
        if found is not None:
            return found
        if len(self.by_label) >= LABELS and label != OTHERS:
            return self.of(OTHERS)
        found = self.by_label[label] = LabelDurations(Histogram(), Histogram())
        return found

    def copy(self) -> Durations:
        """The same, as of now; O(`LABELS`)."""
        copy = Durations()
        for label, found in self.by_label.items():
            copy.by_label[label] = LabelDurations(found.queued.copy(), found.ran.copy())
        return copy
