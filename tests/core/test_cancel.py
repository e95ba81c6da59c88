"""Tasks that a client takes back, and engines that are interrupted."""

from __future__ import annotations

import pytest

from ipp_richsched.core.actions import Action, CancelDone, FailTask, InterruptEngine
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.events import CancelRequested, InterruptDone
from ipp_richsched.core.failures import Failure
from ipp_richsched.core.reasons import Cancelled

from .conftest import SLICE
from .driver import Driver, assign, fail, relay, text


def cancel(core: Driver, *names: str, interrupt: bool = False) -> list[Action]:
    return core.handle(CancelRequested(names, b"client", interrupt, "request"))


def done(**outcomes: tuple[str, ...]) -> CancelDone:
    names = ("cancelled", "running", "interrupted", "finished", "unknown")
    return CancelDone("request", *(outcomes.get(name, ()) for name in names))


def cancelled(*names: str) -> list[FailTask]:
    return [fail(name, Failure.CANCELLED) for name in names]


def test_each_task_is_told_what_became_of_it() -> None:
    core = Driver("a")
    core.submit("old")
    core.reply("a", "old")
    core.submit("runs")
    core.submit("queued")
    core.submit("waits", after=["runs"])
    assert cancel(core, "waits", "nobody", "old", "runs", "queued") == [
        *cancelled("waits", "queued"),
        done(
            cancelled=("waits", "queued"), running=("runs",), finished=("old",), unknown=("nobody",)
        ),
    ]
    assert core.reply("a", "runs") == [relay("runs", "a")]
    assert core.register("b") == []


def test_what_depends_on_a_cancelled_task_fails_or_runs_by_its_rules() -> None:
    core = Driver("a")
    core.submit("runs")
    core.submit("t")
    core.submit("heir", after=["t"])
    core.submit("mourner", after=Dependency(["t"], success=False, failure=True))
    actions = cancel(core, "t")
    assert actions == [*cancelled("t"), done(cancelled=("t",)), fail("heir")]
    assert "which failed with TaskAborted" in text(actions[-1:])
    assert core.reply("a", "runs") == [relay("runs", "a"), assign("mourner", "a")]


def test_a_task_that_waits_for_its_retry_can_be_taken_back() -> None:
    core = Driver("a", "b")
    core.submit("t", retries=1, targets=["b"])
    core.reply("b", "t", "error")
    assert cancel(core, "t") == [*cancelled("t"), done(cancelled=("t",))]
    assert core.core.next_deadline() is None


def test_a_stranded_task_that_an_engine_is_asked_to_take_is_taken_back_when_it_refuses() -> None:
    core = Driver("a")
    core.submit("t")
    core.refuse("a", "t")
    core.wait(1.0)
    assert cancel(core, "t") == [done(running=("t",))]
    actions = core.refuse("a", "t")
    assert actions == cancelled("t")
    assert isinstance(actions[0], FailTask)
    assert actions[0].reason == Cancelled(b"client", late=True)
    assert core.core.next_deadline() is None
    assert core.status().stranded == 0


def test_what_a_client_wanted_back_while_an_engine_had_it_is_not_given_to_another() -> None:
    core = Driver("a", "b", "c", hwm=1)
    core.submit("fails", retries=5)
    core.submit("is busy", retries=5)
    core.submit("works", retries=5)
    engines = {name: engine for (engine, name) in core.sent}
    assert cancel(core, *engines) == [done(running=(*engines,))]
    assert core.reply(engines["fails"], "fails", "error") == [relay("fails", engines["fails"])]
    assert core.reply(engines["is busy"], "is busy", "error", busy=1.0) == cancelled("is busy")
    assert core.reply(engines["works"], "works") == [relay("works", engines["works"])]


def test_a_task_named_twice_is_cancelled_once() -> None:
    core = Driver("a")
    core.submit("runs")
    core.submit("t")
    assert cancel(core, "t", "t") == [*cancelled("t"), done(cancelled=("t",), finished=("t",))]


def test_nothing_is_done_of_nothing() -> None:
    assert cancel(Driver("a")) == [done()]


def test_many_are_cancelled_in_slices_while_others_flow() -> None:
    core = Driver("a")
    core.submit("runs")
    names = [f"t{number}" for number in range(3 * SLICE)]
    for name in names:
        core.submit(name)
    core.submit("other")
    request = CancelRequested(tuple(names), b"client", False, "request")
    first = core.core.handle(request, now=core.now)
    assert len(first) == SLICE
    assert core.core.busy
    actions = core.reply("a", "runs")
    assert [action for action in actions if not isinstance(action, FailTask)] == [
        relay("runs", "a"),
        done(cancelled=tuple(names)),
        assign("other", "a"),
    ]
    assert core.core.tasks.keys() == {"other"}


def test_later_requests_wait_for_earlier_ones() -> None:
    core = Driver()
    for name in ("x", "y"):
        core.submit(name)
    assert cancel(core, "x")[-1] == done(cancelled=("x",))
    assert cancel(core, "x", "y")[-1] == done(cancelled=("y",), finished=("x",))


# -- interrupts -----------------------------------------------------------------------------


def interrupts(actions: list[Action]) -> list[InterruptEngine]:
    return [action for action in actions if isinstance(action, InterruptEngine)]


def test_an_engine_is_interrupted_and_gets_no_task_until_that_is_done() -> None:
    core = Driver("a")
    core.submit("t", retries=3)
    core.submit("next")
    actions = cancel(core, "t", interrupt=True)
    (interrupt,) = interrupts(actions)
    assert interrupt.engine == b"a"
    assert actions == [interrupt, done(interrupted=("t",))]
    assert core.reply("a", "t", "error") == [relay("t", "a")]  # it is not retried
    assert core.handle(InterruptDone(b"a", interrupt.interrupt)) == [assign("next", "a")]


def test_an_interrupt_that_nobody_answers_holds_an_engine_for_a_while_only() -> None:
    core = Driver("a")
    core.submit("t")
    core.submit("next")
    (interrupt,) = interrupts(cancel(core, "t", interrupt=True))
    core.reply("a", "t", "error")
    assert core.wait(9.9) == []
    assert core.wait(0.1) == [assign("next", "a")]
    assert core.handle(InterruptDone(b"a", interrupt.interrupt)) == []


def test_what_only_waits_on_an_engine_is_left_alone() -> None:
    core = Driver("a", hwm=2)
    core.submit("runs")
    core.submit("waits")
    assert cancel(core, "waits", interrupt=True) == [done(running=("waits",))]


def test_an_engine_is_interrupted_once_at_a_time() -> None:
    core = Driver("a")
    core.submit("t")
    assert len(interrupts(cancel(core, "t", interrupt=True))) == 1
    assert cancel(core, "t", interrupt=True) == [done(interrupted=("t",))]


def test_a_dead_engine_is_not_interrupted() -> None:
    core = Driver("a")
    core.submit("t")
    core.unregister("a")
    assert cancel(core, "t", interrupt=True) == [done(running=("t",))]


@pytest.mark.parametrize("dies", [False, True])
def test_an_answer_to_another_interrupt_counts_for_nothing(dies: bool) -> None:
    core = Driver("a")
    core.submit("t")
    (interrupt,) = interrupts(cancel(core, "t", interrupt=True))
    number = interrupt.interrupt
    if dies:
        core.unregister("a")
        core.register("a")
        core.submit("u")
        (another,) = interrupts(cancel(core, "u", interrupt=True))
        assert another.interrupt != number
        core.reply("a", "u", "error")
    else:
        core.reply("a", "t", "error")
        number += 1
    core.submit("next")
    assert core.handle(InterruptDone(b"a", number)) == []
    assert core.handle(InterruptDone(b"gone", number)) == []


def test_a_task_that_runs_too_long_has_its_engine_interrupted_if_that_is_set() -> None:
    core = Driver("a", interrupt_on_timeout=True)
    core.submit("t", run_timeout=1)
    core.submit("next")
    actions = core.wait(1)
    (interrupt,) = interrupts(actions)
    assert actions == [fail("t", Failure.TASK_TIMEOUT, engine="a"), interrupt]
    assert core.handle(InterruptDone(b"a", interrupt.interrupt)) == []
    assert core.reply("a", "t", "error") == [assign("next", "a")]


def test_an_engine_without_connection_that_is_interrupted_stays_left_alone() -> None:
    core = Driver("a", hwm=2)
    core.submit("t")
    core.submit("u")
    core.unreachable("a", "u")
    (interrupt,) = interrupts(cancel(core, "t", interrupt=True))
    assert core.wait(0.05) == []  # its pause is over, and it is interrupted still
    assert core.handle(InterruptDone(b"a", interrupt.interrupt)) == [assign("u", "a")]
