"""Takes of a load by several schedulers in turn, and the row that they make."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from .cluster import Cluster
from .loads import BASES, Figures, Load
from .peers import OURS, RELAY, STOCK

BASE = "base"


@dataclass(frozen=True)
class Row:
    """What a load gave in one unit.

    Attributes
    ----------
    load : Load
    unit : str
    figures : dict of str to float
        The median of the takes, by the kind of scheduler.
    to_stock : float or None
        How many times ours the stock class needs: the median over the rounds.
    to_base : float or None
        How many times `Load.beside` ours needs: the median over the rounds.
    """

    load: Load
    unit: str
    figures: dict[str, float]
    to_stock: float | None
    to_base: float | None


def measure(load: Load, scale: float = 1.0) -> list[Row]:
    """Do a load with every scheduler that it names.

    All are started beforehand and take turns, every other round in reverse: a machine that
    is slower for a while is slower for all of them.  A ratio is taken within each round.

    Parameters
    ----------
    load : Load
    scale : float
        How many times as many tasks a take has.

    Returns
    -------
    list of Row
        One for each unit that the load is measured in.
    """
    base = BASES.get(load.beside)
    with ExitStack() as stack:
        turns = []
        for kind in load.kinds:
            cluster = stack.enter_context(Cluster(kind, load.engines, load.config, load.clients))
            load.prepare(cluster)
            turns.append((kind, load, cluster))
        if base is not None:
            cluster = stack.enter_context(Cluster(OURS, base.engines, base.config, load.clients))
            base.prepare(cluster)
            turns.append((BASE, base, cluster))
        rounds: list[dict[str, Figures]] = []
        for number in range(load.takes):
            order = turns if number % 2 == 0 else turns[::-1]
            rounds.append(
                {
                    name: what.take(cluster, what.tasks_for(cluster.kind, scale))
                    for name, what, cluster in order
                }
            )
    return list(_rows(load, rounds))


def _rows(load: Load, rounds: list[dict[str, Figures]]) -> Iterator[Row]:
    base = load.beside if load.beside == RELAY else BASE

    def ratio(unit: str, upper: str, lower: str) -> float | None:
        if not all(name in rounds[0] for name in (upper, lower)):
            return None
        # a take so short that it cost no tick of the clock says nothing
        pairs = [(each[upper][unit], each[lower][unit]) for each in rounds]
        return statistics.median(up / low if low > 0 else float("nan") for up, low in pairs)

    for unit in rounds[0][OURS]:
        figures = {
            kind: statistics.median(each[kind][unit] for each in rounds) for kind in load.kinds
        }
        yield Row(load, unit, figures, ratio(unit, STOCK, OURS), ratio(unit, OURS, base))
