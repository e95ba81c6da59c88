"""Whole messages over a ZeroMQ socket, at the cost of pyzmq's C level.

`Socket.recv_multipart` and `send_multipart` spend most of their time on flags that are
enums and on options of each part.  Here a part is one call into pyzmq's C level, small
parts are copied and large buffers are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import zmq
from jupyter_client.session import DELIM
from zmq.backend import Socket as _Backend

Part: TypeAlias = bytes | zmq.Frame
"""A part of a message: bytes, or a frame where it is large."""

PARTS = 5
"""Those of a message after its delimiter, and before its buffers: the signature, header, parent
header, metadata and content."""

LARGE = 16 * 1024
"""Bytes from which a buffer is not copied; a frame costs as much as a copy of a few kilobytes."""

_receive = _Backend.recv
_send = _Backend.send
_NOBLOCK = int(zmq.NOBLOCK)
_SNDMORE = int(zmq.SNDMORE)
_POLLIN = int(zmq.POLLIN)


def receive(socket: zmq.Socket, idents: int) -> list[list[Part]]:
    """Take the next message from a ROUTER socket, without waiting for it.

    Only a frame tells whether a part is the last of its message, and a frame costs three times
    as much as bytes.  So what must follow a delimiter is received unasked, as far as the
    parts of another message, where they come in its place, can be told.

    Parameters
    ----------
    socket : zmq.Socket
    idents : int
        How many identities precede the delimiter of a whole message, its sender's included.

    Returns
    -------
    list of list of Part
        The message; or else one that lacks parts, and what came with it.  Everything but the
        buffers is bytes.

    Raises
    ------
    zmq.Again
        If there is none.
    """
    parts: list[Part] = [_receive(socket, _NOBLOCK)]  # the sender's identity, never the last
    more = True
    while more and parts[-1] != DELIM:
        frame = _receive(socket, _NOBLOCK, False)
        parts.append(frame.bytes)
        more = frame.more
    start = len(parts)
    try:
        # the last of them may be the message's last, and what comes next another's identity
        for _ in range(PARTS - 1 - idents if more else 0):
            parts.append(_receive(socket, _NOBLOCK))
        while more:
            frame = _receive(socket, _NOBLOCK, False)
            small = len(frame) < LARGE or len(parts) < start + PARTS
            parts.append(frame.bytes if small else frame)
            more = frame.more
    except zmq.Again:
        return split(parts, idents)
    return split(parts, idents) if DELIM in parts[start + idents : start + PARTS] else [parts]


def split(parts: list[Part], idents: int) -> list[list[Part]]:
    """Part messages of which all but the last lack parts.

    Where parts of a next message come in the place of missing ones, its delimiter, which its
    identities precede, stands no further on than the content would.
    """
    messages: list[list[Part]] = []
    parts = [part if isinstance(part, bytes) else part.bytes for part in parts]
    while DELIM in parts:
        start = parts.index(DELIM) + 1
        places = parts[start + idents : start + PARTS]
        if DELIM not in places:
            break
        end = start + places.index(DELIM)
        messages.append(parts[:end])
        parts = parts[end:]
    return [*messages, parts]


def send(socket: zmq.Socket, parts: Sequence[Part]) -> None:
    """Send a message; what a ROUTER socket cannot route raises `zmq.ZMQError` at once."""
    last = len(parts) - 1
    for part in parts[:last]:
        _send(socket, part, _SNDMORE)
    _send(socket, parts[last], 0)


def readable(sockets: Sequence[zmq.Socket]) -> list[zmq.Socket]:
    """Those of the sockets from which a message can be received."""
    return [socket for socket, _ in zmq.zmq_poll([(socket, _POLLIN) for socket in sockets], 0)]
