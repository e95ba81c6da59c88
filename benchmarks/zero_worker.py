"""What a task costs the scheduler's process, with engines that answer at once.

``python -m benchmarks.zero_worker`` runs the loads with the stock scheduler, the C relay that
decides nothing, and this scheduler, and prints microseconds of CPU (user and system, all
threads) a task.  Only the ratios of one run are to be trusted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .cluster import Cluster
from .peers import RELAY


@dataclass
class Load:
    """What a cluster is made to do.

    Attributes
    ----------
    name : str
    engines : int
    hwm : int
    prepare : callable
        What is done before the measure, with a cluster.
    relay : bool
        Whether the C relay can do it.
    slow : int
        How many times fewer tasks the stock scheduler gets.
    """

    name: str
    engines: int = 16
    hwm: int = 1
    prepare: Callable[[Cluster], None] = lambda cluster: None
    relay: bool = False
    slow: int = 4


def pin(cluster: Cluster) -> None:
    """Queue 1,000 tasks for an engine that is busy."""
    cluster.hold(0)
    for _ in range(1_000):
        cluster.submit(targets=[cluster.names[0]])
    cluster.flow(1)


def wait(cluster: Cluster) -> None:
    """Submit 2,000 tasks that wait for one that runs."""
    held = cluster.hold(0)
    for _ in range(2_000):
        cluster.submit(after=[held])
    cluster.flow(1)


LOADS = [
    Load("flat", relay=True),
    Load("flat, hwm 0", hwm=0),
    Load("flat, 1,024 engines", engines=1_024, slow=10),
    Load("1,000 pinned to a busy engine", prepare=pin, slow=50),
    Load("2,000 waiting for a long one", prepare=wait, slow=20),
]


def measure(kind: str, load: Load, tasks: int) -> float:
    """Microseconds of the scheduler's CPU for each of so many flat tasks."""
    config: dict[str, Any] = {"TaskScheduler": {"hwm": load.hwm}}
    with Cluster(kind, load.engines, config) as cluster:
        load.prepare(cluster)
        before = cluster.cpu()
        cluster.flow(tasks)
        return (cluster.cpu() - before) / tasks * 1e6


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.zero_worker")
    parser.add_argument("--tasks", type=int, default=10_000, help="how many each load has")
    parser.add_argument("--load", help="run the loads with this in their name only")
    args = parser.parse_args(argv)
    print("| load | stock | C relay | ours | stock / ours |\n|---|---|---|---|---|")
    for load in LOADS:
        if args.load and args.load not in load.name:
            continue
        ours = measure("rich", load, args.tasks)
        stock = measure("stock", load, max(1, args.tasks // load.slow))
        relay = f"{measure(RELAY, load, args.tasks):.0f}" if load.relay else ""
        print(
            f"| {load.name} | {stock:.0f} | {relay} | {ours:.0f} | {stock / ours:.1f} |", flush=True
        )


if __name__ == "__main__":
    main()
