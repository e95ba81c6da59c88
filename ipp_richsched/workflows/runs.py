"""What happened to tasks, as pictures and reports show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from .paths import longest_chain

State = Literal["waiting", "running", "succeeded", "failed", "never ran"]
ENDED: frozenset[State] = frozenset(("succeeded", "failed", "never ran"))
"""The states that a task does not leave."""

EndState = Literal["running", "succeeded", "failed", "died", "given back"]


@dataclass(frozen=True)
class Stretch:
    """One attempt of a task on an engine.

    Attributes
    ----------
    engine : str
        What the engine is called.
    start, end : float
        When it ran, in seconds since the epoch; the end of one that runs is the time of looking.
    end_state : {"running", "succeeded", "failed", "died", "given back"}
        How it ended; ``"died"``: with its engine; ``"given back"``: the engine was busy with
        something else, or did not meet its functional dependency.
    """

    engine: str
    start: float
    end: float
    end_state: EndState


@dataclass(frozen=True)
class Life:
    """A time in which an engine was registered.

    Attributes
    ----------
    engine : str
        What the engine is called.
    since, until : float
        From when to when, in seconds since the epoch; the end of one that is still there is the
        time of looking.
    is_over : bool
        Whether it is gone.
    """

    engine: str
    since: float
    until: float
    is_over: bool


@dataclass(frozen=True)
class TaskRun:
    """What happened to a task.

    Attributes
    ----------
    msg_id : str
        What names it.
    name : str
        What people call it.
    group : str
        Its label, or its function.
    parents : tuple of str
        The tasks of the run that it waited for, by their msg_ids; all come before it there.
    submitted : float
        When, in seconds since the epoch.
    stretches : tuple of Stretch
        Its attempts, the first one first.
    ended : float or None
        When its answer came.
    state : {"waiting", "running", "succeeded", "failed", "never ran"}
        How it stands; ``"never ran"``: it has failed without an attempt.
    problem : str
        The name of the error, if it has failed.
    cost : float or None
        The seconds that its client expects it to take, if it said so.
    error : str
        The text of the error, if it has failed and that is known.
    cause : str or None
        The task with whose failure its own began, if that is another and is known.
    ready : float or None
        When what it waited for had ended, if somebody has said so: see `times.ready_times`.
    """

    msg_id: str
    name: str
    group: str
    parents: tuple[str, ...]
    submitted: float
    stretches: tuple[Stretch, ...] = ()
    ended: float | None = None
    state: State = "waiting"
    problem: str = ""
    cost: float | None = None
    error: str = ""
    cause: str | None = None
    ready: float | None = None

    @property
    def seconds(self) -> float:
        """How long engines have worked on it; one that gave it back has not."""
        worked = [each for each in self.stretches if each.end_state != "given back"]
        return sum(each.end - each.start for each in worked)

    def state_at(self, when: float) -> State | None:
        """How it stood at a time; None if it was not submitted then."""
        if when < self.submitted:
            return None
        if self.ended is not None and when >= self.ended:
            return self.state
        if self.runs_on and when >= self.stretches[-1].start:
            return "running"
        running = any(each.start <= when < each.end for each in self.stretches)
        return "running" if running else "waiting"

    @property
    def runs_on(self) -> bool:
        """Whether an engine is working on it."""
        return bool(self.stretches) and self.stretches[-1].end_state == "running"


@dataclass(frozen=True)
class Run:
    """Tasks, and what happened to them.

    Attributes
    ----------
    tasks : dict of str to TaskRun
        By their msg_ids, in the order of submission.
    looked_at : float
        When that was so, in seconds since the epoch.
    lives : tuple of Life
        When which engines were there, as far as that is known: results do not tell it.
    """

    tasks: Mapping[str, TaskRun]
    looked_at: float
    lives: tuple[Life, ...] = ()

    @cached_property
    def start(self) -> float:
        """When the first task was submitted."""
        return min((task.submitted for task in self.tasks.values()), default=self.looked_at)

    @cached_property
    def end(self) -> float:
        """When the last thing happened."""
        times = [each.end for task in self.tasks.values() for each in task.stretches]
        times += [task.ended for task in self.tasks.values() if task.ended is not None]
        return max(times, default=self.looked_at)

    @cached_property
    def groups(self) -> list[str]:
        """Labels and functions, those with the most tasks first."""
        return [
            name for name, _ in Counter(task.group for task in self.tasks.values()).most_common()
        ]

    @cached_property
    def engines(self) -> list[str]:
        """The engines that were there or have run something, sorted by their numbers."""
        names = {each.engine for task in self.tasks.values() for each in task.stretches}
        names.update(life.engine for life in self.lives)
        return sorted(names, key=lambda name: (len(name), name))

    @cached_property
    def expected(self) -> dict[str, float]:
        """Seconds that each task takes: as it did, as its client says, or as its group did."""
        done: dict[str, list[float]] = {}
        for task in self.tasks.values():
            if task.state == "succeeded" and task.stretches:
                last = task.stretches[-1]
                done.setdefault(task.group, []).append(last.end - last.start)
        means = {group: sum(times) / len(times) for group, times in done.items()}
        every = [seconds for times in done.values() for seconds in times]
        mean = sum(every) / len(every) if every else 1.0
        found = {}
        for msg_id, task in self.tasks.items():
            if task.state in ENDED:
                found[msg_id] = task.seconds
            else:
                found[msg_id] = means.get(task.group, mean) if task.cost is None else task.cost
        return found

    @cached_property
    def critical_path(self) -> list[str]:
        """The chain of tasks that takes longest, the first one first."""
        return longest_chain(
            ((msg_id, task.parents) for msg_id, task in self.tasks.items()), self.expected
        )
