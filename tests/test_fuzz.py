"""Good messages, spoiled at random, at every door: nobody is harmed."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from jupyter_client.session import DELIM

from .doors import NO_OBJECTS, Doors, open_doors
from .scripted import Engine

MESSAGES = 300
"""How many spoiled messages each door gets in a test."""

JUNK: list[Any] = [None, True, False, 0, -1, 10**30, 1e400, "", "x", "\ud800", [], ["x"], {}]
JUNK += [[[]], {"x": {}}, float("nan"), "ghost-0", ["ghost-0"]]


class Spoiler:
    """Spoils messages in a way that its seed decides."""

    def __init__(self, doors: Doors, seed: int) -> None:
        self.random = Random(seed)
        self.session = doors.session
        self.spoilers: list[Callable[[list[bytes]], None]] = [
            self.drop,
            self.double,
            self.swap,
            self.cut,
            self.shorten,
            self.flip,
            self.insert,
            self.replace,
            self.change,
        ]

    def spoil(self, frames: list[bytes]) -> list[bytes]:
        frames = list(frames)
        for _ in range(self.random.choice([1, 1, 1, 2, 4])):
            self.random.choice(self.spoilers)(frames)
            if not frames:
                return [b""]
        if DELIM in frames and self.random.random() < 0.8:
            start = frames.index(DELIM) + 2
            frames[start - 1 : start] = [self.session.sign(frames[start : start + 4])]
        return frames

    def place(self, frames: list[bytes]) -> int:
        return self.random.randrange(len(frames))

    def drop(self, frames: list[bytes]) -> None:
        del frames[self.place(frames)]

    def double(self, frames: list[bytes]) -> None:
        frames.insert(self.place(frames), frames[self.place(frames)])

    def swap(self, frames: list[bytes]) -> None:
        one, other = self.place(frames), self.place(frames)
        frames[one], frames[other] = frames[other], frames[one]

    def cut(self, frames: list[bytes]) -> None:
        del frames[self.place(frames) :]

    def shorten(self, frames: list[bytes]) -> None:
        place = self.place(frames)
        frames[place] = frames[place][: self.random.randrange(len(frames[place]) + 1)]

    def flip(self, frames: list[bytes]) -> None:
        place = self.place(frames)
        frame = bytearray(frames[place])
        if frame:
            frame[self.random.randrange(len(frame))] ^= 1 << self.random.randrange(8)
        frames[place] = bytes(frame)

    def insert(self, frames: list[bytes]) -> None:
        frames.insert(self.place(frames), self.random.randbytes(self.random.randrange(20)))

    def replace(self, frames: list[bytes]) -> None:
        garbage = [DELIM, *NO_OBJECTS.values()]
        frames[self.place(frames)] = self.random.choice(garbage)

    def change(self, frames: list[bytes]) -> None:
        """Change a field of a part."""
        place = self.place(frames)
        try:
            part = json.loads(frames[place])
            field = self.random.choice(list(part))
            part[field] = self.random.choice(JUNK)
        except (ValueError, TypeError, LookupError, RecursionError):
            return
        frames[place] = json.dumps(part).encode()


def asked(header: dict[str, Any], message: list[bytes]) -> bool:
    """Whether a message answers the task of that header."""
    return json.dumps(header["msg_id"]).encode() in message[message.index(DELIM) + 3]


def pump(engine: Engine) -> None:
    """Have an engine answer what it holds."""
    while not engine.idle(0):
        engine.reply(engine.recv())


def tasks(doors: Doors, spoiler: Spoiler) -> None:
    """Spoiled tasks, of some clients; engines run what is left of them."""
    clients = [doors.client() for _ in range(3)]
    engine = doors.engine()
    for _ in range(MESSAGES):
        metadata = {
            "after": [],
            "follow": {"dependencies": [], "all": True, "success": True, "failure": False},
            "timeout": 0.5,
            "targets": [engine.ident.decode()],
            "retries": 1,
        }
        frames = [*doors.task(**metadata), b"buffer"]
        spoiler.random.choice(clients).send(spoiler.spoil(frames))
        pump(engine)
    for client in clients:  # what comes after the spoiled ones is read after them
        last = doors.header()
        client.send(doors.frames([last, {}, {"after": ["nobody"]}, {}]))
        while not asked(last, client.recv()):
            pass
    tasks, answers = set(), set()

    def all_answered() -> bool:
        for one in (engine, doors.good_engine):
            pump(one)
        for topic, *frames in doors.cluster.hear():
            start = frames.index(DELIM)
            if topic == b"intask":
                tasks.add(doors.session.unpack(frames[start + 2])["msg_id"])
            elif topic == b"outtask":
                answers.add(doors.session.unpack(frames[start + 3])["msg_id"])
        return tasks == answers

    doors.cluster.wait_for(all_answered, "an answer to every task that the hub has heard of")


def replies(doors: Doors, spoiler: Spoiler) -> None:
    """Spoiled replies to tasks, each followed by a good one; each task is answered once."""
    client, engine = doors.client(), doors.engine()
    for number in range(MESSAGES):
        client.submit(targets=[engine.ident.decode()], retries=int(number % 10 == 0))
        task = engine.take()[1]
        start = task.index(DELIM)
        parts = [
            doors.header(msg_type="apply_reply"),
            task[start + 2],
            {"status": "ok", "dependencies_met": True, "engine": engine.ident.decode()},
            {"status": "ok"},
        ]
        engine.send(spoiler.spoil([*task[:start], *doors.frames(parts), b"buffer"]))
        engine.reply(task)

        def answered() -> bool:
            pump(engine)
            return not client.idle(0.01)

        doors.cluster.wait_for(answered, "an answer")
        client.recv()
    assert client.idle()


def notifications(doors: Doors, spoiler: Spoiler) -> None:
    """Spoiled notifications, of engines that are not there."""
    for number in range(MESSAGES):
        kind = spoiler.random.choice(["registration", "unregistration"])
        header = doors.header(msg_type=f"{kind}_notification")
        frames = doors.frames([header, {}, {}, {"id": 0, "uuid": f"ghost-{number % 5}"}])
        doors.cluster.publish(spoiler.spoil(frames))
    runs(doors, doors.engine())


def engine_lists(doors: Doors, spoiler: Spoiler) -> None:
    """Spoiled answers to the request for the engines."""
    header = doors.header(msg_type="connection_reply")
    for number in range(MESSAGES):
        content = {"status": "ok", "engines": {"0": "good engine", "1": f"ghost-{number % 5}"}}
        doors.cluster.register(spoiler.spoil(doors.frames([header, {}, {}, content])))
    last = doors.cluster.connect_engine(b"last")
    doors.cluster.register(doors.frames([header, {}, {}, {"engines": {"0": "last"}}]))
    runs(doors, last)


def runs(doors: Doors, engine: Engine) -> None:
    """A good task runs on an engine, whatever else it holds."""
    msg_id = doors.good_client.submit(targets=[engine.ident.decode()])
    while True:
        taken, task = engine.take()
        engine.reply(task)
        if taken == msg_id:
            break
    assert doors.good_client.answer()["parent_header"]["msg_id"] == msg_id


@pytest.mark.parametrize("door", [tasks, replies, notifications, engine_lists])
@pytest.mark.parametrize("key", [b"a key", b""], ids=["signed", "no key"])
@pytest.mark.parametrize("seed", [1, 2])
def test_spoiled_messages_harm_nobody(
    door: Callable[[Doors, Spoiler], None], key: bytes, seed: int
) -> None:
    with open_doors(key) as doors:  # asserts in the end that there is no traceback
        before = len(doors.lines())
        door(doors, Spoiler(doors, seed))
        runs(doors, doors.good_engine)
        lines = doors.lines()[before:]
        assert len(lines) > MESSAGES / 10, "nothing was spoiled"
        assert all("task::" in line for line in lines), lines
