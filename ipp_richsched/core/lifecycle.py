"""A task's way from state to state.

Each step takes a task out of the collection that holds it and puts it into the next one.  It
says what the shell has to do, and adds to the backlog what other tasks have to hear of it.
Nothing here chooses an engine.
"""

from __future__ import annotations

import math

from .actions import AssignTask, FailTask, InterruptEngine, RefuseTask, RelayReply, Warn
from .deadlines import Kind
from .engines.engine import INTERRUPTED, Attempt, Engine
from .events import TaskReplied, TaskSubmitted
from .failures import NO_NAMES, Cause, engine_name, few
from .flags import PLAIN
from .graph import count_after, count_follow
from .notices import Notice, TaskRetried
from .reasons import Cancelled, Reason, UnreachableDependency
from .record import make
from .state import State
from .step import Step
from .story import AGAIN, End, Why, submission
from .tallies import ABORTED, RAISED, kind_of
from .task import ASSIGNED, FAILED, READY, SUCCEEDED, Task, TaskState

QUESTION_PAUSE = 1.0
"""Seconds between two questions to an engine, at least; and from a change of connections, so that
an engine can connect again, to the question whether anything was lost."""

INTERRUPT_PATIENCE = 10.0
"""Seconds that an interrupt may take; then the engine gets tasks again all the same."""


class Lifecycle:
    """The steps of tasks between the collections.

    Parameters
    ----------
    state : State
        The collections.
    """

    def __init__(self, state: State) -> None:
        self._pool = state.pool
        self._tasks = state.tasks
        self._queue = state.queue
        self._shares = state.shares
        self._paths = state.paths
        self._abandoned = state.abandoned
        self._wanted_back = state.wanted_back
        self._unwanted = state.unwanted
        self._stranded = state.stranded
        self._order = state.order
        self._graph = state.graph
        self._deadlines = state.deadlines
        self._history = state.history
        self._causes = state.causes
        self._probe_after = state.settings.probe_after
        elsewhere = state.settings.retry_elsewhere
        self._retry_elsewhere = math.inf if elsewhere is None else elsewhere
        self._backlog = state.backlog
        self._note = state.story.note
        self._values = state.values
        self._durations = state.durations
        self._tallies = state.tallies
        self._tally = PLAIN, b"", self._tallies.of(PLAIN, b"")  # that of the task before

    def submit(self, step: Step, event: TaskSubmitted) -> Task | None:
        """Take in a new task; None if there was one under its id."""
        msg_id = event.msg_id
        first = self._tasks.get(msg_id)
        if first is not None or self._history.get(msg_id) is not None:
            message = first.message if first is not None else None
            step.actions.append(RefuseTask(msg_id, event.message, message))
            return None
        rich, client = event.rich, event.client
        same_rich, same_client, tally = self._tally
        if rich is not same_rich or client != same_client:
            tally = self._tallies.of(rich, client)
            self._tally = rich, client, tally
        tally.submitted += 1
        task = self._tasks[msg_id] = Task(
            msg_id,
            self._order.rank_of_next(step.now, rich.priority),
            event.message,
            event.targets,
            event.after,
            event.follow,
            event.timeout,
            event.retries,
            rich,
            client,
            tally,
            step.now,
        )
        if self._paths is not None:
            self._paths.enter(task, step.now)
        return task

    def begin(self, step: Step, task: Task) -> None:
        """Begin the life of a new task."""
        asked = submission(task.rich, task.after.ids, task.follow.ids)
        self._note((step.now, task.msg_id, "submitted", asked))
        self._start_timeout(step, task)

    def make_ready(self, step: Step, task: Task) -> None:
        """All that a task waited for is there, but an engine."""
        task.move(READY)
        task.tally.released += 1
        task.ready_since = step.now
        self._note((step.now, task.msg_id, "ready", None))
        self._backlog.unplaced.append(task)

    def assign(self, step: Step, task: Task, engine: Engine) -> None:
        """Begin an attempt of a ready task on an engine, unless a client wants it back."""
        if self._wanted_back and task.msg_id in self._wanted_back:
            job = self._wanted_back[task.msg_id]
            job.early.add(task.msg_id)
            self.fail(step, task, Cancelled(job.event.client))
            return
        task.move(ASSIGNED)
        task.tally.assigned_ever += 1
        if self._stranded and task.msg_id in self._stranded:
            self._stranded.asked.add(task.msg_id)
        if self._durations is not None:
            self._durations.of(task.rich.label).queued.add(step.now - task.ready_since)
        self._stop_timers(task)
        if task.watched:
            self._graph.unwatch(task)
        number = task.attempts_made = task.attempts_made + 1
        mark = number if engine.ident in task.had_by else 0
        msg_id = task.msg_id
        self._note((step.now, msg_id, "assigned to", engine.ident))
        attempt = Attempt(msg_id, engine, number, mark, step.now, task.rich.run_timeout)
        task.attempt = engine.attempts[msg_id] = attempt
        if attempt.run_timeout is not None:
            self._start_clock(step, engine)
        if self._shares is not None:
            self._shares.attempt_begins(task, attempt, step.now)
        step.actions.append(
            make(
                AssignTask, (msg_id, engine.ident, task.message, number, mark, task.rich.arguments)
            )
        )
        self._pool.assign(engine)
        if self._probe_after is not None:
            due = step.now + self._probe_after
            if engine.probe is None or engine.probe.when > due:
                self.probe_at(engine, due)

    def probe_at(self, engine: Engine, when: float) -> None:
        """Set the time at which an engine is asked about what it has."""
        if engine.probe is not None:
            self._deadlines.cancel(engine.probe)
        engine.probe = self._deadlines.add(when, Kind.PROBE, engine)

    def interrupt(self, step: Step, engine: Engine) -> None:
        """Have a registered engine interrupted in what it is working on, unless it is already.

        It gets no task until that is done: the interrupt might hit it.
        """
        if engine.interrupt is not None:
            return
        engine.interrupt = self._deadlines.add(
            step.now + INTERRUPT_PATIENCE, Kind.INTERRUPT, engine
        )
        self._pool.pause(engine, INTERRUPTED)
        step.actions.append(InterruptEngine(engine.ident, engine.interrupt.number))

    def interrupt_is_over(self, engine: Engine) -> None:
        """An engine was interrupted, or that cannot be done: it may get tasks again."""
        engine.interrupt = None
        self._pool.end_pause(engine, INTERRUPTED)

    def waiting_for(self, attempt: Attempt) -> Task | None:
        """The task that waits for an attempt; None if it was answered before."""
        task = self._tasks.get(attempt.msg_id)
        return task if task is not None and task.attempt is attempt else None

    def _start_clock(self, step: Step, engine: Engine) -> None:
        """An engine works on the oldest that it holds: have the time for that run."""
        oldest = next(iter(engine.attempts.values()))
        if oldest.began is None:
            oldest.began = step.now
            if self._shares is not None:
                self._shares.work_begins(oldest, step.now)
        if oldest.run_timeout is not None and oldest.timer is None:
            oldest.timer = self._deadlines.add(step.now + oldest.run_timeout, Kind.RUN, oldest)

    def end_attempt(self, step: Step, attempt: Attempt, task: Task | None) -> None:
        """An engine is done with an attempt, or lost: its slot is free.

        Parameters
        ----------
        step : Step
            The step.
        attempt : Attempt
            What is over.
        task : Task or None
            The task that waits for it; None if it was answered before.
        """
        if task is not None:
            task.attempt = None
            if self._stranded:
                self._stranded.asked.discard(task.msg_id)
        else:
            self._abandoned.pop(attempt.msg_id, None)
        engine = attempt.engine
        del engine.attempts[attempt.msg_id]
        self._pool.finish(engine)
        if self._shares is not None:
            self._shares.attempt_ends(attempt, step.now)
        if attempt.timer is not None:
            self._deadlines.cancel(attempt.timer)
        if not engine.attempts:
            return
        self._start_clock(step, engine)
        if engine.questions:
            # The next question was set by the age of this one, which may have been great.
            assert self._probe_after is not None
            oldest, last = next(iter(engine.attempts.values())), next(reversed(engine.questions))
            when = max(oldest.since + self._probe_after, engine.questions[last] + QUESTION_PAUSE)
            if engine.probe is not None and engine.probe.when > when:
                self.probe_at(engine, when)

    def make_ready_again(
        self,
        step: Step,
        task: Task,
        end: End,
        why: Why = None,
        expires: float | None = None,
    ) -> None:
        """Have a task wait for an engine, unless a client wanted it back while one had it.

        Its timeout starts anew unless `expires` is given.
        """
        if self._unwanted and task.msg_id in self._unwanted:
            self.fail(step, task, Cancelled(self._unwanted[task.msg_id], late=True))
            return
        task.move(READY)
        task.tally.given_back += 1
        task.ready_since = step.now
        if end is End.FAILED:  # else it was given back, and waits as before
            task.since = step.now
        self._note((step.now, task.msg_id, AGAIN, (end, why, task.retries_left)))
        self._start_timeout(step, task, expires)
        self._backlog.unplaced.append(task)

    def take_back(self, step: Step, task: Task, engine: Engine, end: End, why: Why = None) -> None:
        """An attempt on `engine` is over and did not count: the task is ready again."""
        task.had_by |= {engine.ident}
        # of engines that are gone nothing need be known any more
        task.failed_on = frozenset(filter(self._pool.has, task.failed_on))
        task.refused_by = frozenset(filter(self._pool.has, task.refused_by))
        self.make_ready_again(step, task, end, why)

    def retry_or_fail(self, step: Step, task: Task, engine: Engine, reason: Reason) -> None:
        """An attempt on `engine` failed, and there is a retry left or no reply to relay."""
        if task.retries_left > 0:
            task.retries_left -= 1
            self.retry(step, task, engine, reason)
        else:
            engine.failed += 1
            self.fail(step, task, reason, engine.ident)

    def retry(self, step: Step, task: Task, engine: Engine, reason: Reason) -> None:
        """An attempt on `engine` failed, and there is to be another."""
        engine.failed += 1
        self._stranded.end(task.msg_id)
        if self._retry_elsewhere:
            task.failed_on |= {engine}
            task.fresh_until = step.now + self._retry_elsewhere
        self.warn(step, TaskRetried(task.msg_id, reason, task.retries_left))
        self.take_back(step, task, engine, End.FAILED, reason)

    def go_behind(self, step: Step, task: Task) -> None:
        """Have a task that is not queued come after all others that are there."""
        task.rank = self._order.rank_behind(step.now)

    def requeue(self, task: Task) -> None:
        """Have a queued task offered to engines again: others may take it now."""
        self.unpark(task)
        self._queue.remove(task)
        self._backlog.unplaced.append(task)

    def relay(self, step: Step, task: Task, attempt: Attempt, event: TaskReplied) -> None:
        """Answer a task with its engine's reply to an attempt that is over."""
        action = make(RelayReply, (task.msg_id, event.engine, task.message, event.message))
        if event.status == "ok":
            attempt.engine.done += 1
            if self._paths is not None and attempt.began is not None:
                self._paths.learn(task, step.now - attempt.began)
            self._rest(step, task, SUCCEEDED, event.engine, action, size=event.size)
            return
        attempt.engine.failed += 1
        cause = Cause(task.msg_id, event.error, label=task.rich.label)
        self._causes.record(task.msg_id, cause, cause.label)
        aborted = event.status == "aborted"
        why, kind = (End.ABORTED, ABORTED) if aborted else (event.error, RAISED)
        self._tallies.count_failure(kind, task.msg_id, why, cause, step.now, ran=True)
        self._rest(step, task, FAILED, event.engine, action, why, event.size)

    def fail(self, step: Step, task: Task, reason: Reason, engine: bytes | None = None) -> None:
        """Answer an unfinished task with an error of our own.

        An attempt that is not over yet keeps its engine busy, though its reply counts no more.
        """
        had_by = task.had_by if engine is None else task.had_by | {engine}
        names = few(map(engine_name, had_by)) if had_by else NO_NAMES
        tried = task.attempts_made - task.unsent
        action = FailTask(task.msg_id, reason, task.message, engine, tried, names)
        self._graph.unwatch(task)
        if task.group is not None:
            self._queue.remove(task)
        if task.attempt is not None:
            self._abandoned[task.msg_id] = task.attempt
            task.attempt = None
        cause = reason.cause if isinstance(reason, UnreachableDependency) else None
        label = task.rich.label
        cause = cause or Cause(task.msg_id, failure=reason.failure, label=label)
        self._causes.record(task.msg_id, cause, label)
        kind, ran = kind_of(reason), tried > 0
        self._tallies.count_failure(kind, task.msg_id, reason, cause, step.now, ran=ran)
        self._rest(step, task, FAILED, engine, action, reason, ran=ran)

    @staticmethod
    def warn(step: Step, notice: Notice) -> None:
        """Have the operator told of something."""
        step.actions.append(Warn(notice))

    def unpark(self, task: Task) -> None:
        """Stop the deadline of a task that nobody could take, if one runs."""
        if task.parking is not None:
            self._deadlines.cancel(task.parking)
            task.parking = None

    def _rest(
        self,
        step: Step,
        task: Task,
        state: TaskState,
        engine: bytes | None,
        answer: RelayReply | FailTask,
        why: Why = None,
        size: int | None = None,
        ran: bool = True,
    ) -> None:
        """Have a task finished; the `size` of its value may be known, and `why` it failed.

        `ran` says of one that failed whether an engine ever had it.
        """
        before = task.state
        task.move(state)
        succeeded = state is SUCCEEDED
        if succeeded:
            task.tally.succeeded += 1
        else:
            task.count_failed(before)
        step.actions.append(answer)
        self._stop_timers(task)
        if task.busy is not None:
            for entry in task.busy.values():
                self._deadlines.cancel(entry)
        msg_id = task.msg_id
        del self._tasks[msg_id]
        if self._stranded or self._unwanted:
            self._stranded.end(msg_id)
            self._unwanted.pop(msg_id, None)
        outcome = self._history.record(msg_id, succeeded, engine)
        if succeeded:
            self._note((step.now, msg_id, "succeeded", engine))
        else:
            self._note((step.now, msg_id, "failed", (engine, why, ran)))
        task.message = None  # others may still refer to the task
        after, follow = self._graph.pop(msg_id)
        if after:
            after.reverse()
            self._backlog.news.append((after, outcome, count_after))
        if follow:
            follow.reverse()
            self._backlog.news.append((follow, outcome, count_follow))
        if self._values.uses:
            self._values.finished(step, task, outcome, answer, size)

    def _start_timeout(self, step: Step, task: Task, expires: float | None = None) -> None:
        if task.timeout:
            task.expires = step.now + task.timeout if expires is None else expires
            task.timer = self._deadlines.add(task.expires, Kind.TIMEOUT, task)

    def _stop_timers(self, task: Task) -> None:
        if task.timer is not None:
            self._deadlines.cancel(task.timer)
            task.timer = None
        if task.parking is not None:
            self.unpark(task)
