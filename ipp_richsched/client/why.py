"""What became of tasks, and what they wait for: `why`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, overload

import ipyparallel as ipp
from ipyparallel import AsyncResult

from ..wire.requests import PAGE, WHY
from .asking import ask
from .data import details_of, make, msg_ids_of, plain, when
from .why_text import as_text


@dataclass(frozen=True)
class Attempt:
    """One try of a task on one engine.

    Attributes
    ----------
    id : int or None
        The engine's number; None if the hub has not said it.
    uuid : str
        The engine's identity.
    host : str or None
        From where it connects, if that is known.
    assigned : datetime
        When it got the task.
    over : datetime or None
        When the attempt was over, if it is.
    outcome : str or None
        How it ended: ``'succeeded'``, ``'failed'``, ``'aborted'``, ``'refused'`` (its functional
        dependency was unmet), ``'busy'`` (`EngineBusy`), ``'not_sent'`` (no connection); None while
        it runs.
    reason : str or None
        Why it failed, if it did, as a sentence; what was missing, if it was refused.
    kind : str or None
        The kind of that.
    """

    id: int | None
    uuid: str
    host: str | None
    assigned: datetime
    over: datetime | None
    outcome: str | None
    reason: str | None
    kind: str | None


@dataclass(frozen=True)
class Link:
    """A task that another one waits for.

    Attributes
    ----------
    msg_id : str
        Its id.
    label : str or None
        Its label, or the name of its function.
    state : str
        As of a `Story`.
    reason, kind, details
        What it waits for itself: as of a `WaitingTask`; or ``'running'``, ``'engine_died'``.
    """

    msg_id: str
    label: str | None
    state: str
    reason: str
    kind: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Story:
    """What is known of a task; printed, it is told in sentences.

    Attributes
    ----------
    msg_id : str
        Its id.
    state : str
        ``'waiting'`` (for others), ``'ready'`` (it could run), ``'assigned'`` (an engine has it),
        ``'succeeded'``, ``'failed'``, or ``'unknown'``: it is no task of this scheduler.
    complete : bool
        Whether all is remembered that happened to it: the scheduler remembers the last 20,000
        happenings of all tasks together.
    label : str or None
        Its label, or the name of its function, if that is remembered.
    priority : int
        Its own priority; 0, too, if it is not remembered.
    submitted, finished, expires : datetime or None
        When it was submitted, when it was finished, and when its `timeout` ends; None where it was
        not, has none, or is not remembered.
    engine : dict or None
        The engine that ran it to its end: its ``'id'``, ``'uuid'`` and ``'host'``.
    attempts : list of Attempt
        Its attempts, the oldest first, as far as they are remembered.
    attempts_made : int or None
        How many there were, if that is remembered.
    reason : str or None
        What it waits for, or why it failed, as a sentence; None if it succeeded, or if it is not
        remembered.
    kind : str or None
        The kind of that: see `WaitingTask` and `Status.failed`.
    details : dict
        What it waits for as data.
    cause : str or None
        With what its failure began, if not with itself.
    chain : list of Link
        What it waits for, what that waits for, and so on to the first cause, which is the last.
    skipped : int
        How many links are left out before the last.
    """

    msg_id: str
    state: str
    complete: bool
    label: str | None
    priority: int
    submitted: datetime | None
    finished: datetime | None
    expires: datetime | None
    engine: dict[str, Any] | None
    attempts: list[Attempt]
    attempts_made: int | None
    reason: str | None
    kind: str | None
    details: dict[str, Any]
    cause: str | None
    chain: list[Link]
    skipped: int

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON; times are in ISO 8601."""
        found: dict[str, Any] = plain(self)
        return found

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(as_text(self))}</pre>"


class Stories(list[Story]):
    """Several stories; printed, they are told one after the other."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@overload
def why(rc: ipp.Client, result_or_id: str) -> Story: ...
@overload
def why(rc: ipp.Client, result_or_id: AsyncResult | Iterable[AsyncResult | str]) -> Any: ...
def why(rc: ipp.Client, result_or_id: Any) -> Any:
    """Ask the scheduler what became of a task, and what it waits for.

    Parameters
    ----------
    rc : ipyparallel.Client
        Who asks; the task may be another client's.
    result_or_id : AsyncResult, str, or iterable of these
        The task, or several; ids are whole, since the scheduler would have to search all of the
        tasks that it knows for a part of one.

    Returns
    -------
    Story or Stories
        Its story.  A list of them, with each task once, for several results or ids, and for a
        result of several tasks, such as that of a map.

    Raises
    ------
    TypeError
        If it is something else.
    NotRichError
        If the scheduler is not `RichTaskScheduler`.
    TimeoutError
        If the scheduler does not answer.
    """
    is_one = isinstance(result_or_id, (str, AsyncResult))
    items = [result_or_id] if is_one else result_or_id
    ids = [*dict.fromkeys(msg_id for item in items for msg_id in msg_ids_of(item))]
    stories = Stories()
    for start in range(0, max(1, len(ids)), PAGE):  # of no ids, too, whether it is this scheduler
        answer = ask(rc, WHY, msg_ids=ids[start : start + PAGE])
        stories += map(_story, answer["stories"])
    return stories[0] if is_one and len(ids) == 1 else stories


def _story(found: dict[str, Any]) -> Story:
    return make(
        Story,
        found,
        submitted=when,
        finished=when,
        expires=when,
        details=details_of,
        attempts=lambda attempts: [
            make(Attempt, attempt, assigned=when, over=when) for attempt in attempts
        ],
        chain=lambda links: [make(Link, link, details=details_of) for link in links],
    )
