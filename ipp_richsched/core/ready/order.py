"""Which task is next.

A task's rank is the one sort key that decides wherever order matters: the lowest rank is next,
and no two tasks have the same.  A rank may change while its task is queued: see
`ReadyQueue.change_rank`.

A rank is one number, so that it is compared as fast as can be.  It is made of the place of the
task in the order of submission and, far above that, of its priority.  With aging, the time of
submission counts like a priority: all tasks age at the same pace, so the order of two of them
never changes by waiting.
"""

from __future__ import annotations

from typing import TypeAlias

Rank: TypeAlias = int

_PLACES = 1 << 64
"""More than there can be tasks."""

_PARTS = 1 << 20
"""Into how many parts a step of priority is divided, if tasks age."""


class Order:
    """Gives tasks their ranks.

    Parameters
    ----------
    aging : float or None
        How many seconds of waiting are worth one step of priority; None if none are.

    Attributes
    ----------
    step : int
        By how much a rank is lower for one step of priority more.
    is_flat : bool
        Whether no task had a priority so far.
    """

    def __init__(self, aging: float | None) -> None:
        self._aging = aging
        self.step = _PLACES if aging is None else _PLACES * _PARTS
        self.is_flat = True
        self._place = 0
        self._lowest = 0  # of all priorities so far

    def rank_of_next(self, now: float, priority: int) -> Rank:
        """The rank of the next task that is submitted."""
        self._place = rank = self._place + 1
        if self._aging is not None:
            rank += int(now / self._aging * _PARTS) * _PLACES
        if priority:
            self.is_flat = False
            self._lowest = min(self._lowest, priority)
            rank -= priority * self.step
        return rank

    def rank_behind(self, now: float) -> Rank:
        """A rank behind those of all tasks that are there, though not of those that will come."""
        return self.rank_of_next(now, self._lowest)
