"""What the reasons of failures are made of."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

SHOWN = 3
"""How many names of a list are kept, where there are two more or above."""


class Few(NamedTuple):
    """A few names of many.

    Attributes
    ----------
    names : tuple of str
        The first of them in alphabetical order: `kept`.
    more : int
        How many others there are.
    """

    names: tuple[str, ...] = ()
    more: int = 0


NO_NAMES = Few()
"""No names at all."""


def kept(number: int, most: int = SHOWN) -> int:
    """How many of so many names are kept: instead of "1 more" that one is named, too."""
    return number if number <= most + 1 else most


def few(names: Iterable[str]) -> Few:
    """The first few names of many; O(n log n)."""
    ordered = sorted(names)
    most = kept(len(ordered))
    return Few(tuple(ordered[:most]), len(ordered) - most)


def engine_name(ident: bytes) -> str:
    """An engine's identity as text."""
    return ident.decode("utf-8", "backslashreplace")


class Failure(enum.Enum):
    """The kinds of reasons: each reaches the client as an error of its own."""

    INVALID_METADATA = "its metadata cannot be accepted"
    INVALID_DEPENDENCY = "it depends on itself, or on no task of this scheduler"
    IMPOSSIBLE_DEPENDENCY = "what it depends on can never be met"
    TASK_TIMEOUT = "it waited too long in the queue, or ran for too long"
    ENGINE_ERROR = "the engine that had it is gone, or gave no answer that can be relayed"
    CANCELLED = "a client took it back"
    INTERNAL_ERROR = "an error in the scheduler itself"


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
    label : str or None
        The label of the task, or the name of its function.
    """

    msg_id: str
    error: TaskError | None = None
    failure: Failure | None = None
    label: str | None = None
