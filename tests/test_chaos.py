"""Real processes that are killed, frozen, restarted and added while tasks are under way."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import psutil
import pytest

from .chaos_load import Load, outcome, square
from .processes import PATIENCE, ROOT, Command, wait_for
from .real_cluster import CONNECTION_FILES, Cluster

pytestmark = pytest.mark.cluster

# -- engines killed, frozen and added ------------------------------------------------------


@pytest.mark.slow(30)
def test_engines_are_killed_frozen_and_added(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.start_controller("--RichTaskScheduler.engine_grace=3", "--TaskScheduler.hwm=4")
    for _ in range(4):
        cluster.start_engine()
    with cluster.connect() as client:
        client.wait_for_engines(4, timeout=PATIENCE)
        load = Load(client, tmp_path)

        def under_way() -> int:
            load.submit_wave()
            return cluster.validate()

        kinds = ["killed", "late", "killed with its nanny", "too late", "killed", "late"]
        for number, kind in enumerate(kinds):
            cluster.start_engine()  # which registers some time in the next waves
            directory = tmp_path / f"strike-{number}"
            directory.mkdir()
            strike(cluster, client, load, kind, directory)
            wait_for(under_way, "tasks under way")
        load.submit_wave()
        assert client.wait(load.tasks, timeout=PATIENCE), f"unanswered: {client.outstanding}"
        load.check(set(client[:].apply_sync(os.getpid)))
        assert client.outstanding == set()
    assert cluster.validate() == 0
    assert "internal error" not in cluster.controller.log
    # what a client prints of a second answer to a task
    assert not re.search("got (stale|unknown) result", capsys.readouterr().out)


def strike(cluster: Cluster, client: ipp.Client, load: Load, kind: str, directory: Path) -> None:
    """Kill an engine, or freeze it until it is declared dead; check the task that it holds."""

    def places() -> set[int]:
        """The processes that have started the task."""
        return {int(path.suffix[1:]) for path in directory.glob("started.*")}

    def release(pid: int) -> None:
        (directory / f"release.{pid}").touch()

    held = load.submit_held(directory, retries=1 if kind == "too late" else 0)
    load.wait_for(places, "the held task's turn")
    [pid] = places()
    [victim] = [number for number in client.ids if cluster.pid(number) == pid]
    engine = psutil.Process(pid)
    if kind.startswith("killed"):
        # without its nanny only the heartbeats tell
        nannies = engine.children() if "nanny" in kind else []
        for process in (*nannies, engine):
            process.kill()
    else:
        engine.suspend()
    load.wait_for(lambda: victim not in client.ids, "the end of the engine")
    expected: Any = "EngineError"
    if kind == "late":
        release(pid)
        engine.resume()
        expected = ("released", pid)
    elif kind == "too late":
        load.wait_for(lambda: len(places()) == 2, "the second attempt")
        release(pid)
        engine.resume()
        log = f"answered task {held.msg_ids[0]}, which it does not hold"
        load.wait_for(lambda: log in cluster.controller.log, log)
        [other] = places() - {pid}
        release(other)
        expected = ("released", other)
    load.wait_for(held.done, "the answer to the held task")
    said = [line for line in cluster.controller.log.splitlines() if held.msg_ids[0] in line]
    assert outcome(held) == expected, (held.exception(), said)


# -- the controller restarted, a client gone -----------------------------------------------


def test_the_controller_is_killed_and_restored(cluster: Cluster) -> None:
    cluster.start_controller()
    *engines, lost = [cluster.start_engine() for _ in range(3)]
    with cluster.connect() as client:
        client.wait_for_engines(3, timeout=PATIENCE)
        places = client[engines].apply_sync(os.getpid)
        assert client.load_balanced_view().map_sync(abs, range(-20, 0)) == list(range(20, 0, -1))

    kill_with_children(cluster.controller)
    kill_with_children(cluster.engines[lost])  # so that nobody will learn of it
    cluster.start_controller("--restore")
    with cluster.connect() as client:
        client.wait_for_engines(3, timeout=PATIENCE)
        view = client.load_balanced_view()
        anywhere = view.map_async(square, range(20), [0.0] * 20)
        chains = []
        for engine in engines:
            with view.temp_flags(targets=[engine]):
                first = view.apply_async(square, 3, 0.1)
                with view.temp_flags(after=[first]):
                    chains.append((first, view.apply_async(square, 4, 0.0)))
        for (first, second), place in zip(chains, places, strict=True):
            assert first.get(timeout=PATIENCE) == (9, place)
            assert second.get(timeout=PATIENCE) == (16, place)
            assert second.started >= first.completed
        assert [number for number, _ in anywhere.get(timeout=PATIENCE)] == [n**2 for n in range(20)]
    assert cluster.validate() == 0


def kill_with_children(command: Command) -> None:
    process = psutil.Process(command.process.pid)
    for each in (*process.children(recursive=True), process):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    command.wait()


CLIENT = """
import sys, time
import ipyparallel as ipp
from tests.chaos_load import hold

client = ipp.Client(sys.argv[1], timeout=120)
view = client.load_balanced_view()
for number in range(6):
    view.apply_async(hold, sys.argv[2])
time.sleep(600)
"""


def test_a_client_goes_away_with_tasks_under_way(cluster: Cluster, tmp_path: Path) -> None:
    cluster.start_controller()
    engines = [cluster.start_engine() for _ in range(2)]
    with cluster.connect() as client:
        client.wait_for_engines(2, timeout=PATIENCE)
        file = cluster.processes.ipython_dir / "profile_default" / "security" / CONNECTION_FILES[0]
        gone = cluster.processes.start(
            *(sys.executable, "-c", CLIENT, str(file), str(tmp_path)), cwd=ROOT
        )
        gone.wait_until(lambda: cluster.validate() == 6, "all of its tasks taken in")
        gone.process.kill()
        gone.wait()

        tasks = client.load_balanced_view().map_async(square, range(50), [0.01] * 50)
        for engine in engines:
            started = tmp_path / f"started.{cluster.pid(engine)}"
            wait_for(started.exists, "the turn of a task of the lost client")
            (tmp_path / f"release.{cluster.pid(engine)}").touch()
        numbers, places = zip(*tasks.get(timeout=PATIENCE), strict=True)
        assert list(numbers) == [number**2 for number in range(50)]
        assert set(places) == {cluster.pid(engine) for engine in engines}
    assert cluster.validate() == 0
