"""Stock engines that lose answers, are interrupted, die of a task, or refuse one for a while."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest

from .chaos_load import hold, outcome
from .processes import PATIENCE, wait_for
from .real_cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.slow(60)]


def started(cluster: Cluster, engines: int, *options: str) -> ipp.Client:
    """Start a controller and engines, and connect."""
    cluster.start_controller(*options)
    for _ in range(engines):
        cluster.start_engine()
    client = cluster.connect()
    client.wait_for_engines(engines, timeout=PATIENCE)
    return client


def raises_what_has_no_text() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    raise MuteError


def raises_half_a_character() -> None:
    raise ValueError("\ud83d")


def returns_half_a_character() -> str:
    return "\ud83d"


def kill_engine() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def answers(results: list[ipp.AsyncResult]) -> list[Any]:
    """How some tasks end."""
    wait_for(lambda: all(result.ready() for result in results), "all answers")
    return [outcome(result) for result in results]


# -- answers that are lost -----------------------------------------------------------------


def test_what_cannot_be_sent_costs_its_task_alone(cluster: Cluster) -> None:
    with started(cluster, 1) as client:
        view = client.load_balanced_view()
        bad = [raises_what_has_no_text, raises_half_a_character, returns_half_a_character]
        results = [view.apply_async(function) for function in bad]
        results.append(view.apply_async(pow, 2, 3))
        *lost, fine, good = answers(results)
        assert lost == ["EngineError", "EngineError"]
        assert fine == "\ud83d"
        assert good == 8
        with pytest.raises(ipp.RemoteError, match="engine 0 answered what it was sent later"):
            results[0].get()
        # an engine is asked behind a task that prints, and one that starts threads, too
        assert view.apply_sync(prints_for, 3.0) == "printed"
    assert cluster.validate() == 0


def prints_for(seconds: float) -> str:
    import threading
    import time

    thread = threading.Thread(target=time.sleep, args=(seconds,))
    thread.start()
    while thread.is_alive():
        print("still here")
        time.sleep(0.2)
    return "printed"


@pytest.mark.parametrize("engines", [1, 2])
def test_interrupted_tasks_are_answered(cluster: Cluster, engines: int) -> None:
    with started(cluster, engines) as client:
        view = client.load_balanced_view()
        results = [view.apply_async(abs, number) for number in range(400)]
        for _ in range(40):
            os.kill(cluster.pid(0), signal.SIGINT)
            time.sleep(0.05)  # the rate of the interrupts, not a wait for anything
        interrupted = cluster.engines[0]
        try:
            interrupted.wait_until(lambda: all(result.ready() for result in results), "all answers")
        except AssertionError:
            if interrupted.process.poll() is None:
                raise
            # One that hits ipykernel between its own lines ends the engine: the rest needs another.
            cluster.start_engine()
        ends = answers(results)
        for number, end in enumerate(ends):
            assert end in (number, "KeyboardInterrupt", "EngineError"), end
        for engine in client.ids:
            with view.temp_flags(targets=[engine]):
                assert view.apply_async(pow, 2, 3).get(timeout=PATIENCE) == 8
    assert cluster.validate() == 0


# -- engines that die ----------------------------------------------------------------------


def test_tasks_that_only_waited_on_a_dead_engine_are_not_said_to_have_run(
    cluster: Cluster, tmp_path: Path
) -> None:
    options = ["--TaskScheduler.hwm=5", "--RichTaskScheduler.engine_grace=0.5"]
    with started(cluster, 2, *options) as client:
        busy = client[1].apply_async(hold, str(tmp_path))
        first = client.load_balanced_view([0]).apply_async(hold, str(tmp_path))
        view = client.load_balanced_view()
        waiting = [view.apply_async(pow, 2, number) for number in range(8)]
        wait_for(lambda: cluster.validate() == 9, "all tasks on the two engines")
        os.kill(cluster.pid(0), signal.SIGKILL)
        wait_for(lambda: client.ids == [1], "the end of the engine")
        (tmp_path / f"release.{cluster.pid(1)}").touch()
        busy.get(timeout=PATIENCE)
        assert answers([first]) == ["EngineError"]
        ends = answers(waiting)
        assert sorted(map(str, ends)).count("EngineError") == 4
        texts = [str(result.exception()) for result in [first, *waiting] if not result.successful()]
        assert [("died while running" in text) for text in texts] == [True] + 4 * [False]
        assert all("engine 0" in text.lower() for text in texts)


@pytest.mark.parametrize("engines", [4, 3])
def test_a_task_that_kills_engines_leaves_the_others_time(cluster: Cluster, engines: int) -> None:
    with started(cluster, engines, "--RichTaskScheduler.engine_grace=0.5") as client:
        view = client.load_balanced_view()
        with view.temp_flags(retries=5):
            poison = view.apply_async(kill_engine)
        others = [view.apply_async(time.sleep, 0.5) for _ in range(60)]
        assert answers(others) == 60 * [None]
        assert answers([poison]) == ["EngineError"]
        text = str(poison.exception())
        [names] = re.findall(r"3 engines died while running it: engines (\d, \d and \d)", text)
        assert len(set(re.findall(r"\d", names))) == 3
        wait_for(lambda: len(client.ids) == engines - 3, "the end of the third engine")
    assert cluster.validate() == 0


def test_the_log_tells_of_engines_that_go_and_of_tasks_that_wait_without(cluster: Cluster) -> None:
    with started(cluster, 1, "--RichTaskScheduler.engine_grace=0.5") as client:
        view = client.load_balanced_view()
        assert answers([view.apply_async(kill_engine)]) == ["EngineError"]
        waiting = view.apply_async(pow, 2, 3)
        for words in (
            "engine 0 is gone, with 1 task",
            "Engine 0 died while running task",
            "task waits, and no engine is registered",
        ):
            cluster.controller.wait_for_log(words)
        cluster.start_engine()
        assert answers([waiting]) == [8]


# -- engines that refuse -------------------------------------------------------------------


def test_a_task_runs_once_its_functional_dependency_is_met(
    cluster: Cluster, tmp_path: Path
) -> None:
    def exists(path: str) -> bool:
        import os

        return os.path.exists(path)

    with started(cluster, 2) as client:
        path = tmp_path / "there"
        anywhere: Callable[..., Any] = ipp.depend(exists, str(path))(pow)
        view = client.load_balanced_view()
        results = [view.apply_async(anywhere, 2, 10)]
        with view.temp_flags(targets=[0]):
            results.append(view.apply_async(anywhere, 2, 11))
        cluster.controller.wait_for_log("functional dependency")
        path.touch()
        assert answers(results) == [1024, 2048]
