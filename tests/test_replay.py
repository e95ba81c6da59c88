"""`ipp-richsched replay`: real workflows on a real cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import ipyparallel as ipp
import pytest

from ipp_richsched.cli import main
from ipp_richsched.core import log
from ipp_richsched.core.events import TimePassed
from ipp_richsched.core.settings import Settings
from ipp_richsched.workflows import replay
from ipp_richsched.workflows.attempts import Attempt, engine_table, out_of_order
from ipp_richsched.workflows.local_cluster import local_cluster
from ipp_richsched.workflows.replay import EXAMPLE, Replay, cost_of, run
from ipp_richsched.workflows.runs import Run
from ipp_richsched.workflows.schedule import list_schedule
from ipp_richsched.workflows.steps import Step, bounds, scaled
from ipp_richsched.workflows.wfformat import load

from .processes import Processes, script
from .test_workflow import DIAMOND, document
from .wfinstances import INSTANCES, each_instance

ENGINES = 3


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ipp.Client]:
    with (
        Processes(tmp_path_factory.mktemp("replay")),
        local_cluster(ENGINES) as client,
    ):
        yield client


@pytest.fixture
def diamond(tmp_path: Path) -> str:
    path = tmp_path / "diamond.json"
    path.write_text(json.dumps(document(DIAMOND)))
    return str(path)


# -- real clusters -------------------------------------------------------------------------


@pytest.mark.cluster
@each_instance
def test_a_real_workflow_runs_in_order_and_whole(instance: Path, client: ipp.Client) -> None:
    steps = scaled(load(instance), ENGINES, 1)
    ran = run(client, steps)
    assert ran.problems == []
    attempts = {attempt.task: attempt for attempt in ran.attempts}
    assert attempts.keys() == {step.name for step in steps}
    assert {attempt.engine for attempt in attempts.values()} == set(client.ids)
    for step in steps:
        for parent in step.parents:
            assert attempts[step.name].started >= attempts[parent].ended
    assert ran.makespan >= bounds(steps, ENGINES).makespan == pytest.approx(1)


@pytest.mark.cluster
def test_a_workflow_of_no_duration(client: ipp.Client) -> None:
    steps = scaled([Step(step.name, step.parents, 0) for step in DIAMOND], ENGINES, 10)
    ran = run(client, steps)
    assert ran.problems == []
    assert len(ran.attempts) == len(DIAMOND)


@pytest.mark.cluster
def test_tasks_that_fail_are_named_with_those_that_need_them(client: ipp.Client) -> None:
    # No engine can sleep for less than no time.
    first, left, right, last = DIAMOND
    steps = [first, Step("left", left.parents, -1), right, last]
    ran = run(client, [Step(s.name, s.parents, s.seconds / 100) for s in steps])
    assert sorted(ran.problems) == [
        "last: failed, ImpossibleDependency",
        "left: failed, ValueError",
    ]
    assert {attempt.task for attempt in ran.attempts} == {"first", "right"}


@pytest.mark.cluster
@pytest.mark.skipif(not INSTANCES, reason="needs one of the real workflows")
def test_the_command(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        status, output = processes.run(
            script("ipp-richsched"), "replay", str(INSTANCES[0]), "-n", "2", "--seconds", "1"
        )
        assert status == 0, output
        assert processes.alive() == []
        assert list(processes.ipython_dir.iterdir()) == []
    steps = load(INSTANCES[0])
    assert f"{len(steps)} tasks" in output
    assert f"all {len(steps)} tasks are done, none was lost" in output
    assert "100%" in output
    assert re.search(r"^makespan \d+\.\d\d s, lower bound 1\.00 s: max\(critical", output, re.M)
    ran = [int(count) for count in re.findall(r"^ +\d+ +(\d+) +\d+\.\d s$", output, re.M)]
    assert len(ran) == 2
    assert sum(ran) == len(steps)


@pytest.mark.cluster
def test_without_a_file_the_example_runs(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        status, output = processes.run(
            script("ipp-richsched"), "replay", "-n", "2", "--seconds", "1"
        )
    assert status == 0, output
    assert f"all {len(load(EXAMPLE))} tasks are done, none was lost" in output


@pytest.mark.cluster
def test_the_longest_path_comes_first_where_that_is_asked_for(tmp_path: Path) -> None:
    """One engine: of three that may run, the last is the head of a chain."""
    tasks = [
        ("busy", 0.3, []),
        ("a", 0.1, []),
        ("b", 0.1, []),
        ("head", 0.1, []),
        ("tail", 0.3, ["head"]),
    ]
    steps = [Step(name, tuple(parents), seconds) for name, seconds, parents in tasks]
    order = ["--RichTaskScheduler.order=critical-path"]
    with (
        Processes(tmp_path),
        local_cluster(1, controller_args=order) as client,
    ):
        ran = run(client, steps, cost_of)
    assert ran.problems == []
    names = [attempt.task for attempt in sorted(ran.attempts, key=lambda attempt: attempt.started)]
    assert names == ["busy", "head", "tail", "a", "b"]


def test_a_list_schedule() -> None:
    steps = [
        Step("a", (), 1.0),
        Step("b", (), 2.0),
        Step("c", ("a",), 3.0),
        Step("d", ("a", "b"), 1.0),
    ]
    assert list_schedule([], 2) == 0
    assert list_schedule(steps, 1) == 7
    assert list_schedule(steps, 2) == 4


def test_the_example_is_small_and_no_simple_one() -> None:
    steps = load(EXAMPLE)
    assert 20 <= len(steps) <= 40
    assert EXAMPLE.stat().st_size < 10_000
    # fans out and in more than once, and its durations differ
    assert sum(len(step.parents) > 2 for step in steps) > 2
    assert len({step.seconds for step in steps}) > 20
    # with four engines, the default, neither the chain nor the work decides alone
    limit = bounds(steps, 4)
    assert limit.critical_path == pytest.approx(limit.work / 4, rel=0.2)


# -- what it prints, without a cluster of its own ------------------------------------------


@pytest.fixture
def shared_cluster(client: ipp.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where pictures go
    monkeypatch.setattr(replay, "local_cluster", lambda n, **options: nullcontext(client))


@pytest.mark.cluster
@pytest.mark.usefixtures("shared_cluster")
def test_problems_are_told_and_make_the_status_1(
    diamond: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [f"task-{i}: lost, no answer" for i in range(1000)]
    monkeypatch.setattr(replay, "run", lambda *args: Replay([], 0, problems, Run({}, 0)))
    assert main(["replay", diamond]) == 1
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "task-0: lost, no answer"
    assert shown[-1] == f"and {1000 - len(shown) + 1} more"
    assert len(shown) < 20


@pytest.mark.cluster
@pytest.mark.usefixtures("shared_cluster")
def test_a_task_that_is_never_answered_is_lost(
    diamond: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replay, "watch", lambda results, timeout: list(results)[-1:])
    assert main(["replay", diamond, "-n", str(ENGINES), "--seconds", "0.1"]) == 1
    assert "last: lost, no answer" in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("content", ["{}", "not JSON", None])
def test_bad_input_is_one_line_and_starts_nothing(
    content: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_cluster(n: int, **options: object) -> None:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr(replay, "local_cluster", no_cluster)
    path = tmp_path / "workflow.json"
    if content is not None:
        path.write_text(content)
    assert main(["replay", str(path)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    assert output.err.startswith(f"ipp-richsched: {path}: ")


@pytest.mark.parametrize("steps", [0, 2])
def test_an_event_log_is_called_so(
    steps: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where it has just begun, and is JSON."""
    path = tmp_path / "night.jsonl"
    header = log.header_line(log.Header(Settings(), "run", 1, 0.0, 0.0))
    path.write_text(header + steps * log.step_line(1.0, TimePassed(), []))
    assert main(["replay", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"ipp-richsched: {path}: an event log, no workflow: `ipp-richsched explain` and `report`"
        " read it\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["-n", "0"],
        ["-n", "two"],
        ["--seconds", "0"],
        ["--seconds", "-1"],
        ["--seconds", "nan"],
        ["--seconds", "inf"],
    ],
    ids=" ".join,
)
def test_bad_options(
    arguments: list[str], diamond: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["replay", diamond, *arguments])
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err.splitlines()[-1]


# -- the summary ---------------------------------------------------------------------------


def attempt(task: str, started: float, ended: float, engine: int = 0) -> Attempt:
    return Attempt(task, engine, started, ended, "done")


def test_order_is_checked_against_the_end_of_every_parent() -> None:
    right = [attempt("first", 0, 1), attempt("left", 1, 3), attempt("right", 1, 6)]
    assert out_of_order(DIAMOND, [*right, attempt("last", 6, 9)]) == []
    assert out_of_order(DIAMOND, [*right, attempt("last", 5.9, 9)]) == ["last"]
    assert out_of_order(DIAMOND, [*right[1:], attempt("last", 6, 9)]) == ["left", "right"]


def test_the_table_has_a_line_for_each_engine() -> None:
    attempts = [attempt("first", 0, 1.25), attempt("left", 1, 3), attempt("right", 1, 6, engine=2)]
    killed = Attempt("last", 2, 6, 7, "killed")
    table = engine_table([*attempts, killed], [0, 1, 2], {2: "killed"})
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["0", "2", "3.2", "s"],
        ["1", "0", "0.0", "s"],
        ["2", "1", "6.0", "s", "killed"],
    ]
