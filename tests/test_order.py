"""Which task is next on a real cluster: clients take turns, and the longest path comes first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from random import Random

import ipyparallel as ipp
import pytest

import ipp_richsched
from ipp_richsched import RichView, why

from .processes import PATIENCE, Processes, wait_for
from .real_cluster import Cluster

pytestmark = pytest.mark.cluster

ENGINES = 2
SETTINGS = ["--RichTaskScheduler.fair=True", "--RichTaskScheduler.order=critical-path"]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ipp.Client]]:
    """Three clients of a cluster that is fair and has the longest path come first."""
    with Processes(tmp_path_factory.mktemp("order")) as processes, ExitStack() as stack:
        cluster = Cluster(processes)
        cluster.start_controller(*SETTINGS)
        for _ in range(ENGINES):
            cluster.start_engine()
        clients = [stack.enter_context(cluster.connect()) for _ in range(3)]
        for client in clients:
            client.wait_for_engines(ENGINES, timeout=PATIENCE)
        clients[0][:].apply_sync(time.sleep, 0)  # the first call takes longer
        yield clients
        assert cluster.validate() == 0
        assert "internal error" not in cluster.controller.log


@ipp.interactive
def wait_for_file(path: str) -> None:
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)


def interval(result: ipp.AsyncResult) -> tuple[float, float]:
    """When a task began and ended."""
    times = result.metadata
    return times["started"].timestamp(), times["completed"].timestamp()


@pytest.mark.slow(8)
def test_no_client_is_further_from_its_share_than_one_task_an_engine(
    clients: list[ipp.Client],
) -> None:
    """One floods, one has long tasks, and one comes later."""
    random = Random(1)
    flood, long, late = views = [ipp_richsched.view(client) for client in clients]

    def load(view: RichView, seconds: list[float]) -> None:
        results[view] += [view.apply_async(time.sleep, each) for each in seconds]

    results: dict[RichView, list[ipp.AsyncResult]] = {view: [] for view in views}
    load(flood, [random.uniform(0.01, 0.05) for _ in range(300)])
    load(long, [random.uniform(0.1, 0.4) for _ in range(15)])
    assert results[flood][20].wait(PATIENCE)
    load(late, [random.uniform(0.05, 0.1) for _ in range(25)])
    for view in views:
        assert view.client.wait(results[view], timeout=PATIENCE)

    ran = {view: sorted(map(interval, results[view])) for view in views}
    longest = max(end - start for each in ran.values() for start, end in each)
    both = max(start for view in views[:2] for start, _ in ran[view][:1])
    three = ran[late][0][0]
    last = min(ran[view][-1][0] for view in views)  # until then all have something ready
    times = [three, *(three + (last - three) * part / 4 for part in range(1, 5))]
    windows = [(views[:2], both, three), *((views, *each) for each in pairwise(times))]
    for of, start, end in [*windows, (views, three, last)]:
        used = [
            sum(max(0.0, min(end, ended) - max(start, began)) for began, ended in ran[view])
            for view in of
        ]
        assert max(used) - min(used) <= 2 * ENGINES * longest, (used, start, end)
    # it is the end that counts: a client that had waited for the flood would be far behind
    assert last - three < 0.7 * (ran[flood][-1][1] - three)


def test_the_longest_path_comes_first(clients: list[ipp.Client], tmp_path: Path) -> None:
    view = ipp_richsched.view(clients[0])
    results = [view.apply_async(wait_for_file, str(tmp_path / "go")) for _ in range(ENGINES)]
    with view.temp_flags(cost=0.05):
        short = [
            view.apply_async(time.sleep, 0.05) for _ in range(4)
        ]  # so few that paths are looked at at once
    with view.temp_flags(cost=0.04):
        first = view.apply_async(time.sleep, 0.04)
    with view.temp_flags(cost=0.06, after=first):
        second = view.apply_async(time.sleep, 0.06)
    wait_for(lambda: why(view.client, second).state == "waiting", "all that was submitted")
    (tmp_path / "go").touch()
    assert view.client.wait([*results, *short, first, second], timeout=PATIENCE)
    begins = sorted((interval(result)[0], result) for result in [*short, first, second])
    assert first in [result for _, result in begins[:ENGINES]]
    assert second in [result for _, result in begins[: 2 * ENGINES]]
