"""The rules of the house that the files themselves can be held to."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

import ipp_richsched

from .processes import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = ROOT / "ipp_richsched"
MODULES = sorted(PACKAGE.rglob("*.py"))

RULES: dict[str, set[str]] = {
    "core": set(),
    "wire": {"core"},
    "scheduler": {"core", "wire"},
    "controller": {"core", "wire", "scheduler"},
    "client": {"wire"},
    "monitor": {"client", "core", "wire", "workflows"},
    "workflows": {"client"},
    "demo": {"workflows"},
    "cli": {"client", "controller", "core", "demo", "monitor", "workflows"},
}
"""What each folder may import besides itself."""

TOP = {
    "__init__": {"client", "controller", "monitor", "scheduler", "wire", "workflows"},
    "__main__": {"controller"},
}
"""The only modules outside of the folders, and what they may import."""

CORE_FOLDERS = {"engines", "ready", "placement"}

# Neither a socket, nor a loop, nor a clock, nor a log.
NOT_IN_CORE = {
    *("asyncio", "datetime", "logging", "multiprocessing", "selectors", "signal", "socket"),
    *("subprocess", "threading", "time"),
}

LINES = 400
"""The longest that a file may be."""


def dotted(path: Path) -> str:
    """Name of the module in the file `path`: ``ipp_richsched.core.task``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {dotted(path) for path in MODULES}


@cache
def imports(path: Path) -> frozenset[str]:
    """Full names of all modules that the file imports, at any depth in it, for types too."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    here = dotted(path).split(".")
    package = here if path.stem == "__init__" else here[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                # `from . import task` names a module, `from .task import Task` does not
                full = f"{origin}.{alias.name}"
                yield full if full in NAMES else origin


def folder(module: str) -> str:
    """The folder of a module of the package; nothing for the package itself."""
    return [*module.split("."), ""][1]


def test_every_module_is_in_a_folder_that_has_a_rule() -> None:
    top = {path.stem for path in MODULES if path.parent == PACKAGE}
    assert top == set(TOP)
    folders = {path.relative_to(PACKAGE).parts[0] for path in MODULES if path.parent != PACKAGE}
    assert folders == set(RULES)
    in_core = {path.relative_to(PACKAGE / "core").parts[:-1] for path in core_modules()}
    assert in_core == {(), *((name,) for name in CORE_FOLDERS)}
    assert all((path / "__init__.py").exists() for path in {p.parent for p in MODULES})


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_folder_imports_what_its_rule_allows(path: Path) -> None:
    name = folder(dotted(path))
    allowed = RULES[name] | {name} if name in RULES else TOP[path.stem]
    ours = {folder(m) for m in imports(path) if m.startswith("ipp_richsched.")}
    assert ours <= allowed, f"{dotted(path)} imports {ours - allowed}"


def test_no_imports_go_in_a_circle() -> None:
    """Not even those for types only."""
    graph = {dotted(path): imports(path) & NAMES - {dotted(path)} for path in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_file_has_one_subject(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES


def core_modules() -> list[Path]:
    return [path for path in MODULES if folder(dotted(path)) == "core"]


@pytest.mark.parametrize("path", core_modules(), ids=dotted)
def test_the_core_imports_the_standard_library_only(path: Path) -> None:
    others = {name.split(".")[0] for name in imports(path)} - {"ipp_richsched"}
    assert others - sys.stdlib_module_names == set()
    assert others & NOT_IN_CORE == set()


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded when the code has run in a new process."""
    code += "\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_importing_the_core_loads_nothing_else() -> None:
    names = {dotted(path) for path in core_modules()}
    loaded = loaded_by(f"import importlib\nfor n in {names}: importlib.import_module(n)")
    assert names <= loaded
    assert {"zmq", "tornado", "traitlets", "ipyparallel"}.isdisjoint(loaded)


def test_importing_the_package_loads_nothing_until_a_name_is_asked_for() -> None:
    loaded = loaded_by("import ipp_richsched")
    assert not {name for name in loaded if name.startswith("ipp_richsched.")}
    for name in ipp_richsched.__all__:
        assert getattr(ipp_richsched, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ipp_richsched.nothing  # noqa: B018


def test_each_name_can_be_had_without_the_extras() -> None:
    gone = ["bokeh", "matplotlib", "networkx", "prometheus_client", "rich", "textual"]
    loaded_by(f"import sys; sys.modules.update(dict.fromkeys({gone}))\nfrom ipp_richsched import *")


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


# -- what is declared --------------------------------------------------------------------

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def distributions(requirements: list[str]) -> set[str]:
    """Their names, those of the extras of this project that they name included."""
    names = {re.split(r"[\s\[<>=!~;]", requirement)[0] for requirement in requirements}
    for requirement in requirements:
        if match := re.match(r"ipp-richsched\[(.*)\]", requirement):
            for extra in match[1].split(","):
                names |= distributions(EXTRAS[extra])
    return names - {"ipp-richsched"}


def imported(paths: list[Path]) -> set[str]:
    """The distributions outside of the standard library from which these files import."""
    modules = {name.split(".")[0] for path in paths for name in imports(path)}
    modules -= sys.stdlib_module_names | {"ipp_richsched", "tests", "benchmarks"}
    modules.discard("tomllib")  # which the standard library has from Python 3.11 on
    known = packages_distributions()
    # pip's own names differ in case from those in pyproject.toml
    return {known.get(module, [module])[0].lower().replace("_", "-") for module in modules}


def test_what_the_package_imports_is_declared_and_nothing_else() -> None:
    names = ("plot", "metrics", "top", "dashboard")
    extras = set().union(*(distributions(EXTRAS[name]) for name in names))
    assert imported(MODULES) == distributions(PROJECT["dependencies"]) | extras


def test_what_the_tests_import_is_declared() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    declared = distributions(PROJECT["dependencies"]) | distributions(EXTRAS["test"])
    assert imported(files) <= declared


def test_before_a_commit_is_checked_what_ci_checks() -> None:
    hooks = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    assert hooks == [line for line in ci if line.startswith(("ruff", "mypy"))]


# -- documents ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CHANGELOG.md",
        "docs/architecture.md",
        "docs/dashboard.md",
        "docs/event_log.md",
        "docs/metrics.md",
        "docs/report.md",
    ],
)
def test_the_documents_are_there(name: str) -> None:
    assert (ROOT / name).read_text().strip()


def test_one_version() -> None:
    assert version("ipp-richsched") == ipp_richsched.__version__
    assert PROJECT["version"] == ipp_richsched.__version__
