"""Numbers, times and names as a report writes them."""

from __future__ import annotations

from collections.abc import Sequence

from ...client.data import short
from ...wire.names import listed_few
from ...workflows.runs import TaskRun

NAMED = 3
"""How many of several names a sentence has."""


def seconds_text(seconds: float) -> str:
    """A length of time, for people: two or three digits of it matter."""
    if seconds < 0.9995 and seconds:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 99.95:
        return f"{seconds:.3g} s"
    if seconds < 3_599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02} min"


def share_text(share: float) -> str:
    """A part of a whole."""
    if 0 < share < 0.01:
        return "less than 1 %"
    return "more than 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def count_text(number: int, one: str) -> str:
    """So many of something."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def names_text(names: Sequence[str]) -> str:
    """The first few of some names, and how many others there are."""
    return listed_few(names, NAMED)


def task_text(task: TaskRun) -> str:
    """What people call a task: its name, and what tells it from others of that name."""
    is_shared = task.name == task.group != task.msg_id
    return f"{task.name} ({short(task.msg_id)})" if is_shared else task.name
