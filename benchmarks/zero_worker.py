"""What a task costs the scheduler's process, with engines that answer at once.

``python -m benchmarks.zero_worker`` prints a table in Markdown; README.md says how to read it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from tqdm import tqdm

from .loads import LOADS, Load
from .machine import describe
from .measure import Row, measure
from .peers import OURS, RELAY, STOCK

TASKS = 5_000
HEAD = ("load", "unit", "stock", "C relay", "ours", "stock / ours", "ours beside", "asked")


def cells(row: Row) -> list[str]:
    """A row of the table."""
    figures = [
        f"{row.figures[kind]:,.{0 if row.figures[kind] >= 20 else 2}f}"
        if kind in row.figures
        else ""
        for kind in (STOCK, RELAY, OURS)
    ]
    to_stock = "" if row.to_stock is None else f"{row.to_stock:.1f}"
    to_base = "" if row.to_base is None else f"{row.to_base:.2f} x {row.load.beside}"
    return [row.load.name, row.unit, *figures, to_stock, to_base, row.load.asked]


def chosen(names: Sequence[str]) -> list[Load]:
    """The loads that have one of these in their names, or all."""
    return [load for load in LOADS if not names or any(name in load.name for name in names)]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.zero_worker")
    parser.add_argument(
        "--load",
        action="append",
        default=[],
        metavar="PART",
        help="do only the loads with this in their names; may be given again",
    )
    parser.add_argument(
        "--tasks",
        type=int,
        default=TASKS,
        metavar="N",
        help=f"tasks in a take of a flat load, the others in proportion (default {TASKS})",
    )
    args = parser.parse_args(argv)
    if args.tasks < 1:
        parser.error("--tasks must be at least 1")
    loads = chosen(args.load)
    if not loads:
        parser.error("no load is called so: " + "; ".join(load.name for load in LOADS))
    signal.signal(signal.SIGTERM, _end)
    print(describe(), end="\n\n")
    print(_line(HEAD), _line(["---"] * len(HEAD)), sep="\n", flush=True)
    for load in tqdm(loads, disable=None, leave=False):
        for row in measure(load, args.tasks / TASKS):
            tqdm.write(_line(cells(row)), file=sys.stdout)
            sys.stdout.flush()


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _end(number: int, frame: FrameType | None) -> None:
    """End as after an exception, so that the clusters are stopped."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
