"""What is left of a run of the demo, and whether it went as the scheduler promises."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import ipyparallel as ipp

from ..workflows.attempts import Attempt, error_name, out_of_order
from .dag import FIT, IMPATIENT, ORPHAN, DemoTask

NEVER_ANSWERED = "never answered"

_WRONG_SHOWN = 3


@dataclass(frozen=True)
class Run:
    """A run of the demo.

    Attributes
    ----------
    engines : list of int
        The engines it began with.
    tasks : list of DemoTask
        All that were submitted.
    results : dict of str to ipyparallel.AsyncResult
        Of all tasks, by name.
    attempts : list of Attempt
        What ran.
    killed : Attempt or None
        What ran on the engine that was killed.
    submitted, watched : float
        When the first task was submitted, and until when answers were waited for, in seconds since
        the epoch.
    """

    engines: list[int]
    tasks: list[DemoTask]
    results: dict[str, ipp.AsyncResult]
    attempts: list[Attempt]
    killed: Attempt | None
    submitted: float
    watched: float

    def end(self, name: str) -> str:
        """Return "done", "never answered", or the name of the error of a task."""
        result = self.results[name]
        if not result.done():
            return NEVER_ANSWERED
        error = result.exception()
        return "done" if error is None else error_name(error)

    def of(self, name: str) -> list[Attempt]:
        """Return the attempts of a task, first to last."""
        return [attempt for attempt in self.attempts if attempt.task == name]

    def engine(self, name: str) -> int | None:
        """Return the engine on which a task succeeded."""
        done = [attempt.engine for attempt in self.of(name) if attempt.state == "done"]
        return done[-1] if done else None

    def named(self, name: str) -> DemoTask | None:
        """Return the task of that name, if it was submitted."""
        return next((task for task in self.tasks if task.name == name), None)

    @property
    def unanswered(self) -> list[str]:
        """The tasks that got no answer."""
        return [name for name, result in self.results.items() if not result.done()]

    @property
    def last_answer(self) -> float:
        """When the last answer came, in seconds since the epoch."""
        received = (r.metadata["received"].timestamp() for r in self.results.values() if r.done())
        return max(received, default=self.submitted)

    def fates(self) -> dict[str, int]:
        """Count what became of the tasks."""
        tries = Counter(attempt.task for attempt in self.attempts)
        fates = dict.fromkeys(("ran", "ran, after a retry", "failed", "refused", NEVER_ANSWERED), 0)
        for name in self.results:
            end = self.end(name)
            if end == "done":
                fates["ran" if tries[name] == 1 else "ran, after a retry"] += 1
            elif end == NEVER_ANSWERED:
                fates[NEVER_ANSWERED] += 1
            else:
                fates["failed" if tries[name] else "refused"] += 1
        return fates


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
    found = [_tasks(run), _after(run), _retries(run)]
    if any(task.name.startswith(FIT) for task in run.tasks):
        found += [_kill(run), _follow(run), *_refusals(run)]
    return found


def _tasks(run: Run) -> Check:
    ends = {task.name: run.end(task.name) for task in run.tasks}
    wrong = [f"{task.name} {ends[task.name]}" for task in run.tasks if ends[task.name] != task.end]
    text = f"{len(ends) - len(wrong)} of {len(ends)} ended as they should"
    if wrong:
        text += f": {', '.join(wrong[:_WRONG_SHOWN])}"
    if more := wrong[_WRONG_SHOWN:]:
        text += f", {len(more)} more"
    return Check("tasks", not wrong, text)


def _after(run: Run) -> Check:
    early = out_of_order([task.step for task in run.tasks], run.attempts)
    found = f"too early: {', '.join(early)}" if early else "none ran before what it depends on"
    return Check("after", not early, found)


def _follow(run: Run) -> Check:
    followers = [task for task in run.tasks if task.follow and task.end == "done"]
    right = sum(run.engine(task.name) == run.engine(task.follow[0]) for task in followers)
    return Check(
        "follow",
        right == len(followers),
        f"{right} of {len(followers)} ran on the engine that has their data",
    )


def _retries(run: Run) -> Check:
    ok, found = True, []
    for task in run.tasks:
        if not task.failures:
            continue
        attempts = run.of(task.name)
        wanted = ["failed"] * min(task.failures, 1 + task.retries)
        if task.end == "done":
            wanted.append("done")
        ok = ok and [attempt.state for attempt in attempts] == wanted
        where = [str(attempt.engine) for attempt in attempts if attempt.state == "failed"]
        found.append(f"{task.name} failed on engine {', '.join(where)}: {run.end(task.name)}")
    return Check("retries", ok, "; ".join(found))


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
    found = []
    if (task := run.named(IMPATIENT)) is not None:
        wish = f"{task.name} waits {task.timeout:g} s for {task.after[0]}, which takes longer"
        found.append(_refusal(run, "timeout", task, wish))
    if (task := run.named(ORPHAN)) is not None and run.killed is not None:
        wish = f"{task.name} has to follow {task.follow[0]} to the dead engine {run.killed.engine}"
        found.append(_refusal(run, "follow", task, wish))
    return found


def _refusal(run: Run, subject: str, task: DemoTask, wish: str) -> Check:
    end = run.end(task.name)
    ok = end == task.end and not run.of(task.name)
    return Check(subject, ok, f"{wish}: {end}" + ("" if ok else f", not {task.end}"))
