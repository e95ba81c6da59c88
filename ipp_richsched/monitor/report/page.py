"""The page of a report: figures, texts, and what plays the run over again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bokeh.embed import file_html
from bokeh.models import ColumnDataSource
from bokeh.resources import INLINE

from ...workflows.palette import STATES
from ...workflows.runs import Run
from ..figures.bars import bars_of, columns_of
from ..figures.dag import Graph, dag_figure, graph_of
from ..figures.timeline import counts_figure, marks_of, rows_of, timeline_figure
from ..moments import Moments
from ..times import moment
from .account import Account, account_of
from .failures import causes_of, failures_of
from .html import (
    account_html,
    engines_html,
    failures_html,
    groups_html,
    notes_html,
    slowest_html,
    verdict_html,
)
from .stories import story_of
from .verdict import headline, verdict
from .words import count_text

UNBORN = "#FFFFFF"
"""The colour of a task that is not submitted yet."""

_HERE = Path(__file__).parent


def page_of(run: Run, notes: Sequence[str] = ()) -> str:
    """A run as one HTML page, which needs nothing else.

    Parameters
    ----------
    run : Run
        What happened.
    notes : sequence of str
        What else is said of it: sentences.
    """
    account, failures, moments = account_of(run), failures_of(run), Moments(run)
    seconds = max(run.end - run.start, 1e-3)
    graph, bars = graph_of(run), bars_of(run)
    # the tasks that can be clicked: in the DAG, and those of bars and marks
    numbers = {msg_id: number for number, msg_id in enumerate(graph.shown)}
    for bar in bars:
        numbers.setdefault(bar.task, len(numbers))
    sources = {
        "bars": ColumnDataSource(columns_of(run, bars, numbers), name="bars"),
        "nodes": ColumnDataSource(graph.nodes, name="nodes"),
    }
    marks = {
        kind: ColumnDataSource(columns, name=f"marks {kind}")
        for kind, columns in marks_of(run, numbers).items()
    }
    timeline = timeline_figure(sources["bars"], marks, rows_of(run), run.groups, seconds)
    figures = [
        timeline,
        counts_figure(ColumnDataSource(_counts(moments, run)), timeline, seconds),
        _dag(graph, sources["nodes"]),
    ]
    attempts = sum(e.end_state != "given back" for t in run.tasks.values() for e in t.stretches)
    parts = {
        "headline": escape(headline(run)),
        "when": escape(f"Began {moment(run.start)}, ended {moment(run.end)}."),
        "verdict": verdict_html(verdict(run, account, failures)),
        "notes": notes_html(notes),
        "timeline_note": _timeline_note(attempts, len(bars), sum(bar.number for bar in bars)),
        "dag_note": _dag_note(len(run.tasks), len(graph.shown)),
        "account": account_html(account),
        "failures": failures_html(run, failures),
        "engines": engines_html(run, account),
        "groups": groups_html(run, account),
        "slowest": slowest_html(run),
        "footer": escape(
            f"Written by ipp_richsched {version('ipp-richsched')}, {moment(run.looked_at)}."
        ),
    }
    data = _data(run, account, graph, moments, numbers)
    data["sources"] = [*(source.name for source in (*sources.values(), *marks.values()))]
    return file_html(
        figures,
        INLINE,
        headline(run),
        template=(_HERE / "page.html").read_text("utf-8"),
        template_variables={
            "parts": parts,
            "style": (_HERE / "page.css").read_text("utf-8"),
            "player": (_HERE / "player.js").read_text("utf-8"),
            # no text of a user's ends the script in which it stands
            "data": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
            "steps": data["steps"],
        },
    )


def _counts(moments: Moments, run: Run) -> dict[str, list[Any]]:
    """How many tasks there were, at each moment."""
    ready, waiting = moments.ready, moments.counts["waiting"]
    return {
        "time": [round(when - run.start, 4) for when in moments.times],
        "running": moments.counts["running"],
        "ready": ready,
        "waiting": [max(0, every - its) for every, its in zip(waiting, ready, strict=True)],
    }


def _dag(graph: Graph, nodes: ColumnDataSource) -> Any:
    edges, path, words = map(ColumnDataSource, (graph.edges, graph.path, graph.words))
    return dag_figure(nodes, edges, path, words, graph.size)


def _data(
    run: Run, account: Account, graph: Graph, moments: Moments, numbers: dict[str, int]
) -> dict[str, Any]:
    """What the page needs to play the run over again, and to tell stories."""
    states, causes = [*moments.counts], causes_of(run)
    places: dict[str | None, int] = {state: place for place, state in enumerate(states)}
    places[None] = -1
    return {
        "seconds": run.end - run.start,
        "steps": len(moments.times) - 1,
        "states": states,
        "colours": [STATES[state] for state in states],
        "unborn": UNBORN,
        "counts": [*moments.counts.values()],
        "changes": [
            [
                number
                for step, state in moments.changes(run.tasks[msg_id])
                for number in (step, places[state])
            ]
            for msg_id in graph.shown
        ],
        "stories": [
            story_of(run, run.tasks[msg_id], account.tasks[msg_id], causes.get(msg_id))
            for msg_id in numbers
        ],
    }


def _timeline_note(attempts: int, drawn: int, told: int) -> str:
    if drawn == attempts:
        return f"{count_text(attempts, 'attempt')}; click a bar for its story"
    text = f"{attempts:,} attempts as {drawn:,} bars: short ones beside each other are one"
    return text + f"; {attempts - told:,} are not drawn" * (told < attempts)


def _dag_note(tasks: int, shown: int) -> str:
    if shown == tasks:
        return "click a task for its story"
    return f"{shown:,} of {tasks:,} tasks are drawn: the critical path, failures, and a sample"
