"""Carrying out what the core decides: messages to clients, engines and the hub.

What is decided in one round over the sockets is put here and sent at its end, one after the
other: a send finds ZeroMQ's thread asleep, and to wake it costs more than the send itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import zmq

from ..core.actions import Action, AssignTask, FailTask, Reason, RefuseTask, RelayReply, Warn
from ..core.events import EngineUnreachable, SendingFailed
from ..wire.checks import printable
from ..wire.messages import Frames, Wire
from ..wire.transport import send


class Outbox:
    """The sockets as far as they are written to.

    Parameters
    ----------
    wire : Wire
    clients, engines, hub : zmq.Socket
        The sockets of each; that of the engines reports who it cannot reach.
    ident : bytes
        What the scheduler calls itself to the hub.
    stands : callable
        Whether an assignment is not void when its time has come: see `SchedulerCore.stands`.
    log : logging.Logger
    """

    def __init__(
        self,
        wire: Wire,
        clients: Any,
        engines: Any,
        hub: Any,
        ident: bytes,
        log: logging.Logger,
        stands: Callable[[AssignTask], bool],
    ) -> None:
        engines.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._wire = wire
        self._clients = clients
        self._engines = engines
        self._hub = hub
        self._ident = ident
        self._log = log
        self._stands = stands
        self._performers: dict[type, Callable[[Any], None]] = {
            AssignTask: self._assign_task,
            RelayReply: self._relay_reply,
            FailTask: self._fail_task,
            RefuseTask: self._refuse_task,
            Warn: self._warn,
        }
        self._to_clients: list[Frames] = []
        # in the place of what the hub hears of an assignment: the assignment, until it is sent
        self._to_hub: list[Frames | AssignTask] = []

    def put(self, action: Action) -> None:
        """Take in what the core decided; an error in it is logged, for what else it decided."""
        try:
            self._performers[type(action)](action)
        except Exception:
            self._log.exception("task::internal error; please report it")

    def tell_hub(self, topic: bytes, frames: Frames) -> None:
        """Let the hub's monitor see a message."""
        self._to_hub.append([topic, *frames])

    def refuse(self, message: Frames, text: str) -> None:
        """Answer a client whose message never was a task."""
        self._fail_task(FailTask("", Reason.INVALID_METADATA, text, message))

    def flush(self) -> list[EngineUnreachable | SendingFailed]:
        """Send what was put; what this leads to: the tasks that could not be sent.

        Engines first, since they may be idle.  The hub hears of everything in the order in
        which it was decided, and before a client can ask it about its answer.
        """
        items, self._to_hub = self._to_hub, []
        to_clients, self._to_clients = self._to_clients, []
        items = [item for item in items if not isinstance(item, AssignTask) or self._stands(item)]
        # nothing is made between two sends: ZeroMQ's thread would fall asleep meanwhile
        for_hub = self._for_hub(items)
        to_hub, failures = [], []
        for item, message in zip(items, for_hub, strict=True):
            failure = self._send_task(item) if isinstance(item, AssignTask) else None
            if failure is not None:
                failures.append(failure)
            elif message:
                to_hub.append(message)
        self._send_all(self._hub, to_hub)
        self._send_all(self._clients, to_clients)
        return failures

    def _for_hub(self, items: list[Frames | AssignTask]) -> list[Frames]:
        """What the hub hears of each of these; nothing where there is an error of our own."""
        messages: list[Frames] = []
        for item in items:
            try:
                if isinstance(item, AssignTask):
                    item = self._wire.task_destination(item, self._ident)
                messages.append(item)
            except Exception:
                self._log.exception("task::internal error; please report it")
                messages.append([])
        return messages

    def _assign_task(self, action: AssignTask) -> None:
        self._to_hub.append(action)

    def _send_task(self, action: AssignTask) -> EngineUnreachable | SendingFailed | None:
        """Send a task to its engine; None if that succeeded."""
        try:
            frames = action.message
            if action.again:
                frames = self._wire.again(frames, action.again)
            send(self._engines, [action.engine, *frames])
        except zmq.ZMQError as error:
            self._log.debug("task %r cannot be sent to %r: %s", action.msg_id, action.engine, error)
            return EngineUnreachable(action.engine, action.msg_id)
        except Exception:
            self._log.exception("task::internal error; please report it")
            return SendingFailed(action.engine, action.msg_id)
        return None

    def _relay_reply(self, action: RelayReply) -> None:
        frames = [action.message[0], action.reply[0], *action.reply[2:]]
        self._to_clients.append(frames)
        self._to_hub.append([b"outtask", *frames])

    def _fail_task(self, action: FailTask) -> None:
        self._log.debug("task %r fails with %s", action.msg_id, action.reason.value)
        frames = self._wire.error_reply(action)
        if action.reason is Reason.INVALID_METADATA:
            text = printable(action.text)
            self._log.warning("task::refused a message of client %r: %s", action.message[0], text)
        else:
            self.tell_hub(b"outtask", frames)
        self._to_clients.append(frames)

    def _refuse_task(self, action: RefuseTask) -> None:
        if action.first is None or action.first[0] != action.message[0]:
            text = f"task {action.msg_id}: 'msg_id' is that of an earlier task, which alone counts"
            self.refuse(action.message, text)
        else:  # its client would take an error for the answer to the first
            text = f"task {action.msg_id} was submitted again; only the first one counts"
            self._warn(Warn(text))

    def _warn(self, action: Warn) -> None:
        self._log.warning("task::%s", printable(action.text))

    def _send_all(self, socket: Any, messages: list[Frames]) -> None:
        for frames in messages:
            try:
                send(socket, frames)
            except zmq.ZMQError:  # the others have still to be sent
                self._log.exception("task::a message cannot be sent")
