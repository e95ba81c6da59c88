"""The tables of a report: engines, labels, the slowest tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ...workflows.runs import Run, TaskRun
from .account import Account, EngineTime, lives_of

SLOWEST = 15
"""How many of the slowest tasks are listed."""


@dataclass(frozen=True)
class EngineRow:
    """What an engine did.

    Attributes
    ----------
    name : str
        What it is called.
    succeeded, failed : int
        How many attempts ended so there; those that died with it are among the failed.
    time : EngineTime
        What it spent its time on.
    since, until : float
        When it was there, in seconds after the run began.
    fate : str
        ``"died"`` (with tasks), ``"left"`` (without), or nothing: it is still there.
    """

    name: str
    succeeded: int
    failed: int
    time: EngineTime
    since: float
    until: float
    fate: str


@dataclass(frozen=True)
class GroupRow:
    """What tasks of a label, or a function, did.

    Attributes
    ----------
    name : str
        The label or the function.
    tasks, succeeded, failed, never_ran : int
        How many there are, and how they ended; those that never ran are among the failed.
    seconds : float
        Of all their attempts together.
    middle, longest : float
        Seconds of a task: half of them take less than `middle`; 0 if none ran.
    waiting, queueing : float
        Seconds that one waited for others, and for an engine, in the mean.
    """

    name: str
    tasks: int
    succeeded: int
    failed: int
    never_ran: int
    seconds: float
    middle: float
    longest: float
    waiting: float
    queueing: float


def engine_rows(run: Run, account: Account) -> list[EngineRow]:
    """What each engine did, those that died first, then by their numbers."""
    succeeded = dict.fromkeys(run.engines, 0)
    failed = dict.fromkeys(run.engines, 0)
    died: set[str] = set()
    for task in run.tasks.values():
        for each in task.stretches:
            succeeded[each.engine] += each.end_state == "succeeded"
            failed[each.engine] += each.end_state in ("failed", "died")
            if each.end_state == "died":
                died.add(each.engine)
    since = dict.fromkeys(run.engines, run.end)
    until = dict.fromkeys(run.engines, run.start)
    is_there = dict.fromkeys(run.engines, False)
    for life in lives_of(run):
        since[life.engine] = min(since[life.engine], life.since)
        until[life.engine] = max(until[life.engine], life.until)
        is_there[life.engine] |= not life.is_over
    rows = [
        EngineRow(
            name,
            succeeded[name],
            failed[name],
            account.engines[name],
            since[name] - run.start,
            until[name] - run.start,
            "died" if name in died else "" if is_there[name] else "left",
        )
        for name in run.engines
    ]
    return sorted(rows, key=lambda row: row.fate != "died")


def group_rows(run: Run, account: Account) -> list[GroupRow]:
    """What the tasks of each label did, those first that took engines longest."""
    groups: dict[str, list[TaskRun]] = {}
    for task in run.tasks.values():
        groups.setdefault(task.group, []).append(task)
    rows = [_group_row(name, its, account) for name, its in groups.items()]
    return sorted(rows, key=lambda row: -row.seconds)


def _group_row(name: str, tasks: Sequence[TaskRun], account: Account) -> GroupRow:
    ran = [task.seconds for task in tasks if task.stretches]
    times = [account.tasks[task.msg_id] for task in tasks]
    states = [task.state for task in tasks]
    return GroupRow(
        name,
        len(tasks),
        states.count("succeeded"),
        states.count("failed") + states.count("never ran"),
        states.count("never ran"),
        sum(ran),
        median(ran) if ran else 0.0,
        max(ran, default=0.0),
        sum(time.waiting for time in times) / len(times),
        sum(time.queueing for time in times) / len(times),
    )


def slowest(run: Run) -> list[TaskRun]:
    """The tasks that took engines longest, the slowest first; all attempts count."""
    ran = [task for task in run.tasks.values() if task.stretches]
    return sorted(ran, key=lambda task: -task.seconds)[:SLOWEST]
