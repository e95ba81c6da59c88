"""`ipp-richsched demo`: what it shows, what it says when something is wrong, what it cleans up."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ipp_richsched.cli import main
from ipp_richsched.demo import run as demo
from ipp_richsched.demo.checks import Run, checks
from ipp_richsched.demo.dag import Notes, orphan, pipeline
from ipp_richsched.demo.random_dag import random_dag
from ipp_richsched.demo.show import FILM, PICTURE, print_run
from ipp_richsched.workflows.attempts import Attempt
from ipp_richsched.workflows.local_cluster import ClusterError, local_cluster

from .processes import ROOT, Processes, script

COMMAND = ["ipp-richsched", "demo"]
WITH_STOCK = [*COMMAND, "--stock"]
RANDOM_WITH_STOCK = [*COMMAND, "--tasks", "300", "--stock"]
COMMANDS = [COMMAND, WITH_STOCK, RANDOM_WITH_STOCK]
"""As README.md has them."""

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
    # and beside the bound that counts the kill, which is a closer one
    found = re.findall(r"^makespan (.*) s, lower bound (.*) s: max\(critical", output, re.M)
    found += re.findall(r"^with the kill, (lower bound) (.*) s: max\(critical", output, re.M)
    [(makespan, bound), (_, with_the_kill)] = found
    assert float(makespan) >= float(with_the_kill) > float(bound)
    # what the pictures show is said apart from what was planned
    [planned] = re.findall(r"^makespan .*critical path as planned (\S+) s", output, re.M)
    [ran] = re.findall(r"^critical path as it ran (\S+) s: what the pictures show", output, re.M)
    assert float(planned) <= float(ran) <= float(makespan)
    # as many tasks as the bar has
    count = len(pipeline(ENGINES)) + 1
    for text in (f"running {count} tasks", f"{count}/{count}", f"{count} of {count} ended"):
        assert text in output
    # each feature was seen to work
    for subject in ("tasks", "after", "follow", "retries", "timeout"):
        assert any(line.startswith(f"  ok  {subject}") for line in lines), output
    assert "TaskTimeout" in output
    assert (processes.cwd / PICTURE).read_bytes().startswith(PNG)
    # nothing is left, neither processes nor files in the user's profiles
    assert processes.alive() == []
    assert not processes.ipython_dir.exists()
    assert {path.name for path in processes.cwd.iterdir()} == {PICTURE, FILM}


def fates(output: str) -> dict[str, list[int]]:
    """Return the table of what became of the tasks: of each line, the numbers in its columns."""
    table = output[output.index("richsched      stock") :]
    lines = re.findall(r"^([a-z, ]+?) +(\d+) +(\d+)$", table, re.M)
    return {fate: [int(number) for number in numbers] for fate, *numbers in lines}


@pytest.mark.cluster
@pytest.mark.slow(40)
def test_beside_the_stock_scheduler(processes: Processes) -> None:
    status, output = processes.run(script(WITH_STOCK[0]), *WITH_STOCK[1:])
    assert status == 0, output
    assert {fate: here for fate, (here, _) in fates(output).items()} == {
        "ran": 25,
        "ran, after a retry": 2,
        "failed": 0,
        "refused": 2,
        "never answered": 0,
    }
    unanswered = r"flaky never answered, merge never answered, report never answered, 1 more"
    assert fates(output)["never answered"][1] == 4
    assert re.search(rf"  NO  tasks .*: {unanswered}$", output, re.M), output
    assert re.search(r"  NO  follow .* never answered, not ImpossibleDependency$", output, re.M)
    assert (processes.cwd / PICTURE).read_bytes().startswith(PNG)
    assert processes.alive() == []


@pytest.mark.cluster
@pytest.mark.slow(30)
def test_a_random_dag_beside_the_stock_scheduler(processes: Processes) -> None:
    status, output = processes.run(script(RANDOM_WITH_STOCK[0]), *RANDOM_WITH_STOCK[1:])
    assert status == 0, output
    assert "running 300 tasks" in output
    assert "300/300" in output
    assert "  ok  tasks    300 of 300 ended as they should" in output
    assert "killed" not in output
    found = fates(output)
    assert {fate: here for fate, (here, _) in found.items()} == {
        "ran": 211,
        "ran, after a retry": 0,
        "failed": 3,
        "refused": 86,
        "never answered": 0,
    }
    # how many the stock scheduler never answers depends on the moment: nearly always some
    assert sum(there for _, there in found.values()) == 300
    assert [found[fate][1] for fate in ("ran", "ran, after a retry", "failed")] == [211, 0, 3]
    assert (processes.cwd / PICTURE).read_bytes().startswith(PNG)
    assert processes.alive() == []


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("sign", "number", "status"),
    [
        ("starting", signal.SIGINT, 130),
        ("starting", signal.SIGHUP, 129),
        ("1/17", signal.SIGINT, 130),
        ("1/17", signal.SIGTERM, 143),
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


class Answer(Future[None]):
    """What the demo uses of an `AsyncResult`."""

    metadata = {  # noqa: RUF012
        "submitted": datetime.fromtimestamp(0.0),
        "received": datetime.fromtimestamp(20.0),
    }


def answered(error: str | None = None) -> Answer:
    result = Answer()
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
    tasks = [*pipeline(2), orphan("fetch-0")]
    attempts = []
    for when, task in enumerate(task for task in tasks if task.runs):
        attempts += [
            Attempt(task.name, i % 2, when + i / 10, when + i / 10 + 0.1, "failed")
            for i in range(task.failures)
        ]
        attempts.append(Attempt(task.name, 0, when + 0.5, when + 0.9, "done"))
    killed = Attempt("fit-0", 1, 9.0, 9.2, "killed")
    results = {task.name: answered(None if task.runs else task.end) for task in tasks}
    return Run([0, 1], tasks, results, [killed, *attempts], killed, 0.0, 20.0)


def wrong(run: Run) -> list[str]:
    return [check.subject for check in checks(run) if not check.ok]


def test_all_is_well(good: Run) -> None:
    assert wrong(good) == []


def test_a_task_without_an_answer_is_seen(good: Run) -> None:
    good.results["merge"] = Answer()
    assert wrong(good) == ["tasks"]
    assert "merge never answered" in str(checks(good)[0])


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
    tasks = [task for task in good.tasks if task.name != "orphan"]
    assert wrong(replace(good, killed=None, tasks=tasks)) == ["retries"]


def test_a_task_that_was_lost_with_its_engine_is_seen(good: Run) -> None:
    lost = [a for a in good.attempts if a.task != "fit-0" or a.state == "killed"]
    assert "retries" in wrong(replace(good, attempts=lost))


@pytest.mark.parametrize("task", ["impatient", "orphan"])
@pytest.mark.parametrize("result", [answered(), answered("RuntimeError"), Answer()])
def test_a_task_that_was_not_refused_is_seen(task: str, result: Any, good: Run) -> None:
    good.results[task] = result
    assert wrong(good) == ["tasks", {"impatient": "timeout", "orphan": "follow"}[task]]


def test_a_refused_task_that_ran_is_seen(good: Run) -> None:
    ran = [*good.attempts, Attempt("impatient", 0, 20.0, 20.1, "done")]
    assert wrong(replace(good, attempts=ran)) == ["timeout"]


def test_each_fate_is_counted(good: Run) -> None:
    assert good.fates() == {
        "ran": 13,
        "ran, after a retry": 2,  # the flaky one, and the one that was killed
        "failed": 0,
        "refused": 2,
        "never answered": 0,
    }
    good.results["merge"] = Answer()
    good.results["flaky"] = Answer()  # whatever has been tried
    good.results["fetch-0"] = answered("RuntimeError")
    assert list(good.fates().values()) == [11, 1, 1, 2, 2]
    assert good.unanswered == ["flaky", "merge"]


def test_a_run_with_gaps_has_no_makespan(good: Run, capsys: pytest.CaptureFixture[str]) -> None:
    print_run(good)
    assert "makespan" in capsys.readouterr().out
    good.results["merge"] = Answer()
    print_run(replace(good, watched=30.0))
    output = capsys.readouterr().out
    assert "makespan" not in output
    assert "never answered: 1 tasks; no news for 10 s: given up" in output


@pytest.mark.parametrize("n", [12, 13, 40, 300, 1000])
def test_a_random_dag_has_three_tasks_that_fail(n: int) -> None:
    tasks = random_dag(n)
    assert tasks == random_dag(n)
    assert len(tasks) == n
    ends: dict[str, str] = {}
    for task in tasks:
        # parents come first; what depends on a failure cannot run, and nothing else
        spoilt = any(ends[parent] != "done" for parent in task.after)
        assert (task.end == "ImpossibleDependency") == spoilt
        assert (task.end == "RuntimeError") == (task.failures > task.retries)
        ends[task.name] = task.end
    assert list(ends.values()).count("RuntimeError") == 3


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
    monkeypatch.setattr(demo, "local_cluster", lambda n, **options: nullcontext())
    monkeypatch.setattr(demo, "_run", lambda client, plan, **options: good)
    return monkeypatch


@pytest.mark.usefixtures("staged")
def test_a_wrong_run_makes_the_status_1(good: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    good.results["merge"] = Answer()
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
    (tmp_path / PICTURE).mkdir()
    assert main(["demo"]) == 0
    assert "no picture" in capsys.readouterr().out.splitlines()[-1]


def test_a_cluster_error_is_one_line(
    staged: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(client: object, plan: object, **options: object) -> Run:
        raise ClusterError("the cluster did not start: no ports")

    staged.setattr(demo, "_run", fail)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "ipp-richsched: the cluster did not start: no ports\n"


def test_git_ignores_the_pictures() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {f"/{PICTURE}", f"/{FILM}"} <= {*ignored}


def test_the_stock_scheduler_is_stock_where_this_one_is_switched_on() -> None:
    code = (
        "from ipp_richsched.workflows.stock_controller import StockController\n"
        "from ipp_richsched.controller import app\n"
        "app.register()\n"
        "for name in app._REPLACED:\n"
        "    assert getattr(StockController, name) is app._stock[name], name\n"
        "    assert getattr(app.IPController, name) is not app._stock[name], name\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [("-n", "1"), ("-n", "-3"), ("-n", "many"), ("--tasks", "11"), ("--tasks", "all")],
)
def test_bad_options(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", option, value])
    assert caught.value.code == 2
    assert option in capsys.readouterr().err.splitlines()[-1]
