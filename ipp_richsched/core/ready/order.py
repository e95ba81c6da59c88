"""Which task is next.

A task's rank is the one sort key that decides wherever order matters: the lowest rank is next,
and no two tasks have the same.  A rank may change while its task is queued: see
`ReadyQueue.change_rank`.

A rank is one number, so that it is compared as fast as can be.  It is made of the place of the
task in the order of submission; above that, if tasks with a long path come first, of the length of
its path (see `critical_path`); and far above that, of its priority.  With aging, the time of
submission counts like a priority: all tasks age at the same pace, so the order of two of them
never changes by waiting.  Where paths count, only whole steps of it do.
"""

from __future__ import annotations

from typing import TypeAlias

Rank: TypeAlias = int

_PLACES = 1 << 64
"""More than there can be tasks."""

_PARTS = 1 << 20
"""Into how many parts a step of priority is divided, if tasks age."""

_LENGTHS = 1 << 60
"""More milliseconds than a path can have."""


class Order:
    """Gives tasks their ranks.

    Parameters
    ----------
    aging : float or None
        How many seconds of waiting are worth one step of priority; None if none are.
    by_path : bool
        Whether tasks with a long path come first.

    Attributes
    ----------
    step : int
        By how much a rank is lower for one step of priority more.
    is_flat : bool
        Whether no task had a priority so far.
    """

    def __init__(self, aging: float | None, by_path: bool = False) -> None:
        self._aging = aging
        parts = 1 if aging is None else _PARTS
        self._parts = 1 if by_path else parts
        self._shortest = (_LENGTHS - 1) * _PLACES if by_path else 0
        self.step = _PLACES * (_LENGTHS if by_path else parts)
        self.is_flat = True
        self._place = 0
        self._lowest = 0  # of all priorities so far

    def rank_of_next(self, now: float, priority: int) -> Rank:
        """The rank of the next task that is submitted."""
        self._place += 1
        rank = self._place + self._shortest
        if self._aging is not None:
            rank += int(now / self._aging * self._parts) * (self.step // self._parts)
        if priority:
            self.is_flat = False
            self._lowest = min(self._lowest, priority)
            rank -= priority * self.step
        return rank

    def with_path(self, rank: Rank, seconds: float) -> Rank:
        """A rank with the path of its task put right."""
        length = int(min(1000 * seconds, _LENGTHS - 1))  # a sum of large costs is infinite
        return rank - rank % self.step + (_LENGTHS - 1 - length) * _PLACES + rank % _PLACES

    def rank_behind(self, now: float) -> Rank:
        """A rank behind those of all tasks that are there, though not of those that will come."""
        return self.rank_of_next(now, self._lowest)
