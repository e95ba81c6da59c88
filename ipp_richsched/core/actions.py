"""What to do: the output of `SchedulerCore.handle`, to be carried out in order."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class Reason(enum.Enum):
    """Why a task is failed by the scheduler; the values are names of exceptions."""

    INVALID_DEPENDENCY = "InvalidDependency"
    IMPOSSIBLE_DEPENDENCY = "ImpossibleDependency"
    TASK_TIMEOUT = "TaskTimeout"
    ENGINE_ERROR = "EngineError"
    INVALID_METADATA = "ValueError"
    INTERNAL_ERROR = "RuntimeError"


@dataclass(slots=True)
class AssignTask:
    """Send a task to an engine and tell the hub.

    If it cannot be sent, `EngineUnreachable` or `SendingFailed` is to follow.  It is void if it
    no longer `SchedulerCore.stands` when it is carried out.  `again` is 0, or the number of the
    attempt where the engine has had the task before: an engine drops a message that it has seen,
    so this one must differ.
    """

    msg_id: str
    engine: bytes
    message: Any = field(repr=False)
    again: int = 0
    attempt: int = field(default=0, compare=False)


@dataclass(slots=True)
class RelayReply:
    """Pass an engine's reply on to the client and the hub."""

    msg_id: str
    engine: bytes
    message: Any = field(repr=False)
    reply: Any = field(repr=False)


@dataclass(slots=True)
class FailTask:
    """Answer a task with an error of the scheduler's own.

    `engine` is the engine that is to blame, if one is.
    """

    msg_id: str
    reason: Reason
    text: str
    message: Any = field(repr=False)
    engine: bytes | None = None


@dataclass(slots=True)
class RefuseTask:
    """Refuse a task under the msg_id of an earlier one, which alone counts.

    `first` is what the shell needs to answer that one, None if it is finished.
    """

    msg_id: str
    message: Any = field(repr=False)
    first: Any = field(default=None, repr=False)


@dataclass(slots=True)
class Warn:
    """Put a line into the log for the operator."""

    text: str


Action = AssignTask | RelayReply | FailTask | RefuseTask | Warn
