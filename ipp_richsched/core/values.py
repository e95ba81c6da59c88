"""Values of tasks that are arguments of others: where they are, and who needs them.

A value that is still to come is held when the engine's reply is relayed, as long as an unfinished
task needs it.  If there is no room for it, or the reply was relayed before anybody needed it, a
client is asked to send it, when its task is otherwise ready.  The shell holds the values; here is
decided which.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Container, Iterator

from .actions import AnswerValue, AskForValue, DropValue, FailTask, KeepValue, RelayReply, Warn
from .deadlines import Deadlines, Entry, Kind
from .events import ValueSent
from .graph import News
from .history import History, Outcome
from .notices import NoRoomForValue
from .reasons import ValueNotSent
from .step import Step
from .task import WAITING, Needs, Task

PATIENCE = 60.0
"""Seconds that a client may take to send a value."""

BYTES_A_SECOND = 1e6
"""What a slow line takes: a value that is known to be large may take longer."""

_SENT = Outcome(True, frozenset())


class Place(enum.Enum):
    """Where a value is."""

    COMING = "its task has not finished"
    HELD = "the scheduler has it"
    ABSENT = "a client has it"
    ASKED = "a client was asked to send it"


# Up to Python 3.11, `Place.HELD` would cost as much as a function call.
COMING, HELD, ABSENT, ASKED = Place


class Value:
    """A value that unfinished tasks have as an argument.

    Attributes
    ----------
    msg_id : str
        The task whose value it is.
    place : Place
        Where it is.
    size : int
        How many bytes it has; 0 if that is not known.
    users : dict of Task to None
        Those that need it.
    asked_of : bytes
        The client that was asked last.
    timer : Entry or None
        Until when that should send it.
    problems : dict of bytes to str
        Why clients could not send it.
    """

    __slots__ = ("asked_of", "msg_id", "place", "problems", "size", "timer", "users")

    def __init__(self, msg_id: str, place: Place) -> None:
        self.msg_id = msg_id
        self.place = place
        self.size = 0
        self.users: dict[Task, None] = {}
        self.asked_of = b""
        self.timer: Entry | None = None
        self.problems: dict[bytes, str] = {}

    @property
    def patience(self) -> float:
        """Seconds that a client may take to send it."""
        return PATIENCE + self.size / BYTES_A_SECOND


def count_argument(task: Task, outcome: Outcome) -> bool:
    """A task has finished whose value `task` needs; whether that decides anything."""
    assert task.needs is not None
    task.needs.unfinished -= 1
    if not outcome.succeeded:
        task.needs.failed = True
    return task.needs.failed or not task.needs.unfinished


def count_sent(task: Task, outcome: Outcome) -> bool:
    """A client has sent a value that `task` needs; whether it was the last that was missing."""
    assert task.needs is not None
    task.needs.missing -= 1
    return not task.needs.missing


class Values:
    """The values that unfinished tasks need.

    Each operation costs O(1) for each value of the task that it is about, or for each task that
    needs the value that it is about.

    Parameters
    ----------
    limit : int
        How many bytes may be held.
    deadlines : Deadlines
        What is due.
    news : deque of News
        Where it is said that tasks have finished whose values others need.
    reviews : deque of Task
        Where tasks go that have to be looked at again.

    Attributes
    ----------
    uses : dict of str to Value
        The values, by the tasks whose they are.
    held, asked : int
        The bytes that are held, and those that were asked for.
    overdrawn : Task or None
        The task for which more was asked for than may be held.  There is one such task at a time:
        so each comes to its turn.
    line : deque of Task
        Tasks that miss nothing but values, for which no client was asked yet.  Some may have
        finished in the meantime.
    """

    def __init__(
        self, limit: int, deadlines: Deadlines, news: deque[News], reviews: deque[Task]
    ) -> None:
        self._limit = limit
        self._deadlines = deadlines
        self._news = news
        self._reviews = reviews
        self.uses: dict[str, Value] = {}
        self.held = self.asked = 0
        self.overdrawn: Task | None = None
        self.line: deque[Task] = deque()
        # clients that did not send what they were asked for, and have submitted nothing since
        self._silent: set[bytes] = set()

    def enter(
        self, task: Task, unfinished: Container[str], history: History
    ) -> tuple[str, str] | None:
        """Take in a new task with arguments; see `DependencyGraph.enter`."""
        needs = task.needs = Needs()
        self._silent.discard(task.client)
        for msg_id in task.rich.arguments:
            if msg_id == task.msg_id:
                return "arguments", msg_id
            value = self.uses.get(msg_id)
            if value is None:
                place = COMING
                if msg_id not in unfinished:
                    outcome = history.get(msg_id)
                    if outcome is None:
                        return "arguments", msg_id
                    if not outcome.succeeded:
                        needs.failed = True
                        continue
                    place = ABSENT
                value = self.uses[msg_id] = Value(msg_id, place)
            value.users[task] = None
            needs.unfinished += value.place is COMING
        return None

    def finished(
        self,
        step: Step,
        task: Task,
        outcome: Outcome,
        answer: RelayReply | FailTask,
        size: int | None,
    ) -> None:
        """A task has finished: others may need its value, and it needs none any more."""
        value = self.uses.get(task.msg_id)
        if value is not None:
            self._news.append(([*reversed(value.users)], outcome, count_argument))
            if not outcome.succeeded:
                del self.uses[task.msg_id]
            elif size is not None and self.held + self.asked + size <= self._limit:
                assert isinstance(answer, RelayReply)
                self._hold(step, value, size, answer.reply)
            else:
                value.place = ABSENT
                value.size = size or 0
                if size is not None:
                    step.actions.append(Warn(NoRoomForValue(task.msg_id, size, self.held)))
        if task.needs is not None:
            self._release(step, task)

    def ask(self, step: Step, task: Task) -> bool:
        """Whether all values are held of a waiting task that misses nothing else.

        If only such are missing that clients have, these are asked for.
        """
        needs = task.needs
        assert needs is not None
        if not needs.asks:
            if needs.failed or needs.unfinished:
                return False
            needs.missing = sum(value.place is not HELD for value in self._of(task))
            if needs.missing:
                needs.asks = True
                self.line.append(task)
                self._go_on(step)
        return not needs.missing

    def sent(self, step: Step, event: ValueSent) -> None:
        """A client sent a value, or said that it cannot."""
        value = self.uses.get(event.msg_id)
        taken = value is not None and value.place is ASKED and value.asked_of == event.client
        step.actions.append(AnswerValue(event.msg_id, event.message, taken))
        if value is None or not taken:
            return
        assert value.timer is not None
        self._deadlines.cancel(value.timer)
        if event.problem:
            value.problems[event.client] = event.problem
            self._not_sent(step, value)
            return
        self.asked -= value.size
        self._hold(step, value, event.size, event.message)
        users = [user for user in reversed(value.users) if self._misses_values(user)]
        self._news.append((users, _SENT, count_sent))
        self._go_on(step)

    def never_sent(self, step: Step, value: Value) -> None:
        """The time is over in which a client should have sent a value."""
        self._silent.add(value.asked_of)
        self._not_sent(step, value)

    def problem(self, task: Task) -> ValueNotSent | None:
        """Why a task that misses only values will not get one of them, if that is so."""
        for value in self._of(task):
            if value.place is ABSENT:
                if task.client in value.problems:
                    problem = value.problems[task.client]
                    return ValueNotSent(value.msg_id, task.client, None, problem)
                if task.client in self._silent:
                    return ValueNotSent(value.msg_id, task.client, value.patience)
        return None

    def _of(self, task: Task) -> Iterator[Value]:
        return map(self.uses.__getitem__, task.rich.arguments)

    @staticmethod
    def _misses_values(task: Task) -> bool:
        assert task.needs is not None
        return task.needs.asks and task.state is WAITING

    def _hold(self, step: Step, value: Value, size: int, message: object) -> None:
        value.place, value.size, value.timer = HELD, size, None
        self.held += size
        step.actions.append(KeepValue(value.msg_id, message))

    def _not_sent(self, step: Step, value: Value) -> None:
        """A client has not sent a value; those of its tasks that need it fail, others ask."""
        value.place, value.timer = ABSENT, None
        self.asked -= value.size
        for user in value.users:
            if self._misses_values(user):
                again = self._reviews if user.client == value.asked_of else self.line
                again.append(user)
        self._go_on(step)

    def _go_on(self, step: Step) -> None:
        """Ask for the values of those that are first in the line, as far as there is room."""
        line = self.line
        while line:
            task = line[0]
            if task.state is WAITING:
                if self.problem(task) is not None:
                    self._reviews.append(task)  # it fails there
                elif not self._ask_for(step, task):
                    return
            line.popleft()

    def _ask_for(self, step: Step, task: Task) -> bool:
        """Ask the client of a task for the values that it misses, unless there is no room."""
        missing = [value for value in self._of(task) if value.place is ABSENT]
        if not missing:
            return True
        if self.held + self.asked + sum(value.size for value in missing) > self._limit:
            if self.overdrawn is not None and self.overdrawn is not task:
                return False
            self.overdrawn = task
        for value in missing:
            value.place, value.asked_of = ASKED, task.client
            value.timer = self._deadlines.add(step.now + value.patience, Kind.VALUE, value)
            self.asked += value.size
            step.actions.append(AskForValue(value.msg_id, task.message))
        return True

    def _release(self, step: Step, task: Task) -> None:
        """A task has finished that needed values."""
        for msg_id in task.rich.arguments:
            value = self.uses.get(msg_id)
            if value is None or task not in value.users:
                continue
            del value.users[task]
            if value.users:
                continue
            del self.uses[msg_id]
            if value.place is HELD:
                self.held -= value.size
                step.actions.append(DropValue(msg_id))
            elif value.timer is not None:
                self._deadlines.cancel(value.timer)
                self.asked -= value.size
        if self.overdrawn is task:
            self.overdrawn = None
        self._go_on(step)
