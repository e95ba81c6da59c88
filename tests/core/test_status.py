"""How things stand: the counters, the rates, the engines, and why each task waits."""

from __future__ import annotations

from unittest import mock

import pytest

from ipp_richsched.core import look, status, tallies
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.events import (
    CancelRequested,
    EngineUnregistered,
    InterruptDone,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.failures import NO_NAMES, Failure, Few, TaskError, few
from ipp_richsched.core.flags import RichFlags
from ipp_richsched.core.lifecycle import Lifecycle
from ipp_richsched.core.rates import Lately
from ipp_richsched.core.reasons import TimedOut
from ipp_richsched.core.status import HELD, DeadEngine, EngineStatus, QueuePart, Rate
from ipp_richsched.core.story import End
from ipp_richsched.core.tallies import CAUSES, OTHERS, Example, Tallies
from ipp_richsched.core.task import TaskState
from ipp_richsched.core.waits import (
    ForAnyEngine,
    ForBusy,
    ForConnection,
    ForInterrupt,
    ForRetry,
    ForRoom,
    ForScheduler,
    ForTaker,
    ForTasks,
    ForValues,
    OnDeadEngine,
    OnEngine,
    Pending,
    Wait,
)

from .driver import Driver


def wait_of(driver: Driver, msg_id: str) -> Wait | None:
    return driver.why(msg_id).wait


def counts(driver: Driver) -> tuple[int, int, int, int, int]:
    s = driver.status()
    return s.waiting, s.ready, s.assigned, s.succeeded, s.failed


# -- counters ----------------------------------------------------------------------------


def test_tasks_are_counted_in_each_state() -> None:
    driver = Driver("a")
    driver.submit("first", retries=1)
    driver.submit("ready")
    driver.submit("waiting", after=["first"])
    assert counts(driver) == (1, 1, 1, 0, 0)
    driver.reply("a", "first", "error")
    assert counts(driver) == (1, 1, 1, 0, 0)  # it waits for its retry
    driver.wait(1)
    driver.reply("a", "ready")
    driver.reply("a", "first", "error")
    assert counts(driver) == (0, 0, 0, 1, 2)


def test_a_refusal_and_a_send_that_finds_nobody_leave_a_task_ready() -> None:
    driver = Driver("a")
    driver.submit("t")
    driver.refuse("a", "t")
    assert counts(driver) == (0, 1, 0, 0, 0)
    driver.wait(1)
    driver.unreachable("a", "t")
    assert counts(driver) == (0, 1, 0, 0, 0)


def test_failures_are_counted_by_reason_and_by_what_they_began_with() -> None:
    driver = Driver("a")
    driver.submit("bad")
    driver.submit("next", after=["bad"])
    driver.submit("last", after=["next"])
    driver.reply("a", "bad", "error", error=TaskError("ValueError", "x"))
    driver.submit("runs")
    driver.submit("late", timeout=1)
    driver.submit("after late", after=["late"])
    driver.wait(1)
    driver.reply("a", "runs", "aborted")
    driver.reject("wrong", "it is wrong")
    s = driver.status()
    assert s.reasons == {
        "raised": 1,
        "unreachable_dependency": 3,
        "timed_out": 1,
        "aborted": 1,
        "invalid_metadata": 1,
    }
    assert (
        s.causes
        == s.lately
        == {
            "ValueError": 3,
            Failure.TASK_TIMEOUT: 2,
            "aborted": 1,
            Failure.INVALID_METADATA: 1,
        }
    )
    assert (s.failed, s.never_ran) == (7, 5)


def test_each_cause_has_the_last_task_that_failed_so_itself() -> None:
    driver = Driver("a")
    driver.submit("first", label="fit")
    driver.submit("needs first", after=["first"])
    driver.submit("second")
    driver.submit("needs both", after=["first", "second"])
    driver.reply("a", "first", "error", error=TaskError("ValueError", "x"))
    s = driver.status()
    assert s.causes == {"ValueError": 3}
    assert s.examples == {"ValueError": Example("first", "fit", TaskError("ValueError", "x"))}
    driver.reply("a", "second", "error", error=TaskError("ValueError", "y"))
    driver.submit("needs first, too", after=["first"])
    s = driver.status()
    assert s.causes == {"ValueError": 5}
    assert s.examples == {"ValueError": Example("second", None, TaskError("ValueError", "y"))}
    driver.submit("aborted")
    driver.reply("a", "aborted", "aborted")
    driver.submit("needs aborted", after=["aborted"])
    s = driver.status()
    assert s.causes == {"ValueError": 5, "aborted": 2}
    assert s.examples["aborted"] == Example("aborted", None, End.ABORTED)
    driver.submit("late", timeout=1, targets=["b"])
    driver.wait(1)
    found = driver.status().examples[Failure.TASK_TIMEOUT]
    assert (found.msg_id, type(found.why)) == ("late", TimedOut)
    driver.submit("again")
    driver.reply("a", "again", "error", error=TaskError("ValueError", "z"))
    assert [each.msg_id for each in driver.status().examples.values()] == [
        "aborted",
        "late",
        "again",
    ]


def test_a_task_that_was_sent_in_vain_only_never_ran() -> None:
    driver = Driver("a")
    driver.submit("t", timeout=0.5)
    driver.refuse("a", "t")
    driver.wait(1)
    s = driver.status()
    assert (s.failed, s.never_ran) == (1, 0)
    driver.submit("t2", timeout=0.01)
    driver.unreachable("a", "t2")
    driver.wait(0.01)
    s = driver.status()
    assert (s.failed, s.never_ran) == (2, 1)


def test_failures_of_the_last_hour_are_told_apart() -> None:
    driver = Driver("a")
    error = TaskError("ValueError", "x")
    assert driver.status().failed_at is None
    for _ in range(3):
        driver.submit(f"{driver.now}")
        driver.reply("a", f"{driver.now}", "error", error=error)
        driver.wait(60)
    s = driver.status()
    assert (s.causes, s.lately, s.failed_at) == ({"ValueError": 3}, {"ValueError": 3}, 220.0)
    driver.submit("unwanted", targets=["x"])
    driver.handle(CancelRequested(("unwanted",), b"", False))
    driver.wait(2_400)
    driver.submit("later")
    driver.reply("a", "later", "error", error=TaskError("KeyError", "x"))
    s = driver.status()
    assert s.lately == {"ValueError": 3, Failure.CANCELLED: 1, "KeyError": 1}
    driver.wait(2_400)
    s = driver.status()
    assert (s.lately, s.failed_at) == ({"KeyError": 1}, 2_680.0)
    driver.wait(7_200)
    s = driver.status()
    assert (s.lately, s.failed_at) == ({}, 2_680.0)
    assert s.causes == {"ValueError": 3, Failure.CANCELLED: 1, "KeyError": 1}


def test_what_is_kept_of_the_last_hour_is_bounded() -> None:
    lately = Lately()
    for number in range(1_000):
        lately.count(f"{number}", 100.0 * number)
    counts = lately.counts(100.0 * 999)
    assert 36 <= len(counts) <= 43
    assert "999" in counts


def test_names_of_errors_are_bounded() -> None:
    driver = Driver("a")
    for number in range(CAUSES + 2):
        driver.submit(f"{number}")
        driver.reply("a", f"{number}", "error", error=TaskError(f"Error{number}", ""))
    causes = driver.status().causes
    assert len(causes) == CAUSES + 1
    assert causes[OTHERS] == 2
    examples = driver.status().examples
    assert len(examples) == CAUSES + 1
    assert examples[OTHERS].msg_id == f"{CAUSES + 1}"


def test_a_task_that_fails_while_an_engine_has_it_is_counted_once() -> None:
    driver = Driver("a")
    driver.submit("t", run_timeout=1.0)
    driver.wait(1)
    assert counts(driver) == (0, 0, 0, 0, 1)
    driver.reply("a", "t")
    assert counts(driver) == (0, 0, 0, 0, 1)
    assert driver.status().reasons == {"run_timed_out": 1}
    assert (driver.status().engines[0].done, driver.status().engines[0].failed) == (0, 1)


def test_what_an_error_of_our_own_strikes_is_counted_as_failed() -> None:
    driver = Driver("a")
    driver.submit("busy")
    driver.submit("t", timeout=1)
    driver.now += 1
    with (
        mock.patch.object(Lifecycle, "unpark", side_effect=ZeroDivisionError),
        mock.patch.object(Lifecycle, "fail", side_effect=ZeroDivisionError),
        pytest.raises(RuntimeError),
    ):
        driver.handle(TimePassed())
    assert counts(driver) == (0, 0, 1, 0, 1)


def test_stranded_tasks_are_counted_and_those_that_wait_for_room_are_not() -> None:
    driver = Driver()
    driver.submit("no engine at all", targets=["b"])
    assert driver.status().stranded == 0
    driver.register("a")
    driver.submit("t", targets=["b"])
    driver.submit("runs")
    driver.submit("waits for room")
    assert driver.status().stranded == 2
    driver.refuse("a", "runs")
    assert driver.status().stranded == 3
    driver.register("b")
    assert driver.status().stranded == 0


def test_a_task_that_waits_for_its_retry_is_not_stranded() -> None:
    driver = Driver("a")
    driver.submit("t", retries=1)
    driver.reply("a", "t", "error")
    assert driver.status().ready == 1
    assert driver.status().stranded == 0


# -- the queue ---------------------------------------------------------------------------


def test_the_queue_is_told_by_priority_client_and_label() -> None:
    driver = Driver("a")
    for number in range(3):
        driver.submit(f"fit {number}", client=b"me", label="fit", priority=2)
    driver.submit("load", client=b"you", label="load")
    driver.submit("merge", client=b"me", label="merge", after=["load"])
    driver.reply("a", "fit 0")
    fit, load, merge = driver.status().queue
    assert fit == QueuePart(2, b"me", "fit", 0, 1, 1, 1, 0)
    assert load == QueuePart(0, b"you", "load", 0, 1, 0, 0, 0)
    assert merge == QueuePart(0, b"me", "merge", 1, 0, 0, 0, 0)


def test_of_finished_tasks_as_many_parts_are_told_as_there_is_room() -> None:
    driver = Driver("a")
    for number in range(status.PARTS):
        for task in range(1 + number):
            driver.submit(f"{number} {task}", label=f"{number}")
            driver.reply("a", f"{number} {task}")
    driver.submit("t", label="x")
    s = driver.status()
    largest = [(part.label, part.assigned, part.succeeded) for part in s.queue[:2]]
    assert largest == [("x", 1, 0), (f"{status.PARTS - 1}", 0, status.PARTS)]
    assert len(s.queue) == status.PARTS
    assert "0" not in {part.label for part in s.queue}
    assert s.queue_more == 0


def test_one_name_more_is_named_and_two_are_counted() -> None:
    names = "abcde"
    driver = Driver(*names)
    for name in names:
        driver.submit(name)
    driver.submit("needs 4", after=[*"abcd"])
    driver.submit("needs 5", after=[*"abcde"])
    four, five = (wait_of(driver, msg_id) for msg_id in ("needs 4", "needs 5"))
    assert isinstance(four, ForTasks)
    assert isinstance(five, ForTasks)
    assert ({*four.pending[0].msg_ids}, four.pending[0].more) == ({*"abcd"}, 0)
    assert (len(five.pending[0].msg_ids), five.pending[0].more) == (3, 2)
    driver.submit("full")
    assert wait_of(driver, "full") == ForRoom(Few(("a", "b", "c"), 2))
    assert few("dcba") == Few(("a", "b", "c", "d"), 0)


def test_the_largest_parts_of_the_queue_are_told_and_how_much_more_there_is() -> None:
    driver = Driver()
    for number in range(status.PARTS + 3):
        driver.submit(f"{number}", label=f"{number}")
    driver.submit("another", label="7")
    s = driver.status()
    assert len(s.queue) == status.PARTS
    assert (s.queue[0].label, s.queue[0].ready) == ("7", 2)
    assert s.queue_more == 3
    assert s.ready == status.PARTS + 4


def test_tallies_are_bounded_and_those_of_finished_tasks_make_room() -> None:
    with mock.patch.object(tallies, "MOST", 3):
        driver = Driver("a")
        for number in range(5):
            driver.submit(f"{number}", label=f"{number}")
        s = driver.status()
        assert [part.label for part in s.queue] == ["0", "1", "2"]
        assert (s.queue_more, s.ready, s.assigned) == (2, 4, 1)
        assert driver.order() == ["0", "1", "2", "3", "4"]
        driver.submit("x", label="x")  # by now it is worth a look
        s = driver.status()
        assert [part.label for part in s.queue] == ["x"]
        assert counts(driver) == (0, 0, 1, 5, 0)
        driver.submit("y", label="x")
        assert driver.status().queue[0].ready == 1


def test_a_tally_is_found_again() -> None:
    found = Tallies()
    one = found.of(RichFlags(label="x"), b"c")
    assert found.of(RichFlags(label="x", cost=3.0), b"c") is one
    assert found.of(RichFlags(label="x"), b"d") is not one


# -- rates -------------------------------------------------------------------------------


def test_rates_are_those_of_the_last_minute() -> None:
    driver = Driver("a")
    driver.submit("old")
    driver.reply("a", "old")
    driver.wait(600)
    for number in range(60):
        driver.submit(f"{number}")
        driver.reply("a", f"{number}", "ok" if number % 2 else "error")
        driver.wait(1)
    rate = driver.status().rate
    assert 60 <= rate.seconds < 65
    assert rate.submitted == pytest.approx(60 / rate.seconds)
    assert rate.succeeded == pytest.approx(30 / rate.seconds)
    assert rate.failed == pytest.approx(30 / rate.seconds)


def test_rates_of_a_young_scheduler_are_since_its_first_event() -> None:
    driver = Driver("a")
    assert driver.status().rate == Rate(0.0, 0.0, 0.0, 0.0)
    driver.submit("t")
    driver.wait(10)
    assert driver.status().rate == Rate(10.0, 0.1, 0.0, 0.0)


def test_rates_of_an_idle_hour_are_zero() -> None:
    driver = Driver("a")
    driver.submit("t")
    driver.reply("a", "t")
    driver.now += 3600
    driver.submit("u")
    driver.now += 1
    rate = driver.status().rate
    assert (rate.submitted, rate.succeeded) == (pytest.approx(1 / rate.seconds), 0.0)


def test_a_status_before_any_event_is_empty() -> None:
    driver = Driver()
    s = driver.status()
    assert (s.engines, s.queue, s.oldest, s.rate.seconds) == ((), (), (), 0.0)


# -- engines -----------------------------------------------------------------------------


def test_each_engine_is_told_with_what_it_does() -> None:
    driver = Driver("a", "b", hwm=2, retry_elsewhere=0)
    driver.submit("1", targets=["a"], label="fit")
    driver.wait(3)
    driver.submit("2", targets=["a"])
    driver.submit("3", targets=["b"], retries=1)
    driver.reply("b", "3", "error")
    driver.reply("b", "3")
    a, b = driver.status().engines
    assert a == EngineStatus(b"a", 2, 0, 0, "1", "fit", 100.0, False, None)
    assert b == EngineStatus(b"b", 0, 1, 1, None, None, None, False, None)
    driver.wait(2)
    driver.reply("a", "1")
    assert driver.status().engines[0] == EngineStatus(b"a", 1, 1, 0, "2", None, 105.0, False, None)


def test_an_engine_that_is_busy_with_what_nobody_waits_for_is_told() -> None:
    driver = Driver("a")
    driver.submit("t", run_timeout=1.0, label="x")
    driver.wait(2)
    assert driver.status().engines == (EngineStatus(b"a", 1, 0, 1, "t", None, 100.0, False, None),)


def test_an_engine_that_died_with_tasks_is_told_until_they_are_given_up() -> None:
    driver = Driver("a", "b", hwm=2, engine_grace=4.0)
    driver.submit("1", targets=["a"], label="fit")
    driver.submit("2", targets=["a"], label="plot")
    driver.wait(3)
    driver.unregister("b")  # it held nothing
    driver.unregister("a")
    assert driver.status().engines == ()
    driver.wait(1)
    [dead] = driver.status().dead
    assert dead == DeadEngine(b"a", 2, "1", "fit", 100.0, 103.0, 107.0)
    driver.reply("a", "1")  # its answer was on the way
    [dead] = driver.status().dead
    assert dead == DeadEngine(b"a", 1, "2", "plot", 104.0, 103.0, 107.0)
    driver.wait(3)
    assert driver.status().dead == ()
    assert driver.core.state.dead == {}


def test_a_dead_engine_for_which_no_task_waits_is_not_told() -> None:
    driver = Driver("a", hwm=2)
    driver.submit("1", run_timeout=1.0)
    driver.wait(1)  # it is answered, and the engine may still be at it
    driver.unregister("a")
    assert driver.status().dead == ()
    driver.wait(5)
    assert driver.core.state.dead == {}


def test_an_engine_that_comes_back_under_its_name_is_told_twice_while_it_is_due() -> None:
    driver = Driver("a")
    driver.submit("1")
    driver.unregister("a")
    driver.register("a")
    status = driver.status()
    assert [engine.engine for engine in status.engines] == [b"a"]
    assert [dead.engine for dead in status.dead] == [b"a"]


def test_of_what_a_dead_engine_holds_no_more_than_some_is_looked_at() -> None:
    driver = Driver("a", hwm=0)
    for number in range(HELD + 3):
        driver.submit(f"{number}")
    driver.unregister("a")
    [dead] = driver.status().dead
    assert (dead.held, dead.msg_id) == (HELD + 3, "0")


def test_an_engine_without_a_connection_is_told() -> None:
    driver = Driver("a")
    driver.submit("t")
    driver.unreachable("a", "t")
    assert driver.status().engines[0].unreachable == 100.0
    driver.wait(1)
    assert driver.status().engines[0].unreachable is None  # it is tried again


def test_an_engine_that_is_interrupted_is_told() -> None:
    driver = Driver("a")
    driver.submit("t")
    driver.handle(CancelRequested(("t",), b"c", True))
    assert driver.status().engines[0].paused
    driver.handle(InterruptDone(b"a", driver.core.pool.engines[b"a"].interrupt.number))
    assert not driver.status().engines[0].paused


# -- the oldest --------------------------------------------------------------------------


def test_the_oldest_that_wait_are_told_in_the_order_of_submission() -> None:
    driver = Driver("a")
    for number in range(5):
        driver.submit(f"{number}", label=f"{number}", client=b"me", priority=number, timeout=60)
        driver.now += 1
    s = driver.status(oldest=2)
    assert [task.msg_id for task in s.oldest] == ["1", "2"]
    assert s.oldest_more == 2
    first = s.oldest[0]
    assert (first.label, first.client, first.priority) == ("1", b"me", 1)
    assert (first.since, first.expires) == (101.0, 161.0)
    assert driver.status(oldest=0).oldest == ()


def test_a_task_that_failed_waits_since_then() -> None:
    driver = Driver("a")
    driver.submit("t", retries=1)
    driver.wait(5)
    driver.reply("a", "t", "error")
    (task,) = driver.status().oldest
    assert (task.since, task.expires) == (105.0, None)


def test_to_be_asked_and_to_refuse_begins_no_wait_anew() -> None:
    driver = Driver("a")
    driver.wait(5)
    driver.submit("t")
    driver.wait(1)
    driver.refuse("a", "t")
    for _ in range(4):
        (task,) = driver.status().oldest
        assert (type(task.wait), task.since) == (ForTaker, 106.0)  # since it is stranded
        driver.wait(10)
        driver.refuse("a", "t")
    driver.register("b")
    driver.refuse("b", "t")
    (task,) = driver.status().oldest
    assert (type(task.wait), task.since) == (ForTaker, 146.0)  # as its stranded_timeout: anew


def test_a_task_that_all_refused_stays_stranded_while_they_are_full() -> None:
    """More engines like them would not help it, and its time may be over when they have room."""
    driver = Driver("a", "b")
    driver.submit("t")
    driver.refuse("b", "t")
    driver.refuse("a", "t")
    driver.submit("x")
    driver.submit("y")  # they come before it is asked again
    driver.wait(5)
    (task,) = driver.status().oldest
    assert isinstance(task.wait, ForTaker)
    assert (task.since, task.wait.until) == (100.0, 160.0)
    assert {*task.wait.full.names} == {"a", "b"}
    driver.reply("b", "x")
    driver.refuse("b", "t")
    (task,) = driver.status().oldest
    assert isinstance(task.wait, ForTaker)
    assert (task.wait.refused.names, task.wait.full.names) == (("b",), ("a",))


def test_to_be_busy_or_out_of_reach_begins_no_wait_anew() -> None:
    driver = Driver("a")
    driver.submit("t")
    for _ in range(3):
        driver.wait(5)
        driver.reply("a", "t", "error", busy=5.0)
        assert [task.since for task in driver.status().oldest] == [100.0]
    driver.wait(5)
    driver.unreachable("a", "t")
    assert [task.since for task in driver.status().oldest] == [100.0]


def test_no_more_than_so_many_tasks_are_looked_at_for_the_oldest() -> None:
    driver = Driver("a", hwm=0)
    for number in range(5):
        driver.submit(f"{number}")
    driver.submit("waits", after=["0"])
    with mock.patch.object(status, "LOOKED_AT", 5):
        s = driver.status()
    assert (s.oldest, s.oldest_more) == ((), 1)


# -- why a task waits --------------------------------------------------------------------


def test_it_waits_for_tasks() -> None:
    driver = Driver("a", hwm=0)
    for number in range(6):
        driver.submit(f"{number}")
    driver.reply("a", "1")
    driver.submit("all", after=[f"{number}" for number in range(6)])
    expected = ForTasks((Pending("after", ("0", "2", "3"), 2, False),))
    assert wait_of(driver, "all") == expected
    driver.submit("any", follow=Dependency(["0", "2"], all=False), after=["1"])
    assert wait_of(driver, "any") == ForTasks((Pending("follow", ("0", "2"), 0, True),))
    driver.submit("both", after=["0"], follow=["2"])
    assert wait_of(driver, "both") == ForTasks(
        (Pending("after", ("0",), 0, False), Pending("follow", ("2",), 0, False))
    )
    driver.submit("takes", arguments=("3", "4"))
    driver.reply("a", "3", size=1)
    assert wait_of(driver, "takes") == ForTasks((Pending("arguments", ("4",), 0, False),))


def test_ids_are_looked_up_within_a_bound() -> None:
    driver = Driver("a", hwm=0)
    for number in range(4):
        driver.submit(f"{number}")
    for number in range(3):
        driver.reply("a", f"{number}")
    driver.submit("t", after=[f"{number}" for number in range(4)])
    with mock.patch.object(look, "IDS", 3):
        assert wait_of(driver, "t") == ForTasks((Pending("after", (), 1, False),))
        assert driver.why("t").chain == ()


def test_it_waits_for_values_of_its_client() -> None:
    driver = Driver("a", values_size_limit=0)
    for msg_id in ("x", "y"):
        driver.submit(msg_id, client=b"c")
        driver.reply("a", msg_id)
    driver.submit("t", arguments=("x", "y"), client=b"c")
    assert wait_of(driver, "t") == ForValues(few("xy"), b"c", 160.0)
    driver.send_value("x", client=b"c")
    assert wait_of(driver, "t") == ForValues(few("y"), b"c", 160.0)
    for value, user in (("v", "u"), ("w", "needs w")):
        driver.submit(value)
        driver.submit(user, arguments=(value,), client=b"d")
        driver.reply("a", value, size=1_000_000)
    assert wait_of(driver, "u") == ForValues(few("v"), b"d", 161.0)
    assert wait_of(driver, "needs w") == ForValues(few("w"), b"d", None)  # there is room after that


def test_it_waits_while_there_is_a_backlog() -> None:
    driver = Driver("a", hwm=0)
    driver.submit("head")
    for number in range(60):
        driver.submit(f"{number}", after=["head"])
    driver.core.handle(TaskReplied(b"a", "head", "ok"), now=driver.now)
    assert driver.core.busy
    assert wait_of(driver, "59") == ForTasks((Pending("after", (), 1, False),))
    s = driver.status()
    assert s.waiting + s.ready + s.assigned == 60
    driver.core.handle(TaskSubmitted("new"), now=driver.now)
    assert wait_of(driver, "new") == ForScheduler()
    driver.handle(TimePassed())


def test_it_waits_until_it_is_looked_at_after_a_death() -> None:
    driver = Driver("a", "b")
    driver.submit("on a", targets=["a"])
    driver.submit("on b", targets=["b"])
    driver.reply("a", "on a")
    for number in range(60):
        driver.submit(f"{number}", follow=["on a", "on b"])
    driver.core.handle(EngineUnregistered(b"a"), now=driver.now)
    assert driver.core.busy
    assert wait_of(driver, "59") == ForScheduler()
    driver.handle(TimePassed())
    assert driver.why("59").state is TaskState.FAILED


def test_it_waits_for_any_engine() -> None:
    driver = Driver()
    driver.submit("t")
    assert wait_of(driver, "t") == ForAnyEngine()


def test_it_waits_for_room() -> None:
    driver = Driver("a", "b", "c")
    for engine in "abc":
        driver.submit(f"on {engine}", targets=[engine])
    driver.submit("t", targets=["a", "b"])
    assert wait_of(driver, "t") == ForRoom(few("ab"))
    driver.submit("u")
    assert wait_of(driver, "u") == ForRoom(few("abc"))


def test_it_waits_for_room_and_others_are_away() -> None:
    driver = Driver("a", "b", "c")
    for engine in "abc":
        driver.submit(f"on {engine}", targets=[engine])
    driver.unreachable("b", "on b")
    driver.handle(CancelRequested(("on c",), b"", True))
    driver.submit("t")
    assert wait_of(driver, "t") == ForRoom(few("a"), few("bc"))


def test_it_waits_for_an_engine_that_has_not_failed_it() -> None:
    driver = Driver("a", "b")
    driver.submit("long", targets=["b"])
    driver.submit("t", retries=1)
    driver.reply("a", "t", "error")
    assert wait_of(driver, "t") == ForRoom(few("b"), NO_NAMES, few("a"), 130.0)


def test_it_waits_for_its_clients_turn() -> None:
    driver = Driver("a", fair=True)
    driver.submit("runs", client=b"me")
    driver.submit("mine", client=b"me")
    driver.submit("yours", client=b"you")
    driver.wait(5)
    assert wait_of(driver, "mine") == ForRoom(few("a"), next_client=b"you")
    assert wait_of(driver, "yours") == ForRoom(few("a"))
    (mine, yours) = driver.status().oldest
    assert (mine.wait, yours.wait) == (wait_of(driver, "mine"), wait_of(driver, "yours"))


def test_it_waits_for_a_connection() -> None:
    driver = Driver("a", stranded_timeout=10.0)
    driver.submit("t", targets=["a"])
    driver.submit("u")
    driver.unreachable("a", "t")
    assert wait_of(driver, "t") == ForConnection(few("a"), 110.0)
    assert wait_of(driver, "u") == ForConnection(few("a"), None)
    driver = Driver("a", hwm=2)
    driver.submit("runs")
    driver.submit("t", targets=["a"])
    driver.unreachable("a", "t")
    driver.now += 0.01
    driver.reply("a", "runs")
    assert wait_of(driver, "t") == ForConnection(few("a"), 160.01)
    driver = Driver("a", stranded_timeout=None)
    driver.submit("t", targets=["a"])
    driver.unreachable("a", "t")
    assert wait_of(driver, "t") == ForConnection(few("a"), None)


def test_it_waits_for_the_end_of_an_interrupt() -> None:
    driver = Driver("a", hwm=2)
    driver.submit("runs")
    driver.handle(CancelRequested(("runs",), b"", True))
    driver.submit("t")
    assert wait_of(driver, "t") == ForInterrupt(few("a"))


def test_it_waits_for_a_retry() -> None:
    driver = Driver("a")
    driver.submit("t", retries=3)
    driver.reply("a", "t", "error")
    assert wait_of(driver, "t") == ForRetry(few("a"), 100.25)


def test_it_waits_for_an_engine_that_is_busy_with_something_else() -> None:
    driver = Driver("a", "b")
    driver.submit("t")
    driver.reply("b", "t", "error", busy=5.0)
    driver.reply("a", "t", "error", busy=3.0)
    assert wait_of(driver, "t") == ForBusy(few("ab"), 103.0)


def test_it_is_stranded_since_its_targets_are_not_there() -> None:
    driver = Driver("a")
    driver.submit("t", targets=["x"])
    assert wait_of(driver, "t") == ForTaker(few("x"), NO_NAMES, NO_NAMES, None, 160.0)


def test_it_is_stranded_since_all_have_refused_it() -> None:
    driver = Driver("a", "b")
    driver.submit("t")
    driver.refuse("b", "t", "numpy")
    assert driver.status().stranded == 0
    driver.refuse("a", "t", "scipy")
    scipy, numpy = TaskError("UnmetDependency", "scipy"), TaskError("UnmetDependency", "numpy")
    expected = ForTaker(NO_NAMES, few("ab"), NO_NAMES, 101.0, 160.0, refusal=scipy)
    assert wait_of(driver, "t") == expected
    assert driver.status().stranded == 1
    driver.wait(1.5)
    expected = ForTaker(NO_NAMES, NO_NAMES, NO_NAMES, None, 160.0, asked=b"b")
    assert wait_of(driver, "t") == expected
    driver.refuse("b", "t", "numpy")
    expected = ForTaker(NO_NAMES, few("b"), NO_NAMES, None, 160.0, refusal=numpy, asked=b"a")
    assert wait_of(driver, "t") == expected
    status = driver.status()
    assert (status.stranded, status.assigned, status.oldest_more) == (1, 1, 0)
    assert [task.msg_id for task in status.oldest] == ["t"]


def test_a_stranded_task_that_an_engine_works_on_is_stranded_no_more() -> None:
    driver = Driver("a", hwm=2)
    driver.submit("t")
    driver.refuse("a", "t")
    driver.submit("slow")
    assert driver.status().stranded == 1
    driver.wait(1.5)
    assert isinstance(wait_of(driver, "t"), OnEngine)  # behind another, it only waits its turn
    assert driver.status().stranded == 0
    driver.reply("a", "slow")
    assert isinstance(wait_of(driver, "t"), ForTaker)
    driver.wait(0.9)
    assert driver.status().stranded == 1
    driver.wait(0.2)
    assert isinstance(wait_of(driver, "t"), OnEngine)
    status = driver.status()
    assert (status.stranded, status.oldest, status.oldest_more) == (0, (), 0)


def test_a_stranded_task_whose_engine_dies_or_is_busy_is_stranded_no_more() -> None:
    driver = Driver("a", "b")
    for name in ("t", "u"):
        driver.submit(name)
        driver.refuse("b", name)
        driver.refuse("a", name)
    driver.wait(1.5)
    assert driver.status().stranded == 2
    driver.unregister("b")
    assert isinstance(wait_of(driver, "t"), OnDeadEngine)
    assert driver.status().stranded == 1
    driver.reply("a", "u", "error", busy=5.0)
    assert driver.status().stranded == 0


@pytest.mark.parametrize("pause", [0.5, 1_000.0])
def test_while_there_is_no_engine_at_all_nothing_is_stranded(pause: float) -> None:
    """Nor does the time without engines count when one comes, and refuses, too."""
    driver = Driver("a")
    driver.submit("t")
    driver.refuse("a", "t")
    driver.unregister("a")
    driver.wait(pause)
    driver.register("b")
    assert driver.status().stranded == 0
    assert driver.refuse("b", "t") == []
    assert driver.status().stranded == 1
    (task,) = driver.status().oldest
    assert (task.since, task.wait.until) == (driver.now, driver.now + 60.0)  # type: ignore[union-attr]


def test_all_that_are_stranded_are_counted_though_engines_are_full() -> None:
    driver = Driver("a")
    for name in map(str, range(50)):
        driver.submit(name)
        driver.refuse("a", name)
    driver.submit("x")
    driver.wait(5)
    assert driver.status().stranded == 50
    driver.reply("a", "x")
    driver.reply("a", "0")
    assert driver.status().stranded == 49


def test_it_is_stranded_for_ever_if_that_is_set() -> None:
    driver = Driver("a", stranded_timeout=None)
    driver.submit("t", targets=["x"])
    assert wait_of(driver, "t") == ForTaker(few("x"), NO_NAMES, NO_NAMES, None, None)


def test_it_is_stranded_since_one_refused_it_and_one_is_lost() -> None:
    driver = Driver("a", "b", stranded_timeout=3.0, probe_after=0.1)
    driver.submit("t", targets=["a", "b"])
    driver.refuse("b", "t")
    for _ in range(5):
        driver.unreachable("a", "t")
        wait = wait_of(driver, "t")
        assert isinstance(wait, ForConnection)
        assert wait.until == max(103.0, driver.now)  # what is due is done with the next failure
        driver.wait(1.0)
    driver.unreachable("a", "t")
    assert wait_of(driver, "t") == ForTaker(NO_NAMES, few("b"), few("a"), 106.0, 108.0)


def test_it_may_follow_others_that_have_not_run_yet() -> None:
    driver = Driver("a", "b")
    driver.submit("1", targets=["a"])
    driver.submit("2", targets=["b"])
    driver.submit("next", targets=["a"])
    driver.submit("t", follow=Dependency(["1", "2"], all=False))
    driver.reply("a", "1")
    assert wait_of(driver, "t") == ForRoom(few("a"))
    driver.unregister("a")
    assert wait_of(driver, "t") == ForTasks((Pending("follow", ("2",), 0, True),))


def test_an_engine_has_it() -> None:
    driver = Driver("a", hwm=2)
    driver.submit("1", run_timeout=5.0)
    driver.wait(1)
    driver.submit("2", run_timeout=5.0)
    assert wait_of(driver, "1") == OnEngine(b"a", 100.0, 100.0, "1", 105.0)
    assert wait_of(driver, "2") == OnEngine(b"a", 101.0, None, "1", None)


def test_an_engine_that_is_dead_has_it() -> None:
    driver = Driver("a")
    driver.submit("t")
    driver.wait(1)
    driver.unregister("a")
    assert wait_of(driver, "t") == OnDeadEngine(b"a", 100.0, 106.0)


def test_a_subclass_may_leave_a_task_where_there_is_room() -> None:
    driver = Driver("a")
    driver.submit("runs")
    driver.submit("t")
    driver.core.pool.engines[b"a"].load = 0
    assert wait_of(driver, "t") == ForScheduler()
