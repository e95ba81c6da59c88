"""Clients, engines and a hub at random around a core, and a model of the rules that judges it.

The model knows what was submitted, what was sent to engines and what they answered.  From that,
and from the rules of ipyparallel, it knows what each action may be.  It never looks into the
core: it uses what the shell uses (`handle`, `next_deadline`, `busy`, `stands`), and has the core
`validate` itself.

As in the shell, sends come later than decisions, and may find nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import ipyparallel as ipp

from ipp_richsched.core.actions import Action, AssignTask, FailTask, RefuseTask, RelayReply
from ipp_richsched.core.dependency import NOTHING, Dependency
from ipp_richsched.core.engines.schemes import BUILT_IN
from ipp_richsched.core.events import (
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    SendingFailed,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.reach import LONGEST_PAUSE
from ipp_richsched.core.reasons import (
    CannotFollow,
    EngineDied,
    Failure,
    InternalError,
    NoStatus,
    NoTargetLeft,
    Stranded,
    TimedOut,
    UnreachableDependency,
)
from ipp_richsched.core.settings import Settings

LATE = b"late"
"""An engine that targets may name, and that comes only at the end."""

LAST = b"z"
"""An engine that nobody names, and that comes at the end."""


@dataclass(eq=False)
class Engine:
    """An engine from the hub's word that it is there to the end of its grace.

    Attributes
    ----------
    ident : bytes
        Its name; one that comes back under it is another `Engine`.
    died : float or None
        When the hub said that it is gone.
    unreached : float
        When a send last found no connection.
    """

    ident: bytes
    died: float | None = None
    unreached: float = -100.0


@dataclass(eq=False)
class Attempt:
    """What the scheduler was told to be on an engine, until the engine is done with it.

    Attributes
    ----------
    engine : Engine
        Where it is.
    action : AssignTask
        What the scheduler has decided.
    """

    engine: Engine
    action: AssignTask


@dataclass(eq=False)
class Task:
    """A task, as its client and the engines know it.

    Attributes
    ----------
    place : int
        Its place in the order of submission.
    event : TaskSubmitted
        What its client asked for.
    queued : float
        When it was last queued: when it was submitted, or its last attempt failed.
    retries_left : int
        How many more failed attempts may be followed by another.
    attempts : int
        How often it was assigned.
    attempt : Attempt or None
        The one whose answer counts.
    refused_by : set of Engine
        Those that refused it.
    failed_on : set of Engine
        Those that failed it.
    all_failed : bool
        Whether these were once all that might run it: from then on it may go to any.
    had_by : set of bytes
        The names of engines that had it in earlier attempts.
    answers : list of str
        How it was answered; not more than once.
    ran_on : bytes or None
        The engine that ran it to its end.
    relays : str
        What its answer is if the last reply is relayed.
    sending_failed : bool
        Whether an error of the scheduler's own has struck it.
    """

    place: int
    event: TaskSubmitted
    queued: float
    retries_left: int
    attempts: int = 0
    attempt: Attempt | None = None
    refused_by: set[Engine] = field(default_factory=set)
    failed_on: set[Engine] = field(default_factory=set)
    all_failed: bool = False
    had_by: set[bytes] = field(default_factory=set)
    answers: list[str] = field(default_factory=list)
    ran_on: bytes | None = None
    relays: str = ""
    sending_failed: bool = False

    @property
    def succeeded(self) -> bool:
        return self.answers == ["ok"]


class World:
    """A core, everybody around it, and the model.

    Parameters
    ----------
    random : Random
        What decides everything; Hypothesis has one that it can shrink.
    scheme : str
        The scheme, if that is not left to chance.
    """

    def __init__(self, random: Random, scheme: str = "") -> None:
        self.random = random
        self.settings = Settings(
            scheme or random.choice(sorted(BUILT_IN)),
            random.choice([1, 1, 0, 2, 3]),
            random.choice([0.0, 0.5, 5.0]),
            random.choice([0.0, 1.0, 3.0, None]),
            random.randrange(100),
        )
        self.core = SchedulerCore(self.settings)
        self.now = 0.0
        self.has_faults = True  # until the end: the scheduler's own, and late news
        self.names = [b"e%d" % number for number in range(random.choice([1, 2, 3, 4]))]
        self.tasks: dict[str, Task] = {}
        self.engines: dict[bytes, Engine] = {}  # that the hub knows
        self.departed: set[bytes] = set()  # that it knew, and knows no more
        self.connected: set[bytes] = set()
        self.unsent: list[AssignTask] = []
        self.not_sent: list[tuple[type, AssignTask]] = []  # what could not be, and is to be said
        self.held: list[AssignTask] = []  # what engines got, and have not answered
        self.answered: list[AssignTask] = []  # what they might answer once more

    # -- what may happen ---------------------------------------------------------------

    def step(self) -> None:
        """One thing happens."""
        draw = self.random.random()
        if draw < 0.3:
            self.submit()
        elif draw < 0.36:
            self.change_connection()
        elif draw < 0.44:
            self.change_registration()
        elif draw < 0.7 and self.held:
            self.answer()
        elif draw < 0.74 and self.answered:
            self.answer_again()
        elif draw < 0.92:
            self.send()
        else:
            self.pass_time(self.random.choice([0.0, 0.01, 0.06, 0.3, 1.0, 6.0]))

    def submit(self) -> None:
        random, msg_id = self.random, f"session_1_{len(self.tasks)}"
        targets = None
        if random.random() < 0.3 and len(self.names) > 1:
            targets = frozenset(random.sample([*self.names, LATE], random.randint(1, 2)))
        event = TaskSubmitted(
            msg_id,
            None,
            targets,
            self.dependency(),
            self.dependency(),
            random.choice([None, None, 0.1, 1.0, 20.0]),
            random.choice([0, 0, 1, 3]),
        )
        self.tasks[msg_id] = Task(len(self.tasks), event, self.now, event.retries)
        self.feed(event)
        if random.random() < 0.05:
            self.feed(event)  # and once more, which must change nothing

    def dependency(self) -> Dependency:
        random, known = self.random, list(self.tasks)
        if not known or random.random() < 0.6:
            return NOTHING
        if random.random() < 0.02:
            known.append("unknown")
        ids = random.sample(known, min(len(known), random.randint(1, 3)))
        failure = random.random() < 0.4
        return Dependency(ids, random.random() < 0.5, not failure or random.random() < 0.5, failure)

    def change_connection(self) -> None:
        """A connection comes, or goes with all that was under way on it."""
        name = self.random.choice(self.names)
        self.held = [action for action in self.held if action.engine != name]
        self.answered = [action for action in self.answered if action.engine != name]
        self.connected ^= {name}

    def change_registration(self) -> None:
        """The hub says that an engine is there, or gone."""
        name = self.random.choice(self.names)
        if name in self.engines:
            self.unregister(name)
        else:
            self.register(name)

    def register(self, name: bytes) -> None:
        self.engines[name] = Engine(name)
        self.departed.discard(name)
        self.feed(EngineRegistered(name))

    def unregister(self, name: bytes) -> None:
        self.engines.pop(name).died = self.now
        self.departed.add(name)
        self.feed(EngineUnregistered(name))

    def answer(self) -> None:
        """An engine answers a task that it has."""
        action = self.held.pop(self.random.randrange(len(self.held)))
        status = self.random.choice(["ok", "ok", "ok", "error", "error", "aborted", None])
        self.reply(action, status, met=self.random.random() < 0.9)

    def answer_again(self) -> None:
        """An answer comes a second time; it must count for no other attempt."""
        action = self.answered.pop(self.random.randrange(len(self.answered)))
        self.reply(action, self.random.choice(["ok", "error"]), met=True)

    def send(self) -> None:
        """Carry out what was decided, and what that leads to."""
        while self.unsent or self.not_sent:
            actions, self.unsent = self.unsent, []
            for action in actions:
                stands = self.core.stands(action)
                attempt = self.tasks[action.msg_id].attempt
                assert stands == (attempt is not None and attempt.action is action), f"{action}"
                if not stands or (self.has_faults and self.random.random() < 0.005):
                    kind: type = SendingFailed
                elif action.engine in self.connected:
                    self.held.append(action)
                    continue
                else:
                    kind = EngineUnreachable
                self.not_sent.append((kind, action))
            if self.not_sent and self.has_faults and self.random.random() < 0.3:
                return  # other events may come before the shell hears of it
            failures, self.not_sent = self.not_sent, []
            for kind, action in failures:
                self.fail_to_send(kind, action)

    def fail_to_send(self, kind: type, action: AssignTask) -> None:
        task = self.tasks[action.msg_id]
        if task.attempt is not None and task.attempt.action is action:
            if kind is EngineUnreachable:
                task.attempt.engine.unreached = self.now
            else:
                task.sending_failed = True
            task.attempt = None  # before the event: what it sets free may be used at once
        self.feed(kind(action.engine, action.msg_id, action.attempt))

    def pass_time(self, seconds: float) -> None:
        """Every deadline on the way is taken when it comes."""
        end = self.now + seconds
        while (when := self.core.next_deadline()) is not None and when <= end:
            self.now = max(self.now, when)
            self.feed(TimePassed())
            later = self.core.next_deadline()
            if later is None or later > self.now:  # all that was due is done
                for task in filter(self.is_lost, self.tasks.values()):
                    self.end_lost(task)
        self.now = end

    # -- the model ---------------------------------------------------------------------

    def feed(self, event: Event) -> None:
        was_busy = self.core.busy
        actions = self.core.handle(event, now=self.now)
        in_order = not (was_busy or self.core.busy)
        for action in actions:
            self.judge(action, in_order)
        self.core.validate()
        if not self.core.busy:
            self.judge_waiting()

    def reply(self, action: AssignTask, status: str | None, met: bool) -> None:
        """An engine answers an attempt; whether that counts, the model knows before."""
        self.answered.append(action)
        task = self.tasks[action.msg_id]
        event = TaskReplied(action.engine, action.msg_id, status, met, None, None, action.mark)
        attempt = task.attempt
        if attempt is None or (attempt.action.engine, attempt.action.mark) != (
            action.engine,
            action.mark,
        ):
            before = len(task.answers)
            self.feed(event)
            assert len(task.answers) == before, f"{action}: a stray reply counts"
            return
        self.end_attempt(task, attempt)
        task.relays = "ok" if status == "ok" else "failed"
        if not met:
            task.refused_by.add(attempt.engine)
            expected: list[str] = []
        elif status in ("ok", "aborted") or (status and not task.retries_left):
            expected = [task.relays]
            task.ran_on = action.engine
        elif task.retries_left:
            task.retries_left -= 1
            if attempt.engine.died is None:
                task.failed_on.add(attempt.engine)
            expected = []
        else:
            expected = [Failure.ENGINE_ERROR.name]
            task.ran_on = action.engine
        given_up = {Failure.IMPOSSIBLE_DEPENDENCY.name}  # by the engine that it cannot have now
        self.feed(event)
        assert task.answers == expected or (not expected and given_up.issuperset(task.answers))

    def end_attempt(self, task: Task, attempt: Attempt) -> None:
        task.attempt = None
        task.had_by.add(attempt.engine.ident)
        task.queued = self.now

    def is_lost(self, task: Task) -> bool:
        """Whether its engine is dead and the grace is over."""
        engine = task.attempt.engine if task.attempt is not None else None
        if engine is None or engine.died is None:
            return False
        return self.now >= engine.died + self.settings.engine_grace

    def end_lost(self, task: Task) -> None:
        """Its attempt has ended with its engine; there was a retry left, or it has failed."""
        assert task.attempt is not None
        self.end_attempt(task, task.attempt)
        task.retries_left -= 1
        assert task.retries_left >= 0, f"{task} should have failed with its engine"

    def judge(self, action: Action, in_order: bool) -> None:
        if isinstance(action, AssignTask):
            self.judge_assignment(self.tasks[action.msg_id], action, in_order)
            self.unsent.append(action)
        elif isinstance(action, RelayReply):
            task = self.tasks[action.msg_id]
            assert task.ran_on == action.engine, f"{action}: no answer of that engine counts"
            self.note_answer(task, "")
        elif isinstance(action, FailTask):
            task = self.tasks[action.msg_id]
            self.judge_failure(task, action)
            self.note_answer(task, action.reason.failure.name)
        elif isinstance(action, RefuseTask):
            assert action.msg_id in self.tasks

    def note_answer(self, task: Task, failure: str) -> None:
        """A task is answered; a relayed answer is what `reply` said that it should be."""
        assert not task.answers, f"{task} is answered twice"
        assert task.attempt is None, f"{task} is answered while an engine has it"
        task.answers.append(failure or task.relays)

    def judge_assignment(self, task: Task, action: AssignTask, in_order: bool) -> None:
        if self.is_lost(task):
            self.end_lost(task)
        engine = self.engines.get(action.engine)
        assert engine is not None, f"{action}: the engine is not registered"
        assert not task.answers, f"{action}: it was answered"
        assert task.attempt is None, f"{action}: it is on another engine"
        assert engine not in task.refused_by, f"{action}: the engine has refused it"
        assert self.is_met(task.event.after), f"{action}: it comes too early"
        assert self.may_run_on(task, engine), f"{action}: off its targets, or against its follow"
        attempts = [other.attempt for other in self.tasks.values() if other.attempt is not None]
        load = sum(attempt.engine is engine for attempt in attempts)
        assert not self.settings.hwm or load < self.settings.hwm, f"{action}: over the hwm"
        if engine in task.failed_on:
            self.note_all_failed(task)
            assert task.all_failed, f"{action}: others come first"
        task.attempts += 1
        assert action.attempt == task.attempts
        assert action.mark == (task.attempts if action.engine in task.had_by else 0)
        task.attempt = Attempt(engine, action)
        if in_order:
            for other in self.tasks.values():
                overtaken = other.place < task.place and self.is_fresh(other)
                assert not (overtaken and self.may_run_on(other, engine)), f"{action} overtakes"

    def judge_failure(self, task: Task, action: FailTask) -> None:
        """Whether the reason of a failure is true."""
        reason, event = action.reason, task.event
        if self.is_lost(task) and not isinstance(reason, EngineDied):
            self.end_lost(task)
        dependencies = {"after": event.after, "follow": event.follow}
        if isinstance(reason, TimedOut):
            assert event.timeout
            assert self.now >= task.queued + event.timeout - 1e-6
        elif isinstance(reason, EngineDied):
            assert self.is_lost(task)
            assert task.retries_left == 0
            assert task.attempt is not None
            task.ran_on = task.attempt.engine.ident
            task.attempt = None
        elif isinstance(reason, NoStatus):
            assert task.retries_left == 0
        elif isinstance(reason, InternalError):
            assert task.sending_failed
        elif isinstance(reason, UnreachableDependency):
            dependency = dependencies[reason.field]
            assert dependency.ids
            nowhere = any(self.tasks[msg_id].ran_on is None for msg_id in dependency.ids)
            ends = self.ends()
            impossible = stock(dependency).unreachable(*ends)
            assert impossible or (reason.field == "follow" and nowhere), f"{action}: it may be met"
        elif isinstance(reason, CannotFollow):
            assert event.follow.ids
        elif isinstance(reason, NoTargetLeft):
            assert event.targets
            for name in event.targets:
                assert name in self.departed or self.engines[name] in task.refused_by
        elif isinstance(reason, Stranded):
            assert reason.seconds == self.settings.stranded_timeout
            usable = [engine for engine in self.engines.values() if self.may_run_on(task, engine)]
            assert task.refused_by.issuperset(usable), f"{action}: an engine may run it"
        else:
            names = {*event.after.ids, *event.follow.ids}
            assert names - self.tasks.keys(), f"{action}: all its dependencies are known"

    def judge_waiting(self) -> None:
        """Nothing waits in vain, and no fresh task waits for an engine that has room."""
        succeeded, failed = self.ends()
        when = self.core.next_deadline()
        is_due = when is not None and when <= self.now
        loads: dict[Engine, int] = {}
        for task in self.tasks.values():
            if task.attempt is not None:
                loads[task.attempt.engine] = loads.get(task.attempt.engine, 0) + 1
        roomy = [
            engine
            for engine in self.engines.values()
            if self.now > engine.unreached + LONGEST_PAUSE
            and not 0 < self.settings.hwm <= loads.get(engine, 0)
        ]
        for msg_id, task in self.tasks.items():
            if task.answers or task.attempt is not None:
                continue
            event = task.event
            if event.timeout and not is_due:
                assert self.now <= task.queued + event.timeout + 1e-6, f"{msg_id}: for too long"
            if task.failed_on:
                self.note_all_failed(task)
            for dependency in (event.after, event.follow):
                assert not stock(dependency).unreachable(succeeded, failed), f"{msg_id}: in vain"
            if event.targets is not None:
                assert not event.targets <= self.departed, f"{msg_id}: its targets are gone"
            if event.follow.all:
                places = {self.tasks[other].ran_on for other in event.follow.ids}
                assert not places & self.departed, f"{msg_id}: the engine to follow is gone"
            if self.is_fresh(task):
                usable = [engine for engine in roomy if self.may_run_on(task, engine)]
                assert not usable, f"{msg_id} waits, and {usable[0]} has room"

    def note_all_failed(self, task: Task) -> None:
        usable = {engine for engine in self.engines.values() if self.may_run_on(task, engine)}
        task.all_failed |= usable <= task.failed_on | task.refused_by

    def is_fresh(self, task: Task) -> bool:
        """Whether it may run, and never was on an engine."""
        waits = not task.answers and task.attempt is None and not task.attempts
        return waits and self.is_met(task.event.after)

    def may_run_on(self, task: Task, engine: Engine) -> bool:
        """Whether its `targets` and its `follow` let it run on an engine."""
        event, here = task.event, engine.ident
        if event.targets is not None and here not in event.targets:
            return False
        if not event.follow.ids:
            return True
        succeeded, failed = self.ends(here)
        return stock(event.follow).check(succeeded, failed)

    def is_met(self, dependency: Dependency) -> bool:
        return not dependency.ids or stock(dependency).check(*self.ends())

    def ends(self, ran_on: bytes | None = None) -> tuple[set[str], set[str]]:
        """The tasks that succeeded, and those that failed, everywhere or on one engine."""
        ended = [
            (msg_id, task)
            for msg_id, task in self.tasks.items()
            if task.answers and ran_on in (None, task.ran_on)
        ]
        succeeded = {msg_id for msg_id, task in ended if task.succeeded}
        return succeeded, {msg_id for msg_id, _ in ended} - succeeded

    # -- the end -----------------------------------------------------------------------

    def drain(self) -> None:
        """Everybody is there again and answers: each task is answered, and nothing is left."""
        self.has_faults = False
        for name in [*self.names, LATE, LAST]:
            if name in self.engines:  # it may have lost what it had
                self.unregister(name)
            self.connected.add(name)
            self.register(name)
        for _ in range(100 + 20 * len(self.tasks)):
            self.send()
            if self.held:
                action = self.held.pop(0)
                self.reply(action, "ok", met=True)
            elif (deadline := self.core.next_deadline()) is not None:
                self.pass_time(max(0.0, deadline - self.now))
            else:
                break
        unanswered = [msg_id for msg_id, task in self.tasks.items() if not task.answers]
        assert not unanswered, f"never answered: {unanswered}"
        assert self.core.next_deadline() is None


def stock(dependency: Dependency) -> ipp.Dependency:
    """The same dependency, as ipyparallel has it."""
    return ipp.Dependency(
        list(dependency.ids), dependency.all, dependency.success, dependency.failure
    )


def play(random: Random, steps: int) -> Any:
    """A whole random life of a core."""
    world = World(random)
    for _ in range(steps):
        world.step()
    world.drain()
    return world
