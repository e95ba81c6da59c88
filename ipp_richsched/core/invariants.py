"""What holds of the core between two events."""

from __future__ import annotations

from collections import Counter

from .deadlines import Kind
from .dependency import MET, PENDING, UNREACHABLE
from .engines.pool import EnginePool
from .placement.prospects import Prospects
from .state import State
from .task import ASSIGNED, READY, WAITING, Task
from .values import Place


def check(state: State, prospects: Prospects, now: float) -> None:
    """Check every invariant, or those that hold while there is a backlog; O(tasks * engines).

    Raises
    ------
    AssertionError
        If one does not hold; the message names the task or the engine.
    """
    pool, queue = state.pool, state.queue
    queued = [task for task in state.tasks.values() if task.group is not None]
    for task in state.tasks.values():
        _check_task(state, prospects, task)
    for engine in pool.engines.values():
        for msg_id, attempt in engine.attempts.items():
            assert (attempt.msg_id, attempt.engine) == (msg_id, engine), f"{attempt} is misplaced"
            if msg_id not in state.tasks:
                assert state.abandoned[msg_id] is attempt, f"{attempt} holds its engine for nobody"
        idle = [task for task in queued if queue.group_of(task).admits(engine)]
        room = pool.has_room(engine) and not state.busy
        assert not (idle and room), f"{engine} has room for {idle[0]}"
        following = min(idle, key=lambda task: queue.key(task, now), default=None)
        assert queue.first(engine, now) is following, f"{engine}: its next task"
    if type(pool) is EnginePool:  # a subclass may count loads as it likes
        for engine in pool.engines.values():
            assert engine.load == len(engine.attempts), f"{engine} holds {len(engine.attempts)}"
            assert not pool.hwm or engine.load <= pool.hwm, f"{engine} is over the hwm"
    for engine in state.dead:
        assert not pool.has(engine), f"{engine} is dead and registered"
    held = {task.msg_id for task in state.tasks.values() if task.attempt is not None}
    asked = state.stranded.asked
    assert asked == held & state.stranded.keys(), f"{asked} are asked"
    assert state.stranded.keys() <= state.tasks.keys(), "a task that has finished is stranded"
    assert state.unwanted.keys() <= held, "a task that no engine has was not taken back"
    _check_values(state)
    _check_tallies(state)
    sizes = Counter(task.group for task in queued)
    for group in queue.groups():
        assert group.size == sizes[group], f"a group of {group.size} has {sizes[group]} tasks"
        assert group.first() is min(group, default=None), f"{group.first()} is not the earliest"


def _check_tallies(state: State) -> None:
    """What is counted is what a walk over the tasks finds."""
    found = Counter((task.tally, task.state) for task in state.tasks.values())
    tallies = list(state.tallies)
    for tally in tallies:
        counted = {WAITING: tally.waiting, READY: tally.ready, ASSIGNED: tally.assigned}
        for kind, number in counted.items():
            assert number == found.pop((tally, kind), 0), f"{number} of {tally.label} {kind.name}"
    assert not found, f"{found} are counted nowhere"
    totals = state.tallies.totals()
    assert totals.failed == sum(state.tallies.failed.values()), "failures of some kind"
    assert totals.failed == sum(state.tallies.causes.values()), "failures of some cause"
    assert state.tallies.causes.keys() == state.tallies.examples.keys(), "a cause without example"


def _check_values(state: State) -> None:
    """Values are held, or asked for, only for who needs them."""
    values = state.values
    sizes = dict.fromkeys(Place, 0)
    for msg_id, value in values.uses.items():
        sizes[value.place] += value.size
        assert value.users, f"nobody needs the value of {msg_id}"
        assert (value.place is Place.COMING) == (msg_id in state.tasks), f"{msg_id}: {value.place}"
        assert (value.place is Place.ASKED) == (value.timer is not None), f"{msg_id}: its timer"
        for task in value.users:
            assert state.tasks.get(task.msg_id) is task, f"{task} needs a value and is finished"
            has_it = value.place is Place.HELD
            assert has_it or task.state is WAITING, f"{task} goes without the value of {msg_id}"
    assert sizes[Place.HELD] == values.held, f"{values.held} bytes are held"
    assert sizes[Place.ASKED] == values.asked, f"{values.asked} bytes are asked for"
    over = values.overdrawn
    assert over is None or over.msg_id in state.tasks, f"{over} is finished"
    assert state.busy or over is not None or not values.line, f"{values.line[0]} has to ask"


def _misses_values(state: State, task: Task) -> bool:
    """Whether a task waits for values that are coming, are asked for, or are to be."""
    places = {state.values.uses[msg_id].place for msg_id in task.rich.arguments}
    if Place.ABSENT in places and not places & {Place.COMING, Place.ASKED}:
        return task in state.values.line
    return bool(places & {Place.COMING, Place.ASKED})


def _check_task(state: State, prospects: Prospects, task: Task) -> None:
    pool = state.pool
    assert task.msg_id not in state.history, f"{task} is finished and is not"
    attempt = task.attempt
    assert (attempt is not None) == (task.state is ASSIGNED), f"{task}: its attempt"
    if attempt is not None:
        held = attempt.engine.attempts.get(task.msg_id)
        assert held is attempt, f"{attempt} does not hold its engine"
        is_known = pool.has(attempt.engine) or attempt.engine in state.dead
        assert is_known, f"{attempt} is on an engine that nobody gives up"
        assert attempt.engine not in task.refused_by, f"{task} is where it was refused"
    queued = task.group is not None or task in state.backlog.unplaced
    assert queued == (task.state is READY), f"{task}: its group"
    timed = bool(task.timeout) and task.state is not ASSIGNED
    assert (task.timer is not None) == timed, f"{task}: its timeout"
    if state.busy:
        return
    after = task.after.status(task.after_accepted, task.after_refused)
    if task.state is WAITING:
        follow = prospects.follow(task)
        waits = PENDING in (after, follow) or _misses_values(state, task)
        assert waits, f"{task} waits for nothing"
        assert UNREACHABLE not in (after, follow), f"{task} waits in vain"
        assert not prospects.is_hopeless(task), f"{task} waits for engines that are gone"
    if task.state is READY:
        assert after is MET, f"{task} is ready too early"
        stuck = pool.engines and not state.queue.group_of(task).has_engine(pool.engines)
        assert not (stuck and prospects.is_hopeless(task)), f"{task} waits for engines gone"
        if stuck and prospects.follow(task) is not PENDING:
            forever = state.settings.stranded_timeout is None
            assert task.parking or task.busy or forever, f"{task} waits in silence"
            kept = task.refused_by.union(task.busy or ())
            possible = pool.has_any(prospects.places(task), kept)
            retried = task.parking is not None and task.parking.kind is Kind.RETRY
            assert retried or not possible, f"{task} may be tried again and is given up"
