"""The schemes: rules that pick an engine, by name; and how a user's own is found.

A scheme is a function of ``loads``, the loads of the engines that may take the task in
least-recently-used order, that returns an index.  Asked like that it costs O(engines).
For tasks that may run anywhere a built-in scheme keeps an `Index` of the engines that
have room instead, which makes the same choice at the cost that its class names.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import operator
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from .indexes import FunctionIndex, HeapIndex, Index, LevelIndex, SampleIndex, by_load, by_stamp

Chooser = Callable[[Sequence[float], Random], int]

ENTRY_POINT_GROUP = "ipp_richsched.schemes"


class SchemeError(Exception):
    """A scheme cannot be found, or does not do what a scheme does."""


def plainrandom(loads: Sequence[float], random: Random) -> int:
    """Any engine."""
    return int(random.random() * len(loads))


def lru(loads: Sequence[float], random: Random) -> int:
    """The least recently used engine, whatever the loads."""
    return 0


def twobin(loads: Sequence[float], random: Random) -> int:
    """Of two engines at random the less recently used: the power of two choices.

    M. Mitzenmacher, The power of two choices in randomized load balancing, 1996; as in
    ipyparallel the order of use stands for the load.
    """
    return min(plainrandom(loads, random), plainrandom(loads, random))


def load_weight(load: float) -> float:
    """The weight of a load in `weighted`: idle counts a million times as much as 1."""
    return 1.0 / (1e-6 + load)


def weighted(loads: Sequence[float], random: Random) -> int:
    """Of two engines at random, weighted by inverse load, the less loaded."""
    sums = list(accumulate(map(load_weight, loads)))
    last = len(loads) - 1
    first, second = (min(bisect_left(sums, random.random() * sums[-1]), last) for _ in range(2))
    return second if loads[second] < loads[first] else first


def leastload(loads: Sequence[float], random: Random) -> int:
    """The least loaded engine, the least recently used of equals: join the shortest queue."""
    return loads.index(min(loads))


class Scheme(NamedTuple):
    """A scheme.

    Attributes
    ----------
    name : str
        What it is called in the configuration.
    choose : callable
        Its rule: picks an index of a list of loads.
    make_index : callable
        Makes an empty index that follows the rule.
    """

    name: str
    choose: Chooser
    make_index: Callable[[], Index]


BUILT_IN = {
    scheme.name: scheme
    for scheme in (
        Scheme("leastload", leastload, lambda: HeapIndex(by_load)),
        Scheme("lru", lru, lambda: HeapIndex(by_stamp)),
        Scheme("plainrandom", plainrandom, lambda: SampleIndex(1)),
        Scheme("twobin", twobin, lambda: SampleIndex(2)),
        Scheme("weighted", weighted, lambda: LevelIndex(load_weight)),
    )
}


def find_scheme(name: str) -> Scheme:
    """Find a scheme by its name.

    Parameters
    ----------
    name : str
        A built-in scheme, a name in the entry point group ``ipp_richsched.schemes``, or a
        ``package.module.function``.

    Raises
    ------
    SchemeError
        If it is none of them, cannot be imported, or fails a trial.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    registered = {
        point.name: point
        for point in importlib.metadata.entry_points().select(group=ENTRY_POINT_GROUP)
    }
    module_name, _, attribute = name.rpartition(".")
    try:
        if name in registered:
            function = registered[name].load()
        elif module_name:
            function = getattr(importlib.import_module(module_name), attribute)
        else:
            known = ", ".join([*sorted(BUILT_IN), *sorted(registered)])
            raise SchemeError(
                f"no scheme is called {name!r}: it is one of {known}, 'pure' or 'none' (the stock"
                " controller's own), or the package.module.function of your own"
            )
    except SchemeError:
        raise
    except Exception as error:
        raise SchemeError(f"the scheme {name!r} cannot be imported: {_brief(error)}") from error
    if not callable(function):
        raise SchemeError(f"the scheme {name!r} is a {type(function).__name__}, not a function")
    return user_scheme(name, function)


def user_scheme(name: str, function: Callable[[list[float]], Any]) -> Scheme:
    """Make a scheme of a function of `loads` that returns an index.

    Raises
    ------
    SchemeError
        If a trial of it raises, or returns no index; and so does the scheme, later on.
    """

    def choose(loads: Sequence[float], random: Random) -> int:
        try:
            chosen = function(list(loads))
        except Exception as error:
            raise SchemeError(f"the scheme {name!r} raised {_brief(error)}") from error
        try:
            index = operator.index(chosen)
        except TypeError:
            index = -1
        if not 0 <= index < len(loads):
            raise SchemeError(
                f"the scheme {name!r} returned {chosen!r}, not an index below {len(loads)}"
            )
        return index

    for loads in ([0], [1, 0, 2]):
        choose(loads, Random())
    return Scheme(name, choose, lambda: FunctionIndex(choose))


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
