"""The collections of the core, where their own behaviour shows."""

from __future__ import annotations

import tracemalloc
from random import Random

import hypothesis.strategies as st
from hypothesis import given

from ipp_richsched.core.deadlines import Deadlines, Entry, Kind
from ipp_richsched.core.dependency import NOTHING
from ipp_richsched.core.engines.engine import NO_ENGINES, Engine
from ipp_richsched.core.flags import PLAIN
from ipp_richsched.core.history import ROW, History, Outcome
from ipp_richsched.core.ready.groups import Group
from ipp_richsched.core.ready.queue import ReadyQueue
from ipp_richsched.core.tallies import Tally
from ipp_richsched.core.task import Task


def task(seq: int) -> Task:
    tally = Tally(0, b"", None)
    return Task(f"t{seq}", seq, None, None, NOTHING, NOTHING, None, 0, PLAIN, b"", tally, 0.0)


@given(st.lists(st.tuples(st.sampled_from(["add", "cancel", "pop"]), st.integers(0, 20))))
def test_deadlines_fall_due_in_order(steps: list[tuple[str, int]]) -> None:
    deadlines = Deadlines()
    live: list[Entry] = []
    for step, number in steps:
        if step == "add":
            live.append(deadlines.add(number, Kind.TIMEOUT, "task"))
        elif step == "cancel" and live:
            deadlines.cancel(live.pop(number % len(live)))
        elif step == "pop":
            due = deadlines.pop_due(number)
            expected = min(live, default=None)
            if expected is None or expected.when > number:
                assert due is None
            else:
                assert due is expected
                live.remove(expected)
        assert len(deadlines) == len(live)
        assert deadlines.next() == min((entry.when for entry in live), default=None)


def test_cancelled_deadlines_do_not_pile_up() -> None:
    deadlines = Deadlines()
    for _ in range(10_000):
        deadlines.cancel(deadlines.add(1e9, Kind.TIMEOUT, "task"))
    assert len(deadlines._heap) < 200


@given(st.lists(st.integers(0, 30)), st.randoms(use_true_random=False))
def test_a_group_gives_its_tasks_in_order(seqs: list[int], random: Random) -> None:
    group = Group(None, NO_ENGINES, 0)
    tasks = {seq: task(seq) for seq in seqs}
    present: set[int] = set()
    for seq in seqs:
        if seq in present:
            group.remove(tasks[seq])
            present.remove(seq)
        else:
            group.add(tasks[seq])
            present.add(seq)
        first = group.first()
        assert (first.rank if first else None) == min(present, default=None)
        assert {task.rank for task in group} == present
        assert group.size == len(present)


def test_tasks_that_left_a_group_do_not_pile_up() -> None:
    group = Group(None, NO_ENGINES, 0)
    group.add(task(0))
    for seq in range(1, 10_000):
        leaving = task(seq)
        group.add(leaving)
        group.remove(leaving)
    assert len(group._fifo) + len(group._late) < 200


def test_empty_groups_go() -> None:
    engine = Engine(b"a", 0)
    queue = ReadyQueue({b"a": engine})
    for number in range(10):
        queued = task(number)
        other = frozenset([Engine(b"%d" % number, 0)])
        queue.add(queued, frozenset([b"a", b"%d" % number]), other, 0.0)
        queue.remove(queued)
        excluded = task(100 + number)
        queue.add(excluded, None, other, 0.0)
        queue.remove(excluded)
    assert len(queue.groups()) == 1
    assert queue.first(engine, 0.0) is None


PREFIXES = st.sampled_from(["", "_", "session_1_", "session_2_", "session_1_0", "session_1"])
NUMBERS = st.sampled_from(
    ["", "0", "1", "01", "-1", "1 ", "²", "\u0661", f"{ROW}", f"{ROW - 1}", "9" * 20]
)
ENDS = st.tuples(st.booleans(), st.sampled_from([None, b"a", b"b"]))


@given(st.dictionaries(st.builds(str.__add__, PREFIXES, NUMBERS), ENDS), PREFIXES, NUMBERS)
def test_a_history_takes_no_msg_id_for_another(
    ends: dict[str, tuple[bool, bytes | None]], prefix: str, number: str
) -> None:
    history = History()
    outcomes = {
        msg_id: Outcome(succeeded, frozenset([engine] if engine else []))
        for msg_id, (succeeded, engine) in ends.items()
    }
    for msg_id, end in ends.items():
        assert history.record(msg_id, *end) == outcomes[msg_id]
    assert len(history) == len(outcomes)
    for msg_id in (prefix + number, *outcomes):
        assert history.get(msg_id) == outcomes.get(msg_id)
        assert (msg_id in history) == (msg_id in outcomes)


def test_a_history_keeps_a_few_bytes_of_a_task() -> None:
    tracemalloc.start()
    try:
        history = History()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(20_000):
            history.record(f"5cd3d2f1-67cc4e9b89adf2d355e6e762_12345_{number}", True, b"engine")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000 * 16
