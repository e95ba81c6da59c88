"""Clients, engines and a hub at random around a core, and a model of the rules that judges it.

The model knows what was submitted, what was sent to engines and what they answered.  From that,
and from the rules of ipyparallel, it knows what each action may be.  It never looks into the
core: it uses what the shell uses (`handle`, `next_deadline`, `busy`, `stands`), and has the core
`validate` itself.

As in the shell, sends come later than decisions, and may find nobody.  Connections lose what is
sent, and engines lose answers, without a word.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import ipyparallel as ipp

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
from ipp_richsched.core.attempt_reasons import (
    AnswerLost,
    ConnectionLost,
    EngineDied,
    EnginesCrashed,
    NoStatus,
    RunTimedOut,
)
from ipp_richsched.core.attempts import SHORTEST_PAUSE
from ipp_richsched.core.dependency import NOTHING, Dependency
from ipp_richsched.core.engines.schemes import BUILT_IN
from ipp_richsched.core.events import (
    AskingFailed,
    CancelRequested,
    ConnectionsChanged,
    EngineAnswered,
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    InterruptDone,
    SendingFailed,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.failures import Failure
from ipp_richsched.core.flags import PLAIN, RichFlags
from ipp_richsched.core.lifecycle import INTERRUPT_PATIENCE
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.notices import TaskRetried
from ipp_richsched.core.placement.stranded import RETRY_PAUSE
from ipp_richsched.core.reach import LONGEST_PAUSE
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
from ipp_richsched.core.settings import Settings

from .world_values import Values

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
    reached : float
        When it last answered; or when it was registered.
    blamed : bool
        Whether it is dead, and the task that it was running is known.
    """

    ident: bytes
    reached: float
    died: float | None = None
    unreached: float = -100.0
    blamed: bool = False


@dataclass(eq=False)
class Attempt:
    """What the scheduler was told to be on an engine, until the engine is done with it.

    Attributes
    ----------
    engine : Engine
        Where it is.
    action : AssignTask
        What the scheduler has decided.
    lost : bool
        Whether the message, or the answer, went lost.
    began, surely_began : float
        When it may have become the oldest on its engine, and when it was for sure.
    """

    engine: Engine
    action: AssignTask
    lost: bool = False
    began: float = math.inf
    surely_began: float = math.inf


@dataclass(eq=False)
class Task:
    """A task, as its client and the engines know it.

    Attributes
    ----------
    place : int
        Its place in the order of submission.
    submitted : float
        When that was.
    event : TaskSubmitted
        What its client asked for.
    queued : float
        When it was last queued: when it was submitted, or its last attempt ended.
    failed : float
        When an attempt last failed.
    retries_left : int
        How many more failed attempts may be followed by another.
    attempts : int
        How often it was assigned.
    attempt : Attempt or None
        The one whose answer counts.
    refused_by : set of Engine
        Those that refused it, since all were last asked again.
    all_refused : bool
        Whether these were once all that might run it: from then on they may be asked again.
    failed_on : set of Engine
        Those that failed it.
    all_failed : bool
        Whether these were once all that might run it: from then on it may go to any.
    busy : dict of Engine to float
        Those that were busy with something else, and until when they are left alone.
    behind : tuple of float and int, or None
        Once an engine has died of it: when that was, and the lowest priority then.
    crashes : int
        How many engines died while they ran it.
    free : int
        How often it was tried again for nothing, since an engine had died.
    runs : int
        How often an engine ran it.
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
    submitted: float
    event: TaskSubmitted
    queued: float
    retries_left: int
    failed: float = 0.0
    attempts: int = 0
    attempt: Attempt | None = None
    refused_by: set[Engine] = field(default_factory=set)
    all_refused: bool = False
    failed_on: set[Engine] = field(default_factory=set)
    all_failed: bool = False
    busy: dict[Engine, float] = field(default_factory=dict)
    behind: tuple[float, int] | None = None
    crashes: int = 0
    free: int = 0
    runs: int = 0
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
            random.choice([0.2, 2.0, 2.0, None]),
            random.choice([0.0, 1.0, 30.0, None]),
            random.choice([1, 2, 3, None]),
            random.choice([None, None, 2.0]),
            random.choice(["fifo", "fifo", "critical-path"]),
            random.choice([False, False, True]),
            random.choice([False, True]),
            random.choice([2**30, 2**30, 10, 0]),
            random.randrange(100),
        )
        self.is_rich = random.random() < 0.6
        self.lowest = 0  # of the priorities so far
        self.core = SchedulerCore(self.settings)
        self.now = 0.0
        self.has_faults = True  # until the end: the scheduler's own, and late news
        self.names = [b"e%d" % number for number in range(random.choice([1, 2, 3, 4]))]
        self.tasks: dict[str, Task] = {}
        self.engines: dict[bytes, Engine] = {}  # that the hub knows
        self.departed: set[bytes] = set()  # that it knew, and knows no more
        self.connected: set[bytes] = set()
        self.since: dict[Attempt, int] = {}  # the order of all attempts
        self.places = 0  # in the order of submission, or behind it
        self.unsent: list[AssignTask | AskEngine] = []
        self.not_sent: list[Event] = []  # what could not be, and is to be said
        self.held: dict[bytes, deque[AssignTask | AskEngine]] = {}  # what engines have to answer
        self.asked = 0
        # what clients want back, and which of that was on no engine then
        self.requests: dict[int, tuple[tuple[str, ...], set[str]]] = {}
        self.interrupts: list[InterruptEngine] = []  # that were not carried out
        self.interrupt_times: dict[InterruptEngine, float] = {}
        self.interrupted: dict[Engine, float] = {}  # and since when
        self.answered: list[AssignTask] = []  # what they might answer once more
        self.values = Values(self)

    # -- what may happen ---------------------------------------------------------------

    def step(self) -> None:
        """One thing happens."""
        draw = self.random.random()
        if draw < 0.3:
            self.submit()
        elif draw < 0.36:
            self.change_connection()
        elif draw < 0.43:
            self.change_registration()
        elif draw < 0.45:
            self.cancel() if self.is_rich else self.change_registration()
        elif draw < 0.7 and any(self.held.values()):
            self.answer()
        elif draw < 0.74 and self.answered:
            self.answer_again()
        elif draw < 0.76 and self.interrupts:
            self.answer_interrupt()
        elif draw < 0.8 and self.values.questions:
            self.values.answer()
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
            msg_id,
            targets,
            self.dependency(),
            self.dependency(),
            random.choice([None, None, 0.1, 1.0, 20.0]),
            random.choice([0, 0, 1, 3]),
            self.rich_flags() if self.is_rich else PLAIN,
            random.choice([b"client", b"client", b"another", b"third"]),
        )
        self.places += 1
        self.lowest = min(self.lowest, event.rich.priority)
        self.tasks[msg_id] = Task(self.places, self.now, event, self.now, event.retries)
        self.feed(event)
        if random.random() < 0.05:
            self.feed(event)  # and once more, which must change nothing

    def rich_flags(self) -> RichFlags:
        choice = self.random.choice
        return RichFlags(
            choice([0, 0, 0, 1, 5, -1]),
            choice([None, None, 0, 1, 2]),
            choice([None, None, None, 0.5, 5.0]),
            arguments=self.values.arguments(),
        )

    def dependency(self) -> Dependency:
        random, known = self.random, list(self.tasks)
        if not known or random.random() < 0.6:
            return NOTHING
        if random.random() < 0.02:
            known.append("unknown")
        ids = random.sample(known, min(len(known), random.randint(1, 3)))
        failure = random.random() < 0.4
        return Dependency(ids, random.random() < 0.5, not failure or random.random() < 0.5, failure)

    def cancel(self) -> None:
        """A client wants some tasks back."""
        random = self.random
        known = [*self.tasks, "unknown"]
        ids = tuple(random.sample(known, min(len(known), random.randint(1, 8))))
        waiting = {
            msg_id
            for msg_id in self.tasks.keys() & ids
            if self.tasks[msg_id].attempt is None and not self.tasks[msg_id].answers
        }
        number = self.asked = self.asked + 1
        self.requests[number] = ids, waiting
        self.feed(CancelRequested(ids, b"client", random.random() < 0.5, number))

    def answer_interrupt(self) -> None:
        """An engine was interrupted."""
        action = self.interrupts.pop(0)
        self.interrupted = {
            engine: since
            for engine, since in self.interrupted.items()
            if (engine.ident, since) != (action.engine, self.interrupt_times[action])
        }
        self.feed(InterruptDone(action.engine, action.interrupt))

    def change_connection(self) -> None:
        """A connection comes, or goes with all that was under way on it."""
        name = self.random.choice(self.names)
        for action in self.held.pop(name, ()):
            self.lose(action)
        self.answered = [action for action in self.answered if action.engine != name]
        self.connected ^= {name}
        if self.random.random() < 0.5:  # or nobody notices
            self.feed(ConnectionsChanged())

    def lose(self, action: AssignTask | AskEngine) -> None:
        """What was sent to an engine is gone, or its answer."""
        if isinstance(action, AssignTask):
            attempt = self.tasks[action.msg_id].attempt
            if attempt is not None and attempt.action is action:
                attempt.lost = True

    def change_registration(self) -> None:
        """The hub says that an engine is there, or gone."""
        name = self.random.choice(self.names)
        if name in self.engines:
            self.unregister(name)
        else:
            self.register(name)

    def register(self, name: bytes) -> None:
        self.engines[name] = Engine(name, self.now)
        self.departed.discard(name)
        self.feed(EngineRegistered(name))

    def unregister(self, name: bytes) -> None:
        self.engines.pop(name).died = self.now
        self.departed.add(name)
        self.feed(EngineUnregistered(name))

    def answer(self) -> None:
        """An engine answers what it got first of what it has; or the answer is lost."""
        name = self.random.choice([name for name, actions in self.held.items() if actions])
        action = self.held[name].popleft()
        if isinstance(action, AskEngine):
            if self.random.random() < 0.9:
                self.feed_answer(action)
            return
        status = self.random.choice(["ok", "ok", "ok", "error", "error", "aborted", None])
        met = self.random.random() < 0.9
        busy = None
        if self.is_rich and status == "error":
            busy = self.random.choice([None, 0.1, 3.0])
        self.tasks[action.msg_id].runs += met and status != "aborted" and busy is None
        if self.random.random() < 0.9:
            self.reply(action, status, met, busy)
        else:
            self.lose(action)

    def feed_answer(self, action: AskEngine) -> None:
        """An engine answers a question."""
        if action.engine in self.engines:
            self.engines[action.engine].reached = self.now
        self.feed(EngineAnswered(action.engine, action.question))

    def answer_again(self) -> None:
        """An answer comes a second time; it must count for no other attempt."""
        action = self.answered.pop(self.random.randrange(len(self.answered)))
        self.reply(action, self.random.choice(["ok", "error"]), met=True)

    def send(self) -> None:
        """Carry out what was decided, and what that leads to."""
        while self.unsent or self.not_sent:
            actions, self.unsent = self.unsent, []
            for action in actions:
                failure = self.failure_to_send(action)
                if failure is not None:
                    self.not_sent.append(failure)
                elif self.has_faults and self.random.random() < 0.05:
                    self.lose(action)
                else:
                    self.held.setdefault(action.engine, deque()).append(action)
                if failure is None and action.engine in self.engines:
                    self.engines[action.engine].reached = self.now
            if self.not_sent and self.has_faults and self.random.random() < 0.3:
                return  # other events may come before the shell hears of it
            failures, self.not_sent = self.not_sent, []
            for failure in failures:
                self.fail_to_send(failure)

    def failure_to_send(self, action: AssignTask | AskEngine) -> Event | None:
        """What the shell says of something that it cannot send."""
        reached = action.engine in self.connected
        if isinstance(action, AskEngine):
            return None if reached else AskingFailed(action.engine, action.question)
        stands = self.core.stands(action)
        attempt = self.tasks[action.msg_id].attempt
        counts = attempt is not None and attempt.action is action
        counts &= not self.tasks[action.msg_id].answers
        assert stands == counts, f"{action}"
        of = action.engine, action.msg_id, action.attempt
        if not stands or (self.has_faults and self.random.random() < 0.005):
            return SendingFailed(*of)
        return None if reached else EngineUnreachable(*of)

    def fail_to_send(self, failure: Any) -> None:
        """The scheduler hears that something could not be sent."""
        engine = self.engines.get(failure.engine)
        if isinstance(failure, AskingFailed):
            if engine is not None:
                engine.unreached = self.now
            self.feed(failure)
            return
        task = self.tasks[failure.msg_id]
        if task.attempt is not None and task.attempt.action.attempt == failure.attempt:
            if isinstance(failure, EngineUnreachable):
                task.attempt.engine.unreached = self.now
            else:
                task.sending_failed = True
            task.attempt = None  # before the event: what it sets free may be used at once
        self.feed(failure)

    def pass_time(self, seconds: float) -> None:
        """Every deadline on the way is taken when it comes."""
        end = self.now + seconds
        while (when := self.core.next_deadline()) is not None and when <= end:
            self.now = max(self.now, when)
            self.feed(TimePassed())
            later = self.core.next_deadline()
            if later is None or later > self.now:  # all that was due is done
                waits = [task for task in self.tasks.values() if self.is_lost(task)]
                assert not waits, f"{waits} should have ended with their engines"
        self.now = end

    # -- the model ---------------------------------------------------------------------

    def feed(self, event: Event) -> None:
        was_busy = self.core.busy
        actions = self.core.handle(event, now=self.now)
        in_order = not (was_busy or self.core.busy)
        for action in actions:
            self.judge(action, in_order)
        self.note_beginnings()
        self.values.judge_held()
        self.core.validate()
        if not self.core.busy:
            self.judge_waiting()

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

    def reply(
        self, action: AssignTask, status: str | None, met: bool, busy: float | None = None
    ) -> None:
        """An engine answers an attempt; whether that counts, the model knows before."""
        self.answered.append(action)
        task = self.tasks[action.msg_id]
        if action.engine in self.engines and task.attempt is not None:
            self.engines[action.engine].reached = self.now
        of = action.engine, action.msg_id
        size = self.values.size_of_reply(action.msg_id)
        event = TaskReplied(*of, status, met, None, None, action.mark, None, busy, size)
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
        if task.answers:  # it had run for too long
            before = len(task.answers)
            self.feed(event)
            assert len(task.answers) == before, f"{action}: a late reply counts"
            return
        task.relays = "ok" if status == "ok" else "failed"
        if not met:
            task.refused_by.add(attempt.engine)
            expected: list[str] = []
        elif busy is not None:
            task.busy[attempt.engine] = self.now + max(busy, SHORTEST_PAUSE)
            expected = []
        elif status in ("ok", "aborted") or (status and not task.retries_left):
            expected = [task.relays]
            task.ran_on = action.engine
        elif task.retries_left:
            task.retries_left -= 1
            task.failed = self.now
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

    def is_out_of_reach(self, engine: Engine) -> bool:
        """Whether nothing can have reached an engine for as long as tasks wait for that."""
        longest = self.settings.stranded_timeout
        return longest is not None and self.now - engine.reached >= longest

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

    def is_lost(self, task: Task) -> bool:
        """Whether its engine is dead and the grace is over."""
        engine = task.attempt.engine if task.attempt is not None else None
        if engine is None or engine.died is None or task.answers:
            return False
        return self.now >= engine.died + self.settings.engine_grace

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
        for msg_id in interrupted:
            self.tasks[msg_id].retries_left = 0

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

    def judge_assignment(self, task: Task, action: AssignTask, in_order: bool) -> None:
        engine = self.engines.get(action.engine)
        assert engine is not None, f"{action}: the engine is not registered"
        assert not task.answers, f"{action}: it was answered"
        assert task.attempt is None, f"{action}: it is on another engine"
        assert not any(action.msg_id in waiting for _, waiting in self.requests.values()), (
            f"{action}: a client wanted it back"
        )
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

    def key(self, task: Task, priority: int) -> tuple[float, int]:
        """What decides which of two tasks comes first: the lower one, given their priorities."""
        since = task.submitted
        if task.behind is not None:
            since, priority = task.behind
        aging = self.settings.aging
        return (-priority if aging is None else since / aging - priority), task.place

    def level(self, key: tuple[float, int], error: float) -> tuple[float, int]:
        """Within what clients take turns: a priority, or a whole step of aging."""
        return key[0] if self.settings.aging is None else math.floor(key[0] + error), 0

    def lent(self, task: Task) -> int:
        """The priority that a task must have at least: that of those that wait for it."""
        return max((other.event.rich.priority for other in self.heirs(task, True)), default=0)

    def highest(self, task: Task) -> int:
        """The priority that a task may have at most: of all that ever depended on it."""
        return max((other.event.rich.priority for other in self.heirs(task, False)), default=0)

    def heirs(self, task: Task, waiting: bool) -> list[Task]:
        """A task, and those that depend on it, directly or through others."""
        found = {task.event.msg_id: task}
        for msg_id, other in self.tasks.items():  # each after what it depends on
            event = other.event
            ids = {*event.after.ids, *event.follow.ids, *event.rich.arguments}
            if not ids.isdisjoint(found) and not (waiting and not self.is_waiting(other)):
                found[msg_id] = other
        return list(found.values())

    def is_waiting(self, task: Task) -> bool:
        """Whether it surely waits for a dependency."""
        if task.answers or task.attempts:
            return False
        return not all(map(self.is_met, dependencies_of(task.event).values()))

    def may_be_over(self, attempt: Attempt) -> bool:
        """Whether it may have been found out that an attempt is lost, though nobody was told."""
        has_it = attempt.action in self.held.get(attempt.engine.ident, ())
        return attempt.lost or attempt.engine.unreached > 0.0 or not has_it

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
            assert event.rich.max_crashes is None
            assert task.retries_left == 0
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
            assert task.retries_left == 0
            self.end_with_engine(task)
        elif isinstance(reason, Cancelled):
            assert any(action.msg_id in ids for ids, _ in self.requests.values())
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

    def end_with_engine(self, task: Task) -> None:
        """A task has failed on the engine that had it."""
        assert task.attempt is not None
        task.ran_on = task.attempt.engine.ident
        task.attempt = None

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

    def has_waited_enough(self, task: Task) -> bool:
        """Whether a failed task that may run need not wait for a fresh engine any more."""
        longest = self.settings.retry_elsewhere
        if longest is None or task.event.follow.ids or not self.is_met(task.event.after):
            return False
        if not self.values.are_held(task):
            return False
        return self.now > task.queued + max(longest, RETRY_PAUSE) + 1e-6

    def note_all_tried(self, task: Task) -> None:
        """Whether all engines that may run a task have failed or refused it."""
        if task.failed_on or task.refused_by:
            usable = {engine for engine in self.engines.values() if self.may_run_on(task, engine)}
            busy = {engine for engine, end in task.busy.items() if end >= self.now - 1e-6}
            task.all_failed |= usable <= task.failed_on | task.refused_by | busy
            near = {engine for engine in usable if not self.is_out_of_reach(engine)}
            task.all_refused |= near <= task.refused_by

    def is_fresh(self, task: Task) -> bool:
        """Whether it may run, and never was on an engine."""
        waits = not task.answers and task.attempt is None and not task.attempts
        return waits and self.is_met(task.event.after) and self.values.are_held(task)

    def may_run_on(self, task: Task, engine: Engine) -> bool:
        """Whether its `targets` and its `follow` let it run on an engine."""
        event, here = task.event, engine.ident
        if event.targets is not None and here not in event.targets:
            return False
        if not event.follow.ids:
            return True
        succeeded, failed = self.ends(here)
        return stock(event.follow).check(succeeded, failed)

    def succeeded(self, msg_id: str) -> bool:
        return msg_id in self.tasks and self.tasks[msg_id].succeeded

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
        is_asked = self.settings.probe_after is not None and self.random.random() < 0.7
        for name in [*self.names, LATE, LAST]:
            self.connected.add(name)
            if name in self.engines and not is_asked:  # it may have lost what it had
                self.unregister(name)
            if name not in self.engines:
                self.register(name)
        for _ in range(100 + 50 * len(self.tasks)):
            self.send()
            busy = [actions for actions in self.held.values() if actions]
            if busy:
                action = busy[0].popleft()
                if isinstance(action, AskEngine):
                    self.feed_answer(action)
                else:
                    self.tasks[action.msg_id].runs += 1
                    self.reply(action, "ok", met=True)
            elif self.values.questions:
                self.values.answer()
            elif (deadline := self.core.next_deadline()) is not None:
                self.pass_time(max(0.0, deadline - self.now))
            else:
                break
        unanswered = [msg_id for msg_id, task in self.tasks.items() if not task.answers]
        assert not unanswered, f"never answered: {unanswered}"
        for msg_id, task in self.tasks.items():
            runs = 1 + task.event.retries + task.free
            assert task.runs <= runs, f"{msg_id} ran {task.runs} times"
        assert self.core.next_deadline() is None
        assert not self.values.held


def dependencies_of(event: TaskSubmitted) -> dict[str, Dependency]:
    """What a task waits for, by the names of the fields."""
    arguments = Dependency(event.rich.arguments)
    return {"after": event.after, "follow": event.follow, "arguments": arguments}


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
