"""Nothing of a message stays in the scheduler longer than its task."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from .lists import Frames, ListCluster
from .scripted import ScriptedCluster

MIB = 2**20


class Life:
    """A cluster for one task with a big buffer, and what may become of it."""

    def __init__(self) -> None:
        settings = {"engine_grace": 1, "stranded_timeout": 1, "probe_after": None}
        self.cluster = ListCluster(RichTaskScheduler=settings)
        self.cluster.register(b"e1")
        self.cluster.run()
        self.big = b"big" * 100_000

    def submit(self, **metadata: Any) -> None:
        self.cluster.submit(**metadata)
        self.cluster.clients.incoming[-1].append(self.big)
        self.cluster.run()

    def answer(self, status: str = "ok") -> None:
        """The engine answers what it got, with the big buffer."""
        [task] = self.cluster.engines.take()
        self.reply(task, status)

    def reply(self, task: Frames, status: str = "ok") -> None:
        self.cluster.reply(task, status)
        self.cluster.engines.incoming[-1].append(self.big)
        self.cluster.run()

    def succeeds(self) -> None:
        self.submit()
        self.answer()

    def fails(self) -> None:
        self.submit()
        self.answer("error")

    def is_tried_again(self) -> None:
        self.submit(retries=1)
        self.answer("error")
        self.cluster.wait(1)
        self.answer()

    def depends_on_nobody(self) -> None:
        self.submit(after=["nobody"])

    def is_refused(self) -> None:
        self.submit(retries="many")

    def is_stranded(self) -> None:
        self.submit(targets=["nobody"])
        self.cluster.wait(2)

    def waits_too_long(self) -> None:
        self.submit()
        self.submit(timeout=1)
        self.cluster.wait(2)
        self.answer()

    def had_time(self) -> None:
        self.submit(timeout=1000)
        self.answer()

    def is_unsigned(self) -> None:
        self.cluster.submit()
        self.cluster.clients.incoming[-1][2] = b""
        self.cluster.clients.incoming[-1].append(self.big)
        self.cluster.run()

    def is_answered_twice(self) -> None:
        self.submit()
        [task] = self.cluster.engines.take()
        self.reply(task)
        self.reply(task)

    def cannot_be_sent_at_first(self) -> None:
        errors = [zmq.ZMQError(zmq.EHOSTUNREACH)]

        def fail(frames: Frames) -> None:
            if errors:
                raise errors.pop(0)

        self.cluster.engines.fails = fail
        self.submit()
        self.cluster.wait(1)
        self.answer()

    def dies_with_its_engine(self) -> None:
        self.submit()
        self.cluster.engines.take()
        message = self.cluster.session.msg("unregistration_notification", {"id": 0, "uuid": "e1"})
        self.cluster.notifier.incoming.append(self.cluster.session.serialize(message))
        self.cluster.run()
        self.cluster.wait(2)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """What is in a circle of references stays, too."""
    gc.disable()
    yield
    gc.enable()


LIVES = [
    Life.succeeds,
    Life.fails,
    Life.is_tried_again,
    Life.depends_on_nobody,
    Life.is_refused,
    Life.is_stranded,
    Life.waits_too_long,
    Life.had_time,
    Life.is_unsigned,
    Life.is_answered_twice,
    Life.cannot_be_sent_at_first,
    Life.dies_with_its_engine,
]


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("live", LIVES, ids=lambda live: live.__name__)
def test_nobody_keeps_a_message_of_a_task_that_is_answered(live: Callable[[Life], None]) -> None:
    life = Life()
    before = sys.getrefcount(life.big)
    live(life)
    cluster = life.cluster
    for channel in (cluster.clients, cluster.engines, cluster.monitor):
        assert not channel.incoming
        channel.take()
    cluster.journal.clear()
    assert not cluster.scheduler._core.tasks
    kept = sys.getrefcount(life.big) - before
    assert not kept


def test_the_process_is_as_small_after_a_big_task_as_before() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="richsched") as path,
        ScriptedCluster(Path(path)) as cluster,
    ):
        process = psutil.Process(cluster.process.pid)
        engine, client = cluster.engine(b"e1"), cluster.client()
        payload = bytes(64 * MIB)  # so large that it is given back to the system at once
        before = process.memory_info().rss
        client.submit(payload)
        engine.reply(engine.take()[1], payload)
        client.recv()
        cluster.monitor(3)
        cluster.wait_for(
            lambda: process.memory_info().rss < before + 10 * MIB, "the memory of the task"
        )
