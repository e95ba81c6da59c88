"""Drives a `SchedulerCore` in tests: short names, a clock, and a check after each event."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from ipp_richsched.core.actions import (
    Action,
    AssignTask,
    FailTask,
    Reason,
    RefuseTask,
    RelayReply,
    Warn,
)
from ipp_richsched.core.dependency import NOTHING, Dependency
from ipp_richsched.core.engines.pool import EnginePool
from ipp_richsched.core.engines.schemes import find_scheme
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


class Driver:
    """A core, its clock, and the engines ``engines`` registered in this order."""

    def __init__(
        self, *engines: str, scheme: str = "leastload", hwm: int = 1, seed: int = 0, **settings: Any
    ) -> None:
        pool = EnginePool(find_scheme(scheme), hwm, Random(seed))
        self.core = SchedulerCore(pool, **settings)
        self.now = 100.0
        for engine in engines:
            self.register(engine)

    def handle(self, event: Event) -> list[Action]:
        actions = self.core.handle(event, now=self.now)
        self.core.validate()
        while self.core.busy:
            actions += self.core.handle(TimePassed(), now=self.now)
            self.core.validate()
        return actions

    def register(self, engine: str) -> list[Action]:
        return self.handle(EngineRegistered(engine.encode()))

    def unregister(self, engine: str) -> list[Action]:
        return self.handle(EngineUnregistered(engine.encode()))

    def unreachable(self, engine: str, msg_id: str) -> list[Action]:
        return self.handle(EngineUnreachable(engine.encode(), msg_id))

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
        self, engine: str, msg_id: str, status: str | None = "ok", *, met: bool = True
    ) -> list[Action]:
        return self.handle(
            TaskReplied(engine.encode(), msg_id, status, met, f"reply {msg_id} {engine}")
        )

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


def assign(msg_id: str, engine: str, again: int = 0) -> AssignTask:
    return AssignTask(msg_id, engine.encode(), f"message {msg_id}", again)


def relay(msg_id: str, engine: str) -> RelayReply:
    return RelayReply(msg_id, engine.encode(), f"message {msg_id}", f"reply {msg_id} {engine}")


def fail(
    msg_id: str, reason: Reason = Reason.IMPOSSIBLE_DEPENDENCY, *, engine: str | None = None
) -> FailTask:
    """A failure with any text: a text is compared by `texts`."""
    blamed = engine.encode() if engine is not None else None
    return FailTask(msg_id, reason, _AnyText(), f"message {msg_id}", blamed)


def refuse(msg_id: str, *, under_way: bool) -> RefuseTask:
    """The refusal of a second task while the first is under way, or later."""
    return RefuseTask(msg_id, f"message {msg_id}", f"message {msg_id}" if under_way else None)


def warn() -> Warn:
    return Warn(_AnyText())


def text(actions: list[Action]) -> str:
    """The text of the one action that has one."""
    (found,) = [action.text for action in actions if isinstance(action, (FailTask, Warn))]
    return found


class _AnyText(str):
    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __repr__(self) -> str:
        return "<any text>"
