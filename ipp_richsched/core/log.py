"""A log of events, and whether the same events give the same actions again.

The first line of a log says which format it has and what the settings were.  Each other line is
a step of the core: its time, its event, and the actions that it led to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from .actions import Action
from .codec import CodecError, from_plain, to_plain
from .events import Event
from .machine import SchedulerCore
from .settings import Settings
from .story import CoreError

FORMAT = 1
"""The version of the format."""


class LogError(ValueError):
    """A log cannot be read; the text names the line."""


def write_log(write: Callable[[str], object], settings: Settings) -> Callable[..., None]:
    """Begin a log.

    Parameters
    ----------
    write : callable
        Called with each line, its end included.
    settings : Settings
        Those of the core whose steps are to be written.

    Returns
    -------
    callable
        The `trace` for that core.
    """

    def trace(now: float, event: Event, actions: list[Action]) -> None:
        """Write one step."""
        line = {"now": now, "event": to_plain(event), "actions": to_plain(actions)}
        write(json.dumps(line) + "\n")

    write(json.dumps({"format": FORMAT, "settings": to_plain(settings)}) + "\n")
    return trace


def replay(lines: Iterable[str]) -> tuple[int, str]:
    """Feed a log to a new core.

    Parameters
    ----------
    lines : iterable of str
        The lines of the log.

    Returns
    -------
    int
        How many events were fed.
    str
        Where the new core did something else than the log says, and what; empty if nowhere.

    Raises
    ------
    LogError
        If a line cannot be read.
    """
    core: SchedulerCore | None = None
    number = 0
    for number, line in enumerate(lines):
        try:
            entry = json.loads(line)
            if core is None:
                if entry.get("format") != FORMAT:
                    raise LogError(f"its format is {entry.get('format')!r}, not {FORMAT}")
                core = SchedulerCore(from_plain(entry["settings"], Settings))
                continue
            event, now = from_plain(entry["event"], Event), entry["now"]
            expected = from_plain(entry["actions"], tuple[Action, ...])
        except (LogError, CodecError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LogError(f"line {number + 1} of the log: {error}") from None
        try:
            actions = core.handle(event, now=now)
        except CoreError as error:
            actions = error.actions
        written = from_plain(to_plain(actions), tuple[Action, ...])
        if written != expected:
            return number, f"line {number + 1}: {event} led to {written}, and then to {expected}"
    return number, ""
