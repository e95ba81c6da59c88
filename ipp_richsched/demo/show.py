"""What the demo prints and draws of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..workflows import runs as told
from ..workflows.animation import animate
from ..workflows.attempts import AttemptState, engine_table
from ..workflows.pictures import save_timelines, told_if_not_drawn
from ..workflows.steps import Bounds, Loss, bounds
from .checks import NEVER_ANSWERED, Run

PICTURE, FILM = "ipp-richsched-demo.png", "ipp-richsched-demo.gif"

_END_STATES: dict[AttemptState, told.EndState] = {
    "running": "running",
    "done": "succeeded",
    "failed": "failed",
    "killed": "died",
}
_STATES: dict[str, told.State] = {"done": "succeeded", NEVER_ANSWERED: "waiting"}


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
        ran = _told(run)
        seconds = sum(ran.expected[name] for name in ran.critical_path)
        print(f"critical path as it ran {seconds:.2f} s: what the pictures show, retries included")
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

    The first one is drawn once more as an animated picture of its DAG.

    Parameters
    ----------
    runs : mapping of str to Run
        By the name of the scheduler.
    """
    picture, film = Path.cwd() / PICTURE, Path.cwd() / FILM
    found = {_title(name, run): _told(run) for name, run in runs.items()}
    with told_if_not_drawn():
        save_timelines(found, picture)
        animate(next(iter(found.values())), film)
        print(f"picture of the timeline: {picture}")
        print(f"the run over again, in ten seconds: {film}")


def _title(name: str, run: Run) -> str:
    count, silent = len(run.results), len(run.unanswered)
    if silent:
        return f"{name} scheduler: {silent} of {count} tasks never answered"
    return f"{name} scheduler: all {count} answered in {run.last_answer - run.submitted:.1f} s"


def _told(run: Run) -> told.Run:
    """The run as its engines noted it, which knows more than results of the stock scheduler."""
    found: dict[str, told.TaskRun] = {}
    for task in run.tasks:
        stretches = tuple(
            told.Stretch(
                f"engine {attempt.engine}",
                attempt.started,
                run.watched if attempt.state == "running" else attempt.ended,
                _END_STATES[attempt.state],
            )
            for attempt in run.of(task.name)
        )
        end = run.end(task.name)
        state: told.State = "failed" if stretches else "never ran"
        if end in _STATES:
            state = _STATES[end]
        times = run.results[task.name].metadata
        found[task.name] = told.TaskRun(
            task.name,
            task.name,
            task.name.rstrip("0123456789-"),
            task.after + task.follow,
            times["submitted"].timestamp(),
            stretches,
            times["received"].timestamp() if times["received"] is not None else None,
            state,
            end,
        )
    return told.Run(found, run.watched)


def _limits(run: Run) -> list[Bounds]:
    """Return the bounds that know nothing of the kill, and after it those that do."""
    steps = [task.step for task in run.tasks if task.runs]
    limits = [bounds(steps, len(run.engines))]
    if (killed := run.killed) is not None:
        loss = Loss(killed.task, killed.ended - run.submitted, killed.ended - killed.started)
        limits.append(bounds(steps, len(run.engines), loss))
    return limits
