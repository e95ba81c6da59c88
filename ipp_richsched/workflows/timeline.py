"""The picture of who ran what, and when; matplotlib is needed only here and in `dag`."""

from __future__ import annotations

from typing import Any

from .palette import MARK, group_colours, legend_of
from .runs import Run, Stretch, TaskRun
from .times import queued, ready_times

ROW, QUEUE = 0.3, 0.7
"""Inches of the row of an engine, and of the queue below them."""

_MANY = 24  # with more engines than this, rows are lower
_TICKS, _TEXT, _PAD = 8.0, 6.5, 1.0  # points
_NAMED = 5  # so many marks have names; more are a crowd
_WRITTEN = 500  # so many bars have names, where there is room in them
_MARGIN = 3  # pixels: twice the padding
_HATCHES = {"failed": "////", "died": "xxxx"}
_STATES = {"running": "#8FB8DE", "queued": "#E9B872", "waiting for others": "#E4E4E4"}


def height(run: Run) -> float:
    """Inches that the rows of engines need."""
    count = max(1, len(run.engines) + bool(_never_ran(run)))
    return 0.4 + count * max(0.09, min(ROW, ROW * _MANY / count))


def draw_timeline(run: Run, rows: Any, queue: Any, title: str) -> None:
    """Draw a run on two axes, which share their axis of time.

    Parameters
    ----------
    run : Run
        What happened.
    rows : matplotlib.axes.Axes
        Gets a row for each engine, and one for tasks that never ran.
    queue : matplotlib.axes.Axes
        Gets the number of tasks that ran, were queued, and waited for others.
    title : str
        What stands above it.
    """
    _Rows(run, rows).draw(title)
    _draw_queue(run, queue)


def _never_ran(run: Run) -> list[TaskRun]:
    return [task for task in run.tasks.values() if task.state == "never ran"]


class _Rows:
    """The rows of engines."""

    def __init__(self, run: Run, axes: Any) -> None:
        self._run = run
        self._axes = axes
        self._rows = {engine: row for row, engine in enumerate(run.engines)}
        self._all = [(task, each) for task in run.tasks.values() for each in task.stretches]
        # what was given back took no time
        self._bars = [(task, bar) for task, bar in self._all if bar.end_state != "given back"]
        self._handles: dict[str, Any] = {}
        # each with the room that it has, in seconds
        self._texts: list[tuple[Any, float]] = []

    def draw(self, title: str) -> None:
        axes, refused = self._axes, _never_ran(self._run)
        names = [*self._rows, *([f"never ran: {len(refused)}"] if refused else [])]
        axes.set_xlim(0, 1.02 * max(self._run.end - self._run.start, 1e-3))
        axes.set_ylim(max(1, len(names)) - 0.4, -0.6)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", labelsize=_TICKS if len(names) <= _MANY else 5)
        axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
        self._draw_bars()
        self._draw_marks("died", "engine died", "X", "black", 8)
        self._draw_marks("given back", "given back", "x", MARK, 6)
        self._draw_refused(refused, len(self._rows))
        axes.legend(
            self._handles.values(),
            self._handles,
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=5,
            fontsize=_TICKS,
            frameon=False,
        )
        axes.figure.draw_without_rendering()  # now everything has its place
        self._drop_texts_that_do_not_fit()

    def _draw_bars(self) -> None:
        """One collection for all bars that look alike, so that thousands are drawn at once."""
        from matplotlib.collections import PolyCollection
        from matplotlib.patches import Patch

        colours = group_colours(self._run.groups)
        looks: dict[tuple[str, str], list[Any]] = {}
        for task, bar in self._bars:
            left, right, row = self._place(bar)
            corners = [(left, row - 0.4), (right, row - 0.4), (right, row + 0.4), (left, row + 0.4)]
            looks.setdefault((colours[task.group], bar.end_state), []).append(corners)
            if len(self._bars) <= _WRITTEN:
                # on the colour of the bar, so that no hatch crosses it
                colour = colours[task.group]
                self._text((left + right) / 2, row, task.name, right - left, "center", colour)
        thin: dict[str, Any] = {"edgecolor": "#444444", "linewidth": 0.5}
        for (colour, end_state), bars in looks.items():
            hatch = _HATCHES.get(end_state)
            look = PolyCollection(bars, facecolor=colour, hatch=hatch, zorder=2, **thin)
            look.set_linewidth(0.5 if len(self._bars) <= _WRITTEN else 0.1)
            self._axes.add_collection(look)
        for name, colour in legend_of(self._run.groups).items():
            self._handles[name] = Patch(facecolor=colour, **thin)
        for end_state, hatch in _HATCHES.items():
            if any(bar.end_state == end_state for _, bar in self._bars):
                self._handles[end_state] = Patch(facecolor="white", hatch=hatch, **thin)

    def _draw_marks(self, end_state: str, name: str, mark: str, colour: str, size: float) -> None:
        """Draw marks where attempts have ended in some way."""
        ends = [self._place(bar) for _, bar in self._all if bar.end_state == end_state]
        if ends:
            times, rows = [right for _, right, _ in ends], [row for _, _, row in ends]
            look = {"color": colour, "markersize": size, "zorder": 4}
            [self._handles[name]] = self._axes.plot(times, rows, mark, **look)

    def _draw_refused(self, refused: list[TaskRun], row: int) -> None:
        times = sorted(
            ((task.ended or task.submitted) - self._run.start, task.name, task.problem)
            for task in refused
        )
        if not times:
            return
        look = {"color": MARK, "markersize": 5, "zorder": 4}
        [self._handles["never ran"]] = self._axes.plot(
            [time for time, _, _ in times], [row] * len(times), "D", **look
        )
        ends = [*(time for time, _, _ in times[1:]), self._axes.get_xlim()[1]]
        for (time, name, problem), end in zip(times, ends, strict=True):
            if len(times) <= _NAMED:
                self._text(time, row, f"    {name}: {problem}", end - time, "left", "white")

    def _place(self, bar: Stretch) -> tuple[float, float, int]:
        start = self._run.start
        return bar.start - start, bar.end - start, self._rows[bar.engine]

    def _text(self, x: float, row: int, text: str, room: float, ha: str, back: str) -> None:
        artist = self._axes.text(x, row, text, ha=ha, va="center_baseline", fontsize=_TEXT)
        artist.set(zorder=3, in_layout=False)
        artist.set_bbox({"facecolor": back, "edgecolor": "none", "pad": _PAD})
        self._texts.append((artist, room))

    def _drop_texts_that_do_not_fit(self) -> None:
        """Remove the texts that are wider than their room, now that everything has its place."""
        left, right = self._axes.transData.transform([(0, 0), (1, 0)])[:, 0]
        for artist, room in self._texts:
            if artist.get_window_extent().width + _MARGIN > room * (right - left):
                artist.remove()


def _draw_queue(run: Run, axes: Any) -> None:
    """How many tasks ran, how many could have run, and how many waited for others to end."""
    ready = ready_times(run)
    changes: list[tuple[float, str, int]] = []
    for msg_id, task in run.tasks.items():
        end = task.ended if task.ended is not None else run.end
        can_run = ready.get(msg_id)
        times = {
            "running": [(each.start, min(each.end, end)) for each in task.stretches],
            "queued": [*queued(run, task, can_run)],
            "waiting for others": [(task.submitted, run.end if can_run is None else can_run)],
        }
        for state, stretches in times.items():
            for since, until in stretches:
                if until > since:
                    changes += [(since, state, 1), (until, state, -1)]
    changes.sort()
    moments = [0.0]
    counts = {state: [0] for state in _STATES}
    for when, state, more in changes:
        moments.append(when - run.start)
        for each, numbers in counts.items():
            numbers.append(numbers[-1] + more * (each == state))
    # most maps have none that wait for others
    shown = [state for state in counts if state != "waiting for others" or any(counts[state])]
    axes.stackplot(
        moments,
        [counts[state] for state in shown],
        step="post",
        labels=shown,
        colors=[_STATES[state] for state in shown],
    )
    axes.set_ylim(0, None)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.tick_params(labelsize=_TICKS)
    axes.set_xlabel("seconds", fontsize=_TICKS)
    axes.set_ylabel("tasks", fontsize=_TICKS)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.9),
        ncols=len(shown),
        fontsize=6.5,
        frameon=False,
    )
