"""Why a task has failed, or its attempt: as data.

`ipp_richsched.wire.texts` turns it into sentences, so that the core knows no language.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

from .attempt_reasons import (
    AnswerLost,
    AttemptFailed,
    ConnectionLost,
    EngineDied,
    EnginesCrashed,
    NoStatus,
    RunTimedOut,
)
from .failures import NO_NAMES, Cause, Failure, Few, TaskError


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
        ``'after'``, ``'follow'`` or ``'arguments'``.
    msg_id : str
        The task itself, or an id that no task of this scheduler has.
    itself : bool
        Whether it is the task itself.
    """

    failure: ClassVar[Failure] = Failure.INVALID_DEPENDENCY
    field: str
    msg_id: str
    itself: bool


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
    label : str or None
        Its label, or the name of its function, if it has failed and that is still known.
    """

    msg_id: str
    succeeded: bool
    ran_nowhere: bool
    label: str | None = None


@dataclass(frozen=True, slots=True)
class UnreachableDependency:
    """What a task depends on has finished in a way that does not count.

    Attributes
    ----------
    field : str
        ``'after'``, ``'follow'`` or ``'arguments'``.
    ended : tuple of Ended
        The first few of those that finished so, those first with whose failure it began.
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


@dataclass(frozen=True, slots=True)
class ValueNotSent:
    """The client did not send the value of an argument, which the scheduler did not hold.

    Attributes
    ----------
    msg_id : str
        The task whose value it is.
    client : bytes
        The client's identity.
    seconds : float or None
        How long it was waited for; None if the client said that it cannot send it.
    problem : str
        Why not, if it said so.
    """

    failure: ClassVar[Failure] = Failure.IMPOSSIBLE_DEPENDENCY
    msg_id: str
    client: bytes
    seconds: float | None
    problem: str = ""


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
    refusal : TaskError or None
        What it raised on one of these.
    """

    failure: ClassVar[Failure] = Failure.IMPOSSIBLE_DEPENDENCY
    seconds: float | None
    absent: Few
    refused: Few
    refusal: TaskError | None = None


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
    VALUES = "the values of its arguments, which its client has to send"
    TURN = "its turn"
    FRESH_ENGINE = "an engine that had not failed it"
    FREE_ENGINE = "an engine that is not busy with something else"
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
    after, follow, arguments : Few
        The msg_ids in its dependencies that have not finished.
    """

    failure: ClassVar[Failure] = Failure.TASK_TIMEOUT
    seconds: float
    awaited: Awaited
    after: Few = NO_NAMES
    follow: Few = NO_NAMES
    arguments: Few = NO_NAMES


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A client took the task back.

    Attributes
    ----------
    client : bytes
        The client's identity.
    late : bool
        Whether that client was told before that an engine had the task, and the task came back from
        there, or never reached it.
    """

    failure: ClassVar[Failure] = Failure.CANCELLED
    client: bytes
    late: bool = False


@dataclass(frozen=True, slots=True)
class InternalError:
    """An error in the scheduler itself; its log has the traceback and the task's story."""

    failure: ClassVar[Failure] = Failure.INTERNAL_ERROR


Reason: TypeAlias = (
    InvalidMetadata
    | InvalidDependency
    | UnreachableDependency
    | ValueNotSent
    | CannotFollow
    | NoTargetLeft
    | Stranded
    | OutOfReach
    | TimedOut
    | RunTimedOut
    | EngineDied
    | EnginesCrashed
    | AnswerLost
    | ConnectionLost
    | AttemptFailed
    | NoStatus
    | Cancelled
    | InternalError
)
"""Why a task, or an attempt of it, has failed.  `Reason.failure` is its kind."""
