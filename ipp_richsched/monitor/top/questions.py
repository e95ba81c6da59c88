"""What `top` asks, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...client.status import Status
from ...client.why import Story


class Source(Protocol):
    """Whom it asks; both may take long, and raise whatever went wrong."""

    def status(self) -> Status:
        """How things stand."""

    def why(self, msg_id: str) -> Story:
        """A task's story."""


@dataclass(frozen=True)
class Answer:
    """What came of asking once.

    Attributes
    ----------
    status : Status or None
        How things stand; None if that is not known.
    story : Story or None
        The story of the task that was asked for.
    error : str or None
        Why it is not known, in one line.
    """

    status: Status | None = None
    story: Story | None = None
    error: str | None = None

    @classmethod
    def failed(cls, error: str) -> Answer:
        """There is none."""
        return cls(error=error)


class Questions:
    """What is asked each time.

    Parameters
    ----------
    source : Source
        Whom it asks.

    Attributes
    ----------
    is_paused : bool
        Whether nothing is asked for now but the story of a task.
    task : str or None
        The task whose story is asked for, too.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.is_paused = False
        self.task: str | None = None

    def ask(self) -> Answer | None:
        """Ask; None if there is nothing to be asked."""
        task = self.task
        if task is None and self.is_paused:
            return None
        status = None if self.is_paused else self._source.status()
        story = None if task is None else self._source.why(task)
        return Answer(status, story)
