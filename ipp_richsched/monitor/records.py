"""What happened to some tasks, as an event log tells it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from ..core.actions import AskForValue, AssignTask, FailTask, InterruptEngine, RelayReply, Warn
from ..core.dependency import NOTHING, Dependency
from ..core.events import (
    CancelRequested,
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    SendingFailed,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
    ValueSent,
)
from ..core.failures import engine_name
from ..core.log import LogError, Step, actions_of, event_of
from ..core.notices import NoRoomForValue, TaskRetried, TaskStranded
from ..core.reasons import Reason
from ..wire.names import client_name, listed_few
from ..wire.notices import notice_text
from ..wire.texts import by_identity, of_itself, reason_text, tried_text, unmet_text

NAMED = 5
"""How many of several names a line has."""


@dataclass(frozen=True)
class Happening:
    """Something that happened to a task.

    Attributes
    ----------
    when : float
        In seconds since 1970.
    what : str
        ``'submitted'``, ``'ready'``, ``'sent'``, ``'not sent'``, ``'refused'``, ``'busy'``,
        ``'retried'``, ``'stranded'``, ``'engine gone'``, ``'interrupted'``, ``'wanted back'``,
        ``'value'``, ``'succeeded'``, ``'failed'`` or ``'forgotten'``.
    text : str
        What happened, in words.
    """

    when: float
    what: str
    text: str


@dataclass
class Record:
    """What is known of a task.

    Attributes
    ----------
    msg_id : str
        The task.
    label : str or None
        Its label, or the name of its function.
    after, follow, arguments : Dependency
        What it waits for.
    submitted, ended : float or None
        When it was and, if it is finished, when it had; in seconds since 1970.
    succeeded : bool
        Whether it has succeeded.
    is_forgotten : bool
        Whether the scheduler ended before it.
    engine : bytes or None
        The engine that has it.
    reason : Reason or None
        Why the scheduler failed it, if it did.
    happenings : list of Happening
        What happened to it, in order.
    """

    msg_id: str
    label: str | None = None
    after: Dependency = NOTHING
    follow: Dependency = NOTHING
    arguments: Dependency = NOTHING
    submitted: float | None = None
    ended: float | None = None
    succeeded: bool = False
    is_forgotten: bool = False
    engine: bytes | None = None
    reason: Reason | None = None
    happenings: list[Happening] = field(default_factory=list)


class Recorder:
    """Makes the records of some tasks from the steps of a log.

    Parameters
    ----------
    msg_ids : collection of str
        The tasks.

    Attributes
    ----------
    records : dict of str to Record
        Those of which the log tells something.
    names : dict of str to str
        What people call the engines, by their identities.
    """

    def __init__(self, msg_ids: Collection[str]) -> None:
        self._wanted = msg_ids
        self.records: dict[str, Record] = {}
        self.names: dict[str, str] = {}
        self._when = 0.0
        self._events: dict[type, Callable[[Any], None]] = {
            EngineUnregistered: self._engine_gone,
            EngineUnreachable: self._not_sent,
            SendingFailed: self._not_sent,
            TaskSubmitted: self._submitted,
            TaskRejected: self._rejected,
            TaskReplied: self._replied,
            ValueSent: self._value_sent,
            CancelRequested: self._wanted_back,
        }

    def take(self, step: Step, when: float) -> None:
        """Take in a step; raises LogError if it cannot be read."""
        self._when = when
        event, actions = event_of(step), actions_of(step)
        if isinstance(event, EngineRegistered):
            self.names[engine_name(event.engine)] = step.called
        elif type(event) in self._events:
            self._events[type(event)](event)
        for action in actions:
            if isinstance(action, AssignTask):
                self._assigned(action, event)
            elif isinstance(action, RelayReply):
                self._relayed(action, event)
            elif isinstance(action, FailTask):
                self._failed(action)
            elif isinstance(action, Warn):
                self._warned(action)
            elif isinstance(action, AskForValue):
                self._note(action.msg_id, "value", "its client is asked to send its value")
            elif isinstance(action, InterruptEngine):
                self._interrupted(action)

    def run_is_over(self, when: float) -> None:
        """The scheduler ended, and another one began."""
        self._when = when
        for record in self.records.values():
            if record.ended is None and not record.is_forgotten:
                self._note(record.msg_id, "forgotten", "the scheduler ended here, or soon after")
                record.is_forgotten, record.engine = True, None

    def called(self, engine: str) -> str:
        """What people call an engine, given its identity as text."""
        return self.names.get(engine) or by_identity(engine)

    def _engine(self, ident: bytes) -> str:
        return self.called(engine_name(ident))

    def _record(self, msg_id: str) -> Record | None:
        """The record of a task; None if nobody asks for it."""
        if msg_id not in self._wanted:
            return None
        return self.records.setdefault(msg_id, Record(msg_id))

    def _note(self, msg_id: str, what: str, text: str) -> Record | None:
        record = self._record(msg_id)
        if record is not None:
            record.happenings.append(Happening(self._when, what, text))
        return record

    # -- events ------------------------------------------------------------------------

    def _submitted(self, event: TaskSubmitted) -> None:
        record = self._record(event.msg_id)
        if record is None:
            return
        if record.submitted is not None:
            self._note(event.msg_id, "refused", "submitted again, in vain: its id is taken")
            return
        record.submitted = self._when
        record.label = event.rich.label
        record.after, record.follow = event.after, event.follow
        record.arguments = Dependency(event.rich.arguments)
        self._note(event.msg_id, "submitted", self._submission(event))

    def _submission(self, event: TaskSubmitted) -> str:
        """Who submitted a task, and what it asks for."""
        asked = []
        for verb, ids in (
            ("after", event.after.ids),
            ("follows", event.follow.ids),
            ("has as arguments the results of", event.rich.arguments),
        ):
            if ids:
                asked.append(f"{verb} {_named(ids)}")
        if event.targets is not None:
            engines = [self._engine(ident) for ident in sorted(event.targets)]
            asked.append(f"only on {_named(engines)}")
        asked += [
            f"{name} {value:g}"
            for name, value in (
                ("timeout", event.timeout),
                ("retries", event.retries or None),
                ("priority", event.rich.priority or None),
                ("max_crashes", event.rich.max_crashes),
                ("run_timeout", event.rich.run_timeout),
                ("cost", event.rich.cost),
            )
            if value is not None
        ]
        client = f"submitted by client {client_name(event.client)}"
        return f"{client}: {'; '.join(asked)}" if asked else client

    def _rejected(self, event: TaskRejected) -> None:
        record = self._note(event.msg_id, "submitted", f"submitted, but: {event.problem}")
        if record is not None:
            record.submitted = self._when

    def _engine_gone(self, event: EngineUnregistered) -> None:
        for record in self.records.values():
            if record.engine == event.engine:
                text = f"{self._engine(event.engine)} is gone, which had it"
                self._note(record.msg_id, "engine gone", text)

    def _not_sent(self, event: EngineUnreachable | SendingFailed) -> None:
        why = ", which has no connection" if isinstance(event, EngineUnreachable) else ""
        text = f"it did not reach {self._engine(event.engine)}{why}"
        record = self._note(event.msg_id, "not sent", text)
        if record is not None:
            record.engine = None

    def _replied(self, event: TaskReplied) -> None:
        engine = self._engine(event.engine)
        if not event.dependencies_met:
            self._note(event.msg_id, "refused", f"{engine} refused it: {unmet_text(event.error)}")
        elif event.busy is not None:
            text = f"{engine} is busy with something else, and gave it back for {event.busy:g} s"
            self._note(event.msg_id, "busy", text)

    def _value_sent(self, event: ValueSent) -> None:
        text = "its client sent its value"
        if event.problem:
            text = f"its client cannot send its value: {event.problem}"
        self._note(event.msg_id, "value", text)

    def _wanted_back(self, event: CancelRequested) -> None:
        for msg_id in event.msg_ids:
            text = f"client {client_name(event.client)} wants it back"
            self._note(msg_id, "wanted back", text)

    # -- actions -----------------------------------------------------------------------

    def _assigned(self, action: AssignTask, event: Event) -> None:
        text = f"sent to {self._engine(action.engine)}"
        if action.attempt > 1:
            text += f" (attempt {action.attempt})"
        if isinstance(event, TaskReplied) and event.engine == action.engine:
            text += f", which had just answered {event.msg_id}"
        record = self._note(action.msg_id, "sent", text)
        if record is not None:
            record.engine = action.engine

    def _relayed(self, action: RelayReply, event: Event) -> None:
        if not isinstance(event, TaskReplied):
            raise LogError(f"{type(event).__name__} led to a RelayReply")
        engine = self._engine(action.engine)
        text = f"succeeded on {engine}"
        if event.status == "aborted":
            text = f"aborted on {engine}"
        elif event.status != "ok":
            error = event.error
            text = f"failed on {engine}"
            if error is not None:
                text += f" with {error.ename}" + f": {error.evalue}" * bool(error.evalue)
        self._end(action.msg_id, event.status == "ok", text)

    def _failed(self, action: FailTask) -> None:
        text = of_itself(action.msg_id, reason_text(action.msg_id, action.reason, self.called))
        text += tried_text(action.attempts, action.tried_on, self.called)
        record = self._end(action.msg_id, False, f"failed: {text}")
        if record is not None:
            record.reason = action.reason

    def _end(self, msg_id: str, succeeded: bool, text: str) -> Record | None:
        record = self._note(msg_id, "succeeded" if succeeded else "failed", text)
        if record is not None:
            record.ended, record.succeeded, record.engine = self._when, succeeded, None
        return record

    def _warned(self, action: Warn) -> None:
        notice = action.notice
        what = {TaskRetried: "retried", TaskStranded: "stranded", NoRoomForValue: "value"}
        kind = type(notice)
        if kind in what:
            msg_id: str = getattr(notice, "msg_id")  # noqa: B009  # all three have one
            text = of_itself(msg_id, notice_text(notice, self.called))
            record = self._note(msg_id, what[kind], text)
            if record is not None and kind is TaskRetried:
                record.engine = None

    def _interrupted(self, action: InterruptEngine) -> None:
        for record in self.records.values():
            if record.engine == action.engine:
                text = f"{self._engine(action.engine)} is interrupted, which has it"
                self._note(record.msg_id, "interrupted", text)


def _named(names: Collection[str]) -> str:
    """The first few of some names, and how many others there are."""
    return listed_few([*names], NAMED)
