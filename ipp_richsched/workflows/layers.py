"""Places for the tasks of a graph: in layers, with few edges that cross."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)

SWEEPS = 4
"""How often the layers are sorted anew, in either direction."""

TALL = 24
"""A layer with more tasks than this is folded into columns, if that makes the whole less tall."""


def layers_of(parents: Mapping[Name, Sequence[Name]]) -> list[list[Name]]:
    """The tasks by the number of tasks on the longest way to them.

    Within a layer they are sorted so that few edges cross: each by the mean place of its neighbours
    in the layers before and behind, in turns (Sugiyama, Tagawa and Toda, "Methods for visual
    understanding of hierarchical system structures", 1981).  O(tasks log tasks + edges).

    Parameters
    ----------
    parents : mapping of name to sequence of names
        The tasks that each comes after; those come before it in the mapping.

    Returns
    -------
    list of list of names
    """
    depth: dict[Name, int] = {}
    layers: list[list[Name]] = []
    children: dict[Name, list[Name]] = {name: [] for name in parents}
    for name, its in parents.items():
        depth[name] = max((depth[parent] + 1 for parent in its), default=0)
        if depth[name] == len(layers):
            layers.append([])
        layers[depth[name]].append(name)
        for parent in its:
            children[parent].append(name)
    place: dict[Name, float] = {}

    def number(layer: list[Name]) -> None:
        """Spread a layer over the whole height, however many it has."""
        for row, name in enumerate(layer):
            place[name] = (row + 0.5) / len(layer)

    for layer in layers:
        number(layer)
    for _ in range(SWEEPS):
        for order, neighbours in ((layers, parents), (layers[::-1], children)):
            for layer in order:
                means = {
                    name: sum(place[each] for each in its) / len(its) if its else place[name]
                    for name in layer
                    for its in [neighbours[name]]
                }
                layer.sort(key=means.__getitem__)
                number(layer)
    return layers


def positions(layers: Sequence[Sequence[Name]]) -> dict[Name, tuple[float, float]]:
    """Where tasks stand: from left to right by layer, and in the middle of the height.

    Parameters
    ----------
    layers : sequence of sequence of names

    Returns
    -------
    dict of name to tuple of float
        Column and row; a layer that is too tall has several columns.
    """
    height = _height(layers)
    found = {}
    column = 0.0
    for layer in layers:
        columns = math.ceil(len(layer) / height)
        rows = math.ceil(len(layer) / columns)
        for number, name in enumerate(layer):
            # the folds lie side by side, so that neighbours stay close to each other
            row, fold = divmod(number, columns)
            top = (height - rows) / 2
            found[name] = (column + fold * 0.6, top + row + fold / columns / 2)
        column += 1 + (columns - 1) * 0.6
    return found


def _height(layers: Sequence[Sequence[Name]]) -> int:
    """Rows so that a picture that is twice as wide as tall has room for all."""
    tallest = max(map(len, layers), default=1)
    height = min(tallest, TALL)
    while height < tallest:
        width = sum(1 + (math.ceil(len(layer) / height) - 1) * 0.6 for layer in layers)
        if width <= height:
            break
        height += 4
    return min(height, tallest)
