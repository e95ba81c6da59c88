"""Carrying out what the core decides: messages to clients, engines and the hub.

What is decided in one round over the sockets is put here and sent at its end, one after the
other: a send finds ZeroMQ's thread asleep, and to wake it costs more than the send itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import zmq

from ..core.actions import (
    Action,
    AnswerValue,
    AskEngine,
    AskForValue,
    AssignTask,
    CancelDone,
    DropValue,
    FailTask,
    InterruptEngine,
    KeepValue,
    RefuseTask,
    RelayReply,
    Warn,
)
from ..core.attempt_reasons import NoStatus
from ..core.events import AskingFailed, EngineUnreachable, SendingFailed
from ..core.failures import Failure
from ..core.notices import EngineGone, EngineNotice, NoEngine, ReplyDiscarded
from ..core.reasons import Cancelled
from ..wire.messages import Frames, Wire
from ..wire.notices import notice_text
from ..wire.texts import ERRORS, reason_text, tried_text
from ..wire.transport import Channel
from .hub_line import HubLine
from .lines import AT_ONCE, Lines
from .values import HeldValues

ENGINES = 200
"""Of how many engines that go with tasks a line is written at once."""

NotSent = EngineUnreachable | SendingFailed | AskingFailed
"""What becomes of an assignment or a question that is not carried out."""


class Outbox:
    """The channels as far as they are written to.

    Parameters
    ----------
    wire : Wire
        What makes messages.
    clients, engines, hub : Channel
        Where they go; that of the engines reports who it cannot reach.
    ident : bytes
        What the scheduler calls itself to the hub.
    log : logging.Logger
        Where errors of our own go.
    lines : Lines
        What the operator is told.
    stands : callable
        Whether an assignment is not void when its time has come: see `SchedulerCore.stands`.
    interrupt : callable
        Interrupts an engine.

    Attributes
    ----------
    hub : HubLine
        What the hub has not taken yet.
    """

    def __init__(
        self,
        wire: Wire,
        clients: Channel,
        engines: Channel,
        hub: Channel,
        ident: bytes,
        log: logging.Logger,
        lines: Lines,
        stands: Callable[[AssignTask], bool],
        interrupt: Callable[[InterruptEngine], None],
    ) -> None:
        self._wire = wire
        self._clients = clients
        self._engines = engines
        self.hub = HubLine(hub, log, lines, wire.aborted_reply)
        self._ident = ident
        self._log = log
        self._lines = lines
        self._stands = stands
        self._values = HeldValues()
        self._performers: dict[type, Callable[[Any], None]] = {
            AssignTask: self._send_later,
            AskEngine: self._send_later,
            KeepValue: self._values.keep,
            DropValue: self._values.drop,
            AskForValue: self._ask_for_value,
            AnswerValue: self._answer_value,
            RelayReply: self._relay_reply,
            FailTask: self._fail_task,
            RefuseTask: self._refuse_task,
            CancelDone: self._cancel_done,
            InterruptEngine: interrupt,
            Warn: self._warn,
        }
        self._to_clients: list[Frames] = []
        # For the hub, in order.  An assignment stands for the message that the hub gets once it is
        # sent; of a question, which goes to its engine in its turn, the hub does not hear.
        self._to_hub: list[Frames | AssignTask | AskEngine] = []

    def put(self, action: Action) -> None:
        """Take in what the core decided; an error in it is logged, for what else it decided."""
        try:
            self._performers[type(action)](action)
        except Exception:
            self._log.exception("task::internal error; please report it")

    def tell_hub(self, topic: bytes, message: Frames) -> None:
        """Have the hub hear of a message under a topic, in its turn."""
        self._to_hub.append([topic, *message])

    def refuse(self, message: Frames, text: str) -> None:
        """Answer a client's message that is no task, of which the hub does not hear."""
        frames = self._wire.error_reply(message, ERRORS[Failure.INVALID_METADATA].__name__, text)
        self._log_refusal(message, text)
        self._to_clients.append(frames)

    def answer(self, request: Frames, values: dict[str, Any]) -> None:
        """Answer a request of a client's."""
        self._to_clients.append(self._wire.answer(request, values))

    def refuse_request(self, request: Frames, text: str) -> None:
        """Answer a request that cannot be understood."""
        error = ERRORS[Failure.INVALID_METADATA].__name__
        self._to_clients.append(self._wire.refusal(request, error, text))
        self._log_refusal(request, text)

    def dropped(self, sender: str, text: str) -> None:
        """Have the operator told of a message that is nobody's task and answers none."""
        self._lines.put(("dropped", sender), f"dropped a message of {sender}: {text}", AT_ONCE)

    def flush(self) -> list[NotSent]:
        """Send what was put; what this leads to: the assignments that were not carried out.

        Engines first, since they may be idle.  The hub hears of everything in the order in
        which it was decided, and as long as it keeps up before a client can ask it about its
        answer.
        """
        items, self._to_hub = self._to_hub, []
        to_clients, self._to_clients = self._to_clients, []
        # Make all messages before the first send: in between ZeroMQ's thread would fall asleep, and
        # waking it costs more than a send.
        for_hub = self._for_hub(items)
        to_hub: list[Frames] = []
        not_sent: list[NotSent] = []
        for item, message in zip(items, for_hub, strict=True):
            failure: NotSent | None = None
            if isinstance(item, AssignTask):
                failure = self._send_task(item)
            elif isinstance(item, AskEngine):
                failure = self._send_question(item)
            if failure is not None:
                not_sent.append(failure)
            elif message:
                to_hub.append(message)
        self.hub.send(to_hub)
        for frames in to_clients:
            try:
                self._clients.send(frames)
            except Exception:
                self._log.exception("task::a message cannot be sent")
        return not_sent

    def _for_hub(self, items: list[Frames | AssignTask | AskEngine]) -> list[Frames]:
        """What the hub hears of each of these; nothing where there is an error of our own."""
        messages: list[Frames] = []
        for item in items:
            try:
                if isinstance(item, AssignTask):
                    messages.append(self._wire.task_destination(item, self._ident))
                else:
                    messages.append([] if isinstance(item, AskEngine) else item)
            except Exception:
                self._log.exception("task::internal error; please report it")
                messages.append([])
        return messages

    def _send_later(self, action: AssignTask | AskEngine) -> None:
        self._to_hub.append(action)

    def _send_task(self, action: AssignTask) -> NotSent | None:
        """Send a task to its engine; None if that succeeded."""
        engine = action.engine
        try:
            if not self._stands(action):
                return SendingFailed(engine, action.msg_id, action.attempt)
            frames = action.message
            if action.mark:
                frames = self._wire.marked(frames, action.mark)
            if action.values:
                frames = self._values.joined(frames, action)
            self._engines.send([engine, *frames])
        except zmq.ZMQError as error:
            self._log.debug("task %r cannot be sent to %r: %s", action.msg_id, engine, error)
            return EngineUnreachable(engine, action.msg_id, action.attempt)
        except Exception:
            self._log.exception("task::internal error; please report it")
            return SendingFailed(engine, action.msg_id, action.attempt)
        return None

    def _send_question(self, action: AskEngine) -> NotSent | None:
        """Send a question to its engine; None if that succeeded."""
        try:
            self._engines.send(self._wire.question(action))
        except Exception as error:
            self._log.debug("%r cannot be asked: %s", action.engine, error)
            return AskingFailed(action.engine, action.question)
        return None

    def _relay_reply(self, action: RelayReply) -> None:
        frames = [action.message[0], action.reply[0], *action.reply[2:]]
        self._to_clients.append(frames)
        self._to_hub.append([b"outtask", *frames])

    def _fail_task(self, action: FailTask) -> None:
        if isinstance(action.reason, Cancelled):
            self._cancel_task(action, action.reason)
            return
        failure = action.reason.failure
        called = self._wire.names.called
        text = reason_text(action.msg_id, action.reason, called)
        text += tried_text(action.attempts, action.tried_on, called)
        error = ERRORS[failure].__name__
        frames = self._wire.error_reply(action.message, error, text, action.engine)
        if failure is Failure.INVALID_METADATA:
            self._log_refusal(action.message, text)
        else:
            self._lines.put(_kind(action.reason), f"{text} ({error})")
            self.tell_hub(b"outtask", frames)
        self._to_clients.append(frames)

    def _cancel_task(self, action: FailTask, reason: Cancelled) -> None:
        """Answer a task that was taken back; he who did that is told of all of them at once."""
        self.hub.aborted(action.message)
        if reason.late:
            text = reason_text(action.msg_id, reason, self._wire.names.called)
            self._lines.put(("cancelled late", reason.client), text)
        if reason.late or action.message[0] != reason.client:
            self._to_clients.append(self._wire.aborted_reply(action.message))

    def _cancel_done(self, action: CancelDone) -> None:
        outcomes = action._asdict()
        message = outcomes.pop("message")
        self.answer(message, {name: [*ids] for name, ids in outcomes.items()})
        client = message[0]
        text = f"client {client!r} cancelled {len(action.cancelled)} tasks"
        if action.interrupted:
            text += f", and {len(action.interrupted)} that run are interrupted"
        self._lines.put(("cancelled", client), text, AT_ONCE)

    def _ask_for_value(self, action: AskForValue) -> None:
        self._to_clients.append(self._wire.question_to_client(action))

    def _answer_value(self, action: AnswerValue) -> None:
        if action.taken:
            self.answer(action.message, {})
        else:
            text = f"'msg_id' is {action.msg_id!r}, and this client was not asked for its value"
            self.refuse_request(action.message, f"{text}, or no task waits for that any more")

    def _refuse_task(self, action: RefuseTask) -> None:
        if action.first is None or action.first[0] != action.message[0]:
            text = f"task {action.msg_id}: 'msg_id' is that of an earlier task, which alone counts"
            self.refuse(action.message, text)
        else:  # the client would take an error for the answer to its first task
            text = f"task {action.msg_id} was submitted again; only the first one counts"
            self._lines.put((RefuseTask, action.message[0]), text, AT_ONCE)

    def _warn(self, action: Warn) -> None:
        notice = action.notice
        kind = type(notice), _kind(getattr(notice, "reason", notice))
        at_once = 1
        if isinstance(notice, EngineGone):
            at_once = ENGINES
        elif isinstance(notice, (EngineNotice, NoEngine)):
            at_once = AT_ONCE
        self._lines.put(kind, notice_text(notice, self._wire.names.called), at_once)

    def _log_refusal(self, message: Frames, text: str) -> None:
        client = message[0]
        self._lines.put(
            ("refused", client), f"refused a message of client {client!r}: {text}", AT_ONCE
        )


def _kind(what: object) -> object:
    """What lines have in common that are counted together; of odd replies, their engine, too."""
    if isinstance(what, (NoStatus, ReplyDiscarded)):
        return type(what), what.engine
    if isinstance(what, EngineNotice):
        return what.oddity
    return type(what)
