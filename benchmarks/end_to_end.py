"""What a task costs on a real cluster: all of its processes, beside the stock scheduler.

``python -m benchmarks.end_to_end`` starts two clusters through `ipp.Cluster`, lets them take
turns, and prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack

import ipyparallel as ipp

from .machine import describe
from .real_cluster import CLIENT, ENGINES, HUB, SCHEDULER, RealCluster
from .stopping import ended_by_signals
from .table import print_head, print_row, progress

CONTROLLERS = {"stock": "local", "ours": "richsched"}
TAKES = 7
PATIENCE = 120
"""Seconds that a batch may take."""

RATE = "tasks a second, submitted at once"
MEDIAN, SLOWEST = (
    "round trip of one task, us, median",
    "round trip of one task, us, 99th percentile",
)
ROLES = (CLIENT, HUB, SCHEDULER, ENGINES)
NOTHING = int
"""What a task does: an engine has it without an import."""


def cost_of(role: str) -> str:
    return f"CPU of the {role}, us a task"


def take(cluster: RealCluster, view: ipp.LoadBalancedView, tasks: int) -> dict[str, float]:
    """Do a batch, and half as many tasks one at a time; the figures by name."""
    before = cluster.cpu()
    start = time.perf_counter()
    results = [view.apply_async(NOTHING) for _ in range(tasks)]
    if not view.client.wait(results, timeout=PATIENCE):
        raise TimeoutError(f"{tasks} tasks are not done after {PATIENCE} s")
    seconds = time.perf_counter() - start
    after = cluster.cpu()
    trips = []
    for _ in range(max(2, tasks // 2)):
        start = time.perf_counter()
        view.apply_sync(NOTHING)
        trips.append(time.perf_counter() - start)
    percentiles = statistics.quantiles(trips, n=100)
    return {
        RATE: tasks / seconds,
        MEDIAN: percentiles[49] * 1e6,
        SLOWEST: percentiles[98] * 1e6,
        **{cost_of(role): (after[role] - before[role]) / tasks * 1e6 for role in ROLES},
    }


def measure(engines: int, tasks: int, takes: int) -> list[dict[str, dict[str, float]]]:
    """Start both clusters and have them take turns; the figures of each round by scheduler."""
    with ExitStack() as stack:
        clusters = {
            name: stack.enter_context(RealCluster(controller, engines))
            for name, controller in CONTROLLERS.items()
        }
        for cluster in clusters.values():
            cluster.start()
        turns = [(name, cluster, cluster.connect()) for name, cluster in clusters.items()]
        for _, cluster, view in turns:
            take(cluster, view, 10 * engines)  # the engines import what they need
        rounds = []
        for number in progress(range(takes)):
            order = turns if number % 2 == 0 else turns[::-1]
            rounds.append({name: take(cluster, view, tasks) for name, cluster, view in order})
        return rounds


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], prog="python -m benchmarks.end_to_end"
    )
    parser.add_argument("-n", type=int, default=4, help="engines (default %(default)s)")
    parser.add_argument(
        "--tasks", type=int, default=1_000, help="tasks in a batch (default %(default)s)"
    )
    parser.add_argument(
        "--takes", type=int, default=TAKES, help="batches of each scheduler (default %(default)s)"
    )
    args = parser.parse_args(argv)
    for name in ("n", "tasks", "takes"):
        if getattr(args, name) < 1:
            parser.error(f"{'-n' if name == 'n' else '--' + name} must be at least 1")
    with ended_by_signals():
        rounds = measure(args.n, args.tasks, args.takes)
    print(f"{describe()}; engines: {args.n}", end="\n\n")
    print_head("figure", "stock", "ours", "stock / ours")
    for name in rounds[0]["ours"]:
        stock, ours = (
            statistics.median(each[kind][name] for each in rounds) for kind in CONTROLLERS
        )
        ratio = statistics.median(each["stock"][name] / each["ours"][name] for each in rounds)
        print_row(name, f"{stock:,.0f}", f"{ours:,.0f}", f"{ratio:.2f}")


if __name__ == "__main__":
    main()
