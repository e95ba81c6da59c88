"""Every command of README.md, run in the order in which a reader would.

A line of a ```bash block is a command; ``A && B`` is two. So is `code` in a sentence that starts
with the name of a program. A command that nothing here knows how to run fails its test, so that
README.md names none that is not tested.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import metadata

import ipyparallel as ipp
import pytest

from .processes import ROOT, SYS_PREFIX_CONFIG, Command, Processes, kept, script

README = (ROOT / "README.md").read_text()
CI = [shlex.split(line) for line in (ROOT / ".ci" / "run").read_text().splitlines()]

LANGUAGES = {"bash", "python", "text"}
PROGRAMS = ("ipp-richsched ", "ipcontroller ", "ipcluster ", "ipengine ", "python -m ", "pip ")

# WfFormat 1.5, for a file that README.md names as the reader's own
WORKFLOW = {
    "name": "sample",
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"name": "a", "id": "a", "parents": [], "children": ["b", "c"]},
                {"name": "b", "id": "b", "parents": ["a"], "children": []},
                {"name": "c", "id": "c", "parents": ["a"], "children": []},
            ]
        },
        "execution": {
            "makespanInSeconds": 3,
            "executedAt": "2020-01-01T00:00:00Z",
            "tasks": [{"id": name, "runtimeInSeconds": 1} for name in "abc"],
        },
    },
}


def blocks(language: str) -> list[str]:
    """The contents of the fenced blocks in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The commands of all bash blocks in order, then those that stand in a sentence only."""
    text = "\n".join(blocks("bash")).replace("\\\n", " ")
    parts = [part.strip() for line in text.splitlines() for part in line.split(" && ")]
    found = [part for part in parts if shlex.split(part, comments=True)]
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`\n]+)`", prose):
        # a synopsis has words to be replaced: FILE.json, [--profile NAME]
        synopsis = re.search(r"\[|[A-Z]{2}", code)
        if code.startswith(PROGRAMS) and not synopsis and not any(code in part for part in found):
            found.append(code)
    return found


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """One environment for all commands, as for a reader: what one enables, the next one uses."""
    with Processes(tmp_path_factory.mktemp("readme")) as started, kept(SYS_PREFIX_CONFIG):
        yield started


@contextlib.contextmanager
def killed_on_failure(processes: Processes) -> Iterator[None]:
    """Keep the failure of one command from spoiling the next ones."""
    try:
        yield
    except BaseException:
        processes.kill()
        raise


def in_this_environment(words: list[str]) -> list[str]:
    """The command line with the programs of the environment under test."""
    program = sys.executable if words[0] == "python" else script(words[0])
    return [program, *words[1:]]


def profile(words: list[str]) -> str:
    match = re.search(r"--profile[= ](\S+)", " ".join(words))
    return match[1] if match else "default"


def connect(processes: Processes, profile: str) -> ipp.Client:
    security = processes.ipython_dir / f"profile_{profile}" / "security"
    return ipp.Client(str(security / "ipcontroller-client.json"), timeout=30)


def is_up(processes: Processes, command: Command, profile: str) -> None:
    """Wait until a controller answers; only then it is ready for Ctrl-C, too."""
    files = {"ipcontroller-client.json", "ipcontroller-engine.json"}
    command.wait_until(lambda: files <= set(processes.security_files(profile)), "connection files")
    connect(processes, profile).close()


def installs(processes: Processes, words: list[str]) -> None:
    """Checked, not run: the project is installed already, and its extras have the names."""
    *options, what = words[2:]
    assert set(options) <= {"-e"}
    match = re.fullmatch(r"\.(?:\[(.*)\])?", what)
    assert match, f"neither this directory nor its extras: {what}"
    extras = set((match[1] or "").split(",")) - {""}
    assert extras <= set(metadata("ipp-richsched").get_all("Provides-Extra") or [])
    assert "test" not in extras or words in CI


def is_run_by_ci(processes: Processes, words: list[str]) -> None:
    """Checked, not run: CI runs the same line. One of them is what runs this test."""
    assert words in CI


def ends_well(processes: Processes, words: list[str]) -> None:
    status, output = processes.run(*in_this_environment(words), timeout=120)
    assert status == 0, output


def replays(processes: Processes, words: list[str]) -> None:
    [file] = [word for word in words if word.endswith(".json")]
    if (ROOT / file).exists():
        words[words.index(file)] = str(ROOT / file)
    else:
        (processes.cwd / file).write_text(json.dumps(WORKFLOW))
    ends_well(processes, words)


def controls(processes: Processes, words: list[str]) -> None:
    """A controller runs this scheduler until Ctrl-C."""
    controller = processes.start(*in_this_environment(words))
    is_up(processes, controller, profile(words))
    controller.wait_for_log("RichTaskScheduler started [")
    assert controller.interrupt() == 0, str(controller)
    processes.wait_until_gone()


def starts_cluster(processes: Processes, words: list[str]) -> None:
    """A cluster runs a task under this scheduler, until Ctrl-C or `ipcluster stop`."""
    ipcluster = processes.start(*in_this_environment(words))
    is_up(processes, ipcluster, profile(words))
    with connect(processes, profile(words)) as client:
        client.wait_for_engines(1, timeout=60)
        assert client.load_balanced_view().apply_async(pow, 2, 3).get(timeout=30) == 8
    logs = (processes.ipython_dir / f"profile_{profile(words)}" / "log").glob("ipcontroller-*.log")
    latest = max(logs, key=lambda path: path.stat().st_mtime)
    assert "RichTaskScheduler started [" in latest.read_text()
    if "--daemonize" in words:
        assert ipcluster.wait() == 0, str(ipcluster)
    else:
        ipcluster.interrupt()
        processes.wait_until_gone()


def stops_cluster(processes: Processes, words: list[str]) -> None:
    ends_well(processes, words)
    processes.wait_until_gone()


# The first one whose words a command begins with runs it.
RUNNERS: dict[str, Callable[[Processes, list[str]], None]] = {
    "pip install": installs,
    "python -m pytest": is_run_by_ci,
    "ruff": is_run_by_ci,
    "mypy": is_run_by_ci,
    "ipp-richsched enable": ends_well,
    "ipp-richsched disable": ends_well,
    "ipp-richsched demo": ends_well,
    "ipp-richsched replay": replays,
    "python -m ipp_richsched --help-all": ends_well,
    "ipcontroller --help-all": ends_well,
    "python -m ipp_richsched": controls,
    "ipcontroller": controls,
    "ipcluster start": starts_cluster,
    "ipcluster stop": stops_cluster,
}


@pytest.mark.parametrize("command", commands())
def test_command(processes: Processes, command: str) -> None:
    words = shlex.split(command, comments=True)
    for beginning, run in RUNNERS.items():
        if words[: len(beginning.split())] == beginning.split():
            with killed_on_failure(processes):
                run(processes, words)
            return
    pytest.fail(f"no test knows how to run this command of README.md: {command}")


def test_the_two_commands_that_the_project_promises() -> None:
    text = "\n".join(commands())
    assert "pip install" in text
    assert "ipp-richsched demo" in text
    assert "python -m pytest" in text


def test_no_block_hides_a_command() -> None:
    fences = re.findall(r"^\s*```(.*)$", README, re.MULTILINE)
    assert set(fences[::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize("block", blocks("python"))
def test_python_block(processes: Processes, block: str) -> None:
    """A configuration is one that a controller starts with, a program runs."""
    compile(block, "README.md", "exec")
    with killed_on_failure(processes):
        if block.startswith("c.") or "get_config()" in block:
            is_a_configuration(processes, block)
        elif "import ipyparallel" in block:
            runs_on_a_cluster(processes, block)


def is_a_configuration(processes: Processes, block: str) -> None:
    config = processes.ipython_dir / "profile_configured" / "ipcontroller_config.py"
    config.parent.mkdir(exist_ok=True)
    config.write_text(f"import ipp_richsched\nipp_richsched.register()\n{block}")
    controller = processes.start(script("ipcontroller"), "--profile=configured")
    is_up(processes, controller, "configured")
    controller.wait_for_log("RichTaskScheduler started [")
    assert "not recognized" not in controller.log
    controller.interrupt()
    processes.wait_until_gone()


def runs_on_a_cluster(processes: Processes, block: str) -> None:
    cluster = None
    if "ipp.Cluster(" not in block:
        cluster = processes.start(script("ipcluster"), "start", "--controller=richsched", "-n", "2")
        is_up(processes, cluster, "default")
        with connect(processes, "default") as client:
            client.wait_for_engines(2, timeout=60)
    program = processes.cwd / "program.py"
    program.write_text(block)
    status, output = processes.run(sys.executable, str(program))
    assert status == 0, output
    if cluster:
        cluster.interrupt()
    processes.wait_until_gone()
