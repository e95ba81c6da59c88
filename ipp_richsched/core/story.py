"""What happened to tasks of late, for errors of our own and for people who ask."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Collection
from typing import NamedTuple, TypeAlias

from .actions import Action
from .events import Event
from .failures import TaskError
from .flags import PLAIN, RichFlags
from .reasons import Reason

LINES = 20_000
"""How many happenings are remembered, of all tasks together."""

KEPT = 100
"""Up to how many dependencies of a task are remembered with it."""

SUBMITTED, READY, ASSIGNED, AGAIN, SUCCEEDED, FAILED = (
    "submitted",
    "ready",
    "assigned to",
    "ready again:",
    "succeeded",
    "failed",
)
"""What can happen to a task.  With it stands what it asked for (`SUBMITTED`: `RichFlags`; a
`Submission`, if that is to be remembered with what it depends on), the engine
(`ASSIGNED`, `SUCCEEDED`), how the attempt ended (`AGAIN`: `End`, why, and the retries that are
left), or the engine, why it failed, and whether an engine ever had it (`FAILED`)."""

Line: TypeAlias = tuple[float, str, str, object]
"""When it was, the msg_id, what happened to the task, and what belongs to it."""


class End(enum.Enum):
    """How an attempt can end."""

    SUCCEEDED = "it succeeded"
    FAILED = "it failed"
    ABORTED = "it was aborted"
    REFUSED = "its functional dependency was unmet there"
    BUSY = "the engine was busy with something else"
    NOT_SENT = "the engine could not be reached"


Why: TypeAlias = Reason | TaskError | End | None
"""Why a task has failed: as the scheduler says; what it raised; or `End.ABORTED`.  None if that is
not known."""


class Submission(NamedTuple):
    """What a task asked for, and what it depends on.

    Attributes
    ----------
    rich : RichFlags
        What it asked for.
    after, follow : tuple of str
        The msg_ids.
    """

    rich: RichFlags
    after: tuple[str, ...]
    follow: tuple[str, ...]


def submission(
    rich: RichFlags, after: tuple[str, ...], follow: tuple[str, ...]
) -> RichFlags | Submission:
    """What is remembered of a task that was submitted; what it asked for only, if that is much."""
    if not (after or follow) or len(after) + len(follow) > KEPT:
        return rich
    return Submission(rich, after, follow)


class Mark(NamedTuple):
    """A place in the order of all happenings.

    Attributes
    ----------
    when : float
        The time of the last happening before it.
    number : int
        How many of that time are before it: many happen at the same.
    """

    when: float = -math.inf
    number: int = 0

    def behind(self, lines: list[Line]) -> Mark:
        """The place behind some happenings that come next; O(lines of the last one's time)."""
        if not lines:
            return self
        when, number = lines[-1][0], 0
        for line in reversed(lines):
            if line[0] < when:
                return Mark(when, number)
            number += 1
        return Mark(when, number + (self.number if when == self.when else 0))


class Story:
    """The latest happenings; `note` costs O(1).

    Attributes
    ----------
    note : callable
        Remembers a `Line`.
    """

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES)
        self.note = self._lines.append

    @property
    def forgotten_until(self) -> float:
        """What happened before this is forgotten, and some of what happened then may be."""
        lines = self._lines
        return lines[0][0] if len(lines) == lines.maxlen else -math.inf

    def about(self, msg_ids: Collection[str]) -> dict[str, list[Line]]:
        """The lines about some tasks, the oldest first; O(`LINES`), for one as for many.

        Parameters
        ----------
        msg_ids : collection of str
            The tasks; a set or a dictionary, so that each line costs O(1).
        """
        found: dict[str, list[Line]] = {}
        for line in self._lines:
            if line[1] in msg_ids:
                found.setdefault(line[1], []).append(line)
        return found

    def since(self, mark: Mark) -> tuple[list[Line], bool]:
        """The lines behind a mark, and whether some of them may be forgotten; O(these lines).

        Nothing is counted for this when a line is noted: a mark is found again by its time.
        """
        found: list[Line] = []
        missed = False
        for line in reversed(self._lines):
            if line[0] < mark.when:
                break
            found.append(line)
        else:
            missed = len(self._lines) == self._lines.maxlen
        found.reverse()
        before = 0
        while before < min(mark.number, len(found)) and found[before][0] == mark.when:
            before += 1
        return found[before:], missed

    def of(self, msg_id: str) -> list[str]:
        """The lines about one task as text, each with its time in seconds; O(`LINES`)."""
        return [
            f"{when:.6f} {what} {_shown(detail)}".rstrip()
            for when, _, what, detail in self.about({msg_id}).get(msg_id, [])
        ]


class CoreError(RuntimeError):
    """An error in the core itself; its text tells the story of the task that it struck.

    Attributes
    ----------
    actions : list of Action
        What had been decided before: it must still be carried out.
    """

    def __init__(
        self, event: Event, error: Exception, msg_id: str, story: Story, actions: list[Action]
    ) -> None:
        lines = "".join(f"\n  {line}" for line in story.of(msg_id))
        super().__init__(f"{event} led to {error!r}; the story of task {msg_id or '?'}:{lines}")
        self.actions = actions


def rich_of(line: Line) -> RichFlags:
    """What a task asked for, given the line that says that it was submitted."""
    detail = line[3]
    if isinstance(detail, Submission):
        return detail.rich
    return detail if isinstance(detail, RichFlags) else PLAIN


def _shown(detail: object) -> str:
    if detail is None or isinstance(detail, (bool, RichFlags, Submission)):
        return ""
    if isinstance(detail, bytes):
        return detail.decode("utf8", "backslashreplace")
    if isinstance(detail, tuple) and type(detail) is tuple:
        return " ".join(filter(None, map(_shown, detail)))
    return detail.name.lower() if isinstance(detail, enum.Enum) else f"{detail}"
