"""What happened to tasks of late, for errors of our own and for people who ask."""

from __future__ import annotations

from collections import deque

from .actions import Action
from .events import Event

LINES = 20_000
"""How many happenings are remembered, of all tasks together."""

Line = tuple[float, str, str, object]
"""When it was, the msg_id, what happened to the task, and what ends the sentence."""


class Story:
    """The latest happenings; `note` costs O(1), `of` O(`LINES`).

    Attributes
    ----------
    note : callable
        Remembers a `Line`.
    """

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES)
        self.note = self._lines.append

    def of(self, msg_id: str) -> list[str]:
        """The lines about one task, the oldest first, each with its time in seconds."""
        return [
            f"{when:.6f} {what} {_shown(detail)}".rstrip()
            for when, about, what, detail in self._lines
            if about == msg_id
        ]


class CoreError(RuntimeError):
    """An error in the core itself; its text tells the story of the task that it struck.

    Attributes
    ----------
    actions : list of Action
        What had been decided before: it must still be carried out.
    """

    def __init__(
        self, event: Event, error: Exception, msg_id: str, story: Story, actions: list[Action]
    ) -> None:
        lines = "".join(f"\n  {line}" for line in story.of(msg_id))
        super().__init__(f"{event} led to {error!r}; the story of task {msg_id or '?'}:{lines}")
        self.actions = actions


def _shown(detail: object) -> str:
    return detail.decode("utf8", "backslashreplace") if isinstance(detail, bytes) else f"{detail}"
