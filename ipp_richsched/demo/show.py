"""What the demo prints and draws of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..workflows.attempts import engine_table
from ..workflows.steps import Bounds, Loss, bounds
from ..workflows.timeline import Panel, timeline
from .checks import Run

PICTURE = "ipp-richsched-demo.png"


def print_run(run: Run) -> None:
    """Print what each engine did, and how long the whole took beside the least it could take.

    Parameters
    ----------
    run : Run
        What happened.
    """
    died = {}
    if run.killed is not None:
        when = run.killed.ended - run.submitted
        died[run.killed.engine] = f"killed after {when:.1f} s, in {run.killed.task}"
    print()
    print(engine_table(run.attempts, run.engines, died))
    if run.unanswered:
        quiet = run.watched - run.last_answer
        print(f"never answered: {len(run.unanswered)} tasks; no news for {quiet:.0f} s: given up")
    else:
        last = max((a.ended for a in run.attempts), default=run.submitted)
        limits = _limits(run)
        print(f"makespan {last - run.submitted:.2f} s, {limits[0]}")
        for limit in limits[1:]:
            print(f"with the kill, {limit}")
    print()


def print_fates(runs: Mapping[str, Run]) -> None:
    """Print a table of what became of the tasks, with a column for each run.

    Parameters
    ----------
    runs : mapping of str to Run
        By the name of the scheduler.
    """
    fates = [run.fates() for run in runs.values()]
    tasks = f"{len(next(iter(runs.values())).results)} tasks"
    print(f"{tasks:20}", *(f"{name:>10}" for name in runs))
    for fate in fates[0]:
        print(f"{fate:20}", *(f"{each[fate]:10}" for each in fates))
    waits = (run.last_answer - run.submitted for run in runs.values())
    print(f"{'last answer after':20}", *(f"{seconds:8.1f} s" for seconds in waits))
    print()


def draw(runs: Mapping[str, Run]) -> None:
    """Draw the runs, one below the other, into the current directory; say where, or why not.

    Parameters
    ----------
    runs : mapping of str to Run
        By the name of the scheduler.
    """
    path = Path.cwd() / PICTURE
    try:
        timeline([_panel(name, run) for name, run in runs.items()], path)
    except ImportError as error:
        print(f"no picture: {error}; pip install 'ipp-richsched[plot]' brings it")
    except OSError as error:
        print(f"no picture: {error}")
    else:
        print(f"picture of the timeline: {path}")


def _panel(name: str, run: Run) -> Panel:
    count, silent = len(run.results), len(run.unanswered)
    found = (
        f"{silent} of {count} tasks never answered"
        if silent
        else f"all {count} tasks answered in {run.last_answer - run.submitted:.1f} s"
    )
    return Panel(
        title=f"{name} scheduler: {found}",
        engines=run.engines,
        attempts=run.attempts,
        refused={f"{name}: {run.end(name)}": time for name, time in run.refused.items()},
        unanswered=run.unanswered,
        start=run.submitted,
        lower_bounds=[limit.makespan for limit in _limits(run)],
    )


def _limits(run: Run) -> list[Bounds]:
    """Return the bounds that know nothing of the kill, and after it those that do."""
    steps = [task.step for task in run.tasks if task.runs]
    limits = [bounds(steps, len(run.engines))]
    if (killed := run.killed) is not None:
        loss = Loss(killed.task, killed.ended - run.submitted, killed.ended - killed.started)
        limits.append(bounds(steps, len(run.engines), loss))
    return limits
