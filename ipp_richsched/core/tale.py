"""What became of tasks, and what they wait for down to the first cause, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .failures import Cause
from .flags import PLAIN
from .look import Look
from .state import State
from .story import AGAIN, ASSIGNED, FAILED, SUBMITTED, SUCCEEDED, End, Line, Why, rich_of
from .task import Task, TaskState
from .waits import ForTasks, Wait

LINKS = 10
"""How many links of a chain are told at most; the last is always told."""

ALL_LINKS = 2_000
"""How many links are followed for one request, however many tasks it is about."""


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt of a task.

    Attributes
    ----------
    engine : bytes
        The engine's identity.
    assigned : float
        When it was assigned.
    over : float or None
        When it was over, if it is.
    end : End or None
        How it ended, if it has.
    why : Why
        Why it failed, if it did.
    """

    engine: bytes
    assigned: float
    over: float | None = None
    end: End | None = None
    why: Why = None


@dataclass(frozen=True, slots=True)
class Link:
    """A task for which another one waits.

    Attributes
    ----------
    msg_id : str
        What names it.
    label : str or None
        Its label, or the name of its function.
    state : TaskState
        Where it is.
    wait : Wait
        What it waits for.
    """

    msg_id: str
    label: str | None
    state: TaskState
    wait: Wait


@dataclass(frozen=True, slots=True)
class Tale:
    """What is known of a task.

    Attributes
    ----------
    msg_id : str
        What names it.
    state : TaskState or None
        Where it is; None if it is no task of this scheduler.
    is_whole : bool
        Whether all is remembered that happened to it, from its submission on.
    priority : int
        Its own priority, as far as that is remembered.
    label : str or None
        Its label, or the name of its function, if that is remembered.
    submitted, finished : float or None
        When that was, if it was, and is remembered.
    engine : bytes or None
        The engine that ran it to its end.
    tries : tuple of Try
        Its attempts, as far as they are remembered, the oldest first.
    attempts : int or None
        How many there were; None if that is not known any more.
    expires : float or None
        When its timeout ends, if that runs.
    wait : Wait or None
        What it waits for, if it has not finished.
    why : Why
        Why it failed, if it did, and that is remembered.
    cause : Cause or None
        With what that began, if it did not begin with itself, and that is remembered.
    chain : tuple of Link
        The first task that it waits for, the first that this one waits for, and so on: `LINKS` at
        most, the last of which is the first cause.
    skipped : int
        How many are left out before the last.
    """

    msg_id: str
    state: TaskState | None
    is_whole: bool = False
    priority: int = 0
    label: str | None = None
    submitted: float | None = None
    finished: float | None = None
    engine: bytes | None = None
    tries: tuple[Try, ...] = ()
    attempts: int | None = None
    expires: float | None = None
    wait: Wait | None = None
    why: Why = None
    cause: Cause | None = None
    chain: tuple[Link, ...] = ()
    skipped: int = 0


def tales_of(state: State, now: float, msg_ids: Iterable[str]) -> list[Tale]:
    """What is known of some tasks, in their order; O(ids), and O(`story.LINES`) once for all."""
    teller = _Teller(state, now)
    ids = dict.fromkeys(msg_ids)
    lines = state.story.about(ids)
    return [teller.tell(msg_id, lines.get(msg_id, [])) for msg_id in ids]


class _Teller:
    """Answers one request."""

    def __init__(self, state: State, now: float) -> None:
        self._state = state
        self._look = Look(state, now)
        self._links_left = ALL_LINKS

    def tell(self, msg_id: str, lines: list[Line]) -> Tale:
        task = self._state.tasks.get(msg_id)
        outcome = self._state.history.get(msg_id)
        if task is None and outcome is None:
            return Tale(msg_id, None)
        is_whole, rich, submitted = False, PLAIN, None
        if lines and lines[0][2] == SUBMITTED:
            is_whole, submitted, rich = True, lines[0][0], rich_of(lines[0])
        tries = tuple(_tries(lines))
        if task is not None:
            return self._unfinished(task, is_whole, submitted, tries)
        assert outcome is not None
        finished, why, cause = None, None, None
        if lines and lines[-1][2] in (SUCCEEDED, FAILED):
            finished = lines[-1][0]
        if not outcome.succeeded:
            if finished is not None:
                why = _why(lines[-1])
            cause = self._state.causes.of(msg_id)
        return Tale(
            msg_id,
            TaskState.SUCCEEDED if outcome.succeeded else TaskState.FAILED,
            is_whole,
            rich.priority,
            rich.label,
            submitted,
            finished,
            next(iter(outcome.engines), None),
            tries,
            len(tries) if is_whole else None,
            why=why,
            cause=cause if cause is None or cause.msg_id != msg_id or why is None else None,
        )

    def _unfinished(
        self, task: Task, is_whole: bool, submitted: float | None, tries: tuple[Try, ...]
    ) -> Tale:
        wait = self._look.wait_of(task)
        chain, skipped = self._chain(wait)
        return Tale(
            task.msg_id,
            task.state,
            is_whole,
            task.rich.priority,
            task.rich.label,
            submitted,
            tries=tries,
            attempts=task.attempts_made,
            expires=task.expires if task.timer is not None else None,
            wait=wait,
            chain=chain,
            skipped=skipped,
        )

    def _chain(self, wait: Wait) -> tuple[tuple[Link, ...], int]:
        """The links from a task on, and how many are left out before the last."""
        links: list[Link] = []
        skipped = 0
        while isinstance(wait, ForTasks) and self._links_left:
            self._links_left -= 1
            unfinished = [msg_id for pending in wait.pending for msg_id in pending.msg_ids]
            if not unfinished:
                break
            task = self._state.tasks[unfinished[0]]
            wait = self._look.wait_of(task)
            if len(links) == LINKS:
                links.pop()
                skipped += 1
            links.append(Link(task.msg_id, task.rich.label, task.state, wait))
        return tuple(links), skipped


def _tries(lines: list[Line]) -> list[Try]:
    """The attempts that these lines tell of."""
    tries: list[Try] = []
    for when, _, what, detail in lines:
        if what == ASSIGNED:
            assert isinstance(detail, bytes)
            tries.append(Try(detail, when))
        elif what in (AGAIN, SUCCEEDED, FAILED) and tries and tries[-1].over is None:
            end, why = End.SUCCEEDED, None
            if what == AGAIN:
                assert isinstance(detail, tuple)
                end, why, _ = detail
            elif what == FAILED:
                why = _why((when, "", what, detail))
                end = End.ABORTED if why is End.ABORTED else End.FAILED
            last = tries[-1]
            tries[-1] = Try(last.engine, last.assigned, when, end, why)
    return tries


def _why(line: Line) -> Why:
    """Why a task failed, given the line that says so."""
    detail = line[3]
    assert isinstance(detail, tuple)
    why: Why = detail[1]
    return why
