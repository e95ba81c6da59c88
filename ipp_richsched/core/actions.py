"""What to do: the output of `SchedulerCore.handle`, to be carried out in order."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from .failures import NO_NAMES, Few
from .notices import Notice
from .reasons import Reason
from .record import record


@record
class AssignTask(NamedTuple):
    """Send a task to an engine and tell the hub.

    Other events may come before it is carried out: it is to be carried out only if
    `SchedulerCore.stands` says so.  If it is not, `EngineUnreachable` or `SendingFailed` is to
    follow.

    Attributes
    ----------
    msg_id : str
        The task.
    engine : bytes
        The engine's identity.
    message : object
        The task's message, as it was submitted.
    attempt : int
        The number of the attempt, 1 for the first.
    mark : int
        0, or the number of the attempt if the engine has had this task before.  The message must
        then carry it: an engine drops a message that it has seen, and its reply must show which
        attempt it answers.
    values : tuple of str
        The tasks whose values belong to the message, in this order; all of them are held.
    """

    msg_id: str
    engine: bytes
    message: Any
    attempt: int
    mark: int = 0
    values: tuple[str, ...] = ()


@record
class AskEngine(NamedTuple):
    """Send an engine a question that it answers in its turn: it serves what it gets in order.

    It goes to the engine after all `AssignTask` before it.  If it cannot be sent, `AskingFailed`
    is to follow.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    question : int
        The number of the question; no two have the same.
    """

    engine: bytes
    question: int


@record
class RelayReply(NamedTuple):
    """Pass an engine's reply on to the client and the hub.

    Attributes
    ----------
    msg_id : str
        The task.
    engine : bytes
        The engine's identity.
    message : object
        The task's message, as it was submitted.
    reply : object
        The engine's reply.
    """

    msg_id: str
    engine: bytes
    message: Any
    reply: Any


@record
class KeepValue(NamedTuple):
    """Hold the value of a task, for others that have it as an argument.

    Attributes
    ----------
    msg_id : str
        The task.
    message : object
        The message in which the value is: an engine's reply, or what a client sent.
    """

    msg_id: str
    message: Any


@record
class DropValue(NamedTuple):
    """Hold the value of a task no more.

    Attributes
    ----------
    msg_id : str
        The task.
    """

    msg_id: str


@record
class AskForValue(NamedTuple):
    """Ask a client to send the value of a task; `ValueSent` is to follow.

    Attributes
    ----------
    msg_id : str
        The task.
    message : object
        The message of a task of that client which has the value as an argument.
    """

    msg_id: str
    message: Any


@record
class AnswerValue(NamedTuple):
    """Tell a client whether a value that it sent was taken.

    Attributes
    ----------
    msg_id : str
        The task whose value it is.
    message : object
        What the client sent.
    taken : bool
        Whether it was; if not, nobody had asked this client for it, or no task waits for it.
    """

    msg_id: str
    message: Any
    taken: bool


@record
class FailTask(NamedTuple):
    """Answer a task with an error of the scheduler's own.

    Attributes
    ----------
    msg_id : str
        The task.
    reason : Reason
        Why it has failed.
    message : object
        The task's message, as it was submitted.
    engine : bytes or None
        The engine that is to blame, if one is.
    attempts : int
        How often it was tried.
    tried_on : Few
        The engines that had it.
    """

    msg_id: str
    reason: Reason
    message: Any
    engine: bytes | None = None
    attempts: int = 0
    tried_on: Few = NO_NAMES


@record
class RefuseTask(NamedTuple):
    """Refuse a task under the msg_id of an earlier one, which alone counts.

    Attributes
    ----------
    msg_id : str
        What both are called.
    message : object
        The message of the task that is refused.
    first : object
        The message of the earlier task, or None if that is finished.
    """

    msg_id: str
    message: Any
    first: Any = None


@record
class CancelDone(NamedTuple):
    """Tell a client what became of the tasks that it wanted back.

    Attributes
    ----------
    message : object
        What the client sent.
    cancelled : tuple of str
        They will not run.
    running : tuple of str
        An engine has them; they are left alone.
    interrupted : tuple of str
        An engine was working on them, and is being interrupted.
    finished : tuple of str
        They had finished before.
    unknown : tuple of str
        No task of this scheduler has these ids.
    """

    message: Any
    cancelled: tuple[str, ...]
    running: tuple[str, ...]
    interrupted: tuple[str, ...]
    finished: tuple[str, ...]
    unknown: tuple[str, ...]


@record
class InterruptEngine(NamedTuple):
    """Interrupt what an engine is working on; `InterruptDone` is to follow.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    interrupt : int
        The number of the interrupt; no two have the same.
    """

    engine: bytes
    interrupt: int


@record
class Warn(NamedTuple):
    """Put a line into the log for the operator.

    Attributes
    ----------
    notice : Notice
        What the line says.
    """

    notice: Notice


Action: TypeAlias = (
    AssignTask
    | AskEngine
    | RelayReply
    | KeepValue
    | DropValue
    | AskForValue
    | AnswerValue
    | FailTask
    | RefuseTask
    | CancelDone
    | InterruptEngine
    | Warn
)
