"""A status as text for terminals, and as HTML for notebooks.

What holds the run up comes first: in sentences, then the tasks that wait, by why they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from .data import age, printable, short
from .holdups import STUCK, Level, holdups

ENGINES = 30
"""How many engines are shown; of others it is said how many there are."""


_COLOURS = {
    Level.CALM: "background: #2e7d32; color: white",
    Level.BUSY: "background: #1565c0; color: white",
    Level.HELD: "background: #fdd835; color: black",
    Level.FAILED: "background: #ef6c00; color: white",
    Level.STUCK: "background: #c62828; color: white",
}


def as_text(status: Any) -> str:
    """A `Status` for a terminal."""
    found = [f"{each.level.word}: {printable(each.text)}" for each in holdups(status)]
    parts = ["\n".join([*found, _headline(status)])]
    for title, head, rows in _tables(status):
        parts.append("\n".join([title, *_aligned([head, *rows])]))
    return "\n\n".join([*parts, _footer(status)])


def as_html(status: Any) -> str:
    """A `Status` for a notebook."""
    parts = [
        f'<p><b style="{_COLOURS[each.level]}; padding: 1px 6px">{each.level.word}</b>'
        f" {escape(each.text)}</p>"
        for each in holdups(status)
    ]
    parts.append(f"<p>{escape(_headline(status))}</p>")
    for title, head, rows in _tables(status):
        parts.append(f"<p>{escape(title)}</p>")
        parts.append(f"<table><thead>{_row(head, 'th')}</thead>")
        parts.append(f"<tbody>{''.join(_row(row, 'td') for row in rows)}</tbody></table>")
    footer = escape(_footer(status)).replace("\n", "<br>")
    return f"<div>{''.join(parts)}<p><small>{footer}</small></p></div>"


Table = tuple[str, list[str], list[list[str]]]


def _headline(status: Any) -> str:
    failed = sum(status.failed.values())
    stranded = f", {status.stranded:,} of these stranded" if status.stranded else ""
    return (
        f"{status.waiting:,} waiting, {status.ready:,} ready, {status.assigned:,} on"
        f" {_engines_text(len(status.engines))}{stranded}; {status.succeeded:,} succeeded,"
        f" {failed_text(failed, status.never_ran)}"
    )


def _tables(status: Any) -> Iterable[Table]:
    if status.oldest:
        yield _oldest(status)
    if status.causes:
        causes = sorted(status.causes.items(), key=lambda item: -item[1])
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in status.failed.items())
        rows = [[name, f"{number:,}", _example(status.examples[name])] for name, number in causes]
        head = ["error", "tasks", "the latest"]
        yield f"Failed, by the error with which it began ({kinds}):", head, rows
    if status.queue:
        yield _queue(status)
    if status.engines:
        yield _engines(status)


def _example(example: Any) -> str:
    """A task that failed, and what its error says."""
    task = f"{example.msg_id} ({example.label})" if example.label else example.msg_id
    return f"{task}: {example.text}" if example.text else task


def _oldest(status: Any) -> Table:
    """Those that are stuck first; then as they were submitted."""
    tasks = sorted(status.oldest, key=lambda task: task.kind not in STUCK)
    rows = [[task.msg_id, task.label or "", age(status, task.since), task.reason] for task in tasks]
    more = f", and {status.oldest_more:,} more" if status.oldest_more else ""
    title = f"Waiting, {len(tasks):,} of the oldest{more}:"
    return title, ["task", "label", "since", "why"], rows


def _queue(status: Any) -> Table:
    head = ["label", "client", "priority", *_STATES]
    rows = [
        [
            part.label or "",
            "you" if part.client == status.you else part.client,
            f"{part.priority}",
            *(f"{getattr(part, state):,}" for state in _STATES),
        ]
        for part in status.queue
    ]
    more = f" ({status.queue_more:,} more unfinished)" if status.queue_more else ""
    return f"Tasks by label, client and priority{more}:", head, rows


_STATES = ["waiting", "ready", "assigned", "succeeded", "failed"]


def _engines(status: Any) -> Table:
    """Those with which something is wrong first; then those that have worked longest on a task."""
    engines = sorted(status.engines, key=trouble)
    rows = [
        [
            engine.uuid if engine.id is None else f"{engine.id}",
            engine.host or "",
            f"{engine.load:g}",
            f"{engine.done:,}",
            f"{engine.failed:,}",
            does(status, engine),
        ]
        for engine in engines[:ENGINES]
    ]
    more = f", {len(engines) - ENGINES:,} of them not shown" if len(engines) > ENGINES else ""
    head = ["engine", "host", "load", "done", "failed attempts", "does"]
    return f"{_engines_text(len(engines))}{more}:", head, rows


def _engines_text(number: int) -> str:
    return "1 engine" if number == 1 else f"{number:,} engines"


def failed_text(failed: int, never_ran: int) -> str:
    """How many have failed, and how many of these no engine ever had."""
    if not never_ran:
        return f"{failed:,} failed"
    which = "all of them" if never_ran == failed else f"{never_ran:,} of them"
    return f"{failed:,} failed ({'it' if failed == 1 else which} never ran)"


def trouble(engine: Any) -> tuple[Any, ...]:
    """A key that has engines with which something is wrong first, then those longest at a task."""
    calm = (engine.unreachable is None, not engine.paused)
    return (*calm, *_last(engine.since), *_last(engine.id))  # who is idle keeps its place


def _last(value: Any) -> tuple[bool, Any]:
    """A key with which None comes last."""
    return value is None, value if value is not None else 0


def does(status: Any, engine: Any) -> str:
    """What an engine is at."""
    if engine.unreachable is not None:
        return f"cannot be reached for {age(status, engine.unreachable)}"
    if engine.paused:
        return "is being interrupted"
    if engine.task is None:
        return "idle"
    return f"{engine.label or short(engine.task)} for {age(status, engine.since)}"


def _footer(status: Any) -> str:
    rates = status.rates
    settings = "".join(f", {name}={value!r}" for name, value in status.settings.items())
    return (
        f"over the last {rates.seconds:.0f} s, a second: {rates.submitted:.3g} submitted,"
        f" {rates.succeeded:.3g} succeeded, {rates.failed:.3g} failed\n"
        f"ipp_richsched {status.version}, scheme {status.scheme}{settings};"
        f" {status.memory / 2**20:,.0f} MiB, lag {1000 * status.lag:.3g} ms"
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    pairs = [zip(row, widths, strict=True) for row in shown]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in pair).rstrip() for pair in pairs]


def _row(cells: Sequence[str], tag: str) -> str:
    style = ' style="text-align: left"'
    return f"<tr>{''.join(f'<{tag}{style}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
