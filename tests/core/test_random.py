"""Random clusters against a model that knows only the rules, not how they are kept."""

from __future__ import annotations

import math
from random import Random
from unittest import mock

import hypothesis.strategies as st
import ipyparallel as ipp
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ipp_richsched.core import machine
from ipp_richsched.core.actions import Action, AssignTask, FailTask, RelayReply
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.engines.pool import EnginePool
from ipp_richsched.core.engines.schemes import BUILT_IN, find_scheme
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

ENGINES = [b"a", b"b", b"c", b"d"]
TIMEOUTS = [None, None, 0.1, 1.0, 20.0]


class RandomCluster(RuleBasedStateMachine):
    """Clients, engines and a hub at random; every promise is checked at every step."""

    @initialize(
        scheme=st.sampled_from(sorted(BUILT_IN)),
        hwm=st.integers(0, 3),
        seed=st.integers(0, 99),
        stranded=st.sampled_from([0.0, 3.0, None]),
        work=st.sampled_from([1, 3, 500]),
    )
    def start(self, scheme: str, hwm: int, seed: int, stranded: float | None, work: int) -> None:
        self.work = mock.patch.object(machine, "SLICE", work)
        self.work.start()
        pool = EnginePool(find_scheme(scheme), hwm, Random(seed))
        self.core = SchedulerCore(pool, engine_grace=5.0, stranded_timeout=stranded)
        self.now = 0.0
        self.submitted: dict[str, TaskSubmitted] = {}
        self.answered: dict[str, bool] = {}  # whether it succeeded
        self.ran_on: dict[str, bytes] = {}  # where it ran to its end
        self.held: list[tuple[bytes, str]] = []  # sent, and not answered by the engine
        self.stale: list[tuple[bytes, str]] = []  # given up by the scheduler
        self.dying: set[tuple[bytes, str]] = set()  # held by an engine when it died
        self.engines: set[bytes] = set()
        self.departed: set[bytes] = set()
        self.refused: set[tuple[bytes, str]] = set()

    def handle(self, event: Event) -> None:
        self.now += 0.001
        events: list[Event] = [event]
        while events:
            for action in self.core.handle(events.pop(0), now=self.now):
                self.carry_out(action)
            self.core.validate()
            if not events and self.core.busy:
                events.append(TimePassed())

    def carry_out(self, action: Action) -> None:
        if isinstance(action, AssignTask):
            self.check_assignment(action)
            self.held.append((action.engine, action.msg_id))
        elif isinstance(action, (RelayReply, FailTask)):
            assert action.msg_id not in self.answered, "answered twice"
            self.answered[action.msg_id] = False
            for held in [held for held in self.held if held[1] == action.msg_id]:
                self.let_go(held)
                self.stale.append(held)

    def check_assignment(self, action: AssignTask) -> None:
        engine, msg_id = action.engine, action.msg_id
        task = self.submitted[msg_id]
        assert engine in self.engines, "sent to an engine that is not registered"
        assert msg_id not in self.answered, "sent after its answer"
        assert (engine, msg_id) not in self.refused, "sent to an engine that refused it"
        assert task.targets is None or engine in task.targets, "sent off its targets"
        for held in [held for held in self.held if held[1] == msg_id]:
            assert held in self.dying, "runs twice at a time"
            self.let_go(held)  # its grace is over
            self.stale.append(held)
        succeeded = {msg_id for msg_id, success in self.answered.items() if success}
        failed = set(self.answered) - succeeded
        assert _stock(task.after).check(succeeded, failed), "sent before its time"
        here = {msg_id for msg_id, place in self.ran_on.items() if place == engine}
        assert _stock(task.follow).check(succeeded & here, failed & here), "does not follow"

    def let_go(self, held: tuple[bytes, str]) -> None:
        self.held.remove(held)
        self.dying.discard(held)

    # -- what may happen ---------------------------------------------------------------

    @rule(engine=st.sampled_from(ENGINES))
    def register(self, engine: bytes) -> None:
        self.join(engine)

    def join(self, engine: bytes) -> None:
        self.engines.add(engine)
        self.departed.discard(engine)
        self.handle(EngineRegistered(engine))

    @precondition(lambda self: self.engines)
    @rule(data=st.data())
    def unregister(self, data: st.DataObject) -> None:
        engine = data.draw(st.sampled_from(sorted(self.engines)))
        self.engines.remove(engine)
        self.departed.add(engine)
        self.dying |= {held for held in self.held if held[0] == engine}
        self.handle(EngineUnregistered(engine))

    @rule(data=st.data())
    def submit(self, data: st.DataObject) -> None:
        msg_id = f"t{len(self.submitted)}"
        known = sorted(self.submitted)

        def dependency() -> Dependency:
            if not known or not data.draw(st.booleans()):
                return Dependency()
            ids = data.draw(st.lists(st.sampled_from(known), max_size=3))
            success = data.draw(st.booleans())
            return Dependency(
                ids, data.draw(st.booleans()), success, not success or data.draw(st.booleans())
            )

        targets = data.draw(st.sets(st.sampled_from(ENGINES), max_size=2))
        task = TaskSubmitted(
            msg_id,
            None,
            frozenset(targets) or None,
            dependency(),
            dependency(),
            data.draw(st.sampled_from(TIMEOUTS)),
            data.draw(st.integers(0, 5)),
        )
        self.submitted[msg_id] = task
        self.handle(task)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), status=st.sampled_from(["ok", "ok", "error", "aborted", None]))
    def answer(self, data: st.DataObject, status: str | None) -> None:
        engine, msg_id = data.draw(st.sampled_from(self.held))
        self.let_go((engine, msg_id))
        self.give_answer(engine, msg_id, status)

    def give_answer(self, engine: bytes, msg_id: str, status: str | None) -> None:
        # what the answer sets free is sent in the same event: the model must know it first
        final = status in ("ok", "aborted") or self.retries_left(msg_id) == 0
        if final and self.is_held(engine, msg_id):
            self.ran_on[msg_id] = engine
        self.now += 0.001
        for action in self.core.handle(TaskReplied(engine, msg_id, status), now=self.now):
            if isinstance(action, (RelayReply, FailTask)) and action.msg_id == msg_id:
                self.carry_out(action)
                self.answered[msg_id] = status == "ok"
            else:
                self.carry_out(action)
        self.core.validate()

    def retries_left(self, msg_id: str) -> int:
        task = self.core.tasks.get(msg_id)
        return task.retries if task is not None else -1

    def is_held(self, engine: bytes, msg_id: str) -> bool:
        task = self.core.tasks.get(msg_id)
        return task is not None and task.engine is not None and task.engine.ident == engine

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        engine, msg_id = data.draw(st.sampled_from(self.held))
        self.let_go((engine, msg_id))
        if self.is_held(engine, msg_id):
            self.refused.add((engine, msg_id))
        self.handle(TaskReplied(engine, msg_id, "error", False))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def unreachable(self, data: st.DataObject) -> None:
        live = [held for held in self.held if held[0] in self.engines and self.is_held(*held)]
        if live:
            engine, msg_id = data.draw(st.sampled_from(live))
            self.let_go((engine, msg_id))
            self.handle(EngineUnreachable(engine, msg_id))

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 6.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.pass_time(self.now + seconds)

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def late_answer(self, data: st.DataObject) -> None:
        engine, msg_id = data.draw(st.sampled_from(self.stale))
        self.stale.remove((engine, msg_id))
        if not self.is_held(engine, msg_id):
            self.handle(TaskReplied(engine, msg_id, "ok"))

    def pass_time(self, end: float) -> None:
        while (when := self.core.next_deadline()) is not None and when <= end:
            self.now = max(self.now, when)
            self.note_lost_attempts()
            self.handle(TimePassed())
        self.now = end

    def note_lost_attempts(self) -> None:
        """Tasks of engines whose grace ends now may be sent elsewhere, or fail there."""
        for task in self.core.tasks.values():
            if task.engine is not None and not self.core.pool.has(task.engine):
                self.ran_on[task.msg_id] = task.engine.ident

    # -- what must hold ----------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "core"):
            for msg_id in self.submitted:
                assert (msg_id in self.core.tasks) != (msg_id in self.answered), msg_id

    @invariant()
    def nothing_waits_in_vain(self) -> None:
        if not hasattr(self, "core") or self.core.busy:
            return
        succeeded = {msg_id for msg_id, success in self.answered.items() if success}
        failed = set(self.answered) - succeeded
        sent = {msg_id for _, msg_id in self.held}
        for msg_id in set(self.submitted) - set(self.answered) - sent:
            task = self.submitted[msg_id]
            for dependency in (task.after, task.follow):
                assert not _stock(dependency).unreachable(succeeded, failed), msg_id
            if task.targets is not None:
                assert not task.targets <= self.departed, f"{msg_id}: its targets are gone"
            if task.follow.all:
                gone = {dep for dep in self.answered if self.ran_on.get(dep) in self.departed}
                assert not gone & set(task.follow.ids), f"{msg_id}: the engine to follow is gone"

    def teardown(self) -> None:
        if not hasattr(self, "core"):
            return
        try:
            self.drain()
        finally:
            self.work.stop()

    def drain(self) -> None:
        """With an engine that takes all and answers all, each task is answered."""
        for engine in [b"z", *ENGINES]:
            if engine not in self.engines:
                self.join(engine)
        self.held = [held for held in self.held if held not in self.dying]  # the dead are silent
        for _ in range(1000):
            while self.held or self.core.busy:
                if self.held:
                    engine, msg_id = self.held.pop(0)
                    self.give_answer(engine, msg_id, "ok")
                else:
                    self.handle(TimePassed())
            if not self.core.tasks:
                break
            self.pass_time(self.now + 10.0)
        assert not self.core.tasks, "never answered"
        assert set(self.answered) == set(self.submitted)
        self.pass_time(self.now + 10.0)  # the graces and pauses of engines
        assert len(self.core.deadlines) == 0
        assert len(self.core.graph) == 0
        assert math.isclose(sum(e.load for e in self.core.pool.engines.values()), 0)


def _stock(dependency: Dependency) -> ipp.Dependency:
    return ipp.Dependency(
        list(dependency.ids), dependency.all, dependency.success, dependency.failure
    )


TestRandomCluster = RandomCluster.TestCase
TestRandomCluster.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
