"""Colours of pictures."""

from __future__ import annotations

from collections.abc import Sequence

# Those of Okabe and Ito, which colour-blind readers can tell, mixed with white: black text can be
# read on them.
_GROUPS = ("#7CC6EF", "#F5C242", "#7FD1B0", "#E8A7C8", "#F0E96B", "#E99A6C", "#8FB8DE", "#C9B8E8")
_OTHERS = "#CFCFCF"

STATES = {
    "waiting": "#E4E4E4",
    "running": "#F0E442",
    "succeeded": "#56B4E9",
    "failed": "#D55E00",
    "never ran": "#CC79A7",
}
"""By the state of a task."""

MARK = "#0072B2"


def group_colours(groups: Sequence[str]) -> dict[str, str]:
    """The colours of labels and functions, the most frequent first; the last share one."""
    colours = dict.fromkeys(groups, _OTHERS)
    colours.update(zip(groups, _GROUPS, strict=False))
    return colours


def legend_of(groups: Sequence[str]) -> dict[str, str]:
    """The same as a legend has it, where those that share a colour are one."""
    shown = dict(zip(groups, _GROUPS, strict=False))
    if more := len(groups) - len(shown):
        shown[f"{more} other{'s' * (more > 1)}"] = _OTHERS
    return shown
