"""What is left of a run of the demo, and whether it went as the scheduler promises."""

from __future__ import annotations

from dataclasses import dataclass

import ipyparallel as ipp

from ..workflows.attempts import Attempt, error_name, out_of_order
from .dag import FLAKY, IMPATIENT, Job


@dataclass(frozen=True)
class Run:
    """A run of the demo.

    Attributes
    ----------
    engines : list of int
        The engines it began with.
    jobs : list of Job
        The DAG, without the jobs that are not to succeed.
    results : dict of str to ipyparallel.AsyncResult
        Of all jobs, by name.
    attempts : list of Attempt
        What ran.
    killed : Attempt or None
        What ran on the engine that was killed.
    orphan : Job or None
        The job that follows the engine that was killed.
    submitted : float
        When the first job was submitted, in seconds since the epoch.
    """

    engines: list[int]
    jobs: list[Job]
    results: dict[str, ipp.AsyncResult]
    attempts: list[Attempt]
    killed: Attempt | None
    orphan: Job | None
    submitted: float

    def outcome(self, name: str) -> str:
        """Return "done", "no answer", or the name of the error of a job."""
        result = self.results[name]
        if not result.done():
            return "no answer"
        error = result.exception()
        return "done" if error is None else error_name(error)

    def of(self, name: str) -> list[Attempt]:
        """Return the attempts of a job, first to last."""
        return [attempt for attempt in self.attempts if attempt.task == name]

    def engine(self, name: str) -> int | None:
        """Return the engine on which a job succeeded."""
        done = [attempt.engine for attempt in self.of(name) if attempt.outcome == "done"]
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

    Returns
    -------
    list of Check
    """
    return [_tasks(run), _after(run), _follow(run), _retries(run), _kill(run), *_refusals(run)]


def _tasks(run: Run) -> Check:
    done = sum(run.outcome(job.name) == "done" for job in run.jobs)
    return Check("tasks", done == len(run.jobs), f"{done} of {len(run.jobs)} succeeded")


def _after(run: Run) -> Check:
    early = out_of_order([job.step for job in run.jobs], run.attempts)
    found = f"too early: {', '.join(early)}" if early else "none ran before what it depends on"
    return Check("after", not early, found)


def _follow(run: Run) -> Check:
    followers = [job for job in run.jobs if job.follow]
    right = sum(run.engine(job.name) == run.engine(job.follow[0]) for job in followers)
    return Check(
        "follow",
        right == len(followers),
        f"{right} of {len(followers)} ran on the engine that has their data",
    )


def _retries(run: Run) -> Check:
    outcomes = [attempt.outcome for attempt in run.of(FLAKY.name)]
    wanted = ["failed"] * FLAKY.failures + ["done"]
    return Check("retries", outcomes == wanted, f"{FLAKY.name} {', '.join(outcomes)}")


def _kill(run: Run) -> Check:
    if run.killed is None:
        return Check("retries", False, "no engine was killed: no fit was seen running")
    task = run.killed.task
    engine = run.engine(task)
    found = f"{task} died with engine {run.killed.engine} and "
    if engine in (None, run.killed.engine):
        return Check("retries", False, f"{found}did not run elsewhere: {run.outcome(task)}")
    return Check("retries", True, f"{found}ran again on engine {engine}")


def _refusals(run: Run) -> list[Check]:
    """Check the jobs that are to be refused, with the right error and without having run."""
    first = IMPATIENT.after[0]
    wish = f"{IMPATIENT.name} waits {IMPATIENT.timeout:g} s for {first}, which takes longer"
    found = [_refusal(run, "timeout", IMPATIENT, "TaskTimeout", wish)]
    if run.killed is not None and run.orphan is not None:
        wish = f"orphan has to follow {run.orphan.follow[0]} to the dead engine {run.killed.engine}"
        found.append(_refusal(run, "follow", run.orphan, "ImpossibleDependency", wish))
    return found


def _refusal(run: Run, subject: str, job: Job, error: str, wish: str) -> Check:
    outcome = run.outcome(job.name)
    ok = outcome == error and not run.of(job.name)
    return Check(subject, ok, f"{wish}: {outcome}" + ("" if ok else f", not {error}"))
