"""What happened to the tasks of results: from the results, and from the scheduler's memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from warnings import warn

import ipyparallel as ipp

from ..client.asking import NotRichError
from ..client.sent import Named, Sent, sent, with_flags_of_hub
from ..client.why import Attempt, Story, why
from .attempts import error_name, error_text
from .in_turn import in_turn
from .runs import EndState, Run, State, Stretch, TaskRun

_END_STATES: dict[str | None, EndState] = {
    None: "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "aborted": "failed",
    "busy": "given back",
    "refused": "given back",
}
"""By the outcome of an attempt; others have not come to their engine."""

_DEATHS = {"engine_died", "engines_crashed"}
"""The kinds of reasons by which an attempt has failed since its engine died."""


def run_of(results: Named) -> Run:
    """What happened so far to the tasks of results.

    What only the scheduler knows (which tasks run, earlier attempts, deaths of engines) it is asked
    for, as far as it remembers.  A stock one is not: then that is missing.

    Parameters
    ----------
    results : AsyncResult, iterable of AsyncResult, or mapping to AsyncResult
        In a mapping, tasks are called by its keys; else by their labels or functions.

    Returns
    -------
    Run

    Raises
    ------
    TypeError
        If something else is among them.
    """
    client, tasks = sent(results)
    stories: dict[str, Story] = {}
    if client is not None and not client._closed:
        try:
            tasks = with_flags_of_hub(client, tasks)
            stories = _stories(client, tasks)
        except TimeoutError as error:
            warn(f"{error}: earlier attempts of tasks are not known", stacklevel=3)
    now = time.time()
    found: dict[str, TaskRun] = {}
    for task in tasks:
        parents = tuple(each for each in task.parents if each in found)
        ready = _ready(task, found, stories)
        found[task.msg_id] = _task_run(task, parents, stories.get(task.msg_id), now, ready)
    return Run(in_turn(found), now)


def _stories(client: ipp.Client, tasks: list[Sent]) -> dict[str, Story]:
    """What the scheduler remembers of the tasks, and of others that they waited for."""
    ids = {task.msg_id: None for task in tasks}
    for task in tasks:
        ids |= task.parents
    try:
        return {story.msg_id: story for story in why(client, [*ids])}
    except NotRichError:
        return {}


def _ready(task: Sent, found: Mapping[str, TaskRun], stories: Mapping[str, Story]) -> float | None:
    """When what a task waited for had ended, if the scheduler has to say it of some of that."""
    if not task.parents.keys() - found.keys():
        return None  # the run tells it
    ends = []
    for parent in task.parents:
        if parent in found:
            ends.append(found[parent].ended)
        else:
            ends.append(_seconds(stories[parent].finished) if parent in stories else None)
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    # it may have failed before the last of them ended; and an answer may come to the client late
    over = _seconds(task.at("started") or task.at("received"))
    return max(known) if over is None else min(max(known), over)


def _task_run(
    task: Sent, parents: tuple[str, ...], story: Story | None, now: float, ready: float | None
) -> TaskRun:
    times = task.times
    stretches = _stretches(task, story, now)
    ended = _seconds(task.at("received"))
    state: State = "waiting"
    if ended is not None:
        state = "failed" if stretches else "never ran"
        if times["status"] == "ok":
            state = "succeeded"
    elif stretches and stretches[-1].end_state == "running":
        state = "running"
    submitted = _seconds(task.at("submitted"))
    return TaskRun(
        task.msg_id,
        task.name or task.group,
        task.group,
        parents,
        now if submitted is None else submitted,
        stretches,
        ended,
        state,
        error_name(task.error) if task.error is not None else "",
        task.flags.get("cost"),
        error_text(task.error) if task.error is not None else "",
        ready=ready,
    )


def _stretches(task: Sent, story: Story | None, now: float) -> tuple[Stretch, ...]:
    """The attempts of a task.

    The last one, if it was answered, as its result has it: that knows when the engine began.  The
    others as the scheduler says, which knows when it sent the task.
    """
    times = task.times
    attempts = [each for each in (story.attempts if story else ()) if each.outcome in _END_STATES]
    start, end = _seconds(task.at("started")), _seconds(task.at("completed"))
    answered = start is not None and end is not None and times["engine_uuid"] is not None
    if answered and attempts and attempts[-1].uuid == times["engine_uuid"]:
        attempts.pop()
    found = [_stretch(each, now) for each in attempts]
    if answered:
        assert start is not None
        assert end is not None
        end_state: EndState = "succeeded" if times["status"] == "ok" else "failed"
        found.append(
            Stretch(_name(times["engine_id"], times["engine_uuid"]), start, end, end_state)
        )
    return tuple(found)


def _stretch(attempt: Attempt, now: float) -> Stretch:
    over = _seconds(attempt.over)
    end_state = "died" if attempt.kind in _DEATHS else _END_STATES[attempt.outcome]
    return Stretch(
        _name(attempt.id, attempt.uuid),
        attempt.assigned.timestamp(),
        now if over is None else over,
        end_state,
    )


def _name(number: int | None, uuid: str) -> str:
    """What an engine is called."""
    return f"engine {number if number is not None else uuid}"


def _seconds(when: datetime | None) -> float | None:
    return when.timestamp() if when is not None else None
