"""How things stand: `status`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ipyparallel as ipp

from ..wire.requests import STATUS
from .asking import ask
from .data import details_of, make, plain, when
from .status_text import as_html, as_text


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
    """A task that no engine has.

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
        When it was submitted, or came back from an engine.
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


@dataclass(frozen=True)
class Status:
    """How things stand, of all clients' tasks.

    Attributes
    ----------
    time : datetime
        When this was.
    you : str
        What the client is called that asked.
    version, scheme : str
        The version of ipp_richsched that runs there, and its scheme.
    settings : dict
        The settings that are not the default.
    waiting : int
        How many tasks wait for others.
    ready : int
        How many could run, and are on no engine.
    assigned : int
        How many are on an engine.
    succeeded : int
        How many have succeeded since the scheduler began.
    stranded : int
        How many of those that are ready no registered engine takes.
    failed : dict of str to int
        How many have failed, by reason: ``'raised'`` is the task's own error.
    causes : dict of str to int
        The same, by the name of the error with which it began: a task that fails since another did
        counts for the error of the first.
    rates : Rates
        How fast they come and end.
    engines : list of EngineStatus
        The registered engines.
    queue : list of QueuePart
        The tasks by label, client and priority: 20 parts at most, those with the most unfinished
        tasks first.
    queue_more : int
        How many unfinished tasks are in parts that are not shown.
    oldest : list of WaitingTask
        The first that were submitted of those that no engine has.
    oldest_more : int
        How many others no engine has.
    memory : int
        Bytes of memory that the scheduler's process has (resident set).
    lag : float
        Seconds that the longest turn of its loop took in the last minute: so long a message may
        have had to wait.
    """

    time: datetime
    you: str
    version: str
    scheme: str
    settings: dict[str, Any]
    waiting: int
    ready: int
    assigned: int
    succeeded: int
    stranded: int
    failed: dict[str, int]
    causes: dict[str, int]
    rates: Rates
    engines: list[EngineStatus]
    queue: list[QueuePart]
    queue_more: int
    oldest: list[WaitingTask]
    oldest_more: int
    memory: int
    lag: float

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON; times are in ISO 8601."""
        found: dict[str, Any] = plain(self)
        return found

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def status(rc: ipp.Client, oldest: int = 10) -> Status:
    """Ask the scheduler how things stand.

    Parameters
    ----------
    rc : ipyparallel.Client
        Who asks.
    oldest : int
        Of how many waiting tasks it is to say why they wait, 100 at most.

    Returns
    -------
    Status
        Of the tasks of all clients; printed, it says first what holds the run up.

    Raises
    ------
    ValueError
        If `oldest` is no number up to 100.
    NotRichError
        If the scheduler is not `RichTaskScheduler`.
    TimeoutError
        If the scheduler does not answer.
    """
    answer = ask(rc, STATUS, oldest=oldest)
    return make(
        Status,
        answer,
        time=when,
        rates=lambda rates: make(Rates, rates),
        engines=lambda engines: [
            make(EngineStatus, engine, since=when, unreachable=when) for engine in engines
        ],
        queue=lambda parts: [make(QueuePart, part) for part in parts],
        oldest=lambda tasks: [
            make(WaitingTask, task, since=when, expires=when, details=details_of) for task in tasks
        ],
    )
