"""Engines that die and come back, and the tasks that this concerns."""

from __future__ import annotations

import pytest

from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.events import EngineUnregistered
from ipp_richsched.core.graph import SWEEP

from .conftest import SLICE
from .driver import Driver, assign, relay


@pytest.mark.parametrize("stranded_timeout", [1, None])
def test_an_engine_that_failed_a_task_is_another_one_when_it_is_back(
    stranded_timeout: float | None,
) -> None:
    core = Driver("b", "a", stranded_timeout=stranded_timeout)
    core.submit("t", retries=1)
    core.submit("refused by both", targets=["a", "b"])
    assert core.reply("a", "t", "error") == []
    core.refuse("b", "refused by both")
    core.refuse("a", "refused by both")
    core.unregister("a")
    core.refuse("b", "t")
    core.wait(0.9)
    assert core.register("a") == [assign("t", "a", mark=3)]


def test_a_follower_goes_to_an_engine_that_failed_it_once_that_is_another_one() -> None:
    core = Driver("e0", "e1", "e2")
    for msg_id, engine in (("a", "e0"), ("b", "e1"), ("runs on", "e2")):
        core.submit(msg_id, targets=[engine])
    core.reply("e0", "a")
    core.submit("busy", targets=["e1"])
    core.reply("e1", "b")
    core.submit("t", follow=Dependency(["a", "b", "runs on"], all=False), retries=9)
    assert core.reply("e0", "t", "error") == []  # e1 has not failed it, and is busy
    core.unregister("e0")
    core.unregister("e1")
    assert core.register("e0") == [assign("t", "e0", mark=2)]


def test_an_engine_that_did_not_fail_a_task_comes_first_when_it_may_follow_there() -> None:
    core = Driver("b", "a")
    core.submit("1", targets=["a"])
    core.submit("2", targets=["b"])
    core.submit("busy", targets=["b"])
    core.submit("t", follow=Dependency(["1", "2"], all=False), retries=3)
    core.reply("a", "1")
    assert core.reply("a", "t", "error") == []
    assert core.reply("b", "2")[1:] == [assign("busy", "b")]
    assert core.wait(1) == []  # b may have it, and has not failed it
    assert core.reply("b", "busy")[1:] == [assign("t", "b")]


@pytest.mark.parametrize(("refuses", "dies"), [("a", "b"), ("b", "a")])
def test_a_refused_follower_waits_for_the_last_of_its_targets(refuses: str, dies: str) -> None:
    core = Driver("a", "b")
    core.submit("here", targets=[refuses])
    core.submit("there", targets=[dies])
    core.reply(refuses, "here")
    follow = Dependency(["here", "there"], all=False)
    assert core.submit("t", follow=follow, targets=["a", "b"]) == [assign("t", refuses)]
    assert core.refuse(refuses, "t") == []  # it may follow the other one
    core.submit("busy", targets=[refuses])
    assert core.unregister(dies) == []
    assert core.reply(refuses, "busy")[1:] == []  # the one that refused it is asked again
    assert core.wait(1) == [assign("t", refuses, mark=2)]


def test_a_death_is_no_work_for_tasks_that_it_does_not_concern() -> None:
    driver = Driver("a", "b")
    driver.core.validate = lambda: None  # type: ignore[method-assign]  # O(tasks) each
    for number in range(2 * SLICE):
        driver.submit(f"{number}", targets=["never seen"])
    assert driver.core.handle(EngineUnregistered(b"b"), now=driver.now) == []
    assert not driver.core.busy


def test_an_assignment_stands_until_the_task_leaves_the_engine() -> None:
    driver = Driver("a", engine_grace=1)
    (first,) = driver.submit("t", retries=2)
    assert driver.core.stands(first)
    driver.unregister("a")
    driver.wait(1)  # the grace is over
    assert not driver.core.stands(first)
    (again,) = driver.register("a")
    assert driver.core.stands(again)
    assert not driver.core.stands(first)
    driver.reply("a", "t")
    assert not driver.core.stands(again)


def test_what_is_answered_is_not_kept_for_a_task_that_runs_on() -> None:
    driver = Driver("a")
    driver.submit("runs on")
    for number in range(4 * SWEEP):
        driver.submit(f"{number}", after=["runs on"], timeout=1)
        task = driver.core.tasks[f"{number}"]
        driver.wait(1)
        assert task.message is None
    kept, _ = driver.core.state.graph.pop("runs on")
    assert kept is not None
    assert len(kept) <= SWEEP


def test_an_engine_is_busy_no_more_while_another_runs_the_task() -> None:
    core = Driver("b", "a")
    core.submit("t")
    assert core.reply("a", "t", "error", busy=5) == [assign("t", "b")]
    assert core.wait(6) == []
    assert core.reply("b", "t") == [relay("t", "b")]
