"""What every test may use."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from .scripted import ScriptedCluster, Start

# how long an example takes depends on what else runs
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")


def pytest_configure() -> None:
    # under nohup, or in a script's background, a signal is ignored by whoever a test starts, too
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def ipython_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty IPython directory, in force for this process and what it starts."""
    path = tmp_path / "ipython"
    path.mkdir()
    monkeypatch.setenv("IPYTHONDIR", str(path))
    return path


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts scripted clusters."""
    with ExitStack() as stack:

        def start(*args: Any, **kwargs: Any) -> ScriptedCluster:
            # the path of a socket must be short
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="richsched")))
            return stack.enter_context(ScriptedCluster(path, *args, **kwargs))

        yield start
