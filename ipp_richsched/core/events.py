"""What happened: the input of `SchedulerCore.handle`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .dependency import NOTHING, Dependency


@dataclass(slots=True)
class EngineRegistered:
    """The hub knows a new engine."""

    engine: bytes


@dataclass(slots=True)
class EngineUnregistered:
    """The hub says that an engine is gone."""

    engine: bytes


@dataclass(slots=True)
class EngineUnreachable:
    """An `AssignTask` could not be carried out: the engine has no connection (yet, or any more).

    It may come after other events; the task may have left the engine in the meantime.
    """

    engine: bytes
    msg_id: str


@dataclass(slots=True)
class SendingFailed:
    """An `AssignTask` could not be carried out, for an error in the scheduler itself.

    As `EngineUnreachable` it may come late.
    """

    engine: bytes
    msg_id: str


@dataclass(slots=True)
class TaskSubmitted:
    """A client submitted a task; see `Task` for the fields."""

    msg_id: str
    message: Any = field(default=None, repr=False)
    targets: frozenset[bytes] | None = None
    after: Dependency = NOTHING
    follow: Dependency = NOTHING
    timeout: float | None = None
    retries: int = 0


@dataclass(slots=True)
class TaskRejected:
    """A client submitted a task that cannot be accepted; `text` says why."""

    msg_id: str
    text: str
    message: Any = field(default=None, repr=False)


@dataclass(slots=True)
class TaskReplied:
    """An engine answered.

    Attributes
    ----------
    engine : bytes
    msg_id : str
    status : str or None
        ``'ok'``, ``'error'``, ``'aborted'``; None where the reply has none.
    dependencies_met : bool
        False where the engine refused the task: its functional dependency is unmet there.
    message : object
        What the shell relays.
    problem : str or None
        What is wrong with the reply, where that is why it has no status.
    """

    engine: bytes
    msg_id: str
    status: str | None
    dependencies_met: bool = True
    message: Any = field(default=None, repr=False)
    problem: str | None = None


@dataclass(slots=True)
class TimePassed:
    """`SchedulerCore.next_deadline` has come."""


Event = (
    EngineRegistered
    | EngineUnregistered
    | EngineUnreachable
    | SendingFailed
    | TaskSubmitted
    | TaskRejected
    | TaskReplied
    | TimePassed
)
