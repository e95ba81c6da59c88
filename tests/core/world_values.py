"""The values of tasks that others have as arguments, in the model of `world.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipp_richsched.core import values
from ipp_richsched.core.actions import AnswerValue, AskForValue, DropValue, KeepValue
from ipp_richsched.core.events import ValueSent
from ipp_richsched.core.reasons import ValueNotSent

if TYPE_CHECKING:
    from .world import Task, World

SENT = "sent by a client"
"""What stands for a client's message."""

ERROR = 1e-3
"""Seconds by which it is not known when a client's time is over: it depends on the size."""


class Values:
    """What is held, what clients were asked for, and what they said.

    Parameters
    ----------
    world : World
        Around whose core all of it happens.

    Attributes
    ----------
    held : dict of str to int
        The sizes of values that are held.
    questions : dict of str to tuple
        The clients that were asked for values and have not answered, and when that was.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.held: dict[str, int] = {}
        self.questions: dict[str, tuple[bytes, float]] = {}
        self.was_silent: set[bytes] = set()
        self.problems: set[tuple[str, bytes]] = set()
        self.size = 0  # of what came last
        self.taken = False  # whether that was asked for

    # -- what may happen ---------------------------------------------------------------

    def arguments(self) -> tuple[str, ...]:
        """Those of a new task."""
        random, known = self.world.random, list(self.world.tasks)
        if not known or random.random() < 0.6:
            return ()
        if random.random() < 0.02:
            known.append("unknown")
        known = known[-random.choice([3, 10, 1000]) :]
        return tuple(random.sample(known, min(len(known), random.randint(1, 3))))

    def size_of_reply(self, msg_id: str) -> int | None:
        """How large the value in a reply is, as far as the shell tells."""
        if msg_id not in self.world.core.needed:
            return None
        self.size = self.world.random.choice([0, 1, 4, 8, 20])
        return self.size if self.world.random.random() < 0.9 else None

    def answer(self) -> None:
        """A client answers, or one that was not asked; or nobody does, for long."""
        world, random = self.world, self.world.random
        msg_id = random.choice(sorted(self.questions))
        client, _ = self.questions[msg_id]
        if world.has_faults:
            if random.random() < 0.1:
                client = b"foreign"
            if random.random() < 0.1:
                world.pass_time(1.0)
        problem = "lost" if world.has_faults and random.random() < 0.1 else ""
        self.send(msg_id, client, problem)
        if world.has_faults and random.random() < 0.1:
            self.send(msg_id, client, problem)

    def send(self, msg_id: str, client: bytes, problem: str) -> None:
        asked, since = self.questions.get(msg_id, (b"", 0.0))
        if since + values.PATIENCE <= self.world.now <= since + values.PATIENCE + ERROR:
            return
        self.taken = asked == client and self.world.now < since + values.PATIENCE
        if self.taken:
            del self.questions[msg_id]
            if problem:
                self.problems.add((msg_id, client))
        self.size = 0 if problem else self.world.random.choice([1, 4, 8, 20])
        self.world.feed(ValueSent(msg_id, client, self.size, problem, SENT))

    # -- the model ---------------------------------------------------------------------

    def judge(self, action: Any) -> None:
        world, msg_id = self.world, action.msg_id
        if isinstance(action, KeepValue):
            assert world.succeeded(msg_id), f"{action}: it has no value"
            assert self.users(msg_id), f"{action}: nobody needs it"
            assert msg_id not in self.held, f"{action}: it is held"
            self.held[msg_id] = self.size
            if action.message != SENT:
                limit = world.settings.values_size_limit
                assert sum(self.held.values()) <= limit, f"{action}: too much is held"
        elif isinstance(action, DropValue):
            del self.held[msg_id]
            assert not self.users(msg_id), f"{action}: somebody needs it"
        elif isinstance(action, AskForValue):
            self.forget()
            task = world.tasks[action.message]
            assert msg_id in task.event.rich.arguments
            assert not task.answers, f"{action}: nobody needs it"
            assert world.succeeded(msg_id), f"{action}: it has no value"
            assert msg_id not in self.held, f"{action}: it is held"
            since = self.questions.get(msg_id, (b"", -values.PATIENCE))[1]
            assert since + values.PATIENCE <= world.now, f"{action}: a client was asked"
            assert world.is_met(task.event.after), f"{action}: it is too early"
            assert all(map(world.succeeded, task.event.rich.arguments)), f"{action}: too early"
            self.questions[msg_id] = task.event.client, world.now
        else:
            assert isinstance(action, AnswerValue)
            assert action.taken == self.taken, f"{action}: it was {self.taken}"

    def users(self, msg_id: str) -> list[Task]:
        """The unfinished tasks that need a value."""
        return [
            task
            for task in self.world.tasks.values()
            if not task.answers and msg_id in task.event.rich.arguments
        ]

    def are_held(self, task: Task) -> bool:
        """Whether all values are there that a task needs."""
        return self.held.keys() >= set(task.event.rich.arguments)

    def judge_held(self) -> None:
        """Values are held only for who needs them."""
        for msg_id in self.held:
            assert self.users(msg_id), f"the value of {msg_id} is held for nobody"
        self.forget()

    def forget(self) -> None:
        """Forget questions that do not count any more."""
        for msg_id, (client, since) in list(self.questions.items()):
            if since + values.PATIENCE <= self.world.now:
                self.was_silent.add(client)
                over = since + values.PATIENCE + ERROR <= self.world.now
            else:
                over = False
            if over or not self.users(msg_id):
                del self.questions[msg_id]

    def judge_waiting(self, task: Task) -> None:
        """A task that waits for nothing but values waits for a client, or for its turn to ask."""
        world, arguments = self.world, task.event.rich.arguments
        if self.are_held(task) or not all(map(world.succeeded, arguments)):
            return
        if world.is_met(task.event.after) and not task.event.follow.ids:
            # or others, for which more is held than may be, come first
            assert self.questions or self.held, f"{task} waits, and no client is asked"

    def judge_failure(self, task: Task, reason: ValueNotSent) -> None:
        """Whether it is true that a client did not send a value."""
        self.forget()
        assert reason.msg_id in task.event.rich.arguments
        assert reason.msg_id not in self.held
        assert reason.client == task.event.client
        if reason.seconds is None:
            assert (reason.msg_id, reason.client) in self.problems
        else:
            assert reason.client in self.was_silent
