"""A scripted cluster whose doors get nonsense, while good tasks have to run as ever."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from jupyter_client.session import DELIM, Session

from ipp_richsched.scheduler import lines, outbox

from .scripted import DEADLINE, Client, Engine, ScriptedCluster

HEADER, PARENT, METADATA, CONTENT = range(4)
"""The parts of a message, in the order of their frames."""

NO_OBJECTS = {
    "no JSON": b"{",
    "nothing": b"",
    "no UTF-8": b"\xff\xfe{}",
    "a list": b"[]",
    "a string": b'"x"',
    "a number": b"3",
    "null": b"null",
    "nesting without end": b"[" * 100_000,
    "too many digits": b'{"x": 1' + b"0" * 5000 + b"}",
}
"""Parts of a message that are none."""


class HubCluster(ScriptedCluster):
    """Whose hub can say anything, at any time."""

    def __enter__(self) -> HubCluster:
        return self

    def _answer_connection_request(self, engines: tuple[bytes, ...]) -> None:
        assert self._registrar.poll(int(DEADLINE * 1000)), f"no request: {self.log}"
        self._scheduler = self._registrar.recv_multipart()[0]
        content = {"engines": {str(id): ident.decode() for id, ident in enumerate(engines)}}
        message = self.session.msg("connection_reply", content)
        self.register(self.session.serialize(message))

    def register(self, frames: list[bytes]) -> None:
        """Send the scheduler a message as if it had asked which engines there are."""
        self._registrar.send_multipart([self._scheduler, *frames])

    def publish(self, frames: list[bytes]) -> None:
        """Send a notification."""
        self._notifier.send_multipart(frames)


@contextmanager
def open_doors(key: bytes) -> Iterator[Doors]:
    """A cluster with that key, in which tasks that no engine may take fail after a while."""
    config = {"RichTaskScheduler": {"stranded_timeout": 2.0}}
    with (
        tempfile.TemporaryDirectory(prefix="richsched") as path,
        # worse things happen here than anywhere, and each has a line that a test looks for
        mock.patch.object(lines, "KINDS", 10_000),
        mock.patch.object(outbox, "AT_ONCE", 10_000),
        HubCluster(Path(path), config=config, key=key) as cluster,
    ):
        yield Doors(cluster)


class Doors:
    """A cluster with a good engine and clients that do not know of each other.

    Parameters
    ----------
    cluster : HubCluster
    """

    def __init__(self, cluster: HubCluster) -> None:
        self.cluster = cluster
        self.session = Session(key=cluster.key)
        self._number = count()
        self.good_client = cluster.client(b"good client")
        self._bystander = cluster.client(b"bystander")
        self.good_engine = self._registered(cluster.engine(b"good engine"))

    def client(self) -> Client:
        """One more client."""
        return self.cluster.client(f"client-{next(self._number)}".encode())

    def engine(self) -> Engine:
        """One more engine, registered and known; tasks for it have to name it."""
        return self._registered(self.cluster.engine(f"engine-{next(self._number)}".encode()))

    def _registered(self, engine: Engine) -> Engine:
        """Wait until the scheduler has heard of an engine; it may have warned meanwhile."""
        self._bystander.submit(targets=[engine.ident.decode()])
        engine.reply(engine.take()[1])
        self._bystander.answer()
        self.hub_heard()
        self._seen = self.lines()
        return engine

    # -- messages ----------------------------------------------------------------------

    def header(self, **fields: Any) -> dict[str, Any]:
        """The header of a task, with some fields changed."""
        return {**json.loads(self.session.pack(self.session.msg_header("apply_request"))), **fields}

    def frames(self, parts: list[Any], key: bytes | None = None) -> list[bytes]:
        """A message of four parts, each as it is if it is bytes; signed."""
        packed = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
        session = self.session if key is None else Session(key=key)
        return [DELIM, session.sign(packed), *packed]

    def task(self, **metadata: Any) -> list[bytes]:
        """A task with any metadata."""
        return self.frames([self.header(), {}, metadata, {}])

    # -- what comes of them ------------------------------------------------------------

    def hub_heard(self, last: bytes = b"outtask") -> list[tuple[bytes, str]]:
        """Topics and msg_ids of what the hub hears up to this topic."""
        heard: list[list[bytes]] = []

        def complete() -> bool:
            heard.extend(self.cluster.hear())
            return bool(heard) and heard[-1][0] == last

        self.cluster.wait_for(complete, f"a message to the hub, {last!r},")
        where = {b"intask": ("header", "msg_id"), b"tracktask": ("content", "msg_id")}
        found = []
        for topic, *frames in heard:
            message = Session(key=self.cluster.key).deserialize(frames[frames.index(DELIM) + 1 :])
            part, field = where.get(topic, ("parent_header", "msg_id"))
            found.append((topic, message[part][field]))
        return found

    def a_good_task_runs(self) -> None:
        """Others notice nothing: a good task runs, and the hub hears of that one only."""
        assert self.good_engine.idle(0)
        msg_id = self.good_client.submit(targets=["good engine"])
        taken, task = self.good_engine.take()
        assert taken == msg_id
        self.good_engine.reply(task)
        assert self.good_client.answer()["parent_header"]["msg_id"] == msg_id
        topics = (b"intask", b"tracktask", b"outtask")
        assert self.hub_heard() == [(topic, msg_id) for topic in topics]
        assert self._bystander.idle(0)

    def one_line(self, *words: str, number: int = 1) -> None:
        """The log has one more line, or a number, with these words, and a good task runs."""
        self.cluster.wait_for(lambda: len(self.lines()) > len(self._seen), "a line in the log")
        self.a_good_task_runs()
        lines = self.lines()
        new, self._seen = lines[len(self._seen) :], lines
        assert len(new) == number, new
        assert len(new[0]) < 3000
        for word in words:
            assert word in new[0]

    def lines(self) -> list[str]:
        """Those of the log, but for those that count others."""
        return [line for line in self.cluster.log.splitlines() if ", the last: " not in line]

    def dropped(self, client: Client, frames: list[bytes], *words: str) -> None:
        """Nobody hears of what a client sends but the operator."""
        client.send(frames)
        self.one_line(*words)
        assert client.idle(0)

    def refused(self, client: Client, frames: list[bytes], *words: str) -> dict[str, Any]:
        """A client, and the operator, hear what is wrong with what it sent; the header it gets."""
        client.send(frames)
        answer = client.recv()
        _, _, _, _, content = answer[answer.index(DELIM) + 1 :]
        assert len(content) < 5000
        content = client.session.unpack(content)
        assert content["status"] == "error"
        assert content["ename"] == "ValueError"
        for word in words:
            assert word in content["evalue"]
        self.one_line(*words)
        assert client.idle(0)
        return client.read(answer)["parent_header"]
