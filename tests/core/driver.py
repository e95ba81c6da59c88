"""Drives a `SchedulerCore` in tests: short names, a clock, and a check after each event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ipp_richsched.core.actions import (
    Action,
    AssignTask,
    FailTask,
    RefuseTask,
    RelayReply,
    Warn,
)
from ipp_richsched.core.dependency import NOTHING, Dependency
from ipp_richsched.core.events import (
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.reasons import Failure
from ipp_richsched.core.settings import Settings
from ipp_richsched.wire.texts import notice_text, reason_text


class Driver:
    """A core, its clock, and the engines ``engines`` registered in this order."""

    def __init__(self, *engines: str, **settings: Any) -> None:
        self.core = SchedulerCore(Settings(**settings))
        self.now = 100.0
        self.sent: dict[tuple[str, str], AssignTask] = {}  # the last of each task to each engine
        for engine in engines:
            self.register(engine)

    def handle(self, event: Event) -> list[Action]:
        actions = self.core.handle(event, now=self.now)
        self.core.validate()
        while self.core.busy:
            actions += self.core.handle(TimePassed(), now=self.now)
            self.core.validate()
        for action in actions:
            if isinstance(action, AssignTask):
                self.sent[action.engine.decode(), action.msg_id] = action
        return actions

    def register(self, engine: str) -> list[Action]:
        return self.handle(EngineRegistered(engine.encode()))

    def unregister(self, engine: str) -> list[Action]:
        return self.handle(EngineUnregistered(engine.encode()))

    def unreachable(self, engine: str, msg_id: str) -> list[Action]:
        """The last that was sent to an engine did not reach it."""
        sent = self.sent.get((engine, msg_id))
        attempt = sent.attempt if sent is not None else 0
        return self.handle(EngineUnreachable(engine.encode(), msg_id, attempt))

    def submit(
        self,
        msg_id: str,
        *,
        targets: Iterable[str] = (),
        after: Dependency | Iterable[str] = NOTHING,
        follow: Dependency | Iterable[str] = NOTHING,
        timeout: float | None = None,
        retries: int = 0,
    ) -> list[Action]:
        return self.handle(
            TaskSubmitted(
                msg_id,
                f"message {msg_id}",
                frozenset(target.encode() for target in targets) or None,
                after if isinstance(after, Dependency) else Dependency(after),
                follow if isinstance(follow, Dependency) else Dependency(follow),
                timeout,
                retries,
            )
        )

    def reject(self, msg_id: str, text: str) -> list[Action]:
        return self.handle(TaskRejected(msg_id, text, f"message {msg_id}"))

    def reply(
        self,
        engine: str,
        msg_id: str,
        status: str | None = "ok",
        *,
        met: bool = True,
        mark: int | None = None,
    ) -> list[Action]:
        """An engine answers the last that it got of a task, or what `mark` says."""
        if mark is None:
            sent = self.sent.get((engine, msg_id))
            mark = sent.mark if sent is not None else 0
        message = f"reply {msg_id} {engine}"
        return self.handle(TaskReplied(engine.encode(), msg_id, status, met, message, None, mark))

    def refuse(self, engine: str, msg_id: str) -> list[Action]:
        return self.reply(engine, msg_id, "error", met=False)

    def wait(self, seconds: float) -> list[Action]:
        """Let time pass; every deadline on the way is taken when it comes."""
        end = self.now + seconds
        actions: list[Action] = []
        while (when := self.core.next_deadline()) is not None and when <= end:
            self.now = max(self.now, when)
            actions += self.handle(TimePassed())
        self.now = end
        return actions


def assign(msg_id: str, engine: str, mark: int = 0) -> AssignTask:
    """An assignment of any attempt; `mark` is its number where the engine had the task before."""
    attempt: Any = mark or _AnyOf()
    return AssignTask(msg_id, engine.encode(), f"message {msg_id}", attempt, mark)


def relay(msg_id: str, engine: str) -> RelayReply:
    return RelayReply(msg_id, engine.encode(), f"message {msg_id}", f"reply {msg_id} {engine}")


def fail(
    msg_id: str,
    failure: Failure = Failure.IMPOSSIBLE_DEPENDENCY,
    *,
    engine: str | None = None,
) -> FailTask:
    """A failure of that kind; its reason is compared by `text`."""
    blamed = engine.encode() if engine is not None else None
    return FailTask(msg_id, _AnyOf(failure), f"message {msg_id}", blamed)  # type: ignore[arg-type]


def refuse(msg_id: str, *, under_way: bool) -> RefuseTask:
    """The refusal of a second task while the first is under way, or later."""
    return RefuseTask(msg_id, f"message {msg_id}", f"message {msg_id}" if under_way else None)


def warn() -> Warn:
    """Any warning; what it says is compared by `text`."""
    return Warn(_AnyOf())  # type: ignore[arg-type]


def text(actions: list[Action]) -> str:
    """What the one action says that says something."""
    said = [
        reason_text(action.msg_id, action.reason)
        if isinstance(action, FailTask)
        else notice_text(action.notice)
        for action in actions
        if isinstance(action, (FailTask, Warn))
    ]
    (found,) = said
    return found


class _AnyOf:
    """Equal to any reason of a kind; without one, to anything."""

    def __init__(self, failure: Failure | None = None) -> None:
        self.failure = failure

    def __eq__(self, other: object) -> bool:
        return self.failure is None or getattr(other, "failure", None) is self.failure

    def __repr__(self) -> str:
        return f"<any {self.failure.name if self.failure else 'thing'}>"
