"""What became of a task, in a sentence or two."""

from __future__ import annotations

from ...workflows.runs import Run, TaskRun
from .account import TaskTime
from .words import count_text, seconds_text, task_text

SHOWN = 4
"""How many attempts of a task are told of."""

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
    steps = [f"Submitted at {seconds_text(task.submitted - run.start)}", *_waits(task, time)]
    if len(task.stretches) == 1:
        steps.append(f"ran for {seconds_text(task.seconds)}")
    parts = [f"Task {task_text(task)} {_outcome(run, task, cause)}", f"{'; '.join(steps)}."]
    if len(task.stretches) > 1:
        parts.append(_attempts(task))
    return " ".join(parts)


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


def _waits(task: TaskRun, time: TaskTime) -> list[str]:
    waits = []
    if task.parents:
        number = count_text(len(task.parents), "task")
        waits.append(f"waited {seconds_text(time.waiting)} for {number} before it")
    if time.queueing >= 0.001:
        waits.append(f"queued for {seconds_text(time.queueing)}")
    return waits


def _attempts(task: TaskRun) -> str:
    tried = "; ".join(
        f"{seconds_text(each.end - each.start)} on {each.engine}, {_ENDS[each.end_state]}"
        for each in task.stretches[:SHOWN]
    )
    more = len(task.stretches) - SHOWN
    others = f"; and {more:,} more" if more > 0 else ""
    return f"It was tried {len(task.stretches):,} times: {tried}{others}."
