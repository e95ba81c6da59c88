"""Where a configuration file raises an error, no controller starts without its settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ipyparallel.controller.app import IPController

from ipp_richsched.controller.config_files import config_file_error

from .processes import Environment, Processes, script

NAME = "ipcontroller_config"
FINE = "c.TaskScheduler.hwm = 4\n"


@pytest.fixture
def directories(ipython_dir: Path, tmp_path: Path) -> list[Path]:
    """The directories that the controller of `load` searches, the first one last."""
    profile, environment = ipython_dir / "profile_default", tmp_path / "etc"
    for directory in (profile, environment):
        directory.mkdir()
    return [profile, environment]


def load(directories: list[Path], *arguments: str) -> IPController:
    """A controller that has loaded its configuration files, and nothing else."""
    app = IPController()
    app.parse_command_line(list(arguments))
    app.init_profile_dir()
    app.config_file_paths.extend(map(str, directories[1:]))
    app.load_config_file()
    return app


ERRORS = {
    "name": (f"{FINE}\nsocket.gethostname()\n", "line 3: NameError: name 'socket' is not defined"),
    "in a function": ("def f():\n    1 / 0\nf()\n", "line 2: ZeroDivisionError: division by zero"),
    "elsewhere": (f"{FINE}import json\njson.loads('')\n", "line 3: json.decoder.JSONDecodeError: "),
    "syntax": (f"{FINE}x = (\n", "line 2: SyntaxError: '(' was never closed"),
    "syntax elsewhere": (f"{FINE}exec('x = (')\n", "line 2: SyntaxError: '(' was never closed"),
    "no text": ("x = 1\nassert not x\n", "line 2: AssertionError"),
    "lines": ("raise ValueError('one\\ntwo')", "line 1: ValueError: one"),
    "a note": ("e = ValueError('one')\ne.__notes__ = ['two']\nraise e", "line 3: ValueError: one"),
    "no bytes": ("x = '\0'\n", "null bytes"),
    "subconfig": ("\nload_subconfig('sub.py')\n", "line 2: KeyError: 'HOST'"),
}


@pytest.mark.parametrize("name", [NAME, "ipython_config"])
@pytest.mark.parametrize(("content", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_the_file_the_line_and_the_error_are_named(
    directories: list[Path], name: str, content: str, message: str
) -> None:
    (directories[0] / "sub.py").write_text("\n\nraise KeyError('HOST')")
    path = directories[0] / f"{name}.py"
    path.write_text(content)
    error = config_file_error(load(directories))
    assert error
    assert error.startswith(str(path))
    assert message in error
    assert len(error.splitlines()) == 1


def test_each_file_of_each_directory_is_looked_at(directories: list[Path]) -> None:
    contents = {".py": FINE, ".json": '{"TaskScheduler": {"hwm": 4}}'}
    files = {
        directory / f"{NAME}{suffix}": content
        for directory in directories
        for suffix, content in contents.items()
    }
    for path, content in files.items():
        path.write_text(content)
    assert config_file_error(load(directories)) is None
    for path, content in files.items():
        path.write_text(f"{content}\n)")
        error = config_file_error(load(directories))
        assert error
        assert error.startswith(f"{path}, line ")
        path.write_text(content)


@pytest.mark.parametrize("option", ["absolute", "in a directory"])
def test_a_file_of_the_command_line_is_looked_at(directories: list[Path], option: str) -> None:
    path = directories[0] / "mine.py"
    path.write_text("1 / 0")
    argument = str(path) if option == "absolute" else path.name
    error = config_file_error(load(directories, f"--config={argument}"))
    assert error == f"{path}, line 1: ZeroDivisionError: division by zero"


FINE_FILES = {
    "nothing": "",
    "comments": "# c.TaskScheduler.hwm = 4\n",
    "no settings": "import os\nc = get_config()\n",
    "settings": FINE,
    "caught": f"{FINE}try:\n    load_subconfig('sub.py')\nexcept KeyError:\n    pass\n",
}


@pytest.mark.parametrize("content", FINE_FILES.values(), ids=FINE_FILES.keys())
def test_a_file_without_an_error_is_none(directories: list[Path], content: str) -> None:
    (directories[0] / "sub.py").write_text("raise KeyError('HOST')")
    for directory in directories:
        (directory / f"{NAME}.py").write_text(content)
    assert config_file_error(load(directories)) is None


def test_what_has_set_something_is_loaded_once(directories: list[Path]) -> None:
    path = directories[0] / f"{NAME}.py"
    path.write_text(f"open({str(directories[0] / 'loads')!r}, 'a').write('x')\n{FINE}")
    config_file_error(load(directories))
    assert (directories[0] / "loads").read_text() == "x"


def test_what_has_set_nothing_is_loaded_twice_at_most(directories: list[Path]) -> None:
    path = directories[0] / "mine.py"
    path.write_text(f"open({str(directories[0] / 'loads')!r}, 'a').write('x')\n")
    app = load(directories, f"--config={path}")
    (directories[0] / "loads").unlink()
    assert config_file_error(app) is None
    assert (directories[0] / "loads").read_text() == "x"


def test_an_error_that_does_not_come_again_is_one(directories: list[Path]) -> None:
    once = directories[0] / "once"
    path = directories[0] / f"{NAME}.py"
    path.write_text(
        f"import os\n{FINE}if not os.path.exists({str(once)!r}):\n"
        f"    os.mkdir({str(once)!r})\n    1 / 0\n"
    )
    error = config_file_error(load(directories))
    assert error == f"{path}: an error when it was loaded (see above), though not again"


# -- real controllers

LINES = f'"""Mine."""\nfrom __future__ import annotations\n{FINE}socket.gethostname()\n'
MODULE = ("python", "-m", "ipp_richsched")
STOCK = ("ipcontroller",)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        yield started


@pytest.fixture
def path(processes: Processes) -> Path:
    """A configuration file with a line that raises an error."""
    path = processes.ipython_dir / "profile_default" / f"{NAME}.py"
    path.parent.mkdir()
    path.write_text(LINES)
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """For what is enabled for all profiles of it."""
    return Environment(tmp_path_factory.mktemp("environment"))


def expected(path: Path) -> str:
    line = path.read_text().splitlines().index("socket.gethostname()") + 1
    return f"{path}, line {line}: NameError: name 'socket' is not defined"


@pytest.mark.cluster
@pytest.mark.parametrize("options", [(), ("--quiet",)], ids=["loud", "quiet"])
@pytest.mark.parametrize(
    ("enable", "command"),
    [(("enable",), STOCK), (("enable", "--sys-prefix"), STOCK), ((), MODULE)],
    ids=["enable", "sys-prefix", "module"],
)
def test_no_controller_starts(
    processes: Processes,
    environment: Environment,
    path: Path,
    enable: tuple[str, ...],
    command: tuple[str, ...],
    options: tuple[str, ...],
) -> None:
    if enable:
        status, output = processes.run(*environment.command("ipp-richsched", *enable))
        assert status == 0, output
    status, output = processes.run(*environment.command(*command, *options))
    if "--sys-prefix" in enable:
        processes.run(*environment.command("ipp-richsched", "disable", "--sys-prefix"))
    assert status == 1
    assert output.splitlines()[-1].endswith(expected(path))
    assert output.count("Traceback") == (not options)
    assert processes.security_files() == []
    processes.wait_until_gone()


@pytest.mark.cluster
@pytest.mark.parametrize("enabled", [True, False], ids=["enable", "launcher"])
def test_who_starts_a_cluster_sees_it(processes: Processes, path: Path, enabled: bool) -> None:
    arguments, options = "n=1, controller='richsched'", ["--controller=richsched"]
    if enabled:
        arguments, options = "n=1", []
        status, output = processes.run(script("ipp-richsched"), "enable")
        assert status == 0, output

    program = f"import ipyparallel as ipp\nwith ipp.Cluster({arguments}): pass"
    status, output = processes.run(sys.executable, "-c", program)
    assert status == 1
    assert expected(path) in output
    assert "RuntimeError: Controller stopped with 1" in output

    ipcluster = processes.start(script("ipcluster"), "start", "-n", "1", *options)
    ipcluster.wait_for_log(expected(path))
    ipcluster.interrupt()
    processes.wait_until_gone()
