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
"""A part of a message: bytes, or a frame where it is a large buffer."""

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


def receive(socket: zmq.Socket) -> list[Part]:
    """Take the next message from a ROUTER socket, without waiting for it.

    Only a frame tells whether it is the last of its message, and costs three times as much as
    bytes.  So all parts but the first are received as frames: what a peer leaves out must not
    be taken from the message after it.

    Returns
    -------
    list of Part
        Bytes, but for large buffers.

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
    buffers = len(parts) + PARTS
    while more:
        frame = _receive(socket, _NOBLOCK, False)
        parts.append(frame.bytes if len(parts) < buffers or len(frame) < LARGE else frame)
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
