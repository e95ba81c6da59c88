"""A task's way from state to state.

Each step takes a task out of the collection that holds it and puts it into the next, says
what the shell has to do, and keeps what other tasks and engines have to hear of it: that is
for the machine to work off.  Nothing here chooses an engine.
"""

from __future__ import annotations

from collections import deque

from .actions import Action, AssignTask, FailTask, Reason, RefuseTask, RelayReply, Warn
from .deadlines import Deadlines, Kind
from .engines.pool import Engine, EnginePool
from .events import TaskReplied, TaskSubmitted
from .graph import DependencyGraph, News
from .history import History
from .ready.queue import ReadyQueue
from .story import Story
from .task import ASSIGNED, FAILED, READY, SUCCEEDED, Task, TaskState


class Lifecycle:
    """The collections that hold tasks, and the steps between them.

    Attributes
    ----------
    pool : EnginePool
    tasks : dict of str to Task
        Those that are not finished, by msg_id.
    queue : ReadyQueue
    graph : DependencyGraph
    deadlines : Deadlines
    history : History
    story : Story
    now : float
        The time of the event that is being handled.
    actions : list of Action
        What that event has led to so far.
    first : str
        While one failure entails another: the first.
    in_hand : Task or None
        The task that is being dealt with: the one that an error of our own strikes.
    news : deque of News
        What dependents have still to be told.
    unplaced : list of Task
        Ready ones that have not been offered to an engine, nor queued.
    """

    def __init__(self, pool: EnginePool) -> None:
        self.pool = pool
        self.tasks: dict[str, Task] = {}
        self.queue = ReadyQueue(pool.engines)
        self.graph = DependencyGraph()
        self.deadlines = Deadlines()
        self.history = History()
        self.story = Story()
        self.now = 0.0
        self.actions: list[Action] = []
        self.first = ""
        self.in_hand: Task | None = None
        self.news: deque[News] = deque()
        self.unplaced: list[Task] = []
        self._note = self.story.note
        self._submitted = 0

    def submit(self, event: TaskSubmitted) -> Task | None:
        """A new task, or None if there was one under its id."""
        first = self.tasks.get(event.msg_id)
        if first is not None or self.history.get(event.msg_id) is not None:
            message = first.message if first is not None else None
            self.actions.append(RefuseTask(event.msg_id, event.message, message))
            return None
        self._submitted += 1
        task = self.in_hand = self.tasks[event.msg_id] = Task(
            event.msg_id,
            self._submitted,
            event.message,
            event.targets,
            event.after,
            event.follow,
            event.timeout,
            event.retries,
        )
        self._note((self.now, task.msg_id, "submitted", ""))
        self._start_timeout(task)
        return task

    def make_ready(self, task: Task) -> None:
        """All that a task waited for is there, but an engine."""
        task.move(READY)
        self._note((self.now, task.msg_id, "ready", ""))
        self.unplaced.append(task)

    def assign(self, task: Task, engine: Engine) -> None:
        task.move(ASSIGNED)
        self._stop_timers(task)
        if task.watched:
            self.graph.unwatch(task)
        task.engine = engine
        engine.assigned[task.msg_id] = task
        self.pool.assign(engine)
        task.attempts += 1
        self._note((self.now, task.msg_id, "assigned to", engine.ident))
        again = task.attempts if engine.ident in task.had_by else 0
        action = AssignTask(task.msg_id, engine.ident, task.message, again, task.attempts)
        self.actions.append(action)
        self.in_hand = None

    def unassign(self, task: Task) -> None:
        """A task never came to its engine: it is ready again, with the timeout that it had."""
        self._release(task)
        self._make_ready_again(task, task.expires)

    def take_back(self, task: Task) -> None:
        """An attempt is over and did not count: the task is ready again."""
        assert task.engine is not None
        task.had_by |= {task.engine.ident}
        self._release(task)
        self._make_ready_again(task)

    def attempt_failed(self, task: Task, text: str) -> None:
        """An attempt failed: there is a retry left, or else no reply that could be relayed."""
        engine = task.engine
        assert engine is not None
        if task.retries > 0:
            task.retries -= 1
            if engine.ident in self.pool.engines:
                task.failed_on |= {engine.ident}
            self.take_back(task)
        else:
            self.fail(task, Reason.ENGINE_ERROR, text, engine.ident)

    def requeue(self, task: Task) -> None:
        """Have a queued task offered to engines again: others may take it now."""
        self.unpark(task)
        self.queue.remove(task)
        self.unplaced.append(task)

    def relay(self, task: Task, event: TaskReplied) -> None:
        """Answer an assigned task with its engine's reply."""
        action = RelayReply(task.msg_id, event.engine, task.message, event.message)
        self._release(task)
        self._rest(task, SUCCEEDED if event.status == "ok" else FAILED, event.engine, action)

    def fail(self, task: Task, reason: Reason, text: str, engine: bytes | None = None) -> None:
        """Answer an unfinished task with an error of our own."""
        action = FailTask(task.msg_id, reason, text, task.message, engine)
        self.graph.unwatch(task)
        if task.group is not None:
            self.queue.remove(task)
        elif task.engine is not None:
            self._release(task)
        self._rest(task, FAILED, engine, action)

    def warn(self, text: str) -> None:
        self.actions.append(Warn(text))

    def unpark(self, task: Task) -> None:
        """Stop the deadline of a task that nobody could take, if one runs."""
        if task.parking is not None:
            self.deadlines.cancel(task.parking)
            task.parking = None

    def _release(self, task: Task) -> None:
        """Take an assigned task off its engine."""
        engine = task.engine
        assert engine is not None
        del engine.assigned[task.msg_id]
        task.engine = None
        self.pool.finish(engine)

    def _make_ready_again(self, task: Task, expires: float | None = None) -> None:
        """Have a task wait for an engine; its timeout starts anew unless `expires` is given."""
        task.move(READY)
        self._note((self.now, task.msg_id, "ready again, retries left:", task.retries))
        self._start_timeout(task, expires)
        self.unplaced.append(task)

    def _rest(
        self, task: Task, state: TaskState, engine: bytes | None, answer: RelayReply | FailTask
    ) -> None:
        task.move(state)
        self.actions.append(answer)
        self._stop_timers(task)
        del self.tasks[task.msg_id]
        succeeded = state is SUCCEEDED
        outcome = self.history.record(task.msg_id, succeeded, engine)
        self._note((self.now, task.msg_id, "succeeded" if succeeded else "failed", engine or ""))
        task.message = None  # others may still refer to the task
        after, follow = self.graph.pop(task.msg_id)
        if after:
            after.reverse()
            self.news.append((after, outcome, False, self.first or task.msg_id))
        if follow:
            follow.reverse()
            self.news.append((follow, outcome, True, self.first or task.msg_id))

    def _start_timeout(self, task: Task, expires: float | None = None) -> None:
        if task.timeout:
            task.expires = self.now + task.timeout if expires is None else expires
            task.timer = self.deadlines.add(task.expires, Kind.TIMEOUT, task)

    def _stop_timers(self, task: Task) -> None:
        if task.timer is not None:
            self.deadlines.cancel(task.timer)
            task.timer = None
        if task.parking is not None:
            self.unpark(task)
