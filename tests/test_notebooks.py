"""The notebooks run on a real cluster, draw a picture, and keep what they showed."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from .notebooks import DIRECTORY, read
from .processes import ROOT, Processes

COMMAND = ["python", "-m", "tests.notebooks"]
"""As CONTRIBUTING.md has it."""

NOTEBOOKS = sorted(DIRECTORY.glob("*.ipynb"))
LARGEST = 250_000


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """All outputs, first to last."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [output for cell in cells for output in cell.outputs]


def shape(notebook: nbformat.NotebookNode) -> list[Any]:
    """What the cells are, and of what came of them that which does not vary with time."""
    shapes: list[Any] = [notebook.metadata]
    for cell in notebook.cells:
        shapes.append((cell.cell_type, cell.source, cell.metadata, cell.get("execution_count")))
        for output in cell.get("outputs", []):
            # a number may have more digits another time, and the column be filled up less
            text = re.sub(r"\d+(\.\d+)?", "#", output.get("text", ""))
            shapes.append((output.output_type, text.split(), sorted(output.get("data", {}))))
    return shapes


def test_the_notebooks_are_there() -> None:
    assert [path.name for path in NOTEBOOKS] == [
        "dag_dependencies.ipynb",
        "rich_scheduling.ipynb",
        "schemes.ipynb",
    ]


@pytest.mark.cluster
@pytest.mark.slow(30)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_command_makes_the_notebook_as_it_is(path: Path, tmp_path: Path) -> None:
    directory = tmp_path / "notebooks"
    directory.mkdir()
    copy = Path(shutil.copy(path, directory))
    stale = read(copy)
    for output in outputs(stale):
        output.clear()
        output.update(nbformat.v4.new_output("stream", name="stdout", text="stale"))
    nbformat.write(stale, copy)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with Processes(tmp_path) as processes:
        command = processes.start(
            sys.executable, *COMMAND[1:], str(directory), cwd=ROOT, TMPDIR=str(temporary)
        )
        assert command.wait() == 0, command
        processes.wait_until_gone()
    assert shape(read(copy)) == shape(read(path))
    # nothing else is left
    assert list(temporary.iterdir()) == []
    assert list(directory.iterdir()) == [copy]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_as_it_ran(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    found = outputs(notebook)
    assert any("image/png" in output.get("data", {}) for output in found)
    # neither errors nor warnings
    assert {output.output_type for output in found} <= {"stream", "display_data"}
    assert {output.name for output in found if output.output_type == "stream"} == {"stdout"}
    # nor anything of the machine it ran on
    for output in found:
        text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
        assert not re.search(r"(^|[\s'\"(])(/|~|[A-Z]:\\)\w|0x[0-9a-f]{6}", text), text
    assert path.stat().st_size < LARGEST
    for cell in notebook.cells:
        assert "execution" not in cell.metadata


def test_the_command_is_told() -> None:
    assert f"\n{' '.join(COMMAND)}\n" in (ROOT / "CONTRIBUTING.md").read_text()
