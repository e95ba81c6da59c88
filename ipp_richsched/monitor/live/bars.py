"""Attempts that are over, as columns; and what is drawn of the older ones, where they are many."""

from __future__ import annotations

from array import array
from typing import NamedTuple

from .columns import Rows
from .tasks import LiveTask

END_STATES = ("succeeded", "given back", "failed", "died", "lost")
"""How an attempt can end, the worst last: as in `workflows.runs`, or with its controller."""

RECENT = 1_500
"""So many of the latest attempts are drawn one by one."""

THINNED = 3_000
"""As so many bars, at most, the older ones are drawn."""

_SHORTEST = 0.05
"""Seconds: older attempts that are shorter are drawn together from the beginning."""


class Thin(NamedTuple):
    """A bar of older attempts on one engine, one or several short ones beside each other.

    Attributes
    ----------
    row : int
        The row of the engine.
    left, right : float
        From when to when, in seconds since the epoch.
    end_state : int
        How they ended, as a place in `END_STATES`: the worst of them.
    group : int
        The number of the label of the longest.
    task : int
        The number of that task.
    longest : float
        The seconds of that.
    number : int
        How many attempts these are.
    """

    row: int
    left: float
    right: float
    end_state: int
    group: int
    task: int
    longest: float
    number: int


class Bars:
    """Attempts that are over, in the order in which they ended; none is ever forgotten.

    Attributes
    ----------
    rows, lefts, rights, end_states, groups, tasks : array
        Their columns.
    thinned : Rows of Thin
        What is drawn of all but the last `RECENT`.
    """

    def __init__(self) -> None:
        self.rows = array("i")
        self.lefts = array("d")
        self.rights = array("d")
        self.end_states = array("b")
        self.groups = array("i")
        self.tasks = array("l")
        self.thinned: Rows[Thin] = Rows()
        self._cell = _SHORTEST
        self._last: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_thinned(self) -> bool:
        """Whether some are drawn together."""
        return len(self.thinned.rows) < len(self) - RECENT

    def add(self, task: LiveTask, row: int, left: float, right: float, end_state: str) -> int:
        """Add an attempt that is over; its place.  O(1), in the mean of many."""
        self.rows.append(row)
        self.lefts.append(left)
        self.rights.append(right)
        self.end_states.append(END_STATES.index(end_state))
        self.groups.append(task.group)
        self.tasks.append(task.number)
        old = len(self) - 1 - RECENT
        if old >= 0:
            self._thin(self.thin(old))
            if len(self.thinned.rows) > self._room:
                self._coarsen()
        return len(self) - 1

    @property
    def _room(self) -> int:
        """How many there may be: with many engines more, since each has one at least."""
        return max(THINNED, 4 * len(self._last))

    def thin(self, place: int) -> Thin:
        """One attempt, as a bar of its own."""
        left, right = self.lefts[place], self.rights[place]
        return Thin(
            self.rows[place],
            left,
            right,
            self.end_states[place],
            self.groups[place],
            self.tasks[place],
            right - left,
            1,
        )

    def _thin(self, bar: Thin) -> None:
        """Draw a bar together with the one before it on its engine, if both are short."""
        place = self._last.get(bar.row)
        if place is not None:
            before = self.thinned.rows[place]
            is_short = max(bar.longest, before.longest) < self._cell
            if is_short and bar.right - before.left <= self._cell:
                self.thinned.change(place, _together(before, bar))
                return
        self._last[bar.row] = self.thinned.append(bar)

    def _coarsen(self) -> None:
        """Draw more of them together, until half of the room is free again."""
        while len(self.thinned.rows) > self._room // 2:
            bars, self._last = self.thinned.rows, {}
            self.thinned.replace([])
            self._cell *= 2
            for bar in bars:
                self._thin(bar)
        self.thinned.changed = []  # all of them are new to readers


def _together(first: Thin, second: Thin) -> Thin:
    longest = first if first.longest >= second.longest else second
    return Thin(
        first.row,
        first.left,
        max(first.right, second.right),
        max(first.end_state, second.end_state),
        longest.group,
        longest.task,
        longest.longest,
        first.number + second.number,
    )
