"""The flags of a rich view: priority, max_crashes, run_timeout; and engines that are busy."""

from __future__ import annotations

import itertools
from unittest import mock

import pytest

from ipp_richsched.core.actions import Action, AssignTask
from ipp_richsched.core.attempt_reasons import EngineDied
from ipp_richsched.core.failures import Failure, TaskError
from ipp_richsched.core.lifecycle import Lifecycle
from ipp_richsched.core.notices import TaskRetried
from ipp_richsched.core.story import CoreError

from .conftest import SLICE
from .driver import Driver, assign, fail, relay, text

# -- priority ------------------------------------------------------------------------------


def test_a_higher_priority_comes_first_and_within_one_the_order_of_submission() -> None:
    core = Driver("a")
    core.submit("running")
    for name, priority in (("x", 0), ("low", -1), ("high", 5), ("y", 0), ("high2", 5)):
        core.submit(name, priority=priority)
    assert core.order() == ["running", "high", "high2", "x", "y", "low"]


def test_a_higher_priority_does_not_wait_behind_targets() -> None:
    core = Driver("a", "b")
    core.submit("on a", targets=["a"])
    core.submit("on b", targets=["b"])
    core.submit("anywhere")
    core.submit("pinned", targets=["a"], priority=1)
    assert core.reply("a", "on a") == [relay("on a", "a"), assign("pinned", "a")]
    assert core.reply("b", "on b") == [relay("on b", "b"), assign("anywhere", "b")]


def test_a_waiting_task_lends_its_priority_to_what_it_waits_for() -> None:
    core = Driver("a")
    core.submit("running")
    core.submit("middle", priority=1)
    core.submit("first")
    core.submit("second", after=["first"])
    core.submit("third", follow=["second"])
    assert core.submit("urgent", after=["third"], priority=2) == []
    assert core.order() == ["running", "first", "second", "third", "urgent", "middle"]


def test_a_loan_raises_nobody_who_has_more() -> None:
    core = Driver("a")
    core.submit("running")
    core.submit("high", priority=9)
    core.submit("middle", priority=5)
    core.submit("waits", after=["high"], priority=1)
    core.submit("late", priority=9)
    assert core.order() == ["running", "high", "late", "middle", "waits"]


def test_a_loan_reaches_a_task_that_runs_and_is_retried() -> None:
    core = Driver("a", retry_elsewhere=0)
    core.submit("t", retries=1)
    core.submit("middle", priority=1)
    core.submit("urgent", after=["t"], priority=2)
    mark = 2
    assert core.reply("a", "t", "error") == [assign("t", "a", mark)]


def test_loans_to_many_come_in_slices() -> None:
    core = Driver("a")
    core.submit("running")
    core.submit("middle", priority=1)
    chain = [f"t{number}" for number in range(3 * SLICE)]
    core.submit(chain[0])
    for before, name in itertools.pairwise(chain):
        core.submit(name, after=[before])
    core.submit("urgent", after=chain, priority=2)
    assert core.order() == ["running", *chain, "urgent", "middle"]


def test_waiting_is_worth_priority_where_tasks_age() -> None:
    core = Driver("a", aging=10)
    core.submit("running")
    core.submit("old")
    core.wait(19)
    core.submit("young", priority=2)
    core.wait(2)
    core.submit("younger", priority=2)
    assert core.order() == ["running", "young", "old", "younger"]


def test_priority_alone_starves_without_aging() -> None:
    core = Driver("a")
    core.submit("running")
    core.submit("old")
    core.wait(10_000)
    core.submit("young", priority=1)
    assert core.order() == ["running", "young", "old"]


def test_a_task_that_killed_an_engine_comes_behind_the_lowest() -> None:
    core = Driver("a", engine_grace=0)
    core.submit("killer", retries=1, priority=9)
    core.submit("low", priority=-9)
    core.submit("normal")
    core.unregister("a")
    core.wait(0)
    core.submit("urgent", after=["killer"], priority=9)  # it raises no killer
    core.register("b")
    assert core.order("b") == ["normal", "low", "killer", "urgent"]


# -- deaths and retries ---------------------------------------------------------------------


def die(core: Driver, engine: str) -> list[Action]:
    core.unregister(engine)
    return core.wait(core.core.state.settings.engine_grace)


def test_max_crashes_lets_a_task_run_again_and_uses_up_no_retry() -> None:
    core = Driver("a", "b", "c", engine_grace=1)
    core.submit("t", max_crashes=2)
    assert die(core, "c") == [assign("t", "b")]
    assert core.told[1:] == [TaskRetried("t", EngineDied(b"c", True), 0)]
    assert die(core, "b") == [assign("t", "a")]
    actions = die(core, "a")
    assert actions == [fail("t", Failure.ENGINE_ERROR, engine="a")]
    assert "3 engines died while running it: engine c, engine b and engine a" in text(actions)


def test_retries_count_failures_only_where_max_crashes_is_given() -> None:
    core = Driver("a", "b", engine_grace=1)
    core.submit("t", max_crashes=1, retries=1)
    die(core, "b")
    core.register("c")
    assert core.reply("a", "t", "error") == [assign("t", "c")]
    assert core.reply("c", "t", "error") == [relay("t", "c")]


def test_a_death_is_no_retry_where_max_crashes_is_0() -> None:
    core = Driver("a", "b", engine_grace=1)
    core.submit("t", max_crashes=0, retries=3)
    assert die(core, "b") == [fail("t", Failure.ENGINE_ERROR, engine="b")]


def test_max_crashes_is_not_limited_by_the_setting() -> None:
    core = Driver("a", "b", "c", engine_grace=1, max_crashes=1)
    core.submit("t", max_crashes=5)
    assert die(core, "c") == [assign("t", "b")]


def test_a_task_that_only_waited_on_a_dead_engine_runs_again_for_nothing() -> None:
    core = Driver("a", engine_grace=1, hwm=2)
    core.submit("runs", max_crashes=0)
    core.submit("waits", max_crashes=0)
    core.unregister("a")
    core.register("b")
    assert core.wait(1) == [fail("runs", Failure.ENGINE_ERROR, engine="a"), assign("waits", "b")]


# -- run_timeout ----------------------------------------------------------------------------


def test_a_task_that_runs_too_long_fails_and_its_engine_is_busy_until_it_answers() -> None:
    core = Driver("a")
    core.submit("t", run_timeout=3)
    core.submit("next")
    core.submit("child", after=["t"])
    assert core.wait(2.9) == []
    actions = core.wait(0.1)
    assert actions == [fail("t", Failure.TASK_TIMEOUT, engine="a"), fail("child")]
    assert "ran for more than 3 s (its run_timeout) on engine a" in text(actions[:1])
    assert core.wait(100) == []
    assert core.reply("a", "t") == [assign("next", "a")]  # the late answer counts for nothing


def test_run_timeout_is_not_retried() -> None:
    core = Driver("a", "b")
    core.submit("t", run_timeout=3, retries=5)
    assert core.wait(3) == [fail("t", Failure.TASK_TIMEOUT, engine="b")]


def test_run_timeout_begins_when_it_is_the_engines_turn() -> None:
    core = Driver("a", hwm=3)
    core.submit("first")
    core.submit("second", run_timeout=3)
    core.submit("third", run_timeout=3)
    core.wait(10)
    assert core.reply("a", "first") == [relay("first", "a")]
    core.wait(2)
    assert core.reply("a", "second") == [relay("second", "a")]
    assert core.wait(2.9) == []
    assert core.wait(0.1) == [fail("third", Failure.TASK_TIMEOUT, engine="a")]


def test_run_timeout_begins_anew_for_each_attempt() -> None:
    core = Driver("a", "b")
    core.submit("t", run_timeout=3, retries=1)
    core.wait(2)
    assert core.reply("b", "t", "error") == [assign("t", "a")]
    assert core.wait(2.9) == []
    assert core.reply("a", "t") == [relay("t", "a")]
    assert core.core.next_deadline() is None


def test_an_engine_that_dies_with_a_task_that_ran_too_long_takes_nobody_with_it() -> None:
    core = Driver("a", engine_grace=5)
    core.submit("t", run_timeout=3, retries=1)
    core.wait(1)
    core.unregister("a")
    assert core.wait(2) == [fail("t", Failure.TASK_TIMEOUT, engine="a")]
    assert core.wait(10) == []


# -- busy engines ---------------------------------------------------------------------------


def test_a_busy_engine_gives_the_task_back_and_gets_it_again_later() -> None:
    core = Driver("a")
    core.submit("t")
    core.submit("next")
    assert core.reply("a", "t", "error", busy=2) == [assign("next", "a")]
    assert core.reply("a", "next") == [relay("next", "a")]
    assert core.wait(1.9) == []
    assert core.wait(0.1) == [assign("t", "a", mark=2)]
    assert core.reply("a", "t") == [relay("t", "a")]


def test_another_engine_takes_what_a_busy_one_gave_back_at_once() -> None:
    core = Driver("a", "b")
    core.submit("t")
    assert core.reply("b", "t", "error", busy=2) == [assign("t", "a")]


def test_busy_uses_up_no_retry_and_keeps_the_place() -> None:
    core = Driver("a")
    core.submit("t", retries=0)
    core.submit("x", targets=["a"])
    core.submit("y", targets=["a"])
    assert core.reply("a", "t", "error", busy=1) == [assign("x", "a")]
    core.wait(1)
    assert core.reply("a", "x") == [relay("x", "a"), assign("t", "a", mark=2)]
    assert core.reply("a", "t", "error") == [relay("t", "a"), assign("y", "a")]


def test_busy_engines_strand_nobody() -> None:
    core = Driver("a", "b", stranded_timeout=1)
    core.submit("t")
    core.reply("b", "t", "error", busy=100)
    assert core.reply("a", "t", "error", busy=50) == []
    assert core.wait(49.9) == []
    assert core.wait(0.1) == [assign("t", "a", mark=3)]
    assert core.told == []


def test_a_busy_engine_and_one_that_refused() -> None:
    core = Driver("a", "b", stranded_timeout=1)
    core.submit("t")
    core.refuse("b", "t")
    core.reply("a", "t", "error", busy=5)
    assert core.wait(4.9) == []
    assert core.wait(0.1) == [assign("t", "a", mark=3)]


def test_a_task_times_out_while_engines_are_busy() -> None:
    core = Driver("a")
    core.submit("t", timeout=1)
    core.reply("a", "t", "error", busy=5)
    actions = core.wait(1)
    assert actions == [fail("t", Failure.TASK_TIMEOUT)]
    assert "busy with something else" in text(actions)
    assert core.core.next_deadline() is None


def test_a_busy_engine_that_dies_is_no_reason_to_wait() -> None:
    core = Driver("a", "b")
    core.submit("t", targets=["a", "b"])
    core.reply("b", "t", "error", busy=5)
    core.reply("a", "t", "error", busy=3)
    core.unregister("a")
    assert core.unregister("b") == [fail("t")]


@pytest.mark.parametrize("busy", [0.0, 1e-9])
def test_busy_for_no_time_does_not_go_round_at_full_speed(busy: float) -> None:
    core = Driver("a")
    core.submit("t")
    assert core.reply("a", "t", "error", busy=busy, error=TaskError("EngineBusy", "")) == []
    actions = core.wait(0.1)
    assert [action for action in actions if isinstance(action, AssignTask)] == actions
    assert len(actions) == 1


def test_a_run_timeout_ends_when_an_error_of_our_own_has_answered_the_task() -> None:
    driver = Driver("a")
    driver.submit("t", run_timeout=5)
    with (
        mock.patch.object(Lifecycle, "end_attempt", side_effect=ZeroDivisionError("oh no")),
        pytest.raises(CoreError, match="oh no") as caught,
    ):
        driver.reply("a", "t")
    assert caught.value.actions == [fail("t", Failure.INTERNAL_ERROR)]
    assert driver.wait(10) == []
