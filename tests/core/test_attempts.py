"""A task and its attempts are two things; a rank may change; an engine that returns is new."""

from __future__ import annotations

from unittest import mock

import pytest

from ipp_richsched.core import cascade, lifecycle
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.engines.pool import EnginePool
from ipp_richsched.core.events import EngineRegistered, SendingFailed, TaskReplied, TaskSubmitted
from ipp_richsched.core.failures import Failure
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.notices import ReplyDiscarded
from ipp_richsched.core.placement.prospects import Prospects
from ipp_richsched.core.ready.groups import Group
from ipp_richsched.core.story import CoreError

from .driver import Driver, ask, assign, fail, relay, text, warn


def answered_while_it_runs(probe_after: float | None = None) -> Driver:
    """A core in which the task t has been answered, and its attempt still holds engine a."""
    driver = Driver("a", "b", probe_after=probe_after)
    driver.submit("1", targets=["a"])
    driver.submit("2", targets=["b"])
    driver.submit("t", follow=Dependency(["1", "2"], all=False))
    assert driver.reply("a", "1") == [relay("1", "a"), assign("t", "a")]
    fails = mock.Mock(side_effect=ZeroDivisionError)
    with (
        mock.patch.object(lifecycle, "count_follow", fails),
        mock.patch.object(cascade, "count_follow", fails),
        pytest.raises(CoreError) as caught,
    ):
        driver.reply("b", "2")
    assert caught.value.actions == [relay("2", "b"), fail("t", Failure.INTERNAL_ERROR)]
    driver.wait(1)
    return driver


def test_a_task_may_be_answered_while_its_attempt_holds_the_engine() -> None:
    driver = answered_while_it_runs()
    assert driver.submit("next", targets=["a"]) == []  # the engine is busy all the same
    assert driver.reply("a", "t") == [assign("next", "a")]  # and nobody waits for that answer
    assert driver.reply("a", "t") == [warn()]


def test_an_attempt_of_an_answered_task_goes_with_its_engine() -> None:
    driver = answered_while_it_runs()
    assert driver.unregister("a") == []
    assert driver.wait(100) == []
    assert driver.reply("a", "t") == [warn()]


def test_an_attempt_of_an_answered_task_that_is_lost_frees_the_engine() -> None:
    driver = answered_while_it_runs(probe_after=2)
    assert driver.wait(1) == [ask("a", 1)]
    driver.submit("next", targets=["a"])
    driver.answer("a", 1)
    assert driver.wait(0.1) == [assign("next", "a")]


def test_an_assignment_of_an_answered_task_that_was_never_sent_frees_the_engine() -> None:
    driver = answered_while_it_runs()
    sent = driver.sent["a", "t"]
    assert not driver.core.stands(sent)
    assert driver.handle(SendingFailed(b"a", "t", sent.attempt)) == []
    assert driver.submit("next", targets=["a"]) == [assign("next", "a")]


def test_an_engine_that_has_no_connection_for_an_answered_task_is_left_alone() -> None:
    driver = answered_while_it_runs()
    assert driver.unreachable("a", "t") == []
    assert driver.submit("next", targets=["a"]) == []
    assert driver.wait(0.05) == [assign("next", "a")]


def test_an_error_while_a_task_is_assigned_costs_no_slot() -> None:
    driver = Driver("a")
    unpatched = EnginePool.assign

    def fails_once_it_is_done(pool: EnginePool, engine: object) -> None:
        unpatched(pool, engine)  # type: ignore[arg-type]
        raise ZeroDivisionError

    with (
        mock.patch.object(EnginePool, "assign", fails_once_it_is_done),
        pytest.raises(CoreError) as caught,
    ):
        driver.submit("t")
    assert caught.value.actions == [fail("t", Failure.INTERNAL_ERROR)]
    driver.core.validate()
    assert driver.submit("next") == [assign("next", "a")]


def test_an_error_before_an_attempt_begins_costs_no_slot() -> None:
    driver = Driver("a")
    with (
        mock.patch.object(lifecycle, "Attempt", side_effect=ZeroDivisionError),
        pytest.raises(CoreError) as caught,
    ):
        driver.submit("t")
    assert caught.value.actions == [fail("t", Failure.INTERNAL_ERROR)]
    assert driver.submit("next") == [assign("next", "a")]


def test_a_reply_to_an_earlier_attempt_on_the_same_engine_changes_nothing() -> None:
    driver = Driver("a")
    driver.submit("t", retries=2)
    driver.reply("a", "t", "error")
    assert driver.wait(1) == [assign("t", "a", mark=2)]
    for mark in (0, 1, 3):
        actions = driver.reply("a", "t", mark=mark)
        assert actions == [warn()]
        assert actions[0].notice == ReplyDiscarded(b"a", "t")  # type: ignore[union-attr]
    assert driver.submit("next") == []  # the engine still has it
    assert driver.reply("a", "t", mark=2) == [relay("t", "a"), assign("next", "a")]


def test_news_of_an_earlier_attempt_that_was_not_sent_changes_nothing() -> None:
    driver = Driver("a", "b", engine_grace=0)
    driver.submit("busy", targets=["a"])
    (first,) = driver.submit("t", retries=1)
    driver.unregister("b")
    driver.wait(0)
    assert driver.register("b") == [assign("t", "b", mark=2)]
    assert driver.handle(SendingFailed(b"b", "t", first.attempt)) == []  # type: ignore[union-attr]
    assert driver.reply("b", "t") == [relay("t", "b")]


def test_a_send_that_failed_frees_the_engine_and_fails_the_task() -> None:
    driver = Driver("a")
    driver.submit("t", retries=9)
    failed = fail("t", Failure.INTERNAL_ERROR)
    assert driver.handle(SendingFailed(b"a", "t", 1)) == [failed]
    assert driver.submit("next") == [assign("next", "a")]


@pytest.mark.parametrize("targets", [[], ["a", "b"]])
def test_an_engine_that_failed_a_task_and_comes_back_is_a_new_one(targets: list[str]) -> None:
    driver = Driver("a", "b")
    driver.submit("busy", targets=["a"])
    driver.submit("t", retries=3, targets=targets)
    driver.submit("later", targets=["b"])
    assert driver.reply("b", "t", "error") == [assign("later", "b")]
    driver.unregister("b")
    assert driver.register("b") == [assign("t", "b", mark=2)]


def test_an_engine_that_refused_a_task_and_comes_back_is_a_new_one() -> None:
    driver = Driver("a", "b")
    driver.submit("t", targets=["a", "b"])
    driver.submit("busy")
    assert driver.refuse("b", "t") == []
    driver.unregister("b")
    assert driver.register("b") == [assign("t", "b", mark=2)]


# -- ranks -------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [[], ["a"]])
def test_a_rank_may_change_while_its_task_is_queued(targets: list[str]) -> None:
    driver = Driver("a")
    driver.submit("busy")
    for msg_id in ("1", "2", "3", "4"):
        driver.submit(msg_id, targets=targets)
    core, tasks = driver.core, driver.core.tasks
    core.state.queue.change_rank(tasks["3"], 0, driver.now)
    core.validate()
    core.state.queue.change_rank(tasks["1"], 100, 0.0)
    core.validate()
    order = []
    last = "busy"
    for _ in range(4):
        _, assigned = driver.reply("a", last)
        last = assigned.msg_id  # type: ignore[union-attr]
        order.append(last)
    assert order == ["3", "2", "4", "1"]


def test_a_rank_decides_between_tasks_that_different_engines_may_take() -> None:
    driver = Driver("a", "b")
    assert driver.submit("t", retries=1) == [assign("t", "b")]
    driver.submit("busy")
    assert driver.reply("b", "t", "error") == []
    driver.submit("busy too")
    driver.submit("later")
    driver.core.state.queue.change_rank(driver.core.tasks["t"], 100, 0.0)
    assert driver.reply("a", "busy") == [relay("busy", "a"), assign("later", "a")]
    assert driver.reply("a", "later") == [relay("later", "a"), assign("t", "a")]


def test_a_rank_may_come_to_what_it_was() -> None:
    driver = Driver("a")
    driver.submit("busy")
    for msg_id in ("1", "2"):
        driver.submit(msg_id)
    queue, task = driver.core.state.queue, driver.core.tasks["1"]
    before = task.rank
    queue.change_rank(task, 50, 0.0)
    queue.change_rank(task, before, 0.0)
    driver.core.validate()
    assert driver.reply("a", "busy") == [relay("busy", "a"), assign("1", "a")]
    assert driver.reply("a", "1") == [relay("1", "a"), assign("2", "a")]


# -- what a reply costs ------------------------------------------------------------------


def test_a_reply_looks_at_a_few_of_many_different_sets_of_targets() -> None:
    core = SchedulerCore()
    names = [b"%d" % number for number in range(14)]
    for name in names:
        core.handle(EngineRegistered(name), now=0)
    for number, name in enumerate(names):
        core.handle(TaskSubmitted(f"busy {number}", targets=frozenset([name])), now=0)
    for chosen in range(1, 2 ** len(names), 3):
        targets = frozenset(name for place, name in enumerate(names) if chosen >> place & 1)
        core.handle(TaskSubmitted(f"{chosen}", targets=targets), now=0)
    with mock.patch.object(Group, "first", autospec=True, side_effect=Group.first) as looks:
        actions = core.handle(TaskReplied(b"0", "busy 0", "ok"), now=0)
    assert [action.msg_id for action in actions] == ["busy 0", "1"]  # type: ignore[union-attr]
    assert looks.call_count < 10


def test_sets_of_targets_that_come_and_go_do_not_pile_up() -> None:
    driver = Driver("a", "b")
    driver.core.validate = lambda: None  # type: ignore[method-assign]  # it puts lines right
    driver.submit("busy a", targets=["a"])
    driver.submit("busy b", targets=["b"])
    queue = driver.core.state.queue
    for number in range(500):
        driver.submit(f"{number}", targets=["a", "b", f"{number}"], timeout=1)
        driver.wait(1)
    assert len(queue) == 0
    assert all(len(line.heap) < 100 for line in queue._lines.values())
    driver.submit("t", targets=["a", "b"])
    assert driver.reply("a", "busy a") == [relay("busy a", "a"), assign("t", "a")]


def test_a_set_of_targets_whose_first_task_changed_keeps_its_place() -> None:
    driver = Driver("a")
    driver.submit("busy")
    driver.submit("1", targets=["a", "x"], timeout=1)
    driver.submit("2", targets=["a", "y"])
    driver.submit("3", targets=["a", "x"])
    assert text(driver.wait(1)).startswith("task 1 waited")
    assert driver.reply("a", "busy") == [relay("busy", "a"), assign("2", "a")]
    assert driver.reply("a", "2") == [relay("2", "a"), assign("3", "a")]


def test_a_group_whose_first_task_changes_often_is_no_work_for_its_engines() -> None:
    driver = Driver("a", "b")
    driver.core.validate = lambda: None  # type: ignore[method-assign]  # it puts lines right
    driver.submit("busy", targets=["b"])
    driver.submit("0", targets=["a", "b"])
    for number in range(1, 500):
        driver.submit(f"{number}", after=[f"{number - 1}"], targets=["a", "b"])
    for number in range(500, 600):
        driver.submit(f"{number}", targets=["a", "b"])
    for number in range(499):
        assert driver.reply("a", f"{number}")[1:] == [assign(f"{number + 1}", "a")]
    lines = driver.core.state.queue._lines.values()
    assert all(len(line.heap) < 100 for line in lines)
    with mock.patch.object(Group, "first", autospec=True, side_effect=Group.first) as looks:
        assert driver.reply("a", "499")[1:] == [assign("500", "a")]
    assert looks.call_count < 10


def test_ranks_that_fall_do_not_pile_up() -> None:
    driver = Driver("a")
    driver.submit("busy")
    driver.submit("t", targets=["a", "x"])
    driver.submit("other", targets=["a", "x"])
    queue, task = driver.core.state.queue, driver.core.tasks["t"]
    for rank in range(500):
        queue.change_rank(task, -rank, 0.0)
        queue.change_rank(task, 1000, 0.0)
    driver.core.validate()
    assert all(len(line.heap) < 100 for line in queue._lines.values())
    assert len(queue.group_of(task)._fifo) + len(queue.group_of(task)._late) < 200
    assert driver.reply("a", "busy") == [relay("busy", "a"), assign("other", "a")]


@pytest.mark.parametrize("status", ["ok", "error"])
def test_an_error_in_counting_an_answer_leaves_its_task_not_without_one(status: str) -> None:
    driver = Driver("a")
    driver.submit("t", retries=3)
    with (
        mock.patch.object(EnginePool, "finish", side_effect=ZeroDivisionError),
        pytest.raises(CoreError) as caught,
    ):
        driver.reply("a", "t", status)
    assert caught.value.actions == [fail("t", Failure.INTERNAL_ERROR)]


def test_two_errors_in_assigning_a_task_leave_it_not_without_an_answer() -> None:
    driver = Driver("a")
    with (
        mock.patch.object(EnginePool, "assign", side_effect=ZeroDivisionError),
        mock.patch.object(EnginePool, "finish", side_effect=ZeroDivisionError),
        pytest.raises(CoreError) as caught,
    ):
        driver.submit("t")
    assert caught.value.actions == [fail("t", Failure.INTERNAL_ERROR)]


def test_an_error_in_looking_where_a_task_may_run_strikes_that_task_alone() -> None:
    driver = Driver("a")
    with (
        mock.patch.object(Prospects, "places", side_effect=ZeroDivisionError),
        pytest.raises(CoreError) as caught,
    ):
        driver.submit("bad")
    assert caught.value.actions == [fail("bad", Failure.INTERNAL_ERROR)]
    assert driver.submit("good") == [assign("good", "a")]
