"""What a task waited for before it could run, by the records of those that it depends on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from ..core.dependency import Dependency
from .records import Record


class Wait(NamedTuple):
    """What a task waited for.

    Attributes
    ----------
    pending : tuple of str
        What it still waited for when it ended or, if it has not, where the log ends.
    last : str or None
        The task whose end let it run, if nothing is pending and it had to wait.
    until : float
        When that was.
    """

    pending: tuple[str, ...] = ()
    last: str | None = None
    until: float = -math.inf


def wait_of(record: Record, records: Mapping[str, Record]) -> Wait:
    """What a task waited for; what the log does not know has ended before it begins."""
    end = math.inf if record.ended is None else record.ended
    pending: list[str] = []
    last, until = None, -math.inf if record.submitted is None else record.submitted
    for dependency in (record.after, record.follow, record.arguments):
        waits, decisive, when = _met(dependency, records, end)
        pending += waits
        if decisive is not None and when > until:
            last, until = decisive, when
    return Wait(tuple(dict.fromkeys(pending))) if pending else Wait((), last, until)


def _met(
    dependency: Dependency, records: Mapping[str, Record], end: float
) -> tuple[list[str], str | None, float]:
    """The tasks that a dependency still waits for at a time; else who met it, and when."""
    known = [records[msg_id] for msg_id in dependency.ids if msg_id in records]
    ended = sorted(
        (record.ended, record.msg_id)
        for record in known
        if record.ended is not None and record.ended <= end and dependency.accepts(record.succeeded)
    )
    unknown = len(dependency.ids) - len(known)
    needed = dependency.needed - unknown
    if len(ended) < needed:
        over = {msg_id for _, msg_id in ended}
        return [record.msg_id for record in known if record.msg_id not in over], None, 0.0
    if needed <= 0:
        return [], None, 0.0
    when, msg_id = ended[needed - 1]
    return [], msg_id, when
