"""Every command of README.md, run in the order in which a reader would.

A line of a ```bash block is a command; ``A && B`` is two. So is `code` in a sentence that starts
with the name of a program. A command that nothing here knows how to run fails its test, so that
README.md names none that is not tested.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Iterator
from importlib.metadata import metadata

import ipyparallel as ipp
import pytest

from ipp_richsched.demo.show import FILM, PICTURE

from . import dashboard_picture, look_pictures, test_demo
from .nights import Night
from .processes import PATIENCE, ROOT, Command, Environment, Processes

pytestmark = pytest.mark.cluster

README = (ROOT / "README.md").read_text()
CI = [shlex.split(line) for line in (ROOT / ".ci" / "run").read_text().splitlines()]

LANGUAGES = {"bash", "python"}
PNG = b"\x89PNG\r\n\x1a\n"
PROGRAMS = ("ipp-richsched ", "ipcontroller ", "ipcluster ", "ipengine ", "python -m ", "pip ")


def blocks(language: str) -> list[str]:
    """The contents of the fenced blocks in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The commands of all bash blocks in order, then those that stand in a sentence only."""
    lines = "".join(blocks("bash")).splitlines()
    found = [part for line in lines for part in line.split(" && ")]
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`\n]+)`", prose):
        if code.startswith(PROGRAMS) and not any(code in part for part in found):
            found.append(code)
    return found


class Reader:
    """Somebody with an environment and an IPython directory of their own.

    They are there for all commands: what one enables, the next one uses.
    """

    def __init__(self, processes: Processes, environment: Environment) -> None:
        self.processes = processes
        self._environment = environment
        self._profile = processes.ipython_dir / "profile_default"
        # an engine counts as registered after a heartbeat: every 250 ms instead of 3 s
        self._profile.mkdir()
        (self._profile / "ipcontroller_config.py").write_text("c.HeartMonitor.period = 250\n")

    def start(self, words: list[str]) -> Command:
        return self.processes.start(*self._environment.command(*words))

    def run(self, words: list[str]) -> None:
        status, output = self.processes.run(*self._environment.command(*words))
        assert status == 0, output

    def connect(self) -> ipp.Client:
        file = self._profile / "security" / "ipcontroller-client.json"
        return ipp.Client(str(file), timeout=PATIENCE)

    def until_up(self, command: Command) -> None:
        """Wait until a controller answers; only then it is ready for Ctrl-C, too."""
        files = {"ipcontroller-client.json", "ipcontroller-engine.json"}
        command.wait_until(
            lambda: files <= set(self.processes.security_files()), "connection files"
        )
        self.connect().close()

    def latest_log(self) -> str:
        """What the latest controller that `ipcluster` started has logged."""
        logs = (self._profile / "log").glob("ipcontroller-*.log")
        return max(logs, key=lambda path: path.stat().st_mtime).read_text()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Processes(tmp_path_factory.mktemp("readme")) as processes:
        yield Reader(processes, Environment(tmp_path_factory.mktemp("environment")))


@contextlib.contextmanager
def killed_on_failure(processes: Processes) -> Iterator[None]:
    """Keep the failure of one command from spoiling the next ones."""
    try:
        yield
    except BaseException:
        processes.kill()
        raise


def installs(reader: Reader, words: list[str]) -> None:
    """Checked, not run: the project is installed already, and its extras have the names."""
    *options, what = words[2:]
    assert set(options) <= {"-e"}
    match = re.fullmatch(r"\.(?:\[(.*)\])?", what)
    assert match, f"neither this directory nor its extras: {what}"
    extras = set((match[1] or "").split(",")) - {""}
    assert extras <= set(metadata("ipp-richsched").get_all("Provides-Extra") or [])
    assert "test" not in extras or words in CI


def is_run_by_ci(reader: Reader, words: list[str]) -> None:
    """Checked, not run: CI runs the same line. It is what runs this test."""
    assert words in CI


def is_run_by_test_demo(reader: Reader, words: list[str]) -> None:
    """Checked, not run: another test runs the same line, and looks at what comes of it."""
    assert words in test_demo.COMMANDS


def ends_well(reader: Reader, words: list[str]) -> None:
    reader.run(words)


def controls(reader: Reader, words: list[str]) -> None:
    """A controller runs this scheduler until Ctrl-C."""
    controller = reader.start(words)
    reader.until_up(controller)
    controller.wait_for_log("RichTaskScheduler started [")
    assert controller.interrupt() == 0, str(controller)
    reader.processes.wait_until_gone()


def starts_cluster(reader: Reader, words: list[str]) -> None:
    """A cluster runs a task under this scheduler, until Ctrl-C."""
    ipcluster = reader.start(words)
    reader.until_up(ipcluster)
    with reader.connect() as client:
        client.wait_for_engines(1, timeout=PATIENCE)
        assert client.load_balanced_view().apply_async(pow, 2, 3).get(timeout=PATIENCE) == 8
    assert "RichTaskScheduler started [" in reader.latest_log()
    ipcluster.interrupt()
    reader.processes.wait_until_gone()


def explains(reader: Reader, words: list[str]) -> None:
    """It tells of a task in an event log, both called as in the command."""
    path, msg_id = words[2:]
    Night(reader.processes.cwd / path, "engine").submit(msg_id)
    reader.run(words)


def reports(reader: Reader, words: list[str]) -> None:
    """It makes a page of an event log, both called as in the command."""
    Night(reader.processes.cwd / words[2], "engine").submit("task")
    reader.run(words)
    assert (reader.processes.cwd / words[-1]).read_text().startswith("<!DOCTYPE html>")


def is_run_by_test_top(reader: Reader, words: list[str]) -> None:
    """tests/test_top.py does, in a pseudo-terminal."""


def is_run_by_test_dashboard(reader: Reader, words: list[str]) -> None:
    """tests/test_dashboard.py does, in a browser."""


def asks(reader: Reader, words: list[str]) -> None:
    """A controller that runs is asked."""
    controller = reader.start(["python", "-m", "ipp_richsched"])
    reader.until_up(controller)
    reader.run(words)
    assert controller.interrupt() == 0, str(controller)
    reader.processes.wait_until_gone()


# The first one whose words a command begins with runs it.
RUNNERS: dict[str, Callable[[Reader, list[str]], None]] = {
    "pip install": installs,
    "python -m pytest": is_run_by_ci,
    "ipp-richsched enable": ends_well,
    "ipp-richsched disable": ends_well,
    "ipp-richsched demo": is_run_by_test_demo,
    "ipp-richsched replay": ends_well,
    "ipp-richsched explain": explains,
    "ipp-richsched report": reports,
    "ipp-richsched status": asks,
    "ipp-richsched top": is_run_by_test_top,
    "ipp-richsched dashboard": is_run_by_test_dashboard,
    "python -m ipp_richsched --help-all": ends_well,
    "ipcontroller --help-all": ends_well,
    "python -m ipp_richsched": controls,
    "ipcontroller": controls,
    "ipcluster start": starts_cluster,
}


def runner(command: str) -> str | None:
    """The beginning under which `RUNNERS` has what runs the command."""
    words = shlex.split(command)
    beginnings = (each for each in RUNNERS if words[: len(each.split())] == each.split())
    return next(beginnings, None)


@pytest.mark.parametrize("command", commands())
def test_command(reader: Reader, command: str) -> None:
    beginning = runner(command)
    assert beginning, f"no test knows how to run this command of README.md: {command}"
    with killed_on_failure(reader.processes):
        RUNNERS[beginning](reader, shlex.split(command))


def test_every_runner_has_a_command() -> None:
    assert {runner(command) for command in commands()} == set(RUNNERS)


def test_the_two_commands_that_the_project_promises() -> None:
    text = "\n".join(commands())
    assert "pip install" in text
    assert "ipp-richsched demo" in text
    assert "python -m pytest" in text


def test_the_pictures_are_small_and_made_by_a_command_that_is_told() -> None:
    picture, film, page = re.findall(r"^!\[.*\]\((.*\.(?:png|gif))\)$", README, re.MULTILINE)
    for name, start in ((picture, PNG), (film, b"GIF89a"), (page, PNG)):
        image = (ROOT / name).read_bytes()
        assert image.startswith(start)
        assert len(image) < 200_000
    command = shlex.join(test_demo.WITH_STOCK)
    command += f" && mv {PICTURE} {picture} && mv {FILM} {film}"
    told = (ROOT / "CONTRIBUTING.md").read_text()
    assert f"\n{command}\n" in told
    assert ROOT / page == dashboard_picture.PICTURE
    assert f"\npython -m {dashboard_picture.__name__}\n" in told


def test_the_pictures_of_ways_to_look_are_those_that_a_command_makes() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text()
    assert f"\npython -m {look_pictures.__name__}\n" in told
    page = ROOT / "docs" / "howto" / "look.md"
    shown = {
        (page.parent / name).resolve()
        for name in re.findall(r"^!\[.*\]\((.*)\)$", page.read_text(), re.MULTILINE)
    }
    for picture in (look_pictures.STATUS, look_pictures.TOP, look_pictures.REPORT):
        assert picture in shown
        assert picture.stat().st_size < 200_000


def test_no_block_hides_a_command() -> None:
    fences = re.findall(r"^\s*```(.*)$", README, re.MULTILINE)
    assert set(fences[::2]) == LANGUAGES
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize("block", blocks("python"))
def test_python_block(reader: Reader, block: str) -> None:
    """It is a program that runs as it is."""
    program = reader.processes.cwd / "program.py"
    program.write_text(block)
    with killed_on_failure(reader.processes):
        reader.run(["python", str(program)])
        reader.processes.wait_until_gone()
