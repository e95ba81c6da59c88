"""`plot_timeline`, `plot_dag`, `animate_dag` and `progress` on a real cluster: what they know."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import ipyparallel as ipp
import pytest

import ipp_richsched
from ipp_richsched import RichView
from ipp_richsched.client import progress
from ipp_richsched.client.status import Status
from ipp_richsched.workflows.gather import run_of
from ipp_richsched.workflows.local_cluster import local_cluster

from .processes import PATIENCE, wait_for

pytestmark = pytest.mark.cluster

GRACE = ["--RichTaskScheduler.engine_grace=0.5"]


@pytest.fixture(scope="module")
def client() -> Iterator[ipp.Client]:
    with local_cluster(2, controller_args=GRACE) as client:
        yield client


@pytest.fixture
def view(client: ipp.Client) -> RichView:
    return ipp_richsched.view(client)


@ipp.interactive
def fail_at_first(path: str) -> None:
    import os

    if not os.path.exists(path):
        open(path, "w").close()
        raise ValueError("not today")


@ipp.interactive
def die_at_first(path: str) -> None:
    import os
    import signal

    if not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)


@ipp.interactive
def wait_while_missing(path: str) -> None:
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)


def shape(results: Any) -> dict[str, tuple[Any, ...]]:
    """What is known of tasks: state, ends of attempts, the names of parents, group and problem."""
    tasks = run_of(results).tasks
    return {
        task.name: (
            task.state,
            [each.end_state for each in task.stretches],
            [tasks[parent].name for parent in task.parents],
            task.group,
            task.problem,
        )
        for task in tasks.values()
    }


def test_what_became_of_tasks(view: RichView, client: ipp.Client, tmp_path: Path) -> None:
    results = {"first": view.apply_async(abs, -1)}
    with view.temp_flags(retries=1):
        results["flaky"] = view.apply_async(fail_at_first, str(tmp_path / "flaky"))
    with view.temp_flags(after=results["first"], label="my label"):
        results["after"] = view.apply_async(abs, 2)
    results["arguments"] = view.apply_async(sum, [results["first"], results["after"]])
    results["failing"] = view.apply_async(divmod, 1, 0)
    with view.temp_flags(after=results["failing"]):
        results["impossible"] = view.apply_async(abs, 1)
    stock = client.load_balanced_view()
    with stock.temp_flags(follow=results["after"]):
        results["stock"] = stock.apply_async(abs, 3)
    assert client.wait(results.values(), timeout=PATIENCE)
    assert shape(results) == {
        "first": ("succeeded", ["succeeded"], [], "abs", ""),
        "flaky": ("succeeded", ["failed", "succeeded"], [], "fail_at_first", ""),
        "after": ("succeeded", ["succeeded"], ["first"], "my label", ""),
        "arguments": ("succeeded", ["succeeded"], ["first", "after"], "sum", ""),
        "failing": ("failed", ["failed"], [], "divmod", "ZeroDivisionError"),
        "impossible": ("never ran", [], ["failing"], "abs", "ImpossibleDependency"),
        "stock": ("succeeded", ["succeeded"], ["after"], "abs", ""),
    }


def test_what_is_under_way(view: RichView, client: ipp.Client, tmp_path: Path) -> None:
    path = str(tmp_path / "go")
    view.targets = client.ids[:1]
    runs = view.apply_async(wait_while_missing, path)
    with view.temp_flags(after=runs, cost=4.5):
        waits = view.apply_async(abs, 1)
    try:
        wait_for(lambda: run_of(runs).tasks[runs.msg_ids[0]].state == "running", "a running task")
        run = run_of([runs, waits])
        assert [task.state for task in run.tasks.values()] == ["running", "waiting"]
        assert run.engines == ["engine 0"]
        assert run.expected[waits.msg_ids[0]] == 4.5
        assert run.critical_path == [runs.msg_ids[0], waits.msg_ids[0]]
    finally:
        Path(path).touch()
    assert client.wait([runs, waits], timeout=PATIENCE)


def test_who_waits_for_a_task_that_is_not_drawn_is_not_queued(
    view: RichView, client: ipp.Client, tmp_path: Path
) -> None:
    before = view.apply_async(wait_while_missing, str(tmp_path / "go"))
    with view.temp_flags(after=before):
        after = view.apply_async(abs, 1)
    wait_for(lambda: ipp_richsched.why(client, before).state == "assigned", "the first one")
    (tmp_path / "go").touch()
    assert client.wait([before, after], timeout=PATIENCE)
    [task] = run_of(after).tasks.values()
    assert task.parents == ()
    assert task.ready is not None
    assert before.completed.timestamp() <= task.ready <= after.started.timestamp()


def test_a_map_and_results_that_were_fetched(view: RichView, client: ipp.Client) -> None:
    result = view.map_async(abs, range(20), chunksize=5)
    assert result.get(PATIENCE) == list(range(20))
    assert [*shape({"map": result})] == ["map[0]", "map[1]", "map[2]", "map[3]"]
    with client.cluster.connect_client_sync() as other:
        fetched = other.get_result(result.msg_ids, owner=False)
        assert ipp_richsched.progress(fetched, timeout=PATIENCE)
        fetched.get(PATIENCE)
        tasks = run_of(fetched).tasks.values()
        assert [(task.state, len(task.stretches)) for task in tasks] == [("succeeded", 1)] * 4
        assert {task.group for task in tasks} == {"abs"}


def test_pictures_of_results(view: RichView, tmp_path: Path) -> None:
    first = view.apply_async(abs, 1)
    with view.temp_flags(after=first):
        second = view.apply_async(abs, 2)
    second.get(PATIENCE)
    for plot in (ipp_richsched.plot_timeline, ipp_richsched.plot_dag):
        figure = plot([first, second], title="two")
        assert figure.get_axes()[0].get_title(loc="left") == "two"
    path = ipp_richsched.animate_dag([first, second], tmp_path / "run.gif")
    assert path.read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("results", [3, ["a msg_id"], {"name": None}], ids=repr)
@pytest.mark.parametrize(
    "function",
    [ipp_richsched.plot_timeline, ipp_richsched.plot_dag, ipp_richsched.progress],
    ids=lambda function: function.__name__,
)
def test_what_is_no_result_is_refused(function: Callable[[Any], Any], results: Any) -> None:
    with pytest.raises(TypeError):
        function(results)


def test_a_bar_says_what_there_is(
    view: RichView, client: ipp.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "go")
    view.targets = client.ids[:1]
    runs = view.apply_async(wait_while_missing, path)
    failing = ipp_richsched.view(client, targets=client.ids[1:]).apply_async(divmod, 1, 0)
    with view.temp_flags(after=runs, cost=4.5):
        waits = view.apply_async(abs, 1)
    try:
        failing.wait(PATIENCE)
        assert not ipp_richsched.progress([runs, waits, failing], timeout=0.5)
        shown = capsys.readouterr().err
        assert "1/3 tasks" in shown
        assert "1 failed, 1 running, 1 waiting" in shown
    finally:
        Path(path).touch()
    assert ipp_richsched.progress([runs, waits, failing]) is None  # or a notebook shows it
    assert all(result.done() for result in (runs, waits, failing))
    assert "3/3 tasks" in capsys.readouterr().err


def test_a_bar_counts_the_items_of_a_map(
    view: RichView, capsys: pytest.CaptureFixture[str]
) -> None:
    result = view.map_async(lambda number: 1 // number, [1, 0, 2, 0, 3])
    assert ipp_richsched.progress((each for each in [result]), timeout=PATIENCE)
    shown = capsys.readouterr().err
    assert "5/5 items" in shown
    assert "2 failed" in shown


def test_the_time_left_is_that_of_the_longest_chain_or_of_all_work(
    view: RichView, client: ipp.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "go")
    runs = view.apply_async(wait_while_missing, path)
    chain = []
    try:
        for cost in (10, 20, 30):
            with view.temp_flags(after=[runs, *chain[-1:]], cost=cost):
                chain.append(view.apply_async(abs, 1))
        with view.temp_flags(after=runs, cost=1):
            wide = [view.apply_async(abs, 1) for _ in range(100)]
        with view.temp_flags(after=runs):
            unknown = view.apply_async(max, 1, 2)
        for results, left in (
            (chain, "60 s left"),
            ([*chain, *wide], f"{(60 + 100) / len(client.ids):.0f} s left"),
            ([*chain, unknown], None),
        ):
            assert not ipp_richsched.progress(results, timeout=0.1)
            shown = capsys.readouterr().err
            assert left in shown if left else "left" not in shown
    finally:
        Path(path).touch()
    assert client.wait([*chain, *wide, unknown], timeout=PATIENCE)


def test_the_time_left_counts_down(
    view: RichView, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "go"
    with view.temp_flags(cost=60):
        runs = view.apply_async(wait_while_missing, str(path))
    wait_for(lambda: ipp_richsched.why(view.client, runs).kind == "running", "the task's turn")
    wait = threading.Timer(2.5, path.touch)
    wait.start()
    try:
        ipp_richsched.progress(runs)
    finally:
        wait.join()
        path.touch()
    shown = re.findall(r"(\d+) s left", capsys.readouterr().err)
    assert min(map(int, shown)) < 59


def test_what_runs_and_what_waits_is_what_is_not_done(
    view: RichView, capsys: pytest.CaptureFixture[str]
) -> None:
    result = view.map_async(time.sleep, [0.02] * 150, chunksize=2)
    ipp_richsched.progress(result)
    shown = re.findall(r"(\d+)/150 [^\r]*?(\d+) running, (\d+) waiting", capsys.readouterr().err)
    assert shown
    assert {sum(map(int, each)) for each in shown} == {150}
    # all chunks are sent, and each engine works on one item at a time
    assert {int(running) for _, running, _ in shown} <= {*range(len(view.client.ids) + 1)}
    assert any(int(running) for _, running, _ in shown)


def test_the_bar_says_so_as_long_as_nobody_answers(
    view: RichView, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "go"
    runs = view.apply_async(wait_while_missing, str(path))
    answers = iter([TimeoutError("nobody answers")])
    was_running = threading.Event()

    def answer(client: ipp.Client, oldest: int) -> Status:
        for error in answers:
            raise error
        was_running.set()
        return ipp_richsched.status(client, oldest=oldest)

    def release() -> None:
        was_running.wait(PATIENCE)
        path.touch()

    thread = threading.Thread(target=release)
    thread.start()
    try:
        with mock.patch.object(progress, "status", answer):
            ipp_richsched.progress(runs)
    finally:
        was_running.set()
        thread.join()
    first, _, then = capsys.readouterr().err.rpartition("the scheduler does not answer")
    assert "0/1" in first
    assert "1 running" in then


def test_tasks_that_died_with_their_engines(
    view: RichView, client: ipp.Client, tmp_path: Path
) -> None:
    """The last test here: no engine is left after it."""
    with view.temp_flags(retries=1):
        result = view.apply_async(die_at_first, str(tmp_path / "die"))
    assert result.wait(PATIENCE)
    assert shape({"die": result})["die"][:2] == ("succeeded", ["died", "succeeded"])
    with view.temp_flags(max_crashes=0):
        result = view.apply_async(die_at_first, str(tmp_path / "once more"))
    assert result.wait(PATIENCE)
    assert shape({"die": result})["die"][:2] == ("failed", ["died"])
