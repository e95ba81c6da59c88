"""Sentences about several engines and tasks, as a person would say them."""

from __future__ import annotations

import pytest

from ipp_richsched.core.attempt_reasons import AttemptFailed, EngineDied, EnginesCrashed
from ipp_richsched.core.failures import Cause, Few, TaskError, few
from ipp_richsched.core.reasons import (
    Cancelled,
    CannotFollow,
    Ended,
    NoTargetLeft,
    Obstacle,
    Reason,
    UnreachableDependency,
)
from ipp_richsched.core.waits import ForConnection, ForRoom, ForTaker, ForTasks, Pending, Wait
from ipp_richsched.wire.names import listed
from ipp_richsched.wire.texts import reason_text
from ipp_richsched.wire.waits import Teller

NAMES = {
    "a": "engine 0",
    "b": "engine 2",
    "c": "engine 10",
    "h": "engine 3 on node7",
    "x": "engine some-uuid",
}


def called(engine: str) -> str:
    return NAMES[engine]


NONE = Few()
NUMPY = TaskError("UnmetDependency", "numpy")


@pytest.mark.parametrize(
    ("wait", "text"),
    [
        (ForRoom(few("a")), "waits for room: engine 0 is full"),
        (ForRoom(few("ab")), "waits for room: engines 0 and 2 are full"),
        (ForRoom(few("cba")), "waits for room: engines 0, 2 and 10 are full"),
        (
            ForRoom(Few(("a", "b", "c"), 5)),
            "waits for room: engines 0, 2, 10 and 5 more are full",
        ),
        (ForRoom(few("ah")), "waits for room: engine 0 and engine 3 on node7 are full"),
        (ForRoom(few("bx")), "waits for room: engine 2 and engine some-uuid are full"),
        (
            ForRoom(few("a"), away=few("bc"), failed=few("ab")),
            "waits for room: engine 0 is full; engines 2 and 10 cannot be reached or are being"
            " interrupted; it failed on engines 0 and 2, and others come first",
        ),
        (
            ForTaker(few("ab"), few("c"), few("x"), None, None),
            "is stranded, no engine takes it: on engine 10 its functional dependency (@require or"
            " @depend) is unmet; engines 0 and 2 are not registered; engine some-uuid has no"
            " connection",
        ),
        (
            ForTaker(NONE, few("c"), NONE, None, 9.0, few("ab")),
            "is stranded, no engine takes it: on engine 10 its functional dependency (@require or"
            " @depend) is unmet; engines 0 and 2 are asked again when there is room; it fails when"
            " all have refused it once more, 9 s from now at the earliest",
        ),
        (
            ForTaker(NONE, NONE, NONE, None, -9.0, few("a")),
            "is stranded, no engine takes it: engine 0 is asked again when there is room; it fails"
            " when all have refused it once more",
        ),
        (
            ForTaker(NONE, few("c"), NONE, None, 9.0, refusal=NUMPY, asked=b"a"),
            "is stranded, no engine takes it: on engine 10 its functional dependency (@require or"
            " @depend) is unmet: numpy; engine 0 is asked again now; it fails in 9 s",
        ),
        (ForConnection(few("ab"), None), "waits for a connection: engines 0 and 2 have none"),
        (
            ForTasks((Pending("after", ("t1", "t2"), 0, False),)),
            "waits for t1 and t2 to finish",
        ),
        (
            ForTasks((Pending("after", ("t1", "t2"), 1, False, ("load", None)),)),
            "waits for t1 (load), t2 and 1 more to finish",
        ),
        (
            ForTasks((Pending("arguments", ("t1",), 0, False),)),
            "waits for t1, which is an argument, to finish",
        ),
    ],
)
def test_what_a_task_waits_for(wait: Wait, text: str) -> None:
    assert Teller(0.0, 0.0, called).wait(wait)["reason"] == text


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            EnginesCrashed((b"c", b"a")),
            "task t: 2 engines died while running it: engines 0 and 10",
        ),
        (EnginesCrashed((b"a",)), "task t: 1 engine died while running it: engine 0"),
        (
            CannotFollow(Obstacle.GONE, few("ab")),
            "task t cannot follow to engines 0 and 2, which have died",
        ),
        (NoTargetLeft(few("ab")), "task t: none of its targets is left: engines 0 and 2 died"),
    ],
)
def test_why_a_task_failed(reason: Reason, text: str) -> None:
    assert reason_text("t", reason, called) == text


def test_a_story_says_it_of_its_own_task() -> None:
    error = TaskError("ValueError", "no such file")
    ended = (Ended("p1", False, False, "load"), Ended("p2", False, False))
    story = Teller(0.0, 0.0, called)
    reasons: dict[Reason, str] = {
        UnreachableDependency("after", ended, 1, Cause("p1", error, label="load")): (
            "it cannot run after p1 (load), which failed, p2, which failed, and 1 more; the first"
            " to fail was p1 (load) with ValueError: no such file"
        ),
        UnreachableDependency("arguments", ended[:1], 0, Cause("p1", error)): (
            "it cannot have as an argument the result of p1 (load), which failed with ValueError:"
            " no such file"
        ),
        EngineDied(b"a", True): "engine 0 died while running it",
        EnginesCrashed((b"a",)): "1 engine died while running it: engine 0",
        AttemptFailed(b"a", error): "it raised ValueError: no such file",
        AttemptFailed(b"a", None): "it failed",
        Cancelled(b"me"): "it was cancelled by client me",
        NoTargetLeft(few("a")): "none of its targets is left: engine 0 died",
    }
    for reason, text in reasons.items():
        assert story.failure("t", reason)["reason"] == text


def test_names_are_listed_as_one_says_them() -> None:
    assert [listed("", 0), listed("a"), listed("ab"), listed("abc")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert listed(["a"], 1_000) == "a and 1,000 more"
