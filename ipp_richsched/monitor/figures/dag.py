"""The figure of a graph of tasks: layers from left to right, and the critical path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from bokeh.models import ColumnDataSource, Range1d

from ...workflows.dag import layer_text, short_name
from ...workflows.layers import layers_of, positions
from ...workflows.palette import STATES
from ...workflows.runs import Run
from .look import CHARACTER, add_legend_entry, add_tools, blank, room_for, show_legend

NODES = 5_000
"""How many tasks are drawn at most."""

EDGES = 20_000
"""How many dependencies are drawn at most; of more, only those of the critical path."""

_FEW = 60  # so many tasks have names beside them
_FEW_LAYERS = 12  # so many layers have words above them
_WIDE = 900  # pixels of a figure, about
_NARROW = 650  # and on a page that is not large


class Graph(NamedTuple):
    """What is drawn of a graph, as columns.

    Attributes
    ----------
    nodes, edges, path, words : dict
        The columns of the sources of `dag_figure`.
    shown : list of str
        The tasks that are drawn, by their msg_ids, in the order of the nodes.
    size : tuple of float
        Columns and rows.
    """

    nodes: dict[str, list[Any]]
    edges: dict[str, list[Any]]
    path: dict[str, list[Any]]
    words: dict[str, list[Any]]
    shown: list[str]
    size: tuple[float, float]


def graph_of(run: Run, limit: int = NODES) -> Graph:
    """What is drawn of a run; O(tasks log tasks + dependencies).

    Of more tasks than `limit`, the critical path is drawn, those that failed, and as many others
    from each part of the run as there is room for.
    """
    critical = run.critical_path
    shown = _shown(run, critical, limit)
    kept = set(shown)
    every = layers_of({name: task.parents for name, task in run.tasks.items()})
    layers = [its for layer in every if (its := [name for name in layer if name in kept])]
    places = positions(layers)
    path = [edge for edge in pairwise(critical) if edge[0] in kept and edge[1] in kept]
    edges = [(each, name) for name in shown for each in run.tasks[name].parents if each in kept]
    if len(edges) > EDGES:
        edges = []
    on_path = set(critical)
    nodes: dict[str, list[Any]] = {
        "x": [round(places[name][0], 3) for name in shown],
        "y": [round(places[name][1], 3) for name in shown],
        "colour": [STATES[run.tasks[name].state] for name in shown],
        "border": ["#000000" if name in on_path else "#666666" for name in shown],
        "width": [2.0 if name in on_path else 0.5 for name in shown],
        "text": [f"{run.tasks[name].name}: {run.tasks[name].state}" for name in shown],
        "task": [*range(len(shown))],
    }
    right = max((x for x, _ in places.values()), default=0.0)
    bottom = max((y for _, y in places.values()), default=0.0)
    return Graph(
        nodes,
        _lines(edges, places),
        _lines(path, places),
        _words(run, layers, places),
        shown,
        (right, bottom),
    )


def dag_figure(
    nodes: ColumnDataSource,
    edges: ColumnDataSource,
    path: ColumnDataSource,
    words: ColumnDataSource,
    size: tuple[float, float],
) -> Any:
    """Tasks as dots, their dependencies as lines, the critical path as a thick one.

    Parameters
    ----------
    nodes, edges, path, words : bokeh.models.ColumnDataSource
        With the columns of a `Graph`; the column ``colour`` of the nodes may go on changing.
    size : tuple of float
        Columns and rows.

    Returns
    -------
    bokeh.plotting.figure
    """
    columns, rows = size
    high = round(max(160, min(26 * (rows + 2), 620)))
    heads = [*zip(*words.data.values(), strict=True)]
    rises = ((y, CHARACTER * len(text) * math.sin(angle) + 20) for _, y, text, angle in heads)
    above = room_for(rises, rows + 0.9, high)
    reaches = (
        (columns - x, CHARACTER * len(text) * math.cos(angle) + 10) for x, _, text, angle in heads
    )
    beside = room_for(reaches, columns + 0.6, _NARROW)
    plot = blank(
        high + 40,
        x_range=Range1d(start=-0.6, end=columns + max(0.9, beside)),
        y_range=Range1d(start=rows + 0.9, end=-max(1.0, above)),
        name="dag",
    )
    plot.axis.visible = False
    plot.grid.visible = False
    number = len(edges.data["x0"])
    alpha = min(0.7, max(0.12, 150 / max(1, number)))
    ends = {"x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1"}
    plot.segment(**ends, source=edges, color="#777777", line_width=0.8, line_alpha=alpha)
    plot.segment(**ends, source=path, color="#000000", line_width=3, legend_label="critical path")
    dot = max(4.0, min(15.0, 0.75 * high / (rows + 2.3), 0.55 * _WIDE / (columns + 1.5)))
    dots = plot.scatter(
        "x",
        "y",
        size=dot,
        fill_color="colour",
        line_color="border",
        line_width="width",
        source=nodes,
        nonselection_fill_alpha=1,
        nonselection_line_alpha=1,
        selection_line_width=4,
        selection_line_color="#C0392B",
    )
    plot.text(
        "x",
        "y",
        "text",
        source=words,
        x_offset=dot / 2 + 2,
        y_offset=-3,
        text_font_size="11px",
        text_color="#333333",
        background_fill_color="#FFFFFF",
        background_fill_alpha=0.7,
        angle="angle",
    )
    for state, colour in STATES.items():
        add_legend_entry(plot, state, marker="circle", fill_color=colour, line_color="#666666")
    add_tools(plot, [dots], "both")
    show_legend(plot)
    return plot


def _shown(run: Run, critical: Sequence[str], limit: int) -> list[str]:
    """The tasks that are drawn, in the order of submission."""
    if len(run.tasks) <= limit:
        return [*run.tasks]
    kept = dict.fromkeys(critical[:limit])
    for state in ("failed", "running", "never ran"):
        its = [name for name, task in run.tasks.items() if task.state == state]
        kept.update(dict.fromkeys(_spread(its, (limit - len(kept)) // 2)))
    others = [name for name in run.tasks if name not in kept]
    kept.update(dict.fromkeys(_spread(others, limit - len(kept))))
    return [name for name in run.tasks if name in kept]


def _spread(names: Sequence[str], number: int) -> list[str]:
    """So many of some names, from all parts of them; all, if they are fewer."""
    if len(names) <= number:
        return [*names]
    return [names[place * len(names) // number] for place in range(number)]


def _lines(
    edges: Sequence[tuple[str, str]], places: dict[str, tuple[float, float]]
) -> dict[str, list[Any]]:
    return {
        "x0": [round(places[first][0], 3) for first, _ in edges],
        "y0": [round(places[first][1], 3) for first, _ in edges],
        "x1": [round(places[second][0], 3) for _, second in edges],
        "y1": [round(places[second][1], 3) for _, second in edges],
    }


def _words(
    run: Run, layers: Sequence[Sequence[str]], places: dict[str, tuple[float, float]]
) -> dict[str, list[Any]]:
    """Names beside tasks if they are few, and what a layer consists of above it."""
    found: dict[str, list[Any]] = {"x": [], "y": [], "text": [], "angle": []}

    def add(x: float, y: float, text: str, angle: float) -> None:
        for name, value in zip(found, (x, y, text, angle), strict=True):
            found[name].append(value)

    few = len(run.tasks) <= _FEW
    for layer in layers:
        names = [run.tasks[msg_id].name for msg_id in layer]
        if few and len(set(names)) == len(layer):
            for msg_id, name in zip(layer, names, strict=True):
                add(*places[msg_id], short_name(name), 0.0)
        elif len(layers) <= _FEW_LAYERS:
            x = min(places[msg_id][0] for msg_id in layer)
            y = min(places[msg_id][1] for msg_id in layer)
            add(x - 0.1, y - 0.5, layer_text(run, layer), 0.4)
    return found
