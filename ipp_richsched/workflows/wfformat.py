"""Workflow files in WfFormat 1.5.

WfFormat is the JSON format of the WfCommons project for the tasks of a scientific workflow, who
depends on whom, and how long each ran (https://github.com/wfcommons/WfFormat). Of a file only what
is needed to run its tasks again is read, and only that is checked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from .steps import Step

_VERSION = "1.5"
_SPECIFICATION = "workflow.specification.tasks"
_EXECUTION = "workflow.execution.tasks"


class WorkflowError(Exception):
    """A workflow cannot be read; the message is one line that names the field."""


def load(path: Path) -> list[Step]:
    """Read a workflow from a WfFormat file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    list of Step
        In topological order.

    Raises
    ------
    WorkflowError
        If the file cannot be read, is not JSON, or is not a workflow that can be run. The message
        names the file.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise WorkflowError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:  # bad JSON, bad text, or a number of too many digits
        raise WorkflowError(f"{path}: not JSON: {error}") from None
    except RecursionError:
        raise WorkflowError(f"{path}: not WfFormat: nested too deeply") from None
    try:
        return parse(document)
    except WorkflowError as error:
        raise WorkflowError(f"{path}: {error}") from None


def parse(document: object) -> list[Step]:
    """Check a WfFormat document and return its tasks.

    Parameters
    ----------
    document : object
        What the JSON file holds.

    Returns
    -------
    list of Step
        In topological order.

    Raises
    ------
    WorkflowError
        If it is not WfFormat, or what it says contradicts itself.
    """
    workflow = _workflow(document)
    specified = _tasks(workflow, "specification")
    executed = _tasks(workflow, "execution")
    parents = {name: _names(task, place, "parents") for name, (place, task) in specified.items()}
    children = {name: _names(task, place, "children") for name, (place, task) in specified.items()}
    places = {name: place for name, (place, _) in specified.items()}
    _check_links(places, parents, children)
    for name, (place, _) in executed.items():
        if name not in specified:
            raise WorkflowError(f"{place}.id: {_shown(name)} is not in {_SPECIFICATION}")
    for name, place in places.items():
        if name not in executed:
            raise WorkflowError(f"{place}.id: {_shown(name)} is not in {_EXECUTION}")
    seconds = {name: _runtime(task, place) for name, (place, task) in executed.items()}
    try:
        order = list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        raise WorkflowError(f"{_SPECIFICATION}: {_cycle(error.args[1])}") from None
    return [Step(name, tuple(parents[name]), seconds[name]) for name in order]


def _workflow(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise WorkflowError("not WfFormat: the file does not hold an object")
    version = document.get("schemaVersion", _VERSION)
    if version != _VERSION:
        raise WorkflowError(f"schemaVersion: is {_shown(version)}, only {_shown(_VERSION)} is read")
    workflow: dict[str, Any] = _field(document, "", "workflow", dict)
    return workflow


def _tasks(workflow: dict[str, Any], part: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the tasks of a part of the workflow by id, each with its place in the document."""
    holder = _field(workflow, "workflow.", part, dict)
    path = f"workflow.{part}.tasks"
    tasks: dict[str, tuple[str, dict[str, Any]]] = {}
    for index, task in enumerate(_field(holder, f"workflow.{part}.", "tasks", list)):
        place = f"{path}[{index}]"
        name = _field(task, f"{place}.", "id", str)
        if not name:
            raise WorkflowError(f"{place}.id: is empty")
        if name in tasks:
            raise WorkflowError(f"{place}.id: {_shown(name)} is already the id of {tasks[name][0]}")
        tasks[name] = (place, task)
    if not tasks:
        raise WorkflowError(f"{path}: is empty")
    return tasks


def _names(task: dict[str, Any], place: str, key: str) -> list[str]:
    names = _field(task, f"{place}.", key, list)
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise WorkflowError(f"{place}.{key}[{index}]: {_shown(name)} is not a string")
    return list(dict.fromkeys(names))


def _check_links(
    places: Mapping[str, str],
    parents: Mapping[str, list[str]],
    children: Mapping[str, list[str]],
) -> None:
    """Check that `parents` and `children` name tasks that are there, and say the same."""
    for key, links in (("parents", parents), ("children", children)):
        for name, others in links.items():
            for other in others:
                if other not in places:
                    raise WorkflowError(
                        f"{places[name]}.{key}: {_shown(other)} is not in {_SPECIFICATION}"
                    )
    downward = {(parent, name) for name, others in parents.items() for parent in others}
    upward = {(name, child) for name, others in children.items() for child in others}
    for parent, child in sorted(downward ^ upward)[:1]:
        if (parent, child) in downward:
            place, missing = f"{places[parent]}.children", f"{_shown(child)} is missing"
            reason = f"whose parents name {_shown(parent)}"
        else:
            place, missing = f"{places[child]}.parents", f"{_shown(parent)} is missing"
            reason = f"whose children name {_shown(child)}"
        raise WorkflowError(f"{place}: {missing}, {reason}")


def _runtime(task: dict[str, Any], place: str) -> float:
    value = _field(task, f"{place}.", "runtimeInSeconds", (int, float))
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds) or seconds < 0:
        raise WorkflowError(f"{place}.runtimeInSeconds: {_shown(value)} is not a length of time")
    return seconds


_KINDS = {dict: "an object", list: "an array", str: "a string", (int, float): "a number"}


def _field(holder: object, prefix: str, key: str, kind: type | tuple[type, ...]) -> Any:
    """Return ``holder[key]``, of type `kind`; JSON's true and false are no numbers."""
    if not isinstance(holder, dict):
        raise WorkflowError(f"{prefix.rstrip('.')}: {_shown(holder)} is not an object")
    if key not in holder:
        raise WorkflowError(f"{prefix}{key}: is missing")
    value = holder[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise WorkflowError(f"{prefix}{key}: {_shown(value)} is not {_KINDS[kind]}")
    return value


def _shown(value: object) -> str:
    """Return `value` as JSON on one line, cut short where it is long."""
    if isinstance(value, dict | list):
        return "{...}" if isinstance(value, dict) else "[...]"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _cycle(names: list[str]) -> str:
    """Say which tasks wait for each other."""
    shown = [_shown(name) for name in names]
    if len(shown) > 8:
        shown = [*shown[:7], "...", shown[-1]]
    return f"the parents have a cycle: {' -> '.join(shown)}"
