"""What an operator should know: as data.

`ipp_richsched.wire.notices` turns it into sentences.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from .reasons import Reason, Stranded


@dataclass(frozen=True, slots=True)
class TaskRetried:
    """An attempt of a task failed, and it is tried again.

    Attributes
    ----------
    msg_id : str
        The task.
    reason : Reason
        Why the attempt failed.
    retries_left : int
        How many more failed attempts may be followed by another.
    """

    msg_id: str
    reason: Reason
    retries_left: int


@dataclass(frozen=True, slots=True)
class TaskStranded:
    """No registered engine runs a task; it waits.

    Attributes
    ----------
    msg_id : str
        The task.
    reason : Stranded
        Why they do not.
    """

    msg_id: str
    reason: Stranded


@dataclass(frozen=True, slots=True)
class ReplyDiscarded:
    """An engine answered a task that it does not hold, or an earlier attempt of it.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    msg_id : str
        The task.
    """

    engine: bytes
    msg_id: str


class Oddity(enum.Enum):
    """What can be odd about an engine."""

    ANNOUNCED_TWICE = "the hub announced it, and it was registered already"
    UNKNOWN_AND_GONE = "the hub said that it is gone, and it was not registered"
    NOT_REACHED = "it is registered, and has had no connection for a while"


@dataclass(frozen=True, slots=True)
class EngineNotice:
    """Something odd about an engine.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    oddity : Oddity
        What is odd.
    """

    engine: bytes
    oddity: Oddity


@dataclass(frozen=True, slots=True)
class EngineGone:
    """An engine is gone that held tasks.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    held : int
        How many it held.
    """

    engine: bytes
    held: int


@dataclass(frozen=True, slots=True)
class NoEngine:
    """Tasks wait, and no engine is registered.

    Attributes
    ----------
    tasks : int
        How many tasks are not finished.
    """

    tasks: int


@dataclass(frozen=True, slots=True)
class NoRoomForValue:
    """A value that tasks need is not held: its client will be asked to send it.

    Attributes
    ----------
    msg_id : str
        The task whose value it is.
    size : int
        How many bytes it has.
    held : int
        How many bytes of other values are held.
    """

    msg_id: str
    size: int
    held: int


@dataclass(frozen=True, slots=True)
class SchemeFailed:
    """A user's own scheme raised or returned no index; `leastload` chose instead.

    Attributes
    ----------
    problem : str
        What it did.
    """

    problem: str


@dataclass(frozen=True, slots=True)
class TraceFailed:
    """The trace of the core raised; it is told of nothing any more.

    Attributes
    ----------
    problem : str
        The error.
    """

    problem: str


Notice: TypeAlias = (
    TaskRetried
    | TaskStranded
    | ReplyDiscarded
    | EngineNotice
    | EngineGone
    | NoEngine
    | NoRoomForValue
    | SchemeFailed
    | TraceFailed
)
"""What an operator should know."""
