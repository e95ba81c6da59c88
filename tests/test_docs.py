"""The documentation: the site can be built, and what its pages tell one to do works."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sphinx.util.inventory import InventoryFile

import ipp_richsched

from .pages import DOCS, LANGUAGES, PICTURES, Reader, blocks, check_output, check_settings
from .processes import ROOT, Environment, Processes

HOW_TOS = sorted(path for path in (DOCS / "howto").glob("*.md") if path.stem != "index")
ON_A_CLUSTER = ["howto/dag", "howto/look", "howto/map", "howto/waiting", "coming_from"]
"""The pages that begin where a cluster runs."""

RUN = [DOCS / "tutorial.md", DOCS / "coming_from.md", *HOW_TOS]


builds = pytest.mark.slow(5)
"""For tests that look at the site: the first of them builds it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors."""
    path = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q"]
    trees = ["-d", str(tmp_path_factory.mktemp("trees"))]
    done = subprocess.run([*command, *trees, str(DOCS), str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def reader(tmp_path: Path, environment: Environment) -> Iterator[Reader]:
    with Processes(tmp_path) as processes:
        yield Reader(processes, environment)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, environment: Environment) -> Iterator[Reader]:
    """Somebody in whose default profile a cluster runs."""
    with Processes(tmp_path_factory.mktemp("cluster")) as processes:
        reader = Reader(processes, environment)
        reader.start_cluster()
        yield reader


@builds
def test_each_public_name_is_in_the_reference(site: Path) -> None:
    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, path: path)
    known = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    public = {f"ipp_richsched.{name}" for name in ipp_richsched.__all__} - {
        "ipp_richsched.__version__"
    }
    assert public <= known


@builds
def test_each_setting_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "settings.html").read_text()
    traits = ipp_richsched.RichTaskScheduler.class_own_traits(config=True)
    assert len(traits) > 10
    for name in {*traits, "event_log", "event_log_size", "metrics_port"} - {"control"}:
        assert f'id="{name}"' in page, name


@builds
def test_each_command_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "commands.html").read_text()
    names = ["dashboard", "demo", "disable", "enable", "explain", "replay", "report"]
    for name in (*names, "status", "top"):
        assert f"usage: ipp-richsched {name}" in page


@pytest.mark.parametrize(
    "page", sorted((DOCS / "reference").glob("*.md")), ids=lambda path: path.stem
)
def test_a_page_that_is_made_says_how_to_do_without(page: Path) -> None:
    text = page.read_text()
    assert "Without the site" in text
    if page.stem == "index":
        assert '\npip install ".[docs]" && sphinx-build docs build/docs\n' in text
    else:
        assert "(index.md)" in text


@pytest.mark.cluster
def test_the_tutorial(reader: Reader) -> None:
    reader.follow(DOCS / "tutorial.md")
    drawn = {path.name for path in reader.processes.cwd.glob("*.png")}
    assert drawn == {path.name for path in PICTURES.glob("tutorial_*.png")}


@pytest.mark.cluster
@pytest.mark.parametrize("name", ON_A_CLUSTER)
def test_a_page_on_a_cluster(cluster: Reader, name: str) -> None:
    cluster.follow(DOCS / f"{name}.md")


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["night", "switch_on"])
def test_a_how_to(reader: Reader, name: str) -> None:
    reader.follow(DOCS / "howto" / f"{name}.md")
    reader.processes.wait_until_gone()


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_no_block_hides_from_the_tests(page: Path) -> None:
    fences = re.findall(r"^\s*```(.*)$", page.read_text(), re.MULTILINE)
    directives = {"{toctree}", "{include} ../README.md", "{include} ../../README.md"}
    directives |= {"{eval-rst}", "{settings}", "{commands}"}
    if page in RUN:
        plain = [fence for fence in fences[::2] if not fence.startswith("{")]
        assert len(blocks(page)) == len(plain)
        assert "" not in plain
    assert set(fences[::2]) <= LANGUAGES | directives | {""}
    assert set(fences[1::2]) <= {""}
    for block in blocks(page):
        assert block.mark in {None, "not run", "raises"}, block.place
        if block.is_configuration:
            check_settings(block)


def test_each_kind_of_waiting_is_told() -> None:
    kinds = re.findall(r"``'(\w+)'``", ipp_richsched.status.__globals__["WaitingTask"].__doc__)
    assert len(kinds) > 8
    table = (DOCS / "howto" / "waiting.md").read_text()
    for kind in kinds:
        assert f"| `{kind}` |" in table


def test_what_is_shown_has_to_be_what_is_printed() -> None:
    [block] = [each for each in blocks(DOCS / "tutorial.md") if each.text == "1024\n"]
    check_output(block, "1024\n")
    for other in ("1023\n", "10240\n", "an error\n", ""):
        with pytest.raises(AssertionError, match="but this is printed"):
            check_output(block, other)


def test_the_picture_of_the_front_page_is_that_of_the_readme() -> None:
    [front] = re.findall(r"^!\[.*\n?", (DOCS / "index.md").read_text(), re.MULTILINE)
    assert front.replace("(demo.png)", "(docs/demo.png)") in (ROOT / "README.md").read_text()
