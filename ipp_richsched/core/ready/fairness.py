"""Clients take turns: next is a task of the client that has used the least engine time.

That holds within a priority, and each priority has accounts of its own.  A client's account is
the seconds that engines have worked for it, of its tasks that are over and of those that run.  A
client that had no task ready was not held up: when it comes back, its account is raised to that
of those that were, so that nobody saves up time.  What it has used too much it still owes.

How long a task takes is known when it is over.  Until then it counts as what the client's tasks
take in the mean, or as the time that it has run, if that is more.  So several engines that have
room at once are shared, too.

This is deficit round robin without the rounds, or start-time fair queueing (Goyal, Vin and Cheng,
SIGCOMM 1996) whose tags are put right as tasks end.  As there, no client whose tasks are ready
gets further behind another than by one task for each engine.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from ..engines.engine import Attempt, Engine
from ..task import Task
from .groups import Group
from .order import Order, Rank
from .queue import ReadyQueue

FEW = 64
"""Up to so many accounts of a priority are kept without a look at whether they matter."""

Standing: TypeAlias = tuple[float, int]
"""How much a client has used, and how many engines' slots it holds: the lowest is next."""


class Account:
    """What one client has ready and has used, at one priority.

    Attributes
    ----------
    level : Level
        The priority.
    queue : ReadyQueue
        Its tasks that are ready.
    used : float
        Engine seconds of attempts that are over, and those that it was raised by.
    held : int
        How many attempts of its tasks hold slots of engines.
    running : int
        Of how many of them engines are at work.
    starts : float
        The sum of the times when these began.
    ended : int
        How many attempts are over that engines were at work on.
    worked : float
        Engine seconds of these.
    """

    __slots__ = ("ended", "held", "level", "queue", "running", "starts", "used", "worked")

    def __init__(self, level: Level, engines: Mapping[bytes, Engine]) -> None:
        self.level = level
        self.queue = ReadyQueue(engines)
        self.used = self.starts = self.worked = 0.0
        self.held = self.running = self.ended = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing of its client's is ready or under way."""
        return not self.held and not self.queue

    def standing(self, now: float) -> Standing:
        """What decides whether it is next."""
        held = self.held
        if not held:
            return self.used, 0
        of = self if self.ended else self.level
        expected = held * of.worked / of.ended if of.ended else 0.0
        ran = self.running * now - self.starts
        return self.used + (expected if expected > ran else ran), held

    def come_back(self, now: float) -> None:
        """It has a task ready, and had none: it has saved up nothing."""
        self.used += max(0.0, self.level.clock - self.standing(now)[0])

    def work_begins(self, now: float) -> None:
        """An engine is at work on one more attempt."""
        self.running += 1
        self.starts += now

    def work_ends(self, began: float, now: float) -> None:
        """An engine is no longer at work on an attempt."""
        seconds = now - began
        self.running -= 1
        self.starts = self.starts - began if self.running else 0.0
        self.used += seconds
        for counts in (self, self.level):
            counts.ended += 1
            counts.worked += seconds


class Level:
    """The accounts of one priority.

    Attributes
    ----------
    number : int
        What sorts it among the others, the first to be served first.
    accounts : dict of bytes to Account
        By client.
    waiting : dict of Account to None
        Those that have tasks ready.
    held : int
        How many attempts hold slots of engines.
    clock : float
        What one has used that has saved up nothing: as much as the client that had used least, of
        those with tasks ready, when a task was last assigned.  It never goes back.
    ended, worked
        As those of an `Account`, for all clients together.
    """

    __slots__ = ("_limit", "accounts", "clock", "ended", "held", "number", "waiting", "worked")

    def __init__(self, number: int) -> None:
        self.number = number
        self.accounts: dict[bytes, Account] = {}
        self.waiting: dict[Account, None] = {}
        self.held = self.ended = 0
        self.clock = self.worked = 0.0
        self._limit = FEW

    @property
    def is_idle(self) -> bool:
        """Whether nothing is ready or under way: then nobody owes anything."""
        return not self.waiting and not self.held

    def advance(self, account: Account, now: float) -> None:
        """A task of a client is being assigned; O(clients with tasks ready)."""
        least = account.standing(now)[0]
        for other in self.waiting:
            if other is not account and other.used < least:
                least = min(least, other.standing(now)[0])
        self.clock = max(self.clock, least)

    def tidy(self) -> None:
        """Forget clients that have nothing here and owe nothing; O(1) amortized."""
        if len(self.accounts) > self._limit:
            self.accounts = {
                client: account
                for client, account in self.accounts.items()
                if account.used > self.clock or not account.is_idle
            }
            self._limit = max(FEW, 2 * len(self.accounts))


class FairQueue:
    """Ready tasks, as `ReadyQueue`, with clients that take turns.

    To find the next task costs as much as there for each client that has tasks ready, at most.
    What is kept of a client that has none goes when it owes nothing, or when nothing is left of
    its priority.

    Parameters
    ----------
    engines : mapping of bytes to Engine
        The registered engines, by identity.
    order : Order
        What has given the tasks their ranks.
    """

    def __init__(self, engines: Mapping[bytes, Engine], order: Order) -> None:
        self._engines = engines
        self._step = order.step
        self._levels: dict[int, Level] = {}
        self._sorted: list[int] = []  # their numbers, the first to be served first

    def __bool__(self) -> bool:
        return any(level.waiting for level in self._levels.values())

    def __len__(self) -> int:
        return sum(len(account.queue) for account in self._waiting())

    def groups(self) -> list[Group]:
        """All groups that hold tasks, and some that are empty."""
        return [group for account in self._waiting() for group in account.queue.groups()]

    def holds(self, targets: frozenset[bytes] | None, excluded: frozenset[Engine]) -> bool:
        """Whether tasks with these are queued; O(clients with tasks ready)."""
        for level in self._levels.values():
            for account in level.waiting:
                if account.queue.holds(targets, excluded):
                    return True
        return False

    def group_of(self, task: Task) -> Group:
        """The group of a queued task."""
        return self._account(task).queue.group_of(task)

    def add(
        self, task: Task, targets: frozenset[bytes] | None, excluded: frozenset[Engine], now: float
    ) -> Group:
        """Put a ready task into its group."""
        account = self._account(task)
        if not account.queue:
            account.come_back(now)
            account.level.waiting[account] = None
        return account.queue.add(task, targets, excluded, now)

    def remove(self, task: Task) -> None:
        """Take a task out."""
        account = self._account(task)
        account.queue.remove(task)
        if not account.queue:
            del account.level.waiting[account]  # what clients owe stays: it may be assigned now

    def change_rank(self, task: Task, rank: Rank, now: float) -> None:
        """Give a queued task another rank."""
        if rank // self._step == task.rank // self._step:
            self._account(task).queue.change_rank(task, rank, now)
            return
        group = self.group_of(task)
        self.remove(task)
        task.rank = rank
        self.add(task, group.targets, group.excluded, now).parked |= group.parked

    def first(self, engine: Engine, now: float) -> Task | None:
        """The next task for an engine: see `ReadyQueue.first`."""
        for number in self._sorted:
            level = self._levels[number]
            found: Task | None = None
            best = None
            for account in level.waiting:
                standing = account.standing(now)
                if best is not None and standing > best[:2]:
                    continue
                task = account.queue.first(engine, now)
                if task is not None and (best is None or (*standing, task.rank) < best):
                    found, best = task, (*standing, task.rank)
            if found is not None:
                return found
        return None

    def key(self, task: Task, now: float) -> tuple[float, ...]:
        """What `first` sorts queued tasks by."""
        return (task.rank // self._step, *self._account(task).standing(now), task.rank)

    def engine_registered(self, engine: Engine) -> None:
        """Have `engine` take part; O(groups)."""
        for account in self._waiting():
            account.queue.engine_registered(engine)

    def engine_died(self, engine: Engine) -> list[Group]:
        """Have `engine` take no part; the groups that it leaves without any, O(groups)."""
        levels = self._levels.values()
        accounts = [account for level in levels for account in level.accounts.values()]
        return [group for account in accounts for group in account.queue.engine_died(engine)]

    def number_of(self, task: Task) -> int:
        """What names the tasks among which a task's client takes turns with others."""
        return task.rank // self._step

    def next_client(self, number: int, now: float) -> bytes:
        """Whose turn is next among queued tasks of this number; O(its clients)."""
        accounts = self._levels[number].accounts.items()
        waiting = ((account.standing(now), name) for name, account in accounts if account.queue)
        _, client = min(waiting)
        return client

    # -- what clients use --------------------------------------------------------------

    def attempt_begins(self, task: Task, attempt: Attempt, now: float) -> None:
        """A task that is not queued was assigned; O(clients with tasks ready)."""
        account = attempt.account = self._account(task)
        level = account.level
        if not account.queue:
            account.come_back(now)
        level.advance(account, now)
        account.held += 1
        level.held += 1
        if attempt.began is not None:
            account.work_begins(now)

    def work_begins(self, attempt: Attempt, now: float) -> None:
        """An engine has begun with an attempt that had to wait for others there."""
        self._account_of(attempt).work_begins(now)

    def attempt_ends(self, attempt: Attempt, now: float) -> None:
        """An attempt holds its slot no longer."""
        account = self._account_of(attempt)
        account.held -= 1
        account.level.held -= 1
        if attempt.began is not None:
            account.work_ends(attempt.began, now)
        level = account.level
        if level.is_idle:
            self._forget(level)
        else:
            level.tidy()

    @staticmethod
    def _account_of(attempt: Attempt) -> Account:
        account = attempt.account
        assert isinstance(account, Account)
        return account

    def _waiting(self) -> Iterator[Account]:
        return (account for level in self._levels.values() for account in level.waiting)

    def _account(self, task: Task) -> Account:
        """The account that a task is for; a new one, if there is none."""
        number = task.rank // self._step
        try:
            return self._levels[number].accounts[task.client]
        except KeyError:
            return self._open(number, task.client)

    def _open(self, number: int, client: bytes) -> Account:
        """A new account."""
        level = self._levels.get(number)
        if level is None:
            for level in [level for level in self._levels.values() if level.is_idle]:
                self._forget(level)
            level = self._levels[number] = Level(number)
            insort(self._sorted, number)
        account = level.accounts[client] = Account(level, self._engines)
        return account

    def _forget(self, level: Level) -> None:
        del self._levels[level.number]
        self._sorted.remove(level.number)
