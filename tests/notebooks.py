"""Run the notebooks, and keep what they print and draw: `python -m tests.notebooks`.

They are written back in place, without what would differ for no reason: the versions of the
interpreter, the times of the cells, the progress bars.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from traitlets import default

from .processes import PATIENCE, ROOT

DIRECTORY = ROOT / "notebooks"


class KernelManager(AsyncKernelManager):
    """Runs the ipykernel of this interpreter, whatever kernels are installed elsewhere."""

    @default("kernel_spec_manager")
    def _no_directories_to_search(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook as it is."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def run(path: Path, cwd: Path) -> None:
    """Run a notebook in the directory `cwd`, and write it back with its outputs.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises; the notebook stays as it was then.
    """
    notebook = read(path)
    metadata = notebook.metadata.copy()
    NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=KernelManager,
        resources={"metadata": {"path": str(cwd)}},
        record_timing=False,
        timeout=PATIENCE,
    ).execute()
    notebook.metadata = metadata  # which named this interpreter
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = without_bars(cell.outputs)
    nbformat.write(notebook, path)


def without_bars(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join what was printed, without the progress bars in it; the rest comes after that."""
    printed = [output for output in outputs if output.get("name") == "stdout"]
    lines = "".join(output.text for output in printed).split("\n")
    text = "\n".join(line for line in lines if "\r" not in line)
    stdout = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
    return [*stdout, *(output for output in outputs if output not in printed)]


def main(directory: Path = DIRECTORY) -> None:
    for path in sorted(directory.glob("*.ipynb")):
        print(path.name, flush=True)
        with TemporaryDirectory() as cwd:
            run(path, Path(cwd))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
