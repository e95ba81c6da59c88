"""What becomes of attempts that were answered, could not be sent, or take too long."""

from __future__ import annotations

from .attempt_reasons import AttemptFailed, NoStatus, RunTimedOut
from .deadlines import Kind
from .engines.engine import Attempt
from .events import EngineUnreachable, SendingFailed, TaskReplied
from .lifecycle import Lifecycle
from .notices import ReplyDiscarded
from .placement.stranded import Strandings
from .reach import Reach
from .reasons import InternalError, Reason
from .state import State
from .step import Step
from .story import End

SHORTEST_PAUSE = 0.05
"""Seconds that an engine which says that it is busy is left alone with a task, at least."""


class Attempts:
    """Ends attempts, and says what their tasks do next.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.
    strandings : Strandings
        What looks after tasks that nobody may take.
    reach : Reach
        Which engines have no connection.
    """

    def __init__(
        self, state: State, lifecycle: Lifecycle, strandings: Strandings, reach: Reach
    ) -> None:
        self._pool = state.pool
        self._tasks = state.tasks
        self._abandoned = state.abandoned
        self._deadlines = state.deadlines
        self._reviews = state.backlog.reviews
        self._durations = state.durations
        self._stranded = state.stranded
        self._interrupts = state.settings.interrupt_on_timeout
        self._lifecycle = lifecycle
        self._strandings = strandings
        self._reach = reach

    def replied(self, step: Step, event: TaskReplied) -> None:
        """An engine answered an attempt."""
        ident, msg_id, status, dependencies_met, _, problem, mark, error, busy, _ = event
        attempt = self._find(msg_id)
        if attempt is None or attempt.mark != mark or attempt.engine.ident != ident:
            self._lifecycle.warn(step, ReplyDiscarded(ident, msg_id))
            return
        engine = attempt.engine
        if engine.pause:
            self._reach.found(engine)
        task = self._lifecycle.waiting_for(attempt)
        with step.on(task):
            self._lifecycle.end_attempt(step, attempt, task)
            if task is None:
                return
            if not dependencies_met:
                task.refused_by |= {engine}
                task.refusal = error
                self._lifecycle.take_back(step, task, engine, End.REFUSED, error)
                return
            if busy is not None:
                when = step.now + max(busy, SHORTEST_PAUSE)
                entry = self._deadlines.add(when, Kind.BUSY, (task, engine))
                task.busy = {**(task.busy or {}), engine: entry}
                self._stranded.end(task.msg_id)
                self._lifecycle.take_back(step, task, engine, End.BUSY)
                return
            if self._durations is not None and attempt.began is not None and status != "aborted":
                self._durations.of(task.rich.label).ran.add(step.now - attempt.began)
            if status in ("ok", "aborted") or (status and not task.retries_left):
                self._lifecycle.relay(step, task, attempt, event)
            else:
                reason: Reason = AttemptFailed(ident, error)
                if not status:
                    reason = NoStatus(ident, problem)
                self._lifecycle.retry_or_fail(step, task, engine, reason)

    def unreachable(self, step: Step, event: EngineUnreachable) -> None:
        """An attempt was not sent, since its engine has no connection."""
        attempt = self._not_sent(event)
        if attempt is None:
            return
        first = self._reach.lost(step, attempt.engine, attempt.since)
        task = self._lifecycle.waiting_for(attempt)
        with step.on(task):
            self._lifecycle.end_attempt(step, attempt, task)
            if task is not None:
                task.unsent += 1
                if self._strandings.is_out_of_reach(task):
                    self._strandings.give_up(step, task)
                else:
                    # The engine never got it, so its timeout goes on from where it was.
                    expires = task.expires
                    self._lifecycle.make_ready_again(step, task, End.NOT_SENT, expires=expires)
        if first:
            self._reviews.extend(self._strandings.engine_lost(attempt.engine))

    def sending_failed(self, step: Step, event: SendingFailed) -> None:
        """An attempt was not sent, since it stood no more or because of an error of our own."""
        attempt = self._not_sent(event)
        if attempt is None:
            return
        task = self._lifecycle.waiting_for(attempt)
        with step.on(task):
            self._lifecycle.end_attempt(step, attempt, task)
            if task is not None:
                # Tried again, it might fail again for ever, ahead of all other tasks.
                self._lifecycle.fail(step, task, InternalError())

    def ran_too_long(self, step: Step, attempt: Attempt) -> None:
        """The time is over that an engine may take; it is busy until it answers, all the same."""
        attempt.timer = None
        task = self._lifecycle.waiting_for(attempt)
        if task is None:
            return
        assert task.rich.run_timeout is not None
        engine = attempt.engine.ident
        attempt.engine.failed += 1
        with step.on(task):
            self._lifecycle.fail(step, task, RunTimedOut(engine, task.rich.run_timeout), engine)
            if self._interrupts and self._pool.has(attempt.engine):
                self._lifecycle.interrupt(step, attempt.engine)

    def _find(self, msg_id: str) -> Attempt | None:
        """The attempt of a task that counts, or holds its engine though the task is answered."""
        task = self._tasks.get(msg_id)
        return task.attempt if task is not None else self._abandoned.get(msg_id)

    def _not_sent(self, event: EngineUnreachable | SendingFailed) -> Attempt | None:
        """The attempt that was not sent, unless it has ended in the meantime."""
        attempt = self._find(event.msg_id)
        return attempt if attempt is not None and attempt.number == event.attempt else None
