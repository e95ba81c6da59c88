"""How things stand, as data: for people who ask, and for programs that show it to them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import islice

from .engines.engine import INTERRUPTED, UNREACHED, Engine
from .failures import Failure
from .look import Look
from .state import State
from .tallies import Example
from .task import Task
from .waits import ForTaker, Wait

PARTS = 20
"""How many parts a status has at most: those with the most unfinished tasks come first."""

LOOKED_AT = 10_000
"""How many unfinished tasks are looked at to find the oldest that wait: engines may have many."""

HELD = 1_000
"""How many attempts of dead engines are looked at, `EACH` of each at least: tasks are taken to wait
for all others."""

EACH = 5


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """A registered engine.

    Attributes
    ----------
    engine : bytes
        Its identity.
    load : float
        How many tasks it holds.
    done, failed : int
        How many attempts have succeeded here since it registered, and how many have failed.
    msg_id : str or None
        The task that it works on.
    label : str or None
        The label of that; None, too, if the task was answered before.
    since : float or None
        Since when it works on it.
    paused : bool
        Whether it gets no tasks for now, since it is being interrupted.
    unreachable : float or None
        Since when it has had no connection, if it has none.
    """

    engine: bytes
    load: float
    done: int
    failed: int
    msg_id: str | None
    label: str | None
    since: float | None
    paused: bool
    unreachable: float | None


@dataclass(frozen=True, slots=True)
class DeadEngine:
    """An engine that died with tasks, whose answers may still come.

    Attributes
    ----------
    engine : bytes
        Its identity.
    held : int
        How many unfinished tasks it has.
    msg_id : str
        The oldest of them.
    label : str or None
        The label of that.
    since : float or None
        Since when the engine had worked on it; None if it had not begun.
    died : float
        When it was known that it died.
    until : float
        When its tasks are given up there: they have failed, or are retried.
    """

    engine: bytes
    held: int
    msg_id: str
    label: str | None
    since: float | None
    died: float
    until: float


@dataclass(frozen=True, slots=True)
class QueuePart:
    """The unfinished tasks of one priority, client and label, and what became of others.

    Attributes
    ----------
    priority, client, label
        As of a `Tally`.
    waiting, ready, assigned, succeeded, failed : int
        How many tasks are in this state.
    """

    priority: int
    client: bytes
    label: str | None
    waiting: int
    ready: int
    assigned: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class WaitingTask:
    """A task that no engine has; or a stranded one that an engine is asked to take.

    Attributes
    ----------
    msg_id : str
        What names it.
    label : str or None
        Its label, or the name of its function.
    client : bytes
        The identity of its client.
    priority : int
        Its priority, lent or its own.
    since : float
        When it became stranded, if it is; else when it was submitted, or its last attempt failed.
        To be asked and to refuse, or to be busy with something else, begins nothing anew.
    expires : float or None
        When its timeout ends.
    wait : Wait
        What it waits for.
    """

    msg_id: str
    label: str | None
    client: bytes
    priority: int
    since: float
    expires: float | None
    wait: Wait


@dataclass(frozen=True, slots=True)
class Rate:
    """How many tasks a second there were, of late.

    Attributes
    ----------
    seconds : float
        Over how many seconds: a minute and a little, or since the scheduler began.
    submitted, succeeded, failed : float
        How many a second were submitted, succeeded and failed.
    """

    seconds: float
    submitted: float
    succeeded: float
    failed: float


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand.

    Attributes
    ----------
    waiting, ready, assigned, succeeded, failed : int
        How many tasks are in this state.
    stranded : int
        How many of the ready and assigned ones no registered engine takes: see `Look.is_asked`.
    reasons : dict of str to int
        How many have failed, by the kind of the reason.
    causes : dict of str or Failure to int
        The same, by what it began with: see `Tallies.causes`.
    examples : dict of str or Failure to Example
        For each of these a task with which it began: see `Tallies.examples`.
    lately : dict of str or Failure to int
        The same as `causes`, of the last hour only: see `Lately.counts`.
    never_ran : int
        How many of those that failed no engine ever had.
    failed_at : float or None
        When the last one failed that no client took back.
    rate : Rate
        How fast they come and end.
    engines : tuple of EngineStatus
        The registered engines, in the order in which they registered.
    dead : tuple of DeadEngine
        Those that died with tasks, whose grace has not ended; the first to die first.
    queue : tuple of QueuePart
        The tasks of a kind; those with the most unfinished ones first, then the largest.
    queue_more : int
        How many unfinished tasks are in no part of it.
    oldest : tuple of WaitingTask
        The first tasks, in the order of submission, that no engine has or takes.
    oldest_more : int
        How many others no engine has.
    """

    waiting: int
    ready: int
    assigned: int
    succeeded: int
    failed: int
    stranded: int
    reasons: dict[str, int]
    causes: dict[str | Failure, int]
    examples: dict[str | Failure, Example]
    lately: dict[str | Failure, int]
    never_ran: int
    failed_at: float | None
    rate: Rate
    engines: tuple[EngineStatus, ...]
    dead: tuple[DeadEngine, ...]
    queue: tuple[QueuePart, ...]
    queue_more: int
    oldest: tuple[WaitingTask, ...]
    oldest_more: int


def status_of(state: State, now: float, oldest: int) -> Status:
    """How things stand; O(engines), and nothing that grows with the number of tasks.

    Engines that died with tasks count as engines until these are given up.

    Parameters
    ----------
    state : State
        The collections.
    now : float
        The time.
    oldest : int
        How many of the oldest waiting tasks are wanted.
    """
    tallies = list(state.tallies)
    waiting = sum(tally.waiting for tally in tallies)
    ready = sum(tally.ready for tally in tallies)
    totals = state.tallies.totals()
    seconds, of_late = state.rates.over_a_minute(now, totals)
    largest = heapq.nlargest(PARTS, tallies[:-1], key=lambda t: (t.unfinished, t.submitted))
    parts = tuple(
        QueuePart(
            tally.priority,
            tally.client,
            tally.label,
            tally.waiting,
            tally.ready,
            tally.assigned,
            tally.succeeded,
            tally.failed,
        )
        for tally in largest
        if tally.submitted
    )
    look = Look(state, now)
    found = _oldest(state, look, oldest)
    return Status(
        waiting,
        ready,
        sum(tally.assigned for tally in tallies),
        totals.succeeded,
        totals.failed,
        _stranded(state, look),
        dict(state.tallies.failed),
        dict(state.tallies.causes),
        dict(state.tallies.examples),
        state.tallies.lately.counts(now),
        state.tallies.never_ran,
        state.tallies.failed_at,
        Rate(seconds, *(number / seconds if seconds else 0.0 for number in of_late)),
        tuple(_engine(state, engine) for engine in state.pool.engines.values()),
        _dead_engines(state),
        parts,
        len(state.tasks) - sum(part.waiting + part.ready + part.assigned for part in parts),
        found,
        waiting + ready - sum(state.tasks[task.msg_id].attempt is None for task in found),
    )


def _engine(state: State, engine: Engine) -> EngineStatus:
    attempt = next(iter(engine.attempts.values()), None)
    task = state.tasks.get(attempt.msg_id) if attempt is not None else None
    lost = engine.out_of_reach[0] if engine.out_of_reach is not None else None
    return EngineStatus(
        engine.ident,
        engine.load,
        engine.done,
        engine.failed,
        attempt.msg_id if attempt is not None else None,
        task.rich.label if task is not None else None,
        attempt.began if attempt is not None else None,
        bool(engine.paused & INTERRUPTED),
        lost if engine.paused & UNREACHED else None,
    )


def _dead_engines(state: State) -> tuple[DeadEngine, ...]:
    """The dead engines that tasks wait for; O(`HELD` + `EACH` * dead engines)."""
    looked_at = max(EACH, HELD // max(1, len(state.dead)))
    dead = (_dead(state, engine, looked_at) for engine in state.dead)
    return tuple(each for each in dead if each is not None)


def _dead(state: State, engine: Engine, looked_at: int) -> DeadEngine | None:
    """A dead engine, if tasks wait for it; O(`looked_at`)."""
    first, held = None, max(0, len(engine.attempts) - looked_at)
    for attempt in islice(engine.attempts.values(), looked_at):
        task = state.tasks.get(attempt.msg_id)
        if task is not None and task.attempt is attempt:
            first, held = first or (task, attempt), held + 1
    if first is None:
        return None
    task, attempt = first
    died = engine.grace - state.settings.engine_grace
    return DeadEngine(
        engine.ident, held, task.msg_id, task.rich.label, attempt.began, died, engine.grace
    )


def _stranded(state: State, look: Look) -> int:
    """How many tasks no registered engine takes; O(engines), if engines have some of them."""
    engines = state.pool.engines
    if not engines:
        return 0  # they wait for the first one
    asked = state.stranded.asked
    number = len(state.stranded) - len(asked)
    if asked:
        first = (next(iter(engine.attempts), None) for engine in engines.values())
        number += sum(look.is_asked(state.tasks[each]) for each in first if each in asked)
    return number


def _oldest(state: State, look: Look, number: int) -> tuple[WaitingTask, ...]:
    """The first tasks that no engine has or takes, of the first that have not finished."""
    first = islice(state.tasks.values(), LOOKED_AT)
    tasks = (task for task in first if task.attempt is None or look.is_asked(task))
    return tuple(_waiting(state, task, look) for task in islice(tasks, number))


def _waiting(state: State, task: Task, look: Look) -> WaitingTask:
    wait, since = look.wait_of(task), task.since
    if isinstance(wait, ForTaker):
        since = state.stranded[task.msg_id].since
    return WaitingTask(
        task.msg_id,
        task.rich.label,
        task.client,
        task.priority,
        since,
        task.expires if task.timer is not None else None,
        wait,
    )
