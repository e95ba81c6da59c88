"""Dataclasses of what the scheduler answers, and back to plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar

from ipyparallel import AsyncResult

T = TypeVar("T")


def when(seconds: float | None) -> datetime | None:
    """A time of an answer, as `AsyncResult.metadata` has times: in UTC, and aware of it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def span(seconds: float) -> str:
    """A length of time, for people."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3_600:.1f} h"


def age(status: Any, since: datetime | None) -> str:
    """How long something has lasted."""
    if since is None:
        return ""
    return span(max(0.0, (status.time - since).total_seconds()))


def short(name: str) -> str:
    """What tells a msg_id from others: the beginning and the end."""
    return f"{name[:8]}..{name[-8:]}" if len(name) > 20 else name


def printable(text: str) -> str:
    """A text that does nothing to a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def details_of(details: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a reason, with times as times."""
    times = {"until", "again", "since", "began"}
    return {name: when(value) if name in times else value for name, value in details.items()}


def msg_ids_of(item: Any) -> list[str]:
    """The ids of a result's tasks, or an id as it is; raises TypeError if it is neither."""
    if isinstance(item, AsyncResult):
        return list(item.msg_ids)
    if isinstance(item, str):
        return [item]
    raise TypeError(f"{item!r} is neither an AsyncResult nor a msg_id")


def make(kind: Callable[..., T], found: Mapping[str, Any], **readers: Callable[[Any], Any]) -> T:
    """A dataclass of an object in an answer, which may have fields that are not known here yet.

    Parameters
    ----------
    kind : type
        The dataclass.
    found : mapping
        The object.
    **readers
        What reads the value of a field, where it is not taken as it is.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: readers.get(name, lambda v: v)(found[name]) for name in names})


def plain(value: Any) -> Any:
    """Data for JSON under the same names; times are in ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
