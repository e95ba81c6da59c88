"""Which task is next.

A task's rank is the one sort key that decides wherever order matters: the lowest rank is next,
and no two tasks have the same.  A rank may change while its task is queued: see
`ReadyQueue.change_rank`.
"""

from __future__ import annotations

from typing import TypeAlias

Rank: TypeAlias = int


def rank_of(place: int) -> Rank:
    """The rank of the task that was submitted in this place, the first being 1."""
    return place
