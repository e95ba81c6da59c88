"""What happened in a run: who ran what, when, and whether the order was kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .steps import Step

AttemptState = Literal["running", "done", "failed", "killed"]


@dataclass(frozen=True)
class Attempt:
    """One run of a task on an engine.

    Attributes
    ----------
    task : str
        The name of the task.
    engine : int
        The id of the engine.
    started, ended : float
        When, in seconds since the epoch.
    state : {"running", "done", "failed", "killed"}
        How it ended; one that is running has no end yet, and `ended` is its start.
    """

    task: str
    engine: int
    started: float
    ended: float
    state: AttemptState


def engine_table(
    attempts: Iterable[Attempt], engines: Sequence[int], died: Mapping[int, str]
) -> str:
    """Return the summary per engine: tasks run, busy seconds, died or not.

    Parameters
    ----------
    attempts : iterable of Attempt
        What ran.
    engines : sequence of int
        The engines there were at the start.
    died : mapping of int to str
        For an engine that has died, how.

    Returns
    -------
    str
        A table, one line for each engine.
    """
    tasks = dict.fromkeys(engines, 0)
    busy = dict.fromkeys(engines, 0.0)
    for attempt in attempts:
        if attempt.engine in tasks:
            tasks[attempt.engine] += attempt.state == "done"
            busy[attempt.engine] += attempt.ended - attempt.started
    lines = ["engine  tasks run     busy"]
    for engine in engines:
        line = f"{engine:6}  {tasks[engine]:9}  {busy[engine]:5.1f} s  {died.get(engine, '')}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def out_of_order(steps: Iterable[Step], attempts: Iterable[Attempt]) -> list[str]:
    """Return the tasks that started before one of their parents was completed.

    Parameters
    ----------
    steps : iterable of Step
        Who has to wait for whom.
    attempts : iterable of Attempt
        What ran.

    Returns
    -------
    list of str
        Names of tasks, in the order of `steps`.
    """
    started: dict[str, float] = {}
    completed: dict[str, float] = {}
    for attempt in attempts:
        started[attempt.task] = min(attempt.started, started.get(attempt.task, attempt.started))
        if attempt.state == "done":
            completed[attempt.task] = attempt.ended
    never = float("inf")
    return [
        step.name
        for step in steps
        if step.name in started
        and any(started[step.name] < completed.get(parent, never) for parent in step.parents)
    ]


def error_text(error: BaseException) -> str:
    """Return the text of an error, without its name and without a traceback.

    Parameters
    ----------
    error : BaseException
        What an AsyncResult raised.

    Returns
    -------
    str
    """
    return str(getattr(error, "evalue", error))


def error_name(error: BaseException) -> str:
    """Return the name of an error, of the remote one where it came from an engine or the scheduler.

    Parameters
    ----------
    error : BaseException
        What an AsyncResult raised.

    Returns
    -------
    str
    """
    return str(getattr(error, "ename", type(error).__name__))
