"""Requests of clients to the scheduler, good and bad, at the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ipp_richsched.wire.requests import ANSWER, REQUEST

from .doors import Doors, open_doors
from .scripted import Client


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    with open_doors(b"key") as doors:
        yield doors


def ask(doors: Doors, client: Client, content: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Send a request; its header, and the answer."""
    header = doors.header(msg_type=REQUEST)
    client.send(doors.frames([header, {}, {"after": [header["msg_id"]]}, content]))
    answer = client.answer()
    assert answer["header"]["msg_type"] == ANSWER
    return header, answer


def test_a_scheduler_says_who_it_is(doors: Doors) -> None:
    header, answer = ask(doors, doors.client(), {"request": "hello"})
    assert answer["parent_header"]["msg_id"] == header["msg_id"]
    assert answer["content"]["status"] == "ok"
    assert "priority" in answer["content"]["flags"]
    doors.a_good_task_runs()  # and the hub has heard of nothing else


WRONG: list[tuple[Any, str]] = [
    ({}, "'request' is None"),
    ({"request": "stop"}, "'stop'"),
    ({"request": 3}, "'request' is 3"),
    ({"request": ["hello"]}, "['hello']"),
    ({"request": "hello", "more": 1}, "'more'"),
    ({"request": "cancel"}, "is missing"),
    ({"request": "cancel", "msg_ids": "x", "interrupt": False}, "'msg_ids' is 'x'"),
    ({"request": "cancel", "msg_ids": [1], "interrupt": False}, "'msg_ids' is [1]"),
    ({"request": "cancel", "msg_ids": ["\ud800"], "interrupt": False}, "'msg_ids'"),
    ({"request": "cancel", "msg_ids": [], "interrupt": "yes"}, "'interrupt' is 'yes'"),
    ({"request": "status"}, "'oldest' is missing"),
    ({"request": "status", "oldest": 101}, "'oldest' is 101"),
    ({"request": "status", "oldest": -1}, "'oldest' is -1"),
    ({"request": "status", "oldest": 1.5}, "'oldest' is 1.5"),
    ({"request": "status", "oldest": True}, "'oldest' is True"),
    ({"request": "status", "oldest": 1, "queue": 1}, "'queue'"),
    ({"request": "why"}, "'msg_ids' is missing"),
    ({"request": "why", "msg_ids": "x"}, "'msg_ids' is 'x'"),
    ({"request": "why", "msg_ids": ["x"] * 1001}, "'msg_ids' has 1001 ids"),
    ({"request": "happenings"}, "'mark' is missing"),
    ({"request": "happenings", "mark": 1}, "'mark' is 1"),
    ({"request": "happenings", "mark": "1 2"}, "'mark' is '1 2'"),
    ({"request": "happenings", "mark": "a b 3"}, "'mark' is 'a b 3'"),
]


@pytest.mark.parametrize(("content", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_request_is_refused_and_its_field_named(
    doors: Doors, content: Any, words: str
) -> None:
    client = doors.client()
    header = doors.header(msg_type=REQUEST)
    frames = doors.frames([header, {}, {}, content])
    assert doors.refused(client, frames, words)["msg_id"] == header["msg_id"]


def test_a_request_that_is_not_signed_is_dropped(doors: Doors) -> None:
    frames = doors.frames([doors.header(msg_type=REQUEST), {}, {}, {"request": "hello"}], b"forged")
    doors.dropped(doors.client(), frames, "signature")


def test_content_that_cannot_be_read_is_dropped(doors: Doors) -> None:
    frames = doors.frames([doors.header(msg_type=REQUEST), {}, {}, b"{"])
    doors.dropped(doors.client(), frames, "content")


def test_tasks_of_another_client_are_told_that_they_were_aborted(doors: Doors) -> None:
    engine, client = doors.engine(), doors.client()
    name = engine.ident.decode()
    runs = client.submit(targets=[name])
    taken, task = engine.take()
    assert taken == runs
    queued, other = (one.submit(targets=[name]) for one in (client, doors.good_client))
    heard: set[str] = set()
    while other not in heard:  # it comes over another connection than the request
        heard.update(msg_id for topic, msg_id in doors.hub_heard(b"intask") if topic == b"intask")
    ids = [runs, queued, other, "nobody"]
    content = {"request": "cancel", "msg_ids": ids, "interrupt": False}
    _, answer = ask(doors, client, content)
    answered = {key: answer["content"][key] for key in ("cancelled", "running", "unknown")}
    assert answered == {"cancelled": [queued, other], "running": [runs], "unknown": ["nobody"]}
    told = doors.good_client.answer()
    assert told["parent_header"]["msg_id"] == other
    assert told["content"] == {"status": "aborted"}
    assert client.idle(0)
    heard.clear()
    while not {queued, other} <= heard:
        heard.update(msg_id for topic, msg_id in doors.hub_heard() if topic == b"outtask")
    assert "cancelled 2 tasks" in doors.cluster.log
    engine.reply(task)
    assert client.answer()["parent_header"]["msg_id"] == runs


def test_a_task_that_comes_back_after_its_client_wanted_it_back_is_aborted(doors: Doors) -> None:
    engine, client = doors.engine(), doors.client()
    msg_id = client.submit(targets=[engine.ident.decode()])
    _, task = engine.take()
    content = {"request": "cancel", "msg_ids": [msg_id], "interrupt": False}
    _, answer = ask(doors, client, content)
    assert answer["content"]["running"] == [msg_id]
    engine.refuse(task, "numpy")
    told = client.answer()
    assert (told["parent_header"]["msg_id"], told["content"]) == (msg_id, {"status": "aborted"})
    doors.cluster.wait_for(
        lambda: "before it was to be queued again" in doors.cluster.log, "the line"
    )


def test_busy_engines_give_tasks_back(doors: Doors) -> None:
    engine = doors.engine()
    client = doors.client()
    msg_id = client.submit(targets=[engine.ident.decode()])
    taken, task = engine.take()
    engine.reply(task, status="error", error=("EngineBusy", "busy for 0.2 s"))
    taken, task = engine.take()
    assert taken == msg_id
    engine.reply(task, status="error", error=("EngineBusy", "busy for ever"))  # not ours
    assert client.answer()["content"]["ename"] == "EngineBusy"
