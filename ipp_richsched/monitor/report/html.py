"""The parts of a report's page that are text and tables; every text of a user is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ...client.holdups import Holdup
from ...workflows.runs import Run
from .account import Account, EngineTime
from .failures import FailureGroup
from .tables import engine_rows, group_rows, slowest
from .words import count_text, names_text, seconds_text, share_text, task_text

SHOWN = 50
"""How many failures and labels are listed; of others it is said how many there are."""

_ENGINE_PARTS = {
    "running": "working on tasks",
    "overhead": "between two tasks",
    "starved": "idle, no task was ready",
    "passed": "idle although tasks were ready",
}
_TASK_PARTS = {
    "waiting": "waiting for other tasks",
    "queueing": "queueing for an engine",
    "running": "running",
}


def verdict_html(holdups: Iterable[Holdup]) -> str:
    """What held the run up."""
    items = (f'<li class="{each.level.name.lower()}">{escape(each.text)}</li>' for each in holdups)
    return f'<ul class="verdict">{"".join(items)}</ul>'


def notes_html(notes: Sequence[str]) -> str:
    """What is missing; nothing if nothing is."""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if notes else ""


def account_html(account: Account) -> str:
    """Where the time went: two bars."""
    engines, tasks = account.engine_total, account.task_total
    return (
        f"<h3>{escape(seconds_text(engines.total))} of engines</h3>"
        + _bar(_ENGINE_PARTS, _engine_seconds(engines))
        + f"<h3>{escape(seconds_text(tasks.total))} of tasks</h3>"
        + _bar(_TASK_PARTS, [tasks.waiting, tasks.queueing, tasks.running])
    )


def failures_html(run: Run, failures: Sequence[FailureGroup]) -> str:
    """Failures by that with which they began; nothing if there are none."""
    if not failures:
        return ""
    head = ["began with", "failed so", "never ran for it", "first", "after", "labels"]
    rows = []
    for group in failures[:SHOWN]:
        first = run.tasks[group.first]
        labels = dict.fromkeys(run.tasks[msg_id].group for msg_id in group.began)
        when = seconds_text((first.ended or first.submitted) - run.start)
        error = f"<b>{escape(group.problem)}</b>" + f": {escape(group.error)}" * bool(group.error)
        rows.append(
            [
                f'<td class="text">{error}</td>',
                _number(f"{len(group.began):,}"),
                _number(f"{len(group.entailed):,}"),
                _cell(task_text(first)),
                _number(when),
                _cell(names_text([*labels])),
            ]
        )
    table = _table(head, rows, {1, 2, 4}) + _more(len(failures), "kind of failure")
    return f"<section><h2>Failures, by that with which they began</h2>{table}</section>"


def engines_html(run: Run, account: Account) -> str:
    """What each engine did; all of them are listed."""
    head = ["engine", "succeeded", "failed attempts", "worked", "its time", "was there", ""]
    rows = [
        [
            _cell(row.name),
            _number(f"{row.succeeded:,}"),
            _number(f"{row.failed:,}", is_bad=row.failed > 0),
            _number(share_text(row.time.share(row.time.running))),
            f"<td>{_segments(_ENGINE_PARTS, _engine_seconds(row.time), 'bar thin')}</td>",
            _cell(f"{seconds_text(row.since)} to {seconds_text(row.until)}"),
            f'<td class="bad">{row.fate}</td>' if row.fate == "died" else _cell(row.fate),
        ]
        for row in engine_rows(run, account)
    ]
    return _table(head, rows, {1, 2, 3})


def groups_html(run: Run, account: Account) -> str:
    """What the tasks of each label did."""
    head = [
        "label",
        "tasks",
        "succeeded",
        "failed",
        "of these never ran",
        "all took",
        "half took less than",
    ]
    head += ["longest", "waited for others", "queued"]
    every = group_rows(run, account)
    rows = [
        [
            f'<td class="text">{escape(row.name)}</td>',
            _number(f"{row.tasks:,}"),
            _number(f"{row.succeeded:,}"),
            _number(f"{row.failed:,}", is_bad=row.failed > 0),
            _number(f"{row.never_ran:,}", is_bad=row.never_ran > 0),
            *(
                _number(seconds_text(seconds))
                for seconds in (row.seconds, row.middle, row.longest, row.waiting, row.queueing)
            ),
        ]
        for row in every[:SHOWN]
    ]
    return _table(head, rows, set(range(1, 10))) + _more(len(every), "label")


def slowest_html(run: Run) -> str:
    """The tasks that took longest."""
    head = ["task", "took", "attempts", "where", "began", "how it stands"]
    rows = [
        [
            f'<td class="text">{escape(task_text(task))}</td>',
            _number(seconds_text(task.seconds)),
            _number(f"{len(task.stretches)}", is_bad=len(task.stretches) > 1),
            _cell(task.stretches[-1].engine),
            _number(seconds_text(task.stretches[0].start - run.start)),
            _cell(task.state),
        ]
        for task in slowest(run)
    ]
    return _table(head, rows, {1, 2, 4})


def _engine_seconds(time: EngineTime) -> list[float]:
    return [time.running, time.overhead, time.starved, time.passed_over]


def _bar(parts: dict[str, str], seconds: Sequence[float]) -> str:
    total = sum(seconds)
    keys = "".join(
        f'<li><i class="{kind}"></i>{escape(words)}:'
        f" {escape(share_text(each / total if total else 0.0))} ({escape(seconds_text(each))})</li>"
        for (kind, words), each in zip(parts.items(), seconds, strict=True)
    )
    return f'{_segments(parts, seconds, "bar")}<ul class="key">{keys}</ul>'


def _segments(parts: dict[str, str], seconds: Sequence[float], style: str) -> str:
    total = sum(seconds) or 1.0
    inner = "".join(
        f'<i class="{kind}" style="width: {100 * each / total:.2f}%" title="{escape(words)}"></i>'
        for (kind, words), each in zip(parts.items(), seconds, strict=True)
        if each > 0
    )
    return f'<div class="{style}">{inner}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: set[int]) -> str:
    cells = "".join(
        f'<th class="number">{name}</th>' if place in numbers else f"<th>{name}</th>"
        for place, name in enumerate(head)
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _number(text: str, *, is_bad: bool = False) -> str:
    return f'<td class="number{" bad" if is_bad else ""}">{escape(text)}</td>'


def _more(number: int, what: str) -> str:
    more = number - SHOWN
    return f'<p class="more">and {count_text(more, f"more {what}")}</p>' if more > 0 else ""
