"""How many tasks came and ended by time."""

from __future__ import annotations

from typing import Any

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
        plot.legend.location = "top_left"
        plot.legend.orientation = "horizontal"
        plot.legend.label_text_font_size = "11px"
        plot.legend.background_fill_alpha = 0.6
        plot.legend.border_line_color = None
        plot.legend.padding = 2
        plot.legend.margin = 2

    def update(self) -> None:
        """Show what has changed."""
        self._follower.update()

    def _row(self, counts: Counts) -> tuple[float, ...]:
        width = self._series.width
        rates = (number / width for number in counts[1:])
        return (milliseconds(counts.start), *rates)
