"""The shell, without a socket or a process: what is read, decided and sent in a turn."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import zmq

from ipp_richsched.core.log import Step, read_line, step_line
from ipp_richsched.core.replay import replay
from ipp_richsched.scheduler.turns import BATCH, ROUNDS

from .lists import Frames, ListCluster, msg_id_of


class PlantedError(Exception):
    """An error that is none of ZeroMQ's."""


def failing(*errors: BaseException) -> Any:
    """Raises these, one for each message, and then no more."""
    left = list(errors)

    def fail(frames: Frames) -> None:
        if left:
            raise left.pop(0)

    return fail


def test_a_task_goes_to_an_engine_and_its_answer_back() -> None:
    cluster = ListCluster()
    cluster.register(b"e1")
    msg_id = cluster.submit()
    cluster.run()
    [task] = cluster.engines.take()
    assert task[:2] == [b"e1", b"client"]
    assert msg_id_of(task) == msg_id
    reply = cluster.reply(task)
    cluster.run()
    assert cluster.clients.take() == [[b"client", b"e1", *reply[2:]]]
    assert cluster.topics() == [b"intask", b"tracktask", b"outtask"]


def test_a_round_reads_all_and_then_sends_to_engines_first_and_clients_last() -> None:
    cluster = ListCluster(TaskScheduler={"hwm": 0})
    cluster.register(b"e1")
    cluster.submit()
    cluster.run()
    cluster.reply(cluster.engines.take()[0])
    cluster.journal.clear()
    cluster.submit()
    cluster.submit(after=["nobody"])
    cluster.run()
    order = [name for name, _ in cluster.journal]
    assert order == ["engines", *["monitor"] * 5, "clients", "clients"]


def test_an_engine_that_is_announced_beside_a_task_for_it_is_known_first() -> None:
    cluster = ListCluster(RichTaskScheduler={"stranded_timeout": 0})
    cluster.submit(targets=["e1"])
    cluster.register(b"e0", b"e1")
    cluster.run()
    assert [task[0] for task in cluster.engines.take()] == [b"e1"]
    assert not cluster.clients.sent


def test_a_turn_takes_so_many_messages_and_comes_back_for_more() -> None:
    cluster = ListCluster(TaskScheduler={"hwm": 0})
    cluster.register(b"e1")
    cluster.run()
    for _ in range(3 * ROUNDS * BATCH):
        cluster.submit()
    cluster.loop.handlers["clients"]("news")
    assert len(cluster.engines.sent) == ROUNDS * BATCH
    cluster.run()
    assert len(cluster.engines.sent) == 3 * ROUNDS * BATCH


def test_what_is_not_to_be_received_stays_where_it_is() -> None:
    cluster = ListCluster()
    cluster.register(b"e1")
    cluster.scheduler.stop_receiving()
    cluster.scheduler.stop_receiving()  # once more changes nothing
    cluster.submit()
    cluster.run()
    assert not cluster.engines.sent
    assert "clients" not in cluster.loop.handlers
    cluster.scheduler.resume_receiving()
    cluster.run()
    assert len(cluster.engines.sent) == 1


@pytest.mark.parametrize("error", [zmq.ZMQError(zmq.EFSM), PlantedError(), TypeError()])
def test_an_error_in_a_send_to_the_hub_keeps_no_client_from_its_answer(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = ListCluster(TaskScheduler={"hwm": 0})
    cluster.scheduler.log = logging.getLogger("test")
    cluster.register(b"e1")
    msg_ids = [cluster.submit() for _ in range(3)]
    cluster.run()
    cluster.topics()
    for task in cluster.engines.take():
        cluster.reply(task)
    cluster.monitor.fails = failing(error)
    cluster.run()
    assert [msg_id_of(answer, 3) for answer in cluster.clients.take()] == msg_ids
    assert cluster.topics() == [b"outtask"] * 2  # the others have come


@pytest.mark.parametrize("error", [zmq.ZMQError(zmq.EFSM), PlantedError(), TypeError()])
def test_an_error_in_a_send_to_one_client_keeps_no_other_from_its_answer(error: Exception) -> None:
    cluster = ListCluster()
    for client in (b"one", b"two", b"three"):
        cluster.submit(client, after=["nobody"])
    cluster.clients.fails = failing(error)
    cluster.run()
    assert [answer[0] for answer in cluster.clients.take()] == [b"two", b"three"]


def test_a_task_for_an_engine_that_has_no_connection_goes_elsewhere() -> None:
    cluster = ListCluster(TaskScheduler={"scheme_name": "lru"})
    cluster.register(b"here", b"gone")
    cluster.submit()
    cluster.engines.fails = failing(zmq.ZMQError(zmq.EHOSTUNREACH))
    cluster.run()
    assert [task[0] for task in cluster.engines.take()] == [b"here"]
    assert cluster.topics() == [b"intask", b"tracktask"]  # of the one that got it


def test_a_task_that_an_error_keeps_from_being_sent_is_answered() -> None:
    cluster = ListCluster()
    cluster.register(b"e1")
    failed, good = cluster.submit(), cluster.submit()
    cluster.engines.fails = failing(PlantedError())
    cluster.run()
    [answer] = cluster.clients.take()
    assert msg_id_of(answer, 3) == failed
    assert b"RuntimeError" in answer[-1]
    assert [msg_id_of(task) for task in cluster.engines.take()] == [good]


def test_a_timer_is_set_for_the_next_deadline_and_for_nothing_else() -> None:
    cluster = ListCluster(RichTaskScheduler={"probe_after": None})
    cluster.register(b"e1")
    cluster.submit()
    cluster.run()
    assert not cluster.loop.timers
    msg_id = cluster.submit(timeout=7)
    cluster.run()
    [(delay, _)] = cluster.loop.timers.values()
    assert delay == 7
    cluster.submit(timeout=3)
    cluster.run()
    [(delay, _)] = cluster.loop.timers.values()
    assert delay == 3
    cluster.wait(3)
    cluster.clients.take()
    assert 4 in [delay for delay, _ in cluster.loop.timers.values()]
    cluster.wait(4)
    [answer] = cluster.clients.take()
    assert msg_id_of(answer, 3) == msg_id
    assert b"TaskTimeout" in answer[-1]
    for _ in range(8):
        cluster.wait(3600)
    assert not cluster.loop.timers  # not that of the log either


def test_a_repeated_reply_to_an_earlier_attempt_on_the_same_engine_changes_nothing() -> None:
    cluster = ListCluster()
    cluster.register(b"e1")
    cluster.submit(retries=1)
    cluster.run()
    [first] = cluster.engines.take()
    cluster.reply(first, "error")
    cluster.run()
    cluster.wait(0.25)
    [second] = cluster.engines.take()
    cluster.reply(first, "error")  # a network that repeats, or an engine that does
    cluster.reply(first, "ok")
    cluster.run()
    assert not cluster.clients.sent
    reply = cluster.reply(second)
    cluster.run()
    # what tells the two attempts apart does not reach the client
    assert cluster.clients.take() == [[b"client", b"e1", *reply[3:]]]


@pytest.mark.parametrize("number", [b"", b"x", b"-1", b"9" * 5000, b"\xb2"])
def test_a_reply_with_a_mark_that_is_none_counts_for_no_attempt(number: bytes) -> None:
    cluster = ListCluster()
    cluster.register(b"e1")
    cluster.submit()
    cluster.run()
    [task] = cluster.engines.take()
    spoiled = [*task[:2], b"ipp_richsched attempt " + number, *task[2:]]
    cluster.reply(spoiled)
    cluster.run()
    assert not cluster.clients.sent
    cluster.reply(task)
    cluster.run()
    assert len(cluster.clients.sent) == 1


@pytest.mark.parametrize("number", [b"0", b"5", b"x", b""])
def test_a_client_may_not_call_itself_like_an_attempt(number: bytes) -> None:
    cluster = ListCluster()
    cluster.register(b"e1")
    msg_id = cluster.submit()
    task = cluster.clients.incoming.pop()
    task.insert(1, b"ipp_richsched attempt " + number)
    cluster.clients.incoming.append(task)
    cluster.run()
    [answer] = cluster.clients.take()
    assert msg_id_of(answer, 3) == msg_id
    assert b"its last identity" in answer[-1]
    assert not cluster.engines.sent


def test_the_events_of_a_scheduler_give_the_same_actions_again() -> None:
    cluster = ListCluster(TaskScheduler={"hwm": 2, "scheme_name": "twobin"})
    steps: list[Step] = []

    def trace(*step: Any) -> None:
        line = read_line(step_line(*step))
        assert isinstance(line, Step)
        steps.append(line)

    core = cluster.scheduler._core
    core.trace = trace
    cluster.register(*[b"e%d" % number for number in range(5)])
    for number in range(100):
        msg_id = cluster.submit(retries=1)
        cluster.submit(after=[msg_id], timeout=0.5)
        cluster.run()
        for task in cluster.engines.take()[:-1]:
            cluster.reply(task, "error" if number % 3 else "ok")
        cluster.wait(0.05)
    assert replay(core.state.settings, steps) == (len(steps), None)
    assert len(steps) > 200
