"""What holds of a `SchedulerCore` between two events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .deadlines import Kind
from .dependency import MET, PENDING, UNREACHABLE
from .engines.pool import EnginePool
from .task import ASSIGNED, READY, WAITING

if TYPE_CHECKING:
    from .machine import SchedulerCore
    from .task import Task


def check(core: SchedulerCore) -> None:
    """Check every invariant, or those that hold while there is work left; O(tasks * engines).

    Raises
    ------
    AssertionError
        If one does not hold; the message names the task or the engine.
    """
    for task in core.tasks.values():
        _check_task(core, task)
    for engine in core.pool.engines.values():
        held = [task for task in core.tasks.values() if task.engine is engine]
        assert sorted(engine.assigned.values()) == sorted(held), f"{engine} does not hold {held}"
        for task in held:
            assert engine.ident not in task.refused_by, f"{task} is on {engine}, which refused it"
        idle = [task for task in _queued(core) if _may_run(core, task, engine.ident)]
        room = core.pool.has_room(engine) and not core.busy
        assert not (idle and room), f"{engine} has room for {idle[0]}"
    if type(core.pool) is EnginePool:  # a subclass may count loads as it likes
        for engine in core.pool.engines.values():
            assert engine.load == len(engine.assigned), f"{engine} holds {len(engine.assigned)}"
            assert not core.pool.hwm or engine.load <= core.pool.hwm, f"{engine} is over the hwm"
    sizes = Counter(task.group for task in _queued(core))
    for group in core.queue.groups():
        assert group.size == sizes[group], f"a group of {group.size} has {sizes[group]} tasks"
        assert group.first() is min(group, default=None), f"{group.first()} is not the earliest"


def _queued(core: SchedulerCore) -> list[Task]:
    return [task for task in core.tasks.values() if task.group is not None]


def _may_run(core: SchedulerCore, task: Task, ident: bytes) -> bool:
    assert task.group is not None
    return task.group.admits(ident)


def _check_task(core: SchedulerCore, task: Task) -> None:
    assert task.msg_id not in core.history, f"{task} is finished and is not"
    assert (task.engine is not None) == (task.state is ASSIGNED), f"{task}: its engine"
    queued = task.group is not None or task in core.lifecycle.unplaced
    assert queued == (task.state is READY), f"{task}: its group"
    if core.busy:
        return
    after = task.after.status(task.after_accepted, task.after_refused)
    if task.state is WAITING:
        follow = core.prospects.follow(task)
        assert PENDING in (after, follow), f"{task} waits for nothing"
        assert UNREACHABLE not in (after, follow), f"{task} waits in vain"
        assert not core.prospects.hopeless(task), f"{task} waits for engines that are gone"
    if task.state is READY:
        assert after is MET, f"{task} is ready too early"
        assert task.group is not None
        stuck = core.pool.engines and not core.queue.has_engine(task.group)
        assert not (stuck and core.prospects.hopeless(task)), f"{task} waits for engines gone"
        if stuck and core.prospects.follow(task) is not PENDING:
            assert task.parking or core.placement.waits_for_ever, f"{task} waits in silence"
            possible = core.pool.has_any(core.prospects.places(task), task.refused_by)
            retried = task.parking is not None and task.parking.kind is Kind.RETRY
            assert retried or not possible, f"{task} may be tried again and is given up"
    timed = bool(task.timeout) and task.state is not ASSIGNED
    assert (task.timer is not None) == timed, f"{task}: its timeout"
