"""The figure of who ran what, and when, and the one of how many tasks there were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.models import (
    CDSView,
    ColumnDataSource,
    FixedTicker,
    GroupFilter,
    InversionFilter,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.models.annotations import BoxAnnotation, Span

from ...workflows.palette import MARK, legend_of
from ...workflows.runs import Run
from .bars import BORDERS, HATCHES, NO_HATCH
from .look import PALE, add_legend_entry, add_tools, blank, show_legend

ROW = 22
"""Pixels of the row of an engine, if there is room."""

_LEAST, _TALLEST = 90, 640  # pixels of all rows
_LABELS = 40  # so many rows have names at most
_NEVER = "never ran"

MARKS = {
    "died": ("x", "#000000", "engine died"),
    "given back": ("circle_cross", MARK, "given back"),
    "left": ("triangle", "#888888", "engine left"),
    _NEVER: ("diamond", MARK, "never ran"),
}
"""The look of a mark, and what the legend says of it."""


def rows_of(run: Run) -> list[str]:
    """The rows of a timeline: engines, and one more if there are tasks that never ran."""
    never = sum(task.state == _NEVER for task in run.tasks.values())
    return [*run.engines, *([f"never ran: {never:,}"] if never else [])]


def marks_of(run: Run, tasks: dict[str, int]) -> dict[str, dict[str, list[Any]]]:
    """By kind, the columns of marks: deaths, what was given back, tasks that never ran.

    Parameters
    ----------
    run : Run
    tasks : dict of str to int
        The tasks that may be marked, with numbers as for `bars.columns_of`.
    """
    rows = {engine: row for row, engine in enumerate(run.engines)}
    found: dict[str, dict[str, list[Any]]] = {}

    def add(kind: str, when: float, row: int, text: str, task: int) -> None:
        columns = found.setdefault(kind, {"time": [], "row": [], "text": [], "task": []})
        for name, value in zip(columns, (round(when - run.start, 4), row, text, task), strict=True):
            columns[name].append(value)

    deaths: dict[tuple[str, float], list[str]] = {}
    for msg_id, task in run.tasks.items():
        for each in task.stretches:
            if each.end_state == "died":
                deaths.setdefault((each.engine, each.end), []).append(msg_id)
            elif each.end_state == "given back" and msg_id in tasks:
                text = f"{task.name} was given back by {each.engine}"
                add("given back", each.end, rows[each.engine], text, tasks[msg_id])
        if task.state == _NEVER and msg_id in tasks:
            text = f"{task.name} never ran: {task.problem}"
            add(_NEVER, task.ended or task.submitted, len(rows), text, tasks[msg_id])
    for (engine, when), lost in deaths.items():
        text = f"{engine} died with {run.tasks[lost[0]].name}"
        text += f" and {len(lost) - 1} more" * (len(lost) > 1)
        add("died", when, rows[engine], text, tasks.get(lost[0], -1))
    for life in run.lives:
        is_death = (life.engine, life.until) in deaths
        if life.is_over and not is_death and run.start < life.until <= run.end:
            add("left", life.until, rows[life.engine], f"{life.engine} left", -1)
    return found


def timeline_figure(
    bars: ColumnDataSource,
    marks: Mapping[str, ColumnDataSource],
    rows: Sequence[str],
    groups: Sequence[str],
    seconds: float,
) -> Any:
    """Engines by time, a bar for each attempt; what came after the cursor is veiled.

    Parameters
    ----------
    bars : bokeh.models.ColumnDataSource
        With the columns of `bars.columns_of`.
    marks : mapping of str to bokeh.models.ColumnDataSource
        By kind, with the columns of `marks_of`.
    rows : sequence of str
        What the rows are called, the first one on top.
    groups : sequence of str
        Labels and functions, for the legend: those with the most tasks first.
    seconds : float
        How long the axis of time is.

    Returns
    -------
    bokeh.plotting.figure
    """
    count = max(1, len(rows))
    high = max(_LEAST, min(ROW * count, _TALLEST))
    end = 1.01 * seconds  # so that marks at the end can be seen
    plot = blank(
        high + 80,
        x_range=Range1d(start=0, end=end, bounds=(0, end)),
        y_range=Range1d(start=count - 0.5, end=-0.5),
        min_border_left=margin_of(rows),
        name="timeline",
    )
    _name_rows(plot, rows)
    # a hatch costs a browser much, even an empty one: only those have one that need it
    plain = GroupFilter(column_name="hatch", group=NO_HATCH)
    things = [
        _bars(plot, bars, CDSView(filter=plain), thin=high / count < 6),
        _bars(
            plot,
            bars,
            CDSView(filter=InversionFilter(operand=plain)),
            thin=high / count < 6,
            hatch_pattern="hatch",
            hatch_color="border",
            hatch_scale=6,
            hatch_weight=1,
        ),
    ]
    for name, colour in legend_of([_shortened(group) for group in groups]).items():
        add_legend_entry(plot, name, marker="square", color=colour)
    patterns = {*bars.data["hatch"]}
    for end_state, hatch in HATCHES.items():
        if hatch in patterns:
            look = {"fill_color": "#FFFFFF", "hatch_pattern": hatch, "hatch_scale": 5}
            ink = BORDERS[end_state]
            add_legend_entry(
                plot, end_state, marker="square", line_color=ink, hatch_color=ink, **look
            )
    for kind, source in marks.items():
        shape, colour, name = MARKS[kind]
        things.append(
            plot.scatter(
                "time",
                "row",
                marker=shape,
                size=11 if kind == "died" else 8,
                line_width=3 if kind == "died" else 1.5,
                color=colour,
                fill_alpha=0.3,
                nonselection_alpha=1,
                source=source,
                legend_label=name,
            )
        )
    add_cursor(plot, seconds)
    add_tools(plot, things)
    show_legend(plot)
    return plot


def _bars(plot: Any, source: ColumnDataSource, view: CDSView, *, thin: bool, **hatch: Any) -> Any:
    """Draw some of the bars; thin ones have no borders, of which there would be little else."""
    return plot.hbar(
        y="row",
        height=0.94 if thin else 0.8,
        left="left",
        right="right",
        fill_color="colour",
        line_color="border",
        line_width=0 if thin else 0.5,
        source=source,
        view=view,
        nonselection_fill_alpha=1,
        nonselection_line_alpha=1,
        selection_line_width=2.5,
        selection_line_color="#000000",
        **hatch,
    )


def add_cursor(plot: Any, seconds: float) -> None:
    """Add a cursor at the end of the time, and what veils all that comes after it.

    For the figure ``timeline`` these are the models ``timeline-cursor`` and ``timeline-veil``.
    """
    look: dict[str, Any] = {
        "fill_color": "#FFFFFF",
        "fill_alpha": 0.75,
        "line_color": None,
        "level": "annotation",
    }
    plot.add_layout(BoxAnnotation(left=seconds, name=f"{plot.name}-veil", **look))
    line: dict[str, Any] = {"dimension": "height", "line_color": "#C0392B", "line_width": 2}
    plot.add_layout(Span(location=seconds, name=f"{plot.name}-cursor", level="annotation", **line))


def margin_of(rows: Sequence[str]) -> int:
    """Pixels that the names of rows need, so that what stands below can have the same."""
    return 30 + 7 * max((len(_shortened(row)) for row in rows), default=0)


def counts_figure(source: ColumnDataSource, timeline: Any, seconds: float) -> Any:
    """How many tasks ran, were ready and waited for others, below a timeline.

    Parameters
    ----------
    source : bokeh.models.ColumnDataSource
        With the columns ``time``, ``running``, ``ready`` and ``waiting``.
    timeline : bokeh.plotting.figure
        What it shares the axis of time with.
    seconds : float
        Where its cursor stands at first.
    """
    margin = max(60, timeline.min_border_left)
    timeline.min_border_left = margin
    plot = blank(150, x_range=timeline.x_range, min_border_left=margin, name="counts")
    plot.y_range.start = 0
    plot.yaxis.ticker.desired_num_ticks = 3
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
    plot.yaxis.axis_label = "tasks"
    plot.xaxis.axis_label = "seconds"
    names = {"running": "running", "ready": "queued", "waiting": "waiting for others"}
    plot.varea_stack(
        [*names],
        x="time",
        source=source,
        color=["#8FB8DE", "#E9B872", "#E4E4E4"],
        legend_label=[*names.values()],
    )
    add_cursor(plot, seconds)
    plot.toolbar_location = None
    show_legend(plot)
    return plot


def _name_rows(plot: Any, rows: Sequence[str]) -> None:
    every = -(-len(rows) // _LABELS)
    shown = {row: name for row, name in enumerate(rows) if row % every == 0}
    if rows and not rows[-1].startswith("engine "):
        shown[len(rows) - 1] = rows[-1]
    plot.yaxis.ticker = FixedTicker(ticks=[*shown])
    plot.yaxis.major_label_overrides = {row: _shortened(name) for row, name in shown.items()}
    plot.yaxis.major_label_text_color = PALE if len(rows) > _LABELS else "#333333"


def _shortened(text: str, length: int = 24) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
