"""A hub that is slower than the scheduler: nothing is lost, and memory is bounded."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import psutil
import pytest
import zmq
from jupyter_client.session import DELIM

from ipp_richsched.scheduler import hub_line

from .lists import Frames, ListCluster, msg_id_of
from .scripted import ScriptedCluster

MIB = 2**20


class BusyHub:
    """Makes a list of a cluster one that has room for so many messages."""

    def __init__(self, cluster: ListCluster) -> None:
        self.room = 0
        cluster.monitor.fails = self._take

    def _take(self, frames: Frames) -> None:
        if not self.room:
            raise zmq.Again
        self.room -= 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few tasks are too much to wait for the hub."""
    monkeypatch.setattr(hub_line, "ENOUGH", 2000)


def test_what_the_hub_has_no_room_for_is_sent_later_in_order() -> None:
    cluster = ListCluster(TaskScheduler={"hwm": 0}, RichTaskScheduler={"probe_after": None})
    hub = BusyHub(cluster)
    cluster.register(b"e1")
    msg_ids = [cluster.submit() for _ in range(3)]
    cluster.run()
    assert len(cluster.engines.sent) == 3  # engines and clients do not wait for the hub
    for told in (0, 1, 3):
        assert len(cluster.monitor.sent) == told
        hub.room = told + 1
        cluster.wait(1)  # nothing else happens
    hub.room = 1000
    cluster.reply(cluster.engines.take()[0])
    cluster.run()
    heard = cluster.monitor.take()
    assert [frames[0] for frames in heard] == [b"intask", b"tracktask"] * 3 + [b"outtask"]
    assert [msg_id_of(frames) for frames in heard if frames[0] == b"intask"] == msg_ids
    cluster.wait(1)
    assert not cluster.loop.timers


@pytest.mark.usefixtures("impatient")
def test_no_tasks_are_taken_in_while_too_much_waits_for_the_hub(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = ListCluster(TaskScheduler={"hwm": 0})
    cluster.scheduler._outbox.hub._log = logging.getLogger("test")
    hub = BusyHub(cluster)
    cluster.register(b"e1")
    for _ in range(10):
        cluster.submit()
        cluster.run()
    assert 0 < len(cluster.engines.sent) < 10
    assert "clients" not in cluster.loop.handlers
    assert [record.message for record in caplog.records if "hub" in record.message] == [
        "task::the hub is behind: 0 MiB wait for it; no more tasks are taken in until it has"
        " caught up"
    ]
    task = cluster.engines.take()[0]
    reply = cluster.reply(task)
    cluster.run()
    assert cluster.clients.take() == [[b"client", b"e1", *reply[2:]]]  # answers go on
    hub.room = 1000
    cluster.wait(1)
    cluster.run()
    assert "clients" in cluster.loop.handlers
    assert not cluster.clients.incoming
    assert cluster.topics().count(b"intask") == 10
    assert "catching up" in caplog.text


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stopped_first", [True, False])
def test_a_subclass_that_stops_receiving_alone_resumes_it(stopped_first: bool) -> None:
    cluster = ListCluster()
    hub = BusyHub(cluster)
    if stopped_first:
        for _ in range(10):
            cluster.submit(after=["nobody"])
        cluster.run()
    cluster.scheduler.stop_receiving()
    if not stopped_first:
        cluster.scheduler.resume_receiving()
        for _ in range(10):
            cluster.submit(after=["nobody"])
        cluster.run()
        assert "clients" not in cluster.loop.handlers
        cluster.scheduler.resume_receiving()  # the hub is behind nevertheless
        assert "clients" not in cluster.loop.handlers
        cluster.scheduler.stop_receiving()
    hub.room = 1000
    cluster.wait(1)
    assert "clients" not in cluster.loop.handlers
    cluster.scheduler.resume_receiving()
    assert "clients" in cluster.loop.handlers


class StuckHub(ScriptedCluster):
    """Whose hub keeps few messages that it has not read."""

    def socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = super().socket(kind)
        if kind == zmq.SUB:
            socket.setsockopt(zmq.RCVHWM, 5)
        return socket


def test_a_hub_that_does_not_read_costs_a_bounded_amount_of_memory() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="richsched") as path,
        StuckHub(Path(path)) as cluster,
    ):
        process = psutil.Process(cluster.process.pid)
        engine, client = cluster.engine(b"e1"), cluster.client()
        before = process.memory_info().rss
        payload = bytes(MIB)
        msg_ids: list[str] = []
        heard: list[list[bytes]] = []

        def submit() -> None:
            msg_ids.append(client.submit(payload))

        def serve() -> None:
            engine.reply(engine.take()[1], payload)
            client.recv()

        submit()
        while not engine.idle(0.5):
            assert len(msg_ids) < 200
            serve()
            submit()
        assert "the hub is behind" in cluster.log
        bound = hub_line.ENOUGH + hub_line.IN_FLIGHT
        assert process.memory_info().rss < before + bound + 50 * MIB

        while len(msg_ids) < 200:
            heard.extend(cluster.hear())
            if not engine.idle(0.01):
                serve()
                submit()
        serve()
        cluster.wait_for(lambda: heard.extend(cluster.hear()) or len(heard) >= 600, "all of it")
        assert "the hub is catching up" in cluster.log
        assert process.memory_info().rss < before + bound + 50 * MIB

    told = [(frames[0], msg_id_of(frames)) for frames in heard if frames[0] == b"intask"]
    assert [msg_id for _, msg_id in told] == msg_ids
    assert [frames[0] for frames in heard] == [b"intask", b"tracktask", b"outtask"] * 200
    assert all(frames[-1] == payload for frames in heard if frames[0] == b"outtask")
    assert all(DELIM in frames for frames in heard)


def test_no_small_message_is_lost_on_a_hub_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_line, "MESSAGES", 50)
    with (
        tempfile.TemporaryDirectory(prefix="richsched") as path,
        StuckHub(Path(path)) as cluster,
    ):
        client = cluster.client()
        msg_ids = []
        for _ in range(1500):
            msg_ids.append(client.submit(after=["nobody"]))
            client.recv()
        heard: list[list[bytes]] = []
        cluster.wait_for(lambda: heard.extend(cluster.hear()) or len(heard) >= 3000, "all of it")
    assert [msg_id_of(frames) for frames in heard if frames[0] == b"intask"] == msg_ids
    assert [msg_id_of(frames, 3) for frames in heard if frames[0] == b"outtask"] == msg_ids
