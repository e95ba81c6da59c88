"""Rows that grow at the end, for readers that each know how far they have read."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Rows(Generic[T]):
    """Rows, of which some may change, and which may all be replaced by fewer.

    A reader remembers the `epoch`, how many rows it has, and how much of `changed` it has read.  In
    the same epoch it needs only what has changed since.

    Attributes
    ----------
    rows : list
        The rows.
    epoch : int
        How often all were replaced.
    changed : list of int
        The places of rows that were changed in this epoch, in the order in which they were.
    """

    def __init__(self) -> None:
        self.rows: list[T] = []
        self.epoch = 0
        self.changed: list[int] = []

    def append(self, row: T) -> int:
        """Add a row; its place."""
        self.rows.append(row)
        return len(self.rows) - 1

    def change(self, place: int, row: T) -> None:
        """Put another row into the place of one."""
        self.rows[place] = row
        self.changed.append(place)

    def replace(self, rows: list[T]) -> None:
        """Put others into the place of all."""
        self.rows = rows
        self.epoch += 1
        self.changed = []


class Reader(Generic[T]):
    """Who reads `Rows` from time to time.

    Parameters
    ----------
    source : Rows
        What it reads.
    """

    def __init__(self, source: Rows[T]) -> None:
        self._source = source
        self._epoch = -1
        self._known = 0
        self._read = 0

    def news(self) -> tuple[bool, dict[int, T], list[T]]:
        """What it has not read yet.

        Returns
        -------
        bool
            Whether all rows that it had are gone.
        dict of int to row
            Rows that it had and that have changed, by their places.
        list
            New rows.
        """
        source = self._source
        is_new = source.epoch != self._epoch
        if is_new:
            self._epoch, self._known, self._read = source.epoch, 0, 0
        places = {place for place in source.changed[self._read :] if place < self._known}
        changed = {place: source.rows[place] for place in places}
        new = source.rows[self._known :]
        self._known, self._read = len(source.rows), len(source.changed)
        return is_new, changed, new
