"""What happened to all tasks and engines of a run, from the steps of its event log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.actions import Action, AssignTask, FailTask, RelayReply, Warn
from ..core.attempt_reasons import AnswerLost, ConnectionLost, EngineDied, EnginesCrashed
from ..core.dependency import Dependency
from ..core.events import (
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    SendingFailed,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
)
from ..core.failures import engine_name
from ..core.log import Step, actions_of, event_of
from ..core.notices import TaskRetried
from ..core.reasons import Reason, UnreachableDependency
from ..wire.texts import ERRORS, by_identity, reason_text, tried_text
from ..workflows.runs import EndState, Life, Run, State, Stretch, TaskRun

UNNAMED = "no label"
"""The group of tasks that have neither a label nor the name of a function."""

_DIED = (EngineDied, EnginesCrashed)
_LOST = (AnswerLost, ConnectionLost)


class _Engine:
    """An engine from its registration to its end."""

    __slots__ = ("gone", "ident", "name", "since")

    def __init__(self, ident: bytes, name: str, since: float) -> None:
        self.ident, self.name, self.since = ident, name, since
        self.gone: float | None = None


class _Attempt:
    """An attempt that holds an engine."""

    __slots__ = ("engine", "mark", "since")

    def __init__(self, engine: _Engine, since: float, mark: int) -> None:
        self.engine, self.since, self.mark = engine, since, mark


@dataclass(slots=True)
class _Task:
    """What is known of a task so far."""

    submitted: float
    label: str | None = None
    depends: tuple[Dependency, ...] = ()
    parents: tuple[str, ...] = ()
    cost: float | None = None
    stretches: list[Stretch] = field(default_factory=list)
    ended: float | None = None
    succeeded: bool = False
    problem: str = ""
    error: str = ""
    cause: str | None = None


class RunRecords:
    """Makes a run from its steps; each costs O(its actions and dependencies).

    Parameters
    ----------
    began : float
        When the log begins, in seconds since 1970.
    engines : mapping of str to str
        What the engines are called that were registered then, by their identities.

    Attributes
    ----------
    began_before : int
        How many tasks were submitted before the log begins.
    """

    def __init__(self, began: float, engines: Mapping[str, str]) -> None:
        self._began = self._now = began
        self._tasks: dict[str, _Task] = {}
        self._open: dict[str, _Attempt] = {}
        self._engines: dict[bytes, _Engine] = {}
        self._all_engines: list[_Engine] = []
        self._names = dict(engines)
        self.began_before = 0
        for ident in engines:
            self._registered(ident.encode("utf-8", "surrogateescape"))

    @property
    def has_tasks(self) -> bool:
        """Whether there was any task."""
        return bool(self._tasks)

    def take(self, step: Step, now: float) -> None:
        """Take in a step; raises LogError if it cannot be read."""
        self._now = now
        event = event_of(step)
        if isinstance(event, TaskSubmitted):
            self._submitted(event)
        elif isinstance(event, TaskReplied):
            self._replied(event)
        elif isinstance(event, TaskRejected):
            self._tasks.setdefault(event.msg_id, _Task(now))
        elif isinstance(event, EngineRegistered):
            self._names[engine_name(event.engine)] = step.called
            self._registered(event.engine)
        elif isinstance(event, EngineUnregistered):
            engine = self._engines.pop(event.engine, None)
            if engine is not None:
                engine.gone = now
        elif isinstance(event, (EngineUnreachable, SendingFailed)):
            self._not_sent(event)
        for action in actions_of(step):
            self._decided(action, event)

    def run(self) -> Run:
        """The run so far."""
        lives = tuple(
            Life(each.name, each.since, end, each.gone is not None)
            for each in self._all_engines
            for end in [self._now if each.gone is None else each.gone]
        )
        tasks = {msg_id: self._task_run(msg_id, task) for msg_id, task in self._tasks.items()}
        return Run(tasks, self._now, lives)

    # -- events ------------------------------------------------------------------------

    def _registered(self, ident: bytes) -> None:
        if ident not in self._engines:  # else it is announced twice
            name = self._called(engine_name(ident))
            self._engines[ident] = _Engine(ident, name, self._now)
            self._all_engines.append(self._engines[ident])

    def _submitted(self, event: TaskSubmitted) -> None:
        if event.msg_id in self._tasks:
            return  # it is refused: its id is taken
        depends = [event.after, event.follow, Dependency(event.rich.arguments)]
        ids = dict.fromkeys(msg_id for each in depends for msg_id in each.ids)
        self._tasks[event.msg_id] = _Task(
            self._now,
            event.rich.label,
            tuple(each for each in depends if each.ids),
            tuple(each for each in ids if each in self._tasks),
            event.rich.cost,
        )

    def _replied(self, event: TaskReplied) -> None:
        attempt = self._open.get(event.msg_id)
        if attempt is None or attempt.engine.ident != event.engine or attempt.mark != event.mark:
            return  # it is discarded
        end_state: EndState = "succeeded" if event.status == "ok" else "failed"
        if not event.dependencies_met or event.busy is not None:
            end_state = "given back"
        self._end_attempt(event.msg_id, self._now, end_state)

    def _not_sent(self, event: EngineUnreachable | SendingFailed) -> None:
        attempt = self._open.get(event.msg_id)
        if attempt is not None and attempt.engine.ident == event.engine:
            del self._open[event.msg_id]

    # -- actions -----------------------------------------------------------------------

    def _decided(self, action: Action, event: Event) -> None:
        if isinstance(action, AssignTask):
            self._task(action.msg_id)
            engine = self._engines.get(action.engine)
            if engine is None:  # events are missing before
                self._registered(action.engine)
                engine = self._engines[action.engine]
            self._open[action.msg_id] = _Attempt(engine, self._now, action.mark)
        elif isinstance(action, RelayReply):
            task = self._task(action.msg_id)
            task.ended = self._now
            task.succeeded = isinstance(event, TaskReplied) and event.status == "ok"
            if not task.succeeded:
                error = event.error if isinstance(event, TaskReplied) else None
                task.problem = error.ename if error is not None else "TaskAborted"
                task.error = error.evalue if error is not None else ""
        elif isinstance(action, FailTask):
            self._failed(action)
        elif isinstance(action, Warn) and isinstance(action.notice, TaskRetried):
            self._lost(action.notice.msg_id, action.notice.reason)

    def _failed(self, action: FailTask) -> None:
        task, reason = self._task(action.msg_id), action.reason
        self._lost(action.msg_id, reason)
        task.ended = self._now
        task.problem = ERRORS[reason.failure].__name__
        task.error = reason_text(action.msg_id, reason, self._called)
        task.error += tried_text(action.attempts, action.tried_on, self._called)
        if isinstance(reason, UnreachableDependency):
            task.cause = self._cause(reason)

    def _cause(self, reason: UnreachableDependency) -> str | None:
        """The task with whose failure another one's began."""
        if reason.cause is not None:
            return reason.cause.msg_id
        first = reason.ended[0]
        if first.succeeded:
            return None
        before = self._tasks.get(first.msg_id)
        return before.cause if before is not None and before.cause else first.msg_id

    def _lost(self, msg_id: str, reason: Reason) -> None:
        """An attempt failed; if that is how it ended, its engine is free, or gone."""
        attempt = self._open.get(msg_id)
        if attempt is None:
            return
        if isinstance(reason, _DIED):
            gone = attempt.engine.gone
            self._end_attempt(msg_id, self._now if gone is None else gone, "died")
        elif isinstance(reason, _LOST):
            self._end_attempt(msg_id, self._now, "failed")

    # -- what is made of them ----------------------------------------------------------

    def _called(self, engine: str) -> str:
        return self._names.get(engine) or by_identity(engine)

    def _task(self, msg_id: str) -> _Task:
        """A task, though the log may not have its submission."""
        if msg_id not in self._tasks:
            self._tasks[msg_id] = _Task(self._began)
            self.began_before += 1
        return self._tasks[msg_id]

    def _end_attempt(self, msg_id: str, when: float, end_state: EndState) -> None:
        attempt = self._open.pop(msg_id)
        end = max(attempt.since, when)
        stretch = Stretch(attempt.engine.name, attempt.since, end, end_state)
        self._task(msg_id).stretches.append(stretch)

    def _task_run(self, msg_id: str, task: _Task) -> TaskRun:
        stretches = [*task.stretches]
        attempt = self._open.get(msg_id)
        if attempt is not None:
            end_state: EndState = "running"
            end = self._now
            if attempt.engine.gone is not None:
                end_state, end = "died", attempt.engine.gone
            elif task.ended is not None:
                end_state, end = "failed", task.ended  # nobody has said when it was over
            end = max(attempt.since, end)
            stretches.append(Stretch(attempt.engine.name, attempt.since, end, end_state))
        state: State = "failed" if stretches else "never ran"
        if task.succeeded:
            state = "succeeded"
        elif task.ended is None:
            runs = bool(stretches) and stretches[-1].end_state == "running"
            state = "running" if runs else "waiting"
        group = task.label or UNNAMED
        return TaskRun(
            msg_id,
            group,
            group,
            task.parents,
            task.submitted,
            tuple(stretches),
            task.ended,
            state,
            task.problem,
            task.cost,
            task.error,
            task.cause,
            self._ready(task),
        )

    def _ready(self, task: _Task) -> float | None:
        """When the dependencies of a task were met; None if it ended, or the log does, before."""
        whens = [self._met(each) for each in task.depends]
        ready = max(task.submitted, *whens) if whens else task.submitted
        end = self._now if task.ended is None else task.ended
        return ready if ready <= end else None

    def _met(self, dependency: Dependency) -> float:
        """When a dependency was met; what the log does not know had ended before it begins."""
        whens = []
        for msg_id in dependency.ids:
            task = self._tasks.get(msg_id)
            if task is None:
                whens.append(-math.inf)
            elif task.ended is not None and dependency.accepts(task.succeeded):
                whens.append(task.ended)
        needed = dependency.needed
        return sorted(whens)[needed - 1] if len(whens) >= needed else math.inf
