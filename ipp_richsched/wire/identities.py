"""The identities before a message's delimiter: what the scheduler says there to itself.

An engine sends the identities of a request back with its reply.
"""

from __future__ import annotations

from jupyter_client.session import DELIM

from .transport import Frames

MARK = b"ipp_richsched attempt "
"""Begins the identity that says which attempt of a task a message is about."""

QUESTION = b"ipp_richsched question "
"""Begins the identity that says which question a message is."""


def is_marked(frames: Frames) -> bool:
    """Whether the last of the identities says which attempt a message is about."""
    last = frames[frames.index(DELIM) - 1]
    return isinstance(last, bytes) and last.startswith(MARK)


def without_mark(frames: Frames) -> tuple[int, Frames]:
    """The mark of a reply, 0 if it has none, and the reply without it."""
    if not is_marked(frames):
        return 0, frames
    place = frames.index(DELIM) - 1
    return number_in(frames, place, MARK), [*frames[:place], *frames[place + 1 :]]


def number_in(frames: Frames, place: int, prefix: bytes) -> int:
    """The number with which one of the identities ends; -1 if it has none."""
    digits = identity(frames, place)[len(prefix) :]
    return int(digits) if digits.isdigit() and len(digits) < 20 else -1


def identity(frames: Frames, place: int) -> bytes:
    """One of the identities, which are never so long that they are no bytes."""
    part = frames[place]
    assert isinstance(part, bytes)
    return part
