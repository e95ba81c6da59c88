"""Whether the core may do what it does, and leave what it leaves: the judge of `world`."""

from __future__ import annotations

import math

from ipp_richsched.core.actions import (
    Action,
    AnswerValue,
    AskEngine,
    AskForValue,
    AssignTask,
    CancelDone,
    DropValue,
    FailTask,
    InterruptEngine,
    KeepValue,
    RefuseTask,
    RelayReply,
    Warn,
)
from ipp_richsched.core.attempt_reasons import AnswerLost, ConnectionLost, EngineDied
from ipp_richsched.core.lifecycle import INTERRUPT_PATIENCE
from ipp_richsched.core.notices import TaskRetried
from ipp_richsched.core.reach import LONGEST_PAUSE

from .world_failures import Failures
from .world_records import Attempt, Engine, Task, dependencies_of, stock


class Judge(Failures):
    """Judges each action, and after each event what waits."""

    def judge(self, action: Action, in_order: bool) -> None:
        if isinstance(action, AssignTask):
            self.judge_assignment(self.tasks[action.msg_id], action, in_order)
            self.unsent.append(action)
        elif isinstance(action, AskEngine):
            assert action.engine in self.engines, f"{action}: the engine is not registered"
            self.unsent.append(action)
        elif isinstance(action, Warn):
            if isinstance(action.notice, TaskRetried):
                self.retry(self.tasks[action.notice.msg_id], action.notice)
        elif isinstance(action, RelayReply):
            task = self.tasks[action.msg_id]
            assert task.ran_on == action.engine, f"{action}: no answer of that engine counts"
            self.note_answer(task, "")
        elif isinstance(action, FailTask):
            task = self.tasks[action.msg_id]
            self.judge_failure(task, action)
            self.note_answer(task, action.reason.failure.name)
        elif isinstance(action, (KeepValue, DropValue, AskForValue, AnswerValue)):
            self.values.judge(action)
        elif isinstance(action, RefuseTask):
            assert action.msg_id in self.tasks
        elif isinstance(action, CancelDone):
            self.judge_cancelled(action)
        elif isinstance(action, InterruptEngine):
            engine = self.engines[action.engine]
            since = self.interrupted.get(engine, -INTERRUPT_PATIENCE)
            assert self.now >= since + INTERRUPT_PATIENCE - 1e-6, f"{action}: it is already"
            self.interrupts.append(action)
            self.interrupted[engine] = self.now
            self.interrupt_times[action] = self.now
            self.interrupt(engine)

    def judge_assignment(self, task: Task, action: AssignTask, in_order: bool) -> None:
        engine = self.engines.get(action.engine)
        assert engine is not None, f"{action}: the engine is not registered"
        assert not task.answers, f"{action}: it was answered"
        assert task.attempt is None, f"{action}: it is on another engine"
        assert not any(action.msg_id in waiting for _, waiting in self.requests.values()), (
            f"{action}: a client wanted it back"
        )
        assert action.msg_id not in self.unwanted, f"{action}: a client wanted it back"
        since = self.interrupted.get(engine, -INTERRUPT_PATIENCE)
        assert self.now >= since + INTERRUPT_PATIENCE - 1e-6, f"{action}: it is interrupted"
        if engine in task.refused_by:
            self.note_all_tried(task)
            assert task.all_refused, f"{action}: others have not refused it"
            task.refused_by.clear()
            task.all_refused = False
        assert self.is_met(task.event.after), f"{action}: it comes too early"
        assert action.values == task.event.rich.arguments
        assert self.values.are_held(task), f"{action}: without its values"
        assert self.may_run_on(task, engine), f"{action}: off its targets, or against its follow"
        assert self.now >= task.busy.get(engine, 0.0) - 1e-6, f"{action}: the engine is busy"
        load = sum(
            other.attempt is not None
            and other.attempt.engine is engine
            and not (other.answers and self.may_be_over(other.attempt))
            for other in self.tasks.values()
        )
        assert not self.settings.hwm or load < self.settings.hwm, f"{action}: over the hwm"
        if engine in task.failed_on:
            self.note_all_tried(task)
            longest = self.settings.retry_elsewhere
            waited = longest is not None and self.now >= task.failed + longest - 1e-6
            assert task.all_failed or waited, f"{action}: others come first"
            task.all_failed |= waited
        task.attempts += 1
        assert action.attempt == task.attempts
        assert action.mark == (task.attempts if action.engine in task.had_by else 0)
        if in_order:
            key = self.key(task, self.highest(task))
            for other in self.tasks.values():
                if self.is_fresh(other) and self.may_run_on(other, engine):
                    mine, theirs = key, self.key(other, self.lent(other))
                    takes_turns = self.settings.fair and other.event.client != task.event.client
                    if takes_turns or self.settings.order != "fifo":
                        mine, theirs = self.level(mine, -1e-5), self.level(theirs, 1e-5)
                        assert mine <= theirs, f"{action} overtakes"
                        continue
                    nearly = mine[0] != theirs[0] and abs(mine[0] - theirs[0]) < 1e-5  # by aging
                    assert nearly or mine < theirs, f"{action} overtakes"
        task.attempt = Attempt(engine, action)
        self.since[task.attempt] = len(self.since)

    def judge_cancelled(self, action: CancelDone) -> None:
        """Whether it is true what became of tasks that a client wanted back."""
        number, cancelled, running, interrupted, finished, unknown = action
        ids, waiting = self.requests.pop(number)
        assert sorted(ids) == sorted([*cancelled, *running, *interrupted, *finished, *unknown])
        assert all(self.tasks[msg_id].answers == ["CANCELLED"] for msg_id in cancelled)
        assert all(self.tasks[msg_id].answers for msg_id in finished)
        assert self.tasks.keys().isdisjoint(unknown)
        for msg_id in (*running, *interrupted):
            assert msg_id not in waiting, f"{msg_id} was on no engine"
            self.tasks[msg_id].retries_left = 0
            self.unwanted.add(msg_id)

    def interrupt(self, engine: Engine) -> None:
        """Whatever an engine is working on is not retried."""
        held = [
            (self.since[task.attempt], task)
            for task in self.tasks.values()
            if task.attempt is not None and task.attempt.engine is engine
        ]
        for _, task in sorted(held)[:1]:
            if not task.answers:
                task.retries_left = 0

    def note_answer(self, task: Task, failure: str) -> None:
        """A task is answered; a relayed answer is what `reply` said that it should be."""
        assert not task.answers, f"{task} is answered twice"
        if task.attempt is not None:
            assert task.attempt.began + (task.event.rich.run_timeout or 0) <= self.now + 1e-6, (
                f"{task} is answered while an engine has it"
            )
        task.answers.append(failure or task.relays)

    def retry(self, task: Task, notice: TaskRetried) -> None:
        """The scheduler says that it tries a task again; why, `reply` knows before it does."""
        if isinstance(notice.reason, EngineDied):
            self.judge_death(task, notice.reason)
            own = task.event.rich.max_crashes
            if notice.reason.running:
                limit = self.settings.max_crashes if own is None else own + 1
                assert task.crashes != limit, f"{task} was to be given up"
                self.places += 1
                task.place = self.places
                task.behind = self.now, self.lowest
            if own is not None:
                task.free += 1
                task.retries_left += 1  # it takes none
        elif isinstance(notice.reason, (AnswerLost, ConnectionLost)):
            self.judge_loss(task, notice.reason)
        else:
            return
        assert task.attempt is not None
        engine = task.attempt.engine
        self.end_attempt(task, task.attempt)
        if engine.died is None:
            task.failed_on.add(engine)
        task.retries_left -= 1
        task.failed = self.now
        assert task.retries_left == notice.retries_left >= 0

    def end_attempt(self, task: Task, attempt: Attempt) -> None:
        task.attempt = None
        task.had_by.add(attempt.engine.ident)
        task.queued = self.now

    def note_beginnings(self) -> None:
        """Note which attempts may be the oldest on their engines, which surely are, since when."""
        maybe: dict[Engine, Attempt] = {}
        surely: dict[Engine, Attempt] = {}
        for attempt in self.since:  # in the order in which they came
            task = self.tasks[attempt.action.msg_id]
            if task.attempt is attempt:
                surely.setdefault(attempt.engine, attempt)
                if not (task.answers and self.may_be_over(attempt)):
                    maybe.setdefault(attempt.engine, attempt)
        for attempt in maybe.values():
            attempt.began = min(attempt.began, self.now)
        for attempt in surely.values():
            attempt.surely_began = min(attempt.surely_began, self.now)

    def loads(self) -> dict[Engine, int]:
        """How many attempts each engine holds."""
        loads: dict[Engine, int] = {}
        for task in self.tasks.values():
            if task.attempt is not None:
                loads[task.attempt.engine] = loads.get(task.attempt.engine, 0) + 1
        return loads

    def judge_waiting(self) -> None:
        """Nothing waits in vain, and no fresh task waits for an engine that has room."""
        succeeded, failed = self.ends()
        when = self.core.next_deadline()
        is_due = when is not None and when <= self.now
        loads = self.loads()
        roomy = [
            engine
            for engine in self.engines.values()
            if self.now > engine.unreached + LONGEST_PAUSE
            and self.now > self.interrupted.get(engine, -math.inf) + INTERRUPT_PATIENCE
            and not 0 < self.settings.hwm <= loads.get(engine, 0)
        ]
        for msg_id, task in self.tasks.items():
            longest = task.event.rich.run_timeout
            if longest and task.attempt is not None and not (task.answers or is_due):
                end = task.attempt.surely_began + longest
                assert self.now <= end + 1e-6, f"{msg_id} runs for too long"
            if task.answers or task.attempt is not None:
                continue
            event = task.event
            if event.timeout and not is_due:
                assert self.now <= task.queued + event.timeout + 1e-6, f"{msg_id}: for too long"
            self.note_all_tried(task)
            self.values.judge_waiting(task)
            for dependency in dependencies_of(event).values():
                assert not stock(dependency).unreachable(succeeded, failed), f"{msg_id}: in vain"
            if event.targets is not None:
                assert not event.targets <= self.departed, f"{msg_id}: its targets are gone"
            if event.follow.all:
                places = {self.tasks[other].ran_on for other in event.follow.ids}
                assert not places & self.departed, f"{msg_id}: the engine to follow is gone"
            if self.is_fresh(task):
                usable = [engine for engine in roomy if self.may_run_on(task, engine)]
                assert not usable, f"{msg_id} waits, and {usable[0]} has room"
            elif self.has_waited_enough(task) and not is_due:
                usable = [engine for engine in roomy if self.may_run_on(task, engine)]
                kept = task.refused_by.union(task.busy)
                assert kept.issuperset(usable), f"{msg_id} waits for a fresh engine"
