"""What a status is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class EngineStatus:
    """An engine.

    Attributes
    ----------
    id : int or None
        Its number, as in `Client.ids`; None if the hub has not said it.
    uuid : str
        Its identity.
    host : str or None
        From where it connects, if that is known.
    load : float
        How many tasks it holds.
    done, failed : int
        How many tasks have succeeded here since it registered, and how many attempts have failed.
    task, label : str or None
        The task that it works on, and its label.
    since : datetime or None
        Since when it works on that.
    paused : bool
        Whether it gets no tasks for now, since it is being interrupted.
    unreachable : datetime or None
        Since when it has had no connection, if it has none.
    """

    id: int | None
    uuid: str
    host: str | None
    load: float
    done: int
    failed: int
    task: str | None
    label: str | None
    since: datetime | None
    paused: bool
    unreachable: datetime | None


@dataclass(frozen=True)
class DeadEngine:
    """An engine that died with tasks, whose answers may still come.

    Attributes
    ----------
    id : int or None
        Its number, as it was in `Client.ids`; None if the hub has not said it.
    uuid : str
        Its identity.
    host : str or None
        From where it connected, if that is known.
    held : int
        How many unfinished tasks it has.
    task, label : str or None
        The oldest of these, and its label.
    since : datetime or None
        Since when the engine had worked on it, if it had begun.
    died : datetime
        When it was known that it died.
    until : datetime
        When its tasks are given up there: they have failed, or are retried.
    """

    id: int | None
    uuid: str
    host: str | None
    held: int
    task: str
    label: str | None
    since: datetime | None
    died: datetime
    until: datetime


@dataclass(frozen=True)
class QueuePart:
    """The tasks of one priority, client and label, while some of them are not finished.

    Attributes
    ----------
    priority : int
        Their priority.
    client : str
        The connection of the client that submitted them: see `Status.you`.
    label : str or None
        Their label; of a rich view's tasks without one, the name of their function.
    waiting, ready, assigned, succeeded, failed : int
        How many of them are in this state.
    """

    priority: int
    client: str
    label: str | None
    waiting: int
    ready: int
    assigned: int
    succeeded: int
    failed: int


@dataclass(frozen=True)
class WaitingTask:
    """A task that no engine has; or a stranded one that an engine is asked to take.

    Attributes
    ----------
    msg_id : str
        Its id.
    label : str or None
        Its label, or the name of its function.
    client : str
        The connection of its client: see `Status.you`.
    priority : int
        Its priority, or that of a task which waits for it, if that is higher.
    since : datetime
        When it became stranded, if it is; else when it was submitted, or its last attempt failed.
    expires : datetime or None
        When its `timeout` ends, if it has one.
    reason : str
        Why it waits, as a sentence.
    kind : str
        The kind of that: ``'dependencies'``, ``'values'``, ``'no_engine'``, ``'no_room'``,
        ``'unreachable'``, ``'paused'``, ``'retry'``, ``'busy'``, ``'stranded'``, ``'scheduler'``.
    details : dict
        The same as data: msg_ids, engines, times.
    """

    msg_id: str
    label: str | None
    client: str
    priority: int
    since: datetime
    expires: datetime | None
    reason: str
    kind: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Example:
    """A task with whose failure others began.

    Attributes
    ----------
    msg_id : str
        Its id: `why` tells its story.
    label : str or None
        Its label; of a rich view's tasks without one, the name of their function.
    text : str
        The beginning of the text of its error.
    """

    msg_id: str
    label: str | None
    text: str


@dataclass(frozen=True)
class Rates:
    """How many tasks a second there were over the last minute.

    Attributes
    ----------
    seconds : float
        Over how many seconds: a minute and up to five seconds, or since the scheduler began.
    submitted, succeeded, failed : float
        How many a second.
    """

    seconds: float
    submitted: float
    succeeded: float
    failed: float
