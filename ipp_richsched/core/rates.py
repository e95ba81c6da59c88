"""What happened of late: how fast tasks come and end, and with what those began that failed."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from .failures import Failure

BUCKET, BUCKETS = 5.0, 12
"""Seconds between two samples, and how many of these spans are looked at: a minute of them."""

LATELY, PARTS = 3_600.0, 6
"""Failures of so many seconds are counted apart, in as many parts: see `Lately`."""


class Totals(NamedTuple):
    """How many tasks there were since the scheduler began.

    Attributes
    ----------
    submitted, succeeded, failed : int
        Those that were submitted, and those that ended so.
    """

    submitted: int
    succeeded: int
    failed: int


class Rates:
    """Samples of the totals, one for each `BUCKET`; what is kept is bounded.

    A sample is taken with the first event that comes when it is due.  Nothing has changed since
    the event before, so it is as true of the moment when it was due.

    Attributes
    ----------
    due : float
        When the next sample is due.
    """

    def __init__(self) -> None:
        self.due = -math.inf
        self._samples: deque[tuple[float, Totals]] = deque(maxlen=BUCKETS + 1)

    def sample(self, now: float, totals: Totals) -> None:
        """Take the samples that are due; O(`BUCKETS`), once in a `BUCKET`."""
        if not self._samples:
            self.due = now
        missed = math.floor((now - self.due) / BUCKET)
        if missed > BUCKETS:
            self.due += (missed - BUCKETS) * BUCKET
        while self.due <= now:
            self._samples.append((self.due, totals))
            self.due += BUCKET

    def over_a_minute(self, now: float, totals: Totals) -> tuple[float, Totals]:
        """Over how many seconds the latest samples reach back, and what came since.

        It is between 60 and 65 s, or since the first event if that is less.
        """
        self.sample(now, totals)
        since, before = self._samples[0]
        pairs = zip(totals, before, strict=True)
        return now - since, Totals(*(later - earlier for later, earlier in pairs))


class Lately:
    """Counts of the last hour, by name; there are as many numbers as names, for each of `PARTS`."""

    def __init__(self) -> None:
        self._parts: deque[tuple[int, dict[str | Failure, int]]] = deque(maxlen=PARTS + 1)

    def count(self, name: str | Failure, now: float) -> None:
        """Count one more; O(1)."""
        number = math.floor(now / (LATELY / PARTS))
        if not self._parts or self._parts[-1][0] != number:
            self._parts.append((number, {}))
        counts = self._parts[-1][1]
        counts[name] = counts.get(name, 0) + 1

    def counts(self, now: float) -> dict[str | Failure, int]:
        """What was counted in the last hour, and up to ten minutes before; O(names * `PARTS`)."""
        first = math.floor(now / (LATELY / PARTS)) - PARTS
        found: dict[str | Failure, int] = {}
        for number, counts in self._parts:
            if number >= first:
                for name, count in counts.items():
                    found[name] = found.get(name, 0) + count
        return found
