"""What a real scheduler did over real sockets, a new core does again in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import ROOT
from .random_cluster.run import run_seed
from .recording import LOG, RecordingTaskScheduler

pytestmark = pytest.mark.slow(10)


def replayed(path: Path, hash_seed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.replaying", str(path)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_recorded_run_gives_the_same_actions_again(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    monkeypatch.setenv(LOG, str(path))
    result = run_seed(seed, RecordingTaskScheduler)
    assert result.is_good, str(result)
    for hash_seed in ("1", "2"):
        run = replayed(path, hash_seed)
        assert run.returncode == 0, run
        assert int(run.stdout.split()[0]) == len(path.read_text().splitlines()) - 1 > 50


def test_a_log_that_is_none_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("nothing of the kind\n")
    for name in (path, tmp_path / "nowhere"):
        run = replayed(name, "1")
        assert run.returncode == 1
        assert str(name) in run.stderr
        assert "Traceback" not in run.stderr
