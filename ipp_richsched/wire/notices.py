"""Notices as lines for the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.notices import (
    EngineGone,
    EngineNotice,
    NoEngine,
    NoRoomForValue,
    Notice,
    Oddity,
    ReplyDiscarded,
    SchemeFailed,
    TaskRetried,
    TaskStranded,
    TraceFailed,
)
from .texts import Called, by_identity, engine_text, reason_text


def notice_text(notice: Notice, called: Called = by_identity) -> str:
    """A line for the log."""
    text: str = _NOTICES[type(notice)](notice, called)
    return text


def _retried(notice: TaskRetried, called: Called) -> str:
    left = f"{notice.retries_left} {_plural('retry', notice.retries_left)} left"
    return f"{reason_text(notice.msg_id, notice.reason, called)}; it is tried again ({left})"


def _stranded(notice: TaskStranded, called: Called) -> str:
    return reason_text(notice.msg_id, notice.reason, called)


def _discarded(notice: ReplyDiscarded, called: Called) -> str:
    return (
        f"{engine_text(notice.engine, called)} answered task {notice.msg_id}, which it does"
        " not hold (or not in that attempt); the reply is discarded"
    )


def _about_engine(notice: EngineNotice, called: Called) -> str:
    what = {
        Oddity.ANNOUNCED_TWICE: "was announced twice",
        Oddity.UNKNOWN_AND_GONE: "is unknown and was said to be gone",
        Oddity.NOT_REACHED: "is registered, but cannot be reached",
    }
    return f"{engine_text(notice.engine, called)} {what[notice.oddity]}"


def _gone(notice: EngineGone, called: Called) -> str:
    held = f"{notice.held} {_plural('task', notice.held)}"
    return f"{engine_text(notice.engine, called)} is gone, with {held}"


def _no_engine(notice: NoEngine, called: Called) -> str:
    verb = "waits" if notice.tasks == 1 else "wait"
    return f"{notice.tasks} {_plural('task', notice.tasks)} {verb}, and no engine is registered"


def _no_room(notice: NoRoomForValue, called: Called) -> str:
    return (
        f"the result of task {notice.msg_id}, an argument of others, has {notice.size:,} bytes, and"
        f" {notice.held:,} of such results are held (c.RichTaskScheduler.values_size_limit): its"
        " client is asked to send it"
    )


def _plural(noun: str, number: int) -> str:
    if number == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


_NOTICES: dict[type, Callable[[Any, Called], str]] = {
    TaskRetried: _retried,
    TaskStranded: _stranded,
    ReplyDiscarded: _discarded,
    EngineNotice: _about_engine,
    EngineGone: _gone,
    NoEngine: _no_engine,
    NoRoomForValue: _no_room,
    SchemeFailed: lambda notice, called: f"{notice.problem}; 'leastload' chose instead",
    TraceFailed: lambda notice, called: f"events are no longer written down: {notice.problem}",
}
