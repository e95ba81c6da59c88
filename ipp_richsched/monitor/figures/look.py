"""What the figures have in common: how they look, and how they are moved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from bokeh.models import BoxZoomTool, HoverTool, PanTool, ResetTool, TapTool, WheelZoomTool
from bokeh.plotting import figure

INK, PALE, GRID = "#333333", "#888888", "#EEEEEE"
FONT = "system-ui, 'Helvetica Neue', Arial, sans-serif"

CHARACTER = 6.2
"""Pixels that a character of 11 pixels takes, about."""

_TIP = [("", "@text")]
"""What is shown of a thing under the mouse; as rows, since Bokeh 3.5 takes a text for HTML."""


def blank(height: int, **options: Any) -> Any:
    """A figure as wide as there is room, that moves sideways.

    Parameters
    ----------
    height : int
        In pixels.
    **options
        For `bokeh.plotting.figure`.
    """
    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        tools=[],
        toolbar_location="above",
        outline_line_color=None,
        min_border_right=12,
        **options,
    )
    plot.toolbar.logo = None
    plot.xgrid.grid_line_color = GRID
    plot.ygrid.grid_line_color = None
    plot.axis.axis_line_color = None
    plot.axis.major_tick_line_color = None
    plot.axis.minor_tick_line_color = None
    plot.axis.major_label_text_color = INK
    plot.axis.major_label_text_font = FONT
    plot.axis.axis_label_text_font = FONT
    plot.axis.axis_label_text_font_style = "normal"
    return plot


def add_tools(
    plot: Any, renderers: list[Any], dimensions: Literal["width", "both"] = "width"
) -> None:
    """Let people move a figure, and point at the things in it and choose them.

    Parameters
    ----------
    plot : bokeh.plotting.figure
    renderers : list of bokeh.models.GlyphRenderer
        The things; their sources have a column ``text``.
    dimensions : {"width", "both"}
        Along which axes it is moved.
    """
    pan = PanTool(dimensions=dimensions)
    hover = HoverTool(renderers=renderers, tooltips=_TIP, point_policy="follow_mouse")
    tap = TapTool(renderers=renderers)
    # the wheel is not taken from the page until somebody asks for it
    wheel = WheelZoomTool(dimensions=dimensions)
    plot.add_tools(pan, BoxZoomTool(dimensions=dimensions), wheel, ResetTool(), hover, tap)
    plot.toolbar.active_drag = pan
    plot.toolbar.active_scroll = None


def room_for(words: Iterable[tuple[float, float]], span: float, pixels: float) -> float:
    """How much room there has to be at an edge of a figure, so that no word is cut off.

    Parameters
    ----------
    words : iterable of tuple of float
        How far the beginning of a word is from the edge, without that room, and how many pixels it
        takes towards it.
    span : float
        How long the axis is without that room.
    pixels : float
        How long the axis is with it, in pixels.
    """
    found = 0.0
    for distance, needed in words:
        least = min(needed, 0.6 * pixels)
        found = max(found, (least * span - distance * pixels) / (pixels - least))
    return found


def add_legend_entry(plot: Any, name: str, **look: Any) -> None:
    """Have the legend say what a look means, by a dot that is nowhere."""
    nowhere = [float("nan")]
    plot.scatter(nowhere, nowhere, size=11, legend_label=name, **look)


def show_legend(plot: Any) -> None:
    """Put the legend above a figure, in one line; a figure of nothing has none."""
    if not plot.legend:
        return
    legend = plot.legend[0]
    legend.orientation = "horizontal"
    legend.background_fill_alpha = 0
    legend.border_line_color = None
    legend.label_text_font_size = "11px"
    legend.label_text_font = FONT
    legend.label_text_color = INK
    legend.spacing, legend.padding, legend.margin = 12, 2, 0
    legend.glyph_height, legend.glyph_width, legend.label_height = 16, 16, 16
    plot.add_layout(legend, "above")
