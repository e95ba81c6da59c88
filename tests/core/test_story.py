"""What the core tells of itself: stories, reasons, errors of its own, and the same again."""

from __future__ import annotations

from unittest import mock

import pytest

from ipp_richsched.core import lifecycle
from ipp_richsched.core.actions import CancelDone
from ipp_richsched.core.causes import REMEMBERED
from ipp_richsched.core.engines.pool import EnginePool
from ipp_richsched.core.events import (
    CancelRequested,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.failures import Failure, TaskError
from ipp_richsched.core.graph import DependencyGraph, count_after
from ipp_richsched.core.history import History, Outcome
from ipp_richsched.core.lifecycle import Lifecycle
from ipp_richsched.core.placement.match import Placement
from ipp_richsched.core.ready.queue import ReadyQueue
from ipp_richsched.core.story import LINES, CoreError
from ipp_richsched.core.task import TRANSITIONS, Task, TaskState

from .driver import Driver, assign, fail, relay, text


def test_a_story_tells_what_happened_to_a_task() -> None:
    core = Driver("a", "b", scheme="lru")
    core.submit("first")
    core.submit("t", after=["first"], retries=1)
    core.submit("other")
    core.reply("b", "first")
    core.reply("b", "t", "error")
    core.reply("a", "other")
    core.reply("a", "t")
    assert [line.partition(" ")[2] for line in core.core.story("t")] == [
        "submitted",
        "ready",
        "assigned to b",
        "ready again: failed AttemptFailed(engine=b'b', error=None) 0",
        "assigned to a",
        "succeeded a",
    ]
    assert core.core.story("nobody") == []


def test_old_stories_are_forgotten() -> None:
    core = Driver()
    core.core.validate = lambda: None  # type: ignore[method-assign]  # O(tasks) each
    core.submit("old")
    for number in range(LINES):
        core.submit(f"{number}")
    assert core.core.story("old") == []


def test_a_cascade_names_the_task_that_failed_first() -> None:
    core = Driver("a")
    for number in range(4):
        core.submit(f"t{number}", after=[f"t{number - 1}"] if number else [])
    error = TaskError("ValueError", "3")
    _, second, third, fourth = core.reply("a", "t0", "error", error=error)
    why = "which failed with ValueError: 3"
    first = "; the first to fail was t0 with ValueError: 3"
    assert text([second]) == f"task t1 cannot run after t0, {why}"
    assert text([third]) == f"task t2 cannot run after t1, which failed{first}"
    assert text([fourth]) == f"task t3 cannot run after t2, which failed{first}"
    later = core.submit("later", after=["t3"])
    assert text(later) == f"task later cannot run after t3, which failed{first}"


def test_a_cascade_names_an_error_of_our_own() -> None:
    core = Driver()
    core.submit("t0", timeout=1)
    core.submit("t1", after=["t0"])
    _, second = core.wait(1)
    assert text([second]) == "task t1 cannot run after t0, which failed with TaskTimeout"


def test_the_causes_of_old_failures_are_forgotten() -> None:
    core = Driver("a")
    error = TaskError("ValueError", "")
    for number in range(REMEMBERED + 2):
        core.submit(f"t{number}")
        core.reply("a", f"t{number}", "error", error=error)
        core.submit(f"after {number}", after=["t0"])
    assert "ValueError" in text(core.submit("x", after=["t0"]))  # it was asked for
    assert "ValueError" not in text(core.submit("y", after=["t1"]))


def test_reasons_name_a_few_of_many() -> None:
    core = Driver(*"abcdef", hwm=0)
    for engine in "abcdef":
        core.submit(engine, targets=[engine])
        core.reply(engine, engine)
    (failure,) = core.submit("t", follow=list("abcdef"))
    assert "engine a, engine b, engine c and 3 more" in text([failure])
    (failure,) = core.submit("u", follow=list("abcd"))  # "1 more" would be no shorter
    assert "engine a, engine b, engine c and engine d" in text([failure])


def test_an_error_of_the_core_tells_the_story_and_loses_no_decision() -> None:
    core = Driver("a", "b")
    core.submit("1")
    core.submit("2")
    core.submit("3")
    with (
        mock.patch.object(Placement, "match", side_effect=ZeroDivisionError("oh no")),
        pytest.raises(CoreError, match="oh no") as caught,
    ):
        core.reply("b", "1")
    assert "assigned to b" in str(caught.value)
    assert caught.value.actions == [relay("1", "b")]
    assert core.reply("a", "2") == [relay("2", "a"), assign("3", "a")]


def test_an_error_in_placing_one_task_leaves_no_other_aside() -> None:
    driver = Driver("a", hwm=0)
    driver.submit("head")
    for msg_id in ("bad", "1", "2"):
        driver.submit(msg_id, after=["head"])
    choose = mock.Mock(side_effect=[ZeroDivisionError("oh no"), *driver.core.pool.engines.values()])
    with (
        mock.patch.object(EnginePool, "choose", choose),
        pytest.raises(CoreError, match="oh no") as caught,
    ):
        driver.reply("a", "head")
    assert "ready" in str(caught.value)
    assert caught.value.actions == [relay("head", "a"), fail("bad", Failure.INTERNAL_ERROR)]
    assert "bad was struck by an error in the scheduler itself" in text(caught.value.actions[1:])
    assert driver.core.busy
    actions = driver.core.handle(TimePassed(), now=driver.now)
    assert actions == [assign("1", "a"), assign("2", "a")]
    driver.core.validate()


def test_an_error_in_telling_one_dependent_keeps_no_other_from_its_turn() -> None:
    driver = Driver("a", hwm=0)
    driver.submit("head")
    for msg_id in ("bad", "1"):
        driver.submit(msg_id, after=["head"])
    errors = [ZeroDivisionError("oh no")]

    def fails_once(task: Task, outcome: Outcome) -> bool:
        if errors:
            raise errors.pop()
        return count_after(task, outcome)

    with (
        mock.patch.object(lifecycle, "count_after", side_effect=fails_once),
        pytest.raises(CoreError, match="the story of task bad") as caught,
    ):
        driver.reply("a", "head")
    assert caught.value.actions == [relay("head", "a"), fail("bad", Failure.INTERNAL_ERROR)]
    assert driver.core.handle(TimePassed(), now=driver.now) == [assign("1", "a")]
    driver.core.validate()


def test_a_task_whose_own_event_leads_to_an_error_is_answered() -> None:
    driver = Driver("a")
    with (
        mock.patch.object(DependencyGraph, "enter", side_effect=ZeroDivisionError("oh no")),
        pytest.raises(CoreError) as caught,
    ):
        driver.submit("t", after=["?"])
    assert caught.value.actions == [fail("t", Failure.INTERNAL_ERROR)]


def test_a_task_that_an_error_ends_is_not_stranded_for_ever() -> None:
    driver = Driver("a")
    driver.submit("t")
    driver.refuse("a", "t")
    driver.wait(1.0)
    cancels = CancelRequested(("t",), b"client", False, "request")
    assert isinstance(driver.handle(cancels)[-1], CancelDone)
    assert driver.status().stranded == 1
    with (
        mock.patch.object(Lifecycle, "_stop_timers", side_effect=ZeroDivisionError("oh no")),
        pytest.raises(CoreError),
    ):
        driver.reply("a", "t")
    assert driver.status().stranded == 0
    driver.core.validate()


def test_a_task_that_does_not_even_become_one_is_answered() -> None:
    driver = Driver("a")
    with (
        mock.patch.object(Lifecycle, "submit", side_effect=ZeroDivisionError("oh no")),
        pytest.raises(CoreError) as caught,
    ):
        driver.submit("t")
    assert caught.value.actions == [fail("t", Failure.INTERNAL_ERROR)]
    with (
        mock.patch.object(Lifecycle, "begin", side_effect=ZeroDivisionError("oh no")),
        pytest.raises(CoreError) as caught,
    ):
        driver.submit("u")
    assert caught.value.actions == [fail("u", Failure.INTERNAL_ERROR)]
    assert driver.submit("v") == [assign("v", "a")]


def test_an_error_in_answering_for_an_error_hides_neither() -> None:
    driver = Driver("a")
    with (
        mock.patch.object(DependencyGraph, "enter", side_effect=ZeroDivisionError("first")),
        mock.patch.object(DependencyGraph, "unwatch", side_effect=ZeroDivisionError("second")),
        pytest.raises(CoreError, match="second") as caught,
    ):
        driver.submit("t", after=["?"])
    assert str(caught.value.__cause__) == "first"
    assert caught.value.actions == [fail("t", Failure.INTERNAL_ERROR)]
    assert driver.submit("next") == [assign("next", "a")]


def test_an_error_in_placing_a_task_is_not_blamed_on_one_that_was_placed_before_it() -> None:
    driver = Driver("a")
    driver.submit("1")
    driver.submit("2", targets=["a"])
    driver.submit("3", after=["1"])
    with (
        mock.patch.object(EnginePool, "choose", side_effect=ZeroDivisionError),
        pytest.raises(CoreError) as caught,
    ):
        driver.reply("a", "1")
    bad = fail("3", Failure.INTERNAL_ERROR)
    assert caught.value.actions == [relay("1", "a"), assign("2", "a"), bad]
    driver.core.validate()


def test_an_error_in_looking_for_the_next_task_strikes_none_that_is_assigned() -> None:
    driver = Driver("a", hwm=2)
    for msg_id in ("1", "2", "3"):
        driver.submit(msg_id, targets=["b"])
    first = mock.Mock(side_effect=[driver.core.tasks["1"], ZeroDivisionError])
    with mock.patch.object(ReadyQueue, "first", first), pytest.raises(CoreError) as caught:
        driver.register("b")
    assert caught.value.actions == [assign("1", "b")]
    assert driver.wait(1) == [assign("2", "b")]


def test_an_error_about_one_task_of_a_dead_engine_keeps_none_of_the_others() -> None:
    driver = Driver("a", hwm=0, engine_grace=1)
    for msg_id in ("bad", "1", "2"):
        driver.submit(msg_id)
    driver.unregister("a")
    driver.now += 1
    with (
        mock.patch.object(Lifecycle, "retry_or_fail", side_effect=ZeroDivisionError),
        pytest.raises(CoreError) as caught,
    ):
        driver.handle(TimePassed())
    assert caught.value.actions == [fail("bad", Failure.INTERNAL_ERROR)]
    died = [fail(msg_id, Failure.ENGINE_ERROR, engine="a") for msg_id in ("1", "2")]
    assert driver.wait(1) == died


def test_an_error_after_a_task_was_answered_answers_it_no_second_time() -> None:
    driver = Driver("a")
    driver.submit("t")
    with (
        mock.patch.object(History, "record", side_effect=ZeroDivisionError),
        pytest.raises(CoreError) as caught,
    ):
        driver.reply("a", "t")
    assert caught.value.actions == [relay("t", "a")]
    assert driver.submit("next") == [assign("next", "a")]


def test_an_error_in_stopping_a_timeout_answers_once() -> None:
    driver = Driver("a")
    driver.submit("busy")
    driver.submit("t", timeout=1)
    driver.now += 1
    with (
        mock.patch.object(Placement, "match", side_effect=ZeroDivisionError),
        mock.patch.object(Lifecycle, "_stop_timers", side_effect=ZeroDivisionError),
        pytest.raises(CoreError) as caught,
    ):
        driver.handle(TimePassed())
    assert caught.value.actions == [fail("t", Failure.TASK_TIMEOUT)]
    assert driver.wait(1) == []
    assert driver.reply("a", "busy") == [relay("busy", "a")]


def test_an_error_that_comes_again_comes_at_intervals() -> None:
    driver = Driver("a")
    driver.submit("1")
    with mock.patch.object(Placement, "match", side_effect=ZeroDivisionError):
        with pytest.raises(CoreError):
            driver.reply("a", "1")
        for _ in range(3):
            before = driver.now
            with pytest.raises(CoreError):
                driver.wait(1)
            assert driver.now == pytest.approx(before + 0.1)
    assert driver.wait(1) == []
    assert driver.core.next_deadline() is None


def test_errors_in_quick_succession_put_the_work_off_but_once() -> None:
    driver = Driver("a")
    core = driver.core
    driver.submit("1")
    with (
        mock.patch.object(Placement, "match", side_effect=ZeroDivisionError),
        pytest.raises(CoreError),
    ):
        driver.reply("a", "1")
    assert core.handle(TaskSubmitted("2", "message 2"), now=driver.now) == []
    with mock.patch.object(Lifecycle, "submit", side_effect=ZeroDivisionError):
        for _ in range(3):
            driver.now += 0.03
            with pytest.raises(CoreError):
                core.handle(TaskSubmitted("bad"), now=driver.now)
    assert driver.wait(0.02) == [assign("2", "a")]


@pytest.mark.parametrize("after", TaskState)
@pytest.mark.parametrize("before", TaskState)
def test_every_pair_of_states_is_in_the_table_or_an_error(
    before: TaskState, after: TaskState
) -> None:
    core = Driver("a")
    core.submit("t")
    task: Task = core.core.tasks["t"]
    task.state = before
    if TRANSITIONS[before][after]:
        task.move(after)
        assert task.state is after
    else:
        with pytest.raises(RuntimeError, match=f"t: no way from {before.name} to {after.name}"):
            task.move(after)
