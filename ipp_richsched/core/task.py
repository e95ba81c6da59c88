"""A task, its states, and the table of their transitions.

Theory of operation
-------------------
A task is in one state at a time, and the state says which collection holds it:

======================  =======================================================
``WAITING``             `DependencyGraph`: a dependency is pending
``READY``               `ReadyQueue`: dependencies met, no engine yet; and until
                        one has been looked for, ``Lifecycle.unplaced``
``ASSIGNED``            ``Engine.assigned``: sent; nobody learns when it starts
``SUCCEEDED, FAILED``   `History`, and no longer a task
======================  =======================================================

`SchedulerCore.tasks` finds every unfinished task by its msg_id.  A task comes to rest
once: the move to ``SUCCEEDED`` or ``FAILED`` is the only place where a reply is made for
it, so that it is answered at most once; and each of the other states is left by an event
that must come (a task finishes, an engine has room, a reply, a deadline, a death), so
that it is answered at least once.

From ``ASSIGNED`` a task returns to ``READY`` after a failed attempt with retries left, an
unmet functional dependency, the death of its engine, or a send that found no engine.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from .dependency import Dependency

if TYPE_CHECKING:
    from .deadlines import Entry
    from .engines.pool import Engine
    from .ready.queue import Group

NOWHERE: frozenset[bytes] = frozenset()


class TaskState(enum.IntEnum):
    WAITING = 0
    READY = 1
    ASSIGNED = 2
    SUCCEEDED = 3
    FAILED = 4


# up to Python 3.11 an attribute of an enum costs as much as a call
WAITING, READY, ASSIGNED, SUCCEEDED, FAILED = TaskState

_NEXT = {
    WAITING: {READY, FAILED},
    READY: {ASSIGNED, FAILED},
    ASSIGNED: {READY, SUCCEEDED, FAILED},
    SUCCEEDED: set(),
    FAILED: set(),
}
# indexed by two states: an enum's hash is a call in Python, its value as an index is not
TRANSITIONS = tuple(tuple(after in _NEXT[before] for after in TaskState) for before in TaskState)


class TransitionError(RuntimeError):
    """The table has no such transition."""

    def __init__(self, msg_id: str, before: TaskState, after: TaskState) -> None:
        super().__init__(f"task {msg_id}: no way from {before.name} to {after.name}")


class Task:
    """A task that is not finished.

    Attributes
    ----------
    msg_id : str
    seq : int
        Its place in the order of submission.
    message : object
        What the shell needs to send it and to answer it; the core never looks into it.
    targets : frozenset of bytes, or None
        The identities of the engines that it may run on; None for any.
    after, follow : Dependency
    after_accepted, after_refused, follow_accepted, follow_refused : int
        How many ids of the dependency finished with an outcome that counts, or does not.
    follow_engines : frozenset of bytes
        Where the accepted ids of `follow` ran.
    timeout : float or None
        Seconds that it may spend in the queue each time it is queued.
    retries : int
        Failed attempts that may still be followed by another.
    failed_on : frozenset of bytes
        Engines that failed it since all that may run it were last tried.
    refused_by : frozenset of bytes
        Engines on which its functional dependency is unmet.
    had_by : frozenset of bytes
        Engines that it was assigned to in earlier attempts.
    attempts : int
        How often it was assigned.
    engine : Engine or None
        The engine that it is assigned to.
    group : Group or None
        The group of the ready queue that holds it.
    expires : float or None
        When its `timeout` ends.
    watched : tuple of bytes
        While it waits: engines whose death may decide its fate.
    timer, parking : Entry or None
        The deadlines of its timeout, and of its wait for an engine that may take it.
    """

    __slots__ = (
        "after",
        "after_accepted",
        "after_refused",
        "attempts",
        "engine",
        "expires",
        "failed_on",
        "follow",
        "follow_accepted",
        "follow_engines",
        "follow_refused",
        "group",
        "had_by",
        "message",
        "msg_id",
        "parking",
        "refused_by",
        "retries",
        "seq",
        "state",
        "targets",
        "timeout",
        "timer",
        "watched",
    )

    def __init__(
        self,
        msg_id: str,
        seq: int,
        message: Any,
        targets: frozenset[bytes] | None,
        after: Dependency,
        follow: Dependency,
        timeout: float | None,
        retries: int,
    ) -> None:
        self.msg_id = msg_id
        self.seq = seq
        self.message = message
        self.targets = targets
        self.after = after
        self.follow = follow
        self.timeout = timeout
        self.retries = retries
        self.state = WAITING
        self.after_accepted = self.after_refused = 0
        self.follow_accepted = self.follow_refused = 0
        self.follow_engines = self.failed_on = self.refused_by = self.had_by = NOWHERE
        self.attempts = 0
        self.engine: Engine | None = None
        self.group: Group | None = None
        self.expires: float | None = None
        self.watched: tuple[bytes, ...] = ()
        self.timer: Entry | None = None
        self.parking: Entry | None = None

    def __lt__(self, other: Task) -> bool:
        return self.seq < other.seq

    def __repr__(self) -> str:
        return f"<Task {self.msg_id} {self.state.name}>"

    @property
    def excluded(self) -> frozenset[bytes]:
        """Engines that may not take it now."""
        if not self.failed_on:
            return self.refused_by
        return self.failed_on | self.refused_by

    def move(self, state: TaskState) -> None:
        """Enter another state.

        Raises
        ------
        TransitionError
            If the table has no such transition.
        """
        if not TRANSITIONS[self.state][state]:
            raise TransitionError(self.msg_id, self.state, state)
        self.state = state
