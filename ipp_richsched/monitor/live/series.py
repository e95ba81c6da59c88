"""How many tasks came and ended, by time: in few enough stretches to be drawn."""

from __future__ import annotations

from typing import NamedTuple

from .columns import Rows

MOST = 600
"""So many stretches of time there are at most; then each becomes twice as long."""


class Counts(NamedTuple):
    """What happened in a stretch of time.

    Attributes
    ----------
    start : float
        When it began, in seconds since the epoch.
    submitted, succeeded, failed : int
        How many tasks.
    """

    start: float
    submitted: int
    succeeded: int
    failed: int


class Series:
    """What happened, in stretches of time of one length.

    Attributes
    ----------
    width : float
        The seconds of a stretch.
    counts : Rows of Counts
        The stretches, one after the other, empty ones included.
    """

    def __init__(self) -> None:
        self.width = 1.0
        self.counts: Rows[Counts] = Rows()

    def count(self, when: float, which: int) -> None:
        """Something has happened; O(1), in the mean of many.

        Parameters
        ----------
        when : float
            In seconds since the epoch.  What is older than the first of all counts with that.
        which : int
            As which field of `Counts`.
        """
        self.until(when)
        rows = self.counts.rows
        place = max(0, int((when - rows[0].start) // self.width))
        numbers = list(rows[place][1:])
        numbers[which - 1] += 1
        self.counts.change(place, Counts(rows[place].start, *numbers))

    def until(self, when: float) -> None:
        """It is now this late."""
        rows = self.counts.rows
        if not rows:
            self.counts.append(Counts(when, 0, 0, 0))
            return
        while when - rows[0].start >= MOST * self.width:
            self._double()
            rows = self.counts.rows
        while when >= rows[-1].start + self.width:
            self.counts.append(Counts(rows[-1].start + self.width, 0, 0, 0))

    def _double(self) -> None:
        rows = self.counts.rows
        rows = rows + [Counts(0.0, 0, 0, 0)] * (len(rows) % 2)
        pairs = zip(rows[::2], rows[1::2], strict=True)
        self.counts.replace(
            [Counts(a.start, a[1] + b[1], a[2] + b[2], a[3] + b[3]) for a, b in pairs]
        )
        self.width *= 2
