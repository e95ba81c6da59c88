"""What happened since somebody asked last.  Nothing here changes anything: it answers who asks."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from .failures import Cause
from .flags import RichFlags
from .state import State
from .story import FAILED, SUBMITTED, Line, Mark, Submission, rich_of

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
        What a task that was submitted asked for.
    parents : tuple of str
        What a task that was submitted depends on, as far as that is remembered.
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
        ids += len(happening.parents)
        found.append(happening)
    return Page(found, mark.behind(lines[: len(found)]), missed, len(found) < len(lines))


def _happening(state: State, line: Line) -> Happening:
    when, msg_id, what, detail = line
    if what == SUBMITTED:
        parents = _parents(state, line)
        more = max(0, len(parents) - PARENTS)
        return Happening(when, msg_id, what, None, rich_of(line), parents[:PARENTS], more)
    cause = state.causes.of(msg_id) if what == FAILED else None
    return Happening(when, msg_id, what, detail, cause=cause)


def _parents(state: State, line: Line) -> tuple[str, ...]:
    """What a task depends on; of one with many, that is known only while it has not finished."""
    task, submission = state.tasks.get(line[1]), line[3]
    after: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    if isinstance(submission, Submission):
        _, after, follow = submission
    elif task is not None:
        after, follow = task.after.ids, task.follow.ids
    arguments = rich_of(line).arguments
    if not after and not follow and not arguments:
        return ()
    return tuple(dict.fromkeys(after + follow + arguments))
