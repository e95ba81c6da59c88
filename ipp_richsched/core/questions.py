"""Finds out whether an engine has lost a task, or its answer, by asking.

An engine serves what it gets in order.  So if it answers a question that was sent behind a task,
and not the task, then one of them is gone: the message or the answer was lost with a connection,
or the answer could not be sent.  Nobody else would ever notice.

An engine is asked when a task has been there for `Settings.probe_after`, when the task is twice
as old, and so on, since a question may be lost as well; and when connections have changed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .actions import AskEngine
from .attempt_reasons import AnswerLost, ConnectionLost
from .deadlines import Kind
from .engines.engine import Engine
from .lifecycle import QUESTION_PAUSE, Lifecycle
from .reach import FIRST_PAUSE, Reach
from .state import State
from .step import Step

OVERTAKING = 0.1
"""Seconds in which an answer still counts that the answer to a later question has overtaken: what
came over an old connection may be read after what came over the new one."""


class Verdict(NamedTuple):
    """What an engine was sent before a certain time is answered or lost.

    Attributes
    ----------
    engine : Engine
        The engine.
    before : float
        The time.
    reason : AnswerLost or ConnectionLost
        Why it is lost.
    """

    engine: Engine
    before: float
    reason: AnswerLost | ConnectionLost


class Questions:
    """Asks engines, and concludes what they have lost.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.
    reach : Reach
        Which engines have no connection.
    """

    def __init__(self, state: State, lifecycle: Lifecycle, reach: Reach) -> None:
        self._pool = state.pool
        self._deadlines = state.deadlines
        self._probe_after = state.settings.probe_after
        self._lifecycle = lifecycle
        self._reach = reach
        self._asked = 0

    def ask(self, step: Step, engine: Engine) -> None:
        """Ask an engine if its oldest task has been there for long enough."""
        oldest = next(iter(engine.attempts.values()), None)
        if oldest is None:
            return  # its next task sets the next deadline
        assert self._probe_after is not None
        due = oldest.since + self._probe_after
        if step.now < due:
            self._lifecycle.probe_at(engine, due)
            return
        self._asked += 1
        engine.questions[self._asked] = step.now
        step.actions.append(AskEngine(engine.ident, self._asked))
        self._lifecycle.probe_at(engine, step.now + max(step.now - oldest.since, QUESTION_PAUSE))

    def not_asked(self, step: Step, engine: Engine, question: int) -> None:
        """A question did not reach its engine; what that has is lost if it goes on for long."""
        asked = engine.questions.pop(question)
        if self._reach.lost(step, engine, asked) and self._reach.is_given_up(engine):
            reason = ConnectionLost(engine.ident, self._reach.patience)
            self._deadlines.add(step.now, Kind.LOST, Verdict(engine, math.inf, reason))
        self._lifecycle.probe_at(engine, step.now + max(engine.pause, FIRST_PAUSE))

    def connections_changed(self, step: Step) -> None:
        """Ask all that hold a task anew: what they were asked may be lost; O(engines).

        An engine that answers none of many questions gets them at growing intervals.
        """
        if self._probe_after is None:
            return
        for engine in self._pool.engines.values():
            when = step.now + QUESTION_PAUSE * max(1, len(engine.questions))
            if engine.attempts and (engine.probe is None or engine.probe.when > when):
                self._lifecycle.probe_at(engine, when)

    def answered(self, step: Step, engine: Engine, question: int) -> None:
        """Take in an answer: what was sent before the question, and is not answered, is lost."""
        asked = engine.questions[question]
        for number in [number for number in engine.questions if number <= question]:
            del engine.questions[number]
        self._reach.found(engine)
        oldest = next(iter(engine.attempts.values()), None)
        if oldest is not None and oldest.since < asked:
            verdict = Verdict(engine, asked, AnswerLost(engine.ident))
            self._deadlines.add(step.now + OVERTAKING, Kind.LOST, verdict)
        else:
            self.ask(step, engine)
