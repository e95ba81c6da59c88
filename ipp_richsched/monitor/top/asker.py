"""Who asks the scheduler, in a thread, so that the screen never waits for an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ...client.status import Status
from ...client.why import Story

PERIOD = 1.0
"""Seconds from one answer to the next question."""

OLDEST = 100
"""Of how many waiting tasks it asks why they wait."""


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


class Asker(threading.Thread):
    """Asks once a `PERIOD`.

    It is a daemon, since it may be in the middle of a question of ten seconds when the user quits.

    Parameters
    ----------
    source : Source
        Whom it asks.
    tell : callable
        Called with each `Answer`, in this thread.

    Attributes
    ----------
    is_paused : bool
        Whether it asks nothing for now but the story of a task.
    task : str or None
        The task whose story is asked for, too.
    """

    def __init__(self, source: Source, tell: Callable[[Answer], Any]) -> None:
        super().__init__(name="asks the scheduler", daemon=True)
        self._source = source
        self._tell = tell
        self._is_over = False
        self._now = threading.Event()
        self.is_paused = False
        self.task: str | None = None

    def ask_now(self) -> None:
        """Ask without waiting until it is time."""
        self._now.set()

    def end(self) -> None:
        """Ask no more."""
        self._is_over = True
        self._now.set()

    def run(self) -> None:
        """Ask, until it is over."""
        while not self._is_over:
            self._now.clear()
            task = self.task
            if task is not None or not self.is_paused:
                answer = self._ask(task)
                if not self._is_over:
                    self._tell(answer)
            self._now.wait(PERIOD)

    def _ask(self, task: str | None) -> Answer:
        try:
            status = None if self.is_paused else self._source.status()
            story = None if task is None else self._source.why(task)
        except Exception as error:  # whatever it is, the user learns it, and it is tried again
            text = " ".join(f"{error}".split())
            return Answer(error=text or type(error).__name__)
        return Answer(status, story)
