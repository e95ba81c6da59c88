"""What the core says of itself in a random life, beside what the model knows."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ipp_richsched.core.story import ASSIGNED, FAILED, SUBMITTED, SUCCEEDED
from ipp_richsched.core.task import TaskState
from ipp_richsched.core.waits import (
    ForAnyEngine,
    ForBusy,
    ForConnection,
    ForRetry,
    ForRoom,
    ForScheduler,
    ForTaker,
    ForTasks,
    ForValues,
    OnDeadEngine,
    OnEngine,
    Wait,
)


def judge_status(world: Any) -> None:
    """Whether the counters, the engines and the reasons are true."""
    status = world.core.status(now=world.now, oldest=100)
    answered = [task for task in world.tasks.values() if task.answers]
    succeeded = sum(task.succeeded for task in answered)
    assigned = sum(task.attempt is not None and not task.answers for task in world.tasks.values())
    queued = len(world.tasks) - len(answered) - assigned
    assert (status.succeeded, status.failed) == (succeeded, len(answered) - succeeded)
    assert (status.assigned, status.waiting + status.ready) == (assigned, queued)
    assert sum(status.reasons.values()) == status.failed
    assert {engine.engine for engine in status.engines} == world.engines.keys()
    held = Counter(
        (task.attempt.engine.ident, round(task.attempt.engine.died, 6))
        for task in world.tasks.values()
        if task.attempt is not None and not task.answers and task.attempt.engine.died is not None
    )
    told = Counter[tuple[bytes, float]]()
    for dead in status.dead:
        told[dead.engine, round(dead.died, 6)] += dead.held  # one may die twice at the same time
    assert told == held, f"{told}, but {held}"
    asked = [task for task in status.oldest if world.tasks[task.msg_id].attempt is not None]
    assert len(status.oldest) - len(asked) + status.oldest_more == queued
    if not world.core.busy and len(status.oldest) < 100:
        takers = [task for task in status.oldest if isinstance(task.wait, ForTaker)]
        assert len(takers) == status.stranded, f"{status.stranded} are said to be stranded"
    durations = world.core.state.durations
    if durations is not None:
        assigned_ever = [sum(each.queued.counts) for each in durations.by_label.values()]
        assert sum(assigned_ever) == sum(task.attempts for task in world.tasks.values())
    unfinished = sum(part.waiting + part.ready + part.assigned for part in status.queue)
    assert unfinished + status.queue_more == queued + assigned
    places = [world.tasks[task.msg_id].place for task in status.oldest]
    assert all(world.tasks[task.msg_id].event.client == task.client for task in status.oldest)
    assert places == sorted(places) or any(task.behind for task in world.tasks.values())
    for task in status.oldest:
        assert task.since <= world.now
        judge_wait(world, task.msg_id, task.wait)


def judge_wait(world: Any, msg_id: str, wait: Wait) -> None:
    """Whether it is true what a task waits for."""
    task, engines = world.tasks[msg_id], world.engines
    if world.core.busy:
        return  # some have not been told yet of what has happened
    assert not isinstance(wait, ForScheduler), f"{msg_id} waits for nothing"
    if isinstance(wait, ForTasks):
        judge_dependencies(world, task, wait)
    elif isinstance(wait, ForValues):
        assert {*wait.msg_ids.names} <= {*task.event.rich.arguments}
    elif isinstance(wait, ForAnyEngine):
        assert not engines
    elif isinstance(wait, ForRoom):
        loads = world.loads()
        for name in wait.full.names:
            engine = engines[name.encode()]
            assert loads.get(engine, 0) >= world.settings.hwm > 0, f"{msg_id}: {name} has room"
            assert world.may_run_on(task, engine), f"{msg_id} may not run on {name}"
    elif isinstance(wait, ForConnection):
        assert all(engines[name.encode()].unreached >= 0 for name in wait.engines.names)
    elif isinstance(wait, ForRetry):
        failed = {engine.ident.decode() for engine in task.failed_on}
        assert {*wait.failed.names} <= failed
        assert wait.failed.names or wait.until is not None
    elif isinstance(wait, ForBusy):
        assert {*wait.engines.names} <= {engine.ident.decode() for engine in task.busy}
    elif isinstance(wait, ForTaker):
        assert not {*wait.absent.names} & {name.decode() for name in engines}
        refused = {engine.ident.decode() for engine in task.refused_by}
        assert {*wait.refused.names} <= refused
        assert (wait.asked is None) == (task.attempt is None)
        assert wait.refusal is None or wait.refused.names
        whys = wait.absent, wait.refused, wait.full, wait.away
        assert any(few.names for few in whys) or wait.asked
        loads = world.loads()
        for name in wait.full.names:
            engine = engines[name.encode()]
            assert loads.get(engine, 0) >= world.settings.hwm > 0, f"{msg_id}: {name} has room"
            assert world.may_run_on(task, engine), f"{msg_id} may not run on {name}"
        bound = world.settings.stranded_timeout is not None
        assert not bound or wait.until is not None or task.event.follow.ids


def judge_dependencies(world: Any, task: Any, wait: ForTasks) -> None:
    """Whether a task waits for these."""
    fields = {"after": task.event.after.ids, "follow": task.event.follow.ids}
    fields["arguments"] = task.event.rich.arguments
    assert wait.pending
    for field, msg_ids, more, _, labels in wait.pending:
        assert labels in ((), tuple(world.tasks[each].event.rich.label for each in msg_ids))
        unfinished = {other for other in fields[field] if not world.tasks[other].answers}
        assert {*msg_ids} <= unfinished, f"{task}: {field} has finished"
        assert len(unfinished) == len(msg_ids) + more, f"{task}: {field} {unfinished}"


def judge_tales(world: Any, msg_ids: list[str]) -> None:
    """Whether it is true what is told of some tasks."""
    for tale in world.core.why(msg_ids, now=world.now):
        if tale.msg_id not in world.tasks:
            assert tale.state is None
            continue
        task = world.tasks[tale.msg_id]
        assert tale.is_whole
        assert tale.attempts == task.attempts, f"{tale.msg_id}: {tale.tries}"
        assert len(tale.tries) == task.attempts
        ended = [one.over is not None for one in tale.tries]
        assert all(ended[:-1])
        if task.answers:
            expected = TaskState.SUCCEEDED if task.succeeded else TaskState.FAILED
            assert tale.state is expected
            assert tale.why is None or not task.succeeded
            assert tale.finished is not None
            assert all(ended)
        else:
            assert (tale.state is TaskState.ASSIGNED) == (task.attempt is not None)
            if task.attempt is not None and isinstance(tale.wait, ForTaker):
                assert tale.wait.asked == task.attempt.engine.ident
            elif task.attempt is not None:
                assert isinstance(tale.wait, OnEngine | OnDeadEngine)
                assert tale.wait.engine == task.attempt.engine.ident
                assert isinstance(tale.wait, OnDeadEngine) == (task.attempt.engine.died is not None)
            if tale.chain and not world.core.busy:
                assert not isinstance(tale.chain[-1].wait, ForTasks), f"{tale} ends too early"


def judge_happenings(world: Any) -> None:
    """Whether what is told from mark to mark is what happened, each once."""
    told = world.told_happenings
    while True:
        page = world.core.happenings(world.mark)
        assert not page.missed
        for happening in page.happenings:
            told.setdefault(happening.msg_id, []).append(happening)
        world.mark = page.mark
        if not page.more:
            break
    for msg_id, task in world.tasks.items():
        first, *others = told.get(msg_id, [None])
        if first is None or first.what != SUBMITTED:
            assert task.answers, f"{msg_id} was refused at once"
            continue
        depends = {*task.event.after.ids, *task.event.follow.ids, *task.event.rich.arguments}
        assert {*first.parents} == depends
        assert len(first.parents) == len(depends)
        whats = [each.what for each in others]
        assert whats.count(ASSIGNED) == task.attempts, f"{msg_id}: {whats}"
        assert (whats[-1:] in ([SUCCEEDED], [FAILED])) == bool(task.answers), f"{msg_id}: {whats}"
        assert whats.count(SUCCEEDED) + whats.count(FAILED) == bool(task.answers)
        if FAILED in whats:
            *_, ran = others[-1].detail
            assert task.attempts or not ran, f"{msg_id} never ran"
            assert ran or not (task.had_by or task.ran_on), f"{msg_id} was on an engine"
