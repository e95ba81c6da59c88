"""What a task waits for, as data; `ipp_richsched.wire.waits` turns it into sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

from .failures import NO_NAMES, Few, TaskError


class Pending(NamedTuple):
    """The tasks that one dependency waits for.

    Attributes
    ----------
    field : str
        ``'after'``, ``'follow'`` or ``'arguments'``.
    msg_ids : tuple of str
        The first few that have not finished, in the order in which they were named.
    more : int
        How many others have not.
    any : bool
        Whether it waits for any one of them, not for all.
    labels : tuple of str or None
        The labels of `msg_ids`, or the names of their functions; empty if none has any.
    """

    field: str
    msg_ids: tuple[str, ...]
    more: int
    any: bool
    labels: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ForTasks:
    """Tasks that it depends on have not finished.

    Attributes
    ----------
    pending : tuple of Pending
        Which, for each dependency that is not met.
    """

    kind: ClassVar[str] = "dependencies"
    pending: tuple[Pending, ...]


@dataclass(frozen=True, slots=True)
class ForValues:
    """The values of some of its arguments have to come from a client.

    Attributes
    ----------
    msg_ids : Few
        The tasks whose values they are.
    client : bytes
        The client that was asked last, or will be.
    until : float or None
        When that must have sent them; None if it was not asked yet, since there is no room for what
        it would send.
    """

    kind: ClassVar[str] = "values"
    msg_ids: Few
    client: bytes
    until: float | None


@dataclass(frozen=True, slots=True)
class ForScheduler:
    """Nothing: the scheduler is about to see to it."""

    kind: ClassVar[str] = "scheduler"


@dataclass(frozen=True, slots=True)
class ForAnyEngine:
    """No engine is registered at all."""

    kind: ClassVar[str] = "no_engine"


@dataclass(frozen=True, slots=True)
class ForRoom:
    """The engines that may run it hold as much as they may.

    Attributes
    ----------
    full : Few
        These engines.
    away : Few
        Others that may run it, and that have no connection or are being interrupted.
    failed : Few
        Registered engines that failed it: others come first.
    until : float or None
        When those that failed it may run it as well; None if it has no such deadline.
    next_client : bytes or None
        If clients take turns: the one whose turn is next, if it is another one's.
    """

    kind: ClassVar[str] = "no_room"
    full: Few
    away: Few = NO_NAMES
    failed: Few = NO_NAMES
    until: float | None = None
    next_client: bytes | None = None


@dataclass(frozen=True, slots=True)
class ForConnection:
    """No engine that may run it can be reached: they are registered, and have no connection.

    Attributes
    ----------
    engines : Few
        These engines.
    until : float or None
        When it fails if that stays so; None for never.
    """

    kind: ClassVar[str] = "unreachable"
    engines: Few
    until: float | None


@dataclass(frozen=True, slots=True)
class ForInterrupt:
    """The engines that may run it get no task now, since they are being interrupted.

    Attributes
    ----------
    engines : Few
        These engines.
    """

    kind: ClassVar[str] = "paused"
    engines: Few


@dataclass(frozen=True, slots=True)
class ForRetry:
    """It failed on all engines that may run it; after a pause they may try again.

    Attributes
    ----------
    failed : Few
        These engines.
    until : float or None
        When the pause ends; None if an engine has to come.
    """

    kind: ClassVar[str] = "retry"
    failed: Few
    until: float | None


@dataclass(frozen=True, slots=True)
class ForBusy:
    """The engines that may run it said that they are busy with something else (`EngineBusy`).

    Attributes
    ----------
    engines : Few
        These engines.
    until : float
        When the first of them may be tried again.
    """

    kind: ClassVar[str] = "busy"
    engines: Few
    until: float


@dataclass(frozen=True, slots=True)
class ForTaker:
    """It is stranded: no registered engine takes it.

    Attributes
    ----------
    absent : Few
        Engines that it may run on, and that are not registered.
    refused : Few
        Registered ones that refused it: its functional dependency was unmet there.
    away : Few
        Registered ones that may run it, and have no connection.
    again : float or None
        When those that refused it are asked again; None if they are not.
    until : float or None
        When it fails if that stays so; None for never.  While some are full it does not fail before
        they have refused it once more.
    full : Few
        Registered ones that can take nothing now, and are asked once more when they can.
    refusal : TaskError or None
        What its functional dependency raised on one of `refused`.
    asked : bytes or None
        The identity of the engine that is asked now, and has it for that.
    """

    kind: ClassVar[str] = "stranded"
    absent: Few
    refused: Few
    away: Few
    again: float | None
    until: float | None
    full: Few = NO_NAMES
    refusal: TaskError | None = None
    asked: bytes | None = None


@dataclass(frozen=True, slots=True)
class OnEngine:
    """An engine has it.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    since : float
        When it was assigned.
    began : float or None
        When it became the oldest that the engine holds, and so the one that it works on; None if it
        is not.
    works_on : str
        The task that the engine works on.
    until : float or None
        When its `run_timeout` ends, if it has one and has begun.
    """

    kind: ClassVar[str] = "running"
    engine: bytes
    since: float
    began: float | None
    works_on: str
    until: float | None


@dataclass(frozen=True, slots=True)
class OnDeadEngine:
    """The engine that has it is dead; its answer may still come.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    since : float
        When it was assigned.
    until : float
        When it is given up there: it has failed, or is retried.
    """

    kind: ClassVar[str] = "engine_died"
    engine: bytes
    since: float
    until: float


Wait: TypeAlias = (
    ForTasks
    | ForValues
    | ForScheduler
    | ForAnyEngine
    | ForRoom
    | ForConnection
    | ForInterrupt
    | ForRetry
    | ForBusy
    | ForTaker
    | OnEngine
    | OnDeadEngine
)
"""What an unfinished task waits for.  `Wait.kind` names it."""
