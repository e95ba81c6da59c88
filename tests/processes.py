"""Real processes for tests: started, watched, and gone at the end with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import site
import subprocess
import sys
import sysconfig
import time
import uuid
import venv
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest import mock

import psutil

ROOT = Path(__file__).parent.parent
SYS_PREFIX_CONFIG = Path(sys.prefix, "etc", "ipython", "ipcontroller_config.py")

# Children leave the session of their parent (ipcluster, the engines' nannies) and outlive it, but
# they all inherit its environment: a variable of our own is what finds each of them again.
MARK = "IPP_RICHSCHED_TEST_RUN"

T = TypeVar("T")

PATIENCE = 120
"""Seconds until a test that waits for a process fails: other tests take the processor, too."""


def script(name: str) -> str:
    """Path of a console script of the environment under test."""
    return str(Path(sysconfig.get_path("scripts"), name))


def wait_for(condition: Callable[[], T], what: str) -> T:
    """Poll `condition` until its value is true, and return that value.

    Parameters
    ----------
    condition : callable
        Called without arguments.
    what : str
        What is awaited, for the message of the failure.

    Raises
    ------
    AssertionError
        The deadline has passed.
    """
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.05)
    return value


class Environment:
    """A virtual environment that has all packages of this one, and a prefix of its own.

    What is configured for all profiles of it concerns no other test.

    Parameters
    ----------
    directory : Path
        Where it is made.
    """

    def __init__(self, directory: Path) -> None:
        self.prefix = directory
        venv.create(directory, symlinks=True)
        variables = {"base": str(directory), "platbase": str(directory)}
        packages = Path(sysconfig.get_path("purelib", "posix_prefix", vars=variables))
        # not a path, but a line of code: it heeds the .pth files there, such as our own
        lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
        (packages / "under_test.pth").write_text("\n".join(lines))
        self._python = str(directory / "bin" / "python")

    def command(self, program: str, *arguments: str) -> tuple[str, ...]:
        """The command line of ``python`` or of a console script, run by this environment."""
        scripts = [] if program == "python" else [script(program)]
        return (self._python, *scripts, *arguments)


class Command:
    """A command that runs, and what it has printed.

    Parameters
    ----------
    args : tuple of str
        The command.
    cwd : Path
        Its working directory.
    log_file : Path
        Where its output goes, standard error included.
    env : dict of str to str
        What is added to the environment.
    """

    def __init__(self, args: tuple[str, ...], cwd: Path, log_file: Path, env: dict[str, str]):
        self.args = args
        self.log_file = log_file
        with log_file.open("wb") as log:
            self.process = subprocess.Popen(
                args,
                cwd=cwd,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it has printed up to now."""
        return self.log_file.read_text(errors="replace")

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait until it ends, and return its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout:g} s: {self}") from None

    def wait_until(self, condition: Callable[[], T], what: str) -> T:
        """Poll `condition` as `wait_for` does, and fail at once when the command ends."""

        def met_or_ended() -> T | bool:
            return condition() or self.process.poll() is not None

        try:
            wait_for(met_or_ended, what)
            value = condition()
            assert value, f"ended with status {self.process.poll()} before: {what}"
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self}") from None
        return value

    def wait_for_log(self, text: str) -> None:
        """Wait until it has printed `text`."""
        self.wait_until(lambda: text in self.log, f"{text!r} in its output")

    def interrupt(self) -> int:
        """Stop it as Ctrl-C does, and return its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def __str__(self) -> str:
        return f"$ {' '.join(self.args)}\n{self.log[-5000:]}"


class Processes:
    """Commands in an IPython directory of their own; a context manager that leaves none behind.

    It covers whatever is started inside its block, by `start` and `run` or by `ipp.Cluster`,
    and whatever those start in turn, even where they detach themselves.

    Parameters
    ----------
    directory : Path
        An empty directory, for the IPython directory, the working directory and the logs.
    """

    def __init__(self, directory: Path) -> None:
        self.ipython_dir = directory / "ipython"
        self.cwd = directory / "cwd"
        self.logs = directory / "logs"
        for path in (self.ipython_dir, self.cwd, self.logs):
            path.mkdir()
        self._mark = uuid.uuid4().hex
        self._commands: list[Command] = []
        environment = {"IPYTHONDIR": str(self.ipython_dir), MARK: self._mark}
        self._environment = mock.patch.dict(os.environ, environment)

    def __enter__(self) -> Processes:
        # SIGTERM ends the test as Ctrl-C does: its default would leave everything running.
        self._sigterm = signal.signal(signal.SIGTERM, signal.default_int_handler)
        self._environment.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.kill()
        finally:
            self._environment.stop()
            signal.signal(signal.SIGTERM, self._sigterm)

    def start(self, *args: str, cwd: Path | None = None, **env: str) -> Command:
        """Start a command that goes on running."""
        log_file = self.logs / f"{len(self._commands)}-{Path(args[0]).name}.log"
        command = Command(args, cwd or self.cwd, log_file, env)
        self._commands.append(command)
        return command

    def run(self, *args: str) -> tuple[int, str]:
        """Run a command to its end; return its exit status and what it printed."""
        command = self.start(*args)
        return command.wait(), command.log

    def security_files(self, profile: str = "default") -> list[str]:
        """Names of the connection files, and of ipcluster's own, that are there."""
        directory = self.ipython_dir / f"profile_{profile}" / "security"
        return sorted(path.name for path in directory.glob("*.json"))

    def alive(self) -> list[psutil.Process]:
        """The processes that were started in this block and have not ended."""
        found = []
        for process in psutil.process_iter():
            # environ() fails for a process that has ended and for another user's
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and process.environ().get(MARK) == self._mark:
                    found.append(process)
        return found

    def wait_until_gone(self) -> None:
        """Wait until nothing that was started in this block runs any more."""
        try:
            wait_for(lambda: not self.alive(), "every process ended by itself")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.alive()}") from None

    def kill(self) -> None:
        """End what still runs."""
        wait_for(lambda: not self._signal_kill(), "every process of the test killed")
        for command in self._commands:
            command.wait()

    def _signal_kill(self) -> list[psutil.Process]:
        processes = self.alive()
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return processes
