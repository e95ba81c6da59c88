"""Reasons as sentences, and as the errors that a client knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ipyparallel import error

from ..core.attempt_reasons import (
    AnswerLost,
    AttemptFailed,
    ConnectionLost,
    EngineDied,
    EnginesCrashed,
    NoStatus,
    RunTimedOut,
)
from ..core.failures import Cause, Failure, Few, TaskError, engine_name
from ..core.reasons import (
    Awaited,
    Cancelled,
    CannotFollow,
    Ended,
    InternalError,
    InvalidDependency,
    InvalidMetadata,
    NoTargetLeft,
    Obstacle,
    OutOfReach,
    Reason,
    Stranded,
    TimedOut,
    UnreachableDependency,
    ValueNotSent,
)
from .names import client_name, listed

UNMET = "its functional dependency (@require or @depend) is unmet"

ERRORS: dict[Failure, type[Exception]] = {
    Failure.INVALID_METADATA: ValueError,
    Failure.INVALID_DEPENDENCY: error.InvalidDependency,
    Failure.IMPOSSIBLE_DEPENDENCY: error.ImpossibleDependency,
    Failure.TASK_TIMEOUT: error.TaskTimeout,
    Failure.ENGINE_ERROR: error.EngineError,
    Failure.CANCELLED: error.TaskAborted,
    Failure.INTERNAL_ERROR: RuntimeError,
}
"""What a client gets for each kind of failure."""

Called: TypeAlias = Callable[[str], str]
"""What people call an engine, given its identity as text."""


def by_identity(engine: str) -> str:
    """Call an engine by its identity, for where nothing better is known."""
    return f"engine {engine}"


def reason_text(msg_id: str, reason: Reason, called: Called = by_identity) -> str:
    """Why a task has failed, as a sentence that names it."""
    text: str = _REASONS[type(reason)](msg_id, reason, called)
    return text


def of_itself(msg_id: str, text: str) -> str:
    """A sentence about a task, without its name, for where it is told what the task is."""
    if text.endswith(f" died while running task {msg_id!r}"):
        return f"{text[0].lower()}{text[1:].removesuffix(f'task {msg_id!r}')}it"
    text = text.removeprefix(f"task {msg_id}: ")
    name = f"task {msg_id} "
    return f"it {text.removeprefix(name)}" if text.startswith(name) else text


def named(msg_id: str, label: str | None) -> str:
    """A task by its id, and by its label if it has one."""
    return f"{msg_id} ({label})" if label else msg_id


def tried_text(attempts: int, engines: Few, called: Called = by_identity) -> str:
    """How often a task was tried, and where, as the end of a sentence; nothing for one attempt."""
    return f" (tried {attempts} times, on {engines_text(engines, called)})" if attempts > 1 else ""


def engine_text(engine: bytes, called: Called) -> str:
    """What people call an engine, given its identity."""
    return called(engine_name(engine))


def few_text(few: Few) -> str:
    """A few names of many."""
    return listed(few.names, few.more)


def engines_text(few: Few, called: Called) -> str:
    """What people call a few engines of many: ``engines 0, 1 and 2``."""
    names = [*map(called, few.names)]
    numbers = [name.removeprefix("engine ") for name in names]
    # with hosts, each is named in full: `engine 0 on a and engine 1 on b`
    if len(names) + few.more > 1 and all(number.isdecimal() for number in numbers):
        return f"engines {listed(sorted(numbers, key=int), few.more)}"
    return listed(names, few.more)


def verb(few: Few, one: str, many: str) -> str:
    """The verb that goes with one, or with many."""
    return one if len(few.names) + few.more == 1 else many


def error_text(error: TaskError) -> str:
    """What a task raised."""
    return f"{error.ename}: {error.evalue}" if error.evalue else error.ename


def unmet_text(refusal: TaskError | None) -> str:
    """That an engine has refused a task, as the end of a sentence, and what was missing there."""
    return f"{UNMET}: {refusal.evalue}" if refusal is not None and refusal.evalue else UNMET


def _invalid_metadata(msg_id: str, reason: InvalidMetadata, called: Called) -> str:
    return f"task {msg_id}: {reason.problem}"


def _invalid_dependency(msg_id: str, reason: InvalidDependency, called: Called) -> str:
    what = "is the task itself"
    if not reason.itself:
        what = (
            "is no task of this scheduler; if it is a direct view's, wait for it with .wait()"
            " before you submit"
        )
    return f"task {msg_id}: {reason.field!r} names {reason.msg_id}, which {what}"


_VERBS = {
    "after": "run after",
    "follow": "follow",
    "arguments": "have as an argument the result of",
}


def _unreachable_dependency(msg_id: str, reason: UnreachableDependency, called: Called) -> str:
    what = _VERBS[reason.field]
    *first, last = [*map(_ended, reason.ended), *[f"{reason.more} more"] * bool(reason.more)]
    ended = f"{', '.join(first)}, and {last}" if first else last
    return f"task {msg_id} cannot {what} {ended}{_began(reason)}"


def _ended(ended: Ended) -> str:
    how = "succeeded" if ended.succeeded else "failed"
    return (
        f"{named(ended.msg_id, ended.label)}, which {how}" + " and ran nowhere" * ended.ran_nowhere
    )


def _began(reason: UnreachableDependency) -> str:
    """With what it began, as the end of a sentence."""
    cause = reason.cause
    if cause is None:
        return ""
    if len(reason.ended) == 1 and not reason.more and cause.msg_id == reason.ended[0].msg_id:
        return _with(cause)
    return f"; the first to fail was {named(cause.msg_id, cause.label)}{_with(cause)}"


def _with(cause: Cause) -> str:
    if cause.error is not None:
        return f" with {error_text(cause.error)}"
    return f" with {ERRORS[cause.failure].__name__}" if cause.failure is not None else ""


def cause_text(cause: Cause) -> str:
    """With what a chain of failures began, as a sentence."""
    return f"task {named(cause.msg_id, cause.label)} failed{_with(cause)}"


def _value_not_sent(msg_id: str, reason: ValueNotSent, called: Called) -> str:
    what = f"task {msg_id} has as an argument the result of {reason.msg_id}"
    client = f"client {client_name(reason.client)}"
    if reason.seconds is None:
        return f"{what}, which {client} cannot send: {reason.problem}"
    return f"{what}, which {client} was asked for, and did not send within {reason.seconds:g} s"


def _cannot_follow(msg_id: str, reason: CannotFollow, called: Called) -> str:
    engines = engines_text(reason.engines, called)
    what = {
        Obstacle.GONE: f"to {engines}, which {verb(reason.engines, 'has', 'have')} died",
        Obstacle.OFF_TARGETS: f"to {engines}: not in its targets",
        Obstacle.APART: f"tasks that ran on different engines: {engines}",
    }
    return f"task {msg_id} cannot follow {what[reason.obstacle]}"


def _no_target_left(msg_id: str, reason: NoTargetLeft, called: Called) -> str:
    return f"task {msg_id}: none of its targets is left: {engines_text(reason.died, called)} died"


def _stranded(msg_id: str, reason: Stranded, called: Called) -> str:
    unmet = unmet_text(reason.refusal)
    whys = [f"on {engines_text(reason.refused, called)} {unmet}"] * bool(reason.refused.names)
    whys += [f"not registered: {engines_text(reason.absent, called)}"] * bool(reason.absent.names)
    why = "; ".join(whys)
    if reason.seconds is None:
        return f"task {msg_id} waits: {why}"
    so_long = f", and that did not change in {reason.seconds:g} s" if reason.seconds else ""
    return f"task {msg_id}: {why}{so_long}"


def _out_of_reach(msg_id: str, reason: OutOfReach, called: Called) -> str:
    engines = engines_text(reason.engines, called)
    return (
        f"task {msg_id}: registered, but without a connection for {reason.seconds:g} s: {engines}"
    )


def _connection_lost(msg_id: str, reason: ConnectionLost, called: Called) -> str:
    return (
        f"task {msg_id} is lost: {engine_text(reason.engine, called)} had it, and has had no"
        f" connection to the scheduler for {reason.seconds:g} s. The task may have run"
    )


def _timed_out(msg_id: str, reason: TimedOut, called: Called) -> str:
    what = reason.awaited.value
    if reason.awaited is Awaited.DEPENDENCIES:
        fields = ("after", "follow", "arguments")
        pending = [
            f"{field} {few_text(ids)}" for field in fields if (ids := getattr(reason, field)).names
        ]
        what = f"{what}: {'; '.join(pending)}"
    return f"task {msg_id} waited {reason.seconds:g} s for {what}"


def _run_timed_out(msg_id: str, reason: RunTimedOut, called: Called) -> str:
    engine = engine_text(reason.engine, called)
    return (
        f"task {msg_id} ran for more than {reason.seconds:g} s (its run_timeout) on {engine},"
        " which may be busy with it still"
    )


def _engine_died(msg_id: str, reason: EngineDied, called: Called) -> str:
    engine = engine_text(reason.engine, called)
    if reason.running:  # nearly the stock scheduler's words, since people search for them
        return f"{engine[0].upper()}{engine[1:]} died while running task {msg_id!r}"
    return (
        f"task {msg_id} was sent to {engine}, which died; it had an earlier task to run, so this"
        " one had probably not begun"
    )


def _engines_crashed(msg_id: str, reason: EnginesCrashed, called: Called) -> str:
    engines = engines_text(Few(tuple(map(engine_name, reason.engines))), called)
    plural = "s" if len(reason.engines) > 1 else ""
    return f"task {msg_id}: {len(reason.engines)} engine{plural} died while running it: {engines}"


def _answer_lost(msg_id: str, reason: AnswerLost, called: Called) -> str:
    return (
        f"task {msg_id} or its answer is lost: {engine_text(reason.engine, called)} answered what"
        " it was sent later. The task may have run. Either it raised an error, or has a result,"
        " that cannot be sent, or it was interrupted while it ended, or a connection broke. The"
        " engine's log may say more"
    )


def _attempt_failed(msg_id: str, reason: AttemptFailed, called: Called) -> str:
    what = f" with {error_text(reason.error)}" if reason.error is not None else ""
    return f"task {msg_id} failed on {engine_text(reason.engine, called)}{what}"


def _no_status(msg_id: str, reason: NoStatus, called: Called) -> str:
    text = f"task {msg_id}: the reply of {engine_text(reason.engine, called)} has no status"
    return f"{text}: {reason.problem}" if reason.problem else text


def _cancelled(msg_id: str, reason: Cancelled, called: Called) -> str:
    text = f"task {msg_id} was cancelled by client {client_name(reason.client)}"
    return f"{text} before it was to be queued again" if reason.late else text


def _internal_error(msg_id: str, reason: InternalError, called: Called) -> str:
    return f"task {msg_id} was struck by an error in the scheduler itself; see its log"


_REASONS: dict[type, Callable[[str, Any, Called], str]] = {
    InvalidMetadata: _invalid_metadata,
    InvalidDependency: _invalid_dependency,
    UnreachableDependency: _unreachable_dependency,
    CannotFollow: _cannot_follow,
    ValueNotSent: _value_not_sent,
    NoTargetLeft: _no_target_left,
    Stranded: _stranded,
    OutOfReach: _out_of_reach,
    TimedOut: _timed_out,
    RunTimedOut: _run_timed_out,
    EngineDied: _engine_died,
    EnginesCrashed: _engines_crashed,
    AnswerLost: _answer_lost,
    ConnectionLost: _connection_lost,
    AttemptFailed: _attempt_failed,
    NoStatus: _no_status,
    Cancelled: _cancelled,
    InternalError: _internal_error,
}
