"""Why a task has failed, or its attempt: as data.

`ipp_richsched.wire.texts` turns it into sentences, so that the core knows no language.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

SHOWN = 3
"""How many names of a list are kept."""


class Few(NamedTuple):
    """A few names of many.

    Attributes
    ----------
    names : tuple of str
        The first of them in alphabetical order, `SHOWN` at most.
    more : int
        How many others there are.
    """

    names: tuple[str, ...] = ()
    more: int = 0


NO_NAMES = Few()
"""No names at all."""


def few(names: Iterable[str]) -> Few:
    """The first few names of many; O(n log n)."""
    ordered = sorted(names)
    return Few(tuple(ordered[:SHOWN]), max(0, len(ordered) - SHOWN))


def engine_name(ident: bytes) -> str:
    """An engine's identity as text."""
    return ident.decode("utf-8", "backslashreplace")


class Failure(enum.Enum):
    """The kinds of reasons: each reaches the client as an error of its own."""

    INVALID_METADATA = "its metadata cannot be accepted"
    INVALID_DEPENDENCY = "it depends on itself, or on no task of this scheduler"
    IMPOSSIBLE_DEPENDENCY = "what it depends on can never be met"
    TASK_TIMEOUT = "it waited too long in the queue"
    ENGINE_ERROR = "the engine that had it is gone, or gave no answer that can be relayed"
    INTERNAL_ERROR = "an error in the scheduler itself"


@dataclass(frozen=True, slots=True)
class InvalidMetadata:
    """A client asked for something that cannot be.

    Attributes
    ----------
    problem : str
        The field, its value, and what is wrong with it.
    """

    failure: ClassVar[Failure] = Failure.INVALID_METADATA
    problem: str


@dataclass(frozen=True, slots=True)
class InvalidDependency:
    """A dependency names what cannot be depended on.

    Attributes
    ----------
    field : str
        ``'after'`` or ``'follow'``.
    msg_id : str
        The task itself, or an id that no task of this scheduler has.
    itself : bool
        Whether it is the task itself.
    """

    failure: ClassVar[Failure] = Failure.INVALID_DEPENDENCY
    field: str
    msg_id: str
    itself: bool


class TaskError(NamedTuple):
    """What a task raised, as its engine says.

    Attributes
    ----------
    ename : str
        The name of the exception.
    evalue : str
        The beginning of its text.
    """

    ename: str
    evalue: str


class Cause(NamedTuple):
    """The failure with which a chain of failures began.

    Attributes
    ----------
    msg_id : str
        The task that failed.
    error : TaskError or None
        What it raised.
    failure : Failure or None
        Why it failed, if it did not raise.
    """

    msg_id: str
    error: TaskError | None = None
    failure: Failure | None = None


class Ended(NamedTuple):
    """A task that finished in a way that does not count.

    Attributes
    ----------
    msg_id : str
        The task.
    succeeded : bool
        How it finished.
    ran_nowhere : bool
        Whether its outcome would count, if only it had run: nobody can follow it.
    """

    msg_id: str
    succeeded: bool
    ran_nowhere: bool


@dataclass(frozen=True, slots=True)
class UnreachableDependency:
    """What a task depends on has finished in a way that does not count.

    Attributes
    ----------
    field : str
        ``'after'`` or ``'follow'``.
    ended : tuple of Ended
        The first few of those that finished so.
    more : int
        How many others did.
    cause : Cause or None
        The failure with which it began, if it is a failure and still known.
    """

    failure: ClassVar[Failure] = Failure.IMPOSSIBLE_DEPENDENCY
    field: str
    ended: tuple[Ended, ...]
    more: int
    cause: Cause | None = None


class Obstacle(enum.Enum):
    """Why a task cannot follow others to their engines."""

    GONE = "the engines have died"
    OFF_TARGETS = "the engines are none of the task's targets"
    APART = "the tasks that it follows ran on different engines"


@dataclass(frozen=True, slots=True)
class CannotFollow:
    """The tasks that a task follows have run where it cannot run.

    Attributes
    ----------
    obstacle : Obstacle
        What keeps it from running there.
    engines : Few
        The engines that this is about.
    """

    failure: ClassVar[Failure] = Failure.IMPOSSIBLE_DEPENDENCY
    obstacle: Obstacle
    engines: Few


@dataclass(frozen=True, slots=True)
class NoTargetLeft:
    """All of a task's target engines have died.

    Attributes
    ----------
    died : Few
        The engines.
    """

    failure: ClassVar[Failure] = Failure.IMPOSSIBLE_DEPENDENCY
    died: Few


@dataclass(frozen=True, slots=True)
class Stranded:
    """No registered engine runs a task.

    Attributes
    ----------
    seconds : float or None
        How long it waited for one that does; None if it has just begun to wait.
    absent : Few
        Engines that it may run on, and that are not registered.
    refused : Few
        Registered ones that refused it.
    """

    failure: ClassVar[Failure] = Failure.IMPOSSIBLE_DEPENDENCY
    seconds: float | None
    absent: Few
    refused: Few


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """No send reached the engines that may run a task.

    Attributes
    ----------
    seconds : float
        For how long, at least.
    engines : Few
        The engines, which are registered.
    """

    failure: ClassVar[Failure] = Failure.IMPOSSIBLE_DEPENDENCY
    seconds: float
    engines: Few


class Awaited(enum.Enum):
    """What a task waited for until its timeout ended."""

    DEPENDENCIES = "its dependencies"
    TURN = "its turn"
    FRESH_ENGINE = "an engine that had not failed it"
    WILLING_ENGINE = "an engine where its functional dependency (@require or @depend) is met"
    ABSENT_ENGINE = "an engine that it may run on: none of these is registered"
    ENGINE = "an engine with room that may run it"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A task's timeout has ended while it was queued.

    Attributes
    ----------
    seconds : float
        Its timeout.
    awaited : Awaited
        What it waited for.
    after, follow : Few
        The msg_ids in its dependencies that have not finished.
    """

    failure: ClassVar[Failure] = Failure.TASK_TIMEOUT
    seconds: float
    awaited: Awaited
    after: Few = NO_NAMES
    follow: Few = NO_NAMES


@dataclass(frozen=True, slots=True)
class EngineDied:
    """A task's engine died, and no answer came within its grace.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    running : bool
        Whether the task was the oldest that it held: an engine works in order, so the others had
        probably not begun.
    """

    failure: ClassVar[Failure] = Failure.ENGINE_ERROR
    engine: bytes
    running: bool


@dataclass(frozen=True, slots=True)
class EnginesCrashed:
    """Engine after engine died while it ran a task.

    Attributes
    ----------
    engines : tuple of bytes
        Their identities, in the order of their deaths.
    """

    failure: ClassVar[Failure] = Failure.ENGINE_ERROR
    engines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """An engine answered what was sent to it after a task, and not the task.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    """

    failure: ClassVar[Failure] = Failure.ENGINE_ERROR
    engine: bytes


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The engine that has a task is registered, and has long had no connection.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    seconds : float
        For how long, at least.
    """

    failure: ClassVar[Failure] = Failure.ENGINE_ERROR
    engine: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """A task raised an error on an engine, and is retried.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    error : TaskError or None
        What it raised, as far as the reply tells.
    """

    failure: ClassVar[Failure] = Failure.ENGINE_ERROR
    engine: bytes
    error: TaskError | None


@dataclass(frozen=True, slots=True)
class NoStatus:
    """An engine's reply does not say how the task ended.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    problem : str or None
        What is wrong with the reply, if more is known.
    """

    failure: ClassVar[Failure] = Failure.ENGINE_ERROR
    engine: bytes
    problem: str | None


@dataclass(frozen=True, slots=True)
class InternalError:
    """An error in the scheduler itself; its log has the traceback and the task's story."""

    failure: ClassVar[Failure] = Failure.INTERNAL_ERROR


Reason: TypeAlias = (
    InvalidMetadata
    | InvalidDependency
    | UnreachableDependency
    | CannotFollow
    | NoTargetLeft
    | Stranded
    | OutOfReach
    | TimedOut
    | EngineDied
    | EnginesCrashed
    | AnswerLost
    | ConnectionLost
    | AttemptFailed
    | NoStatus
    | InternalError
)
"""Why a task, or an attempt of it, has failed.  `Reason.failure` is its kind."""
