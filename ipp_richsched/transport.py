"""Whole messages over a ZeroMQ socket, at the cost of pyzmq's C level.

`Socket.recv_multipart` and `send_multipart` spend most of their time on flags that are
enums and on options of each part.  Here a part is one call into pyzmq's C level, small
parts are copied and large ones are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import zmq
from zmq.backend import Socket as _Backend

Part: TypeAlias = bytes | zmq.Frame
"""A part of a message: bytes, or a frame where it is large."""

LARGE = 16 * 1024
"""Bytes from which a part is not copied; a frame costs as much as a copy of a few kilobytes."""

_receive = _Backend.recv
_send = _Backend.send
_NOBLOCK = int(zmq.NOBLOCK)
_SNDMORE = int(zmq.SNDMORE)
_POLLIN = int(zmq.POLLIN)


def receive(socket: zmq.Socket) -> list[Part]:
    """Take the next message, without waiting for it.

    Raises
    ------
    zmq.Again
        If there is none.
    """
    parts: list[Part] = []
    more = True
    while more:
        frame = _receive(socket, _NOBLOCK, False)
        parts.append(frame.bytes if len(frame) < LARGE else frame)
        more = frame.more
    return parts


def send(socket: zmq.Socket, parts: Sequence[Part]) -> None:
    """Send a message; what a ROUTER socket cannot route raises `zmq.ZMQError` at once."""
    last = len(parts) - 1
    for part in parts[:last]:
        _send(socket, part, _SNDMORE)
    _send(socket, parts[last], 0)


def readable(sockets: Sequence[zmq.Socket]) -> list[zmq.Socket]:
    """Those of the sockets from which a message can be received."""
    return [socket for socket, _ in zmq.zmq_poll([(socket, _POLLIN) for socket in sockets], 0)]
