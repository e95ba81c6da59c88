"""What becomes of an error in the core itself."""

from __future__ import annotations

import math

from .actions import AssignTask, FailTask
from .events import Event, TaskRejected, TaskSubmitted
from .failures import Cause
from .lifecycle import Lifecycle
from .reasons import InternalError
from .state import State
from .step import Step
from .story import CoreError
from .tallies import kind_of
from .task import FAILED, SUCCEEDED, Task

RECOVERY = 0.1
"""Seconds until work goes on after an error of our own, which may come again."""


class Recovery:
    """Has an error cost one task at most.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.

    Attributes
    ----------
    ends : float
        When work goes on after the last error.
    """

    def __init__(self, state: State, lifecycle: Lifecycle) -> None:
        self._pool = state.pool
        self._tasks = state.tasks
        self._history = state.history
        self._story = state.story
        self._tallies = state.tallies
        self._stranded = state.stranded
        self._unwanted = state.unwanted
        self._lifecycle = lifecycle
        self.ends = -math.inf

    def struck(self, step: Step, event: Event, error: Exception) -> CoreError:
        """Have an error of our own cost one task at most, and that one an answer, not silence."""
        task = step.task
        msg_id = task.msg_id if task is not None else getattr(event, "msg_id", "")
        # Have every engine looked at again, since the error may have kept one from getting a task.
        self._pool.roomy.clear()
        self._pool.roomy.update(dict.fromkeys(self._pool.engines.values()))
        if self.ends <= step.now:  # errors that keep coming must not put it off for ever
            self.ends = step.now + RECOVERY
        if task is not None and msg_id in self._tasks:
            try:
                self._withdraw(step, task)
                if task.state < SUCCEEDED:
                    self._lifecycle.fail(step, task, InternalError())
            except Exception as another:
                error = another
            if task.state < SUCCEEDED:  # that has failed as well
                task.count_failed(task.state)
                reason = InternalError()
                cause = Cause(msg_id, failure=reason.failure, label=task.rich.label)
                kind, ran = kind_of(reason), task.attempts_made > task.unsent
                self._tallies.count_failure(kind, msg_id, reason, cause, step.now, ran=ran)
                task.state = FAILED
                step.actions.append(FailTask(msg_id, reason, task.message))
            self._tasks.pop(msg_id, None)
            self._stranded.end(msg_id)
            self._unwanted.pop(msg_id, None)
        elif isinstance(event, (TaskSubmitted, TaskRejected)) and not (
            msg_id in self._tasks or msg_id in self._history or step.actions
        ):  # it has not become a task
            step.actions.append(FailTask(msg_id, InternalError(), event.message))
        return CoreError(event, error, msg_id, self._story, step.actions)

    def _withdraw(self, step: Step, task: Task) -> None:
        """Take an assignment back that the shell has not heard of yet: nobody would end it."""
        attempt = task.attempt
        if attempt is None:
            return
        for action in step.actions:
            if isinstance(action, AssignTask) and action.msg_id == task.msg_id:
                step.actions.remove(action)
                self._lifecycle.end_attempt(step, attempt, task)
                return
