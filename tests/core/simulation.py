"""Engines that take known times for tasks, around a core, on a clock that is only counted."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from ipp_richsched.core.actions import Action, AssignTask
from ipp_richsched.core.events import (
    EngineRegistered,
    Event,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.settings import Settings


class Simulation:
    """A core with engines.

    Parameters
    ----------
    engines : int
        How many.
    **settings
        Those of the core.

    Attributes
    ----------
    runs : list of tuple
        (msg_id, engine, start, end) of each task, in the order of their ends.
    """

    def __init__(self, engines: int, **settings: Any) -> None:
        self.core = SchedulerCore(Settings(probe_after=None, **settings))
        self.now = 0.0
        self.runs: list[tuple[str, bytes, float, float]] = []
        self._seconds: dict[str, float] = {}
        self._number = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._held: dict[bytes, list[AssignTask]] = {}
        for number in range(engines):
            self._held[b"e%d" % number] = []
            self._feed(EngineRegistered(b"e%d" % number))

    def submit(self, msg_id: str, seconds: float, **fields: Any) -> None:
        """Submit a task that takes so long."""
        self._seconds[msg_id] = seconds
        self._feed(TaskSubmitted(msg_id, **fields))

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Have something done at a time."""
        heapq.heappush(self._due, (when, next(self._number), call))

    def run(self) -> float:
        """Until nothing is left to do; the time then."""
        for _ in self.steps():
            pass
        return self.now

    def steps(self) -> Iterator[float]:
        """As `run`; each time at which something has happened."""
        while self._due:
            self.now, _, call = heapq.heappop(self._due)
            call()
            yield self.now

    def _feed(self, event: Event) -> None:
        actions = self.core.handle(event, now=self.now)
        while self.core.busy:
            actions += self.core.handle(TimePassed(), now=self.now)
        self._carry_out(actions)

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, AssignTask):
                held = self._held[action.engine]
                held.append(action)
                if len(held) == 1:
                    self._begin(action)

    def _begin(self, action: AssignTask) -> None:
        start = self.now
        self.at(start + self._seconds[action.msg_id], lambda: self._end(action, start))

    def _end(self, action: AssignTask, start: float) -> None:
        held = self._held[action.engine]
        held.remove(action)
        self.runs.append((action.msg_id, action.engine, start, self.now))
        if held:
            self._begin(held[0])
        self._feed(TaskReplied(action.engine, action.msg_id, "ok", mark=action.mark))
