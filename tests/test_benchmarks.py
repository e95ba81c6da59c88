"""The benchmarks run; what they measure is asserted nowhere."""

from __future__ import annotations

import pytest

from benchmarks import zero_worker


def test_the_zero_worker_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    zero_worker.main(["--tasks", "200", "--load", "flat, hwm 0"])
    *_, row = capsys.readouterr().out.splitlines()
    assert row.startswith("| flat, hwm 0 |")
