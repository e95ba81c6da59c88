"""Engines, attempts and tasks, as the model of `world` knows them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import ipyparallel as ipp

from ipp_richsched.core.actions import AssignTask
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.events import TaskSubmitted

LATE = b"late"
"""An engine that targets may name, and that comes only at the end."""

LAST = b"z"
"""An engine that nobody names, and that comes at the end."""


@dataclass(eq=False)
class Engine:
    """An engine from the hub's word that it is there to the end of its grace.

    Attributes
    ----------
    ident : bytes
        Its name; one that comes back under it is another `Engine`.
    died : float or None
        When the hub said that it is gone.
    unreached : float
        When a send last found no connection.
    reached : float
        When it last answered, or got something; or when it was registered.
    apart : float
        For how many seconds nothing had reached it when a send last found no connection; 0 if it
        has answered since.
    blamed : bool
        Whether it is dead, and the task that it was running is known.
    """

    ident: bytes
    reached: float
    died: float | None = None
    unreached: float = -100.0
    apart: float = 0.0
    blamed: bool = False

    def answers(self, now: float) -> None:
        """It is heard of."""
        self.reached, self.apart = now, 0.0

    def is_missed(self, now: float) -> None:
        """A send finds no connection."""
        self.unreached, self.apart = now, now - self.reached


@dataclass(eq=False)
class Attempt:
    """What the scheduler was told to be on an engine, until the engine is done with it.

    Attributes
    ----------
    engine : Engine
        Where it is.
    action : AssignTask
        What the scheduler has decided.
    lost : bool
        Whether the message, or the answer, went lost.
    began, surely_began : float
        When it may have become the oldest on its engine, and when it was for sure.
    """

    engine: Engine
    action: AssignTask
    lost: bool = False
    began: float = math.inf
    surely_began: float = math.inf


@dataclass(eq=False)
class Task:
    """A task, as its client and the engines know it.

    Attributes
    ----------
    place : int
        Its place in the order of submission.
    submitted : float
        When that was.
    event : TaskSubmitted
        What its client asked for.
    queued : float
        When it was last queued: when it was submitted, or its last attempt ended.
    failed : float
        When an attempt last failed.
    retries_left : int
        How many more failed attempts may be followed by another.
    attempts : int
        How often it was assigned.
    attempt : Attempt or None
        The one whose answer counts.
    refused_by : set of Engine
        Those that refused it, since all were last asked again.
    all_refused : bool
        Whether these were once all that might run it: from then on they may be asked again.
    failed_on : set of Engine
        Those that failed it.
    all_failed : bool
        Whether these were once all that might run it: from then on it may go to any.
    busy : dict of Engine to float
        Those that were busy with something else, and until when they are left alone.
    behind : tuple of float and int, or None
        Once an engine has died of it: when that was, and the lowest priority then.
    crashes : int
        How many engines died while they ran it.
    free : int
        How often it was tried again for nothing, since an engine had died.
    runs : int
        How often an engine ran it.
    had_by : set of bytes
        The names of engines that had it in earlier attempts.
    answers : list of str
        How it was answered; not more than once.
    ran_on : bytes or None
        The engine that ran it to its end.
    relays : str
        What its answer is if the last reply is relayed.
    sending_failed : bool
        Whether an error of the scheduler's own has struck it.
    """

    place: int
    submitted: float
    event: TaskSubmitted
    queued: float
    retries_left: int
    failed: float = 0.0
    attempts: int = 0
    attempt: Attempt | None = None
    refused_by: set[Engine] = field(default_factory=set)
    all_refused: bool = False
    failed_on: set[Engine] = field(default_factory=set)
    all_failed: bool = False
    busy: dict[Engine, float] = field(default_factory=dict)
    behind: tuple[float, int] | None = None
    crashes: int = 0
    free: int = 0
    runs: int = 0
    had_by: set[bytes] = field(default_factory=set)
    answers: list[str] = field(default_factory=list)
    ran_on: bytes | None = None
    relays: str = ""
    sending_failed: bool = False

    @property
    def succeeded(self) -> bool:
        return self.answers == ["ok"]


def dependencies_of(event: TaskSubmitted) -> dict[str, Dependency]:
    """What a task waits for, by the names of the fields."""
    arguments = Dependency(event.rich.arguments)
    return {"after": event.after, "follow": event.follow, "arguments": arguments}


def stock(dependency: Dependency) -> ipp.Dependency:
    """The same dependency, as ipyparallel has it."""
    return ipp.Dependency(
        list(dependency.ids), dependency.all, dependency.success, dependency.failure
    )
