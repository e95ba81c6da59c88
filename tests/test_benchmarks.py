"""The benchmarks run, and their rows come out; what they measure is asserted nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable

import psutil
import pytest

from benchmarks import asking, core, end_to_end, zero_worker
from benchmarks import map as maps

Rows = dict[str, list[str]]
NUMBER = re.compile(r"[\d,]+(\.\d+)?( x .*)?")


@pytest.fixture
def rows(capsys: pytest.CaptureFixture[str]) -> Callable[[], Rows]:
    """What a benchmark printed below the head of its table, by the first cell."""

    def read() -> Rows:
        lines = capsys.readouterr().out.splitlines()
        cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
        return {first: rest for first, *rest in cells[2:]}

    return read


def children() -> set[psutil.Process]:
    """The processes of this one; other tests in it may have left Python's own helpers."""
    return set(psutil.Process().children())


@pytest.mark.slow(9)
def test_zero_worker(rows: Callable[[], Rows]) -> None:
    before = children()
    zero_worker.main(["--tasks", "40", "--load", "fan-in", "--load", "round trip"])
    printed = rows()
    assert set(printed) == {"fan-in of 100", "round trip on an idle cluster"}
    unit, stock, relay, ours, to_stock, to_flat, asked = printed["fan-in of 100"]
    assert unit == "us of CPU a task"
    assert relay == ""
    assert all(NUMBER.fullmatch(figure) for figure in (stock, ours, to_stock, to_flat))
    assert asked == "ours <= 1.2 flat"
    assert children() <= before


def test_core(rows: Callable[[], Rows]) -> None:
    core.main(["--tasks", "300", "--load", "fan-in", "--load", "1,000 pinned"])
    printed = rows()
    assert set(printed) == {"fan-in of 100", "1,000 pinned to a busy engine"}
    for figures in printed.values():
        assert len(figures) == 3
        assert float(figures[0].replace(",", "")) > 0


def test_asking(rows: Callable[[], Rows]) -> None:
    asking.main(["--tasks", "300", "--load", "status"])
    printed = rows()
    assert len(printed) == 6
    assert all(float(ms) > 0 for [ms] in printed.values())


@pytest.mark.cluster
@pytest.mark.slow(7)
def test_end_to_end(rows: Callable[[], Rows]) -> None:
    before = children()
    end_to_end.main(["-n", "1", "--tasks", "20", "--takes", "1"])
    printed = rows()
    assert set(printed) == {
        *(end_to_end.RATE, end_to_end.MEDIAN, end_to_end.SLOWEST),
        *("CPU of the client, us a task", "CPU of the hub, us a task"),
        *("CPU of the scheduler, us a task", "CPU of the engines, us a task"),
    }
    for figures in printed.values():
        assert all(NUMBER.fullmatch(figure) for figure in figures), figures
    assert children() <= before


@pytest.mark.cluster
@pytest.mark.slow(6)
def test_maps(rows: Callable[[], Rows]) -> None:
    before = children()
    maps.main(["-n", "1", "--items", "1000", "--takes", "1"])
    printed = rows()
    assert set(printed) == {"1,000 short calls", "10 uneven calls"}
    for auto, best, single, ratio, messages in printed.values():
        assert all(re.fullmatch(r"[\d.]+ s", seconds) for seconds in (auto, single))
        assert re.fullmatch(r"[\d.]+ s with [\d,]+", best)
        assert float(ratio) > 0
        assert int(messages) > 0
    assert children() <= before


@pytest.mark.parametrize("benchmark", [zero_worker, core])
def test_a_load_that_is_not_there(benchmark: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(["--load", "nothing of the kind"])  # type: ignore[attr-defined]
    assert stopped.value.code == 2
    assert "flat" in capsys.readouterr().err
