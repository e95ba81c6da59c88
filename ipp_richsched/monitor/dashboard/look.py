"""How the figures of the page look."""

from __future__ import annotations

import time
from typing import Any

from bokeh.models import DatetimeTickFormatter

from ...workflows.palette import STATES as _STATES
from ..figures.look import blank
from ..live.labels import Labels

STATES = {
    "waiting": _STATES["waiting"],
    "ready": "#F5C242",
    **{state: colour for state, colour in _STATES.items() if state != "waiting"},
    "lost": "#6E6E6E",
    "unknown": "#B9B9B9",
}
"""By the state of a task."""

GROUPS = (
    *("#3CA683", "#A85FCB", "#E6B9A6", "#5A69AD"),
    *("#ADE69A", "#A1785C", "#7A9843", "#474E6D"),
)
"""By the number of the colour of a label.

Labels and states are side by side here: no label looks like a state, nor does it to those who
cannot tell red from green."""

OTHER_GROUPS = "#CFCFCF"
"""That of all labels that have none of their own."""

CHOSEN, PARENT, CHILD = "#C0392B", "#0072B2", "#D55E00"
"""What marks a task that was chosen, what it waited for, and what waits for it."""


EDGE = 104
"""Pixels to the left of the figures that share an axis of time."""


def milliseconds(when: float) -> float:
    """A time as figures have it, which know no time zones: so that the reader's own is shown."""
    return 1000 * (when + time.localtime(when).tm_gmtoff)


def clock() -> DatetimeTickFormatter:
    """How times are written below a figure."""
    return DatetimeTickFormatter(
        microseconds="%H:%M:%S.%3N",
        milliseconds="%H:%M:%S.%3N",
        seconds="%H:%M:%S",
        minsec="%H:%M:%S",
        minutes="%H:%M",
        hourmin="%H:%M",
        hours="%H:%M",
        days="%d %b",
    )


def group_colour(labels: Labels, number: int | None) -> str:
    """The colour of a label, given its number; None: it has none."""
    colour = None if number is None else labels[number].colour
    return OTHER_GROUPS if colour is None else GROUPS[colour]


def filling(name: str, **options: Any) -> Any:
    """A figure that takes all the room of its panel."""
    plot = blank(200, name=name, **options)
    plot.update(sizing_mode="stretch_both", background_fill_color=None, border_fill_color=None)
    plot.toolbar.autohide = True
    plot.toolbar_location, plot.toolbar_inner = "right", True
    plot.axis.major_label_text_font_size = "11px"
    return plot
