"""What happened can be written down and read back, and gives the same actions again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest

from ipp_richsched.core import attempt_reasons, failures, notices, reasons
from ipp_richsched.core.actions import (
    Action,
    AnswerValue,
    AskEngine,
    AskForValue,
    AssignTask,
    DropValue,
    FailTask,
    KeepValue,
    Warn,
)
from ipp_richsched.core.codec import CodecError, from_plain, to_plain
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.engines.schemes import BUILT_IN
from ipp_richsched.core.events import (
    AskingFailed,
    ConnectionsChanged,
    EngineAnswered,
    EngineRegistered,
    EngineUnregistered,
    Event,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
    ValueSent,
)
from ipp_richsched.core.flags import RichFlags
from ipp_richsched.core.log import (
    Gap,
    Header,
    LogError,
    Step,
    gap_line,
    header_line,
    read_line,
    step_line,
)
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.placement.match import Placement
from ipp_richsched.core.replay import Difference, replay
from ipp_richsched.core.settings import Settings
from ipp_richsched.core.story import CoreError
from ipp_richsched.wire.notices import notice_text

from .world import World

REPLAY = """
import sys
from ipp_richsched.core.log import read_line
from ipp_richsched.core.replay import replay
header, *steps = map(read_line, open(sys.argv[1]))
print(*replay(header.settings, steps))
"""


def header_of(settings: Settings) -> Header:
    return Header(settings, "a run", 1, wall=1e9, now=0.0)


def recorded(settings: Settings | None = None) -> tuple[SchedulerCore, list[str]]:
    """A core, and the log that it writes."""
    settings = settings or Settings()
    lines = [header_line(header_of(settings))]
    core = SchedulerCore(settings, trace=lambda *step: lines.append(step_line(*step)))
    return core, lines


def replayed(lines: list[str]) -> tuple[int, Difference | None]:
    header, *steps = map(read_line, lines)
    assert isinstance(header, Header)
    return replay(header.settings, [step for step in steps if isinstance(step, Step)])


def recorded_life(scheme: str, seed: int = 5) -> list[str]:
    """The log of a random life."""
    world = World(Random(seed), scheme)
    world.core, lines = recorded(world.settings)
    for _ in range(600):
        world.step()
    world.drain()
    return lines


@pytest.mark.parametrize("scheme", sorted(BUILT_IN))
@pytest.mark.parametrize("hash_seed", ["0", "77"])
def test_another_process_does_the_same(scheme: str, hash_seed: str, tmp_path: Path) -> None:
    lines = recorded_life(scheme)
    path = tmp_path / "log"
    path.write_text("".join(lines))
    run = subprocess.run(
        [sys.executable, "-c", REPLAY, str(path)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout.strip() == f"{len(lines) - 1} None", run
    assert len(lines) > 300


@pytest.mark.parametrize("seed", range(20))
def test_random_lives_are_written_as_the_codec_has_it_and_replayed(seed: int) -> None:
    """The fast writers give what the slow one gives."""
    world = World(Random(seed), "leastload")
    core = world.core = SchedulerCore(world.settings)

    def trace(now: float, event: Event, actions: list[Action]) -> None:
        plain = {"now": now, "event": to_plain(event), "actions": to_plain(actions)}
        line = step_line(now, event, actions)
        assert json.loads(line) == plain, event
        lines.append(line)

    lines = [header_line(header_of(world.settings))]
    core.trace = trace
    for _ in range(300):
        world.step()
    world.drain()
    assert core.trace is trace  # one that raises is taken away
    assert len(lines) > 100
    assert replayed(lines) == (len(lines) - 1, None)


def test_a_replay_finds_what_is_different() -> None:
    lines = recorded_life("leastload")
    number = next(n for n, line in enumerate(lines) if '"AssignTask"' in line)
    step = json.loads(lines[number])
    action = step["actions"].pop()
    lines[number] = json.dumps(step)
    fed, difference = replayed(lines)
    assert fed == number
    assert difference == (number, step["event"], step["actions"], [*step["actions"], action])


def test_a_replay_repeats_an_error_of_the_core() -> None:
    core, lines = recorded()
    core.handle(EngineRegistered(b"a"), now=0.0)
    with mock.patch.object(Placement, "match", side_effect=ZeroDivisionError):
        with pytest.raises(CoreError):
            core.handle(TaskSubmitted("t"), now=1.0)
        assert replayed(lines) == (2, None)
    fed, difference = replayed(lines)  # by a core without the error
    assert fed == 2
    assert difference is not None
    assert difference.done[0]["type"] == "AssignTask"


def test_a_run_of_a_scheme_that_is_not_there_is_not_replayed() -> None:
    with pytest.raises(LogError, match="no scheme is called 'elsewhere'"):
        replay(Settings(scheme="elsewhere"), [])


def test_a_trace_that_fails_is_told_nothing_more_and_costs_no_decision() -> None:
    trace = mock.Mock(side_effect=OSError("no space left on the device"))
    core = SchedulerCore(trace=trace)
    (warning,) = core.handle(EngineRegistered(b"a"), now=0.0)
    assert isinstance(warning, Warn)
    assert "no longer written down: OSError: no space left" in notice_text(warning.notice)
    (assigned,) = core.handle(TaskSubmitted("t"), now=1.0)
    assert isinstance(assigned, AssignTask)
    assert trace.call_count == 1


EVENTS: list[Any] = [
    EngineRegistered(b"e\xff1"),
    TaskSubmitted(
        "t\ud800",
        targets=frozenset([b"b", b"a"]),
        after=Dependency(["x", "y"], all=False, failure=True),
        timeout=1.5,
        retries=3,
        rich=RichFlags(priority=-1, run_timeout=2.5),
    ),
    TaskReplied(b"a", "t", "error", busy=1.5),
    TaskReplied(b"a", "t", "ok", size=10**12),
    TaskSubmitted("t", rich=RichFlags(arguments=("x", "y")), client=b"\xff"),
    ValueSent("t", b"\xff", 3, "lost"),
    TaskReplied(b"a", "t", None, False, problem="no status", mark=2),
    TaskReplied(b"a", "t", "error", error=failures.TaskError("ValueError", "text")),
    AskingFailed(b"a", 3),
    EngineAnswered(b"a", 3),
    ConnectionsChanged(),
    TimePassed(),
]
CAUSE = failures.Cause("first", failures.TaskError("ValueError", "text"))

ACTIONS: list[Any] = [
    AskEngine(b"a", 3),
    AssignTask("t", b"a", None, 2, 2),
    AssignTask("t", b"a", None, 1, 0, ("x", "y")),
    KeepValue("t", None),
    DropValue("t"),
    AskForValue("t", None),
    AnswerValue("t", None, False),
    FailTask("t", reasons.ValueNotSent("x", b"c", 60.0), None),
    FailTask("t", reasons.ValueNotSent("x", b"c", None, "lost"), None),
    FailTask("t", reasons.InternalError(), None, b"a"),
    FailTask(
        "t",
        reasons.UnreachableDependency("after", (reasons.Ended("x", True, False),), 2, CAUSE),
        None,
    ),
    FailTask("t", attempt_reasons.RunTimedOut(b"a", 2.5), None),
    FailTask("t", reasons.TimedOut(3.0, reasons.Awaited.TURN, failures.few("abcde")), None),
    FailTask("t", attempt_reasons.EnginesCrashed((b"a", b"b")), None, b"b", 2, failures.few("ab")),
    Warn(notices.TaskStranded("t", reasons.Stranded(None, failures.few([]), failures.few("a")))),
    Warn(notices.TaskRetried("t", attempt_reasons.AnswerLost(b"a"), 2)),
    Warn(notices.EngineNotice(b"a", notices.Oddity.NOT_REACHED)),
]


@pytest.mark.parametrize("kind", [Event, Action])
def test_what_is_written_can_be_read(kind: Any) -> None:
    for value in EVENTS if kind is Event else ACTIONS:
        plain = json.loads(json.dumps(to_plain(value)))
        read = from_plain(plain, kind)
        assert type(read) is type(value)
        assert to_plain(read) == plain
        if not isinstance(value, TaskSubmitted):  # dependencies have no equality
            assert read == value
    assert from_plain(to_plain(Settings(hwm=3)), Settings) == Settings(hwm=3)


def test_events_are_frozen_and_equal_to_their_own_kind_only() -> None:
    one, other = EngineRegistered(b"a"), EngineUnregistered(b"a")
    with pytest.raises(AttributeError):
        one.engine = b"b"  # type: ignore[misc]
    assert one != other
    assert one == EngineRegistered(b"a")
    assert len({one, other, EngineRegistered(b"a")}) == 2
    assert "payload" not in repr(TaskSubmitted("t", "payload"))
    with pytest.raises(AttributeError):
        Settings().hwm = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"type": "Nothing"}, "is no EngineRegistered or"),
        ({}, "is no EngineRegistered or"),
        (3, "is no EngineRegistered or"),
        ({"type": "EngineRegistered", "engine": 3}, "EngineRegistered.engine: 3 is no bytes"),
        ({"type": "EngineRegistered"}, "EngineRegistered cannot be made"),
        ({"type": "EngineRegistered", "engine": "a", "age": 3}, "no field 'age'"),
        ({"type": "TaskSubmitted", "msg_id": "t", "timeout": True}, "TaskSubmitted.timeout"),
        ({"type": "TaskSubmitted", "msg_id": "t", "targets": "ab"}, "TaskSubmitted.targets"),
        ({"type": "AssignTask", "msg_id": "t"}, "is no EngineRegistered or"),
    ],
)
def test_data_that_is_no_event_is_refused_by_name(plain: Any, words: str) -> None:
    with pytest.raises(CodecError, match=words):
        from_plain(plain, Event)


def test_an_enum_that_is_none_is_refused() -> None:
    with pytest.raises(CodecError, match="awaited"):
        from_plain({"type": "TimedOut", "seconds": 1, "awaited": "GODOT"}, reasons.TimedOut)
    with pytest.raises(CodecError, match="awaited"):
        from_plain({"type": "TimedOut", "seconds": 1, "awaited": 3}, reasons.TimedOut)


HEADER = json.loads(header_line(header_of(Settings())))


def test_a_header_can_be_read() -> None:
    header = Header(Settings(hwm=3), "r", 2, 1e9, 3.5, "0.1", False, {"e\udcff1": "engine 1"})
    assert read_line(header_line(header)) == header


def test_other_lines_can_be_read() -> None:
    assert read_line(gap_line(3)) == Gap(3)
    line = step_line(1.5, EngineRegistered(b"e1"), [], "engine 1")
    assert read_line(line) == Step(
        1.5, {"type": "EngineRegistered", "engine": "e1"}, [], "engine 1"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "it is no JSON"),
        ("\x00\x01", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "it has no 'now'"),
        ('{"now": 1}', "it has no 'event'"),
        ('{"now": [], "event": {}, "actions": []}', "float"),
        ('{"lost": "many"}', "many"),
        ('{"format": "of another kind"}', "its format is 'of another kind', not"),
        (json.dumps({**HEADER, "version": 99}), "its version is 99, and this version of"),
        (json.dumps({**HEADER, "settings": 3}), "3 is no Settings"),
        (json.dumps({"format": HEADER["format"]}), "it has no 'version'"),
        (json.dumps({**HEADER, "engines": [3]}), "."),
    ],
)
def test_a_line_that_is_none_is_refused(line: str, words: str) -> None:
    with pytest.raises(LogError, match=words):
        read_line(line)


def test_a_step_that_is_none_is_refused() -> None:
    task = {"type": "TaskSubmitted", "msg_id": "t"}
    with pytest.raises(LogError, match="is no EngineRegistered or"):
        replay(Settings(), [Step(0.0, {}, [])])
    with pytest.raises(LogError, match="is no AssignTask or"):
        replay(Settings(), [Step(0.0, task, [{}])])
