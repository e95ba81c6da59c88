"""Engines that can be cut off, and what they hold."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import zmq

from ..scripted import DEADLINE, Engine, Peer, ScriptedCluster
from .records import Attempt


class Line:
    """What a `Peer` needs of a cluster, with a context of its own.

    A closed socket may go on for a while; a closed context does not.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.context = zmq.Context()

    def socket(self, kind: int) -> zmq.Socket[bytes]:
        return self.context.socket(kind)


class ScriptedEngine(Engine):
    """An engine that can be cut off.

    It may answer its tasks in any order, which is more than a real one does; but a question only
    when all that it got before is answered or lost, which is what the scheduler relies on.

    Attributes
    ----------
    questions : deque of tuple of int and list of bytes
        Those that it has not answered: their place in the order of all that came, and frames.
    """

    def __init__(self, cluster: ScriptedCluster, name: str) -> None:
        self.name = name
        self.questions: deque[tuple[int, list[bytes]]] = deque()
        self.line = Line(cluster.key)
        super().__init__(self.line, name.encode(), cluster.url("out"))  # type: ignore[arg-type]

    def recv(self, timeout: float = DEADLINE) -> list[bytes]:
        return Peer.recv(self, timeout)  # questions, too

    def close(self) -> None:
        """Close the connection, after what was sent."""
        self.line.context.destroy(linger=1000)


class Held(NamedTuple):
    """A task that an engine will answer later."""

    due: float
    number: int
    engine: ScriptedEngine
    msg_id: str
    frames: list[bytes]
    replies: list[str]
    is_lost: bool
    attempt: Attempt


def waiting(peer: Peer) -> list[list[bytes]]:
    """What has come for a peer."""
    messages = []
    while not peer.idle(0.0):
        messages.append(peer.recv())
    return messages
