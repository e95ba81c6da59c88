"""Failures of a run, by that with which they began."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...workflows.runs import Run, TaskRun

# msg_ids, identities of engines and numbers: the same error has others in each task
_NAMES = re.compile(r"[0-9a-f]{8}[0-9a-f_-]*(?:_\d+)*|\d+")


@dataclass
class FailureGroup:
    """Failures that began in the same way.

    Attributes
    ----------
    problem : str
        The name of the error with which they began.
    error : str
        The text of the first of them; numbers and ids in it may differ among the others.
    first : str
        The task that was the first to fail, by its msg_id.
    began : list of str
        The tasks that failed by themselves, by their msg_ids.
    entailed : list of str
        Those that failed, or never ran, because these had.
    """

    problem: str
    error: str
    first: str
    began: list[str] = field(default_factory=list)
    entailed: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many tasks are in it."""
        return len(self.began) + len(self.entailed)


def failures_of(run: Run) -> list[FailureGroup]:
    """The failures of a run, the most frequent first; O(tasks and dependencies)."""
    causes = causes_of(run)
    groups: dict[tuple[str, str], FailureGroup] = {}
    for msg_id, cause in causes.items():
        root = run.tasks.get(cause, run.tasks[msg_id])
        key = root.problem, _NAMES.sub("#", root.error)
        group = groups.get(key)
        if group is None:
            group = groups[key] = FailureGroup(root.problem, root.error, root.msg_id)
        (group.began if cause == msg_id else group.entailed).append(msg_id)
        if _ended(root) < _ended(run.tasks[group.first]):
            group.first, group.error = root.msg_id, root.error
    return sorted(groups.values(), key=lambda group: -group.number)


def causes_of(run: Run) -> dict[str, str]:
    """With which task's failure that of each task began that failed; often its own."""
    found: dict[str, str] = {}
    for msg_id, task in run.tasks.items():  # parents come before their children
        if task.state in ("failed", "never ran"):
            found[msg_id] = _cause(run, task, found)
    return found


def _cause(run: Run, task: TaskRun, causes: Mapping[str, str]) -> str:
    if task.cause is not None and task.cause in run.tasks:
        return causes.get(task.cause, task.cause)
    failed = [parent for parent in task.parents if parent in causes]
    if task.state != "never ran" or task.problem != "ImpossibleDependency" or not failed:
        return task.msg_id
    return causes[min(failed, key=lambda parent: _ended(run.tasks[parent]))]


def _ended(task: TaskRun) -> float:
    return task.submitted if task.ended is None else task.ended
