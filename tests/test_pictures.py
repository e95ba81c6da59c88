"""Pictures of runs: what can be read in them, and where things stand."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from ipp_richsched.workflows.animation import PICTURES, animate
from ipp_richsched.workflows.dag import DagPicture
from ipp_richsched.workflows.layers import layers_of, positions
from ipp_richsched.workflows.palette import legend_of
from ipp_richsched.workflows.pictures import draw_timelines, timeline_size
from ipp_richsched.workflows.runs import Run, Stretch, TaskRun

START = 1000.0


def task(name: str, *stretches: tuple[int, float, float, Any], **fields: Any) -> TaskRun:
    """A task that was submitted at once, and has succeeded if its last attempt has."""
    found = tuple(
        Stretch(f"engine {engine}", START + start, START + end, end_state)
        for engine, start, end, end_state in stretches
    )
    defaults: dict[str, Any] = {
        "group": name.split("-")[0],
        "parents": (),
        "submitted": START,
        "state": found[-1].end_state if found else "waiting",
        "ended": found[-1].end if found and found[-1].end_state != "running" else None,
    }
    return TaskRun(name, name, stretches=found, **{**defaults, **fields})


def run_of(*tasks: TaskRun, looked_at: float = 10.0) -> Run:
    return Run({each.msg_id: each for each in tasks}, START + looked_at)


RUN = run_of(
    task("fetch-0", (0, 0, 2, "succeeded")),
    task("fetch-1", (1, 0, 1, "failed"), (0, 2, 3.5, "succeeded")),
    task("fit-0", (1, 1, 2.5, "died"), (0, 3, 5, "succeeded"), parents=("fetch-0",)),
    task("fit-1", (10, 3, 9, "succeeded"), parents=("fetch-0", "fetch-1")),
    task("short", (1, 0.9, 0.901, "given back"), (10, 1, 1.001, "succeeded")),
    task("late", state="never ran", ended=START + 4, problem="TaskTimeout"),
)
UNFINISHED = run_of(
    task("a", (0, 0, 2, "succeeded")),
    task("b", (0, 2, 10, "running"), parents=("a",)),
    task("c", parents=("b",), cost=30.0),
    task("d", (1, 0, 4, "failed"), (1, 6, 10, "running")),
)


def drawn(figure: Figure, path: Path) -> list[str]:
    """All that can be read in a picture."""
    figure.savefig(path / "picture.svg")
    return [
        text.strip() for text in re.findall(r"<!-- (.*) -->", (path / "picture.svg").read_text())
    ]


def timelines(path: Path, **runs: Run) -> list[str]:
    figure = Figure(figsize=timeline_size([*runs.values()]), layout="constrained")
    draw_timelines(figure, runs)
    return drawn(figure, path)


def dag(run: Run, path: Path) -> list[str]:
    picture = DagPicture(run)
    figure = Figure(figsize=picture.size, layout="constrained")
    picture.draw(figure.subplots(), "title")
    return drawn(figure, path)


def test_what_ran_where_and_how_it_ended_can_be_read(tmp_path: Path) -> None:
    texts = timelines(tmp_path, run=RUN)
    assert {"run", "engine 0", "engine 1", "engine 10", "never ran: 1"} <= {*texts}
    assert texts.index("engine 1") < texts.index("engine 10")
    assert {"fetch-0", "fit-0", "late: TaskTimeout"} <= {*texts}
    assert texts.count("fetch-1") == 2
    assert {"fetch", "fit", "failed", "died", "engine died", "given back", "never ran"} <= {*texts}
    assert {"running", "queued", "waiting for others", "tasks", "seconds"} <= {*texts}


def counts_at(run: Run, *times: float) -> dict[str, list[int]]:
    """How high each area below a timeline is at these times."""
    figure = Figure(figsize=timeline_size([run]), layout="constrained")
    draw_timelines(figure, {"run": run})
    return {
        area.get_label(): [
            sum(area.get_paths()[0].contains_point((time, y + 0.5)) for y in range(10))
            for time in times
        ]
        for area in figure.axes[1].collections
    }


def test_to_wait_for_others_is_not_to_be_queued() -> None:
    run = run_of(
        task("a", (0, 0, 2, "succeeded")),
        task("b", (0, 4, 6, "succeeded"), parents=("a",)),
        task("c", (1, 1, 3, "failed"), (1, 5, 6, "succeeded")),
        task("d", parents=("b",)),
    )
    assert counts_at(run, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5) == {
        "running": [1, 2, 1, 0, 1, 2],
        "queued": [1, 0, 1, 2, 1, 0],
        "waiting for others": [2, 2, 1, 1, 1, 1],
    }


def test_where_no_task_waits_for_others_nothing_is_said_of_it() -> None:
    found = counts_at(run_of(task("a", (0, 0, 2, "succeeded")), task("b", (0, 2, 4, "failed"))), 1)
    assert found == {"running": [1], "queued": [1]}


def test_what_waits_for_one_that_failed_and_is_not_answered_still_waits() -> None:
    run = run_of(
        task("a", (0, 0, 2, "failed")), task("b", parents=("a",)), task("c", (0, 0, 4, "succeeded"))
    )
    assert counts_at(run, 3)["waiting for others"] == [1]


def test_a_name_is_written_only_where_it_fits(tmp_path: Path) -> None:
    assert timelines(tmp_path, run=RUN).count("short") == 1  # in the legend, by its function


def test_what_did_not_happen_is_not_in_the_legend(tmp_path: Path) -> None:
    texts = timelines(tmp_path, run=run_of(task("a", (0, 0, 1, "succeeded"))))
    assert not {"failed", "died", "engine died", "given back", "never ran"} & {*texts}


def test_runs_are_drawn_below_each_other(tmp_path: Path) -> None:
    texts = timelines(tmp_path, first=RUN, second=UNFINISHED)
    assert texts.index("first") < texts.index("second")


@pytest.mark.parametrize("run", [run_of(), run_of(task("a"))], ids=["empty", "nothing ran"])
def test_a_run_in_which_nothing_ran(run: Run, tmp_path: Path) -> None:
    assert "run" in timelines(tmp_path, run=run)
    assert "title" in dag(run, tmp_path)


def test_many_engines_have_room(tmp_path: Path) -> None:
    many = run_of(*(task(f"t-{each}", (each, 0, 1, "succeeded")) for each in range(200)))
    assert timeline_size([many])[1] < 25
    assert "engine 199" in timelines(tmp_path, run=many)


def test_the_most_frequent_groups_have_colours_of_their_own() -> None:
    groups = [str(number) for number in range(20)]
    assert [*legend_of(groups)] == [*groups[:8], "12 others"]
    assert len(set(legend_of(groups).values())) == 9


def test_how_tasks_stand_and_the_critical_path_can_be_read(tmp_path: Path) -> None:
    texts = dag(RUN, tmp_path)
    assert {"succeeded: 5", "never ran: 1", "critical path: 8.5 s", "fit-1", "late"} <= {*texts}
    texts = dag(UNFINISHED, tmp_path)
    assert {"waiting: 1", "running: 2", "succeeded: 1", "critical path: 34 s"} <= {*texts}


def test_the_critical_path_counts_what_tasks_took_or_will() -> None:
    assert RUN.critical_path == ["fetch-1", "fit-1"]
    assert RUN.expected["fetch-1"] == 2.5  # both attempts
    assert UNFINISHED.critical_path == ["a", "b", "c"]
    assert UNFINISHED.expected == {"a": 2, "b": 2, "c": 30, "d": 2}


def test_tasks_of_a_group_take_what_others_of_it_took() -> None:
    run = run_of(task("a-0", (0, 0, 4, "succeeded")), task("a-1"), task("b-0"))
    assert run.expected == {"a-0": 4, "a-1": 4, "b-0": 4}
    assert run_of(task("a")).expected == {"a": 1}


def test_many_tasks_have_words_above_their_layers(tmp_path: Path) -> None:
    first = [task(f"fetch-{number}") for number in range(80)]
    second = [task(f"fit-{number}", parents=("fetch-0",)) for number in range(3)]
    third = [task(name, parents=("fit-0",)) for name in ("a", "b", "c-1", "c-2")]
    texts = dag(run_of(*first, *second, *third), tmp_path)
    assert {"80 fetch", "3 fit", "2 c, a and 1 more"} <= {*texts}
    assert "fetch-7" not in texts


def test_a_task_stands_behind_all_that_it_waited_for() -> None:
    random = Random(1)
    parents: dict[str, tuple[str, ...]] = {}
    for number in range(500):
        before = list(parents)[-40:]
        parents[str(number)] = tuple(random.sample(before, min(len(before), random.randrange(4))))
    layers = layers_of(parents)
    assert sorted(name for layer in layers for name in layer) == sorted(parents)
    places = positions(layers)
    assert all(
        places[parent][0] < places[name][0] for name, its in parents.items() for parent in its
    )
    assert len(set(places.values())) == len(parents)  # none covers another


def test_chains_do_not_cross() -> None:
    names = [(chain, link) for link in range(5) for chain in (3, 1, 4, 0, 2)]
    parents = {f"{chain}.{link}": (f"{chain}.{link - 1}",) if link else () for chain, link in names}
    rows = [[name.split(".")[0] for name in layer] for layer in layers_of(parents)]
    assert all(row == rows[0] for row in rows)


def test_a_layer_that_is_too_tall_is_folded() -> None:
    places = positions([[str(number) for number in range(500)], ["end"]])
    rows = [y for _, y in places.values()]
    assert max(rows) < 60
    assert places["end"][0] > max(x for name, (x, _) in places.items() if name != "end")


@pytest.mark.parametrize(
    ("when", "states"),
    [
        (-1, {"fetch-1": None, "fit-0": None, "late": None}),
        (0.5, {"fetch-1": "running", "fit-0": "waiting", "late": "waiting"}),
        (1.5, {"fetch-1": "waiting", "fit-0": "running", "late": "waiting"}),
        (2.7, {"fetch-1": "running", "fit-0": "waiting", "late": "waiting"}),
        (9, {"fetch-1": "succeeded", "fit-0": "succeeded", "late": "never ran"}),
    ],
)
def test_how_a_task_stood_at_a_time(when: float, states: dict[str, str | None]) -> None:
    assert {name: RUN.tasks[name].state_at(START + when) for name in states} == states


def test_a_task_that_runs_on() -> None:
    assert [UNFINISHED.tasks["d"].state_at(START + when) for when in (3, 5, 9, 99)] == [
        *("running", "waiting", "running", "running")
    ]


def has(colour: tuple[int, ...], colours: dict[tuple[int, ...], int]) -> bool:
    """Whether a colour, or nearly that, is that of more than a thin line."""
    return any(
        count > 500 and max(abs(one - other) for one, other in zip(colour, each, strict=True)) < 20
        for each, count in colours.items()
    )


def test_a_run_over_again(tmp_path: Path) -> None:
    animate(RUN, tmp_path / "run.gif")
    with Image.open(tmp_path / "run.gif") as film:
        assert 50 < film.n_frames <= PICTURES + 1  # what looks alike is one picture
        seconds = 0.0
        colours = []
        for frame in range(film.n_frames):
            film.seek(frame)
            seconds += film.info["duration"] / 1000
            image = film.convert("RGB")
            colours.append({colour: count for count, colour in image.getcolors()})
        assert 10 <= seconds <= 13
        yellow, dead = (240, 228, 66), (119, 119, 119)
        assert has(yellow, colours[10])  # something runs
        assert not has(dead, colours[5])
        assert has(dead, colours[-1])
