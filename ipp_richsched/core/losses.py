"""What becomes of attempts that nobody will answer any more."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, takewhile

from .attempt_reasons import EngineDied, EnginesCrashed
from .deadlines import Kind
from .engines.engine import Attempt, Engine
from .lifecycle import Lifecycle
from .questions import Questions, Verdict
from .state import State
from .step import Step
from .task import Task


class Losses:
    """Ends the attempts of dead engines, and those that an engine has lost.

    No step ends more of them than its budget allows; the rest follows at once.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.
    questions : Questions
        What finds out which are lost.
    """

    def __init__(self, state: State, lifecycle: Lifecycle, questions: Questions) -> None:
        self._pool = state.pool
        self._dead = state.dead
        self._deadlines = state.deadlines
        self._max_crashes = state.settings.max_crashes
        self._unwanted = state.unwanted
        self._lifecycle = lifecycle
        self._questions = questions

    def end_grace(self, step: Step, engine: Engine) -> None:
        """Give up the attempts of a dead engine."""
        attempts = list(islice(engine.attempts.values(), step.deadlines_left + 1))
        self._end(step, attempts, (Kind.GRACE, engine), self._end_dead)
        if not attempts:
            del self._dead[engine]

    def end_lost(self, step: Step, verdict: Verdict) -> None:
        """Give up what an engine has lost."""
        engine = verdict.engine
        if not self._pool.has(engine):
            return  # it died since, and its grace will end
        lost = takewhile(lambda a: a.since < verdict.before, engine.attempts.values())
        attempts = list(islice(lost, step.deadlines_left + 1))

        def end(step: Step, task: Task | None, engine: Engine) -> None:
            if task is not None:
                self._lifecycle.retry_or_fail(step, task, engine, verdict.reason)

        self._end(step, attempts, (Kind.LOST, verdict), end)
        if not attempts:
            self._questions.ask(step, engine)

    def _end(
        self,
        step: Step,
        attempts: list[Attempt],
        again: tuple[Kind, object],
        end: Callable[[Step, Task | None, Engine], None],
    ) -> None:
        """End some attempts, the oldest first."""
        if attempts:  # it comes again until there is none
            self._deadlines.add(step.now, *again)
            step.deadlines_left -= len(attempts) - 1
        for attempt in attempts:
            task = self._lifecycle.waiting_for(attempt)
            with step.on(task):
                self._lifecycle.end_attempt(step, attempt, task)
                end(step, task, attempt.engine)

    def _end_dead(self, step: Step, task: Task | None, engine: Engine) -> None:
        oldest, engine.blamed = not engine.blamed, True
        if task is None:
            return
        own = task.rich.max_crashes
        if oldest:
            task.crashed += (engine.ident,)
            deaths = len(task.crashed)
            if own is None:
                is_last = task.retries_left > 0 and deaths == self._max_crashes
            else:
                is_last = deaths > own
            if is_last:
                self._lifecycle.fail(step, task, EnginesCrashed(task.crashed), engine.ident)
                return
            # The others may be done before it takes the next engine.
            self._lifecycle.go_behind(step, task)
        reason = EngineDied(engine.ident, oldest)
        if own is None or task.msg_id in self._unwanted:
            self._lifecycle.retry_or_fail(step, task, engine, reason)
        else:
            self._lifecycle.retry(step, task, engine, reason)
