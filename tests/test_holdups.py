"""What holds a run up, as `top` says it; and what its tables leave out where there is no room."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ipp_richsched.client.holdups import Level, holdups
from ipp_richsched.client.status import Example, QueuePart, Status, WaitingTask
from ipp_richsched.monitor import tables
from ipp_richsched.monitor.top import head

from .test_status import NOW, dead, engine, status_with, waiting


def waits_for(msg_id: str, *others: str) -> WaitingTask:
    """A task that waits for others."""
    pending = [{"field": "after", "msg_ids": list(others), "more": 0, "any": False}]
    return replace(waiting(msg_id, "dependencies"), details={"pending": pending})


AGO = NOW - timedelta(minutes=12)
BUSY = engine(1, task="t1", label="align", since=AGO, load=1)
IDLE = engine(0)
AWAY = engine(2, unreachable=NOW - timedelta(seconds=41), load=2)


@pytest.mark.parametrize(
    ("status", "level", "text"),
    [
        (status_with(), Level.CALM, "No task was submitted yet; 0 engines are registered."),
        (status_with(succeeded=1), Level.CALM, "The only task is finished."),
        (status_with(succeeded=1_200), Level.CALM, "All 1,200 tasks are finished."),
        (
            status_with(assigned=1, engines=[BUSY]),
            Level.CALM,
            "Nothing holds the run up: 1 task is on engines.",
        ),
        (
            status_with(ready=3, waiting=1),
            Level.STUCK,
            "No engine is registered, and 4 tasks wait for one.",
        ),
        (
            status_with(ready=1, assigned=1, engines=[BUSY]),
            Level.BUSY,
            "The only engine is busy, and 1 task waits for room: more engines would help.",
        ),
        (
            status_with(ready=20, assigned=2, engines=[BUSY, BUSY]),
            Level.BUSY,
            "Both engines are busy, and 20 tasks wait for room: more engines would help.",
        ),
        (
            status_with(ready=20, assigned=3, engines=[BUSY] * 3),
            Level.BUSY,
            "All 3 engines are busy, and 20 tasks wait for room: more engines would help.",
        ),
        (
            status_with(ready=20, engines=[AWAY, AWAY]),
            Level.STUCK,
            "Engines 2 and 2 cannot be reached for 41 s, and hold 4 tasks.",
        ),
        (
            status_with(assigned=1, dead=[dead(2, host="node-7:4711", label="fit")]),
            Level.HELD,
            "Engine 2 on node-7:4711 died with task fit: failed, or to be tried again, if no answer"
            " comes within 4 s.",
        ),
        (
            status_with(assigned=3, dead=[dead(2, host="127.0.0.1", held=3)]),
            Level.HELD,
            "Engine 2 died with 3 tasks, such as t1: failed, or to be tried again, if no answer"
            " comes within 4 s.",
        ),
        (
            status_with(assigned=2, dead=[dead(2, until=NOW), dead(5, host="node-7")]),
            Level.HELD,
            "Engines 2 and 5 died with 2 tasks, such as t1: failed, or to be tried again, if no"
            " answer comes within 4 s.",
        ),
        (
            status_with(waiting=1, engines=[IDLE, IDLE]),
            Level.HELD,
            "Both engines are idle: 1 task waits for others to finish.",
        ),
        (
            status_with(ready=2, oldest=[waiting("a", "stranded"), waiting("b", "stranded")]),
            Level.STUCK,
            "Task a why a (1 more like it).",
        ),
        (status_with(ready=1, oldest=[waiting("a", "retry")]), Level.HELD, "Task a why a."),
        (
            status_with(ready=1, engines=[BUSY, AWAY]),
            Level.STUCK,
            "Engine 2 cannot be reached for 41 s, and holds 2 tasks.",
        ),
        (
            status_with(engines=[engine(n, paused=True) for n in range(5)]),
            Level.HELD,
            "Engines 0, 1, 2 and 2 more are being interrupted.",
        ),
        (
            status_with(engines=[engine(n, paused=True) for n in range(4)]),
            Level.HELD,
            "Engines 0, 1, 2 and 3 are being interrupted.",
        ),
        (
            status_with(ready=1, oldest=[waiting("a", "no_room")], engines=[BUSY, IDLE]),
            Level.HELD,
            "1 of 2 engines is idle, but task a why a.",
        ),
        (
            status_with(
                waiting=2,
                assigned=1,
                oldest=[waits_for("a", "t1"), waits_for("b", "t1", "a")],
                engines=[BUSY, IDLE, IDLE],
            ),
            Level.HELD,
            "2 of 3 engines are idle: 2 tasks wait for align, which engine 1 has had for 12 min.",
        ),
        (
            status_with(
                waiting=2, oldest=[waits_for("a", "t1"), waits_for("b", "a")], engines=[BUSY, IDLE]
            ),
            Level.HELD,
            "1 of 2 engines is idle: 1 task waits for align, which engine 1 has had for 12 min"
            " (of 2 that wait).",
        ),
        (
            status_with(waiting=1, engines=[IDLE]),
            Level.HELD,
            "The only engine is idle: 1 task waits for others to finish.",
        ),
        (
            status_with(failed={"raised": 9}, causes={"A": 1, "B": 5, "C": 2, "D": 1}),
            Level.FAILED,
            "9 tasks have failed. It began with B (5 tasks), e.g. task B-1: 'it broke'; then C (2),"
            " A (1) and D (1).",
        ),
        (
            status_with(failed={"raised": 9}, causes={"A": 5, "B": 1, "C": 1, "D": 1, "E": 1}),
            Level.FAILED,
            "9 tasks have failed. It began with A (5 tasks), e.g. task A-1: 'it broke'; then B (1),"
            " C (1) and 2 other errors.",
        ),
        (
            status_with(
                failed={"raised": 2},
                causes={"A": 2},
                examples={"A": Example("m1", "fit", f"{'x' * 79} and {'y' * 79}")},
            ),
            Level.FAILED,
            f"2 tasks have failed. It began with A (2 tasks), e.g. task fit: '{'x' * 79}...'.",
        ),
        (
            status_with(
                failed={"raised": 1}, causes={"A": 1}, examples={"A": Example("m1", "fit", "")}
            ),
            Level.FAILED,
            "1 task has failed. It began with A in task fit.",
        ),
        (
            status_with(failed={"raised": 1, "cancelled": 3}, causes={"A": 1, "TaskAborted": 4}),
            Level.FAILED,
            "1 task has failed. It began with A in task A-1: 'it broke'.",
        ),
        (
            status_with(failed={"raised": 1}, causes={"A": 1}),
            Level.FAILED,
            "1 task has failed. It began with A in task A-1: 'it broke'.",
        ),
        (
            status_with(causes={"A": 501, "B": 1}, causes_lately={"A": 1, "B": 1}),
            Level.FAILED,
            "2 tasks have failed in the last hour (500 before)."
            " It began with A in task A-1: 'it broke'; then B (1).",
        ),
        (
            status_with(failed={"raised": 1}, succeeded=3, causes={"A": 1}),
            Level.CALM,
            "All 4 tasks are finished; 1 of them failed.",
        ),
        (
            status_with(failed={"raised": 1}, causes={"A": 1}),
            Level.CALM,
            "The only task has failed.",
        ),
        (
            status_with(lag=2.34),
            Level.HELD,
            "The scheduler is slow: a message may have waited 2.3 s for it.",
        ),
    ],
)
def test_it_is_said_in_a_sentence(status: Status, level: Level, text: str) -> None:
    found = {holdup.text: holdup.level for holdup in holdups(status)}
    assert found.get(text) is level, found


def test_what_clients_took_back_has_not_failed() -> None:
    [found] = holdups(status_with(failed={"cancelled": 50}, causes={"TaskAborted": 50}))
    assert (found.level, found.text) == (Level.CALM, "All 50 tasks are finished.")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1 task failed 12 min ago. It began with A in task A-1: 'it broke'."),
        (
            5,
            "5 tasks failed, the last 12 min ago."
            " It began with A (5 tasks), e.g. task A-1: 'it broke'.",
        ),
    ],
)
def test_failures_of_yesterday_come_behind_what_is_the_matter_now(number: int, text: str) -> None:
    status = status_with(
        ready=20,
        assigned=2,
        engines=[BUSY, BUSY],
        failed={"raised": number, "cancelled": 1},
        causes={"A": number, "TaskAborted": 1},
        causes_lately={"TaskAborted": 1},
        last_failed=AGO,
    )
    busy, failed = holdups(status)
    assert busy.level is Level.BUSY
    assert (failed.level, failed.text) == (Level.FAILED, text)
    calm, failed = holdups(replace(status, ready=0, engines=[IDLE]))
    assert (calm.level, failed.text) == (Level.CALM, text)


def test_stranded_tasks_are_told_that_are_not_among_the_oldest() -> None:
    found = holdups(status_with(ready=201, stranded=1, engines=[BUSY]))
    assert [(each.level, each.text) for each in found] == [
        (Level.STUCK, "1 task is stranded: no registered engine takes it."),
        (
            Level.BUSY,
            "The only engine is busy, and 200 tasks wait for room: more engines would help.",
        ),
    ]
    oldest = [waiting("a", "stranded"), waiting("b", "stranded")]
    [found] = holdups(status_with(ready=500, stranded=500, oldest=oldest, engines=[BUSY]))
    assert (found.level, found.text) == (Level.STUCK, "Task a why a (499 more like it).")


def test_the_worst_comes_first() -> None:
    status = status_with(
        ready=2,
        oldest=[waiting("a", "retry"), waiting("b", "unreachable")],
        engines=[BUSY],
        failed={"raised": 1},
        causes={"A": 1},
    )
    levels = [holdup.level for holdup in holdups(status)]
    assert levels == [Level.STUCK, Level.FAILED, Level.HELD, Level.BUSY]


# -- tables --------------------------------------------------------------------------------


def part(label: str | None, **fields: Any) -> QueuePart:
    values: dict[str, Any] = dict.fromkeys(QueuePart.__dataclass_fields__, 0)
    return QueuePart(**{**values, "client": "c", "label": label, "waiting": 1, **fields})


def test_labels_are_told_apart_by_client_and_priority_only_where_they_have_to() -> None:
    def names(*parts: QueuePart) -> list[str]:
        return [row.cells[0] for row in tables.labels(status_with(queue=[*parts])).rows]

    assert names(part("a"), part(None)) == ["a", "(no label)"]
    assert names(part("a"), part("a", priority=2)) == ["a (priority 0)", "a (priority 2)"]
    assert names(part("a"), part("a", client="d")) == ["a (c)", "a (d)"]
    clients = [part("a", client=client, priority=1) for client in ("00f4b0dc51", "00f4b0dc52")]
    assert names(*clients) == ["a (..dc51)", "a (..dc52)"]
    clients.append(part("a", client="00f4b1dc52"))
    assert names(*clients)[1:] == ["a (..0dc52, priority 1)", "a (..1dc52, priority 0)"]


def test_what_is_in_no_label_is_said() -> None:
    status = status_with(
        queue=[part("a", succeeded=2, failed=1)], queue_more=7, succeeded=10, failed={"raised": 1}
    )
    assert tables.labels(status).rows[-1].cells[0] == "others: 8 finished, 7 not"
    rows = tables.labels(status_with(queue=[part("a", succeeded=2)], succeeded=2)).rows
    assert [row.cells[0] for row in rows] == ["a"]


def test_a_bar_is_full_only_when_all_is_done() -> None:
    assert tables.bar(999, 1_000, 8) == "███████░"
    assert tables.bar(8, 8, 8) == "█" * 8
    assert tables.bar(0, 0, 2) == "░░"


def test_of_very_many_rows_the_first_are_shown_and_the_others_are_counted() -> None:
    engines = [replace(IDLE, uuid=f"e{number:04d}", id=number) for number in range(1_024)]
    table = tables.engines(status_with(engines=engines))
    assert table.count == 1_024
    shown = tables.arranged(table, tables.ENGINES, "", 0, is_reversed=True)
    assert [row.cells[0] for row in shown[:2]] == ["1023", "1022"]
    assert len(shown) == tables.ROWS + 1
    assert shown[-1].cells[1] == "... 824 more: / finds them"
    [found] = tables.arranged(table, tables.ENGINES, "E0007", None, is_reversed=False)
    assert found.cells[0] == "7"


@pytest.mark.parametrize("room", [20, 40, 60, 80, 140])
def test_columns_fill_the_room_and_no_more(room: int) -> None:
    status = status_with(oldest=[replace(waiting("m" * 60, "x" * 50), label="label")], ready=1)
    rows = tables.waiting(status).rows
    heads = [column.name for column in tables.WAITING]
    found = tables.widths(tables.WAITING, heads, rows, room)
    assert sum(width + 2 for width in found if width) == room
    assert found[0]  # what the row is about
    assert found[2]  # why it waits


def test_whatever_there_is_has_a_place_in_the_bar() -> None:
    status = status_with(succeeded=10**6, failed={"raised": 1}, assigned=1)
    [line] = head.progress(status, 40, has_numbers=False).plain.splitlines()
    assert len(line) == 40
    assert "▓" in line
    assert "99 % done" in line
