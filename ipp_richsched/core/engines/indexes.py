"""Indexes of the engines that have room, one for each way of choosing.

The pool tells its index of each engine whose load or place in the order of use changed, and of
each that is full or gone.  The index picks one by the rule of the scheme.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from random import Random
from typing import Protocol

from .engine import Engine


class Index(Protocol):
    """The engines that have room, ready for the next choice."""

    def update(self, engine: Engine) -> None:
        """Know an engine that has room as it is now."""

    def discard(self, engine: Engine) -> None:
        """Know an engine no more; it may be unknown already."""

    def choose(self, random: Random) -> Engine | None:
        """Pick one; None if there is none."""


def by_use(engines: Iterable[Engine]) -> list[Engine]:
    """Engines in least-recently-used order, at O(n log n)."""
    return sorted(engines, key=lambda engine: engine.stamp)


Key = tuple[float, float, Engine]


def by_load(engine: Engine) -> Key:
    """The least loaded first, the least recently used of equals."""
    return engine.load, engine.stamp, engine


def by_stamp(engine: Engine) -> Key:
    """The least recently used first."""
    return engine.stamp, 0, engine


class HeapIndex:
    """The engine with the smallest key; `update` and `choose` cost O(log engines).

    An engine's entry is replaced when it changes; the old one stays in the heap until it
    surfaces, or until there are more stale entries than others.
    """

    def __init__(self, key: Callable[[Engine], Key]) -> None:
        self._key = key
        self._heap: list[Key] = []
        self._entries: dict[Engine, Key] = {}

    def update(self, engine: Engine) -> None:
        entry = self._entries[engine] = self._key(engine)
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 64 + 2 * len(self._entries):
            self._heap = list(self._entries.values())
            heapq.heapify(self._heap)

    def discard(self, engine: Engine) -> None:
        self._entries.pop(engine, None)

    def choose(self, random: Random) -> Engine | None:
        heap = self._heap
        while heap:
            entry = heap[0]
            if self._entries.get(entry[2]) is entry:
                return entry[2]
            heapq.heappop(heap)
        return None


class _Bag:
    """Engines in a list, each knowing its place in it: every operation is O(1)."""

    def __init__(self) -> None:
        self.engines: list[Engine] = []

    def add(self, engine: Engine) -> None:
        engine.position = len(self.engines)
        self.engines.append(engine)

    def remove(self, engine: Engine) -> None:
        last = self.engines.pop()
        if last is not engine:
            self.engines[engine.position] = last
            last.position = engine.position
        engine.position = -1

    def sample(self, random: Random) -> Engine:
        return self.engines[int(random.random() * len(self.engines))]


class SampleIndex:
    """The least recently used of a few engines at random; every operation is O(1)."""

    def __init__(self, draws: int) -> None:
        self._bag = _Bag()
        self._draws = draws

    def update(self, engine: Engine) -> None:
        if engine.position < 0:
            self._bag.add(engine)

    def discard(self, engine: Engine) -> None:
        if engine.position >= 0:
            self._bag.remove(engine)

    def choose(self, random: Random) -> Engine | None:
        if not self._bag.engines:
            return None
        engine = self._bag.sample(random)
        for _ in range(self._draws - 1):
            other = self._bag.sample(random)
            if other.stamp < engine.stamp:
                engine = other
        return engine


class LevelIndex:
    """Of two engines at random, weighted by load, the less loaded.

    Engines are kept by load: `update` costs O(1), `choose` O(different loads).
    """

    def __init__(self, weight: Callable[[float], float]) -> None:
        self._weight = weight
        self._levels: dict[float, _Bag] = {}
        self._load: dict[Engine, float] = {}

    def update(self, engine: Engine) -> None:
        self.discard(engine)
        self._load[engine] = engine.load
        level = self._levels.get(engine.load)
        if level is None:
            level = self._levels[engine.load] = _Bag()
        level.add(engine)

    def discard(self, engine: Engine) -> None:
        load = self._load.pop(engine, None)
        if load is not None:
            self._levels[load].remove(engine)
            if not self._levels[load].engines:
                del self._levels[load]

    def choose(self, random: Random) -> Engine | None:
        if not self._levels:
            return None
        levels = list(self._levels.items())
        sums = list(accumulate(self._weight(load) * len(bag.engines) for load, bag in levels))
        last = len(levels) - 1
        _, bag = min(
            (levels[min(bisect_left(sums, random.random() * sums[-1]), last)] for _ in range(2)),
            key=lambda level: level[0],
        )
        return bag.sample(random)


class FunctionIndex:
    """Any function of the loads, such as a user's own; `choose` costs O(engines log engines)."""

    def __init__(self, function: Callable[[Sequence[float], Random], int]) -> None:
        self._function = function
        self._engines: dict[Engine, None] = {}

    def update(self, engine: Engine) -> None:
        self._engines[engine] = None

    def discard(self, engine: Engine) -> None:
        self._engines.pop(engine, None)

    def choose(self, random: Random) -> Engine | None:
        if not self._engines:
            return None
        engines = by_use(self._engines)
        return engines[self._function([engine.load for engine in engines], random)]
