"""Random runs by the thousand, as the shell makes them: sends come late, and may find nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any
from unittest import mock

import pytest

from ipp_richsched.core import machine
from ipp_richsched.core.actions import AssignTask, FailTask, RelayReply
from ipp_richsched.core.dependency import NOTHING, Dependency
from ipp_richsched.core.engines.pool import EnginePool
from ipp_richsched.core.engines.schemes import BUILT_IN
from ipp_richsched.core.events import (
    EngineRegistered,
    EngineUnreachable,
    EngineUnregistered,
    Event,
    TaskReplied,
    TaskSubmitted,
    TimePassed,
)
from ipp_richsched.core.machine import SchedulerCore

RUNS = 2_000


class Run:
    """A core and its peers, as a seed has them.

    Attributes
    ----------
    unsent : list of AssignTask
        What was decided and is not sent yet.
    held : list of tuple
        The engines and tasks that they have not answered.
    connected, registered : set of bytes
        Engines that can be reached, and that the hub knows.
    answered : Counter of str
    """

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        pool = EnginePool(BUILT_IN[random.choice(sorted(BUILT_IN))], random.randrange(4), random)
        self.core = SchedulerCore(
            pool,
            engine_grace=random.choice([0, 0.5, 2]),
            stranded_timeout=random.choice([0, 1, 3]),
        )
        self.engines = [b"e%d" % number for number in range(random.choice([1, 2, 3, 4]))]
        self.now = 0.0
        self.unsent: list[AssignTask] = []
        self.held: list[tuple[bytes, str]] = []
        self.connected: set[bytes] = set()
        self.registered: set[bytes] = set()
        self.submitted: list[str] = []
        self.answered: Counter[str] = Counter()

    def feed(self, event: Event) -> None:
        for action in self.core.handle(event, now=self.now):
            if isinstance(action, AssignTask):
                self.unsent.append(action)
            elif isinstance(action, (RelayReply, FailTask)):
                self.answered[action.msg_id] += 1
        self.core.validate()

    def flush(self) -> None:
        """Send what was decided, and what that leads to."""
        while self.unsent:
            actions, self.unsent = self.unsent, []
            for action in filter(self.core.stands, actions):
                if action.engine in self.connected:
                    self.held.append((action.engine, action.msg_id))
                else:
                    self.feed(EngineUnreachable(action.engine, action.msg_id))

    def step(self) -> None:
        draw, engine = self.random.random(), self.random.choice(self.engines)
        if draw < 0.25:
            self.submit()
        elif draw < 0.35:  # a connection comes or goes, with what was under way on it
            self.held = [held for held in self.held if held[0] != engine]
            self.connected ^= {engine}
        elif draw < 0.45:
            known = engine in self.registered
            self.registered ^= {engine}
            self.feed(EngineUnregistered(engine) if known else EngineRegistered(engine))
        elif draw < 0.75 and self.held:
            held = self.held.pop(self.random.randrange(len(self.held)))
            status: Any = self.random.choice(["ok", "ok", "error", "error", "aborted", None])
            self.feed(TaskReplied(*held, status, self.random.random() < 0.9))
        else:
            self.flush()
            if draw > 0.85:
                self.pass_time(self.random.choice([0, 0.05, 0.3, 1]))

    def submit(self) -> None:
        random, msg_id = self.random, f"session_1_{len(self.submitted)}"
        self.feed(
            TaskSubmitted(
                msg_id,
                targets=frozenset(random.sample(self.engines, random.randint(1, 2)))
                if random.random() < 0.3 and len(self.engines) > 1
                else None,
                after=self.dependency(),
                follow=self.dependency(),
                timeout=random.choice([None, None, 1.0, 3.0]),
                retries=random.choice([0, 0, 1, 3]),
            )
        )
        self.submitted.append(msg_id)

    def dependency(self) -> Dependency:
        random = self.random
        if not self.submitted or random.random() < 0.6:
            return NOTHING
        ids = random.sample(self.submitted, min(len(self.submitted), random.randint(1, 3)))
        failure = random.random() < 0.4
        return Dependency(ids, random.random() < 0.5, not failure or random.random() < 0.5, failure)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.feed(TimePassed())

    def drain(self) -> None:
        """Everybody is there again and answers; whoever lost what it had dies and comes back."""
        self.connected.update(self.engines)
        for engine in self.engines:
            if engine in self.registered:
                self.feed(EngineUnregistered(engine))
            self.feed(EngineRegistered(engine))
        for _ in range(20 * len(self.submitted)):
            self.flush()
            if self.held:
                self.feed(TaskReplied(*self.held.pop(), "ok"))
            elif (deadline := self.core.next_deadline()) is not None:
                self.pass_time(max(0.0, deadline - self.now))


@pytest.fixture(autouse=True)
def small_slices() -> Iterator[None]:
    """So that every few steps a cascade is cut in two."""
    with mock.patch.object(machine, "SLICE", 4):
        yield


def test_random_runs() -> None:
    for seed in range(RUNS):
        run = Run(seed)
        try:
            for _ in range(run.random.randrange(20, 150)):
                run.step()
            run.drain()
            assert run.answered == Counter(run.submitted)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
