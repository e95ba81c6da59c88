"""Timeouts and grace periods, earliest first."""

from __future__ import annotations

import enum
import heapq
from typing import Any


class Kind(enum.Enum):
    """What ends at a deadline."""

    TIMEOUT = "a task's time in the queue"
    STRANDED = "a task's wait for an engine that could take it"
    RETRY = "the time before engines that failed a task may try it again"
    ASK_AGAIN = "the pause before engines that refused a task are asked again"
    BUSY = "the time before an engine that was busy may try a task again"
    RUN = "the time that an engine may take for a task"
    GRACE = "the time in which a dead engine's replies still count"
    PAUSE = "the pause of an engine that could not be reached"
    INTERRUPT = "the time in which an engine that was interrupted gets no other task"
    PROBE = "the time before an engine is asked about the tasks that it holds"
    LOST = "the time in which answers may still come that were overtaken by that to a question"
    VALUE = "the time in which a client should send the value of an argument"
    NO_ENGINE = "the time before it is said again that tasks wait and no engine is there"


class Entry:
    """One deadline.

    Attributes
    ----------
    when : float
        When it falls due, in seconds.
    number : int
        Its place in the order of setting, which decides among those of the same time.
    kind : Kind
        What ends then.
    subject : object
        The task, the engine or whatever else it is about; None once it is cancelled.
    """

    __slots__ = ("kind", "number", "subject", "when")

    def __init__(self, when: float, number: int, kind: Kind, subject: Any) -> None:
        self.when = when
        self.number = number
        self.kind = kind
        self.subject = subject

    def __lt__(self, other: Entry) -> bool:
        return (self.when, self.number) < (other.when, other.number)


class Deadlines:
    """A heap of deadlines; cancelled ones stay in it until they surface or are swept.

    `add` costs O(log n), `cancel` O(1) amortized, `pop_due` O(log n) each.
    """

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._cancelled = 0
        self._number = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def add(self, when: float, kind: Kind, subject: Any) -> Entry:
        """Set a deadline; those set for the same time fall due in the order of setting."""
        self._number += 1
        entry = Entry(when, self._number, kind, subject)
        heapq.heappush(self._heap, entry)
        return entry

    def cancel(self, entry: Entry) -> None:
        """Forget a deadline that has not fallen due."""
        entry.subject = None
        self._cancelled += 1
        if self._cancelled > 64 + len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry.subject is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        while self._heap:
            if self._heap[0].subject is not None:
                return self._heap[0].when
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return None

    def pop_due(self, now: float) -> Entry | None:
        """Take out the earliest deadline if it has come."""
        when = self.next()
        if when is None or when > now:
            return None
        return heapq.heappop(self._heap)
