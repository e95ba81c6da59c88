"""How many items the next chunk of a map has: a decision without clock or client."""

from __future__ import annotations

import math
import operator
from itertools import pairwise
from typing import Any, NamedTuple

FIRST = 0.2
"""Seconds that a chunk takes while there is much to do."""

LEAST = 0.01
"""Seconds that a chunk of short items takes at the end: several times what a message costs."""

WAVES = 2
"""Chunks for each engine that are under way at once: one that runs, and one that is next."""

_MEMORY = 0.8
"""How much what was measured counts with each chunk that was measured since."""


class Size(NamedTuple):
    """The size of a chunk."""

    items: int
    seconds: float | None
    """After how long the engine gives back what it has not begun; None: never."""


class ChunkSizes:
    """Sizes for the chunks of one map, by what its items have taken so far.

    It is factoring: each batch of as many chunks as there are engines takes half of the items that
    are left, so that the chunks shrink towards the end, and all engines end at about the same time.
    (S. F. Hummel, E. Schonberg, L. E. Flynn: Factoring: a method for scheduling parallel loops.
    Communications of the ACM 35(8), 1992.)  No chunk should take longer than `FIRST`, however.
    Nor are short items sent in chunks that take less than `LEAST`, where that leaves a chunk for
    each engine.
    """

    def __init__(self) -> None:
        self._items = 0.0
        self._seconds = 0.0
        self._share = 0.0
        self._of_batch = 0

    def measured(self, items: int, seconds: float) -> None:
        """Some items took so many seconds together."""
        self._items = _MEMORY * self._items + items
        self._seconds = _MEMORY * self._seconds + seconds

    def next(self, left: float, engines: int) -> Size:
        """The size of the next chunk.

        Parameters
        ----------
        left : float
            Items that are left, this chunk's included; at least 1.  May be infinite.
        engines : int
            Engines that may run them; at least 1.

        Returns
        -------
        Size
            A single item while nothing is measured.
        """
        if not self._items:
            return Size(1, None)
        each = max(self._seconds / self._items, 1e-9)
        if not self._of_batch:
            self._share = max(left / (2 * engines), min(LEAST / each, left / engines))
            self._of_batch = engines
        self._of_batch -= 1
        items = max(min(FIRST / each, self._share), 1)
        items = math.ceil(min(items, left))
        return Size(items, 2 * max(items * each, LEAST))


def check_chunksize(chunksize: Any) -> int | None:
    """The number of items, or None for ``"auto"``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(chunksize, str) and chunksize == "auto":
        return None
    try:
        size = 0 if isinstance(chunksize, bool) else operator.index(chunksize)
    except TypeError:
        size = 0
    if size < 1:
        raise ValueError(f"'chunksize' is {chunksize!r}, neither 'auto' nor a number of items")
    return size


def parts(length: int, chunksize: int) -> list[range]:
    """As many parts as ipyparallel makes of so many items, all of about the same size."""
    number = -(-length // chunksize)
    small, more = divmod(length, number)
    bounds = [small * part + min(part, more) for part in range(number + 1)]
    return [range(low, high) for low, high in pairwise(bounds)]
