"""What became of a task, and why: from an event log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.log import LogError
from ..core.reasons import InvalidDependency, InvalidMetadata, UnreachableDependency, ValueNotSent
from ..wire.checks import printable
from ..wire.names import listed_few
from .log_files import files_of
from .records import Happening, Record
from .search import ancestors, ids_called, records_of
from .times import moment
from .waits import Wait, wait_of

SHOWN = 10
"""How many tasks of a chain the text tells of: half of them from its begin, half from its end."""

CANDIDATES = 3
"""How many tasks an error names that may have been meant."""

LOOKED_UP = 20
"""Of how many tasks that may have been meant it is found out whether the log has a story."""

_STATES = {
    "assigned": "is on an engine where the log ends",
    "ready": "waits for an engine where the log ends",
    "waiting": "waits for other tasks where the log ends",
    "unknown": "is known by its id only",
    "forgotten": "had not ended when the scheduler did",
}


@dataclass(frozen=True)
class TaskStory:
    """What happened to a task.

    Attributes
    ----------
    msg_id : str
        The task.
    label : str or None
        Its label or, of a rich view, else the name of its function.
    state : str
        ``'succeeded'`` or ``'failed'``; where the log ends ``'assigned'`` (an engine has it),
        ``'ready'`` (it waits for an engine) or ``'waiting'`` (it waits for other tasks);
        ``'forgotten'`` (the scheduler ended before it); ``'unknown'`` (the log does not have its
        submission).
    happenings : tuple of Happening
        What happened to it, in order.
    waited_for : str or None
        The task that decided when it could run, or why it could not: the next in the chain.
    """

    msg_id: str
    label: str | None
    state: str
    happenings: tuple[Happening, ...]
    waited_for: str | None

    def text(self, begin: str = "Task", link: str = "") -> str:
        """The story in words.

        Parameters
        ----------
        begin, link : str
            What comes before the task, and before what became of it.
        """
        label = f" ({self.label})" if self.label else ""
        head = f"{begin} {self.msg_id}{label}{link} {_STATES.get(self.state, self.state)}"
        lines = [f"{moment(each.when)}  {each.text}" for each in self.happenings]
        return "\n  ".join(map(printable, [head, *lines]))


@dataclass(frozen=True)
class Explanation:
    """What became of a task, and of what it waited for.

    Attributes
    ----------
    tasks : tuple of TaskStory
        The task, what it waited for, what that waited for, and so on, down to the first cause.
    notes : tuple of str
        What is missing in the log.
    """

    tasks: tuple[TaskStory, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        first, *others = self.tasks
        parts = [first.text(), *(task.text("It waited for task", ", which") for task in others)]
        if len(parts) > SHOWN:
            half = SHOWN // 2
            between = len(parts) - 2 * half
            parts[half:-half] = [
                f"... and so on: {between:,} others, each of which waited for the next"
            ]
        return "\n\n".join([*parts, *(f"Note: {note}" for note in self.notes)])


def explain(path: Path, name: str) -> Explanation:
    """Tell what became of a task, from an event log.

    The log is read twice, line by line, and three more times if the task is not named by its id.
    What is kept of it is what it says of the task, and of all tasks before it in its DAG.

    Parameters
    ----------
    path : Path
        The log; its older files are found beside it.
    name : str
        The task: its id; or its label, if no other has it; or a part of its id that no other has,
        or its beginning and its end with two dots between them, as `top` and the report show it.

    Raises
    ------
    LogError
        If the log cannot be read, knows no such task, or several.
    """
    files = files_of(path)
    notes = [file.note for file in files if file.note]
    if files[0].header.part > 1:
        begin = moment(files[0].header.wall)
        notes.insert(0, f"what was before {begin} is gone, with older files")
    msg_id = name
    records, missing = records_of(files, ancestors(files, msg_id))
    if msg_id not in records:
        found = ids_called(files, name)
        if len(found) <= LOOKED_UP:
            # some are only named, by an answer that came too late, say: they have no story here
            known, _ = records_of(files, set(found))
            found = [each for each in found if each in known]
        if len(found) != 1:
            raise LogError(f"{path}: {_not_one(name, found, [*notes, *missing])}")
        [msg_id] = found
        records, missing = records_of(files, ancestors(files, msg_id))
    return Explanation(tuple(_chain(records, msg_id)), (*notes, *missing))


def _not_one(name: str, found: list[str], notes: list[str]) -> str:
    """Why a name does not say which task is meant."""
    if not found:
        why = "".join(f"; {note}" for note in notes)
        return f"there is no task {printable(name)} in it{why}"
    some = printable(listed_few(found, CANDIDATES))
    return f"{printable(name)} may be any of {len(found):,} tasks: {some}"


def _chain(records: Mapping[str, Record], msg_id: str) -> list[TaskStory]:
    """The stories of a task and of what it waited for, down to the first cause."""
    chain: list[TaskStory] = []
    told: set[str] = set()
    following: str | None = msg_id
    while following is not None and following in records and following not in told:
        told.add(following)
        story = _story(records[following], records)
        chain.append(story)
        following = story.waited_for
    return chain


def _story(record: Record, records: Mapping[str, Record]) -> TaskStory:
    wait = wait_of(record, records)
    happenings = list(record.happenings)
    if wait.last is not None:
        text = f"ready: {wait.last}, the last that it waited for, has ended"
        place = sum(each.when < wait.until for each in happenings)
        happenings.insert(place, Happening(wait.until, "ready", text))
    return TaskStory(
        record.msg_id,
        record.label,
        _state(record, wait),
        tuple(happenings),
        _waited_for(record, wait),
    )


def _waited_for(record: Record, wait: Wait) -> str | None:
    """What decided when a task could run, or why it could not."""
    reason = record.reason
    if isinstance(reason, (InvalidDependency, InvalidMetadata)):
        return None
    if isinstance(reason, UnreachableDependency) and reason.ended:
        return reason.ended[0].msg_id
    if isinstance(reason, ValueNotSent):
        return reason.msg_id
    return wait.pending[0] if wait.pending else wait.last


def _state(record: Record, wait: Wait) -> str:
    if record.is_forgotten:
        return "forgotten"
    if record.ended is not None:
        return "succeeded" if record.succeeded else "failed"
    if record.engine is not None:
        return "assigned"
    if record.submitted is None:
        return "unknown"
    return "waiting" if wait.pending else "ready"
