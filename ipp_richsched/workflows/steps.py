"""The steps of a workflow, and how fast they can run at best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A task of a workflow.

    Attributes
    ----------
    name : str
        What names it in its workflow.
    parents : tuple of str
        The steps that must be completed before this one starts.
    seconds : float
        How long it runs.
    """

    name: str
    parents: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Bounds:
    """What no scheduler can beat, in seconds.

    Attributes
    ----------
    critical_path : float
        The longest chain of steps, each of which has to wait for the one before.
    work : float
        The sum of all steps.
    engines : int
        How many engines share the work.
    """

    critical_path: float
    work: float
    engines: int

    @property
    def makespan(self) -> float:
        """The lower bound of the makespan: max(critical path, work / engines)."""
        return max(self.critical_path, self.work / self.engines)

    def __str__(self) -> str:
        return (
            f"lower bound {self.makespan:.2f} s: max(critical path {self.critical_path:.2f} s, "
            f"work {self.work:.2f} s / {self.engines} engines)"
        )


def bounds(steps: Iterable[Step], engines: int) -> Bounds:
    """Return the bounds of `steps` on `engines` engines.

    Parameters
    ----------
    steps : iterable of Step
        In topological order: parents first.
    engines : int
        At least 1.

    Returns
    -------
    Bounds
    """
    ends: dict[str, float] = {}
    work = 0.0
    for step in steps:
        start = max((ends[parent] for parent in step.parents), default=0.0)
        ends[step.name] = start + step.seconds
        work += step.seconds
    return Bounds(max(ends.values(), default=0.0), work, engines)


def scaled(steps: Iterable[Step], engines: int, seconds: float) -> list[Step]:
    """Return `steps` with durations scaled so that their lower bound takes `seconds` seconds.

    Steps of no duration keep it; where all are so, the lower bound stays zero.

    Parameters
    ----------
    steps : iterable of Step
        In topological order.
    engines : int
        At least 1.
    seconds : float
        The lower bound that is wanted, in seconds.

    Returns
    -------
    list of Step
    """
    steps = list(steps)
    longest = max((step.seconds for step in steps), default=0.0)
    if longest == 0:
        return steps
    # Relative to the longest first: durations near the ends of what a float holds stay finite.
    relative = [Step(step.name, step.parents, step.seconds / longest) for step in steps]
    factor = seconds / bounds(relative, engines).makespan
    return [Step(step.name, step.parents, step.seconds * factor) for step in relative]
