"""What clients do when they are asked for values."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random
from typing import NamedTuple

from ipp_richsched.wire.requests import REQUEST, VALUE, content_of

from ..scripted import Client
from .referee import Referee
from .script import PATIENCE, Script


class Sending(NamedTuple):
    """Something that a client will send, about a value.

    Attributes
    ----------
    due : float
    number : int
        Its place in the order of all of them.
    client : str
    msg_id : str
        The task whose value it is.
    kind : str
        ``value``, ``problem`` (it cannot be sent), or ``wrong`` (a value that nobody asked for).
    """

    due: float
    number: int
    client: str
    msg_id: str
    kind: str


class Senders:
    """All clients, and what they will send.

    Parameters
    ----------
    clients : dict of str to Client
    script : Script
    referee : Referee
    stir : callable
        Called when something happens.

    Attributes
    ----------
    requests : set of str
        The names of all that were sent.
    """

    def __init__(
        self,
        clients: dict[str, Client],
        script: Script,
        referee: Referee,
        stir: Callable[[], None],
    ) -> None:
        self._clients = clients
        self._script = script
        self._referee = referee
        self._stir = stir
        self._numbers = count(1)
        # how often a client was asked for a value
        self._times: Counter[tuple[str, str]] = Counter()
        self._later: list[Sending] = []
        self._obliging = False
        self.requests: set[str] = set()

    def oblige(self) -> None:
        """Have all clients send what they are asked for from now on."""
        self._obliging = True

    def gets(self, client: str, msg_id: str) -> None:
        """A client is asked for a value: decide what comes of it."""
        times = self._times[client, msg_id] = self._times[client, msg_id] + 1
        random = Random(f"{self._script.seed} asked {client} {msg_id} {times}")
        draw, delay = random.random(), random.choice([0.0, 0.0, random.uniform(0, 0.2)])
        if (strangers := self._strangers(msg_id)) and random.random() < 0.3:
            self._send_later(0.0, random.choice(strangers), msg_id, "wrong")
        if self._obliging or draw < 0.75:
            self._send_later(0.0 if self._obliging else delay, client, msg_id, "value")
            if random.random() < 0.2:
                self._send_later(delay, client, msg_id, "value")  # again
        elif draw < 0.85:
            self._send_later(delay, client, msg_id, "problem")
        elif draw < 0.95:  # too late
            self._send_later(PATIENCE + 0.2, client, msg_id, "value")

    def _strangers(self, msg_id: str) -> list[str]:
        """The clients that never are asked for a value, since they need it for nothing."""
        users = {
            task.client for task in self._script.tasks.values() if msg_id in task.rich.arguments
        }
        return [client for client in self._clients if client not in users]

    def _send_later(self, delay: float, client: str, msg_id: str, kind: str) -> None:
        due = time.monotonic() + delay
        heapq.heappush(self._later, Sending(due, next(self._numbers), client, msg_id, kind))

    def serve(self) -> None:
        """Send what is due, of values that are known: the hub may not have heard of them yet."""
        while self._later and self._later[0].due <= time.monotonic():
            if self._referee.values.of(self._later[0].msg_id) is None:
                return
            self._stir()
            self._send(heapq.heappop(self._later))

    def _send(self, sending: Sending) -> None:
        client, name = self._clients[sending.client], f"v{sending.number}"
        problem, buffers = "", [b"wrong"]
        if sending.kind == "problem":
            problem, buffers = "it is lost", []
        elif sending.kind == "value":
            buffers = self._referee.values.of(sending.msg_id) or []
        content = content_of(VALUE, msg_id=sending.msg_id, problem=problem)
        message = client.session.msg(REQUEST, content, metadata={"after": [name]})
        message["header"]["msg_id"] = message["msg_id"] = name
        self.requests.add(name)
        self._referee.sends_value(name, sending.client, sending.msg_id, sending.kind)
        client.send([*client.session.serialize(message), *buffers])
