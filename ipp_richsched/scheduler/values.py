"""The values that are held, since they are arguments of tasks."""

from __future__ import annotations

from ..core.actions import AssignTask, DropValue, KeepValue
from ..wire.messages import Frames
from ..wire.transport import buffers_of


class HeldValues:
    """The buffers of replies, as they came: large ones are not copied."""

    def __init__(self) -> None:
        self._buffers: dict[str, Frames] = {}

    def keep(self, action: KeepValue) -> None:
        """Hold the value in a message."""
        self._buffers[action.msg_id] = buffers_of(action.message)

    def drop(self, action: DropValue) -> None:
        """Hold a value no more."""
        del self._buffers[action.msg_id]

    def joined(self, frames: Frames, action: AssignTask) -> Frames:
        """A task's message with the values that belong to it.

        They are its last buffers: an engine takes keyword arguments from there one after the other,
        and buffers are not signed.
        """
        values = map(self._buffers.__getitem__, action.values)
        return [*frames, *(buffer for buffers in values for buffer in buffers)]


def size_of(message: Frames) -> int | None:
    """How many bytes the value in a message has; None if there is none."""
    buffers = buffers_of(message)
    return sum(map(len, buffers)) if buffers else None
