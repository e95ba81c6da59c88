"""Values of tasks as arguments of others, at the wire."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_client.session import DELIM

from ipp_richsched.wire.requests import ANSWER, QUESTION_TO_CLIENT, REQUEST

from .lists import Frames, ListCluster
from .scripted import Client, Engine, ScriptedCluster, Start


def send_value(client: Client, *buffers: bytes, msg_id: str, problem: str = "") -> dict[str, Any]:
    """A client sends a value; the answer."""
    content = {"request": "value", "msg_id": msg_id, "problem": problem}
    message = client.session.msg(REQUEST, content)
    client.send([*client.session.serialize(message), *buffers])
    answer = client.answer()
    assert answer["header"]["msg_type"] == ANSWER
    return answer["content"]


def asked(client: Client, msg_id: str, task: str) -> None:
    """The client is asked for the value of a task, for another."""
    question = client.answer()
    assert question["header"]["msg_type"] == QUESTION_TO_CLIENT
    assert question["content"] == {"msg_id": msg_id}
    assert question["parent_header"]["msg_id"] == task


def buffers(frames: Frames) -> Frames:
    return frames[frames.index(DELIM) + 6 :]


def test_values_are_the_last_buffers_of_a_task(start: Start) -> None:
    cluster = start()
    client, a, b = cluster.client(), cluster.engine(b"a"), cluster.engine(b"b")
    p, q = client.submit(targets=["a"]), client.submit(targets=["b"])
    user = client.submit(b"own", b"two", arguments=[q, p], targets=["a"], retries=1)
    cluster.submitted(client)  # before its arguments are there: else nobody keeps their values
    for engine, values in (a, [b"p"]), (b, [b"q", b"Q" * 100_000]):
        engine.reply(engine.take()[1], *values)
    for _ in range(2):
        client.answer()
    msg_id, task = a.take()
    assert msg_id == user
    expected = [b"own", b"two", b"q", b"Q" * 100_000, b"p"]
    assert buffers(task) == expected
    a.reply(task, status="error")  # and again for a retry
    assert buffers(a.take()[1]) == expected


def test_a_client_is_asked_for_a_value_that_it_has_been_sent(start: Start) -> None:
    cluster = start(engines=(b"a",))
    client, engine = cluster.client(), cluster.connect_engine(b"a")
    p = client.submit()
    engine.reply(engine.take()[1], b"relayed")
    client.answer()
    user = client.submit(b"own", arguments=[p])
    asked(client, p, user)
    heard = len(cluster.hear(0.2))
    assert send_value(client, b"sent", b"more", msg_id=p) == {"status": "ok"}
    assert buffers(engine.take()[1]) == [b"own", b"sent", b"more"]
    assert heard
    assert [frames[0] for frames in cluster.hear(0.2)] == [b"tracktask"]


@pytest.fixture
def waits(start: Start) -> tuple[ScriptedCluster, Client, Engine, str, str]:
    """A cluster in which a task waits for a value that its client has to send."""
    cluster = start(engines=(b"a",))
    client, engine = cluster.client(), cluster.connect_engine(b"a")
    p = client.submit()
    engine.reply(engine.take()[1], b"relayed")
    client.answer()
    user = client.submit(arguments=[p])
    asked(client, p, user)
    return cluster, client, engine, p, user


def test_a_client_may_say_that_it_cannot_send_a_value(waits: Any) -> None:
    _, client, _, p, user = waits
    content = {"request": "value", "msg_id": p, "problem": "it is \n lost"}
    client.send(client.session.serialize(client.session.msg(REQUEST, content)))
    answers = [client.answer(), client.answer()]
    [failure] = [each for each in answers if each["parent_header"]["msg_id"] == user]
    assert failure["content"]["ename"] == "ImpossibleDependency"
    assert f"{user} has as an argument the result of {p}" in failure["content"]["evalue"]


def test_values_that_nobody_asked_for_are_refused(waits: Any) -> None:
    cluster, client, engine, p, _ = waits
    stranger = cluster.client(b"stranger")
    for who, msg_id in ((stranger, p), (client, "nobody")):
        answer = send_value(who, b"value", msg_id=msg_id)
        assert answer["ename"] == "ValueError"
        assert f"'msg_id' is '{msg_id}'" in answer["evalue"]
    assert "'problem' is ''" in send_value(client, msg_id=p)["evalue"]
    assert send_value(client, b"right", msg_id=p) == {"status": "ok"}
    assert "'msg_id'" in send_value(client, b"again", msg_id=p)["evalue"]
    assert buffers(engine.take()[1]) == [b"right"]


def test_a_reply_without_a_value_has_its_client_asked(start: Start) -> None:
    cluster = start(engines=(b"a",))
    client, engine = cluster.client(), cluster.connect_engine(b"a")
    p = client.submit()
    user = client.submit(arguments=[p])
    engine.reply(engine.take()[1])
    client.answer()
    asked(client, p, user)


@pytest.mark.parametrize("value", [None, []])
def test_no_arguments_are_none(value: Any) -> None:
    lists = ListCluster()
    lists.register(b"a")
    lists.submit(arguments=value)
    lists.run()
    assert len(lists.engines.take()) == 1
