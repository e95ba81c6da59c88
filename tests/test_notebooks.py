"""The notebooks run on a real cluster, draw a picture, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from traitlets import default

from .processes import PATIENCE, ROOT, Processes

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


class KernelManager(AsyncKernelManager):
    """Runs the ipykernel of this interpreter, whatever kernels are installed elsewhere."""

    @default("kernel_spec_manager")
    def _no_directories_to_search(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def test_the_notebooks_are_there() -> None:
    assert [path.name for path in NOTEBOOKS] == ["dag_dependencies.ipynb", "schemes.ipynb"]


@pytest.mark.cluster
@pytest.mark.slow(30)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_draws_and_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = read(path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with Processes(tmp_path) as processes:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            kernel_manager_class=KernelManager,
            resources={"metadata": {"path": str(processes.cwd)}},
            timeout=PATIENCE,
        )
        client.execute()  # raises if a cell does, with its traceback
        processes.wait_until_gone()

    assert list(temporary.iterdir()) == []
    assert list(processes.cwd.iterdir()) == []
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_clean(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
