"""Pictures; matplotlib is needed only here, and only when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .attempts import Attempt, AttemptState

# Of the colours of Okabe and Ito, which colour-blind readers can tell, those that are light enough
# for black text. The hatches tell the fates apart without any colour.
_STYLES: dict[str, dict[str, Any]] = {
    "ran": {"facecolor": "#56B4E9"},
    "ran, after a retry": {"facecolor": "#F0E442"},
    "failed": {"facecolor": "#E69F00", "hatch": "////"},
    "killed with its engine": {"facecolor": "#E69F00", "hatch": "xxxx"},
    "never answered": {"facecolor": "#DDDDDD", "hatch": "...."},
}
_FATES: dict[AttemptState, str] = {
    "done": "ran",
    "failed": "failed",
    "killed": "killed with its engine",
    "running": "never answered",
}
_BOUNDS = {"lower bound": "--", "lower bound with the kill": ":"}
_ROW = 0.3  # inches
_TICKS, _TEXT, _PAD = 8.0, 6.5, 1.0  # points
_NAMED = 5  # so many marks have names; more are a crowd
_MARGIN = 3  # pixels: twice the padding


@dataclass(frozen=True)
class Panel:
    """A run, as it is drawn.

    Attributes
    ----------
    title : str
        What stands above it.
    engines : sequence of int
        A row for each, even if it ran nothing.
    attempts : sequence of Attempt
        What ran.
    refused : mapping of str to float
        The tasks that never ran, and when the error came that said so, in seconds since the epoch.
    unanswered : sequence of str
        The tasks that got no answer.
    start : float
        The zero of the time axis, in seconds since the epoch.
    lower_bounds : sequence of float
        Of the makespan, in seconds after `start`: one that knows nothing of a kill, and one that
        does.
    """

    title: str
    engines: Sequence[int]
    attempts: Sequence[Attempt]
    refused: Mapping[str, float]
    unanswered: Sequence[str]
    start: float
    lower_bounds: Sequence[float]

    @property
    def last(self) -> float:
        """When the last thing happened, in seconds after `start`."""
        times = [*(attempt.ended for attempt in self.attempts), *self.refused.values()]
        return max([time - self.start for time in times] + list(self.lower_bounds), default=0.0)


def timeline(panels: Sequence[Panel], path: Path) -> None:
    """Draw which engine ran what and when, and what became of it.

    Parameters
    ----------
    panels : sequence of Panel
        The runs, from top to bottom; they share the time axis.
    path : pathlib.Path
        The picture; its suffix says the format.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    OSError
        If the picture cannot be written.
    """
    # Without pyplot: no window, and no state that outlives the picture.
    from matplotlib.figure import Figure

    rows = [len(panel.engines) + 2 for panel in panels]
    height = 0.9 + sum(0.4 + _ROW * count for count in rows)
    figure = Figure(figsize=(11, height), layout="constrained")
    grid = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=rows)
    drawn = []
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        axes.set_xlim(0, 1.02 * max(each.last for each in panels))
        drawn.append(_Drawing(axes, panel))
    axes.set_xlabel("seconds", fontsize=_TICKS)
    handles = {label: handle for drawing in drawn for label, handle in drawing.handles.items()}
    # the fates in their own order, whatever came first
    labels = [label for label in dict.fromkeys([*_STYLES, *handles]) if label in handles]
    figure.legend(
        handles=[handles[label] for label in labels],
        labels=labels,
        loc="outside upper center",
        ncols=len(labels),
        fontsize=_TICKS,
        frameon=False,
    )
    figure.draw_without_rendering()  # now everything has its place
    for drawing in drawn:
        drawing.drop_texts_that_do_not_fit()
    figure.savefig(path, dpi=120)


class _Drawing:
    """A panel on its axes.

    Attributes
    ----------
    handles : dict of str to Any
        For the legend, by label.
    """

    def __init__(self, axes: Any, panel: Panel) -> None:
        self.handles: dict[str, Any] = {}
        self._axes = axes
        self._panel = panel
        self._end = axes.get_xlim()[1]
        self._rows = {engine: row for row, engine in enumerate(panel.engines)}
        # each with the room that it has, in seconds
        self._texts: list[tuple[Any, float]] = []
        self._draw_attempts()
        self._draw_refused(len(self._rows))
        self._draw_unanswered(len(self._rows) + 1)
        for seconds, (label, style) in zip(panel.lower_bounds, _BOUNDS.items(), strict=False):
            self.handles[label] = axes.axvline(seconds, color="black", linestyle=style, zorder=1)
        names = [f"engine {engine}" for engine in panel.engines]
        names += [f"refused: {len(panel.refused)}", f"never answered: {len(panel.unanswered)}"]
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(labelsize=_TICKS)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")

    def _draw_attempts(self) -> None:
        tried: set[str] = set()
        for attempt in sorted(self._panel.attempts, key=lambda attempt: attempt.started):
            start, end = attempt.started - self._panel.start, attempt.ended - self._panel.start
            row = self._rows[attempt.engine]
            fate = _FATES[attempt.state]
            if attempt.state == "done" and attempt.task in tried:
                fate = "ran, after a retry"
            tried.add(attempt.task)
            self._bar(fate, row, start, end, attempt.task)
            if attempt.state == "killed":
                self._axes.plot([end], [row], "kX", markersize=8, zorder=4)
                self._label(end, row, "engine killed", self._end)

    def _draw_refused(self, row: int) -> None:
        refused = {name: time - self._panel.start for name, time in self._panel.refused.items()}
        refused = dict(sorted(refused.items(), key=lambda item: item[1]))
        if refused:
            times = list(refused.values())
            [self.handles["refused, with an error"]] = self._axes.plot(
                times, [row] * len(times), "D", color="#0072B2", markersize=5, zorder=4
            )
            if len(times) > _NAMED:
                return
            for (name, time), following in zip(
                refused.items(), [*times[1:], self._end], strict=True
            ):
                self._label(time, row, name, following)

    def _draw_unanswered(self, row: int) -> None:
        if names := self._panel.unanswered:
            self._bar("never answered", row, 0, self._end, ", ".join(names))

    def _bar(self, fate: str, row: int, start: float, end: float, name: str) -> None:
        [self.handles[fate]] = self._axes.barh(
            row,
            end - start,
            left=start,
            height=0.8,
            edgecolor="#444444",
            linewidth=0.5,
            zorder=2,
            **_STYLES[fate],
        )
        # on the colour of the bar, so that no hatch crosses it
        self._text((start + end) / 2, row, name, end - start, "center", _STYLES[fate]["facecolor"])

    def _label(self, start: float, row: int, text: str, end: float) -> None:
        """Write to the right of a mark."""
        self._text(start, row, f"    {text}", end - start, "left", "white")

    def _text(self, x: float, row: int, text: str, room: float, ha: str, back: str) -> None:
        artist = self._axes.text(x, row, text, ha=ha, va="center_baseline", fontsize=_TEXT)
        artist.set(zorder=3, in_layout=False)
        artist.set_bbox({"facecolor": back, "edgecolor": "none", "pad": _PAD})
        self._texts.append((artist, room))

    def drop_texts_that_do_not_fit(self) -> None:
        """Remove the texts that are wider than their room, now that everything has its place."""
        left, right = self._axes.transData.transform([(0, 0), (1, 0)])[:, 0]
        for artist, room in self._texts:
            if artist.get_window_extent().width + _MARGIN > room * (right - left):
                artist.remove()
