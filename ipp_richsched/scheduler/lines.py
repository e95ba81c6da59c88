"""Lines for the log: a bounded number, however much goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..wire.checks import printable

AT_ONCE = 20
"""How many lines of one kind are written at once where each says something of its own."""

KINDS = 200
"""How many kinds are told apart; what else comes is one kind."""

FIRST_INTERVAL, LONGEST_INTERVAL = 10.0, 3600.0
"""Seconds until those that were not written are counted, doubled each time.  A kind of which
nothing came for the longest is forgotten: the next line is its first again."""


class _Kind:
    """Lines that say the same of different tasks or engines.

    Attributes
    ----------
    left : int
        How many more are written at once.
    interval : float
        How long the present interval is, in seconds.
    ends : float
        When it ends.
    held_back : int
        How many were not written in it.
    latest : str
        The last of them.
    silent_since : float
        When the last line of this kind came.
    """

    __slots__ = ("ends", "held_back", "interval", "latest", "left", "silent_since")

    def __init__(self, left: int, now: float) -> None:
        self.left = left
        self.interval = FIRST_INTERVAL
        self.ends = now + FIRST_INTERVAL
        self.held_back = 0
        self.latest = ""
        self.silent_since = now


class Lines:
    """Writes the first of each kind, and at growing intervals how many followed.

    Parameters
    ----------
    log : logging.Logger
        Where the lines go, as warnings.
    loop : tornado.ioloop.IOLoop
        What calls back when an interval ends.
    clock : callable
        The time in seconds; it never goes back.
    """

    def __init__(self, log: logging.Logger, loop: Any, clock: Callable[[], float]) -> None:
        self._log = log
        self._loop = loop
        self._clock = clock
        self._kinds: dict[object, _Kind] = {}
        self._alarm: object | None = None

    def put(self, kind: object, text: str, at_once: int = 1) -> None:
        """Write a line, or count it.

        Parameters
        ----------
        kind : hashable
            What all lines have in common that are counted together.
        text : str
            The line.
        at_once : int
            How many lines of this kind are written before they are only counted.
        """
        now = self._clock()
        if kind not in self._kinds and len(self._kinds) >= KINDS:
            kind = None
        state = self._kinds.get(kind)
        if state is None:
            state = self._kinds[kind] = _Kind(at_once, now)
            if self._alarm is None:
                self._alarm = self._loop.call_later(FIRST_INTERVAL, self._count)
        state.silent_since = now
        if state.left > 0:
            state.left -= 1
            self._log.warning("task::%s", printable(text))
        else:
            state.held_back += 1
            state.latest = text

    def _count(self) -> None:
        """Say how many lines were held back, for each kind whose interval has ended."""
        now = self._clock()
        for kind, state in list(self._kinds.items()):
            if state.ends > now:
                continue
            if not state.held_back:
                state.ends = now + state.interval
                if now - state.silent_since >= LONGEST_INTERVAL:
                    del self._kinds[kind]
                continue
            text, number = printable(state.latest), state.held_back
            how_many = "once more" if number == 1 else f"{number:,} more times"
            self._log.warning("task::%s in %g s, the last: %s", how_many, state.interval, text)
            state.interval = min(2 * state.interval, LONGEST_INTERVAL)
            state.ends, state.held_back = now + state.interval, 0
        self._alarm = None
        if self._kinds:
            first = min(state.ends for state in self._kinds.values())
            self._alarm = self._loop.call_later(max(0.0, first - now), self._count)
