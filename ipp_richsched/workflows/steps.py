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
class Loss:
    """An engine that died in a run.

    Attributes
    ----------
    step : str
        What it was running.
    at : float
        When it died, in seconds after the start.
    seconds : float
        For how long it had been running that.
    """

    step: str
    at: float
    seconds: float


@dataclass(frozen=True)
class Bounds:
    """What no scheduler can beat, in seconds.

    Attributes
    ----------
    critical_path : float
        The longest chain of steps, each of which has to wait for the one before: by the durations
        that are planned, not as they ran.
    work : float
        The sum of all steps, and of what was lost with an engine.
    engines : int
        How many engines share the work.
    loss : Loss or None
        One of these engines died.
    """

    critical_path: float
    work: float
    engines: int
    loss: Loss | None = None

    @property
    def makespan(self) -> float:
        """The lower bound of the makespan: max(critical path, work / engines).

        After a loss the others share what was left of the work.
        """
        shared = self.work / self.engines
        if self.loss is not None and self.loss.at < shared:
            shared = (self.work - self.loss.at) / (self.engines - 1)
        return max(self.critical_path, shared)

    def __str__(self) -> str:
        engines, path = f"{self.engines} engines", "critical path as planned"
        if self.loss is not None:
            engines += f", one of them until {self.loss.at:.2f} s"
            path += f", {self.loss.step} begun again then"
        return (
            f"lower bound {self.makespan:.2f} s: max({path} {self.critical_path:.2f} s, "
            f"work {self.work:.2f} s / {engines})"
        )


def bounds(steps: Iterable[Step], engines: int, loss: Loss | None = None) -> Bounds:
    """Return the bounds of `steps` on `engines` engines.

    Parameters
    ----------
    steps : iterable of Step
        In topological order: parents first.
    engines : int
        At least 1, and at least 2 where one dies.
    loss : Loss, optional
        An engine that died, and with it a step that had to run again.

    Returns
    -------
    Bounds
    """
    ends: dict[str, float] = {}
    work = 0.0 if loss is None else loss.seconds
    for step in steps:
        start = max((ends[parent] for parent in step.parents), default=0.0)
        if loss is not None and step.name == loss.step:
            start = max(start, loss.at)
        ends[step.name] = start + step.seconds
        work += step.seconds
    return Bounds(max(ends.values(), default=0.0), work, engines, loss)


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
