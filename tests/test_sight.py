"""`status` and `why` as the scheduler answers them: over lists, and at the wire."""

from __future__ import annotations

import json
import time
from typing import Any
from unittest import mock

import pytest
from jupyter_client.session import DELIM

from ipp_richsched.core.events import Event
from ipp_richsched.scheduler.lag import SPAN, Lag
from ipp_richsched.wire.requests import ANSWER, HAPPENINGS, REQUEST, STATUS, WHY, read_answer

from .lists import Frames, ListCluster
from .scripted import Client, Start

CLOCK = "ipp_richsched.scheduler.sight.time.time"


def request_of(cluster: Any, **content: Any) -> list[bytes]:
    """A request, as a client sends it."""
    message = cluster.session.msg(REQUEST, content)
    message["metadata"] = {"after": [message["header"]["msg_id"]]}
    return cluster.session.serialize(message)


def content_of(frames: Frames) -> dict[str, Any]:
    """What an answer says."""
    start = frames.index(DELIM) + 2
    assert json.loads(frames[start])["msg_type"] == ANSWER
    found = json.loads(frames[start + 3])
    assert found["status"] == "ok", found
    return found


def ask(cluster: ListCluster, **content: Any) -> dict[str, Any]:
    """Ask, in the same round with what is under way to the scheduler."""
    cluster.clients.incoming.append([b"asks", *request_of(cluster, **content)])
    cluster.run()
    [answer] = [frames for frames in cluster.clients.take() if frames[0] == b"asks"]
    return content_of(answer)


def test_what_was_sent_before_counts() -> None:
    cluster = ListCluster()
    cluster.register(b"a")
    msg_ids = [cluster.submit(label="x") for _ in range(3)]
    answer = ask(cluster, request="status", oldest=1)
    assert (answer["ready"], answer["assigned"]) == (2, 1)
    assert [task["msg_id"] for task in answer["oldest"]] == msg_ids[1:2]
    assert answer["oldest_more"] == 1
    read_answer(STATUS, answer)


def test_to_ask_is_no_event_and_the_hub_does_not_hear_of_it() -> None:
    cluster = ListCluster()
    msg_id = cluster.submit()
    cluster.run()
    cluster.topics()
    told: list[Event] = []
    cluster.scheduler._core.trace = lambda now, event, actions: told.append(event)
    ask(cluster, request="status", oldest=0)
    read_answer(WHY, ask(cluster, request="why", msg_ids=[msg_id]))
    assert told == []
    assert cluster.topics() == []


def test_a_status_says_who_serves_and_with_which_settings() -> None:
    settings = {"engine_grace": 1.0, "fair": True}
    config = {"TaskScheduler": {"scheme_name": "lru", "hwm": 2}, "RichTaskScheduler": settings}
    answer = ask(ListCluster(**config), request="status", oldest=0)
    assert answer["version"]
    assert answer["scheme"] == "lru"
    assert answer["settings"] == {"hwm": 2, "engine_grace": 1.0, "fair": True}
    assert answer["you"] == "asks"
    assert answer["memory"] > 2**20
    assert answer["time"] == pytest.approx(time.time(), abs=60)


def test_times_are_of_the_wall_clock() -> None:
    cluster = ListCluster()
    cluster.register(b"a")
    cluster.submit()
    msg_id = cluster.submit(timeout=50.0)
    cluster.run()
    cluster.wait(10)
    answer = ask(cluster, request="status", oldest=10)
    [task] = answer["oldest"]
    assert task["since"] == pytest.approx(answer["time"] - 10, abs=0.01)
    assert task["expires"] == pytest.approx(answer["time"] + 40, abs=0.01)
    assert answer["engines"][0]["since"] == pytest.approx(answer["time"] - 10, abs=0.01)
    answer = ask(cluster, request="why", msg_ids=[msg_id])
    [story] = answer["stories"]
    assert story["submitted"] == pytest.approx(answer["time"] - 10, abs=0.01)
    assert story["expires"] == pytest.approx(answer["time"] + 40, abs=0.01)


def test_who_asks_late_is_told_what_a_task_is_when_it_is_assigned() -> None:
    with mock.patch("ipp_richsched.core.story.LINES", 6):
        cluster = ListCluster()
    cluster.register(b"a")
    first = cluster.submit(label="load")
    second = cluster.submit(label="fit", after=[first], cost=3.0)
    for _ in range(3):
        cluster.submit(label="other")
    cluster.run()
    assert second not in str(ask(cluster, request="happenings", mark=""))
    [task] = [frames for frames in cluster.engines.take() if first in str(frames)]
    cluster.reply(task)
    cluster.run()
    page = read_answer(HAPPENINGS, ask(cluster, request="happenings", mark=""))
    [assigned] = [row for row in page["happenings"] if row["what"] == "assigned"]
    assert assigned["msg_id"] == second
    assert (assigned["label"], assigned["cost"], assigned["engine"]) == ("fit", 3.0, "a")
    assert (assigned["parents"], assigned["parents_more"]) == ([first], 0)
    [done] = [row for row in page["happenings"] if row["what"] == "succeeded"]
    assert "label" not in done


def test_a_clock_that_is_set_back_turns_nothing_round() -> None:
    cluster = ListCluster()
    cluster.register(b"a")
    cluster.submit()
    cluster.run()
    page = ask(cluster, request="happenings", mark="")
    begun = page["happenings"][-1]["when"]
    wall = time.time()
    with mock.patch(CLOCK, return_value=wall - 3600):
        cluster.wait(10)
        cluster.submit()
        cluster.run()
        later = ask(cluster, request="happenings", mark=page["mark"])
        assert later["happenings"][0]["when"] == pytest.approx(begun + 10, abs=0.1)
        assert later["time"] >= page["time"] + 10
    # forward it is followed: the machine may have slept
    with mock.patch(CLOCK, return_value=wall + 3600):
        assert ask(cluster, request="status", oldest=0)["time"] == pytest.approx(wall + 3600)


def test_an_error_with_half_a_character_can_be_told() -> None:
    cluster = ListCluster()
    cluster.register(b"a")
    msg_id = cluster.submit()
    cluster.run()
    [task] = [frames for frames in cluster.engines.take() if msg_id in str(frames)]
    engine, *idents = task[: task.index(DELIM)]
    parent = json.loads(task[task.index(DELIM) + 2])
    content = {"status": "error", "ename": "\\ud800", "evalue": "\\ud800\n", "traceback": []}
    message = cluster.session.msg("apply_reply", {}, parent=parent)
    message["metadata"] = {"status": "error", "engine": "a", "dependencies_met": True}
    frames = cluster.session.serialize(message, ident=idents)
    start = frames.index(DELIM)
    frames[-1] = json.dumps(content).replace("\\\\", "\\").encode()
    frames[start + 1] = cluster.session.sign(frames[start + 2 :])
    cluster.engines.incoming.append([engine, *frames])
    cluster.run()
    assert ask(cluster, request="status", oldest=0)["causes"] == {"\\ud800": 1}
    examples = ask(cluster, request="status", oldest=0)["examples"]
    assert examples == {"\\ud800": {"msg_id": msg_id, "label": None, "text": "\\ud800\\n"}}
    [story] = ask(cluster, request="why", msg_ids=[msg_id])["stories"]
    assert story["reason"] == "it raised \\ud800: \\ud800\\n"


def test_errors_of_the_scheduler_have_examples_too_and_share_one_with_those_of_the_same_name() -> (
    None
):
    cluster = ListCluster()
    cluster.register(b"a")
    cluster.run()
    for content in ({"timeout": "long"}, {"retries": "x" * 1_000}):
        msg_id = cluster.submit(label="wrong", **content)
    answer = ask(cluster, request="status", oldest=0)
    assert answer["causes"] == {"ValueError": 2}
    example = answer["examples"]["ValueError"]
    assert example["msg_id"] == msg_id
    assert example["text"].startswith("'retries' is 'xxx")
    assert len(example["text"]) == 200
    cluster.submit()
    cluster.run()
    [task] = cluster.engines.take()
    cluster.reply(task, "error")  # without a text
    answer = ask(cluster, request="status", oldest=0)
    assert answer["examples"]["E"]["text"] == ""


def test_the_lag_is_the_longest_turn_of_the_last_minute() -> None:
    lag = Lag()
    lag.note(100.0, 100.5)
    lag.note(101.0, 101.1)
    assert lag.seconds(102.0) == 0.5
    lag.note(100.0 + SPAN, 100.2 + SPAN)
    assert lag.seconds(101.0 + SPAN) == 0.5
    assert lag.seconds(100.5 + 2 * SPAN) == pytest.approx(0.2)
    assert lag.seconds(101.0 + 10 * SPAN) == 0.0


def test_clients_and_engines_at_the_wire(start: Start) -> None:
    cluster = start(engines=(b"first",), config={"TaskScheduler": {"hwm": 1}})
    first = cluster.connect_engine(b"first")
    client, other = cluster.client(b"me"), cluster.client(b"\0\xff")

    def ask(client: Client, **content: Any) -> dict[str, Any]:
        client.send(request_of(client, **content))
        return content_of(client.recv())

    runs = client.submit(label="fit", priority=3)
    _, task = first.take()
    waits = client.submit(label="merge", after=[runs])
    stranded = other.submit(targets=["nobody"])
    cluster.wait_for(lambda: ask(other, request="status", oldest=0)["ready"], "the other's task")
    answer = ask(client, request="status", oldest=100)
    [engine] = answer["engines"]
    assert (engine["id"], engine["uuid"], engine["task"], engine["label"]) == (
        *(0, "first", runs, "fit"),
    )
    found = {task["msg_id"]: task for task in answer["oldest"]}
    assert found[waits]["reason"] == f"waits for {runs} (fit) to finish"
    assert found[waits]["details"]["pending"][0]["msg_ids"] == [runs]
    assert found[stranded]["kind"] == "stranded"
    assert "engine nobody is not registered; it fails in" in found[stranded]["reason"]
    clients = {part["client"] for part in answer["queue"] if part["ready"] + part["waiting"]}
    assert clients == {answer["you"], "00ff"}
    [story] = ask(client, request="why", msg_ids=[waits])["stories"]
    assert [link["msg_id"] for link in story["chain"]] == [runs]
    assert "on engine 0" in story["chain"][0]["reason"]
    first.reply(task, status="error")
    client.recv()
    client.recv()
    stories = ask(client, request="why", msg_ids=[waits, runs, "nobody"])["stories"]
    assert [story["state"] for story in stories] == ["failed", "failed", "unknown"]
    assert stories[0]["cause"] == f"task {runs} (fit) failed with ValueError: failed"
    assert stories[1]["attempts"][0]["outcome"] == "failed"
    failed = ask(client, request="status", oldest=0)
    assert failed["failed"]["unreachable_dependency"] == 1
    assert failed["causes"]["ValueError"] == 2


def test_an_engine_that_died_with_a_task_is_told_at_the_wire(start: Start) -> None:
    cluster = start(engines=(b"first",))
    first, client = cluster.connect_engine(b"first"), cluster.client(b"me")
    task = client.submit(label="fit")
    first.take()
    cluster.unregister(b"first")

    def dead() -> list[dict[str, Any]]:
        client.send(request_of(client, request="status", oldest=0))
        found: list[dict[str, Any]] = content_of(client.recv())["dead"]
        return found

    [engine] = cluster.wait_for(dead, "its death")
    named = {name: engine[name] for name in ("id", "uuid", "held", "task", "label")}
    assert named == {"id": 0, "uuid": "first", "held": 1, "task": task, "label": "fit"}
    assert engine["since"] <= engine["died"] < engine["until"]


def test_what_happened_is_told_from_mark_to_mark(start: Start) -> None:
    cluster = start(engines=(b"first",), config={"TaskScheduler": {"hwm": 1}})
    first = cluster.connect_engine(b"first")
    client, other = cluster.client(b"me"), cluster.client(b"other")

    def happened(mark: str) -> dict[str, Any]:
        other.send(request_of(other, request="happenings", mark=mark))
        return read_answer(HAPPENINGS, content_of(other.recv()))

    begin = happened("")["mark"]
    runs = client.submit(label="fit", priority=3, cost=2.0)
    _, task = first.take()
    waits = client.submit(label="merge", after=[runs])
    page = cluster.wait_for(
        lambda: next(iter(p for p in [happened(begin)] if len(p["happenings"]) == 4), None), "both"
    )
    assert [(row["msg_id"], row["what"]) for row in page["happenings"]] == [
        *((runs, what) for what in ("submitted", "ready", "assigned")),
        (waits, "submitted"),
    ]
    submitted, _, assigned, second = page["happenings"]
    assert (submitted["label"], submitted["priority"], submitted["cost"]) == ("fit", 3, 2.0)
    assert submitted["when"] == pytest.approx(page["time"], abs=60)
    assert (second["parents"], second["parents_more"]) == ([runs], 0)
    assert assigned["engine"] == "first"
    assert page["engines"] == [{"id": 0, "uuid": "first", "host": None}]
    assert (page["missed"], page["more"]) == (False, False)

    first.reply(task, status="error")
    client.recv()
    client.recv()
    later = happened(page["mark"])
    failed, next_failed = later["happenings"]
    assert (failed["what"], failed["engine"]) == ("failed", "first")
    assert (failed["kind"], failed["cause"]) == ("raised", "ValueError")
    assert failed["reason"] == "it raised ValueError: failed"
    assert (next_failed["msg_id"], next_failed["cause"]) == (waits, "ValueError")
    assert next_failed["kind"] == "unreachable_dependency"
    assert (failed["ran"], next_failed["ran"]) == (True, False)
    assert "engine" not in next_failed
    assert happened(later["mark"])["happenings"] == []

    run, _, rest = later["mark"].partition(" ")
    assert run == later["run"]
    whole = happened(f"another {rest}")  # of a scheduler before
    assert len(whole["happenings"]) >= 6
