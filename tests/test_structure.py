"""The rules of the house that the files themselves can be held to."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import ipp_richsched

from .processes import ROOT

PACKAGE = ROOT / "ipp_richsched"
MODULES = sorted(PACKAGE.rglob("*.py"))
CORE = sorted((PACKAGE / "core").glob("*.py"))

# What may import what: a layer itself, and the layers to the right of it.
SHELL = ["cli", "controller", "scheduler", "wire", "core"]
CORE_LAYERS = ["machine", "everything else", "task", "dependency"]

# In the layer of another: the scheduler's pool. What is not named is of the user's side, as cli is.
SHELL_LAYER_OF = {
    **dict.fromkeys(["hooked", "outbox", "removed"], "scheduler"),
    **dict.fromkeys(["checks", "signing", "transport"], "wire"),
}

# Neither a socket, nor a loop, nor a clock, nor a log.
NOT_IN_CORE = {
    *("asyncio", "datetime", "logging", "multiprocessing", "selectors", "signal", "socket"),
    *("subprocess", "threading", "time"),
}


def dotted(path: Path) -> str:
    """Name of the module in the file `path`: ``ipp_richsched.core.task``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a file that run; what stands under `if TYPE_CHECKING:` does not."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from statements(node)


def imports(path: Path) -> Iterator[str]:
    """Full names of all modules that the file imports, at any depth in it."""
    here = dotted(path).split(".")
    package = here if path.stem == "__init__" else here[:-1]
    names = {dotted(module) for module in MODULES}
    for node in statements(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                # `from . import task` names a module, `from .task import Task` does not
                full = f"{origin}.{alias.name}"
                yield full if full in names or origin == "ipp_richsched" else origin


def shell_layer(name: str) -> int:
    part = name.split(".")[1]
    layer = SHELL_LAYER_OF.get(part, part)
    return SHELL.index(layer if layer in SHELL else "cli")


def core_layer(name: str) -> int:
    part = name.split(".")[2]
    return CORE_LAYERS.index(part if part in CORE_LAYERS else "everything else")


def test_the_layers_exist() -> None:
    """The rules below would hold of modules that are not there."""
    names = {dotted(path) for path in MODULES}
    assert {f"ipp_richsched.{name}" for name in SHELL} <= names
    core = set(CORE_LAYERS) - {"everything else"}
    assert {f"ipp_richsched.core.{name}" for name in core} <= names


def test_importing_the_core_loads_no_part_of_the_shell() -> None:
    names = [dotted(path) for path in CORE]
    code = (
        f"import importlib, sys\nfor n in {names}: importlib.import_module(n)\nprint(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    loaded = run.stdout.split()
    assert set(names) <= set(loaded)
    assert {"zmq", "tornado", "traitlets", "ipyparallel"}.isdisjoint(loaded)


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_imports_the_standard_library_only(path: Path) -> None:
    others = {
        name.split(".")[0] for name in imports(path) if not name.startswith("ipp_richsched.core")
    }
    assert others - sys.stdlib_module_names == set()
    assert others & NOT_IN_CORE == set()


@pytest.mark.parametrize("path", [m for m in MODULES if m.stem != "__init__"], ids=dotted)
def test_imports_run_one_way(path: Path) -> None:
    importer = dotted(path)
    for imported in imports(path):
        if not imported.startswith("ipp_richsched.") or imported == "ipp_richsched.__version__":
            continue
        if importer.startswith("ipp_richsched.core.") and imported.count(".") > 1:
            layers = core_layer(importer), core_layer(imported)
        else:
            layers = shell_layer(importer), shell_layer(imported)
        assert layers[0] <= layers[1], f"{importer} imports {imported}"


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "docs/architecture.md"])
def test_the_documents_are_there(name: str) -> None:
    assert (ROOT / name).read_text().strip()


def test_one_version() -> None:
    assert version("ipp-richsched") == ipp_richsched.__version__
    assert f'version = "{ipp_richsched.__version__}"' in (ROOT / "pyproject.toml").read_text()
