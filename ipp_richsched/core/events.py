"""What happened: the input of `SchedulerCore.handle`."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from .dependency import NOTHING, Dependency
from .failures import TaskError
from .flags import PLAIN, RichFlags
from .record import record


@record
class EngineRegistered(NamedTuple):
    """The hub knows a new engine.

    Attributes
    ----------
    engine : bytes
        Its identity.
    """

    engine: bytes


@record
class EngineUnregistered(NamedTuple):
    """The hub says that an engine is gone.

    Attributes
    ----------
    engine : bytes
        Its identity.
    """

    engine: bytes


@record
class EngineUnreachable(NamedTuple):
    """An `AssignTask` could not be carried out: the engine has no connection.

    The connection may still come, or may be lost.  The event can come after others: by then the
    attempt may be over.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    msg_id : str
        The task.
    attempt : int
        The number of the attempt, as in the `AssignTask`.
    """

    engine: bytes
    msg_id: str
    attempt: int


@record
class SendingFailed(NamedTuple):
    """An `AssignTask` was not carried out: it stood no more, or there was an error of our own.

    Like `EngineUnreachable` it can come late.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    msg_id : str
        The task.
    attempt : int
        The number of the attempt, as in the `AssignTask`.
    """

    engine: bytes
    msg_id: str
    attempt: int


@record
class AskingFailed(NamedTuple):
    """An `AskEngine` could not be carried out: the engine has no connection.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    question : int
        The number of the question.
    """

    engine: bytes
    question: int


@record
class EngineAnswered(NamedTuple):
    """An engine answered an `AskEngine`.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    question : int
        The number of the question.
    """

    engine: bytes
    question: int


@record
class ConnectionsChanged(NamedTuple):
    """Engines' connections were made; which, and what was lost before, nobody knows."""


@record
class TaskSubmitted(NamedTuple):
    """A client submitted a task.

    Attributes
    ----------
    msg_id : str
        What names the task.
    message : object
        What the shell needs to send the task and to answer it.
    targets : frozenset of bytes, or None
        The identities of the engines that it may run on; None for any.
    after : Dependency
        The tasks that must finish before it may start.
    follow : Dependency
        The tasks that must finish before it may start, on the engine where it has to run.
    timeout : float or None
        Seconds that it may spend in the queue each time it is queued; None for ever.
    retries : int
        How many failed attempts may be followed by another.
    rich : RichFlags
        What else it asks for.
    client : bytes
        The client's identity.
    """

    msg_id: str
    message: Any = None
    targets: frozenset[bytes] | None = None
    after: Dependency = NOTHING
    follow: Dependency = NOTHING
    timeout: float | None = None
    retries: int = 0
    rich: RichFlags = PLAIN
    client: bytes = b""


@record
class TaskRejected(NamedTuple):
    """A client submitted a task that cannot be accepted.

    Attributes
    ----------
    msg_id : str
        What names the task.
    problem : str
        The field that is wrong, its value, and what is wrong with it.
    message : object
        What the shell needs to answer the task.
    """

    msg_id: str
    problem: str
    message: Any = None


@record
class TaskReplied(NamedTuple):
    """An engine answered.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    msg_id : str
        The task that it answered.
    status : str or None
        ``'ok'``, ``'error'``, ``'aborted'``; None if the reply has none.
    dependencies_met : bool
        False if the engine refused the task: its functional dependency is unmet there.
    message : object
        The reply, for the shell to relay.
    problem : str or None
        What is wrong with the reply, if that is why it has no status.
    mark : int
        The `AssignTask.mark` that the engine sent back.
    error : TaskError or None
        What the task raised; what its functional dependency raised, if that is unmet.
    busy : float or None
        If it raised `EngineBusy`: for how many seconds the engine is not to be tried again.
    size : int or None
        How many bytes its value has; None if nobody needs it, or if it has none.
    """

    engine: bytes
    msg_id: str
    status: str | None
    dependencies_met: bool = True
    message: Any = None
    problem: str | None = None
    mark: int = 0
    error: TaskError | None = None
    busy: float | None = None
    size: int | None = None


@record
class ValueSent(NamedTuple):
    """A client sent the value of a task, or says that it has none.

    Attributes
    ----------
    msg_id : str
        The task.
    client : bytes
        The client's identity.
    size : int
        How many bytes it has.
    problem : str
        Why it is not there; empty if it is.
    message : object
        What the client sent: the value, and what the shell needs to answer.
    """

    msg_id: str
    client: bytes
    size: int
    problem: str = ""
    message: Any = None


@record
class CancelRequested(NamedTuple):
    """A client wants some tasks back.

    Attributes
    ----------
    msg_ids : tuple of str
        The tasks.
    client : bytes
        The client's identity.
    interrupt : bool
        Whether engines that are working on them are to be interrupted.
    message : object
        What the shell needs to answer the client.
    """

    msg_ids: tuple[str, ...]
    client: bytes
    interrupt: bool = False
    message: Any = None


@record
class InterruptDone(NamedTuple):
    """An `InterruptEngine` was carried out, or cannot be.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    interrupt : int
        The number of the interrupt.
    """

    engine: bytes
    interrupt: int


@record
class TimePassed(NamedTuple):
    """`SchedulerCore.next_deadline` has come."""


Event: TypeAlias = (
    EngineRegistered
    | EngineUnregistered
    | EngineUnreachable
    | SendingFailed
    | AskingFailed
    | EngineAnswered
    | ConnectionsChanged
    | TaskSubmitted
    | TaskRejected
    | TaskReplied
    | ValueSent
    | CancelRequested
    | InterruptDone
    | TimePassed
)
