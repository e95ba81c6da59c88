"""What every test may use."""

from __future__ import annotations

import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from .processes import Processes
from .real_cluster import Cluster
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker is left alone with one in the end."""
    seconds: Counter[Path] = Counter()
    for item in items:
        slow = item.get_closest_marker("slow")
        is_cluster = item.get_closest_marker("cluster") is not None
        seconds[item.path] += slow.args[0] if slow else 3 * is_cluster
    items.sort(key=lambda item: -seconds[item.path])


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


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A real cluster; the test starts its controller and its engines."""
    with Processes(tmp_path) as processes:
        yield Cluster(processes)
