"""How things stand: `status`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ipyparallel as ipp

from ..wire.requests import STATUS
from .asking import ask
from .data import details_of, make, plain, when
from .status_parts import DeadEngine, EngineStatus, Example, QueuePart, Rates, WaitingTask
from .status_text import as_html, as_text


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
        How many of those that are ready no registered engine takes; one that is asked again may
        have some of them for the moment.
    failed : dict of str to int
        How many have failed, by reason: ``'raised'`` is the task's own error.
    causes : dict of str to int
        The same, by the name of the error with which it began: a task that fails since another did
        counts for the error of the first.
    causes_lately : dict of str to int
        Of these, those of the last hour (and of up to ten minutes before).
    examples : dict of str to Example
        For each of these names the last task that failed so itself.
    never_ran : int
        How many of those that failed no engine ever had: what they depend on has failed, say.
    last_failed : datetime or None
        When the last one failed, of those that no client has taken back.
    rates : Rates
        How fast they come and end.
    engines : list of EngineStatus
        The registered engines.
    dead : list of DeadEngine
        Those that died with tasks whose answers may still come (`engine_grace`).
    queue : list of QueuePart
        The tasks by label, client and priority: 20 parts at most, those with the most unfinished
        tasks first.
    queue_more : int
        How many unfinished tasks are in parts that are not shown.
    oldest : list of WaitingTask
        The first that were submitted of those that no engine has or takes.
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
    causes_lately: dict[str, int]
    examples: dict[str, Example]
    never_ran: int
    last_failed: datetime | None
    rates: Rates
    engines: list[EngineStatus]
    dead: list[DeadEngine]
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
        last_failed=when,
        examples=lambda found: {name: make(Example, example) for name, example in found.items()},
        rates=lambda rates: make(Rates, rates),
        engines=lambda engines: [
            make(EngineStatus, engine, since=when, unreachable=when) for engine in engines
        ],
        dead=lambda engines: [
            make(DeadEngine, engine, since=when, died=when, until=when) for engine in engines
        ],
        queue=lambda parts: [make(QueuePart, part) for part in parts],
        oldest=lambda tasks: [
            make(WaitingTask, task, since=when, expires=when, details=details_of) for task in tasks
        ],
    )
