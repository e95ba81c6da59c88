"""The graph of tasks, in layers from left to right, with the critical path."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from itertools import pairwise
from textwrap import shorten
from typing import Any

from bokeh.models import ColumnDataSource, Range1d

from ...workflows.layers import layers_of, positions
from ..figures.look import CHARACTER, INK, add_tools, room_for
from ..live.graph import Graph, Group
from ..live.tasks import LiveTask
from .look import CHILD, CHOSEN, PARENT, STATES, filling
from .sync import Columns, columns_of, patch
from .watch import Watch
from .words import name_of, shortened

_FEW = 30  # so many tasks have names beside them,
_FEW_ROWS = 12  # where no more than these are below each other
_FEW_GROUPS = 6  # so many layers have room for words beside groups
_FEW_LAYERS = 14  # so many layers have words above them
_REASON = 200  # so many of a reason
_HEAD = 26  # so many of two names above a layer
_CHARACTERS = 18  # so many of a name are written
_WIDE, _HIGH = 430, 190  # pixels, about, before the browser has said it
_EDGES = 3_000  # of more edges, only those of the critical path are drawn
_LIT = 500  # so many other tasks are marked at most

_WORST_FIRST = (
    "failed",
    "lost",
    "never ran",
    "running",
    "ready",
    "waiting",
    "unknown",
    "succeeded",
)
_NODES = ["x", "y", "colour", "border", "width", "size", "text", "task"]
_WORDS = ["x", "y", "word", "angle"]
_ENDS = ["x0", "y0", "x1", "y1"]


class Dag:
    """The figure, and what keeps it as things are.

    Parameters
    ----------
    watch : Watch
        What is known.

    Attributes
    ----------
    nodes : bokeh.models.ColumnDataSource
        In which a task may be chosen.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._drawn: tuple[object, ...] = ()
        self._places: dict[Hashable, tuple[float, float]] = {}
        self._dot = self._largest = 10.0
        self._layers: list[list[Any]] = []
        self._critical: list[LiveTask] = []
        self.nodes = _source("nodes", _NODES)
        self._edges, self._path = _source("edges", _ENDS), _source("critical path", _ENDS)
        self._words = _source("words", _WORDS)
        self._lit = _source("lit nodes", ["x", "y", "size", "colour"])
        self._lit_edges = _source("lit edges", [*_ENDS, "colour"])
        self._x_range, self._y_range = Range1d(start=-0.6, end=1), Range1d(start=1, end=-1.4)
        self._size: tuple[float, float] = (_WIDE, _HIGH)
        self.figure = self._draw()
        for name in ("inner_width", "inner_height"):
            self.figure.on_change(name, self._resize)

    @property
    def _graph(self) -> Graph:
        return self._watch.live.graph

    @property
    def note(self) -> str:
        """What is drawn, in a few words."""
        graph = self._graph
        number = len(graph.tasks)
        if not number:
            return ""
        told = "1 task" if number == 1 else f"{number:,} tasks"
        if graph.is_few:
            return told
        return f"{told}, a dot for each {'label and layer' if graph.by_layer else 'label'}"

    def update(self) -> None:
        """Show what has changed."""
        graph = self._graph
        drawn: tuple[object, ...] = (graph.since, graph.is_few, graph.version)
        if not graph.is_few:
            drawn = (graph.since, graph.by_layer, len(graph.groups), len(graph.edges))
        is_new, self._drawn = drawn != self._drawn, drawn
        if is_new:
            self._place()
        if not graph.is_few or is_new:
            self._words.data = columns_of(_WORDS, self._named())
        if is_new:
            self._fit()
        critical = self._watch.critical_path()
        if is_new or critical is not self._critical:
            self._critical = critical
            self._path.data = columns_of(_ENDS, self._lines(self._critical_edges()))
        columns = columns_of(_NODES, self._dots())
        if is_new:
            self.nodes.data = columns
        else:
            patch(self.nodes, columns)

    def light(self, task: LiveTask | None) -> None:
        """Mark a task, what it waited for, and what waits for it."""
        spots: dict[Hashable, str] = {}
        edges: list[tuple[object, ...]] = []
        if task is not None:
            key = self._key(task)
            for some, colour in (
                (self._watch.live.parents(task), PARENT),
                (task.children[:_LIT], CHILD),
            ):
                for each in some:
                    other = self._key(each)
                    if other in self._places and key in self._places:
                        spots[other] = colour
                        ends = (other, key) if colour == PARENT else (key, other)
                        edges += [(*line, colour) for line in self._lines([ends])]
            if key in self._places:
                spots[key] = CHOSEN
        rows = [(*self._places[key], self._dot + 9, colour) for key, colour in spots.items()]
        self._lit.data = columns_of(self._lit.column_names, rows)
        self._lit_edges.data = columns_of(self._lit_edges.column_names, edges)

    # -- what is drawn -----------------------------------------------------------------

    def _draw(self) -> Any:
        plot = filling("dag", x_range=self._x_range, y_range=self._y_range)
        plot.axis.visible = False
        plot.grid.visible = False
        ends = dict(zip(_ENDS, _ENDS, strict=True))
        self._lines_drawn = plot.segment(
            **ends, source=self._edges, line_color="#777777", line_width=0.8
        )
        plot.segment(**ends, source=self._path, line_color="#000000", line_width=3)
        plot.segment(**ends, source=self._lit_edges, line_color="colour", line_width=2)
        plot.scatter("x", "y", size="size", source=self._lit, fill_color="colour", line_color=None)
        dots = plot.scatter(
            "x",
            "y",
            size="size",
            source=self.nodes,
            fill_color="colour",
            line_color="border",
            line_width="width",
            nonselection_fill_alpha=1,
            nonselection_line_alpha=1,
        )
        self._text = plot.text(
            "x",
            "y",
            "word",
            source=self._words,
            angle="angle",
            text_font_size="11px",
            text_color=INK,
            x_offset=8,
            y_offset=-4,
        )
        add_tools(plot, [dots], "both")
        return plot

    def _place(self) -> None:
        """Find places for all tasks, or groups."""
        graph = self._graph
        parents: dict[Any, list[Any]]
        if graph.is_few:
            its = {task.number for task in graph.tasks}
            live = self._watch.live
            parents = {
                task.number: [each.number for each in live.parents(task) if each.number in its]
                for task in graph.tasks
            }
        else:
            order = sorted(graph.groups, key=lambda node: (graph.groups[node].layer, node))
            at = {node: place for place, node in enumerate(order)}
            parents = {node: [] for node in order}
            for first, second in graph.edges:
                if at[first] < at[second]:
                    parents[second].append(first)
        self._layers = layers_of(parents)
        self._places = positions(self._layers)
        edges = [(first, second) for second, its in parents.items() for first in its]
        self._edges.data = columns_of(_ENDS, self._lines(edges if len(edges) <= _EDGES else []))
        glyph = self._lines_drawn.glyph
        glyph.line_alpha = min(0.8, max(0.15, 150 / max(1, len(edges))))

    def _fit(self) -> None:
        """Leave room for the words beside and above the dots, in pixels as the figure has them."""
        wide, high = self._size
        right = max((x for x, _ in self._places.values()), default=0.0)
        bottom = max((y for _, y in self._places.values()), default=0.0)
        words = [*zip(*(self._words.data[name] for name in _WORDS), strict=True)]
        beside = room_for(
            (
                (right - x, CHARACTER * len(word) * math.cos(angle) + 24)
                for x, _, word, angle in words
            ),
            *(right + 0.6, wide),
        )
        above = room_for(
            ((y, CHARACTER * len(word) * math.sin(angle) + 20) for _, y, word, angle in words),
            *(bottom + 1.0, high),
        )
        self._x_range.update(start=-0.6, end=right + max(0.6, beside))
        self._y_range.update(start=bottom + 1.0, end=-max(1.0, above))
        self._dot = max(5.0, min(16.0, high / (bottom + 2.8), 0.85 * wide / (right + 1.5)))
        self._largest = min(26.0, high / (bottom + 2.8), 0.85 * wide / (right + 1.5))
        self._text.glyph.x_offset = (self._dot if self._graph.is_few else self._largest) / 2 + 2

    def _resize(self, attribute: str, old: int, new: int) -> None:
        """The browser says how large the figure is."""
        wide, high = self._size
        if new > 0:  # it is 0 while nobody can see it
            self._size = (new, high) if attribute == "inner_width" else (wide, new)
            self._drawn = ()  # what has come since is drawn with it
            self.update()

    def _dots(self) -> Iterable[tuple[Any, ...]]:
        graph = self._graph
        if graph.is_few:
            critical = {task.number for task in self._critical}
            for task in graph.tasks:
                is_on = task.number in critical
                yield (
                    *self._places[task.number],
                    STATES[task.state],
                    "#000000" if is_on else "#666666",
                    2.0 if is_on else 0.6,
                    self._dot,
                    f"{name_of(task)}: {task.state}{_why(task)}",
                    task.number,
                )
            return
        on_path = {task.node for task in self._critical}
        for node, group in graph.groups.items():
            states = +group.states
            size = min(self._dot * (1 + 0.3 * math.log10(states.total() + 1)), self._largest)
            worst = next(state for state in _WORST_FIRST if states[state])
            told = ", ".join(f"{states[each]:,} {each}" for each in _WORST_FIRST if states[each])
            failed = states["failed"] + states["lost"] + states["never ran"]
            yield (
                *self._places[node],
                STATES[worst],
                "#C0392B" if failed else "#000000" if node in on_path else "#666666",
                2.5 if failed else 2.0 if node in on_path else 0.6,
                size,
                f"{self._called(group)}: {told}",
                group.first.number,
            )

    def _named(self) -> list[tuple[Any, ...]]:
        graph = self._graph
        if not graph.is_few:
            if len(self._layers) > _FEW_GROUPS:
                return []  # they would be written over each other
            return [
                (
                    *self._places[node],
                    f"{shortened(self._called(group), _CHARACTERS)} {_progress(group)}",
                    0,
                )
                for node, group in graph.groups.items()
            ]
        by_number = {task.number: task for task in graph.tasks}
        rows = 1 + max((y for _, y in self._places.values()), default=0.0)
        if len(by_number) <= _FEW and rows <= _FEW_ROWS:
            return [
                (*self._places[number], shortened(name_of(task), _CHARACTERS), 0)
                for number, task in by_number.items()
            ]
        if len(self._layers) > _FEW_LAYERS:
            return []
        found = []
        for layer in self._layers:
            names = Counter(name_of(by_number[number]) for number in layer).most_common()
            words = [
                f"{count} " * (count > 1) + shortened(name, _CHARACTERS) for name, count in names
            ]
            shown = words[:2] if len(", ".join(words[:2])) <= _HEAD else words[:1]
            others = len(words) - len(shown)
            word = ", ".join(shown) + f" and {others} more" * bool(others)
            x = min(self._places[number][0] for number in layer)
            y = min(self._places[number][1] for number in layer)
            found.append((x - 0.15, y - 0.4, word, 0.3))
        return found

    def _critical_edges(self) -> list[tuple[Hashable, Hashable]]:
        keys = [self._key(task) for task in self._critical]
        return list(dict.fromkeys(edge for edge in pairwise(keys) if edge[0] != edge[1]))

    def _key(self, task: LiveTask) -> Hashable:
        return task.number if self._graph.is_few else task.node

    def _lines(self, edges: Iterable[tuple[Hashable, Hashable]]) -> list[tuple[float, ...]]:
        places = self._places
        return [
            (*places[first], *places[second])
            for first, second in edges
            if first in places and second in places
        ]

    def _called(self, group: Group) -> str:
        return self._watch.live.labels[group.label].name


def _why(task: LiveTask) -> str:
    """Why it failed, as far as there is room where somebody points at it."""
    return f", {shorten(task.reason, _REASON, placeholder=' …')}" if task.reason else ""


def _progress(group: Group) -> str:
    total = group.states.total()
    done = group.states["succeeded"]
    return f"{done:,}/{total:,}"


def _source(name: str, columns: list[str]) -> ColumnDataSource:
    empty: Columns = {column: [] for column in columns}
    return ColumnDataSource(empty, name=name)
