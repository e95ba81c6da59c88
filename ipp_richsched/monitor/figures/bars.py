"""The bars of a timeline, as columns: attempts of tasks, thinned where they are too many to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ...workflows.palette import group_colours
from ...workflows.runs import EndState, Run, TaskRun

BARS = 20_000
"""How many bars are drawn at most."""

NO_HATCH = " "
HATCHES: dict[EndState, str] = {"failed": "/", "died": "x"}
BORDERS: dict[EndState, str] = {"failed": "#D55E00", "died": "#000000"}
"""How attempts look that came to nothing, by how they ended."""

_BORDER = "#555555"
_WORDS: dict[EndState, str] = {"succeeded": "", "running": ", still running"}


class Bar(NamedTuple):
    """A bar: an attempt, or several short ones beside each other.

    Attributes
    ----------
    engine : str
        In the row of this engine.
    start, end : float
        In seconds since the epoch.
    group : str
        What it has the colour of.
    end_state : EndState
        How it ended.
    text : str
        What is said of it.
    task : str
        The task, by its msg_id; the longest of several.
    number : int
        How many attempts it is made of.
    """

    engine: str
    start: float
    end: float
    group: str
    end_state: EndState
    text: str
    task: str
    number: int = 1


def bars_of(run: Run, limit: int = BARS) -> list[Bar]:
    """The bars of a run, `limit` of them at most; what was given back took no time, and has none.

    Where there are more attempts, short successful ones that follow each other on an engine are one
    bar.  If there are still too many, the longest are left, failed ones first.
    """
    bars = [
        _bar(run, task, number)
        for task in run.tasks.values()
        for number, each in enumerate(task.stretches)
        if each.end_state != "given back"
    ]
    if len(bars) <= limit:
        return bars
    cell = 2 * (run.end - run.start) * max(1, len(run.engines)) / limit
    bars = [*_joined(bars, cell)]
    bars.sort(key=lambda bar: (bar.end_state in ("succeeded", "running"), bar.start - bar.end))
    return bars[:limit]


def columns_of(run: Run, bars: Iterable[Bar], tasks: dict[str, int]) -> dict[str, list[Any]]:
    """The columns of a source for `timeline_figure`.

    Parameters
    ----------
    run : Run
    bars : iterable of Bar
    tasks : dict of str to int
        Numbers of tasks by their msg_ids, for whoever wants to know which one was chosen.
    """
    colours = group_colours(run.groups)
    rows = {engine: row for row, engine in enumerate(run.engines)}
    bars = list(bars)
    return {
        "row": [rows[bar.engine] for bar in bars],
        "left": [round(bar.start - run.start, 4) for bar in bars],
        "right": [round(bar.end - run.start, 4) for bar in bars],
        "colour": [colours[bar.group] for bar in bars],
        "hatch": [HATCHES.get(bar.end_state, NO_HATCH) for bar in bars],
        "border": [BORDERS.get(bar.end_state, _BORDER) for bar in bars],
        "text": [bar.text for bar in bars],
        "task": [tasks.get(bar.task, -1) for bar in bars],
    }


def _bar(run: Run, task: TaskRun, number: int) -> Bar:
    each = task.stretches[number]
    ended = _WORDS.get(each.end_state, f", {each.end_state}")
    problem = f": {task.problem}" if each.end_state == "failed" and task.problem else ""
    attempt = f", attempt {number + 1}" if number else ""
    text = f"{task.name} on {each.engine}, {each.end - each.start:.3g} s{attempt}{ended}{problem}"
    return Bar(each.engine, each.start, each.end, task.group, each.end_state, text, task.msg_id)


def _joined(bars: list[Bar], cell: float) -> Iterator[Bar]:
    """The same, where short ones beside each other are one of at least `cell` seconds."""
    engines: dict[str, list[Bar]] = {}
    for bar in bars:
        if bar.end_state == "succeeded" and bar.end - bar.start < cell:
            engines.setdefault(bar.engine, []).append(bar)
        else:
            yield bar
    for its in engines.values():
        some: list[Bar] = []
        for bar in sorted(its, key=lambda bar: bar.start):
            is_apart = some and bar.start - some[-1].end > cell / 4
            if is_apart or (some and some[-1].end - some[0].start >= cell):
                yield _one(some)
                some = []
            some.append(bar)
        yield _one(some)


def _one(bars: list[Bar]) -> Bar:
    if len(bars) == 1:
        return bars[0]
    groups: Counter[str] = Counter()
    for bar in bars:
        groups[bar.group] += 1
    (group, number), *_ = groups.most_common(1)
    longest = max(bars, key=lambda bar: bar.end - bar.start)
    text = f"{len(bars)} short tasks on {longest.engine}, {number} of them {group}"
    return longest._replace(
        start=bars[0].start, end=bars[-1].end, group=group, text=text, number=len(bars)
    )
