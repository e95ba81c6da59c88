"""The lines of an event log, written and read back.

`docs/event_log.md` describes them.  A file begins with a header: the format, the settings, what
the time was.  Then each step of the core has a line: its time, its event, and the actions that
it led to.  No message is in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as text_of_str
from typing import Any, NamedTuple, TypeAlias

from .actions import Action
from .codec import CodecError, from_plain, to_plain
from .events import Event
from .fast_codec import COMPACT, to_json
from .settings import Settings

NAME = "ipp_richsched event log"
"""The name of the format: it stands in the first line of each file."""

VERSION = 1
"""The version of the format."""


class LogError(ValueError):
    """A line, or a log, cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a file.

    Attributes
    ----------
    settings : Settings
        Those of the core, with its seed.
    run : str
        What names the run of a scheduler: it is the same in all its files.
    part : int
        Which of the files of the run this is; 1 for the first.
    wall, now : float
        When the file was begun: in seconds since 1970, and on the clock of the steps.
    package : str
        The version of this package.
    replayable : bool
        Whether the same events lead to the same actions: not where a subclass counts loads itself.
    engines : mapping of str to str
        What people call the engines that are registered, by their identities.
    """

    settings: Settings
    run: str
    part: int
    wall: float
    now: float
    package: str = ""
    replayable: bool = True
    engines: Mapping[str, str] = field(default_factory=dict)


class Step(NamedTuple):
    """A step of the core, not looked into yet: `event_of` and `actions_of` do that.

    Attributes
    ----------
    now : float
        Its time.
    event : object
        The event, as plain data.
    actions : object
        The actions, as plain data.
    called : str
        What people call the engine that was registered, if one was.
    """

    now: float
    event: Any
    actions: Any
    called: str = ""


class Gap(NamedTuple):
    """Steps are missing here: they could not be written.

    Attributes
    ----------
    lost : int
        How many.
    """

    lost: int


Line: TypeAlias = Header | Step | Gap
"""What a line can be."""


def header_line(header: Header) -> str:
    """Write the first line of a file."""
    line = {
        "format": NAME,
        "version": VERSION,
        "package": header.package,
        "run": header.run,
        "part": header.part,
        "wall": header.wall,
        "now": header.now,
        "replayable": header.replayable,
        "settings": to_plain(header.settings),
        "engines": dict(header.engines),
    }
    return json.dumps(line, separators=COMPACT) + "\n"


def step_line(now: float, event: Event, actions: Iterable[Action], called: str = "") -> str:
    """Write a step; `called` is what people call the engine that it registers."""
    last = f',"called":{text_of_str(called)}' if called else ""
    decided = ",".join(map(to_json, actions))
    return f'{{"now":{now!r},"event":{to_json(event)},"actions":[{decided}]{last}}}\n'


def gap_line(lost: int) -> str:
    """Write that so many steps are missing."""
    return f'{{"lost":{lost}}}\n'


def read_line(line: str) -> Line:
    """Read a line.

    Raises
    ------
    LogError
        If it is none of an event log, or of another version.
    """
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError):
        raise LogError("it is no JSON") from None
    if not isinstance(plain, dict):
        raise LogError("it is no JSON object")
    try:
        if "format" in plain:
            return _read_header(plain)
        if "lost" in plain:
            return Gap(int(plain["lost"]))
        return Step(
            float(plain["now"]), plain["event"], plain["actions"], str(plain.get("called", ""))
        )
    except KeyError as error:
        raise LogError(f"it has no {error}") from None
    except (CodecError, TypeError, ValueError) as error:
        raise LogError(f"{error}") from None


def _read_header(plain: dict[str, Any]) -> Header:
    if plain["format"] != NAME:
        raise LogError(f"its format is {plain['format']!r:.100}, not {NAME!r}")
    if plain["version"] != VERSION:
        raise LogError(
            f"its version is {plain['version']!r:.100}, and this version of ipp_richsched reads"
            f" version {VERSION}"
        )
    return Header(
        from_plain(plain["settings"], Settings),
        str(plain["run"]),
        int(plain["part"]),
        float(plain["wall"]),
        float(plain["now"]),
        str(plain["package"]),
        bool(plain["replayable"]),
        {str(engine): str(called) for engine, called in dict(plain["engines"]).items()},
    )


def event_of(step: Step) -> Event:
    """Read the event of a step; raises LogError if there is none."""
    try:
        event: Event = from_plain(step.event, Event)
    except CodecError as error:
        raise LogError(f"{error}") from None
    return event


def actions_of(step: Step) -> tuple[Action, ...]:
    """Read the actions of a step; raises LogError if one is none."""
    try:
        actions: tuple[Action, ...] = from_plain(step.actions, tuple[Action, ...])
    except CodecError as error:
        raise LogError(f"{error}") from None
    return actions
