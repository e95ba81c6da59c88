"""What the pure core costs: events a second, without sockets, processes or messages.

``python -m benchmarks.core`` plays the engines beside the core, in one process: each task is
answered in the order of assignment.  The cost of making the events and of looking at the
actions is in the figures.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ipp_richsched.core.actions import AssignTask, FailTask
from ipp_richsched.core.dependency import NOTHING, Dependency
from ipp_richsched.core.events import (
    EngineRegistered,
    Event,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.machine import SchedulerCore

from . import shapes
from .machine import describe
from .messages import msg_id
from .table import print_head, print_row, progress, read_arguments

TASKS = 20_000
TAKES = 5


class Play:
    """A core, and engines that answer when told.

    Parameters
    ----------
    engines : int

    Attributes
    ----------
    core : SchedulerCore
    names : list of str
        The engines.
    events : int
        How many there were so far.
    outstanding : int
        How many tasks that will be answered have not been.
    """

    def __init__(self, engines: int) -> None:
        self.names = [f"{number:08x}-67cc4e9b89adf2d355e6e762" for number in range(engines)]
        self.events = 0
        self.outstanding = 0
        self._submitted = 0
        self._assigned: deque[tuple[bytes, str]] = deque()
        self.core = SchedulerCore()
        for name in self.names:
            self._feed(EngineRegistered(name.encode()))

    def _feed(self, event: Event) -> None:
        self.events += 1
        for action in self.core.handle(event, now=0.0):
            if isinstance(action, AssignTask):
                self._assigned.append((action.engine, action.msg_id))
            elif isinstance(action, FailTask):
                raise AssertionError(f"task {action.msg_id} failed: {action.reason}")

    def submit(self, fields: shapes.Fields) -> str:
        """Submit a task that asks for this; its msg_id."""
        task = msg_id(self._submitted)
        self._submitted += 1
        self.outstanding += 1
        targets = fields.get("targets") if fields else None
        event = TaskSubmitted(
            task,
            targets=frozenset(name.encode() for name in targets) if targets else None,
            after=Dependency.parse(fields.get("after")) if fields else NOTHING,
            follow=Dependency.parse(fields.get("follow")) if fields else NOTHING,
        )
        self._feed(event)
        return task

    def hold(self) -> str:
        """Have the first engine busy for good; the msg_id of its task."""
        task = self.submit({"targets": self.names[:1]})
        self._assigned.clear()
        self.outstanding = 0
        return task

    def queue(self, tasks: int, fields: shapes.Fields) -> None:
        """Submit tasks that are never answered."""
        for _ in range(tasks):
            self.submit(fields)
        self.outstanding = 0

    def drain(self, outstanding: int = 0) -> None:
        """Answer tasks until at most so many are left."""
        while self.outstanding > outstanding:
            if self._assigned:
                engine, task = self._assigned.popleft()
                self.outstanding -= 1
                self._feed(TaskReplied(engine, task, "ok"))
            else:
                self._feed(TimePassed())  # there is work left of an earlier event

    def flow(self, tasks: int, shape: shapes.MakeShape, window: int) -> None:
        """Submit tasks of a shape and answer them, with `window` of them under way at most."""
        stream = shape(self.names)
        fields = next(stream)
        for _ in range(tasks):
            fields = stream.send(self.submit(fields))
            if self.outstanding >= window:
                self.drain(window // 2)
        self.drain()


@dataclass(frozen=True)
class Load:
    """What is measured: tasks of a shape, so many at most under way, after a preparation."""

    name: str
    shape: shapes.MakeShape = shapes.flat
    engines: int = 16
    window: int = 64
    prepare: Callable[[Play], object] = lambda play: None
    beside: str = "flat, four tasks an engine"


def pin(play: Play, tasks: int) -> None:
    """Queue tasks for an engine that is busy for good."""
    play.hold()
    play.queue(tasks, {"targets": play.names[:1]})


def wait(play: Play, tasks: int) -> None:
    """Have tasks wait for one that runs for good."""
    play.queue(tasks, {"after": [play.hold()]})


LOADS = [
    Load("flat, four tasks an engine"),
    Load("flat, half of the engines idle", window=8),
    Load("flat, 1,024 engines", engines=1_024, window=4_096),
    Load("1,000 pinned to a busy engine", prepare=partial(pin, tasks=1_000)),
    Load("100,000 pinned to a busy engine", prepare=partial(pin, tasks=100_000)),
    Load("2,000 waiting for a long one", prepare=partial(wait, tasks=2_000)),
    Load("100,000 waiting for a long one", prepare=partial(wait, tasks=100_000)),
    Load("layers of 50, each task after 5", shapes.layers, window=256),
    Load("64 chains", shapes.chains, window=256),
    Load("fan-in of 100", shapes.fan_in, window=256),
    Load("follow", shapes.follow, window=256),
    Load("targets, one engine", shapes.one_target, window=256),
    Load("targets, a quarter of the engines", shapes.some_targets, window=256),
    Load("different sets of targets, none queued", shapes.different_targets, window=16),
    Load(
        "10,000 different sets of targets queued",
        shapes.different_targets,
        window=20_000,
        beside="different sets of targets, none queued",
    ),
    Load("backlog of 200,000", window=200_000),
]


@dataclass(frozen=True)
class Figures:
    """Events a second, CPU a task in microseconds, and its ratio to that of another load."""

    rate: float
    cost: float
    to_other: float


def measure(load: Load, tasks: int) -> Figures:
    """Do a load, in turns with the one that it is beside; the medians count."""
    other = next(each for each in LOADS if each.name == load.beside)
    plays = [(each, Play(each.engines)) for each in (load, other)]
    for each, play in plays:
        each.prepare(play)
        play.flow(4 * each.engines, each.shape, each.window)
    rounds = [[_take(play, each, tasks) for each, play in plays] for _ in range(TAKES)]
    return Figures(
        statistics.median(rate for (rate, _), _ in rounds),
        statistics.median(cost for (_, cost), _ in rounds),
        statistics.median(cost / other for (_, cost), (_, other) in rounds),
    )


def _take(play: Play, load: Load, tasks: int) -> tuple[float, float]:
    tasks = max(tasks, load.window)
    events = play.events
    start = time.process_time()
    play.flow(tasks, load.shape, load.window)
    seconds = time.process_time() - start
    return (play.events - events) / seconds, seconds / tasks * 1e6


def main(argv: Sequence[str] | None = None) -> None:
    args, loads = read_arguments(argv, __doc__, "python -m benchmarks.core", LOADS, TASKS)
    print(describe(), end="\n\n")
    print_head("load", "events a second", "us of CPU a task", "beside")
    for load in progress(loads):
        figures = measure(load, args.tasks)
        print_row(
            load.name,
            f"{figures.rate:,.0f}",
            f"{figures.cost:.1f}",
            f"{figures.to_other:.2f} x {load.beside}",
        )


if __name__ == "__main__":
    main()
