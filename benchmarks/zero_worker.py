"""What a task costs the scheduler's process, with engines that answer at once.

``python -m benchmarks.zero_worker`` prints a table in Markdown; README.md says how to read it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .loads import LOADS
from .machine import describe
from .measure import Row, measure
from .peers import OURS, RELAY, STOCK
from .stopping import ended_by_signals
from .table import print_head, print_row, progress, read_arguments

TASKS = 4_000
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


def main(argv: Sequence[str] | None = None) -> None:
    args, loads = read_arguments(argv, __doc__, "python -m benchmarks.zero_worker", LOADS, TASKS)
    print(describe(), end="\n\n")
    print_head(*HEAD)
    with ended_by_signals():
        for load in progress(loads):
            for row in measure(load, args.tasks / TASKS):
                print_row(*cells(row))


if __name__ == "__main__":
    main()
