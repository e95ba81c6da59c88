"""The flags of a `RichView` in the metadata of a task.

A client checks them before it sends anything, and the scheduler again: both do it here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..core.flags import PLAIN, RichFlags

FUNCTION = "function"
"""The field in which a `RichView` says the name of a task's function."""

LONGEST = 100
"""How many characters of a label count."""

MOST = 10**9
"""The highest priority; the lowest is its negative."""


def _priority(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -MOST <= value <= MOST:
        raise ValueError(f"'priority' is {value!r}, not a whole number of up to nine digits")
    return value


def _max_crashes(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"'max_crashes' is {value!r}, not a number of engines")
    return value


def _cost(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"'cost' is {value!r}, not a number of seconds")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("'cost' is too large") from None


def _run_timeout(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"'run_timeout' is {value!r}, not a number of seconds above 0")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("'run_timeout' is too large") from None


CHECKS: dict[str, Callable[[Any], Any]] = {
    "priority": _priority,
    "max_crashes": _max_crashes,
    "run_timeout": _run_timeout,
    "cost": _cost,
}
"""What reads the value of a flag; it raises a ValueError that names the flag."""


def rich_flags_of(metadata: Mapping[str, Any]) -> RichFlags:
    """The flags in the metadata of a task; None is as if a flag was not there.

    Raises
    ------
    ValueError
        If one has a value that it cannot have.
    """
    kind = metadata.get("label") or metadata.get(FUNCTION)
    if kind is None and CHECKS.keys().isdisjoint(metadata):
        return PLAIN
    values = {name: metadata.get(name) for name in CHECKS}
    found = {name: CHECKS[name](value) for name, value in values.items() if value is not None}
    if isinstance(kind, str):  # a stock view takes anything for a label
        found["label"] = kind[:LONGEST]
    return RichFlags(**found) if found else PLAIN
