"""Whole messages at the cost of pyzmq's C level: who plays a peer must not be the bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq
from zmq.backend import Socket as _Backend

_LARGE = 64 * 1024
_receive: Any = _Backend.recv
_send: Any = _Backend.send
_NOBLOCK = int(zmq.NOBLOCK)
_SNDMORE = int(zmq.SNDMORE)


def receive(socket: zmq.Socket, flags: int = _NOBLOCK) -> list[zmq.Frame]:
    """Take the next message; raises `zmq.Again` if there is none."""
    frame = _receive(socket, flags, False)
    frames = [frame]
    while frame.more:
        frame = _receive(socket, flags, False)
        frames.append(frame)
    return frames


def wait(socket: zmq.Socket) -> list[zmq.Frame]:
    """Take the next message when it comes."""
    return receive(socket, 0)


def send(socket: zmq.Socket, parts: Sequence[bytes | zmq.Frame]) -> None:
    """Send a message; large parts are not copied."""
    last = len(parts) - 1
    for place, part in enumerate(parts):
        _send(socket, part, _SNDMORE if place < last else 0, len(part) < _LARGE)
