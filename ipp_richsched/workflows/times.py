"""When tasks of a run could have run, and when they waited for an engine."""

from __future__ import annotations

from collections.abc import Iterator

from .runs import ENDED, Run, TaskRun

_BAD = ENDED - {"succeeded"}


def ready_times(run: Run) -> dict[str, float]:
    """When what each task waited for had ended; those that still wait, or never could, are missing.

    Of a run that was gathered from results it is derived: all that a task waited for has ended, or
    it has begun.
    """
    found: dict[str, float] = {}
    for msg_id, task in run.tasks.items():
        ready = task.ready if task.ready is not None else _derived(run, task)
        if ready is not None:
            found[msg_id] = max(ready, task.submitted)
    return found


def _derived(run: Run, task: TaskRun) -> float | None:
    first = task.stretches[0].start if task.stretches else task.ended
    if first is None and any(run.tasks[each].state in _BAD for each in task.parents):
        return None  # it may never run: the stock scheduler leaves such tasks as they are
    ends = [run.tasks[parent].ended for parent in task.parents]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return first
    latest = max(known, default=task.submitted)
    return latest if first is None else min(latest, first)


def queued(run: Run, task: TaskRun, ready: float | None) -> Iterator[tuple[float, float]]:
    """From when to when a task could have run, and no engine worked on it.

    Parameters
    ----------
    run : Run
    task : TaskRun
        One of its tasks.
    ready : float or None
        When it could run, if it could.
    """
    if ready is None:
        return
    since, is_over = ready, False
    for each in task.stretches:
        if each.start > since:
            yield since, each.start
        since = max(since, each.end)
        is_over = each.end_state in ("succeeded", "running")
    if task.state not in ENDED:
        until: float | None = run.end
    elif not task.stretches or task.stretches[-1].end_state == "given back":
        until = task.ended
    else:
        until = None  # the answer was on its way
    if not is_over and until is not None and until > since:
        yield since, until
