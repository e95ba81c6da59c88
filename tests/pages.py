"""Runs the code of a page of the documentation, in the order in which a reader would.

A ```python block runs as a cell of a notebook, a ```bash block as a script, in the same directory.
What stands in the ```text block behind a block is what it prints: ``...`` stands for anything, a
time of day for any other, and white space for any other.

What a reader does not see says what else there is to know of a block:

``<!-- not run: why -->``
    It cannot be run here, or is not the same twice.
``<!-- raises: NameOfError -->``
    It ends with this error.

``python -m tests.pages`` runs the tutorial, and keeps the pictures that it draws.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import ipyparallel as ipp
from ipyparallel.cluster import launcher
from ipyparallel.cluster.cluster import Cluster
from traitlets.config import Config

from ipp_richsched import RichController, RichTaskScheduler

from .processes import PATIENCE, ROOT, Environment, Processes, wait_for

DOCS = ROOT / "docs"
PICTURES = DOCS / "pictures"
LANGUAGES = {"python", "bash", "text", "json", "yaml"}

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[a-z ]+): (?P<rest>[^\n]*) -->\n)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

_LOOSE = re.compile(r"(\.\.\.|\d\d:\d\d:\d\d|\s+)")
"""What may be something else when it is printed."""


class Block(NamedTuple):
    """A block of code on a page."""

    place: str
    language: str
    text: str
    mark: str | None
    rest: str | None

    @property
    def is_configuration(self) -> bool:
        """Whether it goes into a configuration file."""
        return self.text.startswith(("# ipcluster_config.py\n", "# ipcontroller_config.py\n"))


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, from top to bottom."""
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        place = f"{page.relative_to(ROOT)}:{line}"
        found.append(Block(place, *match.group("language", "text", "mark", "rest")))
    return found


class Reader:
    """Somebody with a directory and an IPython directory of their own, who does what pages say.

    Parameters
    ----------
    processes : Processes
        In force.
    environment : Environment
        Whose Python and commands are used.
    """

    def __init__(self, processes: Processes, environment: Environment) -> None:
        self.processes = processes
        self._environment = environment
        self._profile = processes.ipython_dir / "profile_default"
        # an engine counts as registered after a heartbeat: every 250 ms instead of 3 s
        self._profile.mkdir()
        (self._profile / "ipcontroller_config.py").write_text("c.HeartMonitor.period = 250\n")

    def start_cluster(self) -> None:
        """Start one in the default profile: it is there until the processes are ended."""
        cluster = ipp.Cluster(n=4, controller="richsched", cluster_id="", profile="default")
        cluster.start_cluster_sync()
        with ipp.Client(timeout=PATIENCE) as client:
            client.wait_for_engines(4, timeout=PATIENCE)

    def follow(self, page: Path) -> None:
        """Run all blocks of a page."""
        names = {"__name__": "__main__"}
        before: str | None = None
        with self._in_the_directory():
            for block in blocks(page):
                if block.mark == "not run":
                    continue
                if block.language == "text":
                    assert before is not None, f"{block.place}: nothing prints this"
                    check_output(block, before)
                    before = None
                else:
                    before = self._run(block, names)

    def _run(self, block: Block, names: dict[str, Any]) -> str | None:
        """Run a block; what it printed."""
        if block.is_configuration:
            check_settings(block)
            return None
        if block.language == "bash":
            return self._run_bash(block)
        printed = io.StringIO()
        error = None
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile(block.text, block.place, "exec"), names)
            except Exception as raised:
                if block.mark != "raises":
                    raise
                error = raised
        if block.mark == "raises":
            assert error is not None, f"{block.place}: raises nothing"
            assert block.rest in {type(error).__name__, getattr(error, "ename", "")}, block.place
            print(error, file=printed)
        return printed.getvalue()

    def _run_bash(self, block: Block) -> str:
        # what it prints goes into a file: what it leaves running would keep a pipe open
        script = re.sub(r"^pip install .*\n", check_install, block.text, flags=re.MULTILINE)
        command = self.processes.start("bash", "-e", "-c", script)
        assert command.wait() == 0, f"{block.place}\n{command}"
        if "python -m ipp_richsched " in block.text:
            files = {"ipcontroller-client.json", "ipcontroller-engine.json"}
            wait_for(lambda: files <= set(self.processes.security_files()), "connection files")
        return command.log

    @contextlib.contextmanager
    def _in_the_directory(self) -> Iterator[None]:
        """As in its directory, with its commands on the path, and no window for pictures."""
        there = os.getcwd()
        bin_directory = make_commands(self._environment, self.processes.cwd)
        path = f"{bin_directory}{os.pathsep}{os.environ['PATH']}"
        os.chdir(self.processes.cwd)
        try:
            with mock.patch.dict(os.environ, PATH=path, MPLBACKEND="Agg"):
                yield
        finally:
            os.chdir(there)


def make_commands(environment: Environment, directory: Path) -> Path:
    """A directory with the commands of an environment, for ``PATH``."""
    found = directory / "bin"
    found.mkdir(exist_ok=True)
    for name in ("python", "ipp-richsched", "ipcluster", "ipcontroller", "ipengine"):
        words = " ".join(f"'{word}'" for word in environment.command(name))
        (found / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (found / name).chmod(0o755)
    return found


def check_install(line: re.Match[str]) -> str:
    """Check that the extras of an installation are ours; it has been done, so nothing is left."""
    match = re.fullmatch(r'pip install "\.(?:\[(.*)\])?"\n', line[0])
    assert match, f"not this directory: {line[0]}"
    extras = set((match[1] or "").split(",")) - {""}
    assert extras <= set(metadata("ipp-richsched").get_all("Provides-Extra") or []), line[0]
    return ""


def check_settings(block: Block) -> None:
    """Check that each setting is one of ours or of ipyparallel's."""
    known = {each.__name__: each for each in RichController.classes}
    known |= {
        "Cluster": Cluster,
        "IPController": RichController,
        "TaskScheduler": RichTaskScheduler,
    }
    config = Config()
    exec(block.text, {"c": config})
    for name, settings in config.items():
        owner = known.get(name) or getattr(launcher, name, None)
        assert owner, f"{block.place}: there is no {name}"
        unknown = set(settings) - set(owner.class_traits(config=True))
        assert not unknown, f"{block.place}: {name} has no {unknown}"


def check_output(block: Block, printed: str) -> None:
    """Check that a page shows what was printed."""
    pattern = []
    for number, part in enumerate(_LOOSE.split(block.text.strip())):
        if number % 2 == 0:
            pattern.append(re.escape(part))
        elif part == "...":
            pattern.append(".*?")
        else:
            pattern.append(r"\s+" if part.isspace() else r"\d\d:\d\d:\d\d")
    matches = re.fullmatch("".join(pattern), printed.strip(), re.DOTALL)
    assert matches, f"{block.place} shows\n{block.text}\nbut this is printed:\n{printed}"


def main() -> None:
    """Run the tutorial, and keep its pictures."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "run").mkdir()
        with Processes(place / "run") as processes:
            Reader(processes, Environment(place / "environment")).follow(DOCS / "tutorial.md")
            for picture in processes.cwd.glob("*.png"):
                shutil.copy(picture, PICTURES)


if __name__ == "__main__":
    main()
