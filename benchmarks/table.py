"""The command line that the benchmarks share, and their tables in Markdown."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from tqdm import tqdm


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T")
N = TypeVar("N", bound=Named)


def read_arguments(
    argv: Sequence[str] | None, doc: str, prog: str, loads: Sequence[N], tasks: int
) -> tuple[argparse.Namespace, list[N]]:
    """Read ``--tasks`` and ``--load``; ends the program where they are wrong.

    Parameters
    ----------
    argv : sequence of str or None
        The command line without the program; None for that of this process.
    doc, prog : str
        What ``--help`` says.
    loads : sequence
        All loads; those whose names have what ``--load`` gives are returned.
    tasks : int
        The default of ``--tasks``.
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0], prog=prog)
    parser.add_argument(
        "--load",
        action="append",
        default=[],
        metavar="PART",
        help="do the loads with this in their names only; may be given again",
    )
    parser.add_argument(
        "--tasks",
        type=int,
        default=tasks,
        metavar="N",
        help="tasks in a take of a flat load, in the others in proportion (default %(default)s)",
    )
    args = parser.parse_args(argv)
    if args.tasks < 1:
        parser.error("--tasks must be at least 1")
    chosen = [
        load for load in loads if not args.load or any(part in load.name for part in args.load)
    ]
    if not chosen:
        parser.error("no load is called so: " + "; ".join(load.name for load in loads))
    return args, chosen


def progress(things: Iterable[T]) -> Iterable[T]:
    """The same things, with a bar where a person looks on."""
    return tqdm(things, disable=None, leave=False)


def print_head(*titles: str) -> None:
    """Print the head of a table."""
    print_row(*titles)
    print_row(*["---"] * len(titles))


def print_row(*cells: str) -> None:
    """Print a row of a table, past the bar if there is one."""
    tqdm.write(f"| {' | '.join(cells)} |", file=sys.stdout)
    sys.stdout.flush()
