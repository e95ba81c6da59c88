"""What the hub is told, in order, also where it is slower than we.

ZeroMQ would hold all that the hub has not taken.  So it gets a bounded number of messages, and of
bytes in large buffers, and says when it has no room.  What is left waits here and is counted: where
it is too much, no more tasks are taken in until the hub has caught up.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

import zmq

from ..wire.messages import Frames
from ..wire.transport import Channel
from .lines import Lines

MESSAGES = 4000
"""Messages that ZeroMQ holds for the hub.  More than a few turns make: a hub that keeps up hears of
an answer before its client can ask."""

LARGE = 64 * 1024
"""Bytes from which those of a buffer are counted until ZeroMQ is done with it."""

FOLLOWED = 16 * 2**20
"""Bytes in such buffers of which the last is followed, which costs as much as to send it."""

IN_FLIGHT = 128 * 2**20
"""Bytes in such buffers that ZeroMQ holds for the hub."""

ENOUGH = 64 * 2**20
"""Bytes that may wait here until no more tasks are taken in; then, half of that, before they are
again."""

AT_A_TIME = 50
"""Messages of those that can wait that are made and sent in one go."""

_Frame = zmq.Frame


def bound(socket: zmq.Socket) -> None:
    """Have a PUB socket say when it has no room, in place of growing or dropping."""
    socket.setsockopt(zmq.XPUB_NODROP, 1)
    socket.setsockopt(zmq.SNDHWM, MESSAGES)


class HubLine:
    """The messages to the hub that it has not taken.

    Parameters
    ----------
    channel : Channel
        Where they go; it reports by `zmq.Again` that it has no room.
    log : logging.Logger
        Where errors of our own go.
    lines : Lines
        Where it is said when the hub falls behind, and when it has caught up.
    aborted_reply : callable
        Makes the reply to a task that was aborted.

    Attributes
    ----------
    is_behind : bool
        Whether so much waits that no more tasks should be taken in.
    """

    def __init__(
        self,
        channel: Channel,
        log: logging.Logger,
        lines: Lines,
        aborted_reply: Callable[[Frames], Frames],
    ) -> None:
        self._channel = channel
        self._log = log
        self._lines = lines
        self._aborted_reply = aborted_reply
        self._waiting: deque[Frames] = deque()
        self._bytes = 0
        self._in_flight: deque[tuple[zmq.MessageTracker, int]] = deque()
        self._bytes_in_flight = 0
        self._untracked = 0  # bytes that were sent since the last buffer that is followed
        self._aborted: deque[Frames] = deque()
        self.is_behind = False

    @property
    def has_more(self) -> bool:
        """Whether something waits to be sent, or sent again."""
        return bool(self._waiting or self._aborted)

    def aborted(self, message: Frames) -> None:
        """Have the hub hear that a task was aborted, when it has taken all else.

        There may be very many: so no more is kept than the message of the task, which is there.

        Parameters
        ----------
        message : sequence of Part
            The task.
        """
        self._aborted.append(message)

    def send(self, messages: Sequence[Frames]) -> None:
        """Send what waits, and then these, as far as there is room."""
        waiting = self._waiting
        while waiting and self._send(waiting[0]):
            self._bytes -= _size(waiting.popleft())
        for frames in messages:
            if waiting or not self._send(frames):
                waiting.append(frames)
                self._bytes += _size(frames)
        if self._bytes > ENOUGH and not self.is_behind:
            self.is_behind = True
            self._lines.put(
                "the hub is behind",
                f"the hub is behind: {self._bytes >> 20} MiB wait for it; no more tasks are taken"
                " in until it has caught up",
            )
        elif self.is_behind and self._bytes <= ENOUGH // 2:
            self.is_behind = False
            self._lines.put(
                "the hub is catching up",
                f"the hub is catching up: {self._bytes >> 20} MiB wait for it; tasks are taken in"
                " again",
            )

    def send_later(self) -> None:
        """Send some of what can wait, if the hub has taken all else."""
        for _ in range(min(AT_A_TIME, len(self._aborted))):
            if self._waiting:
                return
            self.send([[b"outtask", *self._aborted_reply(self._aborted.popleft())]])

    def _send(self, frames: Frames) -> bool:
        """Send a message, unless there is no room; what else happens to it is no matter."""
        try:
            if _Frame in map(type, frames):
                return self._send_large(frames)
            self._channel.send(frames)
        except zmq.Again:
            return False
        except Exception:
            self._log.exception("task::a message cannot be sent")
        return True

    def _send_large(self, frames: Frames) -> bool:
        """As `_send`, for a message with large buffers: their bytes are counted until they left."""
        in_flight = self._in_flight
        while in_flight and in_flight[0][0].done:
            self._bytes_in_flight -= in_flight.popleft()[1]
        size = sum(len(part) for part in frames if len(part) >= LARGE)
        if in_flight and self._bytes_in_flight + size > IN_FLIGHT:
            return False
        untracked = self._untracked + size
        if untracked < FOLLOWED:
            self._channel.send(frames)
            self._untracked = untracked
            return True
        # They leave in order: so it is enough to follow the last of some.
        last = max(place for place, part in enumerate(frames) if len(part) >= LARGE)
        frame = _tracked(frames[last])
        self._channel.send([*frames[:last], frame, *frames[last + 1 :]])
        assert frame.tracker is not None
        in_flight.append((frame.tracker, untracked))
        self._bytes_in_flight += untracked
        self._untracked = 0
        return True


def _tracked(part: bytes | zmq.Frame) -> zmq.Frame:
    """The same buffer, not copied, in a frame that knows when ZeroMQ is done with it."""
    data = part if isinstance(part, bytes) else part.buffer
    return zmq.Frame(data, track=True, copy=False)


def _size(frames: Frames) -> int:
    return sum(map(len, frames))
