"""At the edges: engines that lose answers, that never come, that die one after the other."""

from __future__ import annotations

import pytest

from ipp_richsched.core.actions import Action, AskEngine, AssignTask
from ipp_richsched.core.attempt_reasons import AnswerLost
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.events import AskingFailed, ConnectionsChanged
from ipp_richsched.core.failures import Failure, TaskError
from ipp_richsched.core.notices import EngineGone, NoEngine, TaskRetried, TaskStranded
from ipp_richsched.wire.notices import notice_text

from .conftest import SLICE
from .driver import Driver, ask, assign, fail, relay, text, warn

LOST = "answered what it was sent later"


def asked(actions: list[Action]) -> list[int]:
    """The numbers of the questions among some actions."""
    return [action.question for action in actions if isinstance(action, AskEngine)]


# -- answers that are lost ---------------------------------------------------------------


def test_an_engine_that_answers_a_later_question_has_lost_the_task() -> None:
    core = Driver("a", probe_after=2)
    core.submit("t")
    core.submit("next")
    assert core.wait(1.9) == []
    assert core.wait(0.1) == [ask("a", 1)]
    assert core.answer("a", 1) == []
    actions = core.wait(0.1)
    assert actions == [fail("t", Failure.ENGINE_ERROR, engine="a"), assign("next", "a")]
    assert LOST in text(actions[:1])
    assert core.reply("a", "t") == [warn()]  # if it comes all the same, it is too late
    assert core.reply("a", "next") == [relay("next", "a")]


def test_a_lost_task_with_a_retry_goes_elsewhere() -> None:
    core = Driver("a", "b", probe_after=2)
    core.submit("t", retries=1)
    core.submit("busy", targets=["a"])
    core.wait(2)
    core.answer("b", 1)
    assert core.wait(0.1) == []
    assert core.told == [TaskRetried("t", AnswerLost(b"b"), 0)]
    assert core.reply("a", "busy") == [relay("busy", "a"), assign("t", "a")]


def test_an_answer_that_was_overtaken_by_that_to_a_question_counts() -> None:
    core = Driver("a", probe_after=2)
    core.submit("t")
    core.wait(2)
    core.answer("a", 1)
    core.wait(0.05)
    assert core.reply("a", "t") == [relay("t", "a")]
    core.submit("next")
    assert core.wait(1) == []


def test_a_question_is_no_proof_about_what_was_sent_after_it() -> None:
    core = Driver("a", probe_after=2, hwm=2)
    core.submit("t")
    assert core.wait(2) == [ask("a", 1)]
    core.submit("later")
    assert core.reply("a", "t") == [relay("t", "a")]
    assert core.answer("a", 1) == []
    assert core.wait(1.9) == []
    assert core.wait(0.1) == [ask("a", 2)]


def test_short_tasks_cost_no_question() -> None:
    core = Driver("a", probe_after=2)
    for number in range(100):
        core.submit(f"{number}")
        assert core.wait(1) == []
        core.reply("a", f"{number}")
    assert core.core.next_deadline() is not None
    assert core.wait(100) == []
    assert core.core.next_deadline() is None


def test_a_long_task_costs_a_question_each_time_that_its_age_has_doubled() -> None:
    core = Driver("a", probe_after=2)
    core.submit("t")
    assert asked(core.wait(3600)) == [*range(1, 12)]
    assert core.reply("a", "t") == [relay("t", "a")]
    for question in range(1, 12):
        assert core.answer("a", question) == []
    core.submit("next")
    assert asked(core.wait(2)) == [12]


def test_a_question_that_is_lost_keeps_nothing_from_being_found_out() -> None:
    core = Driver("a", probe_after=2)
    core.submit("long")
    core.wait(3600)
    core.reply("a", "long")  # and no question is answered
    core.submit("t")
    (question,) = asked(core.wait(2))
    core.answer("a", question)
    assert core.wait(0.1) == [fail("t", Failure.ENGINE_ERROR, engine="a")]


def test_with_probe_after_none_nobody_is_asked() -> None:
    core = Driver("a", probe_after=None)
    core.submit("t")
    assert core.handle(ConnectionsChanged()) == []
    assert core.wait(1e6) == []


def test_when_connections_changed_who_has_something_is_asked_anew() -> None:
    core = Driver("a", "idle", probe_after=2)
    core.submit("t", targets=["a"])
    assert len(asked(core.wait(1000))) == 9
    assert core.handle(ConnectionsChanged()) == []
    assert core.handle(ConnectionsChanged()) == []
    (question,) = asked(core.wait(9))  # sooner, had it fewer questions that it has not answered
    core.answer("a", question)
    assert core.wait(0.1) == [fail("t", Failure.ENGINE_ERROR, engine="a")]


def test_an_engine_without_connection_is_asked_when_it_has_one() -> None:
    core = Driver("a", probe_after=2)
    core.submit("t")
    (question,) = asked(core.wait(2))
    for _ in range(10):
        assert core.handle(AskingFailed(b"a", question)) in ([], [warn()])
        (question,) = asked(core.wait(1))
    core.submit("next")
    core.answer("a", question)
    actions = core.wait(0.1)
    assert actions == [fail("t", Failure.ENGINE_ERROR, engine="a"), assign("next", "a")]


def test_news_of_a_question_to_an_engine_that_is_gone_changes_nothing() -> None:
    core = Driver("a", probe_after=2, engine_grace=5)
    core.submit("t")
    core.wait(2)
    core.unregister("a")
    assert core.answer("a", 1) == []
    assert core.handle(AskingFailed(b"a", 1)) == []
    core.register("a")
    assert core.answer("a", 1) == []
    assert core.wait(4) == []
    assert core.reply("a", "t") == [relay("t", "a")]  # within the grace


def test_a_death_after_a_question_was_answered_leaves_the_grace_to_a_reply() -> None:
    core = Driver("a", probe_after=2, engine_grace=5)
    core.submit("t")
    core.wait(2)
    core.answer("a", 1)
    core.unregister("a")
    assert core.wait(4) == []
    assert core.reply("a", "t") == [relay("t", "a")]


def test_what_one_engine_has_lost_is_given_up_in_slices() -> None:
    number = SLICE + 10
    core = Driver("a", probe_after=2, hwm=0)
    core.core.validate = lambda: None  # type: ignore[method-assign]  # O(tasks) each
    for place in range(number):
        core.submit(f"{place}")
    core.wait(2)
    core.answer("a", 1)
    assert len(core.wait(0.1)) == number


def test_connections_that_keep_changing_cost_an_engine_few_questions() -> None:
    core = Driver("a", probe_after=2)
    core.submit("t")
    questions = 0
    for _ in range(3600):
        core.handle(ConnectionsChanged())
        questions += len(asked(core.wait(1)))
    assert 50 < questions < 100


def test_what_an_engine_holds_that_has_no_connection_for_long_is_lost() -> None:
    core = Driver("a", "b", probe_after=2, stranded_timeout=60)
    core.submit("t", targets=["a"])
    core.submit("retried", targets=["a", "b"], retries=1)
    core.submit("pinned", targets=["a"])
    ended = []
    for _ in range(100):
        actions = core.wait(1)
        while (numbers := asked(actions)) or assign("pinned", "a") in actions:
            ended += [action for action in actions if not isinstance(action, AskEngine)]
            actions = core.unreachable("a", "pinned") if not numbers else []
            for number in numbers:
                actions += core.handle(AskingFailed(b"a", number))
        ended += actions
    lost = fail("t", Failure.ENGINE_ERROR, engine="a")
    assert [action for action in ended if action in (lost, fail("pinned"))] == [
        lost,
        fail("pinned"),
    ]
    assert "has had no connection to the scheduler for 60 s" in text(
        [action for action in ended if action == lost]
    )


def test_an_engine_that_answers_while_it_is_left_alone_is_not_asked_without_end() -> None:
    core = Driver("a", probe_after=2, hwm=3)
    core.submit("1")
    core.submit("2")
    core.wait(1.5)
    for _ in range(6):
        core.submit("u")
        core.unreachable("a", "u")
        core.wait(core.core.next_deadline() - core.now)  # type: ignore[operator]
    core.unreachable("a", "u")
    core.reply("a", "1")  # over its old connection
    questions = 0
    for _ in range(200):
        actions = core.wait(0.01)
        for number in asked(actions):
            questions += 1
            core.handle(AskingFailed(b"a", number))
    assert questions < 50


def test_the_next_question_does_not_wait_for_the_age_of_a_task_that_is_answered() -> None:
    core = Driver("a", probe_after=2, hwm=2)
    core.submit("long")
    core.wait(3590)
    core.submit("short")
    core.wait(5)
    core.reply("a", "long")  # and the answer of the other is lost, with that to its question
    (question,) = asked(core.wait(2))
    core.answer("a", question)
    assert core.wait(0.1) == [fail("short", Failure.ENGINE_ERROR, engine="a")]


# -- engines that never come -------------------------------------------------------------


def test_tasks_pinned_to_an_engine_that_never_connects_fail() -> None:
    core = Driver("a", "b", stranded_timeout=60)
    core.submit("1", targets=["a"])
    core.submit("2", targets=["a"])
    core.submit("elsewhere", targets=["a", "b"])
    actions = []
    for _ in range(80):
        actions += core.unreachable("a", "1")
        actions += core.wait(1)
    failed = [fail("1"), fail("2")]
    assert [action for action in actions if action in failed] == failed
    assert core.now < 100 + 80.1
    assert "registered, but without a connection for 60 s: engine a" in text(
        [action for action in actions if action in failed[:1]]
    )
    assert core.reply("b", "elsewhere") == [relay("elsewhere", "b")]
    assert core.submit("3", targets=["a"]) == [assign("3", "a")]  # perhaps it is there now
    assert core.unreachable("a", "3") == []


@pytest.mark.parametrize("refused", [True, False])
def test_a_task_with_a_healthy_target_does_not_fail_with_the_one_out_of_reach(
    refused: bool,
) -> None:
    core = Driver("a", "b", stranded_timeout=60, retry_elsewhere=5)
    for number in range(63):
        core.submit(f"o{number}", targets=["a", "b"])
        core.unreachable("a", f"o{number}")
        core.reply("b", f"o{number}")
        core.wait(1)
    actions = core.submit("t", targets=["a", "b"], retries=3)
    for _ in range(4):
        if assign("t", "b") in actions:
            break
        actions = core.unreachable("a", "t")
    assert actions == [assign("t", "b")]
    for _ in range(2):
        actions = core.refuse("b", "t") if refused else core.reply("b", "t", "error")
        for _ in range(30):
            if assign("t", "a") in actions:
                actions = core.unreachable("a", "t")
            if actions:
                break
            actions = core.wait(1)
        assert actions == [assign("t", "b", mark=core.sent["b", "t"].mark)]
    assert core.reply("b", "t") == [relay("t", "b")]
    assert core.now < 100 + 63 + 15


def test_an_engine_that_was_reached_in_between_was_not_without_connection() -> None:
    core = Driver("a", probe_after=0.5, stranded_timeout=1.5)
    core.submit("t")
    core.unreachable("a", "t")
    for pause in (0.05, 0.1):
        assert core.wait(pause) == [assign("t", "a")]
        core.unreachable("a", "t")
    assert core.wait(0.2) == [assign("t", "a")]  # and this time it is sent
    actions = core.wait(0.5)
    first = core.now
    while fail("t", Failure.ENGINE_ERROR, engine="a") not in actions:
        for number in asked(actions):  # its connection is lost
            core.handle(AskingFailed(b"a", number))
        actions = core.wait(0.1)
    assert core.now - first >= 1.5


def test_a_task_that_may_run_anywhere_waits_for_engines_without_connection() -> None:
    core = Driver("a", stranded_timeout=1)
    core.submit("t")
    for _ in range(100):
        core.unreachable("a", "t")
        core.wait(1)
    assert core.reply("a", "t") == [relay("t", "a")]


def test_with_stranded_timeout_none_a_pinned_task_waits_for_its_engine() -> None:
    core = Driver("a", stranded_timeout=None)
    core.submit("t", targets=["a"])
    for _ in range(100):
        core.unreachable("a", "t")
        core.wait(1)
    assert core.reply("a", "t") == [relay("t", "a")]


def test_an_engine_that_was_reached_in_between_begins_anew() -> None:
    core = Driver("a", stranded_timeout=60)
    for _ in range(50):
        core.submit("t", targets=["a"], timeout=5)
        core.unreachable("a", "t")
        core.wait(1)
        core.reply("a", "t")
        core.wait(2)
    assert core.submit("last", targets=["a"]) == [assign("last", "a")]
    assert core.unreachable("a", "last") == []


# -- engines that refuse -----------------------------------------------------------------


def test_engines_that_refused_are_asked_again_with_growing_pauses() -> None:
    core = Driver("a", "b", stranded_timeout=60)
    core.submit("t")
    begun, pauses = core.now, []
    assert core.refuse("b", "t") == [assign("t", "a")]  # which has not refused it
    assert core.refuse("a", "t") == []
    assert core.told[-1:] == [TaskStranded("t", core.told[-1].reason)]  # type: ignore[union-attr]
    assert "@require or @depend" in notice_text(core.told[-1])
    while True:
        before = core.now
        when = core.core.next_deadline()
        assert when is not None
        actions = core.wait(when - core.now)
        if actions == [fail("t")]:
            break
        pauses.append(core.now - before)
        for engine in ("a", "b"):
            actions = core.refuse(engine if assign("t", engine, mark=3) else "b", "t")
        if ("a", "t") in core.sent:
            core.refuse("a", "t")
    assert core.now - begun == 60
    assert pauses[:5] == [1, 2, 4, 8, 15]
    assert "did not change in 60 s" in text(actions)


def test_a_follower_of_any_that_was_refused_waits_for_the_others() -> None:
    core = Driver("a", "b", stranded_timeout=5)
    core.submit("x", targets=["a"])
    core.submit("y", targets=["b"])
    core.submit("t", follow=Dependency(["x", "y"], all=False))
    core.reply("a", "x")
    for _ in range(20):
        core.refuse("a", "t")
        core.wait(15)
    core.refuse("a", "t")
    assert core.reply("b", "y")[1:] == [assign("t", "b")]


def test_a_task_that_an_engine_refused_runs_when_it_may() -> None:
    core = Driver("a", stranded_timeout=60)
    core.submit("t")
    core.refuse("a", "t")
    assert core.wait(1) == [assign("t", "a", mark=2)]
    assert core.reply("a", "t") == [relay("t", "a")]
    assert len(core.told) == 1


def test_with_stranded_timeout_none_they_are_asked_for_ever() -> None:
    core = Driver("a", stranded_timeout=None)
    core.submit("t")
    for _ in range(100):
        core.refuse("a", "t")
        assert len(core.wait(15)) == 1


def test_a_refused_task_beside_one_that_waits_for_its_retry_is_told_of() -> None:
    core = Driver("a", stranded_timeout=None)
    core.submit("failed", retries=1)
    core.reply("a", "failed", "error")
    core.submit("refused")
    core.refuse("a", "refused")
    assert [type(notice) for notice in core.told] == [TaskRetried, TaskStranded]
    assert core.wait(0.25) == [assign("failed", "a", mark=2)]


def test_a_task_that_is_refused_while_it_is_asked_again_fails_when_its_time_is_over() -> None:
    core = Driver("a", stranded_timeout=5)
    core.submit("t")
    core.refuse("a", "t")
    assert core.wait(10) == [assign("t", "a", mark=2)]
    core.refuse("a", "t")
    assert core.wait(0) == [fail("t")]


# -- retries elsewhere -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "waits"), [(0, 0.0), (10, 10.0), (None, None)], ids=["at once", "10", "for ever"]
)
def test_a_retry_waits_only_so_long_for_a_busy_engine(
    seconds: float | None, waits: float | None
) -> None:
    core = Driver("a", "b", retry_elsewhere=seconds)
    core.submit("busy", targets=["a"])
    core.submit("t", retries=1)
    again = [assign("t", "b", mark=2)]
    actions = core.reply("b", "t", "error")
    if waits is None:
        assert actions + core.wait(1e6) == []
    elif waits == 0:
        assert actions == again
    else:
        assert actions + core.wait(waits - 0.1) == []
        assert core.wait(0.1) == again


def test_a_retry_that_waits_for_a_busy_engine_tries_again_soon_when_that_dies() -> None:
    core = Driver("a", "b", engine_grace=100)
    core.submit("busy", targets=["a"])
    core.submit("t", retries=1)
    core.reply("b", "t", "error")
    core.unregister("a")
    assert core.wait(0.25) == [assign("t", "b", mark=2)]


def test_a_retry_that_waits_for_any_engine_waits_only_so_long_when_a_busy_one_comes() -> None:
    core = Driver("b", retry_elsewhere=10)
    core.submit("first", targets=["a"])
    core.submit("t", retries=1)
    core.reply("b", "t", "error")
    assert core.register("a") == [assign("first", "a")]
    assert core.wait(9.9) == []
    assert core.wait(0.1) == [assign("t", "b", mark=2)]


def test_sends_that_do_not_reach_a_fresh_engine_make_no_retry_wait_longer() -> None:
    core = Driver("a", "b", retry_elsewhere=10)
    core.submit("t", retries=1)
    assert core.reply("b", "t", "error") == [assign("t", "a")]
    for _ in range(20):
        core.unreachable("a", "t")
        if core.wait(1) == [assign("t", "b", mark=core.sent["b", "t"].mark)]:
            break
    assert core.reply("b", "t") == [relay("t", "b")]
    assert core.now < 100 + 12


# -- no engine at all --------------------------------------------------------------------


def test_that_no_engine_is_there_is_said_at_growing_intervals() -> None:
    core = Driver()
    core.submit("1")
    core.submit("2")
    assert core.told == [NoEngine(1)]
    core.wait(10)
    assert core.told == [NoEngine(1), NoEngine(2)]
    core.wait(3600)
    assert len(core.told) == 9
    core.register("a")
    core.wait(1e6)
    assert len(core.told) == 9
    assert notice_text(core.told[0]) == "1 task waits, and no engine is registered"
    assert notice_text(core.told[1]) == "2 tasks wait, and no engine is registered"


def test_that_the_last_engine_is_gone_is_said() -> None:
    core = Driver("a", "b", engine_grace=1)
    core.submit("t", retries=9)
    core.submit("waiting", after=["t"])
    core.unregister("a")
    assert core.told == []
    core.unregister("b")
    assert core.told == [EngineGone(b"b", 1), NoEngine(2)]
    assert notice_text(core.told[0]) == "engine b is gone, with 1 task"


def test_where_nothing_waits_nothing_is_said() -> None:
    core = Driver("a")
    core.unregister("a")
    assert core.told == []
    core.submit("t", timeout=5)
    core.wait(1e6)
    assert core.told == [NoEngine(1)]
    assert core.core.next_deadline() is None


# -- engines that die of a task ----------------------------------------------------------


def test_only_the_oldest_task_of_a_dead_engine_was_running() -> None:
    core = Driver("a", hwm=5)
    for number in range(3):
        core.submit(f"{number}")
    core.unregister("a")
    first, *others = core.wait(5)
    assert text([first]) == "Engine a died while running task '0'"
    for other in others:
        assert "had probably not begun" in text([other])


def test_the_oldest_is_the_oldest_that_is_not_answered_in_the_grace() -> None:
    core = Driver("a", hwm=5)
    for number in range(3):
        core.submit(f"{number}")
    core.unregister("a")
    core.reply("a", "0")
    assert text(core.wait(5)[:1]) == "Engine a died while running task '1'"


def test_a_task_that_kills_its_engines_goes_last_and_is_given_up() -> None:
    core = Driver("a", "b", "c", "d", engine_grace=0)
    held = [assign for (assign,) in [core.submit("poison", retries=5)]]
    for number in range(20):
        held += core.submit(f"{number}")
    order: list[str] = []
    actions: list[Action] = []
    while held:
        msg_id, engine = held[0].msg_id, held.pop(0).engine.decode()  # type: ignore[union-attr]
        order.append(msg_id)
        if msg_id != "poison":
            actions = core.reply(engine, msg_id)
        else:
            core.unregister(engine)
            actions = core.wait(0)
        held += [action for action in actions if isinstance(action, AssignTask)]
    poisoned = [place for place, msg_id in enumerate(order) if msg_id == "poison"]
    assert poisoned == [0, 21, 22]  # all the others were done before it took the second engine
    assert len(core.core.pool.engines) == 1
    assert "3 engines died while running it: engine d, engine " in text(actions)


def test_with_max_crashes_none_only_the_retries_count() -> None:
    core = Driver(engine_grace=0, max_crashes=None)
    core.submit("poison", retries=9)
    for number in range(10):
        core.register(f"{number}")
        core.unregister(f"{number}")
        actions = core.wait(0)
    assert text(actions) == "Engine 9 died while running task 'poison'"
    assert actions[-1].attempts == 10  # type: ignore[union-attr]


def test_deaths_of_engines_on_which_a_task_only_waited_do_not_count() -> None:
    core = Driver(engine_grace=0, hwm=2)
    core.submit("waits", retries=20)
    for number in range(10):
        core.submit(f"long {number}", targets=[f"{number}"])
        core.register(f"{number}")
    core = Driver("a", hwm=2, engine_grace=0, max_crashes=1)
    core.submit("1", targets=["a"], retries=1)
    core.submit("2", retries=1)
    core.unregister("a")
    (failed,) = core.wait(0)
    assert failed == fail("1", Failure.ENGINE_ERROR, engine="a")
    assert core.register("b") == [assign("2", "b")]


def test_a_timeout_says_what_kind_of_engine_was_missing() -> None:
    core = Driver("a")
    core.submit("refused", timeout=0.5)
    core.refuse("a", "refused")
    assert "functional dependency (@require or @depend) is met" in text(core.wait(0.5))
    core.submit("absent", timeout=0.5, targets=["x"])
    assert "none of these is registered" in text(core.wait(0.5))
    core.submit("busy")
    core.submit("waits", timeout=0.5)
    assert "an engine with room" in text(core.wait(0.5))


def test_the_first_of_several_failures_is_named() -> None:
    core = Driver("a", "b")
    core.submit("a1", targets=["a"])
    core.submit("b1", targets=["b"])
    core.submit("t", after=Dependency(["a1", "b1"], all=False))
    core.reply("b", "b1", "error", error=TaskError("ValueError", "of b1"))
    _, failed = core.reply("a", "a1", "error", error=TaskError("ValueError", "of a1"))
    assert text([failed]).endswith("the first to fail was b1 with ValueError: of b1")


# -- what a user reads -------------------------------------------------------------------


def test_a_failure_says_how_often_the_task_was_tried_and_where() -> None:
    core = Driver("a", engine_grace=0)
    core.submit("t", retries=1)
    core.reply("a", "t", "error")
    core.wait(0.25)
    core.unregister("a")
    (failed,) = core.wait(0)
    assert (failed.attempts, failed.tried_on.names) == (2, ("a",))  # type: ignore[union-attr]


def test_a_dependent_of_a_refused_task_hears_of_the_chain() -> None:
    core = Driver("a", stranded_timeout=0)
    core.submit("t")
    core.submit("after", after=Dependency(["t"]))
    core.refuse("a", "t")
    actions = core.wait(0)
    assert actions == [fail("t"), fail("after")]
    assert text(actions[1:]).endswith("which failed with ImpossibleDependency")
