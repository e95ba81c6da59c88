"""Why an attempt of a task has failed, as data; see `reasons`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .failures import Failure, TaskError


@dataclass(frozen=True, slots=True)
class RunTimedOut:
    """An engine took too long for a task.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    seconds : float
        The task's `run_timeout`.
    """

    failure: ClassVar[Failure] = Failure.TASK_TIMEOUT
    engine: bytes
    seconds: float


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
