"""Does what deadlines ask for when they have come."""

from __future__ import annotations

from .absence import Absence
from .attempts import Attempts
from .deadlines import Entry, Kind
from .engines.engine import UNREACHED
from .explain import Explain
from .lifecycle import Lifecycle
from .losses import Losses
from .placement.stranded import Strandings
from .questions import Questions
from .state import State
from .step import Step
from .task import Task

_OF_TASKS = {Kind.TIMEOUT, Kind.STRANDED, Kind.RETRY, Kind.ASK_AGAIN}


class Dues:
    """Gives each deadline that has come to the part whose it is.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle, explain, losses, questions, attempts, strandings, absence
        The parts.
    """

    def __init__(
        self,
        state: State,
        lifecycle: Lifecycle,
        explain: Explain,
        losses: Losses,
        questions: Questions,
        attempts: Attempts,
        strandings: Strandings,
        absence: Absence,
    ) -> None:
        self._state = state
        self._lifecycle = lifecycle
        self._explain = explain
        self._losses = losses
        self._questions = questions
        self._attempts = attempts
        self._strandings = strandings
        self._absence = absence

    def work(self, step: Step) -> None:
        """Work off those that have come, as far as the budget of the step goes."""
        while step.deadlines_left > 0:
            entry = self._state.deadlines.pop_due(step.now)
            if entry is None:
                return
            step.deadlines_left -= 1
            if entry.kind in _OF_TASKS:
                with step.on(entry.subject):
                    self._end_wait(step, entry)
            else:
                self._end_pause(step, entry)

    def _end_pause(self, step: Step, entry: Entry) -> None:
        """Do what a deadline of an engine, or of the scheduler, asks for."""
        if entry.kind is Kind.PAUSE:
            self._state.pool.end_pause(entry.subject, UNREACHED)
        elif entry.kind is Kind.GRACE:
            self._losses.end_grace(step, entry.subject)
        elif entry.kind is Kind.INTERRUPT:
            self._lifecycle.interrupt_is_over(entry.subject)
        elif entry.kind is Kind.VALUE:
            self._state.values.never_sent(step, entry.subject)
        elif entry.kind is Kind.RUN:
            self._attempts.ran_too_long(step, entry.subject)
        elif entry.kind is Kind.BUSY:
            task, engine = entry.subject
            with step.on(task):
                self._strandings.busy_is_over(task, engine)
        elif entry.kind is Kind.PROBE:
            entry.subject.probe = None
            self._questions.ask(step, entry.subject)
        elif entry.kind is Kind.LOST:
            self._losses.end_lost(step, entry.subject)
        else:
            self._absence.say(step)

    def _end_wait(self, step: Step, entry: Entry) -> None:
        """Do what a deadline of a task asks for."""
        task: Task = entry.subject
        if entry.kind is Kind.TIMEOUT:
            task.timer = None
            self._lifecycle.fail(step, task, self._explain.timed_out(task))
        else:
            self._strandings.unparked(step, entry)
