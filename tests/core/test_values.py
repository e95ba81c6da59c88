"""Values of tasks that are arguments of others."""

from __future__ import annotations

from typing import Any

import pytest

from ipp_richsched.core.actions import (
    Action,
    AnswerValue,
    AskForValue,
    DropValue,
    KeepValue,
    Warn,
)
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.failures import Failure, TaskError
from ipp_richsched.core.notices import NoRoomForValue
from ipp_richsched.core.step import SLICE
from ipp_richsched.core.values import PATIENCE

from .driver import Driver, assign, fail, relay, text


def keep(msg_id: str, engine: str) -> KeepValue:
    """What an engine replied is held."""
    return KeepValue(msg_id, f"reply {msg_id} {engine}")


def keep_sent(msg_id: str) -> KeepValue:
    """What a client sent is held."""
    return KeepValue(msg_id, f"value {msg_id}")


def ask_for(msg_id: str, user: str) -> AskForValue:
    return AskForValue(msg_id, f"message {user}")


def answer(msg_id: str, taken: bool = True) -> AnswerValue:
    return AnswerValue(msg_id, f"value {msg_id}", taken)


def no_room(msg_id: str, size: int, held: int) -> Warn:
    return Warn(NoRoomForValue(msg_id, size, held))


drop = DropValue


def use(*msg_ids: str, engine: str = "a", mark: int = 0, of: str = "user") -> Action:
    return assign(of, engine, mark, values=msg_ids)


def with_finished(*msg_ids: str, **settings: Any) -> Driver:
    """A core with an engine, on which these tasks succeeded before anybody needed their values."""
    core = Driver("a", **settings)
    for msg_id in msg_ids:
        core.submit(msg_id)
        core.reply("a", msg_id)
    return core


# -- values that are still to come -----------------------------------------------------------


def test_a_value_is_held_until_the_task_that_needs_it_is_finished() -> None:
    core = Driver("a")
    core.submit("p")
    assert core.submit("user", arguments=("p",)) == []
    assert "p" in core.core.needed
    assert core.reply("a", "p", size=9) == [relay("p", "a"), keep("p", "a"), use("p")]
    assert core.reply("a", "user") == [relay("user", "a"), drop("p")]
    assert "p" not in core.core.needed


def test_a_value_that_nobody_needs_is_not_held() -> None:
    core = Driver("a")
    core.submit("p")
    assert core.reply("a", "p", size=9) == [relay("p", "a")]


def test_a_task_gets_several_values_in_its_order() -> None:
    core = Driver("b", "a")
    core.submit("p")
    core.submit("q")
    core.submit("user", arguments=("q", "p"))
    assert core.reply("a", "p", size=9) == [relay("p", "a"), keep("p", "a")]
    actions = core.reply("b", "q", size=9)
    assert actions == [relay("q", "b"), keep("q", "b"), use("q", "p", engine="a")]
    assert core.reply("a", "user") == [relay("user", "a"), drop("q"), drop("p")]


def test_a_value_is_dropped_with_the_last_of_many_that_need_it() -> None:
    core = Driver("a", hwm=0)
    core.submit("p")
    users = [f"user{number}" for number in range(2 * SLICE)]
    for user in users:
        core.submit(user, arguments=("p",))
    actions = core.reply("a", "p", size=9)
    assert actions == [relay("p", "a"), keep("p", "a"), *(use("p", of=user) for user in users)]
    for user in users[:-1]:
        assert core.reply("a", user) == [relay(user, "a")]
    assert core.reply("a", users[-1])[1:] == [drop("p")]


def test_a_chain_of_values() -> None:
    core = Driver("a")
    core.submit("0")
    for number in range(1, 1000):
        core.submit(str(number), arguments=(str(number - 1),))
    core.reply("a", "0", size=9)
    for number in range(1, 999):
        this = str(number)
        assert core.reply("a", this, size=9) == [
            relay(this, "a"),
            keep(this, "a"),
            drop(str(number - 1)),
            use(this, of=str(number + 1)),
        ]


def test_a_retry_gets_the_value_again() -> None:
    core = Driver("a", retry_elsewhere=0)
    core.submit("p", retries=1)
    core.submit("user", arguments=("p",), retries=2)
    assert core.reply("a", "p", "error") == [assign("p", "a", 2)]
    core.reply("a", "p", size=9)
    assert core.reply("a", "user", "error") == [use("p", mark=2)]
    core.unregister("a")
    core.wait(5)
    assert core.register("a") == [use("p", mark=3)]
    assert core.reply("a", "user", "error") == [relay("user", "a"), drop("p")]


@pytest.mark.parametrize("status", ["error", "aborted"])
def test_a_task_fails_with_what_it_needs(status: str) -> None:
    core = Driver("a")
    core.submit("p")
    core.submit("user", arguments=("p",))
    core.submit("next", arguments=("user",))
    error = TaskError("KeyError", "'x'") if status == "error" else None
    actions = core.reply("a", "p", status, error=error)
    assert actions == [relay("p", "a"), fail("user"), fail("next")]
    words = "task user cannot have as an argument the result of p, which failed"
    assert text(actions[1:2]).startswith(words)
    if error:
        assert "KeyError: 'x'" in text(actions[1:2])
        assert "the first to fail was p with KeyError: 'x'" in text(actions[2:])


def test_a_task_that_needs_what_has_failed_before_fails_with_the_same_words() -> None:
    core = Driver("a")
    core.submit("p")
    core.submit("early", arguments=("p",))
    early = core.reply("a", "p", "error", error=TaskError("KeyError", "'x'"))
    late = core.submit("latee", arguments=("p",))
    assert late == [fail("latee")]
    assert text(late) == text(early).replace("early", "latee")


def test_values_are_needed_whatever_after_says() -> None:
    core = Driver("b", "a")
    core.submit("p")
    core.submit("q")
    any_end = Dependency(["p", "q"], all=False, success=True, failure=True)
    core.submit("user", after=any_end, arguments=("p",))
    assert core.reply("b", "q") == [relay("q", "b")]
    assert core.reply("a", "p", size=9) == [relay("p", "a"), keep("p", "a"), use("p")]


def test_a_task_that_has_its_values_waits_for_the_rest() -> None:
    core = Driver("b", "a")
    core.submit("p")
    core.submit("q")
    core.submit("user", after=["q"], arguments=("p",))
    assert core.reply("a", "p", size=9) == [relay("p", "a"), keep("p", "a")]
    assert core.reply("b", "q") == [relay("q", "b"), use("p")]


def test_a_task_that_ends_early_needs_nothing_any_more() -> None:
    core = Driver("b", "a")
    core.submit("p")
    core.submit("q")
    core.submit("1", arguments=("p",), timeout=1)
    core.submit("2", arguments=("p", "q"))
    core.reply("b", "q", "error")
    actions = core.wait(1)
    assert actions == [fail("1", Failure.TASK_TIMEOUT)]
    assert text(actions) == "task 1 waited 1 s for its dependencies: arguments p"
    assert core.reply("a", "p", size=9) == [relay("p", "a")]


@pytest.mark.parametrize("msg_id", ["user", "nobody"])
def test_a_value_must_be_of_another_task(msg_id: str) -> None:
    core = Driver("a")
    core.submit("p")
    actions = core.submit("user", arguments=("p", msg_id))
    assert actions == [fail("user", Failure.INVALID_DEPENDENCY)]
    assert f"'arguments' names {msg_id}, which is" in text(actions)
    assert core.reply("a", "p", size=9) == [relay("p", "a")]


def test_a_task_lends_its_priority_to_those_that_it_needs() -> None:
    core = Driver("a")
    core.submit("running")
    core.submit("first")
    core.submit("p")
    core.submit("user", arguments=("p",), priority=1)
    assert core.reply("a", "running") == [relay("running", "a"), assign("p", "a")]


def test_what_is_needed_is_on_the_path_of_those_that_need_it() -> None:
    core = Driver("a", order="critical-path")
    for msg_id in ("running", "first", "p"):
        core.submit(msg_id)
    core.submit("user", arguments=("p",))
    core.wait(1)
    assert core.reply("a", "running") == [relay("running", "a"), assign("p", "a")]


# -- values that a client has to send --------------------------------------------------------


def test_a_client_is_asked_for_a_value_that_was_relayed_before() -> None:
    core = with_finished("p")
    assert core.submit("user", arguments=("p",)) == [ask_for("p", "user")]
    assert core.submit("other", arguments=("p",)) == []  # once for both
    actions = core.send_value("p")
    assert actions == [answer("p"), keep_sent("p"), use("p")]
    assert core.reply("a", "user") == [relay("user", "a"), use("p", of="other")]
    assert core.submit("third", arguments=("p",)) == []  # while it is held it is not asked for
    assert core.reply("a", "other") == [relay("other", "a"), use("p", of="third")]
    assert core.reply("a", "third") == [relay("third", "a"), drop("p")]
    assert core.wait(1000) == []


def test_a_client_is_asked_only_when_all_else_is_there() -> None:
    core = with_finished("p")
    core.submit("q")
    assert core.submit("user", after=["q"], arguments=("p",)) == []
    assert core.reply("a", "q") == [relay("q", "a"), ask_for("p", "user")]


def test_a_value_whose_size_nobody_knows_is_not_held() -> None:
    core = Driver("a")
    core.submit("p")
    core.submit("user", arguments=("p",))
    assert core.reply("a", "p") == [relay("p", "a"), ask_for("p", "user")]


def test_all_values_that_are_missing_are_asked_for_at_once() -> None:
    core = with_finished("p", "q")
    actions = core.submit("user", arguments=("p", "q"))
    assert actions == [ask_for("p", "user"), ask_for("q", "user")]
    assert core.send_value("q") == [answer("q"), keep_sent("q")]
    assert core.send_value("p") == [answer("p"), keep_sent("p"), use("p", "q")]


def test_a_client_that_does_not_send_a_value_fails_its_tasks_that_need_it() -> None:
    core = with_finished("p", "q")
    core.submit("user", arguments=("p",))
    core.submit("other", arguments=("p",))
    core.wait(1)
    core.submit("third", arguments=("q",))  # by which the client shows that it is there
    core.wait(PATIENCE - 1.5)
    actions = core.wait(1)
    assert actions == [fail("user"), fail("other")]
    words = "task user has as an argument the result of p, which client  was asked for, and did not"
    assert text(actions[:1]) == f"{words} send within {PATIENCE:g} s"
    assert core.send_value("p") == [answer("p", taken=False)]  # too late
    assert core.send_value("q") == [answer("q"), keep_sent("q"), use("q", of="third")]


def test_a_client_that_did_not_send_a_value_is_asked_for_none_until_it_submits() -> None:
    core = with_finished("p", "q")
    core.submit("blocks")
    core.submit("user", arguments=("p",))
    core.submit("later", after=["blocks"], arguments=("q",))
    core.wait(PATIENCE)
    assert core.reply("a", "blocks") == [relay("blocks", "a"), fail("later")]
    assert core.submit("new", arguments=("q",)) == [ask_for("q", "new")]


def test_another_client_is_asked_where_one_does_not_answer() -> None:
    core = with_finished("p")
    core.submit("gone", arguments=("p",), client=b"1")
    core.submit("user", arguments=("p",), client=b"2")
    assert core.wait(PATIENCE) == [ask_for("p", "user")]
    assert core.send_value("p", client=b"1") == [answer("p", taken=False)]
    # that serves the task of the first, too
    assert core.send_value("p", client=b"2") == [answer("p"), keep_sent("p"), use("p", of="gone")]


def test_no_client_sends_a_value() -> None:
    core = with_finished("p")
    core.submit("1", arguments=("p",), client=b"1")
    core.submit("2", arguments=("p",), client=b"2")
    assert core.wait(PATIENCE) == [ask_for("p", "2")]
    assert core.wait(PATIENCE) == [fail("2"), fail("1")]


def test_a_client_that_cannot_send_a_value_says_why() -> None:
    core = with_finished("p")
    core.submit("user", arguments=("p",))
    actions = core.send_value("p", problem="it is lost")
    assert actions == [answer("p"), fail("user")]
    words = "task user has as an argument the result of p, which client  cannot send: it is lost"
    assert text(actions[1:]) == words
    # another task asks anew: perhaps it is there by now
    assert core.submit("again", arguments=("p",)) == [ask_for("p", "again")]


def test_a_problem_of_one_client_is_none_of_another() -> None:
    core = with_finished("p")
    core.submit("1", arguments=("p",), client=b"1")
    core.submit("2", arguments=("p",), client=b"2")
    core.submit("blocks")
    core.submit("3", arguments=("p",), client=b"1", after=["blocks"])
    actions = core.send_value("p", client=b"1", problem="it is lost")
    assert actions == [answer("p"), ask_for("p", "2")]
    assert core.reply("a", "blocks") == [relay("blocks", "a")]
    actions = core.send_value("p", client=b"2", problem="and here, too")
    assert actions == [answer("p"), fail("2"), fail("1"), fail("3")]
    assert text(actions[1:2]).endswith("which client 2 cannot send: and here, too")
    assert text(actions[2:3]).endswith("which client 1 cannot send: it is lost")


def test_a_value_that_nobody_asked_for_is_refused() -> None:
    core = with_finished("p")
    assert core.send_value("p") == [answer("p", taken=False)]
    assert core.send_value("nobody") == [answer("nobody", taken=False)]
    core.submit("q")
    core.submit("user", arguments=("q",))
    assert core.send_value("q") == [answer("q", taken=False)]  # it is not there yet
    core.submit("other", arguments=("p",))
    core.send_value("p")
    assert core.send_value("p") == [answer("p", taken=False)]  # twice


def test_a_task_that_waits_for_a_client_says_so_when_its_time_is_over() -> None:
    core = with_finished("p")
    core.submit("user", arguments=("p",), timeout=1)
    actions = core.wait(1)
    assert actions == [fail("user", Failure.TASK_TIMEOUT)]
    assert text(actions).endswith("for the values of its arguments, which its client has to send")
    assert core.send_value("p") == [answer("p", taken=False)]
    assert core.core.next_deadline() is None


def test_a_task_that_has_ended_is_not_told_of_a_value() -> None:
    core = with_finished("p", "q")
    core.submit("user", arguments=("p", "q"), timeout=1)
    core.submit("other", arguments=("p",))
    core.wait(1)
    assert core.send_value("p") == [answer("p"), keep_sent("p"), use("p", of="other")]


# -- the bound -------------------------------------------------------------------------------


def test_what_is_over_the_bound_comes_from_the_client_one_task_at_a_time() -> None:
    core = Driver("c", "b", "a", values_size_limit=10)
    for name in "pqr":
        core.submit(name)
        core.submit(f"user of {name}", arguments=(name,))
    core.reply("a", "p", size=6)
    asked = ask_for("q", "user of q")
    assert core.reply("b", "q", size=6) == [relay("q", "b"), no_room("q", 6, 6), asked]
    # only one at a time goes beyond it
    assert core.reply("c", "r", size=6) == [relay("r", "c"), no_room("r", 6, 6)]
    assert core.send_value("q", 6) == [
        answer("q"),
        keep_sent("q"),
        use("q", of="user of q", engine="b"),
    ]
    asked = ask_for("r", "user of r")
    assert core.reply("b", "user of q") == [relay("user of q", "b"), drop("q"), asked]
    core.send_value("r", 6)
    assert core.reply("c", "user of r") == [relay("user of r", "c"), drop("r")]


def test_a_value_that_is_too_large_by_itself_is_passed_on_all_the_same() -> None:
    core = Driver("a", values_size_limit=10)
    core.submit("p")
    core.submit("user", arguments=("p",))
    asked = [no_room("p", 10**9, 0), ask_for("p", "user")]
    assert core.reply("a", "p", size=10**9) == [relay("p", "a"), *asked]
    core.wait(PATIENCE + 900)  # a slow line is given time
    assert core.send_value("p", 10**9)[-1] == use("p")


def test_two_tasks_that_need_two_large_values_each_do_not_block_each_other() -> None:
    core = Driver("d", "c", "b", "a", values_size_limit=10)
    for name in "pqrs":
        core.submit(name)
    core.submit("1", arguments=("p", "q"))
    core.submit("2", arguments=("r", "s"))
    for name, engine in zip("prqs", "acbd", strict=True):
        core.reply(engine, name, size=9)
    # p is held; q was asked for, and then there is no room for s and r
    assert core.send_value("q", 9)[-1] == use("p", "q", of="1", engine="a")
    assert core.reply("a", "1") == [
        relay("1", "a"),
        drop("p"),
        drop("q"),
        ask_for("r", "2"),
        ask_for("s", "2"),
    ]


def test_tasks_of_a_client_that_is_gone_do_not_block_others() -> None:
    core = Driver("c", "b", "a", values_size_limit=1)
    for name in "pqr":
        core.submit(name)
    core.submit("1", arguments=("p",), client=b"gone")
    core.submit("2", arguments=("q",), client=b"gone")
    core.submit("3", arguments=("r",), client=b"here")
    core.submit("4", arguments=("r",), client=b"here", timeout=1)
    for name, engine in zip("pqr", "abc", strict=True):
        core.reply(engine, name, size=9)
    core.wait(1)
    assert core.wait(PATIENCE) == [fail("1"), ask_for("r", "3"), fail("2")]


def test_a_value_that_another_task_has_asked_for_is_not_asked_for_again() -> None:
    core = Driver("b", "a", values_size_limit=1)
    core.submit("p")
    core.submit("1", arguments=("p",))
    core.submit("2", arguments=("p",))
    assert core.reply("a", "p", size=9)[2:] == [ask_for("p", "1")]
    assert core.send_value("p", 9)[2:] == [use("p", of="1", engine="b"), use("p", of="2")]
