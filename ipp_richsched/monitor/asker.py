"""Who asks the scheduler, in a thread, so that whoever shows the answers never waits for one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

PERIOD = 1.0
"""Seconds from one answer to the next question."""

T = TypeVar("T")


class Asker(threading.Thread, Generic[T]):
    """Asks once a `PERIOD`.

    It is a daemon, since it may be in the middle of a question of ten seconds when the user quits.

    Parameters
    ----------
    ask : callable
        Asks, and returns the answer; None if there is nothing to be asked for now.  It may take
        long.
    fail : callable
        Makes an answer of a text that says in one line why there is none.
    tell : callable
        Called with each answer, in this thread.
    """

    def __init__(
        self, ask: Callable[[], T | None], fail: Callable[[str], T], tell: Callable[[T], Any]
    ) -> None:
        super().__init__(name="asks the scheduler", daemon=True)
        self._ask = ask
        self._fail = fail
        self._tell = tell
        self._is_over = False
        self._now = threading.Event()

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
            answer = self._answer()
            if answer is not None and not self._is_over:
                self._tell(answer)
            self._now.wait(PERIOD)

    def _answer(self) -> T | None:
        try:
            return self._ask()
        except Exception as error:  # whatever it is, the user learns it, and it is tried again
            text = " ".join(f"{error}".split())
            return self._fail(text or type(error).__name__)
