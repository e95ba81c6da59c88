"""Takes back tasks that a client no longer wants."""

from __future__ import annotations

from .actions import CancelDone
from .events import CancelRequested
from .lifecycle import Lifecycle
from .reasons import Cancelled
from .state import Cancellation, State
from .step import Step
from .task import Task


class Cancelling:
    """Cancels tasks that are on no engine, as far as the budget of a step goes.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.
    """

    def __init__(self, state: State, lifecycle: Lifecycle) -> None:
        self._tasks = state.tasks
        self._history = state.history
        self._pool = state.pool
        self._wanted_back = state.wanted_back
        self._unwanted = state.unwanted
        self._cancellations = state.backlog.cancellations
        self._lifecycle = lifecycle

    def begin(self, event: CancelRequested) -> None:
        """Take in a request; O(its ids)."""
        job = Cancellation(event)
        self._cancellations.append(job)
        self._wanted_back.update(dict.fromkeys(event.msg_ids, job))

    def work(self, step: Step) -> None:
        """Work off the requests, in their order."""
        while self._cancellations and step.work_left > 0:
            job = self._cancellations[0]
            while job.ids and step.work_left > 0:
                step.work_left -= 1
                msg_id = job.ids.pop()
                task = self._tasks.get(msg_id)
                if self._wanted_back.get(msg_id) is job:
                    del self._wanted_back[msg_id]
                if msg_id in job.early:
                    job.early.remove(msg_id)
                    job.cancelled.append(msg_id)
                elif task is None:
                    done = job.finished if msg_id in self._history else job.unknown
                    done.append(msg_id)
                elif task.attempt is None:
                    with step.on(task):
                        self._lifecycle.fail(step, task, Cancelled(job.event.client))
                    job.cancelled.append(msg_id)
                else:
                    self._unwanted.setdefault(msg_id, job.event.client)
                    task.retries_left = 0
                    interrupts = job.event.interrupt and self._interrupt(step, task)
                    (job.interrupted if interrupts else job.running).append(msg_id)
            if not job.ids:
                self._cancellations.popleft()
                found = job.cancelled, job.running, job.interrupted, job.finished, job.unknown
                step.actions.append(CancelDone(job.event.message, *map(tuple, found)))

    def _interrupt(self, step: Step, task: Task) -> bool:
        """Interrupt what an engine is working on; whether that is this task."""
        assert task.attempt is not None
        engine = task.attempt.engine
        if not self._pool.has(engine) or next(iter(engine.attempts.values())) is not task.attempt:
            return False
        self._lifecycle.interrupt(step, engine)
        return True
