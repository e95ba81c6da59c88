"""The schemes, as functions and as indexes, and how they are found."""

from __future__ import annotations

import gc
import importlib.metadata
import logging
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ipp_richsched.core.actions import AssignTask
from ipp_richsched.core.engines.engine import UNREACHED
from ipp_richsched.core.engines.pool import Engine, EnginePool
from ipp_richsched.core.engines.schemes import BUILT_IN, SchemeError, find_scheme
from ipp_richsched.core.events import EngineRegistered, TaskReplied, TaskSubmitted
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.task import NOWHERE
from ipp_richsched.scheduler.hooked import HookedPool

from .driver import Driver, assign, text

LOADS = st.lists(st.integers(0, 3), min_size=1, max_size=6)


def pool_with(scheme: str, loads: Sequence[int], hwm: int, seed: int) -> EnginePool:
    """A pool whose engines have these loads in least-recently-used order."""
    pool = EnginePool(find_scheme(scheme), hwm, Random(seed))
    engines = [pool.register(f"e{number}".encode()) for number in range(len(loads))]
    for engine, load in zip(engines, loads, strict=True):
        for _ in range(max(1, load)):
            pool.assign(engine)
        if not load:
            pool.finish(engine)
    return pool


@given(loads=LOADS, hwm=st.integers(0, 3), seed=st.integers(0, 1000))
@pytest.mark.parametrize("scheme", ["leastload", "lru"])
def test_an_index_chooses_what_its_function_does(
    scheme: str, loads: list[int], hwm: int, seed: int
) -> None:
    pool = pool_with(scheme, loads, hwm, seed)
    roomy = [engine for engine in pool.by_use() if pool.has_room(engine)]
    chosen = pool.choose(None, NOWHERE)
    if not roomy:
        assert chosen is None
        return
    index = BUILT_IN[scheme].choose([engine.load for engine in roomy], Random(0))
    assert chosen is roomy[index]
    assert pool.choose(frozenset(pool.engines), NOWHERE) is chosen


@pytest.mark.parametrize("scheme", ["plainrandom", "twobin", "weighted"])
def test_a_random_index_chooses_as_often_as_its_function(scheme: str) -> None:
    pool = pool_with(scheme, [0, 2, 1, 1, 3], hwm=3, seed=1)
    places = frozenset(pool.engines)
    draws = 20_000
    by_index = Counter(pool.choose(None, NOWHERE) for _ in range(draws))
    by_function = Counter(pool.choose(places, NOWHERE) for _ in range(draws))
    assert set(by_index) == set(by_function)
    for engine, count in by_function.items():
        # four standard deviations of a share, for two samples
        assert abs(by_index[engine] - count) < 4 * (2 * draws * 0.25) ** 0.5


def test_weighted_takes_an_idle_engine_and_nearly_never_another() -> None:
    pool = pool_with("weighted", [3, 1, 0, 2], hwm=0, seed=1)
    for _ in range(100):
        chosen = pool.choose(None, NOWHERE)
        assert chosen is not None
        assert chosen.load == 0


def test_twobin_prefers_the_less_recently_used() -> None:
    pool = pool_with("twobin", [0] * 10, hwm=1, seed=1)
    order = pool.by_use()
    places = [order.index(pool.choose(None, NOWHERE)) for _ in range(10_000)]
    assert places.count(0) > 1.5 * 1_000
    assert places.count(9) < 0.5 * 1_000


@given(data=st.data())
@pytest.mark.parametrize("scheme", sorted(BUILT_IN))
def test_an_index_offers_just_the_engines_that_have_room(scheme: str, data: st.DataObject) -> None:
    pool = EnginePool(find_scheme(scheme), 2, Random(0))
    steps = st.tuples(st.sampled_from("radfpc"), st.integers(0, 4), st.booleans())
    for step, number, chooses in data.draw(st.lists(steps, max_size=60)):
        ident = f"e{number}".encode()
        engine = pool.engines.get(ident)
        if engine is None:
            if step == "r":
                pool.register(ident)
        elif step == "a" and pool.has_room(engine):
            pool.assign(engine)
        elif step == "f" and engine.load:
            pool.finish(engine)
        elif step == "d":
            pool.unregister(ident)
        elif step in "pc":
            (pool.pause if step == "p" else pool.end_pause)(engine, UNREACHED)
        if not chooses:
            continue
        chosen = pool.choose(None, NOWHERE)
        if chosen is None:
            assert not any(pool.has_room(engine) for engine in pool.engines.values())
        else:
            assert pool.has(chosen)
            assert pool.has_room(chosen)


# -- a user's own ----------------------------------------------------------------------


def last(loads: list[float]) -> int:
    return len(loads) - 1


def raises(loads: list[float]) -> int:
    raise ZeroDivisionError("oh no")


def too_far(loads: list[float]) -> int:
    return len(loads)


def no_index(loads: list[float]) -> Any:
    return "first"


def test_a_function_by_its_dotted_name() -> None:
    pool = pool_with(f"{__name__}.last", [0, 1, 2], hwm=0, seed=0)
    assert pool.choose(None, NOWHERE) is pool.by_use()[-1]
    assert pool.choose(frozenset([b"e0", b"e1"]), NOWHERE) is pool.engines[b"e1"]


def test_a_name_in_the_entry_point_group(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("mine", f"{__name__}:last", "ipp_richsched.schemes")
    found = importlib.metadata.EntryPoints([point])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda: found)
    assert find_scheme("mine").choose([3, 1], Random(0)) == 1
    with pytest.raises(SchemeError, match="mine"):  # named among the ones that exist
        find_scheme("yours")


def moody(loads: list[float]) -> int:
    """Passes its trial, and raises where two engines are idle."""
    if loads == [0, 0]:
        raise ValueError("not today")
    return 0


@pytest.mark.parametrize("targets", [[], ["a", "b"]])
def test_where_a_users_scheme_fails_leastload_chooses(targets: list[str]) -> None:
    core = Driver("a", "b", scheme=f"{__name__}.moody")
    warning, assigned = core.submit("t", targets=targets)
    assert "not today" in text([warning])
    assert assigned == assign("t", "b")
    assert core.submit("u", targets=targets) == [assign("u", "a")]
    assert core.submit("v", targets=targets) == []


@pytest.mark.parametrize("scheme", ["leastload", f"{__name__}.last"])
def test_a_pool_may_be_told_by_index(scheme: str) -> None:
    pool = pool_with(scheme, [0, 0, 0], hwm=1, seed=0)
    first = pool.by_use()[0]
    pool.assign_at(0)
    assert pool.by_use()[-1] is first
    assert first.load == 1
    pool.finish_at(2)
    assert first.load == 0


def test_hooks_that_raise_leave_the_high_water_mark_as_it_is() -> None:
    def fail(index: int) -> None:
        raise ZeroDivisionError

    log = logging.getLogger("hooks that raise")
    core = SchedulerCore(pool=HookedPool(find_scheme("leastload"), 1, Random(0), fail, fail, log))
    core.handle(EngineRegistered(b"a"), now=0)
    for number in range(3):
        (assigned,) = core.handle(TaskSubmitted(f"{number}"), now=0)
        assert isinstance(assigned, AssignTask)
        assert core.handle(TaskSubmitted(f"next {number}"), now=0) == []
        _, assigned = core.handle(TaskReplied(b"a", f"{number}", "ok"), now=0)
        assert isinstance(assigned, AssignTask)
        core.handle(TaskReplied(b"a", f"next {number}", "ok"), now=0)


def test_an_engine_that_gains_room_by_what_a_hook_does_gets_a_task() -> None:
    cooling: list[bytes] = []

    def finish_job(index: int) -> None:
        """Keep the room of an engine until another one gives a task back."""
        for ident in cooling:
            pool.finish_at(pool.targets.index(ident))
        cooling[:] = [pool.targets[index]]

    scheme, log = find_scheme("leastload"), logging.getLogger()
    pool = HookedPool(scheme, 1, Random(0), lambda index: pool.assign_at(index), finish_job, log)
    core = SchedulerCore(pool=pool)
    events = [EngineRegistered(b"a"), EngineRegistered(b"b"), *map(TaskSubmitted, "12345")]
    assigned: list[str] = []
    for now, event in enumerate(events):
        assigned += [action.msg_id for action in core.handle(event, now=now)]  # type: ignore[union-attr]
    assert assigned == ["1", "2"]
    engines = [core.tasks[msg_id].attempt.engine.ident for msg_id in assigned]  # type: ignore[union-attr]
    core.handle(TaskReplied(engines[0], "1", "ok"), now=10)
    core.handle(TaskReplied(engines[1], "2", "ok"), now=11)
    core.validate()
    assert list(pool.engines[engines[0]].attempts) == ["3"]


def test_stale_entries_of_an_index_do_not_pile_up() -> None:
    pool = EnginePool(find_scheme("leastload"), 0, Random(0))
    busy, _ = pool.register(b"a"), pool.register(b"b")
    for _ in range(10_000):
        pool.assign(busy)
        pool.choose(None, NOWHERE)
    assert len(pool._index._heap) < 200  # type: ignore[attr-defined]


def test_dead_engines_are_not_kept_where_all_tasks_name_their_targets() -> None:
    pool = EnginePool(find_scheme("leastload"), 0, Random(0))
    before = _engines_alive()
    for number in range(100):
        ident = str(number).encode()
        engine = pool.register(ident)
        pool.assign(engine)
        pool.unregister(ident)
        pool.finish(engine)  # its grace is over
    assert _engines_alive() - before < 5


def _engines_alive() -> int:
    gc.collect()
    return sum(type(thing) is Engine for thing in gc.get_objects())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nonsense", "leastload, lru, plainrandom, twobin, weighted"),
        ("no.such.module.function", "No module named 'no'"),
        (f"{__name__}.nothing", "nothing"),
        (f"{__name__}.BUILT_IN", "not a function"),
        (f"{__name__}.raises", "ZeroDivisionError: oh no"),
        (f"{__name__}.too_far", "returned 1, not an index below 1"),
        (f"{__name__}.no_index", "returned 'first'"),
    ],
)
def test_what_is_no_scheme_is_an_error_that_says_why(name: str, said: str) -> None:
    with pytest.raises(SchemeError, match=said):
        find_scheme(name)
