"""What an engine works on when it holds several tasks: one after the other, the oldest first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from .runs import Stretch, TaskRun


def in_turn(tasks: Mapping[str, TaskRun]) -> dict[str, TaskRun]:
    """The same tasks, where an attempt begins when its engine has ended the one before.

    The scheduler knows when it sent a task.  With a `hwm` above 1 the engine may be working on
    another one then.  A task that an engine holds and has not begun waits.

    Parameters
    ----------
    tasks : mapping of str to TaskRun

    Returns
    -------
    dict of str to TaskRun
        In the same order; O(attempts log attempts).
    """
    on_engines: dict[str, list[tuple[bool, float, float, str, int]]] = {}
    for msg_id, task in tasks.items():
        for number, each in enumerate(task.stretches):
            runs = each.end_state == "running"
            end = 0.0 if runs else each.end  # of those that run, the one that was sent first
            key = (runs, end, each.start, msg_id, number)
            on_engines.setdefault(each.engine, []).append(key)
    starts: dict[tuple[str, int], float | None] = {}
    for its in on_engines.values():
        free, is_busy = -math.inf, False
        for runs, end, start, msg_id, number in sorted(its):
            if is_busy:
                starts[msg_id, number] = None
            elif free > start:
                starts[msg_id, number] = free if runs else min(free, end)
            free, is_busy = max(free, end), runs
    found = dict(tasks)
    for msg_id in {msg_id for msg_id, _ in starts}:
        found[msg_id] = _begun_at(tasks[msg_id], starts)
    return found


def _begun_at(task: TaskRun, starts: Mapping[tuple[str, int], float | None]) -> TaskRun:
    """The task with other starts; attempts whose start is None have not begun."""
    stretches: list[Stretch] = []
    for number, each in enumerate(task.stretches):
        start = starts.get((task.msg_id, number), each.start)
        if start is not None:
            stretches.append(replace(each, start=start))
    waits = task.state == "running" and not any(e.end_state == "running" for e in stretches)
    return replace(task, stretches=tuple(stretches), state="waiting" if waits else task.state)
