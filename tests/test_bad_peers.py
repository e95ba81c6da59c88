"""Bad input from engines and the hub: the log has a line, the client is answered all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.session import DELIM

from .doors import NO_OBJECTS, Doors, open_doors
from .scripted import Client, Engine, without_mark


@pytest.fixture(scope="module", params=[b"a key", b""], ids=["signed", "no key"])
def doors(request: pytest.FixtureRequest) -> Iterator[Doors]:
    """One cluster for all: whatever it gets, it has to be there for the next test."""
    with open_doors(request.param) as doors:
        yield doors


class Held:
    """A task that an engine holds, and what the engine may say of it."""

    def __init__(self, doors: Doors, **metadata: Any) -> None:
        self.doors = doors
        self.client: Client = doors.client()
        self.engine: Engine = doors.engine()
        self.header = doors.header()
        self.msg_id: str = self.header["msg_id"]
        self.name = self.engine.ident.decode()
        metadata = {"targets": [self.name], **metadata}
        self.client.send(doors.frames([self.header, {}, metadata, {}]))
        self.task = self.engine.take()[1]
        doors.hub_heard(b"tracktask")

    def parts(self) -> list[Any]:
        """Header, parent header, metadata and content of a good reply."""
        header = self.doors.header(msg_type="apply_reply")
        return [header, self.header, {"status": "ok", "engine": self.name}, {"status": "ok"}]

    def send(self, frames: list[bytes], *idents: bytes) -> None:
        self.engine.send([*(idents or [self.client.ident]), *frames])

    def is_answered(self) -> None:
        """The engine's good reply counts, as if nothing had been."""
        replied = self.engine.reply(self.task)
        assert self.client.recv() == [self.engine.ident, *without_mark(replied)[1:]]
        self.doors.hub_heard()

    def has_failed(self, *words: str) -> None:
        """The client hears that the engine's reply is none, and the engine is free again."""
        content = self.client.answer()["content"]
        assert content["ename"] == "EngineError"
        for word in (self.msg_id, self.name, *words):
            assert word in content["evalue"]
        self.doors.hub_heard()
        self.doors.one_line(self.msg_id, self.name, *words)
        msg_id = self.client.submit(targets=[self.name])
        taken, task = self.engine.take()
        assert taken == msg_id
        self.engine.reply(task)
        assert self.client.answer()["parent_header"]["msg_id"] == msg_id
        self.doors.hub_heard()


# -- engines ---------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(7))
def test_a_reply_that_ends_early_is_dropped(doors: Doors, length: int) -> None:
    held = Held(doors)
    frames = [held.client.ident, *doors.frames(held.parts())][:length]
    held.engine.send(frames or [b""])
    doors.one_line(held.name)
    held.is_answered()


@pytest.mark.parametrize("doors", [b"a key"], ids=["signed"], indirect=True)
@pytest.mark.parametrize("forged", ["unsigned", "signed with another key", "altered"])
def test_a_reply_that_is_not_signed_with_the_key_is_dropped(doors: Doors, forged: str) -> None:
    held = Held(doors)
    frames = doors.frames(held.parts(), key=b"another key" if "another" in forged else None)
    if forged == "unsigned":
        frames[1] = b""
    elif forged == "altered":
        frames[-1] = b'{"status": "error"}'
    held.send(frames)
    doors.one_line(held.name, "signature")
    held.is_answered()


@pytest.mark.parametrize(
    "parent",
    [*NO_OBJECTS.values(), {}, {"msg_id": 3}, {"msg_id": None}, {"msg_id": ["x"]}],
)
def test_a_reply_to_nothing_is_dropped(doors: Doors, parent: Any) -> None:
    held = Held(doors)
    header, _, metadata, content = held.parts()
    held.send(doors.frames([header, parent, metadata, content]))
    doors.one_line(held.name, "parent header")
    held.is_answered()


@pytest.mark.parametrize("msg_id", ["nobody", "", "\ud800\n", "x" * 1_000_000])
def test_an_unsolicited_reply_is_discarded(doors: Doors, msg_id: str) -> None:
    held = Held(doors)
    header, _, metadata, content = held.parts()
    held.send(doors.frames([header, {"msg_id": msg_id}, metadata, content]))
    doors.one_line(held.name, "does not hold")
    held.is_answered()


def test_a_reply_of_another_engine_is_discarded(doors: Doors) -> None:
    held, other = Held(doors), doors.engine()
    other.reply(held.task)
    doors.one_line(other.ident.decode(), held.msg_id, "does not hold")
    stranger = doors.cluster.connect_engine(b"stranger")
    stranger.reply(held.task)
    doors.one_line("stranger", held.msg_id, "does not hold")
    held.is_answered()


def test_a_repeated_reply_is_discarded(doors: Doors) -> None:
    held = Held(doors)
    replied = held.engine.reply(held.task)
    assert held.client.recv() == [held.engine.ident, *replied[1:]]
    doors.hub_heard()
    held.engine.send(replied)
    doors.one_line(held.name, held.msg_id)
    assert held.client.idle(0)


def test_a_reply_in_the_name_of_another_engine_counts_for_its_sender(doors: Doors) -> None:
    held = Held(doors)
    replied = held.engine.reply(held.task, engine="good engine")
    assert held.client.recv() == [held.engine.ident, *replied[1:]]
    doors.hub_heard()
    doors.a_good_task_runs()


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        *((garbage, ["metadata"]) for garbage in NO_OBJECTS.values()),
        ({}, ["'status'", "None"]),
        ({"status": None}, ["'status'", "None"]),
        ({"status": 5}, ["'status'", "5"]),
        ({"status": ["ok"]}, ["'status'", "['ok']"]),
        ({"status": "odd"}, ["'status'", "'odd'"]),
        ({"status": "x" * 1_000_000}, ["'status'", "xxx"]),
    ],
)
def test_a_reply_without_status_is_a_failure(doors: Doors, metadata: Any, words: list[str]) -> None:
    held = Held(doors)
    header, parent, _, content = held.parts()
    held.send(doors.frames([header, parent, metadata, content]))
    held.has_failed(*words)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        *((garbage, "content") for garbage in NO_OBJECTS.values()),
        ({}, "'status'"),
        ({"status": 3}, "'status'"),
        ({"status": "odd"}, "'odd'"),
        ({"status": "error", "ename": "E", "evalue": "e"}, "traceback"),
    ],
)
def test_a_reply_that_no_client_could_read_is_a_failure(
    doors: Doors, content: Any, word: str
) -> None:
    held = Held(doors)
    header, parent, metadata, _ = held.parts()
    held.send(doors.frames([header, parent, metadata, content]))
    held.has_failed(word)


def test_a_reply_to_no_client_is_a_failure(doors: Doors) -> None:
    held = Held(doors)
    held.engine.send(doors.frames(held.parts()))
    held.has_failed("client")


def test_a_reply_to_a_stranger_goes_to_the_client(doors: Doors) -> None:
    held = Held(doors)
    frames = doors.frames(held.parts())
    held.send(frames, b"bystander")
    assert held.client.recv() == [held.engine.ident, *frames]
    doors.hub_heard()
    doors.a_good_task_runs()


def test_a_useless_reply_uses_up_a_retry(doors: Doors) -> None:
    held = Held(doors, retries=1)
    header, parent, _, content = held.parts()
    held.send(doors.frames([header, parent, b"garbage", content]))
    taken, held.task = held.engine.take()
    assert taken == held.msg_id
    doors.hub_heard(b"tracktask")
    doors.one_line(held.msg_id, "metadata")
    held.is_answered()


def test_an_engine_called_like_the_delimiter_is_not_misread(doors: Doors) -> None:
    held = Held(doors)
    engine = doors.cluster.connect_engine(DELIM)
    # its identity and the rest make a whole reply, which has no sender
    engine.send(doors.frames(held.parts())[1:])
    doors.one_line(DELIM.decode())
    held.is_answered()


def test_ten_thousand_identities_in_a_reply_do_no_harm(doors: Doors) -> None:
    held = Held(doors)
    frames = [*[b"x"] * 10_000, *doors.frames(held.parts())]
    held.send(frames)
    assert held.client.recv() == [held.engine.ident, *frames]
    doors.hub_heard()
    doors.a_good_task_runs()


# -- the hub ---------------------------------------------------------------------------


NO_UUIDS: list[Any] = [None, 5, "", [], {}, "\ud800"]


def notification(doors: Doors, kind: str, content: Any) -> list[bytes]:
    return doors.frames([doors.header(msg_type=f"{kind}_notification"), {}, {}, content])


@pytest.mark.parametrize("kind", ["registration", "unregistration"])
@pytest.mark.parametrize(
    "content",
    [*NO_OBJECTS.values(), {}, *({"uuid": uuid} for uuid in NO_UUIDS)],
)
def test_a_notification_of_no_engine_is_dropped(doors: Doors, kind: str, content: Any) -> None:
    doors.cluster.publish(notification(doors, kind, content))
    doors.one_line("hub", "uuid" if isinstance(content, dict) else "content")


@pytest.mark.parametrize("length", range(1, 7))
def test_a_notification_that_ends_early_is_dropped(doors: Doors, length: int) -> None:
    frames = notification(doors, "unregistration", {"uuid": "good engine"})
    doors.cluster.publish(frames[: length - 1] or [b""])
    doors.one_line("hub")


@pytest.mark.parametrize("doors", [b"a key"], ids=["signed"], indirect=True)
@pytest.mark.parametrize("key", [b"", b"another key"])
def test_a_notification_that_is_not_signed_with_the_key_is_dropped(
    doors: Doors, key: bytes
) -> None:
    header = doors.header(msg_type="unregistration_notification")
    doors.cluster.publish(doors.frames([header, {}, {}, {"uuid": "good engine"}], key=key))
    doors.one_line("hub", "signature")


@pytest.mark.parametrize("header", NO_OBJECTS.values(), ids=NO_OBJECTS)
def test_a_notification_without_header_is_dropped(doors: Doors, header: bytes) -> None:
    doors.cluster.publish(doors.frames([header, {}, {}, {"uuid": "good engine"}]))
    doors.one_line("hub", "header")


@pytest.mark.parametrize("kind", [None, 3, [], {}, "odd", "x" * 1_000_000])
def test_a_notification_of_unknown_type_is_dropped(doors: Doors, kind: Any) -> None:
    header = doors.header(msg_type=kind)
    doors.cluster.publish(doors.frames([header, {}, {}, {"uuid": "good engine"}]))
    doors.one_line("hub", "msg_type")


def test_news_for_clients_are_none_for_the_scheduler(doors: Doors) -> None:
    doors.cluster.publish(notification(doors, "shutdown", {"status": "ok"}))
    doors.cluster.unregister(b"unknown engine")
    doors.one_line("unknown engine")


def test_an_engine_announced_twice_is_there_once(doors: Doors) -> None:
    doors.cluster.notify("registration", b"good engine")
    doors.one_line("good engine", "twice")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        *((garbage, "content") for garbage in NO_OBJECTS.values()),
        ({"engines": ["x"]}, "'engines'"),
        ({"engines": "x"}, "'engines'"),
        ({"engines": {"0": 5}}, "5"),
        ({"engines": {"0": None, "1": "", "2": "\ud800", "3": ["x"]}}, "\\ud800"),
    ],
)
def test_a_bad_list_of_engines_is_dropped(doors: Doors, content: Any, word: str) -> None:
    doors.cluster.register(doors.frames([doors.header(), {}, {}, content]))
    doors.one_line("hub", word)


@pytest.mark.parametrize("length", range(1, 7))
def test_a_list_of_engines_that_ends_early_is_dropped(doors: Doors, length: int) -> None:
    frames = doors.frames([doors.header(), {}, {}, {"engines": {}}])
    doors.cluster.register(frames[: length - 1] or [b""])
    doors.one_line("hub")


def test_the_good_engines_of_a_bad_list_are_taken(doors: Doors) -> None:
    client, engine = doors.client(), doors.cluster.connect_engine(b"listed")
    engines = {"0": "good engine", "1": 5, "2": "listed"}
    doors.cluster.register(doors.frames([doors.header(), {}, {}, {"engines": engines}]))
    doors.one_line("hub", "5")
    client.submit(targets=["listed"])
    engine.reply(engine.take()[1])
    assert client.answer()["content"]["status"] == "ok"
    doors.hub_heard()
