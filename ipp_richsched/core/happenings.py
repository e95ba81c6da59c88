"""What happened since somebody asked last.  Nothing here changes anything: it answers who asks."""

from __future__ import annotations

import math
from itertools import islice
from typing import NamedTuple

from .failures import Cause
from .flags import RichFlags
from .state import State
from .story import FAILED, SUBMITTED, Line, Mark, Submission, rich_of
from .task import ASSIGNED, Task

PAGE = 1_000
"""How many happenings are told at a time."""

PARENTS = 1_000
"""How many of the tasks on which one depends are told."""

IDS = 20_000
"""After how many ids of these no more happenings are told at a time."""


class Happening(NamedTuple):
    """Something that happened to a task.

    Attributes
    ----------
    when : float
        When it was.
    msg_id : str
        The task.
    what : str
        What it was, and what belongs to it (`detail`): see `story`.
    detail : object
    rich : RichFlags or None
        What a task that was submitted asked for.  So of one whose submission is forgotten, while it
        is not finished: who begins to ask late has never heard of it.
    parents : tuple of str
        With that: what it depends on, as far as that is remembered.
    parents_more : int
        How many others of these there are.
    cause : Cause or None
        With what a task's failure began, if it failed, and that is remembered.
    """

    when: float
    msg_id: str
    what: str
    detail: object
    rich: RichFlags | None = None
    parents: tuple[str, ...] = ()
    parents_more: int = 0
    cause: Cause | None = None


class Page(NamedTuple):
    """Happenings in the order in which they came about.

    Attributes
    ----------
    happenings : list of Happening
        The oldest of those behind a mark, `PAGE` at most.
    mark : Mark
        Where they end.
    missed : bool
        Whether some between the mark before and these may be forgotten.
    more : bool
        Whether there are more already.
    """

    happenings: list[Happening]
    mark: Mark
    missed: bool
    more: bool


def happenings_of(state: State, mark: Mark) -> Page:
    """What happened behind a mark; O(that), which is `story.LINES` at most."""
    lines, missed = state.story.since(mark)
    found: list[Happening] = []
    ids = 0
    for line in islice(lines, PAGE):
        if ids >= IDS:
            break
        happening = _happening(state, line)
        ids += len(happening.parents) + happening.parents_more
        found.append(happening)
    return Page(found, mark.behind(lines[: len(found)]), missed, len(found) < len(lines))


def _happening(state: State, line: Line) -> Happening:
    when, msg_id, what, detail = line
    if what == SUBMITTED:
        return _with_task(line, None, rich_of(line), _parents(state, line))
    task = state.tasks.get(msg_id)
    if task is not None and _is_forgotten(state, task):
        return _with_task(line, detail, task.rich, _needed(task))
    cause = state.causes.of(msg_id) if what == FAILED else None
    return Happening(when, msg_id, what, detail, cause=cause)


def _with_task(line: Line, detail: object, rich: RichFlags, parents: tuple[str, ...]) -> Happening:
    more = max(0, len(parents) - PARENTS)
    return Happening(line[0], line[1], line[2], detail, rich, parents[:PARENTS], more)


def _is_forgotten(state: State, task: Task) -> bool:
    """Whether the submission of a task may be; nobody knows when that of one that came back was."""
    begin = state.story.forgotten_until
    has_come_back = task.attempts_made > (task.state is ASSIGNED)
    return task.since <= begin or (has_come_back and begin > -math.inf)


def _parents(state: State, line: Line) -> tuple[str, ...]:
    """What a task depends on; of one with many, that is known only while it has not finished."""
    task, submission = state.tasks.get(line[1]), line[3]
    if isinstance(submission, Submission):
        return _each_once(submission.after, submission.follow, submission.rich.arguments)
    return _needed(task) if task is not None else _each_once((), (), rich_of(line).arguments)


def _needed(task: Task) -> tuple[str, ...]:
    return _each_once(task.after.ids, task.follow.ids, task.rich.arguments)


def _each_once(
    after: tuple[str, ...], follow: tuple[str, ...], arguments: tuple[str, ...]
) -> tuple[str, ...]:
    if not after and not follow and not arguments:
        return ()
    return tuple(dict.fromkeys(after + follow + arguments))
