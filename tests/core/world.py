"""Clients, engines and a hub at random around a core, and a model of the rules that judges it.

The model knows what was submitted, what was sent to engines and what they answered.  From that,
and from the rules of ipyparallel, it knows what each action may be.  It never looks into the
core: it uses what the shell uses (`handle`, `next_deadline`, `busy`, `stands`), and has the core
`validate` itself.

As in the shell, sends come later than decisions, and may find nobody.  Connections lose what is
sent, and engines lose answers, without a word.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

from ipp_richsched.core.actions import AskEngine, AssignTask
from ipp_richsched.core.attempts import SHORTEST_PAUSE
from ipp_richsched.core.dependency import NOTHING, Dependency
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
from ipp_richsched.core.failures import Failure, TaskError
from ipp_richsched.core.flags import PLAIN, RichFlags

from .world_judge import Judge
from .world_records import LAST, LATE, Engine, Task
from .world_status import judge_happenings, judge_status, judge_tales


class World(Judge):
    """A core, everybody around it, and the model.

    Parameters
    ----------
    random : Random
        What decides everything; Hypothesis has one that it can shrink.
    scheme : str
        The scheme, if that is not left to chance.
    """

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
        if name in self.connected:
            self.disconnect(name)
        else:
            self.connected.add(name)
        if self.random.random() < 0.5:  # or nobody notices
            self.feed(ConnectionsChanged())

    def disconnect(self, name: bytes) -> None:
        """An engine loses its connection, and all that is under way."""
        self.connected.remove(name)
        for action in self.held.pop(name, ()):
            self.lose(action)
        self.answered = [action for action in self.answered if action.engine != name]

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
            self.engines[action.engine].answers(self.now)
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
                engine.is_missed(self.now)
            self.feed(failure)
            return
        task = self.tasks[failure.msg_id]
        if task.attempt is not None and task.attempt.action.attempt == failure.attempt:
            if isinstance(failure, EngineUnreachable):
                task.attempt.engine.is_missed(self.now)
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
        if self.random.random() < 0.2:
            judge_status(self)
            known = [*self.tasks, "unknown"]
            judge_tales(self, self.random.sample(known, min(len(known), 5)))
            judge_happenings(self)

    def reply(
        self, action: AssignTask, status: str | None, met: bool, busy: float | None = None
    ) -> None:
        """An engine answers an attempt; whether that counts, the model knows before."""
        self.answered.append(action)
        task = self.tasks[action.msg_id]
        if action.engine in self.engines and task.attempt is not None:
            self.engines[action.engine].answers(self.now)
        of = action.engine, action.msg_id
        size = self.values.size_of_reply(action.msg_id)
        error = None if met else TaskError("UnmetDependency", "numpy")
        event = TaskReplied(*of, status, met, None, None, action.mark, error, busy, size)
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
            if self.may_be_unwanted(task):
                task.ran_on = action.engine
        else:
            expected = [Failure.ENGINE_ERROR.name]
            task.ran_on = action.engine
        allowed = [expected]
        if not expected:  # by the engine that it cannot have now
            allowed.append([Failure.IMPOSSIBLE_DEPENDENCY.name])
            if action.msg_id in self.unwanted:
                allowed = [[Failure.CANCELLED.name]]
            elif self.may_be_unwanted(task):
                allowed += [["failed"], [Failure.CANCELLED.name], [Failure.ENGINE_ERROR.name]]
        self.feed(event)
        assert task.answers in allowed

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


def play(random: Random, steps: int, kind: type[World] = World) -> Any:
    """A whole random life of a core."""
    world = kind(random)
    for _ in range(steps):
        world.step()
    world.drain()
    return world
