"""Whether a failure has the reason that the core says, in the model of `world`."""

from __future__ import annotations

from ipp_richsched.core.actions import FailTask
from ipp_richsched.core.attempt_reasons import (
    AnswerLost,
    ConnectionLost,
    EngineDied,
    EnginesCrashed,
    NoStatus,
    RunTimedOut,
)
from ipp_richsched.core.reasons import (
    Cancelled,
    CannotFollow,
    InternalError,
    NoTargetLeft,
    OutOfReach,
    Stranded,
    TimedOut,
    UnreachableDependency,
    ValueNotSent,
)

from .world_records import Task, dependencies_of, stock
from .world_rules import Rules


class Failures(Rules):
    """Judges the reasons of failures."""

    def judge_failure(self, task: Task, action: FailTask) -> None:
        """Whether the reason of a failure is true."""
        reason, event = action.reason, task.event
        dependencies = dependencies_of(event)
        if isinstance(reason, TimedOut):
            assert event.timeout
            assert self.now >= task.queued + event.timeout - 1e-6
        elif isinstance(reason, RunTimedOut):
            assert task.attempt is not None
            assert task.attempt.engine.ident == reason.engine == action.engine
            assert reason.seconds == event.rich.run_timeout
            assert self.now >= task.attempt.began + reason.seconds - 1e-6
            task.ran_on = reason.engine
        elif isinstance(reason, EngineDied):
            self.judge_death(task, reason)
            assert event.rich.max_crashes is None or self.may_be_unwanted(task)
            assert task.retries_left == 0 or self.may_be_unwanted(task)
            self.end_with_engine(task)
        elif isinstance(reason, EnginesCrashed):
            self.judge_death(task, EngineDied(reason.engines[-1], running=True))
            assert len(reason.engines) == task.crashes
            own = event.rich.max_crashes
            if own is None:
                assert task.retries_left
                assert task.crashes == self.settings.max_crashes
            else:
                assert task.crashes == own + 1
            self.end_with_engine(task)
        elif isinstance(reason, (AnswerLost, ConnectionLost)):
            self.judge_loss(task, reason)
            assert task.retries_left == 0 or self.may_be_unwanted(task)
            self.end_with_engine(task)
        elif isinstance(reason, Cancelled):
            assert self.may_be_unwanted(task)
            task.ran_on = None
        elif isinstance(reason, NoStatus):
            assert task.retries_left == 0 or self.may_be_unwanted(task)
        elif isinstance(reason, InternalError):
            assert task.sending_failed
        elif isinstance(reason, UnreachableDependency):
            dependency = dependencies[reason.field]
            assert dependency.ids
            nowhere = any(self.tasks[msg_id].ran_on is None for msg_id in dependency.ids)
            ends = self.ends()
            impossible = stock(dependency).unreachable(*ends)
            assert impossible or (reason.field == "follow" and nowhere), f"{action}: it may be met"
        elif isinstance(reason, ValueNotSent):
            self.values.judge_failure(task, reason)
        elif isinstance(reason, CannotFollow):
            assert event.follow.ids
        elif isinstance(reason, NoTargetLeft):
            assert event.targets
            assert event.targets <= self.departed
        elif isinstance(reason, Stranded):
            assert reason.seconds == self.settings.stranded_timeout
            near = [engine for engine in self.engines.values() if not self.is_out_of_reach(engine)]
            usable = [engine for engine in near if self.may_run_on(task, engine)]
            assert task.refused_by.issuperset(usable), f"{action}: an engine may run it"
        elif isinstance(reason, OutOfReach):
            assert event.targets or event.follow.ids
            for engine in self.engines.values():
                if self.may_run_on(task, engine):
                    assert self.is_out_of_reach(engine)
        else:
            names = {*event.after.ids, *event.follow.ids, *event.rich.arguments}
            assert names - self.tasks.keys(), f"{action}: all its dependencies are known"

    def judge_loss(self, task: Task, reason: AnswerLost | ConnectionLost) -> None:
        """Whether a task that is said to be lost is lost."""
        assert task.attempt is not None, f"{task} is nowhere"
        action = task.attempt.action
        of = action.engine, action.msg_id, action.attempt
        unsent = [event for event in self.not_sent if event[:3] == of]
        assert task.attempt.lost or unsent, f"{task} is not lost"
        assert task.attempt.engine.died is None
        if isinstance(reason, ConnectionLost):
            assert reason.seconds == self.settings.stranded_timeout
            assert self.is_out_of_reach(task.attempt.engine), f"{task}: too early"

    def judge_death(self, task: Task, reason: EngineDied) -> None:
        """Whether a task is lost with its engine, and whether it was running."""
        assert not task.answers
        assert self.is_lost(task), f"{task} is not lost"
        assert task.attempt is not None
        engine = task.attempt.engine
        held = [
            (self.since[other.attempt], other)
            for other in self.tasks.values()
            if other.attempt is not None and other.attempt.engine is engine
        ]
        # what ran for too long and was lost then may have been found out before
        sure = [
            (since, other)
            for since, other in held
            if not (other.answers and self.may_be_over(other.attempt))
        ]
        assert reason.running in {
            min(some)[1] is task and not engine.blamed for some in (held, sure)
        }
        engine.blamed = True
        task.crashes += reason.running

    def end_with_engine(self, task: Task) -> None:
        """A task has failed on the engine that had it."""
        assert task.attempt is not None
        task.ran_on = task.attempt.engine.ident
        task.attempt = None
