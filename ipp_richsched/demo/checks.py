"""What is left of a run of the demo, and whether it went as the scheduler promises."""

from __future__ import annotations

from dataclasses import dataclass

import ipyparallel as ipp

from ..workflows.attempts import Attempt, error_name, out_of_order
from .dag import FLAKY, IMPATIENT, DemoTask


@dataclass(frozen=True)
class Run:
    """A run of the demo.

    Attributes
    ----------
    engines : list of int
        The engines it began with.
    tasks : list of DemoTask
        The DAG, without the tasks that are not to succeed.
    results : dict of str to ipyparallel.AsyncResult
        Of all tasks, by name.
    attempts : list of Attempt
        What ran.
    killed : Attempt or None
        What ran on the engine that was killed.
    orphan : DemoTask or None
        The task that follows the engine that was killed.
    submitted : float
        When the first task was submitted, in seconds since the epoch.
    """

    engines: list[int]
    tasks: list[DemoTask]
    results: dict[str, ipp.AsyncResult]
    attempts: list[Attempt]
    killed: Attempt | None
    orphan: DemoTask | None
    submitted: float

    def end(self, name: str) -> str:
        """Return "done", "no answer", or the name of the error of a task."""
        result = self.results[name]
        if not result.done():
            return "no answer"
        error = result.exception()
        return "done" if error is None else error_name(error)

    def of(self, name: str) -> list[Attempt]:
        """Return the attempts of a task, first to last."""
        return [attempt for attempt in self.attempts if attempt.task == name]

    def engine(self, name: str) -> int | None:
        """Return the engine on which a task succeeded."""
        done = [attempt.engine for attempt in self.of(name) if attempt.state == "done"]
        return done[-1] if done else None


@dataclass(frozen=True)
class Check:
    """Something that the run was to show.

    Attributes
    ----------
    subject : str
        The feature.
    ok : bool
        Whether it did what it should.
    text : str
        What it did.
    """

    subject: str
    ok: bool
    text: str

    def __str__(self) -> str:
        return f"  {'ok' if self.ok else 'NO'}  {self.subject:9}{self.text}"


def checks(run: Run) -> list[Check]:
    """Compare what happened with what should have.

    Parameters
    ----------
    run : Run
        What happened.

    Returns
    -------
    list of Check
    """
    return [_tasks(run), _after(run), _follow(run), _retries(run), _kill(run), *_refusals(run)]


def _tasks(run: Run) -> Check:
    done = sum(run.end(task.name) == "done" for task in run.tasks)
    return Check("tasks", done == len(run.tasks), f"{done} of {len(run.tasks)} succeeded")


def _after(run: Run) -> Check:
    early = out_of_order([task.step for task in run.tasks], run.attempts)
    found = f"too early: {', '.join(early)}" if early else "none ran before what it depends on"
    return Check("after", not early, found)


def _follow(run: Run) -> Check:
    followers = [task for task in run.tasks if task.follow]
    right = sum(run.engine(task.name) == run.engine(task.follow[0]) for task in followers)
    return Check(
        "follow",
        right == len(followers),
        f"{right} of {len(followers)} ran on the engine that has their data",
    )


def _retries(run: Run) -> Check:
    states = [attempt.state for attempt in run.of(FLAKY.name)]
    wanted = ["failed"] * FLAKY.failures + ["done"]
    return Check("retries", states == wanted, f"{FLAKY.name} {', '.join(states)}")


def _kill(run: Run) -> Check:
    if run.killed is None:
        return Check("retries", False, "no engine was killed: no fit was seen running")
    task = run.killed.task
    engine = run.engine(task)
    found = f"{task} died with engine {run.killed.engine} and "
    if engine in (None, run.killed.engine):
        return Check("retries", False, f"{found}did not run elsewhere: {run.end(task)}")
    return Check("retries", True, f"{found}ran again on engine {engine}")


def _refusals(run: Run) -> list[Check]:
    """Check the tasks that are to be refused, with the right error and without having run."""
    first = IMPATIENT.after[0]
    wish = f"{IMPATIENT.name} waits {IMPATIENT.timeout:g} s for {first}, which takes longer"
    found = [_refusal(run, "timeout", IMPATIENT, "TaskTimeout", wish)]
    if run.killed is not None and run.orphan is not None:
        wish = f"orphan has to follow {run.orphan.follow[0]} to the dead engine {run.killed.engine}"
        found.append(_refusal(run, "follow", run.orphan, "ImpossibleDependency", wish))
    return found


def _refusal(run: Run, subject: str, task: DemoTask, error: str, wish: str) -> Check:
    end = run.end(task.name)
    ok = end == error and not run.of(task.name)
    return Check(subject, ok, f"{wish}: {end}" + ("" if ok else f", not {error}"))
