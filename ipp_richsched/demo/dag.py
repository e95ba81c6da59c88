"""What the demo runs: its tasks, what an engine does for one, and what the engines note.

The DAG is that of a small analysis: `fetch` data, `clean` each piece where it was fetched, `fit`
all of it many times, `merge` the fits, and `report` from where they were merged. Beside it run a
task that fails at first, one whose dependency comes too late, and one that follows a dead engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import ipyparallel as ipp

from ..workflows.attempts import Attempt, AttemptState
from ..workflows.steps import Step

FIT = "fit-"


@dataclass(frozen=True)
class DemoTask:
    """A task of the demo.

    Attributes
    ----------
    name : str
        What names it in the demo.
    seconds : float
        How long it sleeps.
    after, follow : tuple of str
        The tasks it depends on, in time and in place.
    retries : int
        How often it may run again.
    timeout : float
        How many seconds it may wait in the queue; 0 is for ever.
    failures : int
        How many of its attempts fail on purpose.
    """

    name: str
    seconds: float
    after: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    retries: int = 0
    timeout: float = 0
    failures: int = 0

    @property
    def step(self) -> Step:
        """What the scheduler has to keep the order of."""
        return Step(self.name, self.after + self.follow, self.seconds)


FLAKY = DemoTask("flaky", 0.3, retries=2, failures=2)
IMPATIENT = DemoTask("impatient", 0.1, after=("report",), timeout=1)


def pipeline(n: int) -> list[DemoTask]:
    """Return the DAG for `n` engines, parents first; all of its tasks are to succeed.

    No fit runs before all that `follow` anything but the merge have run: so the engine that dies
    during a fit takes nothing with it that a later task has to follow.
    """
    indices = range(2 * n)
    fetch = [DemoTask(f"fetch-{i}", 0.4 + 0.2 * (i % 3)) for i in indices]
    clean = [DemoTask(f"clean-{i}", 0.4, follow=(f"fetch-{i}",)) for i in indices]
    cleaned = tuple(task.name for task in clean)
    fit = [DemoTask(f"{FIT}{i}", 1.2 + 0.2 * (i % 3), after=cleaned, retries=2) for i in indices]
    merge = DemoTask("merge", 0.6, after=(*(task.name for task in fit), FLAKY.name))
    report = DemoTask("report", 0.4, follow=(merge.name,))
    return [*fetch, *clean, FLAKY, *fit, merge, report]


def orphan(of: str) -> DemoTask:
    """Return a task that follows `of`, which has run on an engine that is dead."""
    return DemoTask("orphan", 0.1, follow=(of,))


@ipp.interactive
def work(name: str, seconds: float, failures: int, notes: str) -> None:
    """Sleep, note when in the notes, and fail the first `failures` times; runs on an engine."""
    import os
    import time

    def note(event: str) -> None:
        with open(notes, "a") as file:
            file.write(f"{name} {os.getpid()} {time.time()} {event}\n")

    with open(notes) as file:
        failed = sum(line.startswith(f"{name} ") and line.endswith("failed\n") for line in file)
    note("running")
    time.sleep(seconds)
    if failed < failures:
        note("failed")
        raise RuntimeError(f"{name} fails on purpose, {failed + 1} of {failures} times")
    note("done")


class Notes:
    """What the engines note: when each attempt starts and ends.

    Results tell only of the last attempt of a task, and nothing of one that died with its engine.

    Parameters
    ----------
    path : pathlib.Path
        The file, to be written by the engines; it is created here.
    pids : mapping of int to int
        The process id of each engine.

    Attributes
    ----------
    killed : tuple of int and float, or None
        The engine that was killed, and when, in seconds since the epoch.
    """

    def __init__(self, path: Path, pids: Mapping[int, int]) -> None:
        self.path = path
        self.killed: tuple[int, float] | None = None
        self._engines = {pid: engine for engine, pid in pids.items()}
        path.touch()

    def attempts(self) -> list[Attempt]:
        """Return all attempts so far; an engine runs one at a time."""
        ended: list[Attempt] = []
        running: dict[int, Attempt] = {}
        for line in self.path.read_text().splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # it is being written
            task, pid, when, event = line.split()
            engine = self._engines[int(pid)]
            if event == "running":
                running[engine] = Attempt(task, engine, float(when), float(when), "running")
            else:
                state = cast(AttemptState, event)
                ended.append(replace(running.pop(engine), ended=float(when), state=state))
        if self.killed is not None and self.killed[0] in running:
            engine, time = self.killed
            ended.append(replace(running.pop(engine), ended=time, state="killed"))
        return [*ended, *running.values()]
