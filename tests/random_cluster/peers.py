"""Engines that can be cut off, and the tasks that they hold."""

from __future__ import annotations

from typing import NamedTuple

import zmq

from ..scripted import Engine, ScriptedCluster


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
    """An engine that can be cut off."""

    def __init__(self, cluster: ScriptedCluster, name: str) -> None:
        self.name = name
        self.line = Line(cluster.key)
        super().__init__(self.line, name.encode(), cluster.url("out"))  # type: ignore[arg-type]

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
