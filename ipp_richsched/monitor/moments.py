"""How the tasks of a run stood, at evenly spaced moments: what plays it over again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from functools import cached_property
from itertools import accumulate
from typing import get_args

from ..workflows.runs import Run, State, TaskRun
from ..workflows.times import queued, ready_times

STEPS = 1_000
"""Into how many steps a run is divided."""

Change = tuple[int, State | None]


class Moments:
    """The moments of a run, its begin and its end among them.

    Parameters
    ----------
    run : Run
    steps : int
        Into how many steps it is divided.
    """

    def __init__(self, run: Run, steps: int = STEPS) -> None:
        self._run = run
        seconds = run.end - run.start
        self.times = [run.start + seconds * step / steps for step in range(steps)] + [run.end]

    def changes(self, task: TaskRun) -> list[Change]:
        """At which moments a task stands otherwise than before, and how; None: not submitted."""
        whens = {task.submitted, task.ended}
        for each in task.stretches:
            whens |= {each.start, each.end}
        found: list[Change] = []
        for step in sorted({self._first_after(when) for when in whens if when is not None}):
            if step == len(self.times):
                break
            state = task.state_at(self.times[step])
            if state != (found[-1][1] if found else None):
                found.append((step, state))
        return found

    @cached_property
    def counts(self) -> dict[State, list[int]]:
        """How many tasks there are in each state at each moment, of all tasks."""
        steps: dict[State, list[int]] = {state: [0] * len(self.times) for state in get_args(State)}
        for task in self._run.tasks.values():
            before: State | None = None
            for step, state in self.changes(task):
                if before is not None:
                    steps[before][step] -= 1
                if state is not None:
                    steps[state][step] += 1
                before = state
        return {state: [*accumulate(deltas)] for state, deltas in steps.items()}

    @cached_property
    def ready(self) -> list[int]:
        """How many of those that wait could run, if an engine took them."""
        run, readies = self._run, ready_times(self._run)
        return self._overlaps(
            each
            for msg_id, task in run.tasks.items()
            for each in queued(run, task, readies.get(msg_id))
        )

    def _overlaps(self, times: Iterable[tuple[float, float]]) -> list[int]:
        deltas = [0] * (len(self.times) + 1)
        for begin, end in times:
            deltas[self._first_after(begin)] += 1
            deltas[self._first_after(end)] -= 1
        return [*accumulate(deltas[:-1])]

    def _first_after(self, when: float) -> int:
        """The first moment that is not before a time."""
        return bisect_left(self.times, when)
