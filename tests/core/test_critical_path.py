"""Critical path first: of the tasks that may run, the one with the most work behind it."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from statistics import geometric_mean
from typing import Any

import pytest

from ipp_richsched.core.actions import AssignTask
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.events import CancelRequested, TaskReplied, TaskSubmitted, TimePassed
from ipp_richsched.core.flags import RichFlags
from ipp_richsched.core.ready import costs
from ipp_richsched.core.ready.critical_path import QUIET
from ipp_richsched.workflows.schedule import list_schedule
from ipp_richsched.workflows.steps import Step
from ipp_richsched.workflows.wfformat import load

from ..wfinstances import INSTANCES, needs_instances
from .conftest import SLICE
from .driver import Driver
from .simulation import Simulation

BY_PATH: dict[str, Any] = {"order": "critical-path"}


def test_the_task_with_the_longest_path_is_first() -> None:
    driver = Driver("e", **BY_PATH)
    driver.submit("busy")
    driver.submit("short", cost=2)
    driver.submit("long", cost=3)
    driver.submit("head", cost=1)
    driver.submit("middle", cost=1, after=["head"])
    driver.submit("end", cost=5, follow=["middle"])
    assert driver.order("e", 1) == ["busy", "head", "middle", "end", "long", "short"]


def test_the_first_submitted_is_first_of_those_with_the_same_path() -> None:
    driver = Driver("e", **BY_PATH)
    for number in range(5):
        driver.submit(f"{number}")
    assert driver.order("e", 1) == ["0", "1", "2", "3", "4"]


def test_a_priority_comes_before_a_path() -> None:
    driver = Driver("e", **BY_PATH)
    driver.submit("busy")
    driver.submit("long", cost=1e6)
    driver.submit("high", cost=0, priority=1)
    driver.submit("huge", cost=1e300, priority=-1)
    assert driver.order("e", 1) == ["busy", "high", "long", "huge"]


@pytest.mark.parametrize("cost", [1e300, 1.7e308])
def test_paths_that_are_longer_than_any_number_are_just_the_longest(cost: float) -> None:
    driver = Driver("e", **BY_PATH)
    driver.submit("busy")
    driver.submit("short", cost=1)
    driver.submit("head", cost=cost)
    driver.submit("tail", cost=cost, after=["head"])
    assert driver.order("e", 1) == ["busy", "head", "tail", "short"]


def test_whole_steps_of_aging_come_before_a_path() -> None:
    driver = Driver("e", aging=10, **BY_PATH)
    driver.submit("busy")
    driver.submit("old", cost=1)
    driver.now += 10
    driver.submit("new", cost=100)
    driver.submit("longer", cost=200)
    driver.submit("raised", cost=1, priority=2)
    assert driver.order("e", 1) == ["busy", "raised", "old", "longer", "new"]


def test_a_priority_that_is_lent_keeps_the_path() -> None:
    driver = Driver("e", fair=True, **BY_PATH)
    driver.submit("busy")
    driver.submit("a", cost=1)
    driver.submit("b", cost=2)
    driver.submit("high", cost=0, after=["a", "b"], priority=1)
    driver.submit("other", cost=100)
    assert driver.order("e", 1) == ["busy", "b", "a", "high", "other"]


def test_costs_are_learned_by_label() -> None:
    driver = Driver("e", **BY_PATH)
    driver.submit("1", label="long")
    driver.submit("2", label="short")
    driver.submit("3", label="short")
    driver.submit("4", label="new")
    driver.submit("5", label="long")
    driver.submit("6", label="short")
    for msg_id, seconds in (("1", 10), ("2", 1)):
        driver.wait(seconds)
        driver.reply("e", msg_id)
    # what "2" has taken is known after the next one is chosen; a new one counts as the mean of all
    assert driver.order("e", 1) == ["3", "5", "4", "6"]


def test_few_labels_more_than_are_told_apart() -> None:
    learned = costs.Costs()
    for number in range(costs.MANY + 10):
        learned.learn(f"{number}", 1.0)
    assert learned.changed
    learned.settle()
    assert len(learned._labels) == costs.MANY
    assert not learned.changed
    for _ in range(5):
        learned.learn(f"{costs.MANY}", 1.1)
    assert not learned.changed
    learned.learn(f"{costs.MANY}", 100.0)
    assert learned.changed


def test_a_path_gets_shorter_when_the_costs_of_what_is_behind_it_do() -> None:
    driver = Driver("e", **BY_PATH)
    driver.submit("first", label="thought to be long")
    driver.submit("second", priority=1)
    driver.submit("x", cost=2)
    driver.submit("head", cost=0)
    before = "head"
    for number in range(3):
        driver.submit(f"{number}", label="thought to be long", after=[before])
        before = f"{number}"
    driver.wait(0.01)
    driver.reply("e", "first")
    driver.wait(1)
    assert driver.order("e", 1)[:3] == ["second", "x", "head"]


def test_what_has_killed_an_engine_stays_behind() -> None:
    driver = Driver("e", engine_grace=0, **BY_PATH)
    driver.submit("bad", retries=3, cost=100)
    driver.submit("good", cost=1)
    driver.submit("child", after=["bad"], cost=50)
    driver.unregister("e")
    driver.wait(0)
    driver.wait(1)
    driver.register("e")
    assert driver.order("e", 1) == ["good", "bad", "child"]


def test_tasks_that_are_gone_before_a_sweep_comes_to_them() -> None:
    driver = Driver("e", **BY_PATH)
    driver.submit("busy")
    for number in range(100):
        driver.submit(f"{number}")
    driver.submit("late", after=["0"])
    driver.handle(CancelRequested(("late",), b""))
    driver.wait(2 * QUIET + 0.01)
    driver.submit("later", after=["1"])
    driver.submit("last", after=["2"])
    driver.wait(2 * QUIET + 0.01)
    assert driver.order("e", 1)[:3] == ["busy", "1", "2"]


def test_a_sweep_waits_until_no_more_tasks_come_or_there_are_enough() -> None:
    driver = Driver("e", **BY_PATH)
    driver.submit("busy")
    for number in range(100):
        driver.submit(f"{number}")
    driver.submit("child", after=["50"])
    assert driver.core.next_deadline() == pytest.approx(driver.now + QUIET)
    driver.wait(QUIET / 2)
    driver.submit("another", after=["51"])
    driver.wait(QUIET / 2)
    assert driver.core.next_deadline() == pytest.approx(driver.now + QUIET)
    driver.wait(QUIET)
    assert driver.core.next_deadline() is None
    driver.reply("e", "busy")
    assert driver.order("e", 1)[:2] == ["50", "51"]


def test_deadlines_come_before_a_sweep_is_due() -> None:
    driver = Driver("e", **BY_PATH)
    driver.submit("busy")
    for number in range(100):
        driver.submit(f"{number}")
    driver.submit("child", after=["50"])
    driver.submit("short", timeout=QUIET / 2)
    assert driver.core.next_deadline() == pytest.approx(driver.now + QUIET / 2)


def test_a_sweep_is_done_in_slices_while_tasks_flow() -> None:
    driver = Driver("e", **BY_PATH)
    core = driver.core
    driver.submit("busy")
    for number in range(10 * SLICE):
        driver.submit(f"{number}", cost=1, after=[f"{number - 1}"] if number else [])
    driver.submit("x", cost=5)
    assert not core.busy
    last = Dependency([f"{10 * SLICE - 1}"])
    for number in range(2 * SLICE):  # an eighth more, and no time passes
        core.handle(TaskSubmitted(f"more {number}", after=last), now=driver.now)
    assert core.busy
    steps = 0
    done: list[Any] = []
    while core.busy:
        if steps == 2:
            core.handle(TaskSubmitted("meanwhile", after=last), now=driver.now)
            driver.now += 1.5 * QUIET
        if steps == 3:
            done = core.handle(TaskReplied(b"e", "busy", "ok"), now=driver.now)
            assert core.busy
        core.handle(TimePassed(), now=driver.now)
        core.validate()
        steps += 1
    assert steps > 10
    assert core.next_deadline() == pytest.approx(driver.now + QUIET)
    driver.wait(3 * QUIET)
    assert core.next_deadline() is None
    assert [action.msg_id for action in done if isinstance(action, AssignTask)] == ["0"]


# -- against a list schedule that knows everything -------------------------------------------


def makespan(steps: list[Step], engines: int, learn: bool = False, **settings: Any) -> float:
    """Seconds that steps take, all submitted at once."""
    world = Simulation(engines, **settings)
    for step in steps:
        label = step.name.rpartition("_")[0] if learn else None
        flags = RichFlags(cost=None if learn else step.seconds, label=label)
        world.submit(step.name, step.seconds, after=Dependency(step.parents), rich=flags)
    return world.run()


def random_steps(random: Random, count: int) -> list[Step]:
    steps: list[Step] = []
    for number in range(count):
        known = random.sample(steps, min(len(steps), random.choice([0, 1, 1, 2, 5])))
        parents = tuple(step.name for step in known)
        steps.append(Step(f"kind{number % 5}_{number}", parents, random.expovariate(1)))
    return steps


@pytest.mark.parametrize("engines", [2, 8])
def test_random_graphs_take_hardly_longer_than_a_list_schedule(engines: int) -> None:
    random = Random(engines)
    by_path, fifo = [], []
    for _ in range(30):
        steps = random_steps(random, 200)
        best = list_schedule(steps, engines)
        by_path.append(makespan(steps, engines, **BY_PATH) / best)
        fifo.append(makespan(steps, engines) / best)
    assert geometric_mean(by_path) < 1.02
    assert geometric_mean(by_path) < geometric_mean(fifo)


@needs_instances
@pytest.mark.parametrize("engines", [4, 8, 32])
def test_real_workflows_take_hardly_longer_than_a_list_schedule(engines: int) -> None:
    given, learned, fifo = [], [], []
    for path in INSTANCES:
        steps = load(Path(path))
        best = list_schedule(steps, engines)
        given.append(makespan(steps, engines, **BY_PATH) / best)
        learned.append(makespan(steps, engines, learn=True, **BY_PATH) / best)
        fifo.append(makespan(steps, engines) / best)
    assert geometric_mean(given) < 1.02
    assert all(math.isclose(a, b) or a < b for a, b in zip(learned, fifo, strict=True))
