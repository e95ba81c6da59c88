"""An offline list schedule: what a scheduler reaches that knows all durations and costs nothing."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from .steps import Step


def list_schedule(steps: Sequence[Step], engines: int) -> float:
    """The makespan of a list schedule, longest remaining path first.

    Parameters
    ----------
    steps : sequence of Step
        In topological order.
    engines : int
        At least 1.

    Returns
    -------
    float
        Seconds.
    """
    by_name = {step.name: step for step in steps}
    children: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for parent in step.parents:
            children[parent].append(step.name)
    paths: dict[str, float] = {}
    for step in reversed(steps):
        longest = max((paths[child] for child in children[step.name]), default=0.0)
        paths[step.name] = step.seconds + longest
    missing = {step.name: len(step.parents) for step in steps}
    ready = [(-paths[step.name], step.name) for step in steps if not step.parents]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < engines:
            _, name = heapq.heappop(ready)
            heapq.heappush(running, (now + by_name[name].seconds, name))
        now = running[0][0]
        while running and running[0][0] == now:
            _, name = heapq.heappop(running)
            for child in children[name]:
                missing[child] -= 1
                if not missing[child]:
                    heapq.heappush(ready, (-paths[child], child))
    return now
