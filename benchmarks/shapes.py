"""What tasks ask for, one after the other, in the shapes of work that the benchmarks submit.

A shape is a generator: it yields the fields of the next task (``after``, ``follow``,
``targets``, as a client sends them) and is sent the msg_id that this task got.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from itertools import combinations, count, cycle
from random import Random
from typing import Any, TypeAlias

Fields: TypeAlias = dict[str, Any]
Shape: TypeAlias = Generator[Fields, str, None]
MakeShape: TypeAlias = Callable[[Sequence[str]], Shape]
"""Makes a shape for a cluster with engines of these names."""

LAYER = 50
PARENTS = 5
CHAINS = 64
FAN = 100


def flat(engines: Sequence[str]) -> Shape:
    """Tasks that ask for nothing."""
    while True:
        yield {}


def prioritized(engines: Sequence[str]) -> Shape:
    """Tasks with three priorities, of three functions."""
    for number in count():
        yield {"priority": number % 3, "function": f"step {number // 3 % 3}"}


def layers(engines: Sequence[str]) -> Shape:
    """Layers of 50 tasks, each after all of five, at random, of the layer before."""
    random = Random(1)
    above: list[str] = []
    while True:
        layer = []
        for _ in range(LAYER):
            layer.append((yield {"after": random.sample(above, PARENTS)} if above else {}))
        above = layer


def chains(engines: Sequence[str]) -> Shape:
    """64 chains side by side: each task after the one before it in its chain."""
    ends: deque[str] = deque(maxlen=CHAINS)
    while True:
        ends.append((yield {"after": [ends[0]]} if len(ends) == CHAINS else {}))


def fan_in(engines: Sequence[str]) -> Shape:
    """A hundred flat tasks, then one after all of them, and so on."""
    while True:
        fan = []
        for _ in range(FAN):
            fan.append((yield {}))
        yield {"after": fan}


def follow(engines: Sequence[str]) -> Shape:
    """64 chains side by side, each task on the engine where the one before it ran."""
    ends: deque[str] = deque(maxlen=CHAINS)
    while True:
        ends.append((yield {"follow": [ends[0]]} if len(ends) == CHAINS else {}))


def one_target(engines: Sequence[str]) -> Shape:
    """Each task for one engine, in turn."""
    for engine in cycle(engines):
        yield {"targets": [engine]}


def some_targets(engines: Sequence[str]) -> Shape:
    """Each task for any of a quarter of the engines, another quarter for the next task."""
    few = max(1, len(engines) // 4)
    for start in count():
        yield {"targets": [engines[(start + place) % len(engines)] for place in range(few)]}


def different_targets(engines: Sequence[str]) -> Shape:
    """Each task for five or six of the engines, another set for each of the next 12,000."""
    sets = [*combinations(engines, 5), *combinations(engines, 6)]
    Random(2).shuffle(sets)
    for targets in cycle(sets):
        yield {"targets": list(targets)}
