"""Run a workflow on a real cluster, its durations scaled, and check that all went right."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipyparallel as ipp

from ..client.view import view as rich_view
from .attempts import Attempt, engine_table, error_name, out_of_order
from .gather import run_of
from .local_cluster import local_cluster
from .pictures import save_timelines, told_if_not_drawn
from .progress import watch
from .runs import Run
from .schedule import list_schedule
from .steps import Step, bounds, scaled
from .wfformat import load

PICTURE = "ipp-richsched-replay.png"

EXAMPLE = Path(__file__).with_name("example.json")
"""A workflow that comes with the package."""

# What a task may cost in submission, scheduling and reply, on a slow machine.
_SECONDS_PER_TASK = 0.1
_SECONDS_OF_PATIENCE = 30.0

_PROBLEMS_SHOWN = 10


@dataclass(frozen=True)
class Replay:
    """How a workflow ran.

    Attributes
    ----------
    attempts : list of Attempt
        The tasks that were completed.
    makespan : float
        Seconds from the first submission to the last completion.
    problems : list of str
        What went wrong, a line each: tasks lost, tasks that failed, tasks that started too early.
    told : Run
        All that is known of it, for pictures.
    """

    attempts: list[Attempt]
    makespan: float
    problems: list[str]
    told: Run


def run(
    client: ipp.Client,
    steps: Sequence[Step],
    flags_of: Callable[[Step], dict[str, Any]] | None = None,
) -> Replay:
    """Run `steps` through a load-balanced view; each one sleeps for its duration.

    Parameters
    ----------
    client : ipyparallel.Client
        A client with at least one engine.
    steps : sequence of Step
        In topological order.
    flags_of : callable, optional
        The flags of a step's task besides `after`; then the view is a rich one.

    Returns
    -------
    Replay
    """
    view = client.load_balanced_view() if flags_of is None else rich_view(client)
    results: dict[str, ipp.AsyncResult] = {}
    submitted = time.time()
    for step in steps:
        flags = {} if flags_of is None else flags_of(step)
        with view.temp_flags(after=[results[parent] for parent in step.parents], **flags):
            results[step.name] = view.apply_async(time.sleep, step.seconds)
    # A scheduler that leaves no engine idle while a task is ready stays within the sum of the two
    # lower bounds (Graham 1966, Bounds for certain multiprocessing anomalies).
    limit = bounds(steps, len(client.ids))
    longest = limit.critical_path + limit.work / limit.engines
    lost = watch(results, timeout=longest + _SECONDS_PER_TASK * len(steps) + _SECONDS_OF_PATIENCE)

    problems = [f"{name}: lost, no answer" for name in lost]
    attempts = []
    for name, result in results.items():
        if not result.done():
            continue
        if (error := result.exception()) is not None:
            problems.append(f"{name}: failed, {error_name(error)}")
            continue
        times = result.metadata
        attempts.append(
            Attempt(
                name,
                times.engine_id,
                times.started.timestamp(),
                times.completed.timestamp(),
                "done",
            )
        )
    early = out_of_order(steps, attempts)
    problems += [f"{name}: started before its parents were completed" for name in early]
    makespan = max((attempt.ended for attempt in attempts), default=submitted) - submitted
    return Replay(attempts, makespan, problems, run_of(results))


def cost_of(step: Step) -> dict[str, Any]:
    """The flags that tell what a step costs."""
    return {"cost": step.seconds}


def replay(path: Path, n: int, seconds: float, order: str = "fifo") -> int:
    """Run a WfFormat workflow on a local cluster and print how it went.

    Parameters
    ----------
    path : pathlib.Path
        The workflow.
    n : int
        The number of engines.
    seconds : float
        What the lower bound of the makespan is scaled to, in seconds.
    order : {"fifo", "critical-path"}
        Which of the tasks that may run comes first.

    Returns
    -------
    int
        0, or 1 when a task was lost, failed, or started before its parents were completed.

    Raises
    ------
    ipp_richsched.workflows.wfformat.WorkflowError
        If the file is not a workflow that can be run; no cluster is started then.
    ipp_richsched.workflows.local_cluster.ClusterError
        If the cluster does not start.
    """
    recorded = load(path)
    steps = scaled(recorded, n, seconds)
    links = sum(len(step.parents) for step in steps)
    print(f"{path.name}: {len(steps)} tasks, {links} dependencies")
    print(f"as recorded: {bounds(recorded, n)}")
    print(f"scaled:      {bounds(steps, n)}")
    print(f"starting a controller and {n} engines", flush=True)
    with local_cluster(n, controller_args=[f"--RichTaskScheduler.order={order}"]) as client:
        engines = list(client.ids)
        ran = run(client, steps, None if order == "fifo" else cost_of)
        died = {engine: "died" for engine in engines if engine not in client.ids}
    print()
    print(engine_table(ran.attempts, engines, died))
    print(f"makespan {ran.makespan:.2f} s, {bounds(steps, n)}")
    _draw(ran.told, f"{path.name}: {ran.makespan:.1f} s on {n} engines, {order}")
    print(f"a list schedule that knows all durations takes {list_schedule(steps, n):.2f} s")
    if ran.problems:
        shown = ran.problems[:_PROBLEMS_SHOWN]
        if more := len(ran.problems) - len(shown):
            shown.append(f"and {more} more")
        print("\n".join(shown), file=sys.stderr)
        return 1
    print(f"all {len(steps)} tasks are done, none was lost, and none ran before its parents")
    return 0


def _draw(told: Run, title: str) -> None:
    """Draw a run into the current directory; say where, or why not."""
    path = Path.cwd() / PICTURE
    with told_if_not_drawn():
        save_timelines({title: told}, path)
        print(f"picture of the timeline: {path}")
