"""What the colours and marks of the figures mean, as HTML."""

from __future__ import annotations

from html import escape

from ..live.graph import Graph
from ..live.model import Live
from .look import OTHER_GROUPS, STATES, group_colour
from .words import NAME, shortened

OTHERS = "other labels"
"""What the labels are called that share a colour."""

_RARE = ("lost", "unknown")  # states that are named only where they are seen


def labels(live: Live) -> str:
    """The labels of what is on the screen, with their colours."""
    seen = [
        number
        for number, label in enumerate(live.labels.all)
        if label.is_seen(live.graph.number) and label.total
    ]
    found = [
        _entry(group_colour(live.labels, number), live.labels[number].name)
        for number in seen
        if live.labels[number].colour is not None
    ]
    if len(found) < len(seen):
        found.append(_entry(OTHER_GROUPS, OTHERS))
    return "".join(found)


def marks(live: Live) -> str:
    """What is drawn on bars that did not end well."""
    lost = '<span><i class="lost"></i>lost with its controller</span>' if live.losses else ""
    return (
        '<span><i class="hatched"></i>failed</span><span><b>&#10005;</b>its engine died</span>'
        f"<span><b>&oplus;</b>given back</span>{lost}"
    )


def states(graph: Graph) -> str:
    """The states of tasks, with their colours."""
    return "".join(
        _entry(colour, state)
        for state, colour in STATES.items()
        if state not in _RARE or any(group.states[state] for group in graph.groups.values())
    )


def _entry(colour: str, name: str) -> str:
    short = escape(shortened(name, NAME))
    return f'<span title="{escape(name)}"><i style="background:{colour}"></i>{short}</span>'
