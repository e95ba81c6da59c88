"""With what chains of failures began, as far as it is remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from .failures import Cause

REMEMBERED = 1_000
"""Of how many failed tasks the cause is known; those that were asked for last stay."""


class Causes:
    """The cause of each task that failed of late; every operation is O(1)."""

    def __init__(self) -> None:
        # with the place of the cause in the order of all
        self._causes: OrderedDict[str, tuple[int, Cause]] = OrderedDict()
        self._number = 0

    def record(self, msg_id: str, cause: Cause) -> None:
        """Keep the cause of a task's failure; its own, or that of a task that it depended on."""
        number, _ = self._causes.get(cause.msg_id, (self._number, cause))
        self._number += 1
        self._causes[msg_id] = number, cause
        if len(self._causes) > REMEMBERED:
            self._causes.popitem(last=False)

    def of(self, msg_id: str) -> Cause | None:
        """The cause of a task's failure, if it is known; it is remembered no longer for that."""
        _, cause = self._causes.get(msg_id, (0, None))
        return cause

    def first_of(self, msg_ids: Iterable[str]) -> Cause | None:
        """The earliest cause of these tasks, of those that are known; O(msg_ids)."""
        known = [msg_id for msg_id in msg_ids if msg_id in self._causes]
        for msg_id in known:
            self._causes.move_to_end(msg_id)
        return min((self._causes[msg_id] for msg_id in known), default=(0, None))[1]
