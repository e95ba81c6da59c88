"""Scenarios: after each event, the whole list of actions."""

from __future__ import annotations

from random import Random

import pytest

from ipp_richsched.core.actions import FailTask, RelayReply
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.engines.engine import Engine
from ipp_richsched.core.engines.pool import EnginePool
from ipp_richsched.core.engines.schemes import BUILT_IN, find_scheme
from ipp_richsched.core.events import (
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.failures import Failure
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.task import TaskState
from ipp_richsched.wire.notices import notice_text

from .conftest import SLICE
from .driver import Driver, assign, fail, refuse, relay, text, warn

# -- where and in which order ----------------------------------------------------------


def test_a_task_goes_to_an_idle_engine_and_its_reply_back() -> None:
    core = Driver("a")
    assert core.submit("t") == [assign("t", "a")]
    assert core.reply("a", "t") == [relay("t", "a")]


def test_with_no_engine_a_task_waits_for_the_first() -> None:
    core = Driver()
    assert core.submit("t") == []
    assert core.wait(1000) == []
    assert core.register("a") == [assign("t", "a")]


def test_a_new_engine_is_the_first_in_line() -> None:
    core = Driver("a", "b", scheme="lru")
    assert core.submit("1") == [assign("1", "b")]
    assert core.submit("2") == [assign("2", "a")]


def test_an_engine_holds_no_more_than_the_high_water_mark() -> None:
    core = Driver("a", hwm=2)
    assert core.submit("1") == [assign("1", "a")]
    assert core.submit("2") == [assign("2", "a")]
    assert core.submit("3") == []
    assert core.reply("a", "2") == [relay("2", "a"), assign("3", "a")]


def test_hwm_0_is_no_limit() -> None:
    core = Driver("a", hwm=0)
    for number in range(100):
        assert core.submit(f"{number}") == [assign(f"{number}", "a")]


def test_submission_order_decides_among_tasks_that_may_run() -> None:
    core = Driver("a", "b")
    core.submit("first", targets=["a"])
    core.submit("second", targets=["b"])
    core.submit("late", after=["first"])
    core.submit("pinned", targets=["a"])
    core.submit("any")
    # `late` was submitted before the others and is released by the same reply
    assert core.reply("a", "first") == [relay("first", "a"), assign("late", "a")]
    assert core.reply("b", "second") == [relay("second", "b"), assign("any", "b")]
    assert core.reply("a", "late") == [relay("late", "a"), assign("pinned", "a")]


def test_a_retried_task_keeps_its_place() -> None:
    core = Driver("a")
    core.submit("old", retries=1)
    core.submit("new")
    core.register("b")  # takes `new`
    core.submit("newer")
    assert core.reply("a", "old", "error") == [assign("newer", "a")]  # not where it failed
    assert core.submit("newest") == []
    assert core.reply("b", "new") == [relay("new", "b"), assign("old", "b")]


def test_targets_restrict_a_task() -> None:
    core = Driver("a", "b", "c")
    assert core.submit("1", targets=["b"]) == [assign("1", "b")]
    assert core.submit("2", targets=["b"]) == []
    assert core.submit("3", targets=["b", "c"]) == [assign("3", "c")]
    assert core.submit("4") == [assign("4", "a")]
    assert core.reply("b", "1") == [relay("1", "b"), assign("2", "b")]


def test_what_waited_for_a_task_that_cannot_be_placed_keeps_its_place() -> None:
    core = Driver("a", "gone")
    core.submit("before", targets=["gone"])
    core.reply("gone", "before")
    core.submit("1", follow=Dependency(["before"], all=False), targets=["gone"], retries=1)
    core.submit("cleanup", after=Dependency(["1"], success=False, failure=True), targets=["a"])
    core.submit("busy", targets=["a"])
    core.submit("other", targets=["a"])
    core.unregister("gone")  # where alone 1 may run: it fails when it is to be placed again
    assert core.wait(5) == [fail("1")]
    assert core.reply("a", "busy") == [relay("busy", "a"), assign("cleanup", "a")]


# -- dependencies ----------------------------------------------------------------------


def test_after_waits_for_all() -> None:
    core = Driver("a", "b", "c")
    core.submit("1")
    core.submit("2")
    assert core.submit("last", after=["1", "2"]) == []
    assert core.reply("c", "1") == [relay("1", "c")]
    assert core.reply("b", "2") == [relay("2", "b"), assign("last", "a")]


def test_after_any_waits_for_the_first() -> None:
    core = Driver("a", "b", "c")
    core.submit("1")
    core.submit("2")
    assert core.submit("t", after=Dependency(["1", "2"], all=False)) == []
    assert core.reply("c", "1", "error") == [relay("1", "c")]
    assert core.reply("b", "2") == [relay("2", "b"), assign("t", "a")]


def test_after_a_failure_only() -> None:
    core = Driver("a")
    core.submit("1")
    core.submit("cleanup", after=Dependency(["1"], success=False, failure=True))
    assert core.reply("a", "1", "error") == [relay("1", "a"), assign("cleanup", "a")]


def test_after_what_has_long_finished() -> None:
    core = Driver("a")
    core.submit("good")
    core.reply("a", "good")
    core.submit("bad")
    core.reply("a", "bad", "error")
    assert core.submit("1", after=["good"]) == [assign("1", "a")]
    assert core.submit("2", after=["bad"]) == [fail("2")]


def test_an_impossible_dependency_takes_its_dependents_along() -> None:
    core = Driver("a")
    core.submit("head")
    core.submit("1", after=["head"])
    core.submit("2", after=["1"])
    core.submit("2b", follow=["1"])
    core.submit("cleanup", after=Dependency(["2"], success=False, failure=True))
    assert core.reply("a", "head", "error") == [
        relay("head", "a"),
        fail("1"),
        fail("2"),
        fail("2b"),
        assign("cleanup", "a"),
    ]


def test_a_chain_of_100_000_that_fails_is_answered() -> None:
    driver = Driver("a")
    core = driver.core
    driver.submit("0")
    core.validate = lambda: None  # type: ignore[method-assign]  # O(tasks) each
    for number in range(1, 100_000):
        driver.submit(f"{number}", after=[f"{number - 1}"])
    assert len(driver.reply("a", "0", "error")) == 100_000
    assert not core.tasks


@pytest.mark.parametrize("kind", ["after", "follow"])
def test_unknown_ids_and_itself_are_invalid(kind: str) -> None:
    core = Driver("a")
    core.submit("known")
    bad = core.submit("t", **{kind: ["known", "unknown"]})
    assert bad == [fail("t", Failure.INVALID_DEPENDENCY)]
    assert "unknown" in text(bad)
    bad = core.submit("self", **{kind: ["self"]})
    assert bad == [fail("self", Failure.INVALID_DEPENDENCY)]
    assert "the task itself" in text(bad)
    # no trace of it is left
    assert core.reply("a", "known") == [relay("known", "a")]


def test_follow_goes_where_the_other_ran() -> None:
    core = Driver("a", "b", hwm=2)
    core.submit("1", targets=["a"])
    assert core.submit("t", follow=["1"]) == []
    assert core.reply("a", "1") == [relay("1", "a"), assign("t", "a")]


def test_follow_any_goes_wherever_one_of_them_ran() -> None:
    core = Driver("a", "b")
    for msg_id, engine in (("1", "a"), ("2", "b")):
        core.submit(msg_id, targets=[engine])
    core.submit("busy", targets=["a"])
    core.submit("t", follow=Dependency(["1", "2"], all=False))
    # `busy` comes before it on a; when b turns out to do as well it need not wait
    assert core.reply("a", "1") == [relay("1", "a"), assign("busy", "a")]
    assert core.reply("b", "2") == [relay("2", "b"), assign("t", "b")]


def test_follow_all_on_two_engines_is_impossible() -> None:
    core = Driver("a", "b")
    core.submit("1", targets=["a"])
    core.submit("2", targets=["b"])
    core.submit("t", follow=["1", "2"])
    core.reply("a", "1")
    actions = core.reply("b", "2")
    assert actions == [relay("2", "b"), fail("t")]
    assert "different engines" in text(actions[1:])


def test_follow_what_ran_nowhere_is_impossible() -> None:
    core = Driver()
    core.submit("1", timeout=1)
    core.submit("t", follow=Dependency(["1"], success=False, failure=True))
    assert core.wait(1) == [fail("1", Failure.TASK_TIMEOUT), fail("t")]


def test_follow_off_its_targets_is_impossible() -> None:
    core = Driver("a", "b")
    core.submit("1", targets=["a"])
    core.submit("t", follow=["1"], targets=["b"])
    actions = core.reply("a", "1")
    assert actions == [relay("1", "a"), fail("t")]
    assert "targets" in text(actions[1:])


# -- failure and retries ---------------------------------------------------------------


def test_a_failed_task_is_retried_elsewhere_first() -> None:
    core = Driver("a", "b", scheme="lru")
    assert core.submit("t", retries=2) == [assign("t", "b")]
    assert core.reply("b", "t", "error") == [assign("t", "a")]
    # all have failed it: after a pause, any may try again
    assert core.reply("a", "t", "error") == []
    assert core.wait(1) == [assign("t", "b", mark=3)]
    assert core.reply("b", "t", "error") == [relay("t", "b")]


def test_a_fresh_engine_ends_the_pause() -> None:
    core = Driver("a")
    core.submit("t", retries=5)
    assert core.reply("a", "t", "error") == []
    assert core.register("b") == [assign("t", "b")]
    assert core.wait(1) == []


def test_a_timeout_ends_the_pause_if_it_is_shorter() -> None:
    core = Driver("a")
    core.submit("t", retries=5, timeout=0.1)
    core.reply("a", "t", "error")
    actions = core.wait(1)
    assert actions == [fail("t", Failure.TASK_TIMEOUT)]
    assert "had not failed it" in text(actions)


def test_an_aborted_task_is_never_run_again() -> None:
    core = Driver("a", "b")
    core.submit("t", retries=3)
    assert core.reply("b", "t", "aborted") == [relay("t", "b")]


def test_a_reply_without_status_is_a_failure() -> None:
    core = Driver("a", "b")
    core.submit("t", retries=1)
    assert core.reply("b", "t", None) == [assign("t", "a")]
    actions = core.reply("a", "t", None)
    assert actions == [fail("t", Failure.ENGINE_ERROR, engine="a")]
    assert "no status" in text(actions)


def test_a_stranded_task_is_taken_by_an_engine_that_can() -> None:
    core = Driver("a", stranded_timeout=10)
    core.submit("t")
    core.refuse("a", "t")
    core.wait(0.9)
    assert core.register("b") == [assign("t", "b")]
    assert core.wait(100) == []


def test_the_wait_of_a_stranded_task_starts_anew_after_an_engine_came_and_died() -> None:
    core = Driver("a", stranded_timeout=10, engine_grace=5)
    core.submit("first", targets=["b"])
    core.submit("t", targets=["c", "b"])
    core.wait(6)
    assert core.register("b") == [assign("first", "b")]
    assert core.unregister("b") == []
    assert core.wait(9) == [fail("first", Failure.ENGINE_ERROR, engine="b")]
    assert core.wait(1) == [fail("t")]


def test_stranded_timeout_0_fails_at_once_and_none_never() -> None:
    core = Driver("a", stranded_timeout=0)
    core.submit("t")
    core.refuse("a", "t")
    assert core.wait(0) == [fail("t")]
    core = Driver("a", stranded_timeout=None)
    core.submit("t")
    core.refuse("a", "t")
    core.submit("absent", targets=["b"])
    assert core.wait(1e9) == [assign("t", "a", mark=2)]
    assert core.register("b") == [assign("absent", "b")]


# -- engines that come and go ----------------------------------------------------------


def test_late_replies_count_within_the_grace() -> None:
    core = Driver("a", "b", engine_grace=5)
    core.submit("t", targets=["a"])
    assert core.unregister("a") == []
    assert core.wait(4.9) == []
    assert core.reply("a", "t") == [relay("t", "a")]
    assert core.wait(100) == []


def test_after_the_grace_a_task_has_failed_and_replies_are_discarded() -> None:
    core = Driver("a", "b", engine_grace=5)
    core.submit("1", targets=["a"])
    core.submit("2", after=["1"])
    core.unregister("a")
    actions = core.wait(5)
    assert actions == [fail("1", Failure.ENGINE_ERROR, engine="a"), fail("2")]
    assert "Engine a died while running task '1'" in text(actions[:1])
    assert core.reply("a", "1") == [warn()]


def test_a_dead_engines_tasks_are_retried() -> None:
    core = Driver("a", "b", engine_grace=5)
    core.submit("t", retries=1)
    core.unregister("b")
    assert core.wait(5) == [assign("t", "a")]


def test_a_task_pinned_to_an_engine_that_dies_fails_at_once() -> None:
    core = Driver("a", "b")
    core.submit("busy", targets=["a"])
    core.submit("queued", targets=["a"])
    core.submit("waiting", targets=["a"], after=["busy"])
    core.submit("either", targets=["a", "b"], after=["busy"])
    core.submit("follower", after=["queued"])
    assert core.unregister("a") == [fail("waiting"), fail("queued"), fail("follower")]
    assert core.submit("new", targets=["a"]) == [fail("new")]


def test_following_onto_an_engine_that_died_fails_at_once() -> None:
    core = Driver("a", "b", hwm=2)
    core.submit("done", targets=["a"])
    core.reply("a", "done")
    core.submit("other", targets=["b"])
    core.submit("waiting", follow=["done"], after=["other"])
    core.submit("chance", follow=Dependency(["done", "other"], all=False), after=["other"])
    assert core.unregister("a") == [fail("waiting")]
    actions = core.submit("new", follow=["done"])
    assert actions == [fail("new")]
    assert "died" in text(actions)
    assert core.reply("b", "other") == [relay("other", "b"), assign("chance", "b")]


def test_targets_that_were_never_seen_may_still_come() -> None:
    core = Driver("a", stranded_timeout=10)
    assert core.submit("t", targets=["x"]) == []
    assert core.register("x") == [assign("t", "x")]
    assert core.submit("u", targets=["y"]) == []
    actions = core.wait(10)
    assert actions == [fail("u")]
    assert "y" in text(actions)


def test_an_engine_announced_twice_counts_once() -> None:
    core = Driver("a")
    assert core.register("a") == [warn()]
    core.submit("1")
    assert core.submit("2") == []


def test_an_unknown_engine_that_goes_is_one_line() -> None:
    assert Driver().unregister("a") == [warn()]


def test_an_engine_without_a_connection_is_left_alone_for_a_while() -> None:
    core = Driver("a", "b", scheme="lru")
    assert core.submit("t") == [assign("t", "b")]
    assert core.unreachable("b", "t") == [assign("t", "a")]
    assert core.submit("u") == []
    assert core.wait(0.05) == [assign("u", "b")]
    assert core.unreachable("b", "u") == []
    assert core.wait(0.09) == []  # twice as long
    assert core.wait(0.02) == [assign("u", "b")]


def test_an_unreachable_engine_does_not_stop_a_timeout() -> None:
    core = Driver("a")
    core.submit("t", timeout=1)
    for _ in range(3):
        core.unreachable("a", "t")
        core.wait(0.25)
    assert core.unreachable("a", "t") == []
    assert core.wait(0.3)[0] == fail("t", Failure.TASK_TIMEOUT)


def test_an_engine_that_comes_back_starts_anew() -> None:
    core = Driver("a", engine_grace=5)
    core.submit("t", retries=1)
    core.unregister("a")
    assert core.register("a") == []
    assert core.submit("u") == [assign("u", "a")]
    assert core.reply("a", "u") == [relay("u", "a")]
    # it may have had the message before: what it gets now differs
    assert core.wait(6) == [assign("t", "a", mark=2)]
    assert core.reply("a", "t") == [relay("t", "a")]


# -- time ------------------------------------------------------------------------------


def test_a_timeout_counts_the_time_in_the_queue() -> None:
    core = Driver("a", "b")
    assert core.submit("runs", timeout=1, targets=["a"], retries=1) == [assign("runs", "a")]
    assert core.wait(100) == []
    core.submit("waits", timeout=1, after=["runs"])
    actions = core.wait(1)
    assert actions == [fail("waits", Failure.TASK_TIMEOUT)]
    assert "after runs" in text(actions)
    core.submit("queued", timeout=1, targets=["a"])
    assert core.wait(1) == [fail("queued", Failure.TASK_TIMEOUT)]
    # anew each time it is queued
    core.reply("a", "runs", "error")
    assert core.wait(0.25) == [assign("runs", "a", mark=2)]


# -- bad input -------------------------------------------------------------------------


def test_a_task_is_accepted_once() -> None:
    core = Driver("a")
    core.submit("t")
    assert core.submit("t") == [refuse("t", under_way=True)]
    core.reply("a", "t")
    assert core.submit("t") == [refuse("t", under_way=False)]


def test_a_rejected_task_has_failed() -> None:
    core = Driver("a")
    actions = core.reject("t", "'retries' is 'many'")
    assert actions == [fail("t", Failure.INVALID_METADATA)]
    assert "'retries' is 'many'" in text(actions)
    assert core.submit("u", after=["t"]) == [fail("u")]


def test_an_answer_to_a_task_that_an_engine_does_not_hold_frees_nothing() -> None:
    core = Driver("a", "b")
    core.submit("1", targets=["a"])
    core.submit("2", targets=["a"])
    assert core.reply("a", "2") == [warn()]
    assert core.reply("b", "1") == [warn()]
    assert core.reply("b", "nothing") == [warn()]
    assert core.reply("a", "1") == [relay("1", "a"), assign("2", "a")]
    assert core.reply("a", "1") == [warn()]


def test_a_transition_that_is_not_in_the_table_is_an_error() -> None:
    core = Driver("a")
    core.submit("t")
    task = core.core.tasks["t"]
    with pytest.raises(RuntimeError, match="t: no way from ASSIGNED to WAITING"):
        task.move(TaskState.WAITING)


# -- work in slices --------------------------------------------------------------------


def test_what_one_event_entails_is_worked_off_in_slices() -> None:
    driver = Driver("a", "b", hwm=0, engine_grace=1)
    core = driver.core
    many = 3 * SLICE
    driver.submit("head", targets=["a"])
    for number in range(many):
        driver.submit(f"{number}", after=["head"], targets=["a", "b"])
    actions = core.handle(TaskReplied(b"a", "head", "ok"), now=driver.now)
    assert len(actions) == 1 + SLICE
    assert core.busy
    assert core.next_deadline() == driver.now
    # what comes meanwhile is taken in, and waits for none of it
    assert core.handle(TaskSubmitted("new"), now=driver.now) == []
    bad = TaskSubmitted("bad", "message bad", after=Dependency(["?"]))
    assert core.handle(bad, now=driver.now) == [fail("bad", Failure.INVALID_DEPENDENCY)]
    actions += driver.wait(0)
    assert len(actions) == 1 + many + 1
    # the tasks of a dead engine fail in slices, too
    held = len(core.pool.engines[b"b"].attempts)
    assert held > SLICE
    driver.unregister("b")
    driver.now += 1
    assert len(core.handle(TimePassed(), now=driver.now)) == SLICE
    assert core.next_deadline() == driver.now
    assert len(driver.wait(0)) == held - SLICE


def test_a_reply_waits_for_none_of_the_work_that_is_left() -> None:
    driver = Driver(hwm=0)
    core = driver.core
    for number in range(3 * SLICE):
        driver.submit(f"{number}")
    core.handle(EngineRegistered(b"a"), now=driver.now)
    for number in range(SLICE):
        reply = TaskReplied(b"a", f"{number}", "ok")
        assert [type(action) for action in core.handle(reply, now=driver.now)] == [RelayReply]
    assert core.busy
    assert len(driver.wait(0)) == 2 * SLICE


def test_an_engine_that_dies_while_it_is_filled_gets_no_more() -> None:
    driver = Driver(hwm=0)
    core = driver.core
    for number in range(3 * SLICE):
        driver.submit(f"{number}")
    core.handle(EngineRegistered(b"a"), now=driver.now)
    assert core.busy
    core.handle(EngineUnregistered(b"a"), now=driver.now)
    assert driver.wait(1) == []
    driver.register("b")
    assert len(core.pool.engines[b"b"].attempts) == 2 * SLICE


@pytest.mark.parametrize("kind", ["after", "follow"])
def test_dependents_come_in_their_order_though_they_are_more_than_a_slice(kind: str) -> None:
    driver = Driver("a", hwm=0)
    driver.submit("head")
    msg_ids = [f"{number}" for number in range(SLICE + 100)]
    for msg_id in msg_ids:
        driver.core.handle(
            TaskSubmitted(msg_id, f"message {msg_id}", **{kind: Dependency(["head"])}),  # type: ignore[arg-type]
            now=driver.now,
        )
    assert driver.reply("a", "head")[1:] == [assign(msg_id, "a") for msg_id in msg_ids]


def test_engines_take_a_backlog_in_turn_though_it_is_more_than_a_slice() -> None:
    driver = Driver(hwm=0)
    core = driver.core
    engines = SLICE + 100
    for number in range(10 * engines):
        core.handle(TaskSubmitted(f"{number}"), now=driver.now)
    for number in range(engines):
        core.handle(EngineRegistered(b"%d" % number), now=driver.now)
    core.validate = lambda: None  # type: ignore[method-assign]  # O(tasks * engines) each
    driver.wait(0)
    # but for the first, which was alone with a slice
    _, *others = [len(engine.attempts) for engine in core.pool.engines.values()]
    assert max(others) - min(others) <= 1


def test_a_deadline_that_comes_with_work_left_comes_after_it() -> None:
    driver = Driver("idle", hwm=0)
    core = driver.core
    for number in range(2 * SLICE):
        driver.submit(f"{number}", targets=["a"])
    core.handle(EngineRegistered(b"a"), now=driver.now)
    assert core.busy
    late = TaskSubmitted("late", "message late", frozenset({b"idle"}), timeout=0.01)
    assert core.handle(late, now=driver.now) == []
    driver.now += 0.02  # a turn of the loop takes its time
    assert assign("late", "idle") in driver.wait(0)


def test_what_a_task_waited_for_when_its_time_was_up_though_all_is_there() -> None:
    driver = Driver("a", hwm=0)
    core = driver.core
    driver.submit("head")
    for number in range(2 * SLICE):
        driver.submit(f"{number}", after=["head"])
    driver.submit("late", after=["head"], timeout=1)
    core.handle(TaskReplied(b"a", "head", "ok"), now=driver.now)
    driver.now += 1
    (failure,) = [
        action
        for action in core.handle(TimePassed(), now=driver.now)
        if isinstance(action, FailTask)
    ]
    assert text([failure]) == "task late waited 1 s for its turn"


def test_the_tasks_of_many_engines_that_died_fail_in_slices() -> None:
    driver = Driver("a", "b", hwm=0, engine_grace=1)
    core = driver.core
    core.validate = lambda: None  # type: ignore[method-assign]  # O(tasks) each
    for number in range(SLICE):
        driver.submit(f"{number}", targets=["a" if number % 2 else "b"])
    driver.submit("last", targets=["b"])
    driver.unregister("a")
    driver.unregister("b")
    driver.now += 1
    assert len(core.handle(TimePassed(), now=driver.now)) == SLICE
    assert driver.wait(0) == [fail("last", Failure.ENGINE_ERROR, engine="b")]


def test_an_engine_takes_a_backlog_in_slices_and_in_order() -> None:
    driver = Driver(hwm=0)
    core = driver.core
    many = 3 * SLICE
    for number in range(many):
        driver.submit(f"{number}")
    taken = core.handle(EngineRegistered(b"a"), now=driver.now)
    assert len(taken) == SLICE
    assert core.busy
    taken += core.handle(TaskSubmitted("new"), now=driver.now)
    taken += driver.wait(0)
    assert [action.msg_id for action in taken] == [*map(str, range(many)), "new"]


def test_a_send_that_failed_for_a_task_that_is_there_no_more_changes_nothing() -> None:
    core = Driver("b", "a")
    core.submit("t")
    assert core.unreachable("b", "t") == []
    core.reply("a", "t")
    assert core.unreachable("a", "t") == []
    assert core.submit("next") == [assign("next", "b")]


def test_names_for_people() -> None:
    core = Driver("a").core
    core.handle(EngineRegistered(b"b"), now=101)
    core.handle(TaskSubmitted("t", targets=frozenset([b"a"])), now=101)
    assert repr(core.pool.engines[b"b"]) == "<Engine b'b' load 0>"
    assert repr(core.tasks["t"].attempt) == "<Attempt 1 of t on b'a'>"
    assert (len(core.state.history), len(core.state.queue)) == (0, 0)


def test_tasks_that_are_saved_before_their_turn_to_fail_are_run() -> None:
    driver = Driver("a", "c")
    core = driver.core
    driver.submit("busy", targets=["a"])
    core.validate = lambda: None  # type: ignore[method-assign]  # O(tasks) each
    for number in range(SLICE + 10):
        driver.submit(f"{number}", targets=["a", "b"])
    core.handle(EngineUnregistered(b"a"), now=driver.now)  # strands them, for b may still come
    assert core.busy
    assert driver.register("b") == [assign("0", "b")]
    assert driver.reply("b", "0") == [relay("0", "b"), assign("1", "b")]


def test_tasks_that_time_out_before_they_are_looked_at_again_do_so_once() -> None:
    driver = Driver("a", "c")
    core = driver.core
    driver.submit("busy", targets=["a"])
    for number in range(3 * SLICE):
        driver.submit(f"{number}", targets=["a", "b"], timeout=1 - number / 1000)
    driver.now += 1
    core.handle(EngineUnregistered(b"a"), now=driver.now)
    assert core.busy
    actions = driver.wait(0)
    answered = [action.msg_id for action in actions if isinstance(action, FailTask)]
    assert sorted(answered) == sorted(f"{number}" for number in range(3 * SLICE))


def test_a_task_for_an_engine_that_others_fill_waits_its_turn() -> None:
    driver = Driver(hwm=0)
    core = driver.core
    for number in range(3 * SLICE):
        driver.submit(f"{number}")
    first = core.handle(EngineRegistered(b"a"), now=driver.now)
    core.handle(TaskSubmitted("last", "message last", frozenset([b"a"])), now=driver.now)
    assigned = [action.msg_id for action in [*first, *driver.wait(0)]]  # type: ignore[union-attr]
    assert assigned == [*map(str, range(3 * SLICE)), "last"]


def test_a_task_for_an_engine_that_is_not_there_is_told_of_when_the_first_one_comes() -> None:
    core = Driver(stranded_timeout=1)
    assert core.submit("t", targets=["x"]) == []
    assert core.register("a") == []
    assert "not registered: engine x" in notice_text(core.told[-1])
    assert core.register("b") == []
    assert core.wait(1) == [fail("t")]


def test_a_stranded_task_outlives_the_last_engine() -> None:
    core = Driver("a", stranded_timeout=10)
    core.submit("t")
    core.refuse("a", "t")
    core.unregister("a")
    assert core.wait(100) == []  # the cluster may be starting again
    assert core.register("b") == [assign("t", "b")]


def test_the_wait_for_an_absent_engine_begins_anew_after_a_time_without_any() -> None:
    core = Driver("a", stranded_timeout=10)
    core.submit("t", targets=["x"])
    core.wait(9)
    core.unregister("a")
    assert core.wait(100) == []
    core.register("b")
    assert core.wait(9) == []
    assert core.wait(1) == [fail("t")]


def test_a_task_is_rejected_once() -> None:
    core = Driver("a")
    core.submit("t")
    assert core.reject("t", "whatever") == [refuse("t", under_way=True)]
    assert repr(core.core.tasks["t"]) == "<Task t ASSIGNED>"


def test_a_follower_of_any_waits_for_the_others_when_the_engine_of_one_dies() -> None:
    core = Driver("a", "b")
    core.submit("1", targets=["a"])
    core.submit("2", targets=["b"])
    core.submit("busy", targets=["a"])
    core.submit("t", follow=Dependency(["1", "2"], all=False))
    core.reply("a", "1")
    assert core.unregister("a") == []
    assert core.reply("b", "2") == [relay("2", "b"), assign("t", "b")]


def test_loads_that_a_subclass_counts_are_its_own_affair() -> None:
    class Doubled(EnginePool):
        def assign(self, engine: Engine) -> None:
            super().assign(engine)
            engine.load += 1

    driver = Driver("a")
    driver.core = SchedulerCore(pool=Doubled(find_scheme("lru"), 3, Random(0)))
    driver.register("a")
    assert driver.submit("1") == [assign("1", "a")]
    assert driver.submit("2") == [assign("2", "a")]
    assert driver.submit("3") == []


def test_a_task_whose_targets_died_does_not_wait_for_the_rest_of_what_it_follows() -> None:
    core = Driver("b", "c", hwm=2)
    core.submit("t0", targets=["b"])
    core.submit("t1", targets=["c"])
    core.submit("x", targets=["c"])
    core.submit("y", targets=["c"])
    core.submit("t2", targets=["c"], follow=Dependency(["t0", "t1"], all=False))
    assert core.reply("c", "t1") == [relay("t1", "c"), assign("y", "c")]
    assert core.unregister("c") == [fail("t2")]


def test_a_follower_takes_up_again_with_an_engine_that_comes_back() -> None:
    core = Driver("c", "d")
    core.submit("t0", targets=["c"])
    core.submit("t1", targets=["d"])
    core.submit("t2", follow=Dependency(["t0", "t1"], all=False))
    core.unregister("d")
    assert core.reply("d", "t1") == [relay("t1", "d")]
    assert core.register("d") == [assign("t2", "d")]


def test_an_engine_that_stays_unreachable_is_one_line_in_the_log() -> None:
    core = Driver("a")
    core.submit("t")
    said = []
    for _ in range(20):
        said += core.unreachable("a", "t")
        core.wait(1)
    assert said == [warn()]
    assert "a is registered, but cannot be reached" in text(said)


def test_a_reply_that_cannot_be_read_is_logged() -> None:
    core = Driver("a")
    core.submit("t")
    event = TaskReplied(b"a", "t", None, problem="its metadata is a list")
    actions = core.handle(event)
    assert actions == [fail("t", Failure.ENGINE_ERROR, engine="a")]
    assert "its metadata is a list" in text(actions)


def test_follow_all_where_they_ran_together() -> None:
    core = Driver("a", "b")
    for msg_id in ("1", "2"):
        core.submit(msg_id, targets=["a"])
    core.submit("t", follow=["1", "2"])
    assert core.reply("a", "1") == [relay("1", "a"), assign("2", "a")]
    assert core.reply("a", "2") == [relay("2", "a"), assign("t", "a")]


def test_two_sends_that_find_no_engine_are_one_pause() -> None:
    core = Driver("a", hwm=2)
    core.submit("1")
    core.submit("2")
    assert core.unreachable("a", "1") == []
    assert core.unreachable("a", "2") == []
    assert core.wait(0.05) == [assign("1", "a"), assign("2", "a")]


def test_more_deadlines_at_once_than_a_slice() -> None:
    driver = Driver()
    core = driver.core
    core.validate = lambda: None  # type: ignore[method-assign]  # O(tasks) each
    for number in range(SLICE + 10):
        driver.submit(f"{number}", timeout=1)
    driver.now += 1
    assert len(core.handle(TimePassed(), now=driver.now)) == SLICE
    assert core.next_deadline() == driver.now
    assert len(driver.wait(0)) == 10
    assert len(core.state.graph) == 0


def test_a_follower_under_way_learns_where_else_it_may_run() -> None:
    core = Driver("a", "b", hwm=2)
    core.submit("1", targets=["a"])
    core.submit("2", targets=["b"])
    core.submit("t", follow=Dependency(["1", "2"], all=False), retries=1)
    assert core.reply("a", "1") == [relay("1", "a"), assign("t", "a")]
    assert core.reply("b", "2") == [relay("2", "b")]
    assert core.reply("a", "t", "error") == [assign("t", "b")]


# -- every state, every event of a task ------------------------------------------------


def in_state(state: TaskState) -> Driver:
    """A core in which the task t is in this state; engine a is idle, b may hold t."""
    core = Driver("a", "b", hwm=1, stranded_timeout=None)
    if state is TaskState.WAITING:
        core.submit("first", targets=["x"])
        core.submit("t", after=["first"])
    elif state is TaskState.READY:
        core.submit("t", targets=["x"])
    else:
        core.submit("t", targets=["b"], retries=1)
    if state is TaskState.SUCCEEDED:
        core.reply("b", "t")
    elif state is TaskState.FAILED:
        core.reply("b", "t", "aborted")
    else:
        assert core.core.tasks["t"].state is state
    return core


@pytest.mark.parametrize("state", TaskState)
@pytest.mark.parametrize(
    "event",
    [
        TaskSubmitted("t", "message t"),
        TaskRejected("t", "whatever", "message t"),
        TaskReplied(b"b", "t", "ok"),
        TaskReplied(b"b", "t", "error"),
        TaskReplied(b"b", "t", "aborted"),
        TaskReplied(b"b", "t", None),
        TaskReplied(b"b", "t", "error", dependencies_met=False),
        TaskReplied(b"a", "t", "ok"),
        EngineUnreachable(b"b", "t", 1),
        EngineUnreachable(b"a", "t", 2),
    ],
    ids=lambda event: type(event).__name__,
)
def test_each_event_of_a_task_in_each_state(state: TaskState, event: Event) -> None:
    core = in_state(state)
    held = state is TaskState.ASSIGNED
    if isinstance(event, EngineUnreachable):
        assert core.handle(event) == []  # it is to run there and nowhere else
        after = core.core.tasks["t"].state if "t" in core.core.tasks else state
        sent = held and event.engine == b"b"
        assert after is (TaskState.READY if sent else state)
        return
    replied = isinstance(event, TaskReplied) and event.engine == b"b"
    if not (held and replied):
        ignored = refuse("t", under_way="t" in core.core.tasks)
        if isinstance(event, TaskReplied):
            ignored = warn()
        assert core.handle(event) == [ignored]  # and nothing else has changed
        after = core.core.tasks["t"].state if "t" in core.core.tasks else state
        assert after is state
    elif event.status in ("ok", "aborted"):
        assert [type(action) for action in core.handle(event)] == [RelayReply]
    elif not event.dependencies_met:
        assert core.handle(event) == []  # its only target refused it
        assert core.core.tasks["t"].state is TaskState.READY
        assert core.wait(1) == [assign("t", "b", mark=2)]
    else:
        assert core.handle(event) == []
        assert core.core.tasks["t"].state is TaskState.READY
        assert core.wait(1) == [assign("t", "b", mark=2)]


def test_an_engine_that_is_gone_may_be_found_to_be_unreachable_late() -> None:
    core = Driver("a", "b", engine_grace=5)
    core.submit("t", targets=["a"])
    core.unregister("a")
    core.unreachable("a", "t")
    core.register("a")
    assert core.wait(1) == []
    core.submit("new", targets=["b"])
    assert core.reply("b", "new") == [relay("new", "b")]


@pytest.mark.parametrize("scheme", sorted(BUILT_IN))
def test_an_engine_without_room_dies(scheme: str) -> None:
    core = Driver("a", scheme=scheme)
    core.submit("t")
    core.submit("next")
    core.unregister("a")
    core.register("b")
    assert core.reply("b", "next") == [relay("next", "b")]


@pytest.mark.parametrize("scheme", sorted(BUILT_IN))
def test_one_of_several_engines_that_hold_as_much_has_no_room(scheme: str) -> None:
    core = Driver("a", "b", "c", scheme=scheme)
    (first,), (second,), (third,) = (core.submit(msg_id) for msg_id in ("1", "2", "3"))
    assert {first.engine, second.engine, third.engine} == {b"a", b"b", b"c"}  # type: ignore[union-attr]
