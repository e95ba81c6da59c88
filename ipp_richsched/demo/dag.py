"""What the demo runs: its tasks, what an engine does for one, and what the engines note.

The DAG is that of a small analysis: `fetch` data, `clean` each piece where it was fetched, `fit`
all of it many times, `merge` the fits, and `report` from where they were merged. Beside it run a
task that fails once on every engine, one whose dependency comes too late, and one that follows a
dead engine.
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
IMPATIENT = "impatient"
ORPHAN = "orphan"

# Of all the attempts of the task that fails at first, in seconds: the fits take longer.
_FLAKY_SECONDS = 2.0


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
    end : str
        How it should end: "done", or the name of the error.
    """

    name: str
    seconds: float
    after: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    retries: int = 0
    timeout: float = 0
    failures: int = 0
    end: str = "done"

    @property
    def runs(self) -> bool:
        """Whether it is to run at all."""
        return self.end not in ("ImpossibleDependency", "TaskTimeout")

    @property
    def step(self) -> Step:
        """What the scheduler has to keep the order of; it takes as long as all its attempts."""
        attempts = 1 + min(self.failures, self.retries)
        return Step(self.name, self.after + self.follow, self.seconds * attempts)


def pipeline(n: int) -> list[DemoTask]:
    """Return the DAG for `n` engines, parents first, and with it the task that is impatient.

    The flaky task fails as often as there are engines, and may then run again.
    No fit runs before all that `follow` anything but the merge have run: so the engine that dies
    during a fit takes nothing with it that a later task has to follow.
    """
    indices = range(2 * n)
    fetch = [DemoTask(f"fetch-{i}", 0.5 + 0.2 * (i % 3)) for i in indices]
    clean = [DemoTask(f"clean-{i}", 0.5, follow=(f"fetch-{i}",)) for i in indices]
    cleaned = tuple(task.name for task in clean)
    fit = [DemoTask(f"{FIT}{i}", 1.2 + 0.2 * (i % 3), after=cleaned, retries=2) for i in indices]
    flaky = DemoTask("flaky", _FLAKY_SECONDS / (n + 1), retries=n, failures=n)
    merge = DemoTask("merge", 0.6, after=(*(task.name for task in fit), flaky.name))
    report = DemoTask("report", 0.5, follow=(merge.name,))
    impatient = DemoTask(IMPATIENT, 0.1, after=(report.name,), timeout=1, end="TaskTimeout")
    return [*fetch, *clean, flaky, *fit, merge, report, impatient]


def orphan(of: str) -> DemoTask:
    """Return a task that follows `of`, which has run on an engine that is dead."""
    return DemoTask(ORPHAN, 0.1, follow=(of,), end="ImpossibleDependency")


@ipp.interactive
def work(name: str, seconds: float, failures: int, notes: str) -> None:
    """Sleep, note when in the notes, and fail the first `failures` times; runs on an engine."""
    import os
    import time

    def note(event: str) -> None:
        with open(notes, "a") as file:
            file.write(f"{name} {os.getpid()} {time.time()} {event}\n")

    failed = 0
    if failures:
        with open(notes) as file:
            failed = sum(line.startswith(f"{name} ") and "failed" in line for line in file)
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
