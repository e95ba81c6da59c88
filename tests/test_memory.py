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

from ipp_richsched.wire.requests import REQUEST

from .lists import Frames, ListCluster, msg_id_of
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

    def is_an_argument(self) -> None:
        producer = self.cluster.submit()
        self.cluster.submit(arguments=[producer])
        self.cluster.run()
        self.answer()
        [task] = self.cluster.engines.take()
        assert task[-1] is self.big
        self.reply(task)

    def is_an_argument_of_one_without_time(self) -> None:
        producer = self.cluster.submit()
        self.cluster.run()
        other = self.cluster.submit()
        self.cluster.submit(arguments=[producer], timeout=1)
        self.cluster.run()
        self.answer()
        self.cluster.wait(2)
        [task] = self.cluster.engines.take()
        assert msg_id_of(task) == other
        self.reply(task)

    def is_sent_for_an_argument(self) -> None:
        producer = self.cluster.submit()
        self.cluster.run()
        self.answer()
        self.cluster.submit(arguments=[producer])
        self.cluster.run()
        for _ in range(2):  # the second comes too late
            content = {"request": "value", "msg_id": producer, "problem": ""}
            message = self.cluster.session.serialize(self.cluster.session.msg(REQUEST, content))
            self.cluster.clients.incoming.append([b"client", *message, self.big])
            self.cluster.run()
        [task] = self.cluster.engines.take()
        assert task[-1] is self.big
        self.reply(task)


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
    Life.is_an_argument,
    Life.is_an_argument_of_one_without_time,
    Life.is_sent_for_an_argument,
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


def test_a_large_value_is_held_once_and_no_longer_than_needed() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="richsched") as path,
        ScriptedCluster(Path(path)) as cluster,
    ):
        process = psutil.Process(cluster.process.pid)
        engine, client = cluster.engine(b"e1"), cluster.client()
        value = bytes(64 * MIB)
        before = process.memory_info().rss
        users = [client.submit(arguments=[client.submit()])]
        users += [client.submit(arguments=[users[0]])]
        cluster.submitted(client)  # before the value is there: else nobody keeps it
        engine.reply(engine.take()[1], value)
        client.recv()
        task = engine.take()[1]
        assert task[-1] == value
        cluster.monitor(4)
        # it has left for client, hub and engine, and is there once
        cluster.wait_for(
            lambda: process.memory_info().rss < before + 80 * MIB, "the memory of one value"
        )
        assert process.memory_info().rss > before + 60 * MIB
        engine.reply(task)
        cluster.wait_for(
            lambda: process.memory_info().rss < before + 10 * MIB, "the memory of the value"
        )
