"""Random clusters at the wire: no task is lost, repeated, misplaced, or left waiting in silence."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ipp_richsched import RichTaskScheduler
from ipp_richsched.core.actions import (
    Action,
    AskEngine,
    AssignTask,
    CancelDone,
    FailTask,
    RelayReply,
)
from ipp_richsched.core.events import EngineAnswered, Event, TaskReplied, ValueSent

from .random_cluster.run import run_many, table
from .scripted import ScriptedCluster

pytestmark = pytest.mark.slow(20)

SEEDS = int(os.environ.get("RICHSCHED_SEEDS", "48"))


def test_random_clusters() -> None:
    """Plays the seeds from 0; how many, the environment variable ``RICHSCHED_SEEDS`` says.

    A nightly run takes some hundreds: ``RICHSCHED_SEEDS=500 python -m pytest
    tests/test_random_wire.py``.  A seed that fails says how to run it alone.
    """
    results = list(run_many((seed, RichTaskScheduler) for seed in range(SEEDS)))
    print(table(results))
    bad = [str(result) for result in results if not result.is_good]
    assert not bad, "\n".join(bad)
    # and what was to be tried was tried: every end that a task can have
    ends = sum((result.ends for result in results), Counter())
    errors = {"ImpossibleDependency", "InvalidDependency", "TaskTimeout", "EngineError"}
    relayed = {"ok", "error", "aborted"}
    assert ends.keys() == relayed | errors | {"cancelled", "ran for too long", "no value sent"}
    tried = sum((result.tried for result in results), Counter())
    outcomes = {"cancelled", "running", "interrupted", "finished", "unknown"}
    values = {"values with tasks", "values asked for", "values refused", "strangers refused"}
    more = {"engines busy", "interrupts", "overtakings judged", "paths judged"}
    assert tried.keys() == outcomes | values | more
    assert tried["overtakings judged"] > len(results)
    assert tried["values with tasks"] > len(results)
    assert sum(result.deaths for result in results) > len(results)
    assert sum(result.losses for result in results) > len(results)


def test_an_engine_that_failed_a_task_may_retry_it_when_it_is_back() -> None:
    """What the seeds 80 and 359 came upon: no other engine can, and there are retries left."""
    with TemporaryDirectory(prefix="richsched") as path, ScriptedCluster(Path(path)) as cluster:
        first, client = cluster.engine(b"e1"), cluster.client()
        msg_id = client.submit(retries=2)
        first.reply(first.take()[1], status="error")
        second = cluster.engine(b"e2")
        _, task = second.take()
        cluster.unregister(b"e1")
        client.submit(targets=["e1"])
        assert client.answer()["content"]["ename"] == "ImpossibleDependency"  # e1 is gone
        second.refuse(task)
        cluster.wait_for(lambda: "(@require or @depend) is unmet" in cluster.log, "the refusal")
        cluster.notify("registration", b"e1")
        assert first.take()[0] == msg_id


# -- the referee is not blind: it finds schedulers out ---------------------------------------


class Faulty(RichTaskScheduler):
    """Spoils what it should do."""

    def start(self) -> None:
        super().start()
        self.put = self._outbox.put
        self._outbox.put = self.spoil  # type: ignore[method-assign]

    def spoil(self, action: Action) -> Any:
        return self.put(action)


class AnswersTwice(Faulty):
    """Answers twice what it fails itself."""

    def spoil(self, action: Action) -> Any:
        if isinstance(action, FailTask):
            self._channels.clients.send(self._wire.error_reply(action.message, "Twice", ""))
        return super().spoil(action)


class ForgetsTasks(Faulty):
    """Does not relay one reply in ten."""

    replies = 0

    def spoil(self, action: Action) -> Any:
        if isinstance(action, RelayReply):
            self.replies += 1
            if self.replies % 10 == 0:
                return None
        return super().spoil(action)


class Misplaces(Faulty):
    """Sends tasks where it likes."""

    def spoil(self, action: Action) -> Any:
        if isinstance(action, AssignTask):
            action = action._replace(engine=min(self._core.pool.engines))
        return super().spoil(action)


class BelievesInLife(RichTaskScheduler):
    """Takes in no death."""

    def dispatch_notification(self, msg: Any) -> None:
        if b"unregistration" not in msg[2]:
            super().dispatch_notification(msg)


class NeverAsks(Faulty):
    """Asks no engine whether it has lost anything."""

    def spoil(self, action: Action) -> Any:
        return None if isinstance(action, AskEngine) else super().spoil(action)


class CriesWolf(Faulty):
    """Takes all that an engine is asked about to be lost."""

    def spoil(self, action: Action) -> Any:
        if isinstance(action, AskEngine):
            self._feed(EngineAnswered(action.engine, action.question))
        return super().spoil(action)


class IgnoresPriority(RichTaskScheduler):
    """Takes all tasks in the order of submission."""

    def start(self) -> None:
        super().start()
        order = self._core.state.order
        rank = order.rank_of_next
        order.rank_of_next = lambda now, _: rank(now, 0)  # type: ignore[method-assign]


class SaysCancelled(Faulty):
    """Says of tasks that engines have that they are cancelled."""

    def spoil(self, action: Action) -> Any:
        if isinstance(action, CancelDone):
            cancelled = action.cancelled + action.running
            action = action._replace(cancelled=cancelled, running=())
        return super().spoil(action)


class TakesBusyForFailure(RichTaskScheduler):
    """Knows no engine that is busy with something else."""

    def dispatch_result(self, raw_msg: Any) -> None:
        event = self._wire.read_reply(raw_msg)
        if isinstance(event, TaskReplied):
            event = event._replace(busy=None)
        self._feed(event)


class LetsThemRun(RichTaskScheduler):
    """Does not mind for how long tasks run."""

    def start(self) -> None:
        super().start()
        self._core._attempts.ran_too_long = lambda step, attempt: None  # type: ignore[method-assign]


class MixesValues(Faulty):
    """Sends the values of arguments in another order."""

    def spoil(self, action: Action) -> Any:
        if isinstance(action, AssignTask):
            action = action._replace(values=action.values[::-1])
        return super().spoil(action)


class TakesValuesOfStrangers(RichTaskScheduler):
    """Takes a value from anybody once it has asked for it."""

    def _feed(self, event: Event) -> None:
        if isinstance(event, ValueSent) and event.msg_id in self._core.state.values.uses:
            event = event._replace(client=self._core.state.values.uses[event.msg_id].asked_of)
        super()._feed(event)


class KeepsValues(RichTaskScheduler):
    """Holds values when nobody needs them any more."""

    def start(self) -> None:
        super().start()
        self._core.state.values._release = lambda step, task: None  # type: ignore[method-assign]


class IgnoresPaths(RichTaskScheduler):
    """Takes tasks in the order of submission, whatever the paths."""

    def start(self) -> None:
        super().start()
        self._core.state.order.with_path = lambda rank, seconds: rank  # type: ignore[method-assign]


WITH_LOSSES, WITH_RICH_CLIENTS, WITH_LONG_RUNS = (5, 33), (0, 7, 30), (0, 28)
WITH_ARGUMENTS, WITH_PATHS = (12, 23), (33, 35, 58, 70)
WITH_PRIORITIES = (1, 29, 46, 106)
"""Seeds in which there is what a fault needs to show itself, on a busy machine as well."""

FAULTS: dict[type, tuple[tuple[int, ...], set[str]]] = {
    AnswersTwice: (WITH_LOSSES, {"twice"}),
    ForgetsTasks: (WITH_LOSSES, {"lost"}),
    Misplaces: (WITH_LOSSES, {"misplaced"}),
    # which of them, the moment decides
    BelievesInLife: (WITH_LOSSES, {"misplaced", "lost", "silent"}),
    NeverAsks: (WITH_LOSSES, {"silent", "lost"}),
    CriesWolf: (WITH_LOSSES, {"misplaced", "other"}),
    IgnoresPriority: (WITH_PRIORITIES, {"misplaced"}),
    SaysCancelled: (WITH_RICH_CLIENTS, {"twice", "misplaced", "other"}),
    TakesBusyForFailure: (WITH_RICH_CLIENTS, {"other"}),
    LetsThemRun: (WITH_LONG_RUNS, {"silent"}),
    MixesValues: (WITH_ARGUMENTS, {"other"}),
    TakesValuesOfStrangers: (WITH_ARGUMENTS, {"other"}),
    KeepsValues: (WITH_ARGUMENTS, {"other", "silent", "lost"}),
    IgnoresPaths: (WITH_PATHS, {"misplaced"}),
}


def test_the_referee_finds_schedulers_out() -> None:
    plays = [(seed, kind) for kind, (seeds, _) in FAULTS.items() for seed in seeds]
    found: dict[type, Counter[str]] = {kind: Counter() for kind in FAULTS}
    for (_, kind), result in zip(plays, run_many(plays), strict=True):
        found[kind] += result.breaches
    missed = {
        kind.__name__: dict(found[kind])
        for kind, (_, breaches) in FAULTS.items()
        if not found[kind].keys() & breaches
    }
    assert not missed, f"found instead: {missed}"
