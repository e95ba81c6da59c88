"""The event log: the steps of the core, on their way to a file.

The scheduler must not wait for a disk, which may be full, or far away and out of reach.  So lines
are gathered, and a thread writes them.  What it cannot write is lost, counted, and said; the
scheduler goes on without.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ..core.actions import Action
from ..core.events import EngineRegistered, Event
from ..core.log import gap_line, step_line
from .event_file import EventFile

INTERVAL = 0.5
"""Seconds for which lines are gathered: what a scheduler that is killed may lose."""

AT_ONCE = 2_000
"""How many lines are gathered at most."""

QUEUED = 100
"""How often so many may wait for the thread; what comes then is lost."""

PAUSE = 30.0
"""Seconds until it is tried again to write, after an error."""

PATIENCE = 5.0
"""Seconds for which the end of the process waits for the last lines, at most."""


class EventLog:
    """Writes the steps of a core.

    Parameters
    ----------
    file : EventFile
        Where they go.
    loop : tornado.ioloop.IOLoop
        What calls back when lines have to be written.
    called : callable
        What people call an engine, given its identity.
    say, warn : callable
        Called in the loop with what the operator should know.
    """

    def __init__(
        self,
        file: EventFile,
        loop: Any,
        called: Callable[[bytes], str],
        say: Callable[[str], object],
        warn: Callable[[str], object],
    ) -> None:
        self._loop = loop
        self._called = called
        self._warn = warn
        self._lines: list[str] = []
        self._lost = 0
        self._alarm: object | None = None
        self._queue: queue.Queue[tuple[list[str], int] | None] = queue.Queue(QUEUED)
        writer = _Writer(file, self._in_loop(say), self._in_loop(warn))
        # One that hangs in a write must not keep the process from ending.
        self._thread = threading.Thread(
            target=writer.run, args=(self._queue.get,), name="event log", daemon=True
        )
        self._thread.start()

    def trace(self, now: float, event: Event, actions: list[Action]) -> None:
        """Take in a step of the core."""
        called = self._called(event.engine) if type(event) is EngineRegistered else ""
        self._lines.append(step_line(now, event, actions, called))
        if self._alarm is None:
            self._alarm = self._loop.call_later(INTERVAL, self._hand_over)
        elif len(self._lines) >= AT_ONCE:
            self._loop.remove_timeout(self._alarm)
            self._hand_over()

    def close(self) -> None:
        """Write what there is, and no more; wait for `PATIENCE` at most."""
        self._hand_over()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(PATIENCE)

    def _hand_over(self) -> None:
        """Have the thread write what was gathered."""
        self._alarm = None
        lines, self._lines = self._lines, []
        try:
            self._queue.put_nowait((lines, self._lost))
            self._lost = 0
        except queue.Full:
            if not self._lost:
                self._warn("the event log hangs: the scheduler goes on, and events are lost")
            self._lost += len(lines)

    def _in_loop(self, function: Callable[[str], object]) -> Callable[[str], object]:
        """The same, to be called in the thread."""
        return lambda text: self._loop.add_callback(partial(function, text))


class _Writer:
    """What the thread does.

    Parameters
    ----------
    file : EventFile
        Where lines go.
    say, warn : callable
        Called with what the operator should know.
    """

    def __init__(
        self, file: EventFile, say: Callable[[str], object], warn: Callable[[str], object]
    ) -> None:
        self._file = file
        self._say = say
        self._warn = warn
        self._missing = 0
        self._try_again: float | None = None  # while it fails

    def run(self, get: Callable[[], tuple[list[str], int] | None]) -> None:
        """Write all that comes, until None does."""
        self._write([], 0)  # so that the file is there from the start
        if self._try_again is None:
            self._say(f"the event log is {self._file.path}")
        while (batch := get()) is not None:
            self._write(*batch)
        self._file.close()

    def _write(self, lines: list[str], lost: int) -> None:
        """Write some lines; `lost` is how many before them did not come here."""
        lost += self._missing
        self._missing = lost + len(lines)
        if self._try_again is not None and time.monotonic() < self._try_again:
            return
        try:
            self._file.write((gap_line(lost) if lost else "") + "".join(lines))
        except Exception as error:
            if self._try_again is None:
                self._warn(
                    "the event log cannot be written, and the scheduler goes on without:"
                    f" {error}; it is tried again each {PAUSE:g} s"
                )
            self._try_again = time.monotonic() + PAUSE
            return
        self._missing = 0
        if lost or self._try_again is not None:
            self._warn(f"the event log {self._file.path} goes on; {lost:,} events are missing")
        self._try_again = None
