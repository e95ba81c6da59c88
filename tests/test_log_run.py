"""The run that an event log tells of: all of its tasks, engines and times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.failures import TaskError
from ipp_richsched.core.log import LogError, gap_line
from ipp_richsched.monitor.log_run import LogRun, run_of_log
from ipp_richsched.monitor.run_records import UNNAMED
from ipp_richsched.workflows.runs import Run

from .nights import BEGAN, Night

FAILED = TaskError("ValueError", "no such file")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "night.jsonl"


def bars(run: Run) -> dict[str, list[tuple[Any, ...]]]:
    """By task: on which engine, from when to when on the clock of the core, and how it ended."""
    return {
        msg_id: [
            (each.engine, round(each.start - BEGAN, 3), round(each.end - BEGAN, 3), each.end_state)
            for each in task.stretches
        ]
        for msg_id, task in run.tasks.items()
    }


def states(run: Run) -> dict[str, str]:
    return {msg_id: task.state for msg_id, task in run.tasks.items()}


def one_second(night: Night, engine: str, msg_id: str, **reply: Any) -> None:
    """A second passes, and an engine answers."""
    night.wait(1.0)
    night.reply(engine, msg_id, **reply)


def test_tasks_that_went_well(path: Path) -> None:
    night = Night(path, "a")
    night.submit("first", label="load", cost=2.0)
    night.submit("second", after=["first"], follow=["first"])
    one_second(night, "a", "first")
    one_second(night, "a", "second")
    found = run_of_log(path)
    assert found.notes == ()
    assert bars(found.run) == {
        "first": [("engine 0", 100.0, 101.0, "succeeded")],
        "second": [("engine 0", 101.0, 102.0, "succeeded")],
    }
    first, second = found.run.tasks.values()
    assert (first.group, first.cost, first.state, first.problem) == ("load", 2.0, "succeeded", "")
    assert (second.group, second.parents, second.ready) == (UNNAMED, ("first",), BEGAN + 101.0)
    assert (second.submitted, second.ended) == (BEGAN + 100.0, BEGAN + 102.0)
    [life] = found.run.lives
    assert (life.engine, life.since, life.is_over) == ("engine 0", BEGAN + 100.0, False)


def test_a_task_is_ready_when_what_it_asked_for_has_ended(path: Path) -> None:
    night = Night(path, "b", "a")
    for msg_id in ("one", "two"):
        night.submit(msg_id)
    night.submit("any", after=Dependency(["one", "two"], all=False), priority=1)
    night.submit("both", after=["one", "two"])
    one_second(night, "a", "one")
    one_second(night, "b", "two")
    tasks = run_of_log(path).run.tasks
    assert [tasks[name].ready for name in ("any", "both")] == [BEGAN + 101.0, BEGAN + 102.0]


def test_a_task_that_ended_before_what_it_waited_for_was_never_ready(path: Path) -> None:
    night = Night(path, "a")
    night.submit("first")
    night.submit("second", after=["first"], timeout=1.0)
    night.wait(3.0)
    night.reply("a", "first")
    task = run_of_log(path).run.tasks["second"]
    assert (task.problem, task.ended, task.ready) == ("TaskTimeout", BEGAN + 101.0, None)


def test_failures_and_what_they_entail(path: Path) -> None:
    night = Night(path, "a")
    night.submit("first")
    night.submit("second", after=["first"])
    night.submit("third", after=["second"])
    night.submit("odd", after=["nobody"])
    night.reject("bad", "'retries' is -1")
    one_second(night, "a", "first", status="error", error=FAILED)
    tasks = run_of_log(path).run.tasks
    assert {name: (task.state, task.problem, task.cause) for name, task in tasks.items()} == {
        "first": ("failed", "ValueError", None),
        "second": ("never ran", "ImpossibleDependency", "first"),
        "third": ("never ran", "ImpossibleDependency", "first"),
        "odd": ("never ran", "InvalidDependency", None),
        "bad": ("never ran", "ValueError", None),
    }
    assert tasks["first"].error == "no such file"
    assert "'retries' is -1" in tasks["bad"].error
    assert tasks["third"].ready is None


def test_what_an_engine_gave_back_or_failed_is_tried_again(path: Path) -> None:
    night = Night(path, "b", "a")
    night.submit("t", retries=1)
    night.wait(1.0)
    night.refuse("a", "t")
    one_second(night, "b", "t", status="error", error=FAILED)
    one_second(night, "b", "t")
    assert bars(run_of_log(path).run) == {
        "t": [
            ("engine 1", 100.0, 101.0, "given back"),
            ("engine 0", 101.0, 102.0, "failed"),
            ("engine 0", 102.25, 103.0, "succeeded"),  # after a pause
        ]
    }


def test_an_answer_to_an_earlier_attempt_ends_no_other(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t", retries=1)
    one_second(night, "a", "t", status="error", error=FAILED)
    night.wait(1.0)
    night.reply("a", "t", mark=0)  # to the first, once more
    one_second(night, "a", "t")
    assert bars(run_of_log(path).run)["t"] == [
        ("engine 0", 100.0, 101.0, "failed"),
        ("engine 0", 101.25, 103.0, "succeeded"),
    ]


def test_an_engine_with_several_tasks_works_on_one_at_a_time(path: Path) -> None:
    night = Night(path, "a", hwm=3)
    for msg_id in ("first", "second", "third"):
        night.submit(msg_id)
    one_second(night, "a", "first")
    night.wait(2.0)
    run = run_of_log(path).run
    # the log ends with the last thing that it was told of
    assert run.looked_at == BEGAN + 101.0
    assert states(run) == {"first": "succeeded", "second": "running", "third": "waiting"}
    night.reply("a", "second")
    assert bars(run_of_log(path).run) == {
        "first": [("engine 0", 100.0, 101.0, "succeeded")],
        "second": [("engine 0", 101.0, 103.0, "succeeded")],
        "third": [("engine 0", 103.0, 103.0, "running")],
    }


def test_an_engine_dies(path: Path) -> None:
    """Its bars end when the hub says so, and not after the grace; one task had begun."""
    night = Night(path, "b", hwm=2, engine_grace=5.0)
    night.submit("first", retries=1)
    night.submit("second")
    night.wait(1.0)
    night.register("a")
    night.unregister("b")
    night.wait(5.0)
    one_second(night, "a", "first")
    run = run_of_log(path).run
    assert bars(run) == {
        "first": [("engine 0", 100.0, 101.0, "died"), ("engine 1", 106.0, 107.0, "succeeded")],
        "second": [("engine 0", 101.0, 101.0, "died")],
    }
    assert states(run) == {"first": "succeeded", "second": "failed"}
    assert [(life.engine, life.until - BEGAN, life.is_over) for life in run.lives] == [
        ("engine 0", 101.0, True),
        ("engine 1", 107.0, False),
    ]


def test_a_task_whose_engine_has_just_died_waits_for_its_late_answer(path: Path) -> None:
    night = Night(path, "a", engine_grace=5.0)
    night.submit("t")
    night.wait(1.0)
    night.unregister("a")
    run = run_of_log(path).run
    assert bars(run) == {"t": [("engine 0", 100.0, 101.0, "died")]}
    assert states(run) == {"t": "waiting"}


def test_a_late_answer_of_a_dead_engine_counts(path: Path) -> None:
    night = Night(path, "a", engine_grace=5.0)
    night.submit("t")
    night.unregister("a")
    one_second(night, "a", "t")
    assert bars(run_of_log(path).run) == {"t": [("engine 0", 100.0, 101.0, "succeeded")]}


def test_an_engine_is_busy_though_its_task_is_answered(path: Path) -> None:
    night = Night(path, "a")
    night.submit("slow", run_timeout=1.0)
    night.submit("next")
    night.wait(3.0)
    night.reply("a", "slow")
    run = run_of_log(path).run
    assert run.tasks["slow"].ended == BEGAN + 101.0
    assert (run.tasks["slow"].state, run.tasks["slow"].problem) == ("failed", "TaskTimeout")
    assert bars(run)["slow"] == [("engine 0", 100.0, 103.0, "succeeded")]
    assert bars(run)["next"] == [("engine 0", 103.0, 103.0, "running")]


def test_what_did_not_reach_its_engine_has_no_bar(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.unreachable("a", "t")
    one_second(night, "a", "t")
    assert len(bars(run_of_log(path).run)["t"]) == 1


def test_a_second_task_under_an_id_and_an_answer_of_nobody_change_nothing(path: Path) -> None:
    night = Night(path, "b", "a")
    night.submit("t", label="fit")
    night.submit("t", label="other")
    night.reply("b", "t")
    one_second(night, "a", "t")
    run = run_of_log(path).run
    assert bars(run) == {"t": [("engine 1", 100.0, 101.0, "succeeded")]}
    assert run.groups == ["fit"]


def test_of_several_runs_the_last_with_tasks(path: Path) -> None:
    Night(path, "a", run="one").submit("first")
    path.rename(f"{path}.2")
    night = Night(path, "a", run="two")
    night.submit("second")
    path.rename(f"{path}.1")
    Night(path, "a", run="three")
    found = run_of_log(path)
    assert [*found.run.tasks] == ["second"]
    assert len(found.notes) == 2
    assert "was restarted" in found.notes[0]
    assert "1 run before it" in found.notes[0]
    assert found.notes[1] == "1 run after this one has no tasks."


def test_if_no_run_has_tasks_the_last(path: Path) -> None:
    Night(path, "a", run="one")
    path.rename(f"{path}.1")
    Night(path, "a", "b", run="two")
    found = run_of_log(path)
    assert not found.run.tasks
    assert found.run.engines == ["engine 0", "engine 1"]


def test_a_run_goes_on_in_the_next_file(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.make_old(2)
    one_second(night, "a", "t")
    found = run_of_log(path)
    assert found.notes == ()
    assert states(found.run) == {"t": "succeeded"}


def test_what_is_gone_with_older_files_is_said(path: Path) -> None:
    night = Night(path, "a")
    night.submit("early")
    night.submit("waits")
    night.make_old(2)
    one_second(night, "a", "early")
    Path(f"{path}.1").unlink()
    found = run_of_log(path)
    assert states(found.run) == {"early": "succeeded", "waits": "running"}
    assert bars(found.run)["early"] == []  # nobody knows where it began
    assert [note.split(" ")[0] for note in found.notes] == ["What", "2"]


def test_a_file_that_is_missing_in_the_middle_is_said(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.make_old(2)
    night.make_old(3)
    Path(f"{path}.1").unlink()
    assert run_of_log(path).notes == (f"A file is missing before {path}.",)


def test_a_gap_is_said_and_what_is_known_goes_on(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.add(gap_line(12))
    one_second(night, "a", "t")
    found = run_of_log(path)
    assert states(found.run) == {"t": "succeeded"}
    assert "12 events are missing" in found.notes[0]


def test_events_that_do_not_fit_since_others_are_missing(path: Path) -> None:
    """The engine's registration is gone."""
    night = Night(path)
    text = path.read_text()
    night.register("a")
    night.submit("t", retries=1)
    lines = [line for line in path.read_text().splitlines() if "EngineRegistered" not in line]
    path.write_text("\n".join([text.splitlines()[0], gap_line(1).strip(), *lines[1:]]) + "\n")
    one_second(night, "a", "t")
    assert bars(run_of_log(path).run) == {"t": [("engine a", 100.0, 101.0, "succeeded")]}


def test_a_line_that_is_cut_off_at_the_end_is_said(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.add('{"now":101.0,"event":{"type":"TaskRepl')
    found = run_of_log(path)
    assert states(found.run) == {"t": "running"}
    assert found.notes == (f"{path}: the last line is cut off, and ignored.",)


@pytest.mark.parametrize(
    "line",
    ['{"now":1,"event":{"type":"Nothing"},"actions":[]}', "{}", '{"format":"x"}', "nonsense"],
)
def test_a_line_that_cannot_be_read_is_named(path: Path, line: str) -> None:
    Night(path, "a").add(f"{line}\n")
    with pytest.raises(LogError, match=r"night\.jsonl, line 3: "):
        run_of_log(path)


def test_times_are_on_one_clock_though_that_on_the_wall_was_set(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.make_old(2)
    night.begin_file(2, wall=BEGAN - 5_000.0)
    one_second(night, "a", "t")
    found: LogRun = run_of_log(path)
    assert bars(found.run) == {"t": [("engine 0", 100.0, 101.0, "succeeded")]}
