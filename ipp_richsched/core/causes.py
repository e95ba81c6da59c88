"""With what chains of failures began, as far as it is remembered."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

from .failures import Cause

Place: TypeAlias = tuple[float, bool, str]

REMEMBERED = 1_000
"""Of how many failed tasks the cause is known; those that were asked for last stay."""


class Causes:
    """The cause of each task that failed of late; every operation is O(1)."""

    def __init__(self) -> None:
        # with the place of the cause in the order of all, and the label of the task
        self._causes: OrderedDict[str, tuple[int, Cause, str | None]] = OrderedDict()
        self._number = 0

    def record(self, msg_id: str, cause: Cause, label: str | None = None) -> None:
        """Keep the cause of a task's failure; its own, or that of a task that it depended on."""
        number, *_ = self._causes.get(cause.msg_id, (self._number, cause))
        self._number += 1
        self._causes[msg_id] = number, cause, label
        if len(self._causes) > REMEMBERED:
            self._causes.popitem(last=False)

    def of(self, msg_id: str) -> Cause | None:
        """The cause of a task's failure, if it is known; it is remembered no longer for that."""
        known = self._causes.get(msg_id)
        return known[1] if known is not None else None

    def label_of(self, msg_id: str) -> str | None:
        """The label of a task that failed, if it is known."""
        known = self._causes.get(msg_id)
        return known[2] if known is not None else None

    def place_of(self, msg_id: str) -> Place:
        """Where a task is among others that failed: in the order in which their failures began."""
        known = self._causes.get(msg_id)
        if known is None:
            return math.inf, True, msg_id
        return known[0], known[1].msg_id != msg_id, msg_id

    def first_of(self, msg_ids: Iterable[str]) -> Cause | None:
        """The earliest cause of these tasks, of those that are known; O(msg_ids)."""
        known = [msg_id for msg_id in msg_ids if msg_id in self._causes]
        for msg_id in known:
            self._causes.move_to_end(msg_id)
        first = min(known, key=self.place_of, default=None)
        return self._causes[first][1] if first is not None else None
