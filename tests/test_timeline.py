"""The picture of runs: what can be read in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ipp_richsched.workflows.attempts import Attempt
from ipp_richsched.workflows.timeline import Panel, timeline

GOOD = Panel(
    title="good",
    engines=[0, 1, 7],
    attempts=[
        Attempt("plain", 0, 100.0, 102.0, "done"),
        Attempt("again", 1, 100.0, 101.0, "failed"),
        Attempt("again", 0, 102.0, 103.0, "done"),
        Attempt("struck", 1, 101.0, 102.0, "killed"),
        Attempt("short", 7, 100.0, 100.01, "done"),
    ],
    refused={"late: TaskTimeout": 101.0},
    unanswered=[],
    start=100.0,
    lower_bounds=[1.5, 2.5],
)
BAD = Panel(
    title="bad",
    engines=[0],
    attempts=[Attempt("plain", 0, 50.0, 60.0, "done")],
    refused={f"task-{i}: ImpossibleDependency": 51 + i / 100 for i in range(10)},
    unanswered=["lost", "gone"],
    start=50.0,
    lower_bounds=[1.5],
)


def drawn(*panels: Panel, path: Path) -> list[str]:
    """All that can be read in the picture."""
    timeline(panels, path)
    return re.findall(r"<!-- (.*) -->", path.read_text())


def test_the_fate_of_each_task_can_be_read(tmp_path: Path) -> None:
    texts = drawn(GOOD, path=tmp_path / "picture.svg")
    assert {"good", "engine 0", "engine 1", "engine 7", "refused: 1", "never answered: 0"} <= {
        *texts
    }
    assert {"plain", "struck", "late: TaskTimeout", "engine killed"} <= {
        text.strip() for text in texts
    }
    assert texts.count("again") == 2
    legend = [
        "ran",
        "ran, after a retry",
        "failed",
        "killed with its engine",
        "refused, with an error",
    ]
    assert texts[-7:] == [*legend, "lower bound", "lower bound with the kill"]


def test_a_name_is_written_only_where_it_fits(tmp_path: Path) -> None:
    texts = drawn(GOOD, path=tmp_path / "picture.svg")
    assert "short" not in texts


def test_runs_are_drawn_below_each_other(tmp_path: Path) -> None:
    texts = [text.strip() for text in drawn(GOOD, BAD, path=tmp_path / "picture.svg")]
    assert texts.index("good") < texts.index("bad")
    assert {"never answered: 0", "never answered: 2", "lost, gone", "refused: 10"} <= {*texts}
    assert not [text for text in texts if text.startswith("task-")]  # that is a crowd
    # one time axis for both: in the long run the names of the short one do not fit any more
    assert texts.count("seconds") == 1
    assert "plain" in texts


@pytest.mark.parametrize("name", ["there.png", "nowhere/there.png"])
def test_where_it_goes(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.parent.exists():
        timeline([GOOD], path)
        assert path.read_bytes().startswith(b"\x89PNG")
    else:
        with pytest.raises(OSError, match="nowhere"):
            timeline([GOOD], path)
