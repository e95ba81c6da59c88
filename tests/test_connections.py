"""Connections of engines that are lost, to both sides or to one, while the hub notices nothing."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from ipp_richsched import RichTaskScheduler
from ipp_richsched.scheduler import connections
from ipp_richsched.scheduler.connections import NEWS, Watch
from ipp_richsched.wire.transport import Frames

from .lists import FakeLoop, ListChannel
from .processes import wait_for
from .proxy import Proxy
from .scripted import DEADLINE, Client, Engine, ScriptedCluster

GATE = "IPP_RICHSCHED_TEST_GATE"

CHANGE = "connections of engines have been made or lost"


class Telling(RichTaskScheduler):
    """Says in its log when connections have changed."""

    def _connections_changed(self) -> None:
        super()._connections_changed()
        self.log.info(CHANGE)


class RemoteEngine(Engine):
    """An engine beyond a network, whose socket is as an `ipengine` makes it."""

    kind = zmq.ROUTER

    def send(self, frames: list[bytes]) -> None:
        super().send([b"task_out", *frames])

    def unwrapped(self, frames: list[bytes]) -> list[bytes]:
        return frames[1:]


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class RemoteCluster(ScriptedCluster):
    """A cluster whose engines connect over a network.

    Attributes
    ----------
    proxy : Proxy
        The network.
    numbers : iterator of int
        For the names of clients.
    """

    def __init__(
        self,
        path: Path,
        proxies: ExitStack,
        scheduler_class: type[RichTaskScheduler] = Telling,
        port: int = 0,
        **kwargs: Any,
    ) -> None:
        self.port = port or free_port()
        super().__init__(path, scheduler_class, **kwargs)
        self.proxy = proxies.enter_context(Proxy(self.port))
        self.numbers = count()  # no two clients have the same name

    def _choose_urls(self, path: Path) -> dict[str, str]:
        return {**super()._choose_urls(path), "out": f"tcp://127.0.0.1:{self.port}"}

    def connect_engine(self, ident: bytes) -> Engine:
        return RemoteEngine(self, ident, self.proxy.url)

    def changes(self) -> int:
        """How often the scheduler was told that connections have changed."""
        return self.log.count(CHANGE)

    def wait_for_ping(self) -> None:
        """Until one more ping and its pong have passed: from then on the engine is patient."""
        for side in ("engine", "scheduler"):
            before = self.proxy.passed(side)
            self.wait_for(lambda: self.proxy.passed(side) > before, "a ping and a pong")  # noqa: B023


@pytest.fixture
def start_remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RemoteCluster]]:
    """Starts clusters over a network, in which nobody is as patient as usual."""
    monkeypatch.setattr(connections, "HEARTBEAT", 0.2)
    monkeypatch.setattr(connections, "ENGINE_PATIENCE", 1.0)
    monkeypatch.setattr(connections, "PATIENCE", 3.0)
    monkeypatch.setattr(connections, "NEWS", 0.05)
    with ExitStack() as stack:

        def start(**kwargs: Any) -> RemoteCluster:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="richsched")))
            return stack.enter_context(RemoteCluster(path, stack, **kwargs))

        yield start


LOSSES: dict[str, Callable[[Proxy], None]] = {
    "cut, only the engine notices": lambda proxy: proxy.cut("engine"),
    "cut, only the scheduler notices": lambda proxy: proxy.cut("scheduler"),
    "cut, both notice": lambda proxy: proxy.cut("engine", "scheduler"),
    "cut, nobody notices": lambda proxy: proxy.cut(),
    "frozen": lambda proxy: proxy.freeze("engine", "scheduler"),
    "frozen towards the engine": lambda proxy: proxy.freeze("engine"),
    "frozen towards the scheduler": lambda proxy: proxy.freeze("scheduler"),
    "what goes to the engine is lost": lambda proxy: proxy.drop("engine"),
    "what goes to the scheduler is lost": lambda proxy: proxy.drop("scheduler"),
}
"""What a network may do to a connection."""

losses = pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())


def lose_and_wait(cluster: RemoteCluster, lose: Callable[[Proxy], None]) -> None:
    """Have the network lose the connection; wait until the engine's next one is there."""
    changes, connected = cluster.changes(), cluster.proxy.connections()
    lose(cluster.proxy)
    cluster.wait_for(lambda: cluster.proxy.connections() > connected, "a new connection")
    cluster.wait_for(lambda: cluster.changes() > changes, "the news of it")


def a_task_runs(cluster: RemoteCluster, engine: Engine) -> None:
    """A task reaches the engine, and its answer the client."""
    client = cluster.client(f"client-{next(cluster.numbers)}".encode())
    msg_id = client.submit()
    taken, task = engine.take()
    assert taken == msg_id
    engine.reply(task)
    assert client.answer()["content"]["status"] == "ok"


@losses
def test_an_idle_engine_is_served_over_its_next_connection(
    start_remote: Callable[..., RemoteCluster], lose: Callable[[Proxy], None]
) -> None:
    cluster = start_remote()
    engine = cluster.engine(b"e1")
    a_task_runs(cluster, engine)
    cluster.wait_for_ping()
    lose_and_wait(cluster, lose)
    for _ in range(3):
        a_task_runs(cluster, engine)


@losses
def test_a_task_whose_answer_is_sent_later_is_answered(
    start_remote: Callable[..., RemoteCluster], lose: Callable[[Proxy], None]
) -> None:
    cluster = start_remote()
    engine, client = cluster.engine(b"e1"), cluster.client()
    client.submit()
    _, task = engine.take()
    cluster.wait_for_ping()  # and no question before the loss: a message ends the patience, too
    lose_and_wait(cluster, lose)
    engine.reply(task)
    assert client.answer()["content"]["status"] == "ok"
    a_task_runs(cluster, engine)


def lost_text(client: Client) -> str:
    """What a client reads of a task that it lost to a connection."""
    content = client.answer()["content"]
    assert content["ename"] == "EngineError"
    return content["evalue"]


def test_a_task_that_is_lost_on_its_way_fails(start_remote: Callable[..., RemoteCluster]) -> None:
    cluster = start_remote(config={"RichTaskScheduler": {"probe_after": 0.2}})
    engine, client = cluster.engine(b"e1"), cluster.client()
    a_task_runs(cluster, engine)
    cluster.wait_for_ping()
    connected = cluster.proxy.connections()
    cluster.proxy.drop("engine")
    client.submit()
    cluster.wait_for(lambda: cluster.proxy.connections() > connected, "a new connection")
    engine.answer_question()
    assert "engine e1 answered what it was sent later" in lost_text(client)
    a_task_runs(cluster, engine)


def test_a_task_whose_answer_is_lost_on_its_way_is_retried(
    start_remote: Callable[..., RemoteCluster],
) -> None:
    cluster = start_remote(config={"RichTaskScheduler": {"probe_after": 0.2}})
    engine, client = cluster.engine(b"e1"), cluster.client()
    a_task_runs(cluster, engine)
    cluster.wait_for_ping()
    connected = cluster.proxy.connections()
    msg_id = client.submit(retries=1)
    _, task = engine.take()
    cluster.proxy.drop("scheduler")
    engine.reply(task)
    cluster.wait_for(lambda: cluster.proxy.connections() > connected, "a new connection")
    engine.answer_question()
    taken, again = engine.take()
    assert taken == msg_id
    engine.reply(again)
    assert client.answer()["content"]["status"] == "ok"


class Late(RichTaskScheduler):
    """Starts when an engine has connected to the socket that ipyparallel has bound."""

    def start(self) -> None:
        engines = self.engine_stream.socket
        news = engines.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        Path(os.environ[GATE]).touch()
        assert news.poll(DEADLINE * 1000)
        engines.disable_monitor()
        super().start()


def test_an_engine_that_connects_before_the_scheduler_has_started_is_served(
    start_remote: Callable[..., RemoteCluster], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The socket is bound once more then, for its pings."""
    gate, port = tmp_path / "gate", free_port()
    monkeypatch.setenv(GATE, str(gate))
    with zmq.Context() as context, context.socket(zmq.ROUTER) as engine:
        engine.setsockopt(zmq.LINGER, 0)
        engine.setsockopt(zmq.IDENTITY, b"early")

        def connect() -> None:
            wait_for(gate.exists, "a scheduler that waits for the engine")
            engine.connect(f"tcp://127.0.0.1:{port}")

        connecting = threading.Thread(target=connect)
        connecting.start()
        cluster = start_remote(scheduler_class=Late, port=port, engines=(b"early",))
        connecting.join()
        client = cluster.client()  # without a name its socket is closed, and the task with it
        client.submit()
        assert engine.poll(DEADLINE * 1000)


def test_an_engine_that_was_stopped_is_served_when_it_goes_on(
    start_remote: Callable[..., RemoteCluster],
) -> None:
    """Frozen for long, each side gives the connection up; what was held back comes late."""
    cluster = start_remote()
    engine = cluster.engine(b"e1")
    a_task_runs(cluster, engine)
    cluster.wait_for_ping()
    lose_and_wait(cluster, lambda proxy: proxy.freeze("engine", "scheduler"))
    a_task_runs(cluster, engine)
    cluster.proxy.resume()
    for _ in range(3):
        a_task_runs(cluster, engine)


def test_a_scheduler_that_was_stopped_serves_its_engines_when_it_goes_on(
    start_remote: Callable[..., RemoteCluster],
) -> None:
    cluster = start_remote()
    engine = cluster.engine(b"e1")
    a_task_runs(cluster, engine)
    cluster.wait_for_ping()
    connected, changes = cluster.proxy.connections(), cluster.changes()
    process = psutil.Process(cluster.process.pid)
    process.suspend()
    try:
        cluster.wait_for(lambda: cluster.proxy.connections() > connected, "a new connection")
    finally:
        process.resume()
    cluster.wait_for(lambda: cluster.changes() > changes, "the news of it")
    for _ in range(3):
        a_task_runs(cluster, engine)


def test_an_engine_that_is_too_busy_to_read_keeps_its_connection(
    start_remote: Callable[..., RemoteCluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a thousand tasks wait for it, ZeroMQ's thread does not answer pings."""
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    cluster = start_remote(config={"TaskScheduler": {"hwm": 0}})
    engine, client = cluster.engine(b"e1"), cluster.client()
    # more than all buffers on the way hold, or pings would pass on and on
    submitted = [client.submit(bytes(15_000)) for _ in range(4000)]
    cluster.wait_for(lambda: len(cluster.hear()) and cluster.proxy.passed("engine") > 3e6, "tasks")
    cluster.wait_for(unchanged(lambda: cluster.proxy.passed("engine"), 1.0), "no more to pass")
    assert [engine.take()[0] for _ in submitted] == submitted
    assert cluster.proxy.connections() == 1


def unchanged(value: Callable[[], int], seconds: float) -> Callable[[], bool]:
    """The condition that a value has been the same for a while; to be asked again and again."""
    last, since = value(), time.monotonic()

    def is_unchanged() -> bool:
        nonlocal last, since
        if value() != last:
            last, since = value(), time.monotonic()
        return time.monotonic() - since >= seconds

    return is_unchanged


class Held(RichTaskScheduler):
    """Does nothing from a certain task on, until a file is there."""

    def dispatch_submission(self, raw_msg: Frames) -> None:
        super().dispatch_submission(raw_msg)
        if raw_msg[-1] == b"wait here":
            path = Path(os.environ[GATE])
            path.with_suffix(".held").touch()
            while not path.exists():
                time.sleep(0.01)


def test_answers_that_came_over_the_old_connection_and_were_not_read_yet_count(
    start_remote: Callable[..., RemoteCluster], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    monkeypatch.setenv(GATE, str(gate))
    cluster = start_remote(scheduler_class=Held, config={"TaskScheduler": {"hwm": 0}})
    engine, client = cluster.engine(b"e1"), cluster.client()
    tasks = []
    for _ in range(3):
        client.submit()
        tasks.append(engine.take()[1])
    client.submit(b"wait here", targets=["nobody"])
    cluster.wait_for(gate.with_suffix(".held").exists, "the scheduler in its task")
    before = cluster.proxy.passed("scheduler")
    replies = [engine.reply(task) for task in tasks]
    size = sum(len(part) for reply in replies for part in reply)
    cluster.wait_for(lambda: cluster.proxy.passed("scheduler") >= before + size, "the answers")
    cluster.proxy.cut("engine", "scheduler")
    cluster.wait_for(lambda: cluster.proxy.connections() == 2, "a new connection")
    # its handshake has to be over, too
    cluster.wait_for(lambda: cluster.proxy.passed("scheduler") > 100, "a name and a pong")
    gate.touch()
    assert [client.recv() for _ in tasks] == [[b"e1", *reply[1:]] for reply in replies]
    a_task_runs(cluster, engine)


def test_news_of_connections_are_gathered() -> None:
    loop, now, told = FakeLoop(), [100.0], []
    news = ListChannel("news", [])
    Watch(news, loop, lambda: now[0], lambda: told.append(now[0]))
    news.incoming.append([b"made before it was watched"])
    loop.callbacks.popleft()()
    for expected_delay in (0, NEWS - 0.2, NEWS - 0.2):
        [(delay, call)] = loop.timers.values()
        assert delay == pytest.approx(expected_delay)
        loop.timers.clear()
        now[0] += delay
        call()
        now[0] += 0.2
        for _ in range(5):
            news.incoming.extend([[b"lost"], [b"made"]])
            loop.handlers["news"]("event")
            assert not news.incoming
    assert told == pytest.approx([100, 100 + NEWS, 100 + 2 * NEWS])


def test_without_news_of_connections_nothing_is_told() -> None:
    loop = FakeLoop()
    news = ListChannel("news", [])
    Watch(news, loop, lambda: 0.0, pytest.fail)
    loop.callbacks.popleft()()
    loop.handlers["news"]("event")
    assert not loop.timers
