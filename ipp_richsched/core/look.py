"""Finds out what tasks wait for.  Nothing here changes anything: it answers who asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .deadlines import Kind
from .dependency import MET, PENDING, Dependency
from .engines.engine import UNREACHED, Engine
from .failures import NO_NAMES, Few, engine_name, few, kept
from .placement.prospects import Prospects
from .ready.groups import Group
from .state import State
from .task import ASSIGNED, WAITING, Task
from .values import ASKED, HELD
from .waits import (
    ForAnyEngine,
    ForBusy,
    ForConnection,
    ForInterrupt,
    ForRetry,
    ForRoom,
    ForScheduler,
    ForTaker,
    ForTasks,
    ForValues,
    OnDeadEngine,
    OnEngine,
    Pending,
    Wait,
)

ASKING = 1.0
"""Seconds that an engine may take to refuse a stranded task; after that it is taken to run it."""

IDS = 10_000
"""How many ids of dependencies are looked up for one request."""


class _Able(NamedTuple):
    """The registered engines that may run the tasks of a group, by what keeps them from it.

    Attributes
    ----------
    full : Few
        They hold as much as they may.
    unreached : Few
        They have no connection.
    interrupted : Few
        They are being interrupted.
    away : Few
        Both of these together.
    later : Few
        Those that are full or being interrupted.
    lost : float
        When the last of those without a connection had none for the first time.
    free : int
        How many can take a task now.
    """

    full: Few
    unreached: Few
    interrupted: Few
    away: Few
    later: Few
    lost: float
    free: int


class Look:
    """One look at the tasks, for one request: what several of them share is found out once.

    To say what a task waits for costs O(1), and for each group of ready tasks O(engines) once, and
    if clients take turns O(clients with tasks ready) once for each priority.

    Parameters
    ----------
    state : State
        The collections.
    now : float
        The time.
    """

    def __init__(self, state: State, now: float) -> None:
        self._now = now
        self._state = state
        self._pool = state.pool
        self._tasks = state.tasks
        self._stranded = state.stranded
        self._prospects = Prospects(state.pool)
        self._ids_left = IDS
        self._able: dict[Group, _Able] = {}
        self._turns: dict[int, bytes | None] = {}

    def wait_of(self, task: Task) -> Wait:
        """What an unfinished task waits for."""
        if task.state is ASSIGNED:
            if self.is_asked(task):
                return self._for_taker(task)
            return self._on_engine(task)
        if task.state is WAITING:
            return self._for_dependency(task)
        if task.group is None:
            return ForScheduler()
        if not self._pool.engines:
            return ForAnyEngine()
        return self._for_engine(task)

    def is_asked(self, task: Task) -> bool:
        """Whether an engine has just got a stranded task, which it may refuse as others have."""
        if task.msg_id not in self._stranded.asked:
            return False
        attempt = task.attempt
        assert attempt is not None
        return attempt.began is not None and self._now < attempt.began + ASKING

    def _on_engine(self, task: Task) -> Wait:
        attempt = task.attempt
        assert attempt is not None
        engine = attempt.engine
        if not self._pool.has(engine):
            return OnDeadEngine(engine.ident, attempt.since, engine.grace)
        until = attempt.timer.when if attempt.timer is not None else None
        works_on = next(iter(engine.attempts))
        return OnEngine(engine.ident, attempt.since, attempt.began, works_on, until)

    def _for_dependency(self, task: Task) -> Wait:
        after, pending = task.after, []
        if after.status(task.after_accepted, task.after_refused) is PENDING:
            told = task.after_accepted + task.after_refused
            pending.append(self._pending("after", after, told))
        if self._prospects.follow(task) is PENDING:
            pending.append(self._pending_follow(task))
        if task.needs is not None and task.needs.unfinished:
            arguments = Dependency(task.rich.arguments)
            told = len(arguments.ids) - task.needs.unfinished
            pending.append(self._pending("arguments", arguments, told))
        if pending:
            return ForTasks(tuple(pending))
        if task.needs is not None and task.needs.asks:
            return self._for_values(task)
        return ForScheduler()

    def _pending_follow(self, task: Task) -> Pending:
        told = task.follow_accepted + task.follow_refused
        return self._pending("follow", task.follow, told)

    def _pending(self, field: str, dependency: Dependency, told: int) -> Pending:
        """The unfinished tasks of a dependency; `told` of its ids are known to have finished."""
        names: list[str] = []
        most = kept(len(dependency.ids) - told)
        for msg_id in dependency.ids:
            if len(names) == most or not self._ids_left:
                break
            self._ids_left -= 1
            if msg_id in self._tasks:
                names.append(msg_id)
        more = max(0, len(dependency.ids) - told - len(names))
        labels = tuple(self._tasks[msg_id].rich.label for msg_id in names)
        named = labels if any(labels) else ()
        return Pending(field, tuple(names), more, not dependency.all, named)

    def _for_values(self, task: Task) -> Wait:
        uses = self._state.values.uses
        missing = [uses[msg_id] for msg_id in task.rich.arguments if msg_id in uses]
        missing = [value for value in missing if value.place is not HELD]
        asked = [value for value in missing if value.place is ASKED]
        times = [value.timer.when for value in asked if value.timer is not None]
        client = asked[0].asked_of if asked else task.client
        names = few(value.msg_id for value in missing)
        return ForValues(names, client, max(times, default=None))

    def _for_engine(self, task: Task) -> Wait:
        group = self._state.queue.group_of(task)
        able = self._able_for(group)
        parking = task.parking
        deadline = parking.when if parking is not None else None
        is_parked = parking is not None and parking.kind is not Kind.RETRY
        if task.msg_id in self._stranded and (is_parked or not able.free):
            return self._for_taker(task)  # to be asked once more is no way out yet
        if able.free:
            return ForScheduler()
        if able.full.names:
            failed = _names(filter(self._pool.has, task.failed_on))
            return ForRoom(able.full, able.away, failed, deadline, self._next_client(task))
        if able.unreached.names:
            patience = self._state.settings.stranded_timeout
            until = None
            if group.targets is not None and patience is not None:
                until = max(self._now, able.lost + patience)
            return ForConnection(able.unreached, until)
        if able.interrupted.names:
            return ForInterrupt(able.interrupted)
        if self._prospects.follow(task) is PENDING:
            return ForTasks((self._pending_follow(task),))
        if parking is None and task.busy is not None:
            until = min(entry.when for entry in task.busy.values())
            return ForBusy(_names(task.busy), until)
        return ForRetry(_names(filter(self._pool.has, task.failed_on)), deadline)

    def _for_taker(self, task: Task) -> Wait:
        stranding, places = self._stranded[task.msg_id], self._prospects.places(task)
        absent = [ident for ident in places or () if ident not in self._pool.engines]
        refused = _names(filter(self._pool.has, task.refused_by))
        again = until = None
        if task.parking is not None and task.parking.kind is Kind.ASK_AGAIN:
            again = task.parking.when
        patience = self._state.settings.stranded_timeout
        if patience is not None and self._prospects.follow(task) is MET:
            until = stranding.since + patience
        away = later = NO_NAMES
        if task.attempt is None:
            able = self._able_for(self._state.queue.group_of(task))
            away, later = able.unreached, able.later
        asked = task.attempt.engine.ident if task.attempt is not None else None
        refusal = task.refusal if refused.names else None
        names = few(map(engine_name, absent))
        return ForTaker(names, refused, away, again, until, later, refusal, asked)

    def _able_for(self, group: Group) -> _Able:
        able = self._able.get(group)
        if able is None:
            able = self._able[group] = self._sort_engines(group)
        return able

    def _sort_engines(self, group: Group) -> _Able:
        full: list[Engine] = []
        unreached: list[Engine] = []
        interrupted: list[Engine] = []
        free, lost = 0, 0.0
        for engine in self._pool.among(group.targets):
            if engine in group.excluded:
                continue
            if self._pool.has_room(engine):
                free += 1
            elif engine.paused & UNREACHED:
                unreached.append(engine)
                # it may have answered since, and is left alone until its pause ends
                lost = max(lost, engine.out_of_reach[0] if engine.out_of_reach else self._now)
            elif engine.paused:
                interrupted.append(engine)
            else:
                full.append(engine)
        away, later = _names([*unreached, *interrupted]), _names([*full, *interrupted])
        return _Able(_names(full), _names(unreached), _names(interrupted), away, later, lost, free)

    def _next_client(self, task: Task) -> bytes | None:
        shares = self._state.shares
        if shares is None:
            return None
        number = shares.number_of(task)
        if number not in self._turns:
            self._turns[number] = shares.next_client(number, self._now)
        client = self._turns[number]
        return client if client != task.client else None


def _names(engines: Iterable[Engine]) -> Few:
    """A few of many engines, by name."""
    return few(engine_name(engine.ident) for engine in engines)
