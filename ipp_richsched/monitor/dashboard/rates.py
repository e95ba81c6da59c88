"""How many tasks came and ended by time."""

from __future__ import annotations

from typing import Any

from ..figures.look import show_legend
from ..live.model import Live
from ..live.series import Counts
from .look import EDGE, clock, filling, milliseconds
from .sync import Follower

_LINES = (("submitted", "#8a8f98"), ("succeeded", "#2B83BA"), ("failed", "#D55E00"))


class Rates:
    """The figure, and what keeps it as things are.

    Parameters
    ----------
    live : Live
        What happened.
    x_range : bokeh.models.Range1d
        The time that is shown.
    """

    def __init__(self, live: Live, x_range: Any) -> None:
        self._series = live.series
        names = ["time", *(name for name, _ in _LINES)]
        self._follower = Follower(live.series.counts, names, self._row)
        self.figure = plot = filling("rates", x_axis_type="datetime", x_range=x_range)
        plot.toolbar_location = None
        plot.y_range.start = 0
        plot.min_border_left = EDGE
        plot.xaxis.formatter = clock()
        plot.yaxis.ticker.desired_num_ticks = 3
        for name, colour in _LINES:
            plot.step(
                "time",
                name,
                source=self._follower.source,
                mode="after",
                line_color=colour,
                line_width=1.6,
                legend_label=f"{name} a second",
            )
        show_legend(plot)

    def update(self) -> None:
        """Show what has changed."""
        self._follower.update()

    def _row(self, counts: Counts) -> tuple[float, ...]:
        width = self._series.width
        rates = (number / width for number in counts[1:])
        return (milliseconds(counts.start), *rates)
