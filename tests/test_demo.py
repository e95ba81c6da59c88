"""`ipp-richsched demo`: what it shows, what it says when something is wrong, what it cleans up."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipp_richsched.cli import main
from ipp_richsched.demo import run as demo
from ipp_richsched.demo.checks import Run, checks
from ipp_richsched.demo.dag import IMPATIENT, Notes, orphan, pipeline
from ipp_richsched.workflows.attempts import Attempt
from ipp_richsched.workflows.local_cluster import ClusterError, local_cluster

from .processes import Processes, script

COMMAND = ["ipp-richsched", "demo"]
"""As README.md has it."""

ENGINES = 4
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        yield started


# -- the real thing ------------------------------------------------------------------------


@pytest.mark.cluster
@pytest.mark.slow(15)
def test_the_demo(processes: Processes) -> None:
    processes.ipython_dir.rmdir()
    program, *arguments = COMMAND
    status, output = processes.run(script(program), *arguments)
    assert status == 0, output
    lines = output.splitlines()
    assert "100%" in output
    # the summary: every engine, the one that died, the makespan beside its bound
    engines = [line for line in lines if re.match(r" +\d+ +\d+ +\d+\.\d s", line)]
    assert len(engines) == ENGINES
    assert sum("killed" in line for line in engines) == 1
    assert re.search(r"^makespan \d+\.\d+ s, lower bound \d+\.\d+ s: max\(critical", output, re.M)
    # each feature was seen to work
    for subject in ("tasks", "after", "follow", "retries", "timeout"):
        assert any(line.startswith(f"  ok  {subject}") for line in lines), output
    assert "TaskTimeout" in output
    assert (processes.cwd / "ipp-richsched-demo.png").read_bytes().startswith(PNG)
    # nothing is left, neither processes nor files in the user's profiles
    assert processes.alive() == []
    assert not processes.ipython_dir.exists()
    assert [path.name for path in processes.cwd.iterdir()] == ["ipp-richsched-demo.png"]


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("sign", "number", "status"),
    [
        ("starting", signal.SIGINT, 130),
        ("starting", signal.SIGHUP, 129),
        ("1/16", signal.SIGINT, 130),
        ("1/16", signal.SIGTERM, 143),
    ],
)
def test_a_signal_stops_everything(
    sign: str, number: signal.Signals, status: int, processes: Processes, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = processes.start(
        script("ipp-richsched"), "demo", "-n", "2", TMPDIR=str(temporary), PYTHONUNBUFFERED="1"
    )
    command.wait_for_log(sign)
    # the controller at least is there by then, or comes while the signal does
    command.wait_until(lambda: len(processes.alive()) > 1, "a process of the cluster")
    command.process.send_signal(number)
    assert command.wait() == status, command
    assert processes.alive() == []
    assert list(temporary.iterdir()) == []
    assert "Traceback" not in command.log
    assert ("ipp-richsched: interrupted" in command.log) == (number == signal.SIGINT)


@pytest.mark.cluster
def test_a_failure_stops_everything(processes: Processes) -> None:
    before = signal.getsignal(signal.SIGINT)

    def fail() -> None:
        with local_cluster(1) as client:
            assert len(client.ids) == 1
            assert processes.alive()
            client[:].apply_async(time.sleep, 60)  # a busy engine does not heed SIGTERM
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert processes.alive() == []
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.cluster
def test_a_controller_that_does_not_start(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "_CONTROLLER_ARGS", ["--TaskScheduler.scheme_name=nonsense"])
    assert main(["demo", "-n", "2"]) == 1
    assert "ipp-richsched: the cluster did not start" in capsys.readouterr().err
    assert processes.alive() == []


# -- what it says of a run, without a cluster ----------------------------------------------


def answered(error: str | None = None) -> Future[None]:
    result: Future[None] = Future()
    if error is None:
        result.set_result(None)
    else:
        failure = RuntimeError()
        failure.ename = error  # type: ignore[attr-defined]
        result.set_exception(failure)
    return result


@pytest.fixture
def good() -> Run:
    """A run on two engines in which all went as it should."""
    tasks = pipeline(2)
    attempts = []
    for when, task in enumerate(tasks):
        attempts += [
            Attempt(task.name, 0, when + i / 10, when + i / 10 + 0.1, "failed")
            for i in range(task.failures)
        ]
        attempts.append(Attempt(task.name, 0, when + 0.5, when + 0.9, "done"))
    killed = Attempt("fit-0", 1, 9.0, 9.2, "killed")
    late = orphan("fetch-0")
    results = {task.name: answered() for task in tasks}
    results[IMPATIENT.name] = answered("TaskTimeout")
    results[late.name] = answered("ImpossibleDependency")
    return Run([0, 1], tasks, results, [killed, *attempts], killed, late, 0.0)


def wrong(run: Run) -> list[str]:
    return [check.subject for check in checks(run) if not check.ok]


def test_all_is_well(good: Run) -> None:
    assert wrong(good) == []


def test_a_task_without_an_answer_is_seen(good: Run) -> None:
    good.results["merge"] = Future()
    assert wrong(good) == ["tasks"]


def test_a_task_that_ran_too_early_is_seen(good: Run) -> None:
    early = [replace(a, started=0.0) if a.task == "merge" else a for a in good.attempts]
    assert wrong(replace(good, attempts=early)) == ["after"]


def test_a_task_on_the_wrong_engine_is_seen(good: Run) -> None:
    moved = [replace(a, engine=1) if a.task == "clean-2" else a for a in good.attempts]
    assert wrong(replace(good, attempts=moved)) == ["follow"]


def test_a_retry_too_few_is_seen(good: Run) -> None:
    once = [a for a in good.attempts if a.state != "failed"]
    assert wrong(replace(good, attempts=once)) == ["retries"]


def test_a_kill_that_did_not_happen_is_seen(good: Run) -> None:
    assert wrong(replace(good, killed=None, orphan=None)) == ["retries"]


def test_a_task_that_was_lost_with_its_engine_is_seen(good: Run) -> None:
    lost = [a for a in good.attempts if a.task != "fit-0" or a.state == "killed"]
    assert "retries" in wrong(replace(good, attempts=lost))


@pytest.mark.parametrize("task", ["impatient", "orphan"])
@pytest.mark.parametrize("result", [answered(), answered("RuntimeError"), Future()])
def test_a_task_that_was_not_refused_is_seen(task: str, result: Any, good: Run) -> None:
    good.results[task] = result
    assert wrong(good) == [{"impatient": "timeout", "orphan": "follow"}[task]]


def test_a_refused_task_that_ran_is_seen(good: Run) -> None:
    ran = [*good.attempts, Attempt("impatient", 0, 20.0, 20.1, "done")]
    assert wrong(replace(good, attempts=ran)) == ["timeout"]


def test_the_journal_tells_which_attempt_died(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes", {0: 100, 1: 101})
    notes.path.write_text(
        "flaky 100 1.0 running\nfit-0 101 1.5 running\nflaky 100 2.0 failed\n"
        "flaky 100 2.5 running\nfit-1 1"
    )
    failed = Attempt("flaky", 0, 1.0, 2.0, "failed")
    running = Attempt("flaky", 0, 2.5, 2.5, "running")
    assert notes.attempts() == [failed, Attempt("fit-0", 1, 1.5, 1.5, "running"), running]
    notes.killed = (1, 3.0)
    assert notes.attempts() == [failed, Attempt("fit-0", 1, 1.5, 3.0, "killed"), running]


@pytest.fixture
def staged(good: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Have the demo find `good` instead of a cluster."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "local_cluster", lambda n, controller_args: nullcontext())
    monkeypatch.setattr(demo, "_run", lambda client: good)
    return monkeypatch


@pytest.mark.usefixtures("staged")
def test_a_wrong_run_makes_the_status_1(good: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    good.results["merge"] = Future()
    capsys.readouterr()
    assert main(["demo"]) == 1
    output = capsys.readouterr()
    assert "  NO  tasks" in output.out
    assert len(output.err.splitlines()) == 1


def test_without_matplotlib_it_says_how_to_get_it(
    staged: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    staged.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["demo"]) == 0
    assert "pip install 'ipp-richsched[plot]'" in capsys.readouterr().out.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_written(
    staged: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / demo.PICTURE).mkdir()
    assert main(["demo"]) == 0
    assert "no picture" in capsys.readouterr().out.splitlines()[-1]


def test_a_cluster_error_is_one_line(
    staged: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(client: object) -> Run:
        raise ClusterError("the cluster did not start: no ports")

    staged.setattr(demo, "_run", fail)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "ipp-richsched: the cluster did not start: no ports\n"


@pytest.mark.parametrize("n", ["1", "-3", "many"])
def test_bad_options(n: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", "-n", n])
    assert caught.value.code == 2
    assert "-n" in capsys.readouterr().err.splitlines()[-1]
