"""How long messages may have to wait until the loop gets to them."""

from __future__ import annotations

SPAN = 30.0
"""Seconds; the longest turn of the last two of these spans counts."""


class Lag:
    """The longest turn of the last minute: for so long nothing is read that has come."""

    def __init__(self) -> None:
        self._began = 0.0
        self._longest = self._before = 0.0

    def note(self, start: float, end: float) -> None:
        """Take in a turn of the loop."""
        if start >= self._began + SPAN:
            self._next_span(start)
        if end - start > self._longest:
            self._longest = end - start

    def seconds(self, now: float) -> float:
        """How long it was."""
        self._next_span(now)
        return max(self._longest, self._before)

    def _next_span(self, now: float) -> None:
        if now >= self._began + SPAN:
            self._before = self._longest if now < self._began + 2 * SPAN else 0.0
            self._began, self._longest = now, 0.0
