"""With what chains of failures began, as far as it is remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from .reasons import Cause

REMEMBERED = 1_000
"""Of how many failed tasks the cause is known; those that were asked for last stay."""


class Causes:
    """The cause of each task that failed of late; every operation is O(1)."""

    def __init__(self) -> None:
        self._causes: OrderedDict[str, Cause] = OrderedDict()

    def record(self, msg_id: str, cause: Cause) -> None:
        """Keep the cause of a task's failure; its own, or that of a task that it depended on."""
        self._causes[msg_id] = cause
        if len(self._causes) > REMEMBERED:
            self._causes.popitem(last=False)

    def first_of(self, msg_ids: Iterable[str]) -> Cause | None:
        """The cause of the first of these tasks of which one is known; O(msg_ids)."""
        for msg_id in msg_ids:
            if msg_id in self._causes:
                self._causes.move_to_end(msg_id)
                return self._causes[msg_id]
        return None
