"""Carrying out what the core decides: messages to clients, engines and the hub."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import zmq

from .checks import printable
from .core.actions import Action, AssignTask, FailTask, Reason, RelayReply, Warn
from .core.events import EngineUnreachable
from .transport import send
from .wire import Frames, Wire


class Outbox:
    """The sockets as far as they are written to.

    Parameters
    ----------
    wire : Wire
    clients, engines, hub : zmq.Socket
        The sockets of each; that of the engines reports who it cannot reach.
    ident : bytes
        What the scheduler calls itself to the hub.
    log : logging.Logger
    """

    def __init__(
        self, wire: Wire, clients: Any, engines: Any, hub: Any, ident: bytes, log: logging.Logger
    ) -> None:
        engines.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._wire = wire
        self._clients = clients
        self._engines = engines
        self._hub = hub
        self._ident = ident
        self._log = log
        self._performers: dict[type, Callable[[Any], EngineUnreachable | None]] = {
            AssignTask: self._assign_task,
            RelayReply: self._relay_reply,
            FailTask: self._fail_task,
            Warn: self._warn,
        }

    def carry_out(self, action: Action) -> EngineUnreachable | None:
        """Do what the core decided; the event that this leads to, if it does."""
        return self._performers[type(action)](action)

    def tell_hub(self, topic: bytes, frames: Frames) -> None:
        """Let the hub's monitor see a message."""
        send(self._hub, topic, *frames)

    def refuse(self, message: Frames, text: str) -> None:
        """Answer a client whose message never was a task."""
        self._fail_task(FailTask("", Reason.INVALID_METADATA, text, message))

    def _assign_task(self, action: AssignTask) -> EngineUnreachable | None:
        frames = action.message
        if action.again:
            frames = self._wire.again(frames, action.again)
        try:
            send(self._engines, action.engine, *frames)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._log.debug("engine %r has no connection for %s", action.engine, action.msg_id)
            return EngineUnreachable(action.engine, action.msg_id)
        send(self._hub, *self._wire.task_destination(action.msg_id, action.engine, self._ident))
        return None

    def _relay_reply(self, action: RelayReply) -> None:
        client, engine = action.message[0], action.reply[0]
        frames = [client, engine, *action.reply[2:]]
        send(self._clients, *frames)
        self.tell_hub(b"outtask", frames)

    def _fail_task(self, action: FailTask) -> None:
        self._log.debug("task %r fails with %s", action.msg_id, action.reason.value)
        frames = self._wire.error_reply(action)
        if action.reason is Reason.INVALID_METADATA:
            text = printable(action.text)
            self._log.warning("task::refused a message of client %r: %s", action.message[0], text)
        else:
            self.tell_hub(b"outtask", frames)
        send(self._clients, *frames)

    def _warn(self, action: Warn) -> None:
        self._log.warning("task::%s", printable(action.text))
