"""Clients take turns, by the engine time that they have used."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from ipp_richsched.core.actions import AssignTask
from ipp_richsched.core.events import CancelRequested, EngineRegistered, TaskReplied, TaskSubmitted
from ipp_richsched.core.failures import Failure

from .conftest import SLICE
from .driver import Driver, assign, fail, relay
from .simulation import Simulation


class Clients(Simulation):
    """A simulation that knows what engines have done for whom; a task's name begins with it."""

    def __init__(self, engines: int, **settings: Any) -> None:
        super().__init__(engines, fair=True, **settings)

    def load(self, client: str, seconds: list[float], **fields: Any) -> None:
        """Submit tasks for a client."""
        for number, each in enumerate(seconds):
            name = f"{client} {self.now} {number}"
            self.submit(name, each, client=client.encode(), **fields)

    def used(self, client: str, start: float, end: float) -> float:
        """Engine seconds that a client has had in a while."""
        return sum(
            max(0.0, min(end, ended) - max(start, began))
            for name, _, began, ended in self.runs
            if name.split()[0] == client
        )


@pytest.mark.parametrize("hwm", [1, 2])
@pytest.mark.parametrize("engines", [1, 2, 16])
@pytest.mark.parametrize("seed", range(5))
def test_no_client_is_further_from_its_share_than_one_task_an_engine(
    engines: int, hwm: int, seed: int
) -> None:
    """One floods, one has long tasks, and one comes later."""
    random = Random(seed)
    world = Clients(engines, hwm=hwm)
    world.load("flood", [random.uniform(0.1, 1) for _ in range(3000)])
    world.load("long", [random.uniform(1, 10) for _ in range(20 * engines)])
    late = [random.expovariate(1) for _ in range(20 * engines)]
    world.at(20.0, lambda: world.load("late", late))
    world.run()
    longest = max(end - start for _, _, start, end in world.runs)
    for client in ("flood", "long", "late"):
        last = max(start for name, _, start, _ in world.runs if name.startswith(client))
        for start, end in ((0.0, 20.0), (20.0, 30.0), (20.0, 40.0), (25.0, 60.0)):
            clients = ["flood", "long", "late"] if start else ["flood", "long"]
            if client in clients and end < last:
                share = engines * (end - start) / len(clients)
                off = abs(world.used(client, start, end) - share)
                assert off <= hwm * engines * longest, (client, start, end)


def test_ten_tasks_are_not_held_up_by_thousands() -> None:
    world = Clients(4)
    world.load("flood", [1.0] * 20_000)
    world.at(1000.5, lambda: world.load("ten", [1.0] * 10))
    for now in world.steps():
        if now > 1008:
            break
    assert sum(name.startswith("ten") for name, *_ in world.runs) == 10


def test_a_client_that_comes_back_has_saved_up_nothing() -> None:
    world = Clients(2)
    world.load("away", [1.0] * 2)
    world.load("busy", [1.0] * 10_000)
    world.at(3600.0, lambda: world.load("away", [1.0] * 1000))
    for now in world.steps():
        if now > 3700:
            break
    assert world.used("busy", 3600, 3700) == pytest.approx(100, abs=3)
    assert world.used("away", 3600, 3700) == pytest.approx(100, abs=3)


def test_a_client_that_sends_its_long_tasks_one_by_one_has_no_more_than_its_share() -> None:
    world = Clients(1)

    world.load("flood", [1.0] * 5000)
    world.load("long", [100.0])
    ended = 0
    for now in world.steps():
        if len(world.runs) > ended and world.runs[-1][0].startswith("long"):
            world.at(now + 0.1, lambda: world.load("long", [100.0]))
        ended = len(world.runs)
        if now > 2000:
            break
    assert world.used("long", 0, 2000) == pytest.approx(1000, abs=200)


def test_engines_that_have_room_at_once_are_shared() -> None:
    driver = Driver(fair=True)
    for client in (b"a", b"b", b"c"):
        for number in range(6):
            driver.submit(f"{client.decode()}{number}", client=client)
    assigned = [driver.register(f"e{number}")[0].msg_id for number in range(6)]  # type: ignore
    assert sorted(assigned) == ["a0", "a1", "b0", "b1", "c0", "c1"]


def test_a_higher_priority_comes_before_a_fair_share() -> None:
    driver = Driver("e", fair=True)
    driver.submit("a0", client=b"a")
    driver.submit("b0", client=b"b")
    driver.submit("a1", client=b"a", priority=1)
    driver.now += 100
    assert driver.reply("e", "a0") == [relay("a0", "e"), assign("a1", "e")]
    assert driver.reply("e", "a1") == [relay("a1", "e"), assign("b0", "e")]


def test_a_priority_that_is_lent_moves_a_queued_task() -> None:
    driver = Driver("e", fair=True)
    driver.submit("a0", client=b"a")
    driver.submit("b0", client=b"b")
    driver.submit("a1", client=b"a")
    driver.submit("a2", client=b"a", after=["a1"], priority=1)
    driver.now += 100
    assert driver.reply("e", "a0") == [relay("a0", "e"), assign("a1", "e")]


def test_a_rank_that_changes_within_a_priority() -> None:
    driver = Driver("e", fair=True)
    for msg_id in ("0", "1", "2"):
        driver.submit(msg_id, client=b"a")
    core = driver.core
    core.state.queue.change_rank(core.tasks["2"], 0, driver.now)
    core.validate()
    assert driver.reply("e", "0") == [relay("0", "e"), assign("2", "e")]


def test_tasks_that_become_ready_as_an_engine_gains_room_compete_with_those_that_wait() -> None:
    driver = Driver("e", fair=True)
    driver.submit("a0", client=b"a")
    driver.submit("b0", client=b"b")
    driver.now += 10
    driver.reply("e", "a0")  # now runs b0
    driver.submit("a1", client=b"a")
    driver.submit("b1", client=b"b", after=["b0"])
    driver.now += 1
    assert driver.reply("e", "b0") == [relay("b0", "e"), assign("b1", "e")]


def test_a_task_that_loses_an_engine_to_another_client_gets_an_idle_one() -> None:
    driver = Driver("e", "f", fair=True, hwm=1)
    driver.submit("a0", client=b"a", targets=["e"])
    driver.submit("b0", client=b"b", targets=["e"])
    driver.submit("a1", client=b"a", after=["a0"])
    driver.now += 10
    assert driver.reply("e", "a0") == [relay("a0", "e"), assign("b0", "e"), assign("a1", "f")]


def test_a_higher_priority_gets_its_idle_engine_before_others_that_become_ready() -> None:
    driver = Driver("e", "f", fair=True)
    driver.submit("head", targets=["e"])
    driver.submit("low0", after=["head"])
    driver.submit("low1", after=["head"])
    driver.submit("high", after=["head"], targets=["f"], priority=1)
    assert driver.reply("e", "head") == [
        relay("head", "e"),
        assign("low0", "e"),
        assign("high", "f"),
    ]
    assert driver.reply("f", "high") == [relay("high", "f"), assign("low1", "f")]


def test_an_engine_that_waits_for_its_turn_is_no_work() -> None:
    """With a high water mark of two the second task of an engine takes no time until it begins."""
    driver = Driver("e", fair=True, hwm=2)
    for number in range(3):
        for client in (b"a", b"b"):
            driver.submit(f"{client.decode()}{number}", client=client)
    driver.now += 10
    assert driver.reply("e", "a0") == [relay("a0", "e"), assign("a1", "e")]
    driver.now += 1
    assert driver.reply("e", "b0") == [relay("b0", "e"), assign("b1", "e")]
    driver.now += 1
    assert driver.reply("e", "a1") == [relay("a1", "e"), assign("b2", "e")]
    # one that is answered out of turn has taken none
    assert driver.reply("e", "b2") == [relay("b2", "e"), assign("a2", "e")]


def test_what_is_kept_of_clients_that_are_gone_has_a_bound() -> None:
    driver = Driver("e", fair=True)
    driver.submit("stays", client=b"stays", targets=["nobody", "e"])
    queue = driver.core.state.shares
    assert queue is not None
    for number in range(1000):
        driver.submit(f"{number}", client=b"%d" % number)
        driver.submit(f"{number} more", client=b"%d" % number)
        driver.now += 1
        driver.reply("e", "stays" if not number else f"{number - 1} more")
        driver.now += 1
        driver.reply("e", f"{number}")
    (level,) = queue._levels.values()
    assert len(level.accounts) < 200
    driver.reply("e", "999 more")
    assert not queue._levels


def test_priorities_that_are_gone_are_forgotten() -> None:
    driver = Driver(fair=True)
    for priority in range(100):
        driver.submit(f"{priority}", priority=priority, client=b"a")
        driver.handle(CancelRequested((f"{priority}",), b"a"))
    queue = driver.core.state.shares
    assert queue is not None
    assert len(queue._levels) == 1


def test_a_task_that_becomes_ready_for_another_engine_takes_that() -> None:
    driver = Driver("e", "f", fair=True)
    driver.submit("a0", client=b"a", targets=["e"])
    driver.submit("b0", client=b"b", targets=["e"])
    driver.submit("a1", client=b"a", after=["a0"], targets=["f"])
    driver.submit("a2", client=b"a", after=["a0"], targets=["f"])
    done = driver.reply("e", "a0")
    assert done == [relay("a0", "e"), assign("b0", "e"), assign("a1", "f")]
    assert driver.reply("f", "a1") == [relay("a1", "f"), assign("a2", "f")]


def test_an_engine_dies_while_clients_take_turns() -> None:
    driver = Driver("e", "f", fair=True, engine_grace=1, stranded_timeout=0)
    for client in ("a", "b"):
        driver.submit(f"{client}0", client=client.encode(), targets=["e" if client == "a" else "f"])
        driver.submit(f"{client}1", client=client.encode(), targets=["e"])
    assert driver.core.state.shares is not None
    assert len(driver.core.state.shares) == 2
    told = driver.unregister("e")
    assert told == [fail("a1"), fail("b1")]
    assert driver.wait(1) == [fail("a0", Failure.ENGINE_ERROR, engine="e")]


def test_a_task_that_is_cancelled_before_it_is_placed_takes_no_part() -> None:
    driver = Driver("e", fair=True)
    driver.submit("head", client=b"a")
    for number in range(SLICE + 5):
        driver.submit(f"{number}", client=b"a", after=["head"])
    actions = driver.core.handle(TaskReplied(b"e", "head", "ok"), now=driver.now)
    assert driver.core.busy
    driver.core.handle(TaskSubmitted("late", client=b"b"), now=driver.now)
    driver.core.handle(EngineRegistered(b"f"), now=driver.now)
    actions += driver.handle(CancelRequested(("late",), b"b"))
    assert [action.msg_id for action in actions if isinstance(action, AssignTask)] == ["0", "1"]
