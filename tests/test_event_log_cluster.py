"""The event log of a real cluster: switched on in a profile, read at the prompt."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest

import ipp_richsched

from .processes import PATIENCE, Processes, script, wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        yield started


def configure(processes: Processes, log: Path) -> None:
    """Switch the log on in the default profile."""
    directory = processes.ipython_dir / "profile_default"
    directory.mkdir()
    (directory / "ipcontroller_config.py").write_text(
        "c = get_config()\n"
        "c.HeartMonitor.period = 250\n"
        "c.HeartMonitor.max_heartmonitor_misses = 5\n"
        "c.RichTaskScheduler.engine_grace = 0.5\n"
        f"c.RichTaskScheduler.event_log = {str(log)!r}\n"
    )


def die(marker: str) -> str:
    """End this engine, the first time."""
    path = Path(marker)
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "lives"


def told(processes: Processes, *arguments: str) -> str:
    """What ``ipp-richsched explain`` prints."""
    status, output = processes.run(script("ipp-richsched"), "explain", *arguments)
    assert status == 0, output
    return output


@pytest.mark.slow(15)
def test_what_happened_in_a_night_can_be_read_in_the_morning(
    processes: Processes, tmp_path: Path
) -> None:
    log = tmp_path / "night.jsonl"
    configure(processes, log)
    with ipp.Cluster(controller="richsched", n=2) as client:
        view = ipp_richsched.view(client)
        with view.temp_flags(retries=1, label="dies"):
            first = view.apply_async(die, str(tmp_path / "marker"))
        with view.temp_flags(after=[first]):
            second = view.apply_async(int, "no number")
        with view.temp_flags(follow=[second]):
            third = view.apply_async(pow, 2, 10)
        assert first.get(timeout=PATIENCE) == "lives"
        with pytest.raises(ipp.RemoteError, match="ImpossibleDependency"):
            third.get(timeout=PATIENCE)
        msg_ids = [msg_id for result in (third, second, first) for msg_id in result.msg_ids]

        def is_written() -> Any:
            return f'"FailTask","msg_id":"{msg_ids[0]}"' in log.read_text()

        wait_for(is_written, "the end of the last task, in the log")
        assert "which failed" in told(processes, str(log), msg_ids[0])  # while the cluster runs
        engines = [result.engine_id for result in (first, second)]
    processes.wait_until_gone()

    text = told(processes, str(log), msg_ids[0])
    parts = text.split("It waited for task ")
    assert [part.split()[1 if n == 0 else 0] for n, part in enumerate(parts)] == msg_ids
    began = f"cannot follow {msg_ids[1]} (int), which failed with ValueError: invalid literal"
    assert began in parts[0]
    assert f"failed on engine {engines[1]} with ValueError: invalid literal" in parts[1]
    assert parts[2].startswith(f"{msg_ids[2]} (dies), which succeeded\n")
    dead = 1 - engines[0]
    for words in (
        f"sent to engine {dead}\n",
        f"engine {dead} is gone, which had it\n",
        f"Engine {dead} died while running task",
        "it is tried again (0 retries left)",
        f"sent to engine {engines[0]} (attempt 2)",
        f"succeeded on engine {engines[0]}\n",
    ):
        assert words in parts[2], text
    assert "the same actions" in told(processes, str(log), "--replay")


def test_two_clusters_of_one_profile_have_a_log_each(processes: Processes, tmp_path: Path) -> None:
    log = tmp_path / "night.jsonl"
    configure(processes, log)
    with (
        ipp.Cluster(controller="richsched", n=1) as one,
        ipp.Cluster(controller="richsched", n=1) as other,
    ):
        results = [client.load_balanced_view().apply_async(time.time) for client in (one, other)]
        for result in results:
            assert result.get(timeout=PATIENCE)
        [[first], [second]] = (result.msg_ids for result in results)
    processes.wait_until_gone()
    assert "succeeded on engine 0" in told(processes, str(log), first)
    assert "succeeded on engine 0" in told(processes, str(tmp_path / "night-2.jsonl"), second)


def test_a_controller_does_not_start_with_a_log_that_it_cannot_write(
    processes: Processes, tmp_path: Path
) -> None:
    option = f"--RichTaskScheduler.event_log={tmp_path}"
    status, output = processes.run(sys.executable, "-m", "ipp_richsched", option)
    assert status == 1
    assert (
        f"RichTaskScheduler.event_log: {str(tmp_path)!r} cannot be written: it is a dir" in output
    )
    assert "Traceback" not in output
