"""The flags of a `RichView`, checked before anything is sent."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ipyparallel import AsyncResult, Dependency

from ..wire.checks import is_text
from ..wire.rich_flags import CHECKS
from .map_result import MapResult

RICH = tuple(CHECKS)
"""The flags that a `LoadBalancedView` has not."""

_FIELDS = set(Dependency().as_dict())


def _dependency(name: str, value: Any) -> Any:
    """As `LoadBalancedView` accepts it, if all its ids can be sent."""
    for each in value if isinstance(value, (list, tuple, set)) else [value]:
        if isinstance(each, MapResult) and not each.all_sent:
            raise ValueError(
                f"{name!r} names {each!r}, which has chunks that are not sent yet: wait for it, or"
                " give the map a 'chunksize'"
            )
    if value is None or isinstance(value, AsyncResult):
        return value
    if isinstance(value, dict):
        ids = value.get("msg_ids") if set(value) == _FIELDS else None
        good = isinstance(ids, list) and all(map(is_text, ids))
    elif isinstance(value, (str, list, tuple, set, Dependency)):
        ids = [value] if isinstance(value, str) else value
        good = all(isinstance(each, AsyncResult) or is_text(each) for each in ids)
    else:
        good = False
    if not good:
        raise ValueError(f"Invalid dependency: {name!r} is {value!r}")
    return value


def _timeout(name: str, value: Any) -> Any:
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Invalid type for timeout: {type(value)!r}")
    if not 0 <= value < math.inf:
        raise ValueError(f"Invalid timeout: {value}")
    return value


def _retries(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"retries must be int, not {type(value)!r}")
    if value < 0:
        raise ValueError(f"'retries' is {value!r}, not a number of retries")
    return value


def _label(name: str, value: Any) -> str | None:
    if value is not None and not is_text(value):
        raise ValueError(f"'label' is {value!r}, not a text that can be sent")
    return value


_STOCK: dict[str, Callable[[str, Any], Any]] = {
    "after": _dependency,
    "follow": _dependency,
    "timeout": _timeout,
    "retries": _retries,
    "label": _label,
}


def check_names(flags: Iterable[str], names: Sequence[str]) -> None:
    """Check that there are such flags.

    Raises
    ------
    KeyError
        If there is no flag of a name, as a stock view does; the text names those that there are.
    """
    for flag in flags:
        if flag not in names:
            alike = difflib.get_close_matches(flag, names, 1)
            meant = f", did you mean {alike[0]!r}?" if alike else ";"
            raise KeyError(f"Invalid name: {flag!r}{meant} the flags are {', '.join(names)}")


def check(flags: Mapping[str, Any]) -> None:
    """Check the values of flags; those that have no rule here are left to ipyparallel.

    Raises
    ------
    TypeError, ValueError
        If a flag cannot have its value; the text names the flag.
    """
    for name, value in flags.items():
        if name in _STOCK:
            _STOCK[name](name, value)
        elif name in CHECKS and value is not None:
            CHECKS[name](value)
