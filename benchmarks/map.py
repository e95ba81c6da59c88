"""What `RichView.map` takes for short calls and for uneven ones, by the size of its chunks.

``python -m benchmarks.map`` starts a cluster through `ipp.Cluster` and prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ipp_richsched

from .machine import describe
from .real_cluster import RealCluster
from .stopping import ended_by_signals
from .table import print_head, print_row, progress

TAKES = 3
AUTO, SINGLE = "auto", 1
SECONDS = 20.0
"""How long all uneven calls take together."""


class Load(NamedTuple):
    """Calls of a map."""

    name: str
    function: Callable[[Any], Any]
    items: list[Any]
    sizes: tuple[int, ...]
    """The fixed sizes of chunks of which the best is looked for, as parts of all items."""
    part: int
    """One by one only one in so many is done, and the time is multiplied."""


def short(number: int) -> Load:
    return Load(f"{number:,} short calls", abs, list(range(number)), (4, 8, 16, 40, 100), 10)


def uneven(number: int) -> Load:
    """Calls that sleep for a log-normal time."""
    numbers = random.Random(1)
    lengths = [numbers.lognormvariate(0, 1) for _ in range(number)]
    scaled = [length * SECONDS / sum(lengths) * number / 1_000 for length in lengths]
    return Load(f"{number:,} uneven calls", time.sleep, scaled, (4, 16, 40, 100, 200), 1)


def take(view: ipp_richsched.RichView, load: Load, chunksize: Any) -> tuple[float, int]:
    """Seconds that a map takes, and how many messages it is."""
    part = load.part if chunksize == SINGLE else 1
    start = time.perf_counter()
    result = view.map_async(load.function, load.items[::part], chunksize=chunksize)
    result.get()
    return part * (time.perf_counter() - start), len(result.msg_ids)


def measure(
    engines: int, loads: Sequence[Load], takes: int
) -> dict[str, dict[Any, list[tuple[float, int]]]]:
    """All takes, by load and size of chunks.  The sizes take turns; single items have one take."""
    with RealCluster("richsched", engines) as cluster:
        cluster.start()
        view = ipp_richsched.view(cluster.connect().client)
        view.map_sync(abs, range(10 * engines), chunksize=1)  # the engines import what they need
        found: dict[str, dict[Any, list[tuple[float, int]]]] = {}
        for load in loads:
            fixed = sorted({max(2, len(load.items) // part) for part in load.sizes})
            rounds = [*[[AUTO, *fixed]] * takes, [SINGLE]]
            of_load = found.setdefault(load.name, {})
            for chunksize in progress([size for each in rounds for size in each]):
                of_load.setdefault(chunksize, []).append(take(view, load, chunksize))
        return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], prog="python -m benchmarks.map"
    )
    parser.add_argument("-n", type=int, default=4, help="engines (default %(default)s)")
    parser.add_argument(
        "--items", type=int, default=100_000, help="short calls; a hundredth of them are uneven"
    )
    parser.add_argument(
        "--takes", type=int, default=TAKES, help="maps of each size (default %(default)s)"
    )
    args = parser.parse_args(argv)
    for name, least in (("n", 1), ("items", 1_000), ("takes", 1)):
        if getattr(args, name) < least:
            parser.error(f"{'-n' if name == 'n' else '--' + name} must be at least {least}")
    loads = [short(args.items), uneven(args.items // 100)]
    with ended_by_signals():
        found = measure(args.n, loads, args.takes)
    print(f"{describe()}; engines: {args.n}", end="\n\n")
    print_head("load", "auto", "best fixed", "one by one", "best fixed / auto", "messages of auto")
    for load, takes in found.items():
        seconds = {size: statistics.median(each[0] for each in takes[size]) for size in takes}
        best = min(set(seconds) - {AUTO}, key=seconds.__getitem__)
        print_row(
            load,
            f"{seconds[AUTO]:.2f} s",
            f"{seconds[best]:.2f} s with {best:,}",
            f"{seconds[SINGLE]:.2f} s",
            f"{seconds[best] / seconds[AUTO]:.2f}",
            f"{statistics.median(each[1] for each in takes[AUTO]):.0f}",
        )


if __name__ == "__main__":
    main()
