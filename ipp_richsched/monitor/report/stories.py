"""What became of a task, in a sentence or two."""

from __future__ import annotations

from ...workflows.runs import Run, TaskRun
from .account import TaskTime
from .words import count_text, seconds_text, task_text

_ENDS = {
    "failed": "where it failed",
    "died": "which died with it",
    "given back": "which gave it back",
    "running": "where it still runs",
    "succeeded": "where it succeeded",
}


def story_of(run: Run, task: TaskRun, time: TaskTime, cause: str | None) -> str:
    """What became of a task.

    Parameters
    ----------
    run : Run
    task : TaskRun
        One of its tasks.
    time : TaskTime
        Where its time went.
    cause : str or None
        With which task's failure its own began, if it failed.
    """
    parts = [f"{_name(task)} {_outcome(run, task, cause)}"]
    parts.append(
        f"It was submitted at {seconds_text(task.submitted - run.start)}{_waits(task, time)}."
    )
    if task.stretches:
        parts.append(_attempts(task))
    return " ".join(parts)


def _name(task: TaskRun) -> str:
    return f"Task {task_text(task)}"


def _outcome(run: Run, task: TaskRun, cause: str | None) -> str:
    last = task.stretches[-1] if task.stretches else None
    where = f" on {last.engine}" if last is not None else ""
    if task.state == "succeeded":
        return f"succeeded{where}."
    if task.state == "running":
        return f"runs{where}."
    if task.state == "waiting":
        return f"waits{_for(run, task)}."
    how = f"failed{where}" if task.state == "failed" else "never ran"
    if cause is not None and cause != task.msg_id and cause in run.tasks:
        root = run.tasks[cause]
        return f"{how}, since {task_text(root)} had failed{_with(root)}."
    return f"{how}{_with(task)}."


def _with(task: TaskRun) -> str:
    if not task.problem:
        return ""
    return f" with {task.problem}" + f": {task.error}" * bool(task.error)


def _for(run: Run, task: TaskRun) -> str:
    pending = [each for each in task.parents if run.tasks[each].ended is None]
    return f" for {count_text(len(pending), 'other task')}" if pending else ""


def _waits(task: TaskRun, time: TaskTime) -> str:
    waits = []
    if task.parents:
        number = count_text(len(task.parents), "task")
        waits.append(f"waited {seconds_text(time.waiting)} for {number} before it")
    if time.queueing > 0 or task.stretches:
        verb = "queued" if task.parents else "was queued"
        waits.append(f"{verb} for {seconds_text(time.queueing)}")
    return "".join(f", {each}" for each in waits)


def _attempts(task: TaskRun) -> str:
    if len(task.stretches) == 1:
        [only] = task.stretches
        return f"It ran for {seconds_text(only.end - only.start)}."
    tried = "; ".join(
        f"for {seconds_text(each.end - each.start)} on {each.engine}, {_ENDS[each.end_state]}"
        for each in task.stretches[:4]
    )
    more = len(task.stretches) - 4
    return (
        f"It had {len(task.stretches)} attempts: {tried}{f'; and {more} more' if more > 0 else ''}."
    )
