"""Engines that sends do not reach."""

from __future__ import annotations

import math
from itertools import chain

from .deadlines import Kind
from .engines.engine import UNREACHED, Engine
from .lifecycle import Lifecycle
from .notices import EngineNotice, Oddity
from .state import State
from .step import Step

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds that an engine which could not be reached is left alone, doubled each time."""


class Reach:
    """Leaves engines alone that have no connection, and knows for how long they had none.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.

    Attributes
    ----------
    patience : float
        For how many seconds tasks wait for such an engine.
    """

    def __init__(self, state: State, lifecycle: Lifecycle) -> None:
        self._pool = state.pool
        self._deadlines = state.deadlines
        timeout = state.settings.stranded_timeout
        self.patience = math.inf if timeout is None else timeout
        self._lifecycle = lifecycle

    def lost(self, step: Step, engine: Engine, sent: float) -> bool:
        """A send did not reach an engine.

        Parameters
        ----------
        step : Step
            The step.
        engine : Engine
            The engine.
        sent : float
            When it was decided what was to be sent.

        Returns
        -------
        bool
            Whether it was the first of some that went together.
        """
        if engine.paused & UNREACHED:
            return False
        first, last = engine.out_of_reach or (step.now, step.now)
        if step.now > last + 2 * LONGEST_PAUSE or _was_sent(engine, last, sent):
            first = step.now  # it was reached in between, or may have been
        engine.out_of_reach = first, step.now
        before, engine.pause = engine.pause, min(engine.pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
        if engine.pause == LONGEST_PAUSE != before:
            self._lifecycle.warn(step, EngineNotice(engine.ident, Oddity.NOT_REACHED))
        self._deadlines.add(step.now + engine.pause, Kind.PAUSE, engine)
        self._pool.pause(engine, UNREACHED)
        return True

    @staticmethod
    def found(engine: Engine) -> None:
        """An engine has answered."""
        engine.pause = 0.0
        engine.out_of_reach = None

    def is_given_up(self, engine: Engine) -> bool:
        """Whether an engine was out of reach for so long that no task should wait for it."""
        if engine.out_of_reach is None:
            return False
        first, last = engine.out_of_reach
        return engine.pause == LONGEST_PAUSE and last - first >= self.patience


def _was_sent(engine: Engine, after: float, before: float) -> bool:
    """Whether anything was sent to an engine between these times; O(attempts and questions).

    What could not be sent is no attempt of the engine's any more, and no question.
    """
    assigned = (attempt.since for attempt in engine.attempts.values())
    return any(after < time < before for time in chain(assigned, engine.questions.values()))
