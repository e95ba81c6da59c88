"""What is written on the page, as HTML; whatever comes from users is escaped here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape

from ...client.data import short, span
from ...client.holdups import Holdup, Level, holdups, seconds_left
from ...client.status import Status
from ...client.why import Story
from .. import tables
from ..live.labels import progress_of
from ..live.model import Failures, Live, Loss
from ..live.tasks import LiveTask
from .look import STATES, group_colour

SENTENCES = 4
"""So many sentences say what holds the run up."""

ROWS = 100
"""So many rows a table has at most."""

NAME = 26
"""So many characters of a label are written."""

_LABEL = 18  # and so many beside a reason, which needs the room
_LINKS = 12  # so many other tasks are named in a story

_IN_BAR = ("succeeded", "failed", "never ran", "lost", "running", "ready", "waiting", "unknown")

_ID = re.compile(r"\S{30,}")


def name_of(task: LiveTask) -> str:
    """What people call a task: its label, else what tells its id from others."""
    return task.label or short(task.msg_id)


def shortened(name: str, room: int) -> str:
    """A name of so many characters: its begin and its end, by which names differ most."""
    end = room // 3
    return name if len(name) <= room else f"{name[: room - end - 1]}…{name[-end:]}"


def clock(when: float) -> str:
    """A time of the day where the reader is."""
    return f"{datetime.fromtimestamp(when):%H:%M:%S}"


def as_of(status: Status) -> str:
    """When things stood so."""
    return clock(status.time.timestamp())


# -- above the panels --------------------------------------------------------------------


def verdict(
    status: Status | None, error: str | None, answers: int, losses: Sequence[Loss] = ()
) -> str:
    """What holds the run up, the worst first and large; if nobody answers, that comes first.

    What was lost with a controller is said as long as the dashboard runs, since nobody else knows
    of it: no later answer of a scheduler will.
    """
    found: list[tuple[str, str, str]] = []
    if error is not None:
        before = f" What is below is as of {as_of(status)}." if status and answers else ""
        found.append(("none", "NO ANSWER", f"{_sentence(error.rstrip('.'))} Trying again.{before}"))
    told = holdups(status) if status is not None else []
    lost = [Holdup(Level.FAILED, text) for text in _lost(losses)]
    room = SENTENCES - len(found) - len(lost)  # this has a place, whatever else there is
    worse = sum(holdup.level > Level.FAILED for holdup in told[:room])
    told = [*told[:worse], *lost, *told[worse:room]]
    found += [(holdup.level.name.lower(), holdup.level.word, holdup.text) for holdup in told]
    if not found:
        found.append(("wait", "...", "The scheduler is asked how things stand."))
    return "".join(
        f'<li class="{level}"><b>{word}</b><span>{escape(text)}</span></li>'
        for level, word, text in found[:SENTENCES]
    )


def _lost(losses: Sequence[Loss]) -> Iterator[str]:
    """A sentence of what was lost, and one of what may have finished while nobody looked."""
    lost = [loss for loss in losses if loss.seen is None]
    if lost:
        number, last = sum(loss.number for loss in lost), clock(lost[-1].when)
        what, they, them = _those(number)
        when = f"at {last}" if len(lost) == 1 else f"{len(lost):,} times, the last at {last}"
        yield (
            f"{what} {'was' if number == 1 else 'were'} lost: {they} had not finished when the"
            f" controller went. Another one was started {when}, and knows nothing of {them}. Submit"
            f" {them} again."
        )
    perhaps = [(loss.number, loss.seen) for loss in losses if loss.seen is not None]
    if perhaps:
        number, seen = sum(number for number, _ in perhaps), clock(perhaps[-1][1])
        what, they, them = _those(number)
        some = "it" if number == 1 else "some of them"
        often = "" if len(perhaps) == 1 else f" That happened {len(perhaps):,} times."
        yield (
            f"{what} may be lost: {they} had not finished at {seen}, and then nobody looked."
            f" Another controller was started since, and knows nothing of {them}; {some} may have"
            f" finished before.{often}"
        )


def _those(number: int) -> tuple[str, str, str]:
    """So many tasks, and what stands for them as a subject and as an object."""
    return ("1 task", "it", "it") if number == 1 else (f"{number:,} tasks", "they", "them")


def totals(status: Status) -> str:
    """How far all tasks are: a bar, and the numbers."""
    states = Counter(
        succeeded=status.succeeded,
        failed=sum(status.failed.values()),
        running=status.assigned,
        ready=status.ready,
        waiting=status.waiting,
    )
    total = states.total()
    done = states["succeeded"] + states["failed"]
    rate = status.rates.succeeded + status.rates.failed
    seconds = seconds_left(status)
    left = f", about {span(seconds)} left" if seconds is not None else ""
    share = f"{100 * done // total} %" if total else "no tasks yet"
    numbers = "".join(
        f'<span><i style="background:{STATES[state]}"></i>'
        f'<b data-count="{state}">{number:,}</b> {"on engines" if state == "running" else state}'
        "</span>"
        for state, number in states.items()
    )
    return (
        f'<div class="all">{_bar(states)}<b class="share">{share}</b></div>'
        f'<div class="numbers">{numbers}<span class="pale pace">{_pace(rate)}{left}</span></div>'
    )


def notes(live: Live) -> str:
    """What the picture does not show."""
    found = []
    if live.since is not None and not live.is_whole:
        found.append(f"single tasks are known since {clock(live.since)}; older ones are forgotten")
    for begin, end in live.gaps[-2:]:
        found.append(f"what happened from {clock(begin)} to {clock(end)} was missed")
    if live.skipped:
        what = "1 happening" if live.skipped == 1 else f"{live.skipped:,} happenings"
        found.append(f"{what} could not be taken in, the first: {live.skipped_text}")
    return escape(_sentence("; ".join(found)))


def stream_note(live: Live) -> str:
    """What is drawn of the attempts."""
    number = len(live.bars)
    told = f"{number:,} attempt{'s' * (number != 1)} over" if number else ""
    if live.bars.is_thinned:
        told += "; older short ones are drawn together: zoom in to see each"
    return told


# -- panels ------------------------------------------------------------------------------


def waiting(status: Status) -> str:
    """Why the oldest tasks wait."""
    table = tables.waiting(status)
    rows = table.rows[:ROWS]
    shown = [
        _row(
            [shortened(row.cells[0], _LABEL), *row.cells[1:3]],
            row.style,
            row.task,
        )
        for row in rows
    ]
    more = table.count - len(rows)
    return _table(["label", "since", "why it waits"], shown, "Nothing waits.", more)


def engines(status: Status) -> str:
    """What engines do; those with which something is wrong first."""
    rows = tables.engines(status).rows
    paused = {engine.uuid for engine in status.engines if engine.paused}
    shown = []
    for row in rows[:ROWS]:
        # what failed there is marked by itself: an engine that is idle is well
        style = "warn" if row.key in paused else "dim" if row.values[4] == 0 else ""
        style = "bad" if row.style == "bad" else style
        bad = (3,) if row.values[3] else ()
        shown.append(_row(row.cells[:5], style, row.task, right=(2, 3, 4), bad=bad))
    heads = ["engine", "works on", "done", "failed attempts", "load"]
    return _table(heads, shown, "No engine is registered.", len(rows) - len(shown), right=(2, 3, 4))


def labels(live: Live, status: Status | None) -> str:
    """How far the tasks of each label are: first what is not finished, then where some failed."""
    found = progress_of(live.labels, status.queue if status else (), live.is_whole)
    found.sort(key=lambda each: (not _unfinished(each[2]), not _bad(each[2]), -each[2].total()))
    rows = []
    for name, number, states in found[:ROWS]:
        done = states["succeeded"]
        bad = ", ".join(f"{count:,} {what}" for what, count in _bad(states).items())
        bad = f'<span class="bad">{bad}</span>' if bad else ""
        colour = group_colour(live.labels, number)
        rows.append(
            f'<tr><td class="label" title="{escape(name)}">'
            f'<i style="background:{colour}"></i>{escape(shortened(name, NAME))}'
            f"</td><td>{_bar(states)}</td>"
            f'<td class="number">{done:,}/{states.total():,}</td><td>{bad}</td></tr>'
        )
    return _table([], rows, "No task is known yet.", len(found) - len(rows))


def failures(live: Live, status: Status) -> str:
    """What has failed, by the error with which it began, the most frequent first."""
    rows = [_failure(loss.number, *_lost_text(loss), loss.first) for loss in reversed(live.losses)]
    causes = sorted(status.causes.items(), key=lambda each: -each[1])
    for name, number in causes[:ROWS]:
        known = live.failures.get(name, Failures())
        rows.append(_failure(number, name, known.text, known.first))
    return _table([], rows, "Nothing has failed.", max(0, len(causes) - ROWS))


def _lost_text(loss: Loss) -> tuple[str, str]:
    if loss.seen is None:
        text = f"not finished when it went; another one was started at {clock(loss.when)}"
        return "lost with their controller", text
    text = f"not finished at {clock(loss.seen)}; then nobody looked, and another one was started"
    return "lost with their controller, or finished before", text


def _failure(number: int, name: str, text: str | None, first: Sequence[LiveTask]) -> str:
    """So many tasks that failed in the same way, and the first of them."""
    links = ", ".join(map(_link, first))
    links += f" and {number - len(first):,} more" * bool(first and number > len(first))
    pale = f'<div class="pale">{escape(text)}</div>' if text else ""
    return (
        f'<tr><td class="number bad">{number:,}</td><td><b>{escape(name)}</b>{pale}'
        f"<div>{links}</div></td></tr>"
    )


def story(live: Live, msg_id: str, told: Story | None) -> str:
    """The story of a task, and its neighbours."""
    task = live.find(msg_id)
    lines = f"{told}".splitlines() if told is not None else ["The scheduler is asked ..."]
    if task is not None and told is not None and told.state == "unknown":
        lines = [f"task {msg_id} ({name_of(task)}): {task.state}"]
        if task.state == "lost":
            lines.append("  its controller went before it was finished")
    name = short(msg_id) if task is None else name_of(task)
    body = "".join(
        f'<p class="{"first" if not place else "more"}">{escape(line.strip())}</p>'
        for place, line in enumerate(lines)
    )
    if task is not None:
        parents = live.parents(task)
        body += _neighbours("parent", "It waited for", parents, task.parents_more)
        body += _neighbours("child", "What waits for it:", task.children, 0)
    return f"<h2>{escape(name)}</h2>{body}"


def _neighbours(kind: str, words: str, tasks: Sequence[LiveTask], more: int) -> str:
    if not tasks and not more:
        return ""
    more += max(0, len(tasks) - _LINKS)
    links = ", ".join(f"{_link(task)} ({task.state})" for task in tasks[:_LINKS])
    and_more = f" and {more:,} more" if more else ""
    return f'<p class="{kind}"><i></i>{words} {links}{and_more}</p>'


# -- of what these are made --------------------------------------------------------------


def _unfinished(states: Counter[str]) -> int:
    return states["waiting"] + states["ready"] + states["running"]


def _bad(states: Counter[str]) -> dict[str, int]:
    """How many tasks did not end well."""
    found = {"failed": states["failed"] + states["never ran"], "lost": states["lost"]}
    return {what: number for what, number in found.items() if number}


def _pace(rate: float) -> str:
    """How many tasks end, of so many a second."""
    if not rate:
        return "nothing finishes"
    if rate < 1:
        return f"{60 * rate:.3g} finish a minute"
    return f"{rate:,.0f} finish a second" if rate >= 10 else f"{rate:.1f} finish a second"


def _bar(states: Counter[str]) -> str:
    total = states.total()
    parts = "".join(
        f'<i style="width:{100 * states[state] / total:.3f}%;background:{STATES[state]}"></i>'
        for state in _IN_BAR
        if states[state]
    )
    return f'<div class="bar">{parts}</div>'


def _table(
    heads: Sequence[str], rows: Sequence[str], empty: str, more: int, right: Iterable[int] = ()
) -> str:
    if not rows and more <= 0:
        return f'<p class="empty">{empty}</p>'
    head = "".join(f"<th{_number(place in right)}>{name}</th>" for place, name in enumerate(heads))
    tail = f'<p class="pale">and {more:,} more</p>' if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{tail}"


def _row(
    cells: Sequence[str],
    style: str,
    task: str | None,
    right: Iterable[int] = (),
    bad: Iterable[int] = (),
) -> str:
    shown = "".join(
        f"<td{_number(place in right, place in bad)}>{escape(_without_ids(cell))}</td>"
        for place, cell in enumerate(cells)
    )
    link = f' data-task="{escape(task)}"' if task is not None else ""
    return f'<tr class="{style}"{link}>{shown}</tr>'


def _without_ids(text: str) -> str:
    """A text in which ids are short: whole ones leave no room."""
    return _ID.sub(lambda found: short(found[0]), text)


def _number(is_one: bool, is_bad: bool = False) -> str:
    classes = " ".join(["number"] * is_one + ["bad"] * is_bad)
    return f' class="{classes}"' if classes else ""


def _link(task: LiveTask) -> str:
    return f'<a data-task="{escape(task.msg_id)}">{escape(name_of(task))}</a>'


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
