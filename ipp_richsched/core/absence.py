"""Says that tasks wait while no engine is registered."""

from __future__ import annotations

from .deadlines import Kind
from .lifecycle import Lifecycle
from .notices import NoEngine
from .state import State
from .step import Step

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 3600.0
"""Seconds until it is said again, doubled each time."""


class Absence:
    """Has the operator told, at growing intervals, for as long as it lasts.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What tells the operator.
    """

    def __init__(self, state: State, lifecycle: Lifecycle) -> None:
        self._state = state
        self._lifecycle = lifecycle
        self._pause = FIRST_PAUSE

    def begin(self, step: Step) -> None:
        """A task may wait without any engine: begin to say so, unless it is being said."""
        if self._state.alarm is None and self._state.tasks and not self._state.pool.engines:
            self._pause = FIRST_PAUSE
            self.say(step)

    def say(self, step: Step) -> None:
        """Say how many tasks wait, and when it is said again."""
        state = self._state
        state.alarm = None
        if state.tasks:
            self._lifecycle.warn(step, NoEngine(len(state.tasks)))
            state.alarm = state.deadlines.add(step.now + self._pause, Kind.NO_ENGINE, state)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def end(self) -> None:
        """An engine is there."""
        if self._state.alarm is not None:
            self._state.deadlines.cancel(self._state.alarm)
            self._state.alarm = None
