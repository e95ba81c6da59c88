"""What a real scheduler did over real sockets, a new core does again in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from traitlets import default

from ipp_richsched import RichTaskScheduler

from .processes import ROOT
from .random_cluster.run import run_seed
from .random_cluster.script import PATIENCE

LOG = "RICHSCHED_LOG"

REPLAY = f"""
import sys
from ipp_richsched.cli import main
from ipp_richsched.core import values

values.PATIENCE = {PATIENCE}  # as in that run
sys.exit(main(["explain", sys.argv[1], "--replay"]))
"""


class Recording(RichTaskScheduler):
    """Writes the event log that the environment names."""

    @default("event_log")
    def _event_log_default(self) -> str:
        return os.environ[LOG]


@pytest.mark.slow(10)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_recorded_run_gives_the_same_actions_again(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    monkeypatch.setenv(LOG, str(path))
    result = run_seed(seed, Recording)
    assert result.is_good, str(result)
    events = len(path.read_text().splitlines()) - 1
    assert events > 50
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", REPLAY, str(path)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0, run
        assert f"{events:,} events, the same actions" in run.stdout
