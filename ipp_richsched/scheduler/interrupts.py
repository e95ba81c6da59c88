"""Interrupts engines, by the means that ipyparallel has: the nanny of an engine sends the signal.

It is a client's way: a `signal_request` over the control port of the controller.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import zmq
from ipyparallel import util
from jupyter_client.session import Session

from ..core.actions import InterruptEngine
from ..core.events import Event, InterruptDone
from ..wire.transport import Channel, Frames
from .lines import AT_ONCE, Lines

SIGNAL = "SIGINT"


class Interrupts:
    """Sends interrupts, and tells of those that were carried out.

    Parameters
    ----------
    control : dict of str
        How a client connects to the control port: its ``'url'``, and where it is encrypted the
        keys, as `ipyparallel.util.connect` takes them; empty if that is not known.
    session : jupyter_client.session.Session
        Whose key is used.
    loop : tornado.ioloop.IOLoop
        What calls back when there is an answer.
    feed : callable
        Called with each `InterruptDone`.
    lines : Lines
        Where it is said that engines cannot be interrupted.
    log : logging.Logger
        Where errors of our own go.
    """

    def __init__(
        self,
        control: dict[str, Any],
        session: Session,
        loop: Any,
        feed: Callable[[Event], None],
        lines: Lines,
        log: logging.Logger,
    ) -> None:
        self._control = control
        self._session = session
        self._loop = loop
        self._feed = feed
        self._lines = lines
        self._log = log
        self._channel: Channel | None = None  # until it is needed
        self._open: dict[str, InterruptDone] = {}  # by the msg_id of the request

    def send(self, action: InterruptEngine) -> None:
        """Interrupt an engine."""
        done = InterruptDone(action.engine, action.interrupt)
        if not self._control:
            text = "engines cannot be interrupted: the controller has not said how"
            self._lines.put("no control", text, AT_ONCE)
            self._feed(done)
            return
        if self._channel is None:
            self._channel = self._connect()
        message = self._session.msg("signal_request", {"sig": SIGNAL})
        while len(self._open) >= 1000:  # nobody has answered these
            del self._open[next(iter(self._open))]
        self._open[message["header"]["msg_id"]] = done
        self._channel.send(self._session.serialize(message, ident=[action.engine]))
        self._loop.add_callback(self._read)  # sending can consume the news of an answer

    def _connect(self) -> Channel:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        util.connect(socket, **self._control)
        self._loop.add_handler(socket, self._read, self._loop.READ)
        return Channel(socket, from_many=False)

    def _read(self, *event: Any) -> None:
        """Read all answers that there are: the descriptor tells only of new ones."""
        assert self._channel is not None
        try:
            while True:
                self._take(self._channel.receive())
        except zmq.Again:
            pass

    def _take(self, frames: Frames) -> None:
        try:
            _, parts = self._session.feed_identities(
                [part for part in frames if isinstance(part, bytes)]
            )
            answer = self._session.deserialize(parts)
            done = self._open.pop(answer["parent_header"].get("msg_id"), None)
        except Exception as error:  # whatever is wrong with it, nobody waits for it for long
            self._log.debug("an answer to an interrupt cannot be read: %s", error)
            return
        if done is not None:
            self._feed(done)
