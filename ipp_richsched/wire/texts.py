"""Reasons and notices as sentences, and as the errors that a client knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipyparallel import error

from ..core.reasons import (
    Awaited,
    CannotFollow,
    Ended,
    EngineDied,
    EngineNotice,
    Failure,
    Few,
    InternalError,
    InvalidDependency,
    InvalidMetadata,
    NoStatus,
    NoTargetLeft,
    Notice,
    Obstacle,
    Oddity,
    Reason,
    ReplyDiscarded,
    SchemeFailed,
    Stranded,
    TaskNotice,
    TimedOut,
    TraceFailed,
    UnreachableDependency,
    engine_name,
)

UNMET = "its functional dependency is unmet"

ERRORS: dict[Failure, type[Exception]] = {
    Failure.INVALID_METADATA: ValueError,
    Failure.INVALID_DEPENDENCY: error.InvalidDependency,
    Failure.IMPOSSIBLE_DEPENDENCY: error.ImpossibleDependency,
    Failure.TASK_TIMEOUT: error.TaskTimeout,
    Failure.ENGINE_ERROR: error.EngineError,
    Failure.INTERNAL_ERROR: RuntimeError,
}
"""What a client gets for each kind of failure."""


def reason_text(msg_id: str, reason: Reason) -> str:
    """Why a task has failed, as a sentence that names it."""
    text: str = _REASONS[type(reason)](msg_id, reason)
    return text


def notice_text(notice: Notice) -> str:
    """A line for the log."""
    text: str = _NOTICES[type(notice)](notice)
    return text


def _few(few: Few) -> str:
    shown = ", ".join(few.names)
    return f"{shown} and {few.more} more" if few.more else shown


def _invalid_metadata(msg_id: str, reason: InvalidMetadata) -> str:
    return f"task {msg_id}: {reason.problem}"


def _invalid_dependency(msg_id: str, reason: InvalidDependency) -> str:
    what = "is the task itself" if reason.itself else "is no task of this scheduler"
    return f"task {msg_id}: {reason.field!r} names {reason.msg_id}, which {what}"


def _unreachable_dependency(msg_id: str, reason: UnreachableDependency) -> str:
    verb = "run after" if reason.field == "after" else "follow"
    ended = ", ".join(map(_ended, reason.ended)) + f" and {reason.more} more" * bool(reason.more)
    is_named = reason.first in ("", *(end.msg_id for end in reason.ended))
    began = "" if is_named else f"; the first to fail was {reason.first}"
    return f"task {msg_id} cannot {verb} {ended}{began}"


def _ended(ended: Ended) -> str:
    how = "succeeded" if ended.succeeded else "failed"
    return f"{ended.msg_id}, which {how}" + " and ran nowhere" * ended.ran_nowhere


def _cannot_follow(msg_id: str, reason: CannotFollow) -> str:
    engines = _few(reason.engines)
    what = {
        Obstacle.GONE: f"to engine {engines}, which has died",
        Obstacle.OFF_TARGETS: f"to engine {engines}: not in its targets",
        Obstacle.REFUSED: f"to engine {engines}, where {UNMET}",
        Obstacle.APART: f"tasks that ran on different engines: {engines}",
    }
    return f"task {msg_id} cannot follow {what[reason.obstacle]}"


def _no_target_left(msg_id: str, reason: NoTargetLeft) -> str:
    whys = [f"{_few(reason.died)} died"] * bool(reason.died.names)
    whys += [f"on {_few(reason.refused)} {UNMET}"] * bool(reason.refused.names)
    return f"task {msg_id}: none of its target engines can run it: {'; '.join(whys)}"


def _stranded(msg_id: str, reason: Stranded) -> str:
    if reason.absent.names:
        why = f"no engine {_few(reason.absent)} is registered"
    else:
        why = f"on every engine that may run it ({_few(reason.refused)}) {UNMET}"
    if reason.seconds is None:
        return f"task {msg_id} and others like it wait: {why}"
    return f"task {msg_id}: {why}, and none that could came in {reason.seconds:g} s"


def _timed_out(msg_id: str, reason: TimedOut) -> str:
    what = reason.awaited.value
    if reason.awaited is Awaited.DEPENDENCIES:
        fields = ("after", reason.after), ("follow", reason.follow)
        pending = [f"{field} {_few(ids)}" for field, ids in fields if ids.names]
        what = f"{what}: {'; '.join(pending)}"
    return f"task {msg_id} waited {reason.seconds:g} s for {what}"


def _engine_died(msg_id: str, reason: EngineDied) -> str:
    # The stock scheduler's words, since people search for them.
    return f"Engine {engine_name(reason.engine)!r} died while running task {msg_id!r}"


def _no_status(msg_id: str, reason: NoStatus) -> str:
    text = f"task {msg_id}: the reply of engine {engine_name(reason.engine)} has no status"
    return f"{text}: {reason.problem}" if reason.problem else text


def _internal_error(msg_id: str, reason: InternalError) -> str:
    return f"task {msg_id} was struck by an error in the scheduler itself; see its log"


def _discarded(notice: ReplyDiscarded) -> str:
    return (
        f"engine {engine_name(notice.engine)} answered task {notice.msg_id}, which it does"
        " not hold (or not in that attempt); the reply is discarded"
    )


def _about_engine(notice: EngineNotice) -> str:
    what = {
        Oddity.ANNOUNCED_TWICE: "was announced twice",
        Oddity.UNKNOWN_AND_GONE: "is unknown and was said to be gone",
        Oddity.NOT_REACHED: "is registered, but cannot be reached",
    }
    return f"engine {engine_name(notice.engine)} {what[notice.oddity]}"


_REASONS: dict[type, Callable[[str, Any], str]] = {
    InvalidMetadata: _invalid_metadata,
    InvalidDependency: _invalid_dependency,
    UnreachableDependency: _unreachable_dependency,
    CannotFollow: _cannot_follow,
    NoTargetLeft: _no_target_left,
    Stranded: _stranded,
    TimedOut: _timed_out,
    EngineDied: _engine_died,
    NoStatus: _no_status,
    InternalError: _internal_error,
}

_NOTICES: dict[type, Callable[[Any], str]] = {
    TaskNotice: lambda notice: reason_text(notice.msg_id, notice.reason),
    ReplyDiscarded: _discarded,
    EngineNotice: _about_engine,
    SchemeFailed: lambda notice: f"{notice.problem}; 'leastload' chose instead",
    TraceFailed: lambda notice: f"events are no longer written down: {notice.problem}",
}
