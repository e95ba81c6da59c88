"""What happened to the tasks of a cluster since somebody asked last: `happenings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ipyparallel as ipp

from ..wire.requests import HAPPENINGS
from .asking import ask
from .data import make


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a task.

    Attributes
    ----------
    when : float
        When it was, in seconds since the epoch.
    msg_id : str
        The task.
    what : str
        ``'submitted'``, ``'ready'`` (all that it waited for is there), ``'assigned'`` (to an
        engine), ``'again'`` (the attempt is over, and it is ready again), ``'succeeded'`` or
        ``'failed'``.
    label : str or None
        Of a task that was submitted: its label, or the name of its function.  This and the next
        four also stand at what comes later, if the submission of the task is forgotten by then.
    priority : int
        Of a task that was submitted.
    cost : float or None
        Of a task that was submitted: the seconds that it will take, if its client knows.
    parents : tuple of str
        Of a task that was submitted: the msg_ids of those that it depends on.
    parents_more : int
        How many of them are left out.
    engine : str or None
        The UUID of the engine that it was assigned to, or on which it succeeded or failed.
    outcome : str or None
        How an attempt ended after which a task is ready again: as of an `Attempt`.
    reason, kind : str or None
        Why such an attempt, or a task, has failed: a sentence, and its kind; what was missing, if
        it was refused.
    cause : str or None
        Of a task that has failed: the name of the error with which that began.
    ran : bool or None
        Of a task that has failed: whether an engine ever had it.
    """

    when: float
    msg_id: str
    what: str
    label: str | None = None
    priority: int = 0
    cost: float | None = None
    parents: tuple[str, ...] = ()
    parents_more: int = 0
    engine: str | None = None
    outcome: str | None = None
    reason: str | None = None
    kind: str | None = None
    cause: str | None = None
    ran: bool | None = None


@dataclass(frozen=True)
class Place:
    """What an engine is called.

    Attributes
    ----------
    id : int or None
        Its number; None if the hub has not said it.
    uuid : str
        Its identity.
    host : str or None
        From where it connects, if that is known.
    """

    id: int | None
    uuid: str
    host: str | None


@dataclass(frozen=True)
class Happenings:
    """What happened, in the order in which it came about.

    Attributes
    ----------
    time : float
        When the scheduler said it, in seconds since the epoch.
    run : str
        What names the life of this scheduler: another one after the controller was restarted.
    mark : str
        Where it ends: to be given when the next are asked for.
    missed : bool
        Whether some that came before these, and after the mark that was given, may be forgotten:
        the scheduler remembers the last 20,000.
    more : bool
        Whether there are more already.
    engines : dict of str to Place
        The engines that are named, by UUID.
    happenings : list of Happening
        The oldest first, 1,000 at most.
    """

    time: float
    run: str
    mark: str
    missed: bool
    more: bool
    engines: dict[str, Place]
    happenings: list[Happening]


def happenings(rc: ipp.Client, mark: str = "") -> Happenings:
    """Ask the scheduler what happened to tasks.

    Parameters
    ----------
    rc : ipyparallel.Client
        Who asks.
    mark : str
        Where the answer before ended; without it, all that is remembered is told.

    Returns
    -------
    Happenings
        Of the tasks of all clients.

    Raises
    ------
    NotRichError
        If the scheduler is not `RichTaskScheduler`.
    TimeoutError
        If the scheduler does not answer.
    ipyparallel.RemoteError
        If the mark is none of an answer.
    """
    return make(
        Happenings,
        ask(rc, HAPPENINGS, mark=mark),
        engines=lambda places: {place["uuid"]: make(Place, place) for place in places},
        happenings=lambda rows: [*map(_happening, rows)],
    )


def _happening(row: dict[str, Any]) -> Happening:
    """One of thousands, so without a look at each field."""
    if "parents" in row:
        row["parents"] = tuple(row["parents"])
    try:
        return Happening(**row)
    except TypeError:  # it has fields that are not known here yet
        return Happening(**{name: row[name] for name in Happening.__slots__ if name in row})
