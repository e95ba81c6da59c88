"""Engines by time: a bar for each attempt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bokeh.events import RangesUpdate, Reset
from bokeh.models import ColumnDataSource, FixedTicker, Range1d

from ..figures.look import INK, PALE, add_tools
from ..live.bars import END_STATES, RECENT, Thin
from ..live.model import Live
from ..live.tasks import LiveTask
from .look import CHILD, CHOSEN, EDGE, PARENT, filling, group_colour, milliseconds
from .sync import Columns, Follower, columns_of
from .words import name_of

DETAIL = 4_000
"""So many attempts are drawn one by one where somebody looks closer."""

_NAME = 13  # pixels that the name of a row takes
_HIGH = 240  # pixels of the rows, about, before the browser has said it
_LIT = 300  # so many bars of other tasks are marked at most
_HATCHED = 200  # so many bars that did not end well are hatched at most
_WIDTH = 10.0  # seconds that are shown at least

_COLUMNS = ["row", "left", "right", "colour", "border", "width", "text", "task"]
_DEAD = ["row", "left", "right", "text", "task"]
_HATCHES = {"failed": "/", "died": "x", "lost": "-"}
_BORDERS = {"failed": "#C0392B", "died": "#000000", "lost": "#777777", "given back": "#0072B2"}
_DIED = "its engine died: its answer may still come"
_MARKS = {"died": ("x", "#000000", 12), "given back": ("circle_cross", "#0072B2", 8)}


class Stream:
    """The figure, and what keeps it as things are.

    The latest attempts are drawn one by one, and older ones together where they are many and short.
    Where somebody looks closer, they are drawn one by one again.

    Parameters
    ----------
    live : Live
        What happened.

    Attributes
    ----------
    x_range : bokeh.models.Range1d
        The time that is shown.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._known = 0
        self._recoloured = 0
        self._closer: Sequence[int] = ()
        self._rows_named: tuple[list[str], int] = [], 0
        self._high = _HIGH
        self._is_followed = True
        self._now = 0.0
        self._room = _WIDTH
        self.x_range = Range1d(start=0, end=1000)
        self._y_range = Range1d(start=0.5, end=-0.5)
        self._old = Follower(live.bars.thinned, _COLUMNS, self._thinned)
        self._old.source.name = "older"
        self._recent = _source("recent")
        self._running = _source("running")
        self._detail = _source("detail")
        self._hatched = ColumnDataSource(
            {"row": [], "left": [], "right": [], "hatch": [], "colour": []}
        )
        self._dead = ColumnDataSource({name: [] for name in _DEAD}, name="on dead engines")
        self._lit = ColumnDataSource(
            {"row": [], "left": [], "right": [], "colour": []}, name="lit bars"
        )
        self._marks = {
            state: ColumnDataSource({"row": [], "time": [], "text": [], "task": []})
            for state in _MARKS
        }
        self.figure = self._draw()
        self.figure.on_change("inner_height", self._resize)

    @property
    def sources(self) -> list[ColumnDataSource]:
        """Those in which a task may be chosen."""
        sources = [self._old.source, self._recent, self._running, self._detail]
        return [*sources, *self._marks.values(), self._dead]

    def update(self, now: float) -> None:
        """Show what has changed; it is now this late."""
        self._now = now
        self._name_rows()
        if self._live.labels.recoloured != self._recoloured:
            self._recolour()
        self._stream_recent()
        self._old.update()
        self._running.data = self._works_on(now)
        self._mark_dead()
        if self._is_followed:
            self._follow()

    def light(self, task: LiveTask | None) -> None:
        """Mark the bars of a task, of what it waited for, and of what waits for it."""
        found: list[tuple[int, float, float, str]] = []
        if task is not None:
            for some, colour in (
                (task.children, CHILD),
                (self._live.parents(task), PARENT),
                ([task], CHOSEN),
            ):
                places = [place for each in some[:_LIT] for place in each.bars[-10:]]
                bars = self._live.bars
                found += [
                    (
                        bars.rows[i],
                        milliseconds(bars.lefts[i]),
                        milliseconds(bars.rights[i]),
                        colour,
                    )
                    for i in places
                ]
                for each in some[:_LIT]:
                    held = each.at.works_on if each.at is not None else None
                    if held is not None and held.task is each and held.since is not None:
                        assert each.at is not None
                        found.append(
                            (each.at.row, milliseconds(held.since), milliseconds(self._now), colour)
                        )
        self._lit.data = columns_of(self._lit.column_names, found)

    # -- what is drawn -----------------------------------------------------------------

    def _draw(self) -> Any:
        plot = filling(
            "stream", x_axis_type="datetime", x_range=self.x_range, y_range=self._y_range
        )
        plot.xaxis.visible = False
        plot.min_border_left = EDGE
        place = {"y": "row", "height": 0.82, "left": "left", "right": "right"}
        look = {
            **place,
            "fill_color": "colour",
            "line_color": "border",
            "line_width": "width",
            "nonselection_fill_alpha": 1,
            "nonselection_line_alpha": 1,
        }
        sources = (self._old.source, self._recent, self._running, self._detail)
        things = [plot.hbar(source=source, **look) for source in sources]
        self._old_bars = things[0]
        # a pattern for each of thousands of bars would stop the browser
        hatched = {**place, "fill_color": None, "hatch_scale": 7, "hatch_weight": 1}
        plot.hbar(
            source=self._hatched,
            line_color=None,
            hatch_pattern="hatch",
            hatch_color="colour",
            **hatched,
        )
        plot.hbar(
            source=self._dead,
            line_color=_BORDERS["died"],
            line_width=2,
            hatch_pattern=_HATCHES["died"],
            hatch_color=_BORDERS["died"],
            **hatched,
        )
        marked = [("time", state, self._marks[state]) for state in _MARKS]
        for time, state, source in (*marked, ("right", "died", self._dead)):
            shape, colour, size = _MARKS[state]
            things.append(
                plot.scatter(
                    time,
                    "row",
                    source=source,
                    marker=shape,
                    size=size,
                    line_width=3 if state == "died" else 1.5,
                    color=colour,
                    fill_alpha=0.2,
                    nonselection_alpha=1,
                )
            )
        plot.hbar(
            y="row",
            height=0.98,
            left="left",
            right="right",
            source=self._lit,
            fill_color=None,
            line_color="colour",
            line_width=3,
        )
        add_tools(plot, things)
        plot.on_event(RangesUpdate, self._look_closer)
        plot.on_event(Reset, self._look_at_all)
        return plot

    def _name_rows(self) -> None:
        names = self._live.row_names
        every = max(1, math.ceil(len(names) * _NAME / max(1, self._high)))
        if (names, every) == self._rows_named:
            return
        self._rows_named = [*names], every
        shown = {row: name for row, name in enumerate(names) if row % every == 0}
        axis = self.figure.yaxis[0]
        axis.ticker = FixedTicker(ticks=[*shown])
        axis.major_label_overrides = shown
        axis.major_label_text_color = PALE if every > 1 else INK
        self._y_range.start = len(names) - 0.5

    def _resize(self, attribute: str, old: int, new: int) -> None:
        """The browser says how high the rows are."""
        self._high = new
        self._name_rows()

    def _stream_recent(self) -> None:
        bars = self._live.bars
        first = max(self._known, len(bars) - RECENT)
        new = [bars.thin(place) for place in range(first, len(bars))]
        marked = range(self._known, len(bars))
        for state, source in self._marks.items():
            number = END_STATES.index(state)
            its = [bars.thin(i) for i in marked if bars.end_states[i] == number]
            if its:
                rows = [
                    (bar.row, milliseconds(bar.right), self._text(bar), bar.task) for bar in its
                ]
                source.stream(columns_of(source.column_names, rows), rollover=RECENT)
        self._hatch([bars.thin(i) for i in marked if END_STATES[bars.end_states[i]] in _HATCHES])
        self._known = len(bars)
        if new:
            self._recent.stream(columns_of(_COLUMNS, map(self._thinned, new)), rollover=RECENT)

    def _recolour(self) -> None:
        """A label has another colour: what is drawn already is drawn once more."""
        self._recoloured = self._live.labels.recoloured
        bars = self._live.bars
        recent = map(bars.thin, range(max(0, self._known - RECENT), self._known))
        self._recent.data = columns_of(_COLUMNS, map(self._thinned, recent))
        self._old.forget()
        self._draw_closer()

    def _draw_closer(self) -> None:
        """Draw what somebody looks closer at, each bar by itself."""
        shown = map(self._live.bars.thin, self._closer)
        self._detail.data = columns_of(_COLUMNS, map(self._thinned, shown))

    def _hatch(self, bars: list[Thin]) -> None:
        """Hatch bars that did not end well."""
        rows = []
        for bar in bars[-_HATCHED:]:
            state = END_STATES[bar.end_state]
            ends = (milliseconds(bar.left), milliseconds(bar.right))
            rows.append((bar.row, *ends, _HATCHES[state], _BORDERS[state]))
        if rows:
            self._hatched.stream(columns_of(self._hatched.column_names, rows), rollover=_HATCHED)

    def _works_on(self, now: float) -> Columns:
        """What engines work on, up to now, or to their death."""
        rows = []
        for engine in self._live.engines:
            held = engine.works_on
            if held is not None and held.since is not None:
                task, end = held.task, now if engine.died is None else engine.died
                how = "still running" if engine.died is None else _DIED
                text = f"{name_of(task)} on {self._live.row_names[engine.row]}, {how}"
                ends = milliseconds(held.since), milliseconds(end)
                bar = (engine.row, *ends, self._colour(task.group))
                rows.append((*bar, "#000000", 1.0, text, task.number))
        return columns_of(_COLUMNS, rows)

    def _mark_dead(self) -> None:
        """Mark what engines worked on that have died, as long as it may still be answered."""
        columns = self._running.data
        died = {engine.row for engine in self._live.engines if engine.died is not None}
        places = [place for place, row in enumerate(columns["row"]) if row in died]
        found = {name: [columns[name][place] for place in places] for name in _DEAD}
        if places or self._dead.data["row"]:
            self._dead.data = found

    def _thinned(self, bar: Thin) -> tuple[Any, ...]:
        state = END_STATES[bar.end_state]
        colour = self._colour(bar.group)
        # of a bar that is hardly wider than its border, only that would be seen
        border = colour if bar.right - bar.left < self._room / 300 else "#666a70"
        return (
            bar.row,
            milliseconds(bar.left),
            milliseconds(bar.right),
            colour,
            _BORDERS.get(state, border),
            2.0 if state in _BORDERS else 0.7,
            self._text(bar),
            bar.task,
        )

    def _colour(self, group: int) -> str:
        return group_colour(self._live.labels, group)

    def _text(self, bar: Thin) -> str:
        task = self._live.tasks[bar.task]
        state = END_STATES[bar.end_state]
        ended = "" if state == "succeeded" else f", {state}"
        row = self._live.row_names[bar.row]
        if bar.number > 1:
            return f"{bar.number:,} short attempts on {row}{ended}, such as {name_of(task)}"
        return f"{name_of(task)} on {row}, {bar.right - bar.left:.3g} s{ended}"

    # -- the time that is shown --------------------------------------------------------

    def _follow(self) -> None:
        graph = self._live.graph
        start = graph.since if graph.since is not None else self._live.since
        if start is None:
            start = self._now - _WIDTH
        self._room = room = max(_WIDTH, self._now - start)
        self.x_range.update(
            start=milliseconds(self._now - 1.01 * room), end=milliseconds(self._now + 0.01 * room)
        )

    def _look_at_all(self, event: Any) -> None:
        self._is_followed = True
        self._closer = ()
        self._draw_closer()
        self._old_bars.visible = True
        self._follow()

    def _look_closer(self, event: Any) -> None:
        """Somebody has chosen what time is shown: draw its bars one by one, if they are few."""
        self._is_followed = False
        self._room = (event.x1 - event.x0) / 1000
        bars = self._live.bars
        old = max(0, len(bars) - RECENT)
        shift = milliseconds(self._now) / 1000 - self._now
        begin, end = event.x0 / 1000 - shift, event.x1 / 1000 - shift
        times = zip(bars.lefts[:old], bars.rights, strict=False)
        places = [i for i, (left, right) in enumerate(times) if right >= begin and left <= end]
        is_close = len(places) <= DETAIL
        self._closer = places if is_close else []
        self._draw_closer()
        self._old_bars.visible = not is_close


def _source(name: str) -> ColumnDataSource:
    return ColumnDataSource({column: [] for column in _COLUMNS}, name=name)
