"""A task, its states, and the table of their transitions.

Theory of operation
-------------------
A task is in one state at a time, and the state says which collection holds it:

======================  =======================================================
``WAITING``             `DependencyGraph`: a dependency is pending
``READY``               `ReadyQueue`: dependencies met, no engine yet; and until
                        one has been looked for, ``Backlog.unplaced``
``ASSIGNED``            ``Engine.attempts``, by its attempt: sent; nobody learns
                        when it starts
``SUCCEEDED, FAILED``   `History`, and no longer a task
======================  =======================================================

``State.tasks`` finds every unfinished task by its msg_id.  A task comes to rest once: the move
to ``SUCCEEDED`` or ``FAILED`` is the only place where a reply is made for it, so that it is
answered at most once.  Each of the other states is left by an event that must come (a task
finishes, an engine has room, a reply, a deadline, a death), so that it is answered at least
once.

From ``ASSIGNED`` a task returns to ``READY`` after a failed attempt with retries left, an
unmet functional dependency, the death of its engine, or a send that found no engine.

A task and its attempt are two things.  An `Attempt` holds a slot of its engine until the engine
is known to be done with it, even if the task is answered before.
"""

from __future__ import annotations

import enum
from typing import Any

from .deadlines import Entry
from .dependency import Dependency
from .engines.engine import NO_ENGINES, Attempt, Engine
from .failures import TaskError
from .flags import RichFlags
from .ready.order import Rank
from .tallies import Tally

NOWHERE: frozenset[bytes] = frozenset()
"""The identities of no engines."""


class TaskState(enum.IntEnum):
    """Where a task is on its way."""

    WAITING = 0
    READY = 1
    ASSIGNED = 2
    SUCCEEDED = 3
    FAILED = 4


# Up to Python 3.11, `TaskState.READY` would cost as much as a function call.
WAITING, READY, ASSIGNED, SUCCEEDED, FAILED = TaskState

_NEXT = {
    WAITING: {READY, FAILED},
    READY: {ASSIGNED, FAILED},
    ASSIGNED: {READY, SUCCEEDED, FAILED},
    SUCCEEDED: set(),
    FAILED: set(),
}
# A table indexed by two states, since the hash of an enum costs a call and an index does not.
TRANSITIONS = tuple(tuple(after in _NEXT[before] for after in TaskState) for before in TaskState)


class TransitionError(RuntimeError):
    """The table has no such transition."""

    def __init__(self, msg_id: str, before: TaskState, after: TaskState) -> None:
        super().__init__(f"task {msg_id}: no way from {before.name} to {after.name}")


class Needs:
    """The values that a task has as arguments.

    Attributes
    ----------
    unfinished : int
        How many of the tasks whose values they are have not finished.
    failed : bool
        Whether one of them has failed.
    asks : bool
        Whether nothing is missing but values that clients have to send.
    missing : int
        How many of these; it means nothing before.
    """

    __slots__ = ("asks", "failed", "missing", "unfinished")

    def __init__(self) -> None:
        self.unfinished = 0
        self.failed = False
        self.asks = False
        self.missing = 0


class Stranding:
    """How long no registered engine has run a task.

    Attributes
    ----------
    since : float
        When it began.
    again : float or None
        When engines that refused the task are asked again; None until they all have.
    pause : float
        Seconds from then until they are.
    """

    __slots__ = ("again", "pause", "since")

    def __init__(self, since: float, pause: float) -> None:
        self.since = since
        self.again: float | None = None
        self.pause = pause


class Task:
    """A task that is not finished.

    Attributes
    ----------
    msg_id : str
        What names it.
    rank : int
        Its place among the tasks: see `ready.order`.
    message : object
        What the shell needs to send it and to answer it; the core never looks into it.
    targets : frozenset of bytes, or None
        The identities of the engines that it may run on; None for any.
    after, follow : Dependency
        What it waits for.
    after_accepted, after_refused, follow_accepted, follow_refused : int
        How many ids of the dependency finished with an outcome that counts, or does not.
    follow_engines : frozenset of bytes
        Where the accepted ids of `follow` ran.
    timeout : float or None
        Seconds that it may spend in the queue each time it is queued.
    retries_left : int
        How many more failed attempts may be followed by another.
    rich : RichFlags
        What else it asks for.
    priority : int
        Its own, or the highest of those that wait for it, directly or through others.
    client : bytes
        The identity of who submitted it.
    tally : Tally
        Where it is counted.
    since : float
        When it was submitted, or its last attempt failed.
    ready_since : float
        When it last became ready; when it was submitted if it never did.
    needs : Needs or None
        The values that it has as arguments; None if there are none.
    state : TaskState
        Which collection holds it.
    failed_on : frozenset of Engine
        Engines that failed it, while others come first.
    fresh_until : float
        Until when others come first.
    refused_by : frozenset of Engine
        Engines on which its functional dependency was unmet when they were last asked.
    refusal : TaskError or None
        What it raised there, the last time that one refused it.
    busy : dict of Engine to Entry, or None
        Engines that were busy with something else when they tried it, and the deadlines after
        which they may try again; None where there are none.
    had_by : frozenset of bytes
        The identities of engines that had it in earlier attempts.
    attempts_made : int
        How often it was assigned.
    unsent : int
        How often it was, and could not be sent.
    crashed : tuple of bytes
        The identities of engines that died while they ran it, in the order of their deaths.
    attempt : Attempt or None
        The attempt whose reply counts.
    group : Group or None
        The group of the `ReadyQueue` that holds it, which alone knows what that is.
    path : Path or None
        Where it stands, if the order is that of paths; `ready.critical_path` knows what that is.
    expires : float or None
        When its `timeout` ends.
    watched : tuple of bytes
        While it waits: the identities of engines whose coming or death may decide its fate.
    timer, parking : Entry or None
        The deadlines of its timeout, and of its wait for an engine that may take it.
    """

    __slots__ = (
        "after",
        "after_accepted",
        "after_refused",
        "attempt",
        "attempts_made",
        "busy",
        "client",
        "crashed",
        "expires",
        "failed_on",
        "follow",
        "follow_accepted",
        "follow_engines",
        "follow_refused",
        "fresh_until",
        "group",
        "had_by",
        "message",
        "msg_id",
        "needs",
        "parking",
        "path",
        "priority",
        "rank",
        "ready_since",
        "refusal",
        "refused_by",
        "retries_left",
        "rich",
        "since",
        "state",
        "tally",
        "targets",
        "timeout",
        "timer",
        "unsent",
        "watched",
    )

    def __init__(
        self,
        msg_id: str,
        rank: Rank,
        message: Any,
        targets: frozenset[bytes] | None,
        after: Dependency,
        follow: Dependency,
        timeout: float | None,
        retries_left: int,
        rich: RichFlags,
        client: bytes,
        tally: Tally,
        since: float,
    ) -> None:
        self.msg_id = msg_id
        self.rank = rank
        self.message = message
        self.targets = targets
        self.after = after
        self.follow = follow
        self.timeout = timeout
        self.retries_left = retries_left
        self.rich = rich
        self.priority = rich.priority
        self.client = client
        self.tally = tally
        self.since = self.ready_since = since
        self.needs: Needs | None = None
        self.state = WAITING
        self.after_accepted = self.after_refused = 0
        self.follow_accepted = self.follow_refused = 0
        self.follow_engines = self.had_by = NOWHERE
        self.failed_on: frozenset[Engine] = NO_ENGINES
        self.fresh_until = 0.0
        self.refused_by: frozenset[Engine] = NO_ENGINES
        self.refusal: TaskError | None = None
        self.busy: dict[Engine, Entry] | None = None
        self.attempts_made = self.unsent = 0
        self.crashed: tuple[bytes, ...] = ()
        self.attempt: Attempt | None = None
        self.group: object | None = None
        self.path: object | None = None
        self.expires: float | None = None
        self.watched: tuple[bytes, ...] = ()
        self.timer: Entry | None = None
        self.parking: Entry | None = None

    def __lt__(self, other: Task) -> bool:
        return self.rank < other.rank

    def __repr__(self) -> str:
        return f"<Task {self.msg_id} {self.state.name}>"

    @property
    def excluded(self) -> frozenset[Engine]:
        """Engines that may not take it now."""
        excluded = self.refused_by
        if self.failed_on:
            excluded |= self.failed_on
        return excluded if self.busy is None else excluded.union(self.busy)

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

    def count_failed(self, before: TaskState) -> None:
        """Count a failure, by the state in which that happened."""
        if before is WAITING:
            self.tally.failed_waiting += 1
        elif before is READY:
            self.tally.failed_ready += 1
        else:
            self.tally.failed_assigned += 1
