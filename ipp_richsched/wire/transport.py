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

Frames: TypeAlias = Sequence[Part]
"""A message."""

PARTS = 5
"""Those of a message after its delimiter, and before its buffers: the signature, header, parent
header, metadata and content."""

LARGE = 16 * 1024
"""Bytes from which a buffer is not copied; a frame costs as much as a copy of a few kilobytes."""

SENDERS = 10_000
"""Of how many senders the addresses are noted."""

_receive = _Backend.recv
_send = _Backend.send
_NOBLOCK = int(zmq.NOBLOCK)
_SNDMORE = int(zmq.SNDMORE | zmq.NOBLOCK)
_POLLIN = int(zmq.POLLIN)
_PARTS = {bytes, zmq.Frame}


class Channel:
    """A ZeroMQ socket, as far as whole messages go through it.

    Parameters
    ----------
    socket : zmq.Socket
        The socket.
    from_many : bool
        Whether it is a ROUTER, which puts the identity of the sender before each message.
    addresses : bool
        Whether the addresses of senders are noted.

    Attributes
    ----------
    addresses : dict of bytes to str, or None
        Those that are known, by identity; empty where a sender has none.
    """

    addresses: dict[bytes, str] | None = None

    def __init__(
        self, socket: zmq.Socket, from_many: bool = True, *, addresses: bool = False
    ) -> None:
        self.socket = socket
        self._from_many = from_many
        if addresses:
            self.addresses = {}

    def receive(self) -> list[Part]:
        """Take the next message, without waiting for it.

        Only a frame tells whether it is the last of its message, and costs three times as much
        as bytes.  So all parts but the first are received as frames: what a peer leaves out must
        not be taken from the message after it.

        Returns
        -------
        list of Part
            Bytes, but for large buffers.

        Raises
        ------
        zmq.Again
            If there is none.
        """
        socket = self.socket
        if not self._from_many:  # few messages come here
            return [*socket.recv_multipart(zmq.NOBLOCK)]
        parts: list[Part] = [_receive(socket, _NOBLOCK)]  # the identity, which is never the last
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
        if self.addresses is not None and parts[0] not in self.addresses:
            self._note_address(parts[0], frame)
        return parts

    def _note_address(self, sender: Part, frame: zmq.Frame) -> None:
        """Note where a sender is, given any frame of a message of it."""
        assert self.addresses is not None
        assert isinstance(sender, bytes)
        if len(self.addresses) >= SENDERS:
            self.addresses.clear()  # those that are there are soon known again
        try:
            address = frame.get("Peer-Address")
        except zmq.ZMQError:  # it has none, as where sockets are files
            address = ""
        self.addresses[sender] = str(address)

    def send(self, parts: Sequence[Part]) -> None:
        """Send a message, whole or not at all.

        Raises
        ------
        zmq.ZMQError
            If it cannot be routed, or has no room (`zmq.Again`): a socket that has to tell does so
            at the first part.
        TypeError
            If a part is neither bytes nor a frame.
        """
        if not _PARTS.issuperset(map(type, parts)):
            # ZeroMQ would notice only after it has sent the parts before this one.
            wrong = next(part for part in parts if type(part) not in _PARTS)
            raise TypeError(f"a part of a message is {wrong!r:.100}, neither bytes nor a frame")
        socket, last = self.socket, len(parts) - 1
        for part in parts[:last]:
            _send(socket, part, _SNDMORE)
        _send(socket, parts[last], _NOBLOCK)


def buffers_of(frames: Frames) -> Frames:
    """The buffers of a message."""
    return frames[frames.index(DELIM) + 1 + PARTS :]


def readable(channels: Sequence[Channel]) -> list[Channel]:
    """Those of the channels from which a message can be received."""
    ready = dict(zmq.zmq_poll([(channel.socket, _POLLIN) for channel in channels], 0))
    return [channel for channel in channels if channel.socket in ready]
