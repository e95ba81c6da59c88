"""Chains and fans of many tasks at the wire: all are answered, and nobody waits for that."""

from __future__ import annotations

import hmac
import json
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq
from jupyter_client.session import DELIM

from ipp_richsched.core.step import SLICE
from ipp_richsched.wire.identities import QUESTION

from .scripted import Client, Engine, Peer, ScriptedCluster

MANY = 20_000
"""A cascade of forty slices; `tests/core` has one of 100,000."""

PATIENCE = 60.0
"""Seconds without any message until a test fails: the scheduler may be reading MANY tasks."""


class Traffic:
    """Reads all peers of a cluster as messages come; its engines answer at once.

    Messages are signed by hand: a `Session` would take longer than the scheduler.

    Attributes
    ----------
    answers : dict of str to str
        What clients were answered, in that order, by msg_id: ``'ok'``, or the error's name.
    taken : dict of str to bytes
        The engine that got a task, by msg_id.
    fails, holds : set of str
        Tasks that engines answer with an error, and that they do not answer.
    """

    def __init__(self, cluster: ScriptedCluster) -> None:
        self.answers: dict[str, str] = {}
        self.taken: dict[str, bytes] = {}
        self.fails: set[str] = set()
        self.holds: set[str] = set()
        self._cluster = cluster
        self._auth = hmac.new(cluster.key, digestmod="sha256")
        self._poller = zmq.Poller()
        self._handlers: dict[Any, Callable[[list[bytes]], None]] = {}

    def client(self, ident: bytes = b"client") -> Client:
        client = self._cluster.client(ident)
        self._read(client, self._client_got)
        return client

    def engine(self, ident: bytes) -> None:
        """An engine registers."""
        engine = self._cluster.engine(ident)
        self._read(engine, lambda frames: self._engine_got(engine, frames))

    def unregister(self, ident: bytes) -> None:
        self._cluster.unregister(ident)

    def submit(self, client: Client, tasks: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Send tasks, each a msg_id and its metadata, and wait until they are taken in."""
        self.send(client, tasks)
        last = client.submit(after=["nobody"])
        self.until(lambda: last in self.answers, "the last submission's answer")
        del self.answers[last]

    def send(self, client: Client, tasks: Iterable[tuple[str, dict[str, Any]]]) -> None:
        for msg_id, metadata in tasks:
            header = {"msg_id": msg_id, "msg_type": "apply_request", "username": "", "session": ""}
            parts = [json.dumps(part).encode() for part in (header, {}, metadata, {})]
            client.send([DELIM, self._sign(parts), *parts])

    @contextmanager
    def freeze(self) -> Iterator[None]:
        """Stop the scheduler's process: what is sent meanwhile comes to it all at once."""
        pid = self._cluster.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Pass messages on until a condition holds; fails when none comes any more."""
        while not condition():
            sockets = dict(self._poller.poll(int(PATIENCE * 1000)))
            assert sockets, f"{what}: {len(self.taken)} taken, {len(self.answers)} answered"
            for socket in sockets:
                for _ in range(100):
                    try:
                        frames = socket.recv_multipart(zmq.NOBLOCK)
                    except zmq.Again:
                        break
                    self._handlers[socket](frames)

    def until_answered(self, msg_ids: Iterable[str]) -> None:
        missing = set(msg_ids)

        def none_is_missing() -> bool:
            missing.difference_update(self.answers)
            return not missing

        self.until(none_is_missing, f"the answers to {len(missing)} tasks")

    def serve_others(self, ident: bytes) -> None:
        """Another client submits tasks meanwhile, and an engine for them registers."""
        client = self.client(b"the client of " + ident)
        # more than it has room for, so that it is also given the next ones in time
        tasks = ids(4, f"of {ident!r}")
        pinned = [(msg_id, {"targets": [ident.decode()]}) for msg_id in tasks]
        self.submit(client, pinned[:3])
        # after them: without a limit, it is at once given whatever else there is
        self.engine(ident)
        self.send(client, pinned[3:])
        self.until_answered(tasks)
        assert [self.answers.pop(task) for task in tasks] == ["ok"] * 4
        assert {self.taken.pop(task) for task in tasks} == {ident}

    def _read(self, peer: Peer, handle: Callable[[list[bytes]], None]) -> None:
        self._poller.register(peer.socket, zmq.POLLIN)
        self._handlers[peer.socket] = handle

    def _client_got(self, frames: list[bytes]) -> None:
        _, parent, _, content = frames[frames.index(DELIM) + 2 :][:4]
        msg_id, content = json.loads(parent)["msg_id"], json.loads(content)
        assert msg_id not in self.answers, f"{msg_id} is answered twice"
        self.answers[msg_id] = content.get("ename", "ok")

    def _engine_got(self, engine: Engine, frames: list[bytes]) -> None:
        if frames[0].startswith(QUESTION):
            return  # it is busy with a task that it does not answer
        start = frames.index(DELIM)
        header = frames[start + 2]
        msg_id = json.loads(header)["msg_id"]
        assert msg_id not in self.taken, f"{msg_id} runs twice"
        self.taken[msg_id] = engine.ident
        if msg_id in self.holds:
            return
        content: dict[str, Any] = {"status": "ok"}
        if msg_id in self.fails:
            content = {"status": "error", "ename": "ValueError", "evalue": "", "traceback": []}
        metadata = {"status": content["status"], "engine": engine.ident.decode()}
        parts = [header, header, json.dumps(metadata).encode(), json.dumps(content).encode()]
        engine.send([*frames[:start], DELIM, self._sign(parts), *parts])

    def _sign(self, parts: list[bytes]) -> bytes:
        auth = self._auth.copy()
        for part in parts:
            auth.update(part)
        return auth.hexdigest().encode()


Start = Callable[..., Traffic]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a cluster with the given settings."""
    with ExitStack() as stack:

        def start(engines: tuple[bytes, ...] = (), **config: dict[str, Any]) -> Traffic:
            # the path of a socket must be short
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="richsched")))
            cluster = ScriptedCluster(path, engines=engines, config=config)
            return Traffic(stack.enter_context(cluster))

        yield start


def ids(count: int, name: str) -> list[str]:
    """Ids as long as those of real clients."""
    return [f"5d2c41b9-7f6e3a80c94b1d62f0e8a357_{name}_{number}" for number in range(count)]


def test_a_chain_whose_head_fails_and_a_task_after_all_of_it(start: Start) -> None:
    traffic = start()
    client = traffic.client()
    chain = ids(MANY, "chain")
    all_done = {"dependencies": chain, "all": True, "success": True, "failure": True}
    traffic.fails.add("head")
    links = zip(chain, ["head", *chain], strict=False)
    traffic.submit(client, [("head", {})])
    traffic.submit(client, ((msg_id, {"after": [before]}) for msg_id, before in links))
    traffic.submit(client, [("fan-in", {"after": all_done})])

    traffic.engine(b"e1")
    traffic.until(lambda: chain[0] in traffic.answers, "the first failure")
    traffic.serve_others(b"e2")
    answered = len(traffic.answers)
    assert answered < MANY / 2, "others were served when the cascade was over"
    traffic.until_answered(["fan-in"])
    assert list(traffic.answers) == ["head", *chain, "fan-in"]
    assert Counter(traffic.answers.values()) == {
        "ValueError": 1,
        "ImpossibleDependency": MANY,
        "ok": 1,
    }
    assert set(traffic.taken) == {"head", "fan-in"}


def test_dependents_of_a_task_that_succeeds_and_a_task_after_all_of_them(start: Start) -> None:
    traffic = start(TaskScheduler={"hwm": 0})
    client = traffic.client()
    dependents = ids(MANY, "dependent")
    traffic.submit(client, [("head", {})])
    traffic.submit(client, ((msg_id, {"after": ["head"]}) for msg_id in dependents))
    traffic.submit(client, [("fan-in", {"after": dependents})])

    traffic.engine(b"e1")
    traffic.until(lambda: dependents[0] in traffic.taken, "the first dependent's turn")
    traffic.serve_others(b"e2")
    taken = len(traffic.taken)
    assert taken < MANY / 2, "others were served when all was assigned"
    traffic.until_answered(["fan-in"])
    assert list(traffic.answers)[-1] == "fan-in"
    assert set(traffic.answers) == {"head", *dependents, "fan-in"}
    assert set(traffic.answers.values()) == {"ok"}
    assert set(traffic.taken.values()) == {b"e1", b"e2"}


def test_dependents_of_a_task_that_fails(start: Start) -> None:
    traffic = start()
    client = traffic.client()
    dependents = ids(MANY, "dependent")
    traffic.fails.add("head")
    traffic.submit(client, [("head", {})])
    traffic.submit(client, ((msg_id, {"after": ["head"]}) for msg_id in dependents))

    traffic.engine(b"e1")
    traffic.until(lambda: dependents[0] in traffic.answers, "the first failure")
    traffic.serve_others(b"e2")
    answered = len(traffic.answers)
    assert answered < MANY / 2, "others were served when the cascade was over"
    traffic.until_answered(dependents)
    assert traffic.answers.pop("head") == "ValueError"
    assert set(traffic.answers.values()) == {"ImpossibleDependency"}


@pytest.mark.parametrize("after", [[], ["head"]], ids=["queued", "waiting"])
def test_tasks_pinned_to_an_engine_that_dies(start: Start, after: list[str]) -> None:
    traffic = start(RichTaskScheduler={"engine_grace": 0.5})
    client = traffic.client()
    pinned = ids(MANY, "pinned")
    traffic.holds.add("head")
    traffic.engine(b"doomed")
    traffic.submit(client, [("head", {"targets": ["doomed"]})])
    traffic.until(lambda: "head" in traffic.taken, "the head's turn")
    metadata = {"targets": ["doomed"], "after": after}
    traffic.submit(client, ((msg_id, metadata) for msg_id in pinned))

    traffic.unregister(b"doomed")
    traffic.until(lambda: bool(traffic.answers), "the first failure")
    traffic.serve_others(b"e2")
    answered = len(traffic.answers)
    assert answered < MANY / 2, "others were served when the cascade was over"
    traffic.until_answered(["head", *pinned])
    assert traffic.answers.pop("head") == "EngineError"
    assert set(traffic.answers) == set(pinned)
    assert set(traffic.answers.values()) == {"ImpossibleDependency"}
    assert set(traffic.taken) == {"head"}


def test_a_backlog_that_meets_its_first_engine(start: Start) -> None:
    traffic = start(TaskScheduler={"hwm": 0})
    client = traffic.client()
    backlog = ids(MANY, "backlog")
    traffic.submit(client, ((msg_id, {"targets": ["e1", "e2"]}) for msg_id in backlog))

    traffic.engine(b"e1")
    traffic.until(lambda: bool(traffic.taken), "the first task's turn")
    traffic.engine(b"e2")
    traffic.serve_others(b"e3")
    taken = len(traffic.taken)
    assert taken < MANY / 2, "others were served when all was assigned"
    traffic.until_answered(backlog)
    assert set(traffic.answers.values()) == {"ok"}
    assert set(traffic.taken.values()) == {b"e1", b"e2"}, "an engine that joins gets no share"


def test_work_that_is_left_goes_on_while_messages_pour_in(start: Start) -> None:
    traffic = start(TaskScheduler={"hwm": 0})
    client = traffic.client()
    client.socket.setsockopt(zmq.SNDHWM, 0)
    traffic.submit(client, ((msg_id, {}) for msg_id in ids(10 * SLICE, "backlog")))

    with traffic.freeze():
        traffic.engine(b"e1")
        flood = ids(MANY, "flood")
        traffic.send(client, ((msg_id, {"after": ["nobody"]}) for msg_id in flood))
    traffic.until(lambda: len(traffic.taken) > 5 * SLICE, "the engine's part of the backlog")
    answered = len(traffic.answers)
    assert answered < MANY / 2, "the backlog had to wait for all that came after it"
    traffic.until_answered(flood)


def test_what_comes_while_a_deadline_is_dealt_with_is_read(start: Start) -> None:
    traffic = start(TaskScheduler={"hwm": 0}, RichTaskScheduler={"engine_grace": 0.1})
    client = traffic.client()
    traffic.engine(b"stays")

    def an_engine_dies(name: str) -> None:
        tasks = ids(400, name)
        traffic.holds.update(tasks)
        traffic.engine(name.encode())
        traffic.submit(client, ((msg_id, {"targets": [name]}) for msg_id in tasks))
        traffic.until(lambda: tasks[-1] in traffic.taken, "the last task's turn")
        traffic.unregister(name.encode())
        traffic.until(lambda: tasks[0] in traffic.answers, "the first failure")
        last = client.submit(targets=["stays"])
        traffic.until_answered([*tasks, last])

    for number in range(10):  # the moment is short
        an_engine_dies(f"doomed {number}")
