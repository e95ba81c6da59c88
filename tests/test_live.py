"""What the dashboard knows of tasks, from happenings that are made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

import pytest

from ipp_richsched.client.happenings import Happening, Happenings, Place
from ipp_richsched.client.status import QueuePart
from ipp_richsched.client.status_parts import DeadEngine
from ipp_richsched.monitor.live import bars as bars_of_live
from ipp_richsched.monitor.live import graph as graph_of_live
from ipp_richsched.monitor.live import labels as labels_of_live
from ipp_richsched.monitor.live.bars import END_STATES, Bars
from ipp_richsched.monitor.live.columns import Reader, Rows
from ipp_richsched.monitor.live.engines import GONE
from ipp_richsched.monitor.live.labels import BEFORE, COLOURS, NONE, OTHERS, progress_of
from ipp_richsched.monitor.live.model import Live
from ipp_richsched.monitor.live.series import MOST, Series
from ipp_richsched.monitor.live.tasks import LiveTask

from .test_status import dead, engine, status_with

START = 1_700_000_000.0


class Scheduler:
    """Says what happens, and is asked by a model: `play` takes (seconds, task, what, fields)."""

    def __init__(self) -> None:
        self.live = Live()
        self.run = "r1"

    def play(self, *rows: tuple[Any, ...], missed: bool = False, **page: Any) -> Live:
        happenings = [
            Happening(START + when, msg_id, what, **(fields[0] if fields else {}))
            for when, msg_id, what, *fields in rows
        ]
        names = {each.engine for each in happenings if each.engine is not None}
        places = {name: Place(int(name[1:]), name, "host") for name in names}
        time = page.get("time", rows[-1][0] if rows else 0)
        more = page.get("more", False)
        self.live.take(Happenings(START + time, self.run, "m", missed, more, places, happenings))
        return self.live


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler()


def on(engine: str) -> dict[str, Any]:
    return {"engine": engine}


def labelled(label: str | None, *parents: str, cost: float | None = None) -> dict[str, Any]:
    return {"label": label, "parents": parents, "cost": cost}


def attempts(live: Live) -> list[tuple[str, str, float, float, str]]:
    """All that are over: task, engine, from when, to when, how."""
    bars = live.bars
    return [
        (
            live.tasks[bars.tasks[i]].msg_id,
            live.row_names[bars.rows[i]],
            round(bars.lefts[i] - START, 3),
            round(bars.rights[i] - START, 3),
            END_STATES[bars.end_states[i]],
        )
        for i in range(len(bars))
    ]


def states(live: Live) -> dict[str, str]:
    return {task.msg_id: task.state for task in live.tasks}


# -- tasks and attempts ------------------------------------------------------------------


def test_a_task_from_its_submission_to_its_end(scheduler: Scheduler) -> None:
    live = scheduler.play((0, "a", "submitted", labelled("fit")))
    assert states(live) == {"a": "waiting"}
    live = scheduler.play((1, "a", "ready"), (2, "a", "assigned", on("e7")))
    assert states(live) == {"a": "running"}
    live = scheduler.play((5, "a", "succeeded", on("e7")))
    assert states(live) == {"a": "succeeded"}
    assert attempts(live) == [("a", "engine 7", 2, 5, "succeeded")]
    [task] = live.tasks
    assert (task.submitted, task.ended, task.seconds) == (START, START + 5, 3)
    assert live.is_whole


@pytest.mark.parametrize(
    ("fields", "end_state"),
    [
        ({"outcome": "failed", "kind": "raised"}, "failed"),
        ({"outcome": "failed", "kind": "engine_died"}, "died"),
        ({"outcome": "failed", "kind": "engines_crashed"}, "died"),
        ({"outcome": "busy"}, "given back"),
        ({"outcome": "refused"}, "given back"),
        ({"outcome": "aborted"}, "failed"),
    ],
)
def test_how_an_attempt_ends_after_which_a_task_is_ready_again(
    scheduler: Scheduler, fields: dict[str, Any], end_state: str
) -> None:
    live = scheduler.play(
        (0, "a", "submitted", labelled("fit")),
        (0, "a", "assigned", on("e1")),
        (1, "a", "again", fields),
    )
    assert states(live) == {"a": "ready"}
    assert attempts(live) == [("a", "engine 1", 0, 1, end_state)]
    assert live.tasks[0].seconds == (end_state != "given back")


def test_what_never_came_to_its_engine_is_no_attempt(scheduler: Scheduler) -> None:
    live = scheduler.play(
        (0, "a", "submitted", labelled("fit")),
        (0, "a", "assigned", on("e1")),
        (1, "a", "again", {"outcome": "not_sent"}),
        (2, "a", "assigned", on("e2")),
    )
    assert attempts(live) == []
    assert [held.task.msg_id for each in live.engines for held in each.held.values()] == ["a"]


def test_a_task_that_failed_and_one_that_never_ran(scheduler: Scheduler) -> None:
    live = scheduler.play(
        (0, "a", "submitted", labelled("fit")),
        (0, "b", "submitted", labelled("sum", "a")),
        (1, "a", "assigned", on("e1")),
        (
            2,
            "a",
            "failed",
            {"engine": "e1", "kind": "raised", "reason": "E: x", "cause": "E", "ran": True},
        ),
        (
            2,
            "b",
            "failed",
            {"kind": "impossible", "reason": "a failed", "cause": "E", "ran": False},
        ),
    )
    assert states(live) == {"a": "failed", "b": "never ran"}
    [(cause, failures)] = live.failures.items()
    assert (cause, failures.number, failures.text) == ("E", 2, "E: x")
    assert [task.msg_id for task in failures.first] == ["a", "b"]


def test_an_engine_that_holds_several_works_on_one_after_the_other(scheduler: Scheduler) -> None:
    live = scheduler.play(
        *((0, name, "submitted", labelled("fit")) for name in "abc"),
        *((1, name, "assigned", on("e1")) for name in "abc"),
    )
    assert states(live) == {"a": "running", "b": "ready", "c": "ready"}
    live = scheduler.play((4, "a", "succeeded", on("e1")))
    assert states(live) == {"a": "succeeded", "b": "running", "c": "ready"}
    # the engine dies: what it had not begun took no time
    died = {"outcome": "failed", "kind": "engine_died"}
    live = scheduler.play((6, "b", "again", died), (6, "c", "again", died))
    assert attempts(live) == [
        ("a", "engine 1", 1, 4, "succeeded"),
        ("b", "engine 1", 4, 6, "died"),
        ("c", "engine 1", 6, 6, "died"),
    ]


def test_an_answer_out_of_turn_leaves_the_engine_with_what_it_works_on(
    scheduler: Scheduler,
) -> None:
    live = scheduler.play(
        *((0, name, "submitted", labelled("fit")) for name in "ab"),
        *((1, name, "assigned", on("e1")) for name in "ab"),
        (2, "b", "again", {"outcome": "busy"}),
    )
    assert states(live) == {"a": "running", "b": "ready"}
    live = scheduler.play((3, "a", "succeeded", on("e1")))
    assert attempts(live)[-1] == ("a", "engine 1", 1, 3, "succeeded")


def test_who_comes_late_knows_what_is_remembered(scheduler: Scheduler) -> None:
    live = scheduler.play(
        (10, "a", "succeeded", on("e1")),  # it began before
        (11, "b", "assigned", on("e1")),
        (12, "b", "succeeded", on("e1")),
        missed=True,
    )
    assert states(live) == {"a": "succeeded", "b": "succeeded"}
    assert attempts(live) == [("b", "engine 1", 11, 12, "succeeded")]
    assert (live.since, live.is_whole, live.gaps) == (START + 10, False, [])


def test_what_was_missed_in_between_is_known_as_a_gap(scheduler: Scheduler) -> None:
    scheduler.play((0, "a", "submitted", labelled("fit")), time=5)
    live = scheduler.play((60, "b", "submitted", labelled("fit")), missed=True)
    assert live.gaps == [(START + 5, START + 60)]
    live = scheduler.play(missed=True, time=70)
    assert live.gaps[1:] == [(START + 60, START + 70)]
    assert not live.is_whole


def test_a_gap_begins_behind_the_last_that_was_told(scheduler: Scheduler) -> None:
    scheduler.play((1, "a", "submitted", labelled("fit")), time=10, more=True)
    live = scheduler.play((3, "b", "submitted", labelled("fit")), missed=True)
    assert live.gaps == [(START + 1, START + 3)]


def test_the_end_of_a_task_from_before_a_gap_does_not_take_the_graph_back(
    scheduler: Scheduler,
) -> None:
    scheduler.play((0, "a", "submitted", labelled("fit")))
    live = scheduler.play((5, "a", "succeeded"), missed=True)
    live = scheduler.play((6, "b", "submitted", labelled("fit")))
    assert [task.msg_id for task in live.graph.tasks] == ["b"]


def test_who_comes_late_counts_no_task_twice(scheduler: Scheduler) -> None:
    live = scheduler.play((9, "a", "assigned", on("e1")), missed=True)
    part = QueuePart(0, "me", "fit", 0, 0, 1, 4, 0)
    [(name, number, states)] = progress_of(live.labels, [part], live.is_whole)
    assert (name, number, states.total()) == ("fit", None, 5)


def test_after_a_gap_engines_and_graphs_begin_anew(scheduler: Scheduler) -> None:
    scheduler.play(
        *((0, name, "submitted", labelled("fit")) for name in "abc"),
        *((1, name, "assigned", on("e1")) for name in "ab"),
    )
    live = scheduler.play((50, "d", "submitted", labelled("fit")), missed=True)
    assert states(live) == {"a": "unknown", "b": "unknown", "c": "unknown", "d": "waiting"}
    assert [task.msg_id for task in live.graph.tasks] == ["d"]
    live = scheduler.play(
        (51, "d", "assigned", on("e1")),
        (52, "b", "failed", {"cause": "E", "ran": True}),
        (53, "d", "succeeded", on("e1")),
        (54, "c", "assigned", on("e1")),
        (55, "c", "of a later version"),
    )
    assert states(live) == {"a": "unknown", "b": "failed", "c": "running", "d": "succeeded"}
    assert attempts(live) == [("d", "engine 1", 51, 53, "succeeded")]


def test_what_a_controller_has_not_finished_is_lost_with_it(scheduler: Scheduler) -> None:
    scheduler.play(
        *((0, name, "submitted", labelled("fit")) for name in "abc"),
        *((1, name, "assigned", on("e1")) for name in "ab"),
        (3, "a", "succeeded", on("e1")),
        time=4,
    )
    scheduler.run = "r2"
    live = scheduler.play((6, "d", "submitted", labelled("fit")), (7, "d", "assigned", on("e1")))
    assert states(live) == {"a": "succeeded", "b": "lost", "c": "lost", "d": "running"}
    assert attempts(live) == [
        ("a", "engine 1", 1, 3, "succeeded"),
        ("b", "engine 1", 3, 4, "lost"),
    ]
    [loss] = live.losses
    assert (loss.when, loss.number) == (START + 7, 2)
    assert [task.msg_id for task in loss.first] == ["b", "c"]
    assert live.row_names == ["engine 1"]  # it is another engine, of the same number
    assert [task.msg_id for task in live.graph.tasks] == ["d"]


def test_what_may_have_finished_while_nobody_looked_may_be_lost(scheduler: Scheduler) -> None:
    live = scheduler.play(
        *((0, name, "submitted", labelled("fit")) for name in "ab"),
        (1, "a", "assigned", on("e1")),
        time=4,
    )
    live.look_away()
    scheduler.run = "r2"
    scheduler.play(time=3_600)
    assert states(live) == {"a": "unknown", "b": "unknown"}
    assert not attempts(live)
    [loss] = live.losses
    assert (loss.when, loss.number, loss.seen) == (START + 3_600, 2, START + 4)

    # who looks again sees what follows
    scheduler.play((3_601, "c", "submitted", labelled("fit")), time=3_602)
    scheduler.run = "r3"
    assert [loss.seen for loss in scheduler.play(time=3_700).losses] == [START + 4, None]


def test_the_failures_of_a_controller_that_went_are_not_told_of_the_next(
    scheduler: Scheduler,
) -> None:
    error = {"engine": "e1", "reason": "E: old", "cause": "E", "kind": "raised"}
    live = scheduler.play((0, "a", "submitted", labelled("fit")), (1, "a", "failed", error))
    assert [*live.failures] == ["E"]
    scheduler.run = "r2"
    assert not scheduler.play(time=9).failures


def test_an_engine_that_holds_something_is_not_called_gone(scheduler: Scheduler) -> None:
    live = scheduler.play((0, "a", "assigned", on("e1")))
    live.note(status_with(engines=[]), is_latest=True)  # asked for before it was registered
    assert live.row_names == ["engine 1"]
    scheduler.play((1, "a", "succeeded", on("e1")))
    live.note(status_with(engines=[]), is_latest=True)
    assert live.row_names == ["engine 1, gone"]


def dies(number: int, uuid: str, when: float, **fields: Any) -> DeadEngine:
    """An engine that died then."""
    return dead(
        number, uuid=uuid, died=datetime.fromtimestamp(START + when, timezone.utc), **fields
    )


def test_an_attempt_ends_when_its_engine_died_not_when_it_is_given_up(scheduler: Scheduler) -> None:
    live = scheduler.play(*((0, name, "assigned", on("e1")) for name in "ab"))
    live.note(status_with(dead=[dies(1, "e1", 2, task="a")]), is_latest=True)
    assert live.row_names == ["engine 1, gone"]
    failed = {"outcome": "failed", "kind": "engine_died"}
    live = scheduler.play((7, "a", "again", failed), (7, "b", "again", failed))
    assert attempts(live) == [
        ("a", "engine 1, gone", 0, 2, "died"),
        ("b", "engine 1, gone", 2, 2, "died"),
    ]


def test_that_an_engine_died_is_known_until_it_is_taken_in_what_became_of_its_tasks(
    scheduler: Scheduler,
) -> None:
    live = scheduler.play((0, "a", "assigned", on("e1")))
    live.note(status_with(dead=[dies(1, "e1", 2, task="a")]), is_latest=True)
    live.note(status_with(), is_latest=False)  # it was given up, and more happened than one page
    live = scheduler.play((7, "a", "again", {"outcome": "failed", "kind": "engine_died"}))
    assert attempts(live) == [("a", "engine 1, gone", 0, 2, "died")]


def test_an_answer_of_a_dead_engine_ends_its_attempt_when_it_comes(scheduler: Scheduler) -> None:
    live = scheduler.play((0, "a", "assigned", on("e1")))
    live.note(status_with(dead=[dies(1, "e1", 2, task="a")]), is_latest=True)
    live = scheduler.play((3, "a", "succeeded", on("e1")))
    assert attempts(live) == [("a", "engine 1, gone", 0, 3, "succeeded")]


def test_an_engine_that_came_back_under_its_name_is_alive(scheduler: Scheduler) -> None:
    live = scheduler.play((0, "a", "assigned", on("e1")))
    back = replace(engine(1), uuid="e1")
    live.note(status_with(engines=[back], dead=[dies(1, "e1", 2, task="a")]), is_latest=True)
    assert live.row_names == ["engine 1"]
    assert [each.died for each in live.engines] == [None]
    live.note(status_with(dead=[dies(1, "e1", 2)]), is_latest=True)
    assert [each.died for each in live.engines] == [START + 2]
    live.note(status_with(engines=[back]), is_latest=True)
    assert [each.died for each in live.engines] == [None]


def test_who_comes_late_sees_what_dead_engines_worked_on(scheduler: Scheduler) -> None:
    live = scheduler.play((100, "b", "assigned", {**labelled("fit"), **on("e2")}), missed=True)
    since = datetime.fromtimestamp(START + 90, timezone.utc)
    died = dies(1, "e1", 99, task="a", label="load", since=since)
    live.note(status_with(engines=[replace(engine(2), uuid="e2")], dead=[died]), is_latest=True)
    assert states(live) == {"b": "running", "a": "running"}
    assert live.row_names == ["engine 2", "engine 1, gone"]
    assert [each.died for each in live.engines] == [None, START + 99]


def test_who_comes_late_is_told_whether_a_task_ever_ran(scheduler: Scheduler) -> None:
    live = scheduler.play(
        (100, "a", "ready", labelled("fit")),
        (101, "a", "failed", {"kind": "timed_out", "ran": True}),
        (100, "b", "ready", labelled("fit")),
        (101, "b", "failed", {"kind": "timed_out", "ran": False}),
        missed=True,
    )
    assert states(live) == {"a": "failed", "b": "never ran"}


def test_what_may_have_finished_in_a_gap_is_not_lost(scheduler: Scheduler) -> None:
    scheduler.play(*((0, name, "submitted", labelled("fit")) for name in "ab"))
    scheduler.play((50, "c", "submitted", labelled("fit")), missed=True)
    scheduler.run = "r2"
    live = scheduler.play(time=60)
    assert states(live) == {"a": "unknown", "b": "unknown", "c": "lost"}
    assert [loss.number for loss in live.losses] == [1]


def test_who_came_late_knows_how_many_were_lost_from_what_the_scheduler_counted(
    scheduler: Scheduler,
) -> None:
    live = scheduler.play((9, "a", "assigned", on("e1")), missed=True)
    live.note(status_with(waiting=300, ready=40, assigned=1), is_latest=True)
    scheduler.run = "r2"
    live.note(status_with(), is_latest=False)  # of the next one, before anything of it is taken in
    live = scheduler.play(time=60)
    assert [(loss.number, len(loss.first)) for loss in live.losses] == [(341, 1)]
    part = QueuePart(0, "me", "new", 1, 0, 0, 0, 0)
    found = counts(live, [part], is_whole=False)
    assert sum(each.get("lost", 0) for each in found.values()) == 341
    scheduler.run = "r3"
    assert len(scheduler.play(time=70).losses) == 1  # nothing more was lost


def test_who_comes_late_learns_labels_with_what_happens_next(scheduler: Scheduler) -> None:
    live = scheduler.play(
        (9, "a", "assigned", {**labelled("load", cost=3.0), **on("e1")}),
        (9, "b", "submitted", labelled("fit", "a")),
        (10, "a", "succeeded", on("e1")),
        (11, "c", "ready", labelled("sum", "a", "b", "forgotten")),
        missed=True,
    )
    assert not live.is_whole
    a, b, c = live.tasks
    assert (a.label, a.cost, a.submitted) == ("load", 3.0, None)
    assert (c.parents, c.parents_more, c.layer) == (("a", "b"), 1, 2)
    assert live.graph.tasks == [a, b, c]
    assert [live.labels[each.group].name for each in live.tasks] == ["load", "fit", "sum"]
    assert live.graph.since == START + 9
    assert attempts(live) == [("a", "engine 1", 9, 10, "succeeded")]


def test_who_comes_late_sees_what_runs_since_before(scheduler: Scheduler) -> None:
    live = scheduler.play((100, "b", "assigned", {**labelled("fit"), **on("e1")}), missed=True)
    since = datetime.fromtimestamp(START + 10, timezone.utc)
    runs = replace(engine(1), uuid="e1", task="a", label="load", since=since)
    later = replace(engine(2), uuid="e2", task="c", label="fit", since=since)
    live.note(status_with(engines=[runs]), is_latest=False)
    assert states(live) == {"b": "running"}  # there may be happenings of it, yet to be taken in
    live.note(status_with(engines=[runs, later]), is_latest=True)
    # the engine holds both, and works on the one that came first
    assert states(live) == {"b": "ready", "a": "running", "c": "running"}
    assert [task.label for task in live.graph.tasks] == ["fit", "load", "fit"]
    live = scheduler.play((110, "a", "succeeded", on("e1")), (115, "b", "succeeded", on("e1")))
    assert attempts(live) == [
        ("a", "engine 1", 10, 110, "succeeded"),
        ("b", "engine 1", 110, 115, "succeeded"),
    ]
    live.note(status_with(engines=[runs]), is_latest=True)  # it was asked for before that
    assert states(live)["a"] == "succeeded"


def test_what_still_runs_after_a_gap_is_known_again(scheduler: Scheduler) -> None:
    scheduler.play((0, "a", "submitted", labelled("fit")), (1, "a", "assigned", on("e1")))
    live = scheduler.play((50, "b", "submitted", labelled("fit")), missed=True)
    since = datetime.fromtimestamp(START + 1, timezone.utc)
    runs = replace(engine(1), uuid="e1", task="a", label="fit", since=since)
    live.note(status_with(engines=[runs]), is_latest=True)
    assert states(live) == {"a": "running", "b": "waiting"}
    live = scheduler.play((60, "a", "succeeded", on("e1")))
    assert attempts(live) == [("a", "engine 1", 1, 60, "succeeded")]


def test_one_happening_that_cannot_be_taken_in_does_not_stop_the_others(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    live = scheduler.play(
        (0, "a", "submitted", labelled("fit")),
        (1, "a", "assigned"),  # to nobody
        (1, "a", "assigned"),
        (2, "b", "submitted", labelled("fit")),
        time=3,
    )
    assert states(live) == {"a": "waiting", "b": "waiting"}
    assert live.skipped == 2
    assert live.skipped_text.startswith("assigned of task a: ")
    assert live.until == START + 3
    assert len(caplog.records) == 1


def test_rows_are_in_the_order_of_numbers_and_say_who_has_gone(scheduler: Scheduler) -> None:
    live = scheduler.live
    eleven = replace(engine(11), uuid="e11")
    unnamed = replace(engine(None), uuid="x" * 32)
    live.engines.note([eleven, replace(engine(2), uuid="e2"), unnamed])
    assert live.row_names == ["engine 2", "engine 11", f"{'x' * 8}..{'x' * 8}"]
    live.engines.note([eleven])
    assert live.row_names == [
        f"engine 2{GONE}",
        "engine 11",
        f"{'x' * 8}..{'x' * 8}{GONE}",
    ]
    live.engines.note([eleven, unnamed])
    assert live.row_names[2] == f"{'x' * 8}..{'x' * 8}"


# -- counts ------------------------------------------------------------------------------


def counts(live: Live, parts: list[QueuePart], is_whole: bool) -> dict[str, dict[str, int]]:
    found = progress_of(live.labels, parts, is_whole)
    return {name: dict(+states) for name, _, states in found}


def test_progress_is_counted_by_label(scheduler: Scheduler) -> None:
    live = scheduler.play(
        (0, "a", "submitted", labelled("fit")),
        (0, "b", "submitted", labelled("fit")),
        (0, "c", "submitted", labelled(None)),
        (1, "a", "assigned", on("e1")),
        (2, "a", "succeeded", on("e1")),
    )
    told = [QueuePart(0, "c", "fit", 70, 10, 5, 10, 5)]
    own = {"fit": {"succeeded": 1, "waiting": 1}, "(no label)": {"waiting": 1}}
    assert counts(live, told, is_whole=True) == own
    scheduler_s = {"waiting": 70, "ready": 10, "running": 5, "succeeded": 10, "failed": 5}
    assert counts(live, told, is_whole=False) == {**own, "fit": scheduler_s}
    other = [QueuePart(0, "c", "sum", 1, 0, 0, 0, 0)]
    assert counts(live, other, is_whole=False) == {**own, "sum": {"waiting": 1}}


def test_labels_beyond_some_are_counted_together(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels_of_live, "OWN", 2)
    rows = [(0, name, "submitted", labelled(name)) for name in "abcd"]
    live = scheduler.play(*rows)
    assert [label.name for label in live.labels.all] == ["a", "b", OTHERS]
    assert live.labels[2].total == 2


def colours(live: Live) -> dict[str, int | None]:
    return {label.name: label.colour for label in live.labels.all}


def run_of(scheduler: Scheduler, when: float, *names: str) -> Live:
    """A task of each label, all of which succeed within a second."""
    for name in names:
        task = f"{name} {when}"
        live = scheduler.play(
            (when, task, "submitted", labelled(name)),
            (when, task, "assigned", on("e1")),
            (when + 1, task, "succeeded", on("e1")),
        )
    return live


def test_labels_that_are_out_of_sight_give_their_colours_back(scheduler: Scheduler) -> None:
    first = [f"first {number}" for number in range(COLOURS)]
    live = run_of(scheduler, 0, *first, "one too many")
    before = colours(live)
    assert before["one too many"] is None
    assert {before[name] for name in first} == {*range(COLOURS)}
    # while they are in sight nothing changes, however many tasks the new one gets
    live = run_of(scheduler, 5, "one too many", "one too many")
    assert (colours(live), live.labels.recoloured) == (before, 0)
    # after a pause another graph begins: what is in it has colours, and keeps those it had
    later = 5 + graph_of_live.PAUSE + 10
    live = run_of(scheduler, later, first[3], "one too many", "new")
    after = colours(live)
    assert after[first[3]] == before[first[3]]
    seen = [after[name] for name in (first[3], "one too many", "new")]
    assert None not in seen
    assert len({*seen}) == 3
    assert live.labels.recoloured == 2
    assert len([each for each in after.values() if each is not None]) == COLOURS


def test_a_label_with_a_task_under_way_keeps_its_colour(scheduler: Scheduler) -> None:
    names = [f"first {number}" for number in range(COLOURS)]
    scheduler.play((0, "stays", "submitted", labelled("stays")))
    run_of(scheduler, 1, *names[1:])
    live = scheduler.live
    live.graph.end()  # as a gap does it
    live = run_of(scheduler, 10, *(f"second {number}" for number in range(COLOURS)))
    assert colours(live)["stays"] == 0
    grey = [name for name, colour in colours(live).items() if colour is None]
    assert grey == [*names[1:], f"second {COLOURS - 1}"]


def test_what_has_no_name_of_its_own_takes_no_colour(scheduler: Scheduler) -> None:
    live = scheduler.play((0, "a", "succeeded", on("e1")), missed=True)
    assert colours(live) == {BEFORE: None}
    live = scheduler.play((1, "b", "submitted", labelled(None)))
    assert colours(live)[NONE] == 0


def test_what_comes_and_ends_is_counted_by_second(scheduler: Scheduler) -> None:
    live = scheduler.play(
        (0, "a", "submitted", labelled("fit")),
        (0.5, "b", "submitted", labelled("fit")),
        (2.5, "a", "succeeded", on("e1")),
        (2.9, "b", "failed", {"engine": "e1", "cause": "E"}),
    )
    found = [(row.start - START, *row[1:]) for row in live.series.counts.rows]
    assert found == [(0, 2, 0, 0), (1, 0, 0, 0), (2, 0, 1, 1)]


def test_stretches_of_time_become_longer_and_count_the_same() -> None:
    series = Series()
    for second in range(10 * MOST):
        series.count(START + second, 2)
    assert len(series.counts.rows) <= MOST
    assert sum(row.succeeded for row in series.counts.rows) == 10 * MOST
    assert series.width == 16
    series.count(START - 5, 1)  # a clock was set
    assert series.counts.rows[0].submitted == 1


# -- the graph ---------------------------------------------------------------------------


def test_the_graph_knows_layers_and_what_takes_longest(scheduler: Scheduler) -> None:
    live = scheduler.play(
        (0, "a", "submitted", labelled("load")),
        (0, "b", "submitted", labelled("fit", "a", "unknown", cost=5)),
        (0, "c", "submitted", labelled("fit", "a", cost=9)),
        (0, "d", "submitted", labelled("sum", "b", "c")),
    )
    graph = live.graph
    assert [task.layer for task in graph.tasks] == [0, 1, 1, 2]
    assert [task.msg_id for task in graph.critical_path()] == ["a", "c", "d"]
    assert [task.msg_id for task in live.tasks[0].children] == ["b", "c"]
    assert [task.msg_id for task in live.parents(live.tasks[3])] == ["b", "c"]
    live = scheduler.play(
        (1, "a", "assigned", on("e1")),
        (2, "a", "succeeded", on("e1")),
        (2, "b", "assigned", on("e1")),
        (2, "c", "assigned", on("e2")),
        (4, "c", "succeeded", on("e2")),
        (32, "b", "succeeded", on("e1")),
    )
    assert [task.msg_id for task in graph.critical_path()] == ["a", "b", "d"]
    assert {node: dict(+group.states) for node, group in graph.groups.items()} == {
        (0, 0): {"succeeded": 1},
        (1, 1): {"succeeded": 2},
        (2, 2): {"waiting": 1},
    }
    assert dict(graph.edges) == {((0, 0), (1, 1)): 2, ((1, 1), (2, 2)): 2}


def test_what_depends_on_itself_or_on_a_later_task_is_refused_and_drawn(
    scheduler: Scheduler,
) -> None:
    live = scheduler.play(
        (0, "self", "submitted", labelled("a", "self")),
        (0, "self", "failed", {"kind": "invalid_dependency", "cause": "InvalidDependency"}),
        (1, "early", "submitted", labelled("a", "late")),
        (1, "early", "failed", {"kind": "invalid_dependency", "cause": "InvalidDependency"}),
        (2, "late", "submitted", labelled("a")),
    )
    assert [task.parents for task in live.tasks] == [(), (), ()]
    assert [task.parents_more for task in live.tasks] == [1, 1, 0]
    assert len(live.graph.critical_path()) == 1


def test_after_a_pause_in_which_all_is_done_another_graph_begins(scheduler: Scheduler) -> None:
    def one(name: str, when: float, *parents: str) -> Live:
        return scheduler.play(
            (when, name, "submitted", labelled("fit", *parents)),
            (when, name, "assigned", on("e1")),
            (when + 1, name, "succeeded", on("e1")),
        )

    one("a", 0)
    live = one("b", 20, "a")
    assert [task.msg_id for task in live.graph.tasks] == ["a", "b"]
    live = one("c", 21 + graph_of_live.PAUSE + 1, "b")
    assert [(task.msg_id, task.layer) for task in live.graph.tasks] == [("c", 0)]
    assert not live.graph.edges
    assert live.graph.since == live.tasks[2].submitted
    assert len(live.bars) == 3  # nothing is forgotten


def test_many_layers_are_drawn_by_label(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_of_live, "GROUPS", 5)
    before: tuple[str, ...] = ()
    for number in range(20):
        name = f"t{number}"
        live = scheduler.play((0, name, "submitted", labelled("ab"[number % 2], *before)))
        before = (name,)
    graph = live.graph
    assert not graph.by_layer
    assert {node: group.states.total() for node, group in graph.groups.items()} == {
        (0,): 10,
        (1,): 10,
    }
    assert graph.edges.total() == 19
    live = scheduler.play((1, "t0", "assigned", on("e1")), (2, "t0", "succeeded", on("e1")))
    assert dict(+graph.groups[(0,)].states) == {"waiting": 9, "succeeded": 1}


# -- what is drawn of many ---------------------------------------------------------------


def many_bars(number: int, engines: int, seconds: float) -> Bars:
    bars, task = Bars(), LiveTask(0, "a")
    for i in range(number):
        left = START + i // engines * seconds
        bars.add(task, i % engines, left, left + seconds, "failed" if i == 17 else "succeeded")
    return bars


def test_old_short_attempts_are_drawn_together_and_none_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bars_of_live, "RECENT", 100)
    monkeypatch.setattr(bars_of_live, "THINNED", 200)
    bars = many_bars(10_000, engines=4, seconds=0.5)
    drawn = bars.thinned.rows
    assert len(bars) == 10_000
    assert bars.is_thinned
    assert len(drawn) <= 200
    assert sum(bar.number for bar in drawn) == 10_000 - 100
    for row in range(4):
        its = [bar for bar in drawn if bar.row == row]
        assert its[0].left == START
        assert its[-1].right == START + (10_000 - 100) / 4 * 0.5
        assert all(first.right <= second.left for first, second in pairwise(its))
    # what failed is still seen
    assert sum(END_STATES[bar.end_state] == "failed" for bar in drawn) == 1


def test_a_long_attempt_is_drawn_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars_of_live, "RECENT", 1)
    bars, task = Bars(), LiveTask(0, "a")
    for left, right in ((0, 0.01), (0.01, 50), (50, 50.01), (50.01, 50.02), (51, 52)):
        bars.add(task, 0, START + left, START + right, "succeeded")
    assert [bar.number for bar in bars.thinned.rows] == [1, 1, 2]


def test_each_of_many_engines_keeps_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars_of_live, "RECENT", 1)
    monkeypatch.setattr(bars_of_live, "THINNED", 10)
    bars = many_bars(5_000, engines=50, seconds=1)
    assert {bar.row for bar in bars.thinned.rows} == set(range(50))
    assert len(bars.thinned.rows) <= 200


def test_a_reader_gets_what_is_new_and_what_has_changed() -> None:
    rows: Rows[str] = Rows()
    reader = Reader(rows)
    assert reader.news() == (True, {}, [])
    rows.append("a")
    rows.append("b")
    assert reader.news() == (False, {}, ["a", "b"])
    rows.change(1, "B")
    rows.append("c")
    rows.change(2, "C")
    assert reader.news() == (False, {1: "B"}, ["C"])
    assert reader.news() == (False, {}, [])
    rows.change(2, "c")  # once more, after it was read
    assert reader.news() == (False, {2: "c"}, [])
    rows.replace(["x"])
    rows.change(0, "y")
    assert reader.news() == (True, {}, ["y"])
    late = Reader(rows)
    assert late.news() == (True, {}, ["y"])
