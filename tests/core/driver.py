"""Drives a `SchedulerCore` in tests: short names, a clock, and a check after each event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ipp_richsched.core.actions import (
    Action,
    AskEngine,
    AssignTask,
    FailTask,
    RefuseTask,
    RelayReply,
    Warn,
)
from ipp_richsched.core.dependency import NOTHING, Dependency
from ipp_richsched.core.durations import Durations
from ipp_richsched.core.events import (
    EngineAnswered,
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
    ValueSent,
)
from ipp_richsched.core.failures import Failure, TaskError
from ipp_richsched.core.flags import RichFlags
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.notices import EngineGone, NoEngine, Notice, TaskRetried, TaskStranded
from ipp_richsched.core.settings import Settings
from ipp_richsched.core.status import Status
from ipp_richsched.core.tale import Tale
from ipp_richsched.wire.notices import notice_text
from ipp_richsched.wire.texts import reason_text

_TOLD = TaskRetried, TaskStranded, EngineGone, NoEngine


class Driver:
    """A core, its clock, and the engines ``engines`` registered in this order.

    Engines are not asked whether they have lost anything, unless a test says so.

    Attributes
    ----------
    told : list of Notice
        What the operator was told of retries, strandings, deaths and want of engines: the lists
        of actions leave it out.
    """

    def __init__(
        self,
        *engines: str,
        probe_after: float | None = None,
        durations: Durations | None = None,
        **settings: Any,
    ) -> None:
        self.core = SchedulerCore(
            Settings(probe_after=probe_after, **settings), durations=durations
        )
        self.now = 100.0
        self.told: list[Notice] = []
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
        for action in actions:
            if isinstance(action, Warn) and isinstance(action.notice, _TOLD):
                self.told.append(action.notice)
        return [
            action
            for action in actions
            if not (isinstance(action, Warn) and isinstance(action.notice, _TOLD))
        ]

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
        client: bytes = b"",
        **rich: Any,
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
                RichFlags(**rich),
                client,
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
        error: TaskError | None = None,
        busy: float | None = None,
        size: int | None = None,
    ) -> list[Action]:
        """An engine answers the last that it got of a task, or what `mark` says."""
        if mark is None:
            sent = self.sent.get((engine, msg_id))
            mark = sent.mark if sent is not None else 0
        message = f"reply {msg_id} {engine}"
        ident = engine.encode()
        event = TaskReplied(ident, msg_id, status, met, message, None, mark, error, busy, size)
        return self.handle(event)

    def refuse(self, engine: str, msg_id: str, missing: str = "") -> list[Action]:
        """Its functional dependency is unmet there; `missing` is what the engine says of that."""
        error = TaskError("UnmetDependency", missing) if missing else None
        return self.reply(engine, msg_id, "error", met=False, error=error)

    def send_value(
        self, msg_id: str, size: int = 1, *, client: bytes = b"", problem: str = ""
    ) -> list[Action]:
        """A client sends the value of a task."""
        return self.handle(ValueSent(msg_id, client, size, problem, f"value {msg_id}"))

    def answer(self, engine: str, question: int) -> list[Action]:
        """An engine answers a question."""
        return self.handle(EngineAnswered(engine.encode(), question))

    def status(self, oldest: int = 10) -> Status:
        """How things stand."""
        return self.core.status(now=self.now, oldest=oldest)

    def why(self, msg_id: str) -> Tale:
        """What is known of a task."""
        (tale,) = self.core.why([msg_id], now=self.now)
        return tale

    def order(self, engine: str = "a", seconds: float = 0.0) -> list[str]:
        """The tasks that an engine gets from now on, each answered after so many seconds."""
        names: list[str] = []
        held = self.core.pool.engines[engine.encode()].attempts
        while held:
            [msg_id] = held
            names.append(msg_id)
            self.wait(seconds)
            self.reply(engine, msg_id)
        return names

    def wait(self, seconds: float) -> list[Action]:
        """Let time pass; every deadline on the way is taken when it comes."""
        end = self.now + seconds
        actions: list[Action] = []
        while (when := self.core.next_deadline()) is not None and when <= end:
            self.now = max(self.now, when)
            actions += self.handle(TimePassed())
        self.now = end
        return actions


def assign(msg_id: str, engine: str, mark: int = 0, *, values: tuple[str, ...] = ()) -> AssignTask:
    """An assignment of any attempt; `mark` is its number where the engine had the task before."""
    attempt: Any = mark or _AnyOf()
    return AssignTask(msg_id, engine.encode(), f"message {msg_id}", attempt, mark, values)


def ask(engine: str, question: int) -> AskEngine:
    return AskEngine(engine.encode(), question)


def relay(msg_id: str, engine: str) -> RelayReply:
    return RelayReply(msg_id, engine.encode(), f"message {msg_id}", f"reply {msg_id} {engine}")


def fail(
    msg_id: str,
    failure: Failure = Failure.IMPOSSIBLE_DEPENDENCY,
    *,
    engine: str | None = None,
) -> FailTask:
    """A failure of that kind after any attempts; its reason is compared by `text`."""
    blamed = engine.encode() if engine is not None else None
    reason: Any = _AnyOf(failure)
    attempts: Any = _AnyOf()
    return FailTask(msg_id, reason, f"message {msg_id}", blamed, attempts, attempts)


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
