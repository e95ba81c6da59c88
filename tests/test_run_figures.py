"""What figures of a run are made of: moments, bars, marks, a graph; and what engines work on."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

from bokeh.models import ColumnDataSource

from ipp_richsched.monitor.figures.bars import NO_HATCH, bars_of, columns_of
from ipp_richsched.monitor.figures.dag import dag_figure, graph_of
from ipp_richsched.monitor.figures.look import CHARACTER
from ipp_richsched.monitor.figures.timeline import marks_of, rows_of
from ipp_richsched.monitor.moments import Moments
from ipp_richsched.workflows.in_turn import in_turn
from ipp_richsched.workflows.palette import STATES
from ipp_richsched.workflows.runs import Life, Run, Stretch, TaskRun
from ipp_richsched.workflows.times import queued, ready_times

from .test_pictures import RUN, START, UNFINISHED, run_of, task


def random_run(seed: int, tasks: int = 60) -> Run:
    """Tasks on three engines, of which some fail, wait for others, or do not end."""
    random = Random(seed)
    found: dict[str, TaskRun] = {}
    for number in range(tasks):
        when = START + random.uniform(0, 20)
        submitted = when
        stretches = []
        state: Any = random.choice(["succeeded", "succeeded", "failed", "running", "waiting"])
        for attempt in range(random.randrange(0 if state == "waiting" else 1, 3)):
            begin = when + random.choice([0.0, random.uniform(0, 5)])
            when = begin + random.choice([0.0, random.uniform(0, 5)])
            end_state: Any = random.choice(["failed", "died", "given back"])
            engine = f"engine {random.randrange(3)}"
            stretches.append(Stretch(engine, begin, when, end_state))
            del attempt
        if stretches and state in ("running", "succeeded"):
            last = stretches.pop()
            stretches.append(Stretch(last.engine, last.start, last.end, state))
        parents = tuple(random.sample([*found], min(len(found), random.randrange(3))))
        ended = when + random.choice([0.0, 0.5]) if state in ("succeeded", "failed") else None
        name = f"t{number}"
        found[name] = TaskRun(
            *(name, name, random.choice("abc"), parents, submitted, tuple(stretches)),
            ended=ended,
            state="never ran" if state == "failed" and not stretches else state,
        )
    return Run(found, START + 40)


def test_moments_say_how_each_task_stands_as_the_run_does() -> None:
    for seed in range(30):
        run = random_run(seed)
        moments = Moments(run, 50)
        assert (moments.times[0], moments.times[-1]) == (run.start, run.end)
        for each in run.tasks.values():
            state, changes = None, dict(moments.changes(each))
            assert len(changes) == len(moments.changes(each))
            every = [*changes.values()]
            assert all(before != after for before, after in pairwise(every))
            for step, when in enumerate(moments.times):
                state = changes.get(step, state)
                assert state == each.state_at(when), (seed, each.msg_id, step)


def test_moments_count_all_tasks() -> None:
    for seed in range(10):
        run = random_run(seed)
        moments = Moments(run, 20)
        for step, when in enumerate(moments.times):
            states = [each.state_at(when) for each in run.tasks.values()]
            for state, counts in moments.counts.items():
                assert counts[step] == states.count(state)


def test_moments_count_those_that_could_run() -> None:
    run = run_of(
        task("a", (0, 0, 4, "succeeded")),
        task("b", (0, 6, 8, "succeeded"), parents=("a",)),
        task("c", (0, 8, 10, "succeeded")),
    )
    assert Moments(run, 5).ready == [1, 1, 2, 1, 0, 0]  # at 0, 2, 4, 6, 8, 10 s


def test_when_tasks_could_run() -> None:
    ready = {name: when - START for name, when in ready_times(RUN).items()}
    assert ready == {
        "fetch-0": 0,
        "fetch-1": 0,
        "fit-0": 1,  # it began before what it waited for had ended, so one of these was enough
        "fit-1": 3,
        "short": 0,
        "late": 0,
    }
    assert ready_times(UNFINISHED).keys() == {"a", "b", "d"}


def test_when_tasks_were_queued() -> None:
    def of(run: Run, name: str) -> list[tuple[float, float]]:
        every = queued(run, run.tasks[name], ready_times(run).get(name))
        return [(begin - START, end - START) for begin, end in every]

    assert of(RUN, "fetch-1") == [(1, 2)]
    assert of(RUN, "fit-0") == [(2.5, 3)]
    assert of(RUN, "late") == [(0, 4)]
    assert of(UNFINISHED, "d") == [(4, 6)]
    assert of(UNFINISHED, "c") == []
    assert of(run_of(task("a"), task("b", (0, 0, 5, "succeeded"))), "a") == [(0, 5)]


def test_an_engine_works_on_one_task_at_a_time() -> None:
    tasks = {
        each.msg_id: each
        for each in (
            task("first", (0, 0, 2, "succeeded")),
            task("second", (0, 0, 5, "failed"), (1, 5, 6, "succeeded")),
            task("third", (0, 1, 5, "died")),  # with the second one
            task("fourth", (0, 6, 9, "running")),
            task("fifth", (0, 5.5, 9, "running")),
            task("other", (1, 1, 5, "succeeded")),
        )
    }
    found = in_turn(tasks)
    assert [*found] == [*tasks]
    assert {
        name: [(each.start - START, each.end - START) for each in its.stretches]
        for name, its in found.items()
    } == {
        "first": [(0, 2)],
        "second": [(2, 5), (5, 6)],
        "third": [(5, 5)],
        "fourth": [],
        "fifth": [(5.5, 9)],
        "other": [(1, 5)],
    }
    assert (found["fourth"].state, found["fifth"].state) == ("waiting", "running")
    assert found["first"] is tasks["first"]


# -- the timeline ------------------------------------------------------------------------


def test_a_bar_for_each_attempt() -> None:
    bars = bars_of(RUN)
    assert len(bars) == 7
    columns = columns_of(RUN, bars, {"fetch-0": 0})
    assert columns["left"][:3] == [0, 0, 2]
    assert columns["right"][:3] == [2, 1, 3.5]
    assert columns["row"][:3] == [0, 1, 0]
    assert columns["task"][:2] == [0, -1]
    assert [hatch for hatch in columns["hatch"] if hatch != NO_HATCH] == ["/", "x"]
    assert columns["text"][1] == "fetch-1 on engine 1, 1 s, failed"
    assert columns["text"][2] == "fetch-1 on engine 0, 1.5 s, attempt 2"


def test_marks_of_a_timeline() -> None:
    marks = marks_of(RUN, {name: number for number, name in enumerate(RUN.tasks)})
    assert rows_of(RUN) == ["engine 0", "engine 1", "engine 10", "never ran: 1"]
    assert {kind: its["time"] for kind, its in marks.items()} == {
        "died": [2.5],
        "given back": [0.901],
        "never ran": [4],
    }
    assert marks["never ran"]["row"] == [3]
    assert marks["never ran"]["text"] == ["late never ran: TaskTimeout"]


def test_an_engine_that_leaves_without_tasks_is_marked() -> None:
    lives = (Life("engine 0", START, START + 3, True), Life("engine 1", START, START + 9, False))
    run = replace(
        run_of(task("a", (0, 0, 2, "succeeded")), task("b", (1, 0, 9, "succeeded"))), lives=lives
    )
    assert marks_of(run, {}) == {
        "left": {"time": [3], "row": [0], "text": ["engine 0 left"], "task": [-1]}
    }


def test_of_many_bars_short_ones_are_one_and_none_that_failed_is_lost() -> None:
    random = Random(3)
    tasks = []
    for engine in range(4):
        for number in range(5_000):
            end_state = "failed" if random.random() < 0.01 else "succeeded"
            tasks.append(task(f"t-{engine}-{number}", (engine, number, number + 0.9, end_state)))
    run = run_of(*tasks, looked_at=5_000)
    bars = bars_of(run, 1_000)
    assert 300 < len(bars) <= 1_000
    failed = sum(each.state == "failed" for each in run.tasks.values())
    assert sum(bar.end_state == "failed" for bar in bars) == failed
    assert sum(bar.number for bar in bars) == 20_000
    # what is white in the picture was idle; failed ones lie above those that were joined
    for engine in range(4):
        drawn = sum(bar.end - bar.start for bar in bars if bar.engine == f"engine {engine}")
        assert 0.9 * 5_000 <= drawn <= 1.02 * 5_000


def test_of_bars_that_cannot_be_joined_the_longest_are_drawn() -> None:
    tasks = [task(f"t-{each}", (0, 10 * each, 10 * each + 1, "succeeded")) for each in range(150)]
    tasks.append(task("long", (0, 1_500, 1_550, "succeeded")))
    bars = bars_of(run_of(*tasks, looked_at=1_550), 100)
    assert len(bars) == 100
    assert bars[0].task == "long"


# -- the graph ---------------------------------------------------------------------------


def test_a_graph_has_all_tasks_and_dependencies() -> None:
    graph = graph_of(RUN)
    assert graph.shown == [*RUN.tasks]
    assert graph.nodes["colour"] == [STATES[each.state] for each in RUN.tasks.values()]
    assert len(graph.edges["x0"]) == 3
    assert len(graph.path["x0"]) == 1
    assert [width > 1 for width in graph.nodes["width"]] == [
        each in RUN.critical_path for each in RUN.tasks
    ]
    assert set(graph.words["text"]) == {*RUN.tasks}


def test_of_a_large_graph_the_critical_path_failures_and_a_sample() -> None:
    tasks = [task(f"t-{n}", (0, 0, 0.5, "succeeded")) for n in range(2_000)]
    tasks += [task(f"bad-{n}", (0, 0, 0.5, "failed")) for n in range(20)]
    chain = [task("c-0", (1, 0, 50, "succeeded"))]
    for n in range(1, 6):
        chain.append(task(f"c-{n}", (1, 0, 50, "succeeded"), parents=(f"c-{n - 1}",)))
    run = run_of(*chain, *tasks, looked_at=100)
    graph = graph_of(run, 200)
    assert len(graph.shown) == 200
    assert {f"bad-{n}" for n in range(20)} <= {*graph.shown}
    assert {f"c-{n}" for n in range(6)} <= {*graph.shown}
    assert len(graph.path["x0"]) == 5
    sample = [int(name[2:]) for name in graph.shown if name.startswith("t-")]
    assert min(sample) < 100
    assert max(sample) > 1_900


def test_a_run_of_nothing() -> None:
    run = run_of()
    assert bars_of(run) == []
    assert graph_of(run).shown == []
    assert marks_of(run, {}) == {}
    assert Moments(run).counts["waiting"][-1] == 0


def test_words_above_a_tall_layer_are_not_cut_off() -> None:
    tasks = [task("first")] + [
        task(f"t{i}", parents=("first",), group=f"a long name of a group {i % 3}")
        for i in range(200)
    ]
    graph = graph_of(run_of(*tasks))
    figure = dag_figure(*map(ColumnDataSource, graph[:4]), size=graph.size)
    tall = figure.height - 40
    words = zip(*graph.words.values(), strict=True)
    for _, y, text, angle in words:
        up = (y - figure.y_range.end) / (figure.y_range.start - figure.y_range.end) * tall
        assert up >= CHARACTER * len(text) * math.sin(angle) + 11
