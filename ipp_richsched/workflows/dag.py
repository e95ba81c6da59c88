"""The picture of a graph of tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from .layers import layers_of, positions
from .palette import STATES
from .runs import Run

_WIDE, _HIGH = 0.55, 0.24  # inches of a column and a row
_LARGEST = 14.0, 9.0  # inches
_TEXT = 7.0  # points
_FEW = 60  # so many tasks have names beside them, where these differ
_FEW_LAYERS = 12  # so many have room for a word above them
_CHARACTERS = 18  # so many of a name are written
_EDGES = 5_000  # of more edges, only those of the critical path are drawn


class DagPicture:
    """Tasks as dots, in layers from left to right, and their dependencies as lines.

    Parameters
    ----------
    run : Run
        What happened.

    Attributes
    ----------
    size : tuple of float
        Inches that it needs.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._layers = layers_of({name: task.parents for name, task in run.tasks.items()})
        self._places = positions(self._layers)
        xs = [x for x, _ in self._places.values()] or [0.0]
        ys = [y for _, y in self._places.values()] or [0.0]
        self._right, self._bottom = max(xs), max(ys)
        width = 1.5 + _WIDE * (self._right + 1) * (2 if len(run.tasks) <= _FEW else 1)
        self.size = (
            min(max(width, 5.0), _LARGEST[0]),
            min(1.5 + _HIGH * (self._bottom + 1), _LARGEST[1]),
        )

    def draw(self, axes: Any, title: str) -> Any:
        """Draw it; the dots, whose colours may be changed."""
        run = self._run
        axes.set_axis_off()
        axes.set_xlim(-0.6, self._right + 0.8)
        axes.set_ylim(self._bottom + 1.2, -1.2)
        axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
        critical = set(run.critical_path)
        self._draw_edges(axes)
        dots = axes.scatter(
            [self._places[name][0] for name in run.tasks],
            [self._places[name][1] for name in run.tasks],
            s=self._dot(),
            c=self.colours(task.state for task in run.tasks.values()),
            edgecolors=["black" if name in critical else "0.4" for name in run.tasks],
            linewidths=[1.5 if name in critical else 0.4 for name in run.tasks],
            zorder=3,
        )
        self._write(axes)
        axes.legend(
            handles=self._legend(),
            loc="lower left",
            bbox_to_anchor=(0, -0.02),
            ncols=3,
            fontsize=8,
            frameon=False,
        )
        return dots

    def _draw_edges(self, axes: Any) -> None:
        """Dependencies, and above them those of the critical path."""
        from matplotlib.collections import LineCollection

        path = set(pairwise(self._run.critical_path))
        edges = [(each, name) for name, task in self._run.tasks.items() for each in task.parents]
        others = [edge for edge in edges if edge not in path] if len(edges) <= _EDGES else []
        alpha = min(1.0, max(0.15, 150 / max(1, len(edges))))
        for some, colour, width, its_alpha in ((others, "0.55", 0.6, alpha), (path, "black", 2, 1)):
            lines = [[self._places[end] for end in edge] for edge in some]
            look = LineCollection(
                lines, colors=colour, linewidths=width, alpha=its_alpha, zorder=1 + (some is path)
            )
            axes.add_collection(look)

    def _legend(self) -> list[Any]:
        from matplotlib.lines import Line2D

        run = self._run
        counts = Counter[str](task.state for task in run.tasks.values())
        handles = [
            Line2D(
                [],
                [],
                marker="o",
                linestyle="",
                color=colour,
                markeredgecolor="0.4",
                label=f"{state}: {counts[state]}",
            )
            for state, colour in STATES.items()
            if counts[state]
        ]
        seconds = sum(run.expected[name] for name in run.critical_path)
        label = f"critical path: {seconds:.3g} s"
        return [*handles, Line2D([], [], color="black", linewidth=2, label=label)]

    @staticmethod
    def colours(states: Iterable[str]) -> list[str]:
        """The colours of tasks in these states."""
        return [STATES[state] for state in states]

    def _dot(self) -> float:
        """The area of a dot, in square points: as large as there is room."""
        high = 72 * (self.size[1] - 1.2) / (self._bottom + 2)
        return max(4.0, min(0.7 * high, 11.0) ** 2)

    def _write(self, axes: Any) -> None:
        """Names of tasks beside them if they are few, and what a layer consists of above it."""
        tasks = self._run.tasks
        few = len(tasks) <= _FEW
        for layer in self._layers:
            if few and len({tasks[name].name for name in layer}) == len(layer):
                for name in layer:
                    self._annotate(
                        axes, self._places[name], short_name(tasks[name].name), (5, 4), 0
                    )
            elif len(self._layers) <= _FEW_LAYERS:
                x = min(self._places[name][0] for name in layer)
                y = min(self._places[name][1] for name in layer)
                self._annotate(axes, (x, y), layer_text(self._run, layer), (0, 7), 25)

    @staticmethod
    def _annotate(
        axes: Any, place: tuple[float, float], text: str, off: tuple[int, int], rotation: int
    ) -> None:
        axes.annotate(
            text,
            place,
            off,
            textcoords="offset points",
            fontsize=_TEXT,
            rotation=rotation,
            zorder=4,
        )


def layer_text(run: Run, layer: Sequence[str]) -> str:
    """What the tasks of a layer are."""
    groups = Counter(run.tasks[name].group for name in layer).most_common()
    shown = [
        f"{count:,} {short_name(name)}" if count > 1 else short_name(name) for name, count in groups
    ]
    return ", ".join(shown[:2]) + f" and {len(shown) - 2} more" * (len(shown) > 2)


def short_name(name: str) -> str:
    """A name that has room in a column."""
    return name if len(name) <= _CHARACTERS else f"{name[: _CHARACTERS - 1]}…"
