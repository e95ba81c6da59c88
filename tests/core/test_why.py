"""What is known of a task: its story, its attempts, and what it waits for down to the cause."""

from __future__ import annotations

from unittest import mock

from ipp_richsched.core import story, tale
from ipp_richsched.core.attempt_reasons import AttemptFailed, RunTimedOut
from ipp_richsched.core.events import TimePassed
from ipp_richsched.core.failures import NO_NAMES, Cause, Failure, TaskError, few
from ipp_richsched.core.reasons import Awaited, TimedOut, UnreachableDependency
from ipp_richsched.core.story import End
from ipp_richsched.core.tale import LINKS, Link, Tale, Try
from ipp_richsched.core.task import TaskState
from ipp_richsched.core.waits import ForRoom, ForTaker, ForTasks, OnEngine, Pending

from .driver import Driver

ERROR = TaskError("ValueError", "x")


def test_a_finished_task() -> None:
    driver = Driver("a")
    driver.submit("t", label="fit", priority=2)
    driver.wait(3)
    driver.reply("a", "t")
    attempt = Try(b"a", 100.0, 103.0, End.SUCCEEDED)
    assert driver.why("t") == Tale(
        *("t", TaskState.SUCCEEDED, True, 2, "fit", 100.0, 103.0, b"a", (attempt,), 1)
    )


def test_each_attempt_is_told_with_its_end() -> None:
    driver = Driver("a", retry_elsewhere=0)
    driver.submit("t", retries=3)
    driver.reply("a", "t", "error", busy=1.0)
    driver.wait(1)
    driver.unreachable("a", "t")
    driver.wait(1)
    driver.reply("a", "t", "error", error=ERROR)
    driver.wait(1)
    driver.refuse("a", "t", "numpy")
    driver.wait(1)
    *over, now = driver.why("t").tries
    why = AttemptFailed(b"a", ERROR)
    assert [(one.end, one.why) for one in over] == [
        (End.BUSY, None),
        (End.NOT_SENT, None),
        (End.FAILED, why),
        (End.REFUSED, TaskError("UnmetDependency", "numpy")),
    ]
    assert [one.assigned for one in over] == [100.0, 101.0, 101.05, 102.0]
    assert now == Try(b"a", 104.0)
    assert driver.why("t").attempts == 5
    driver.reply("a", "t", "aborted")
    tale = driver.why("t")
    assert tale.tries[-1] == Try(b"a", 104.0, 104.0, End.ABORTED, End.ABORTED)
    assert (tale.state, tale.why, tale.cause) == (TaskState.FAILED, End.ABORTED, None)


def test_a_task_that_failed_by_itself() -> None:
    driver = Driver("a")
    driver.submit("t")
    driver.reply("a", "t", "error", error=ERROR)
    tale = driver.why("t")
    assert (tale.engine, tale.why, tale.cause) == (b"a", ERROR, None)
    assert tale.tries == (Try(b"a", 100.0, 100.0, End.FAILED, ERROR),)


def test_a_task_that_failed_in_the_queue() -> None:
    driver = Driver("a")
    driver.submit("busy")
    driver.submit("t", timeout=1)
    driver.wait(1)
    tale = driver.why("t")
    assert tale.tries == ()
    assert tale.engine is None
    assert tale.why == TimedOut(1, Awaited.ENGINE)


def test_a_task_that_ran_for_too_long() -> None:
    driver = Driver("a")
    driver.submit("t", run_timeout=1.0)
    driver.wait(1)
    why = RunTimedOut(b"a", 1.0)
    assert driver.why("t").tries == (Try(b"a", 100.0, 101.0, End.FAILED, why),)


def test_a_task_that_failed_since_another_did() -> None:
    driver = Driver("a")
    for number in range(3):
        driver.submit(f"{number}", after=[f"{number - 1}"] if number else [])
    driver.reply("a", "0", "error", error=ERROR)
    tale = driver.why("2")
    assert isinstance(tale.why, UnreachableDependency)
    assert tale.cause == Cause("0", ERROR)


def test_a_task_that_is_forgotten_but_for_its_end() -> None:
    driver = Driver("a")
    driver.submit("good")
    driver.reply("a", "good")
    driver.submit("bad")
    driver.reply("a", "bad", "error", error=ERROR)
    driver.submit("late", timeout=1, after=["x"])
    driver.core.state.story._lines.clear()
    assert driver.why("good") == Tale("good", TaskState.SUCCEEDED, engine=b"a")
    failed = Tale("bad", TaskState.FAILED, engine=b"a", cause=Cause("bad", ERROR))
    assert driver.why("bad") == failed
    late = driver.why("late")
    assert late.cause == Cause("late", failure=Failure.INVALID_DEPENDENCY)


def test_a_task_whose_beginning_is_forgotten() -> None:
    with mock.patch.object(story, "LINES", 2):
        driver = Driver("a")
        driver.submit("t", retries=2)
        driver.reply("a", "t", "error", error=ERROR)
        driver.wait(1)
        tale = driver.why("t")
        assert (tale.is_whole, tale.submitted, tale.attempts) == (False, None, 2)
        assert tale.tries == (Try(b"a", 100.25),)
        driver.reply("a", "t")
        assert driver.why("t").attempts is None
        assert driver.why("t").finished == 101.0


def test_an_id_that_nobody_knows() -> None:
    assert Driver().why("x") == Tale("x", None)


def test_several_tasks_at_once_in_their_order() -> None:
    driver = Driver("a")
    for msg_id in "abc":
        driver.submit(msg_id)
    tales = driver.core.why(["c", "?", "a", "c"], now=driver.now)
    assert [tale.msg_id for tale in tales] == ["c", "?", "a"]


def test_an_unfinished_task_tells_what_it_waits_for() -> None:
    driver = Driver("a")
    driver.submit("busy")
    driver.submit("t", timeout=60, label="fit")
    tale = driver.why("t")
    assert (tale.state, tale.wait, tale.expires) == (TaskState.READY, ForRoom(few("a")), 160.0)
    assert (tale.submitted, tale.label, tale.attempts, tale.chain) == (100.0, "fit", 0, ())
    assert driver.why("busy").expires is None


def test_a_chain_leads_to_the_first_cause() -> None:
    driver = Driver("a")
    driver.submit("stuck", targets=["x"], label="load")
    driver.submit("mid", after=["stuck"])
    driver.submit("last", follow=["mid"], label="merge")
    tale = driver.why("last")
    assert tale.wait == ForTasks((Pending("follow", ("mid",), 0, False),))
    stranded = ForTaker(few("x"), NO_NAMES, NO_NAMES, None, 160.0)
    pending = Pending("after", ("stuck",), 0, False, ("load",))
    assert tale.chain == (
        Link("mid", None, TaskState.WAITING, ForTasks((pending,))),
        Link("stuck", "load", TaskState.READY, stranded),
    )
    assert tale.skipped == 0


def test_the_middle_of_a_long_chain_is_left_out() -> None:
    driver = Driver("a")
    for number in range(100):
        driver.submit(f"{number}", after=[f"{number - 1}"] if number else [])
    tale = driver.why("99")
    assert [link.msg_id for link in tale.chain] == [
        *map(str, range(98, 98 - LINKS + 1, -1)),
        "0",
    ]
    assert tale.skipped == 99 - LINKS
    assert isinstance(tale.chain[-1].wait, OnEngine)


def test_links_are_followed_within_a_bound() -> None:
    driver = Driver("a")
    for number in range(10):
        driver.submit(f"{number}", after=[f"{number - 1}"] if number else [])
    with mock.patch.object(tale, "ALL_LINKS", 3):
        first, second = driver.core.why(["9", "8"], now=driver.now)
    assert [link.msg_id for link in first.chain] == ["8", "7", "6"]
    assert second.chain == ()


def test_to_ask_changes_nothing() -> None:
    asked, other = Driver("a"), Driver("a")
    for driver in (asked, other):
        driver.submit("0")
        for number in range(1, 50):
            driver.submit(f"{number}", after=[f"{number - 1}"], timeout=5)
    asked.core.why([f"{number}" for number in range(50)], now=asked.now)
    asked.status(100)
    assert asked.core.next_deadline() == other.core.next_deadline()
    for driver in (asked, other):
        driver.now += 5
    assert asked.handle(TimePassed()) == other.handle(TimePassed())
