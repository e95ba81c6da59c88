"""The tables on the screen, as data: what is in them, in which order, and how wide it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ..client.data import age, short, span
from ..client.holdups import STUCK
from ..client.status import QueuePart, Status
from ..client.status_parts import DeadEngine
from ..client.status_text import does, trouble

BAR = 6
"""How many characters wide the bar of a label's progress is."""

MOST = 22
"""How wide any other column is at most."""


ROWS = 200
"""How many rows are shown at most: to draw one takes 0.3 ms, and that once a second."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    name : str
        Its heading.
    least : int
        Of the one column that gets the room that others leave: how wide it is at least, so that
        others are left out for it.  0 for any other column.
    is_number : bool
        Whether it is aligned to the right, and sorted with the largest first.
    """

    name: str
    least: int = 0
    is_number: bool = False


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes
    ----------
    key : str
        What it is about: stays the same from one status to the next.
    cells : tuple of str
        What is shown.
    values : tuple
        By what it is sorted, for each column; None comes last.
    style : str
        ``'bad'``, ``'warn'``, ``'dim'``, or nothing.
    task : str or None
        The task whose story it leads to.
    """

    key: str
    cells: tuple[str, ...]
    values: tuple[Any, ...]
    style: str = ""
    task: str | None = None


@dataclass(frozen=True)
class Table:
    """What one table shows.

    Attributes
    ----------
    title : str
        What it is.
    count : int
        How many there are, those that are not in the rows included.
    rows : list of Row
        What is known of them, in the order in which they should be seen.
    """

    title: str
    count: int
    rows: list[Row]


WAITING = (
    Column("label"),
    Column("since"),
    Column("why it waits", least=40),
    Column("task"),
    Column("priority", is_number=True),
)
LABELS = (
    Column("label", least=18),
    Column("progress", is_number=True),
    Column("failed", is_number=True),
    Column("run", is_number=True),
    Column("ready", is_number=True),
    Column("wait", is_number=True),
)
ENGINES = (
    Column("engine"),
    Column("works on", least=14),
    Column("done", is_number=True),
    Column("failed attempts", is_number=True),
    Column("load", is_number=True),
    Column("host"),
)
FAILURES = (
    Column("tasks", is_number=True),
    Column("began with", least=16),
    Column("the latest"),
)

_ID = re.compile(r"\S{30,}")


def waiting(status: Status) -> Table:
    """The oldest tasks that no engine has or takes, those that are stuck first."""
    tasks = sorted(status.oldest, key=lambda task: task.kind not in STUCK)
    rows = []
    for task in tasks:
        cells = (
            task.label or "",
            age(status, task.since),
            _ID.sub(lambda found: short(found[0]), task.reason),  # whole ids leave no room
            short(task.msg_id),
            f"{task.priority}",
        )
        values = (task.label, task.since, task.reason, task.msg_id, task.priority)
        style = ""
        if task.kind in STUCK:
            style = "bad" if task.kind in ("stranded", "unreachable", "no_engine") else "warn"
        rows.append(Row(task.msg_id, cells, values, style, task.msg_id))
    return Table("Waiting", len(rows) + status.oldest_more, rows)


def labels(status: Status) -> Table:
    """The parts of the queue, the largest first, and what is in none of them."""
    name = _namer(status.queue)
    counts = []
    for part in status.queue:
        done = part.succeeded + part.failed
        counts.append((done, done + part.waiting + part.ready + part.assigned))
    texts = [f"{done:,}/{total:,}" for done, total in counts]
    width = max(map(len, texts), default=0)
    rows = []
    for part, (done, total), text in zip(status.queue, counts, texts, strict=True):
        numbers = (part.failed, part.assigned, part.ready, part.waiting)
        progress = f"{bar(done, total, BAR)} {text:>{width}}"
        cells = (name(part), progress, *(f"{number:,}" if number else "-" for number in numbers))
        key = f"{part.client} {part.priority} {part.label}"
        values = (name(part), done / total, *numbers)
        rows.append(Row(key, cells, values, "warn" if part.failed else ""))
    rest = status.succeeded + sum(status.failed.values()) - sum(done for done, _ in counts)
    if rest > 0 or status.queue_more:
        more = f", {status.queue_more:,} not" if status.queue_more else ""
        cells = (f"others: {max(0, rest):,} finished{more}", *[""] * (len(LABELS) - 1))
        rows.append(Row("", cells, (None,) * len(LABELS), "dim"))
    return Table("Labels", len(status.queue), rows)


def _namer(parts: list[QueuePart]) -> Callable[[QueuePart], str]:
    """Names parts by their label; by client and priority, too, where these differ.

    The label comes first, and the client has no more letters than tell it from others: there is
    little room, and what is cut off is the end.
    """
    clients = _ends({part.client for part in parts})
    has_priorities = len({part.priority for part in parts}) > 1

    def name(part: QueuePart) -> str:
        others = [clients[part.client]] * (len(clients) > 1)
        others += [f"priority {part.priority}"] * has_priorities
        text = part.label or "(no label)"
        return f"{text} ({', '.join(others)})" if others else text

    return name


def _ends(names: Collection[str]) -> dict[str, str]:
    """The ends of names, as long as they have to be to differ: clients mostly begin alike."""
    size = 4
    while len({name[-size:] for name in names}) < len(names):
        size += 1
    return {name: name if len(name) <= size + 2 else f"..{name[-size:]}" for name in names}


def engines(status: Status) -> Table:
    """The engines; those with which something is wrong first, then those longest at a task.

    Before them stand those that died with tasks, for as long as these may still be answered.
    """
    rows = [_dead(status, engine) for engine in status.dead]
    for engine in sorted(status.engines, key=trouble):
        numbers = (engine.done, engine.failed, engine.load)
        name = short(engine.uuid) if engine.id is None else f"{engine.id}"
        style = "warn" if engine.paused or engine.failed else ""
        style = "bad" if engine.unreachable is not None else style or ("" if engine.load else "dim")
        what = does(status, engine)
        cells = (name, what, *(f"{number:g}" for number in numbers), engine.host or "")
        values = (engine.id, engine.since, *numbers, engine.host)
        rows.append(Row(engine.uuid, cells, values, style, engine.task))
    return Table("Engines", len(status.engines), rows)


def _dead(status: Status, engine: DeadEngine) -> Row:
    name = short(engine.uuid) if engine.id is None else f"{engine.id}"
    left = span(max(0.0, (engine.until - status.time).total_seconds()))
    what = f"died with {engine.label or short(engine.task)}, which may be answered for {left}"
    cells = (name, what, "", "", f"{engine.held}", engine.host or "")
    values = (engine.id, engine.since, None, None, engine.held, engine.host)
    return Row(f"{engine.uuid} died {engine.died}", cells, values, "bad", engine.task)


def failures(status: Status) -> Table:
    """What has failed, by the error with which it began, the most frequent first.

    A row leads to the last task that failed so itself.
    """
    rows = []
    for name, times in sorted(status.causes.items(), key=lambda item: -item[1]):
        example = status.examples[name]
        text = f"{name}: {example.text}" if example.text else name
        values = (times, name, example.label)
        cells = (f"{times:,}", text, example.label or short(example.msg_id))
        rows.append(Row(name, cells, values, "bad", example.msg_id))
    kinds = sorted(status.failed.items(), key=lambda item: -item[1])
    for kind, number in kinds:
        text = f"of these: {kind.replace('_', ' ')}"
        rows.append(Row(f"of {kind}", (f"{number:,}", text, ""), (None,) * 3, "dim"))
    return Table("Failures", sum(status.failed.values()), rows)


def arranged(
    table: Table, columns: tuple[Column, ...], text: str, sort: int | None, is_reversed: bool
) -> list[Row]:
    """The rows that have a text, sorted; the first `ROWS` of them.

    Parameters
    ----------
    table : Table
        All rows.
    columns : tuple of Column
        Its columns.
    text : str
        What the cells, or the id of the task, have to contain, in whatever case.
    sort : int or None
        By which column; None for the order in which they should be seen.
    is_reversed : bool
        Whether the order is turned round; what has no value stays last.
    """
    wanted = text.lower()
    rows = [row for row in table.rows if wanted in " ".join([*row.cells, row.key]).lower()]
    if sort is None:
        return _first(rows[::-1] if is_reversed else rows, columns)
    known = [row for row in rows if row.values[sort] is not None]
    known.sort(key=lambda row: row.values[sort], reverse=columns[sort].is_number != is_reversed)
    return _first(known + [row for row in rows if row.values[sort] is None], columns)


def _first(rows: list[Row], columns: tuple[Column, ...]) -> list[Row]:
    """As many as are shown, and a row that counts the others."""
    if len(rows) <= ROWS:
        return rows
    text = f"... {len(rows) - ROWS:,} more: / finds them"
    cells = tuple(text if column.least else "" for column in columns)
    return [*rows[:ROWS], Row("more", cells, (None,) * len(columns), "dim")]


def widths(columns: tuple[Column, ...], heads: list[str], rows: list[Row], room: int) -> list[int]:
    """How wide each column is; 0 for one that is left out, since there is no room.

    Parameters
    ----------
    columns : tuple of Column
        The columns; the last ones are left out first, the first one never.
    heads : list of str
        What is above them.
    rows : list of Row
        What is in them.
    room : int
        How many characters there are; each column has a space on either side of it.
    """
    found = [
        max(len(head), *(len(row.cells[i]) for row in rows)) if rows else len(head)
        for i, head in enumerate(heads)
    ]
    wide = next(i for i, column in enumerate(columns) if column.least)
    found = [width if i == wide else min(width, MOST) for i, width in enumerate(found)]
    least = min(columns[wide].least, found[wide])

    def left() -> int:
        return room - 2 - sum(width + 2 for i, width in enumerate(found) if width and i != wide)

    for i in reversed(range(1, len(columns))):
        if left() >= least:
            break
        if i != wide:
            found[i] = 0
    found[wide] = max(1, left())
    return found


def bar(done: int, total: int, width: int) -> str:
    """A bar; it is full only when all is done."""
    full = done * width // total if total else 0
    return "█" * full + "░" * (width - full)
