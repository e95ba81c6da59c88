"""Workflows: what WfFormat files are taken, which are refused and how, and the lower bound."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipp_richsched.workflows.steps import Loss, Step, bounds, scaled
from ipp_richsched.workflows.wfformat import WorkflowError, load, parse

from .wfinstances import each_instance

DIAMOND = [
    Step("first", (), 1.0),
    Step("left", ("first",), 2.0),
    Step("right", ("first",), 5.0),
    Step("last", ("left", "right"), 3.0),
]


def document(steps: list[Step]) -> dict[str, Any]:
    """Return `steps` as WfFormat."""
    children: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for parent in step.parents:
            children[parent].append(step.name)
    specification = [
        {"name": "a task", "id": s.name, "parents": list(s.parents), "children": children[s.name]}
        for s in steps
    ]
    execution = [{"id": step.name, "runtimeInSeconds": step.seconds} for step in steps]
    return {
        "name": "a workflow",
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {"tasks": specification},
            "execution": {"makespanInSeconds": 1, "executedAt": "today", "tasks": execution},
        },
    }


@st.composite
def dags(draw: st.DrawFn) -> list[Step]:
    """Random workflows, parents first."""
    seconds = st.floats(0, 1e6)
    steps = []
    for index in range(draw(st.integers(1, 12))):
        parents = draw(st.sets(st.integers(0, index - 1))) if index else set()
        names = tuple(f"task-{parent}" for parent in sorted(parents))
        steps.append(Step(f"task-{index}", names, draw(seconds)))
    return steps


# -- reading -------------------------------------------------------------------------------


def write(directory: Path, content: str | bytes) -> Path:
    path = directory / "workflow.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_tasks_come_with_their_parents_and_runtimes(tmp_path: Path) -> None:
    assert load(write(tmp_path, json.dumps(document(DIAMOND)))) == DIAMOND


@given(dags(), st.randoms())
def test_parents_come_first_whatever_the_order_in_the_file(
    steps: list[Step], rng: random.Random
) -> None:
    shuffled = document(steps)
    for part in shuffled["workflow"].values():
        rng.shuffle(part["tasks"])
    read = parse(shuffled)
    assert sorted(read, key=lambda step: step.name) == sorted(steps, key=lambda step: step.name)
    place = {step.name: index for index, step in enumerate(read)}
    assert all(place[parent] < place[step.name] for step in read for parent in step.parents)


@each_instance
def test_real_workflows_are_read(instance: Path) -> None:
    raw = json.loads(instance.read_text())["workflow"]
    steps = {step.name: step for step in load(instance)}
    assert len(steps) == len(raw["specification"]["tasks"])
    for task in raw["specification"]["tasks"]:
        assert set(steps[task["id"]].parents) == set(task["parents"])
    for task in raw["execution"]["tasks"]:
        assert steps[task["id"]].seconds == task["runtimeInSeconds"]


def test_a_very_long_chain() -> None:
    chain = [Step(str(i), (str(i - 1),) if i else (), 1.0) for i in range(20_000)]
    steps = parse(document(chain))
    assert steps == chain
    assert bounds(steps, 4).critical_path == 20_000
    assert bounds(scaled(steps, 4, 10), 4).makespan == pytest.approx(10)


# -- refusing ------------------------------------------------------------------------------

# An edit of DIAMOND's document, and what the message has to name.
Edit = Callable[[dict[str, Any]], object]
SPECIFIED = "workflow.specification.tasks"
EXECUTED = "workflow.execution.tasks"


def specified(doc: dict[str, Any]) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = doc["workflow"]["specification"]["tasks"]
    return tasks


def executed(doc: dict[str, Any]) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = doc["workflow"]["execution"]["tasks"]
    return tasks


def set_runtime(value: object) -> Edit:
    return lambda doc: executed(doc)[1].update(runtimeInSeconds=value)


def link(child: int, parent: int) -> Edit:
    def edit(doc: dict[str, Any]) -> None:
        tasks = specified(doc)
        tasks[child]["parents"].append(tasks[parent]["id"])
        tasks[parent]["children"].append(tasks[child]["id"])

    return edit


EDITS: dict[str, tuple[Edit, str]] = {
    "older version": (lambda d: d.update(schemaVersion="1.4"), 'schemaVersion: is "1.4"'),
    "no workflow": (lambda d: d.pop("workflow"), "workflow: is missing"),
    "workflow is text": (lambda d: d.update(workflow="x"), 'workflow: "x" is not an object'),
    "no specification": (
        lambda d: d["workflow"].pop("specification"),
        "workflow.specification: is missing",
    ),
    "no execution": (lambda d: d["workflow"].pop("execution"), "workflow.execution: is missing"),
    "tasks are an object": (
        lambda d: d["workflow"]["specification"].update(tasks={}),
        f"{SPECIFIED}: {{...}} is not an array",
    ),
    "no tasks": (lambda d: d["workflow"]["execution"].update(tasks=[]), f"{EXECUTED}: is empty"),
    "a task is null": (
        lambda d: specified(d).insert(0, None),  # type: ignore[arg-type]
        f"{SPECIFIED}[0]: null is not an object",
    ),
    "no id": (lambda d: specified(d)[2].pop("id"), f"{SPECIFIED}[2].id: is missing"),
    "id is a number": (lambda d: executed(d)[2].update(id=7), f"{EXECUTED}[2].id: 7 is not a str"),
    "empty id": (lambda d: specified(d)[2].update(id=""), f"{SPECIFIED}[2].id: is empty"),
    "id twice": (
        lambda d: specified(d)[3].update(id="left"),
        f'{SPECIFIED}[3].id: "left" is already the id of {SPECIFIED}[1]',
    ),
    "executed twice": (
        lambda d: executed(d).append(executed(d)[0]),
        f'{EXECUTED}[4].id: "first" is already',
    ),
    "never executed": (
        lambda d: executed(d).pop(2),
        f'{SPECIFIED}[2].id: "right" is not in {EXECUTED}',
    ),
    "never specified": (
        lambda d: executed(d).append({"id": "stranger", "runtimeInSeconds": 1}),
        f'{EXECUTED}[4].id: "stranger" is not in {SPECIFIED}',
    ),
    "no parents": (lambda d: specified(d)[1].pop("parents"), f"{SPECIFIED}[1].parents: is missing"),
    "parents are text": (
        lambda d: specified(d)[1].update(parents="first"),
        f'{SPECIFIED}[1].parents: "first" is not an array',
    ),
    "a parent is a number": (
        lambda d: specified(d)[3].update(parents=["left", 1]),
        f"{SPECIFIED}[3].parents[1]: 1 is not a string",
    ),
    "unknown parent": (
        lambda d: specified(d)[1]["parents"].append("nobody"),
        f'{SPECIFIED}[1].parents: "nobody" is not in',
    ),
    "unknown child": (
        lambda d: specified(d)[1]["children"].append("nobody"),
        f'{SPECIFIED}[1].children: "nobody" is not in',
    ),
    "no children": (
        lambda d: specified(d)[1].pop("children"),
        f"{SPECIFIED}[1].children: is missing",
    ),
    "a child that knows of no parent": (
        lambda d: specified(d)[1]["children"].append("right"),
        f'{SPECIFIED}[2].parents: "left" is missing',
    ),
    "a parent that knows of no child": (
        lambda d: specified(d)[0].update(children=["left"]),
        f'{SPECIFIED}[0].children: "right" is missing',
    ),
    "cycle": (link(0, 3), "cycle"),
    "its own parent": (link(1, 1), 'cycle: "left" -> "left"'),
    "no runtime": (
        lambda d: executed(d)[1].pop("runtimeInSeconds"),
        f"{EXECUTED}[1].runtimeInSeconds: is missing",
    ),
    "runtime is text": (set_runtime("3"), f'{EXECUTED}[1].runtimeInSeconds: "3" is not a number'),
    "runtime is true": (set_runtime(True), f"{EXECUTED}[1].runtimeInSeconds: true is not a number"),
    "runtime is null": (set_runtime(None), f"{EXECUTED}[1].runtimeInSeconds: null is not a number"),
    "runtime is negative": (set_runtime(-0.5), f"{EXECUTED}[1].runtimeInSeconds: -0.5 is not"),
    "runtime is NaN": (set_runtime(math.nan), f"{EXECUTED}[1].runtimeInSeconds: NaN is not"),
    "runtime is infinite": (set_runtime(math.inf), f"{EXECUTED}[1].runtimeInSeconds: Infinity is"),
    "runtime is huge": (set_runtime(10**400), f"{EXECUTED}[1].runtimeInSeconds: 1000"),
}


@pytest.mark.parametrize(("edit", "message"), EDITS.values(), ids=EDITS.keys())
def test_a_wrong_field_is_named(edit: Edit, message: str, tmp_path: Path) -> None:
    doc = document(DIAMOND)
    edit(doc)
    path = write(tmp_path, json.dumps(doc))
    with pytest.raises(WorkflowError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("# a workflow", "not JSON"),
        (b"\xff\xfe\xff", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 10_000, "not JSON"),
        ("[]", "does not hold an object"),
        ("null", "does not hold an object"),
    ],
    ids=["empty", "text", "bytes", "deep", "digits", "array", "null"],
)
def test_a_file_of_something_else(content: str | bytes, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with pytest.raises(WorkflowError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(WorkflowError, match=str(path)):
        load(path)


def test_a_long_cycle_is_told_in_short() -> None:
    doc = document([Step(str(i), (str(i - 1),) if i else (), 1.0) for i in range(10_000)])
    link(0, 9_999)(doc)
    with pytest.raises(WorkflowError, match="cycle") as caught:
        parse(doc)
    assert len(str(caught.value)) < 200


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside `value`."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        keys = value.keys() if isinstance(value, dict) else range(len(value))
        for key in keys:
            found += places(value[key], (*path, key))
    return found


@given(
    st.sampled_from(places(document(DIAMOND))),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
)
def test_nothing_but_a_workflow_or_a_workflow_error(place: tuple[Any, ...], value: object) -> None:
    doc = copy.deepcopy(document(DIAMOND))
    holder: Any = doc
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    refusal = ""
    try:
        assert len(parse(doc)) == len(DIAMOND)
    except WorkflowError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) <= 1


# -- the lower bound -----------------------------------------------------------------------


def test_the_bounds_of_a_diamond() -> None:
    assert bounds(DIAMOND, 1).critical_path == 9
    assert bounds(DIAMOND, 1).work == 11
    assert bounds(DIAMOND, 1).makespan == 11
    assert bounds(DIAMOND, 2).makespan == 9


def test_the_bounds_of_a_diamond_that_loses_an_engine() -> None:
    # half a second before it was done
    loss = Loss("right", 5.5, 4.5)
    assert bounds(DIAMOND, 2, loss).critical_path == 5.5 + 5 + 3
    # the other has the rest of the work to itself
    assert bounds(DIAMOND, 2, Loss("left", 2, 1)).makespan == 11 + 1 - 2
    # as none has died before all could have been done
    assert bounds(DIAMOND, 4, Loss("last", 8, 2)).makespan == 8 + 3


@given(dags(), st.integers(2, 4), st.data())
def test_no_run_that_loses_an_engine_beats_its_bound(
    steps: list[Step], engines: int, data: st.DataObject
) -> None:
    steps = scaled(steps, engines, 10)
    victim = data.draw(st.sampled_from(steps))
    ran = data.draw(st.floats(0, 1)) * victim.seconds
    free = [0.0] * engines
    ends: dict[str, float] = {}
    loss = None
    for step in steps:
        start = max(min(free), *(ends[parent] for parent in step.parents), 0.0)
        engine = free.index(min(free))
        if step is victim:
            loss = Loss(step.name, start + ran, ran)
            del free[engine]
            engine = free.index(min(free))
            start = max(loss.at, free[engine])
        free[engine] = ends[step.name] = start + step.seconds
    makespan = max(ends.values())
    assert makespan >= bounds(steps, engines, loss).makespan * (1 - 1e-9)
    assert bounds(steps, engines, loss).makespan >= bounds(steps, engines).makespan


@given(dags())
def test_the_critical_path_is_the_longest_path(steps: list[Step]) -> None:
    graph = nx.DiGraph()
    for step in steps:
        graph.add_edge((step.name, "starts"), (step.name, "ends"), weight=step.seconds)
        for parent in step.parents:
            graph.add_edge((parent, "ends"), (step.name, "starts"), weight=0)
    expected = nx.dag_longest_path_length(graph)
    assert bounds(steps, 4).critical_path == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(dags(), st.integers(1, 9), st.floats(0.1, 1e4))
def test_scaled_workflows_keep_their_shape(steps: list[Step], engines: int, seconds: float) -> None:
    result = scaled(steps, engines, seconds)
    assert [(step.name, step.parents) for step in result] == [(s.name, s.parents) for s in steps]
    if any(step.seconds for step in steps):
        assert bounds(result, engines).makespan == pytest.approx(seconds)
    else:
        assert bounds(result, engines).makespan == 0


@pytest.mark.parametrize("seconds", [5e-324, 1e308])
def test_scaling_bears_any_duration(seconds: float) -> None:
    steps = [Step("a", (), seconds), Step("b", ("a",), seconds)]
    assert [step.seconds for step in scaled(steps, 2, 10)] == [5, 5]
