"""Where the stock scheduler fails, and this one must not: one test for each known way.

The stock class is expected to break just the promise of each test, and nothing else: a new
ipyparallel that keeps one shows up as a test that passes unexpectedly.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .processes import SYS_PREFIX_CONFIG, Processes, script, wait_for
from .rows import (
    GRACE,
    STOCK_PATIENCE,
    BrokenPromiseError,
    Cluster,
    HastyTaskScheduler,
    promised,
    row,
)

Start = Callable[..., Cluster]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts scripted clusters."""
    with ExitStack() as stack:

        def start(scheduler: type, **kwargs: Any) -> Cluster:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="richsched")))
            return stack.enter_context(Cluster(path, scheduler, **kwargs))

        yield start


# -- retries, failures and the engines that run them -----------------------------------


@row(1, "with as many retries as engines a failing task waits for ever")
def test_as_many_retries_as_engines(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    client.submit(retries=2)
    engine.reply(engine.take()[1], status="error")
    with promised():
        for _ in range(2):
            engine.reply(cluster.take(engine)[1], status="error")
        assert cluster.answer(client)["content"]["ename"] == "ValueError"


@row(2, "recursion error in a failing chain, whose tasks are never answered")
def test_a_long_failing_chain(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    chain = [client.submit()]
    for _ in range(2000):
        chain.append(client.submit(after=[chain[-1]]))
    _, head = engine.take()
    cluster.submitted(client)
    engine.reply(head, status="error")
    with promised():
        answers = [cluster.answer(client) for _ in chain]
    assert [answer["parent_header"]["msg_id"] for answer in answers] == chain
    enames = {answer["content"]["ename"] for answer in answers[1:]}
    assert enames == {"ImpossibleDependency"}


@row(3, "a task that follows onto a dead engine waits for ever")
@pytest.mark.parametrize("when", ["new", "queued"])
def test_following_onto_a_dead_engine(start: Start, scheduler: type, when: str) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    first = client.submit()
    engine.reply(engine.take()[1])
    client.answer()
    if when == "queued":
        client.submit(targets=["e1"])
        engine.take()  # it is busy, so that the next task waits for it
        msg_id = client.submit(follow=[first])
        cluster.submitted(client)
    cluster.unregister(b"e1")
    cluster.noticed()
    if when == "new":
        msg_id = client.submit(follow=[first])
    with promised():
        answer = cluster.answer(client)
    assert answer["parent_header"]["msg_id"] == msg_id
    assert answer["content"]["ename"] == "ImpossibleDependency"


@row(4, "a task pinned to an engine that dies waits until the queue is looked through again")
def test_a_queued_task_pinned_to_a_dying_engine(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    client.submit()
    engine.take()
    msg_id = client.submit(targets=["e1"])
    cluster.submitted(client)
    cluster.unregister(b"e1")
    with promised():  # before the grace of the first task ends
        answer = cluster.answer(client)
        assert answer["parent_header"]["msg_id"] == msg_id
        assert answer["content"]["ename"] == "ImpossibleDependency"


@row(5, "with hwm other than 1 a dependent that runs stays in the queue, and runs twice")
@pytest.mark.parametrize("hwm", [0, 2])
def test_a_dependent_runs_once(start: Start, scheduler: type, hwm: int) -> None:
    cluster = start(scheduler, config={"TaskScheduler": {"hwm": hwm}})
    client, engine = cluster.client(), cluster.engine(b"e1")
    first = client.submit()
    second = client.submit(after=[first])
    cluster.submitted(client)
    engine.reply(engine.take()[1])
    assert engine.take()[0] == second
    other = cluster.engine(b"e2")
    third = client.submit(targets=["e2"])
    with promised():
        assert cluster.take(other)[0] == third


@row(6, "what depends on tasks that become impossible together is never answered")
def test_tasks_that_become_impossible_together(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    chain = [client.submit()]
    for _ in range(2):
        chain.append(client.submit(after=[chain[-1]]))
    _, head = engine.take()
    cluster.submitted(client)
    other = cluster.engine(b"e2")  # an engine comes while they wait
    client.submit(targets=["e2"])
    other.take()
    engine.reply(head, status="error")
    with promised():
        answers = [cluster.answer(client) for _ in chain]
    assert [answer["parent_header"]["msg_id"] for answer in answers] == chain


@row(7, "a task that every engine refuses waits for ever")
def test_a_task_that_every_engine_refuses(start: Start, scheduler: type) -> None:
    cluster = start(scheduler, config={"RichTaskScheduler": {"stranded_timeout": 0.2}})
    client, engine = cluster.client(), cluster.engine(b"e1")
    msg_id = client.submit()
    engine.refuse(engine.take()[1], "numpy")
    with promised():
        answer = cluster.answer(client)
    assert answer["content"]["ename"] == "ImpossibleDependency"
    for word in (msg_id, "engine e1", "functional dependency", "is unmet: numpy"):
        assert word in answer["content"]["evalue"]
    assert [msg_id in line for line in cluster.log.splitlines()].count(True) == 2


@row(8, "waiting tasks are put back in reversed order")
def test_waiting_tasks_keep_their_order(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    client.submit()
    _, task = engine.take()
    waiting = [client.submit(targets=["e1"]) for _ in range(3)]
    cluster.submitted(client)
    cluster.noticed()  # an engine came while they waited
    taken = []
    for _ in waiting:
        engine.reply(task)
        msg_id, task = engine.take()
        taken.append(msg_id)
    with promised():
        assert taken == waiting


# -- messages that are wrong -----------------------------------------------------------


@row(9, "a task with bad metadata is logged, and its client waits for ever")
@pytest.mark.parametrize("bad", ["no JSON", "wrong type"])
def test_bad_metadata(start: Start, scheduler: type, bad: str) -> None:
    cluster = start(scheduler)
    client = cluster.client()
    frames, msg_id = client.task(after=3)
    if bad == "no JSON":
        frames[4] = b"{"
        frames[1] = client.session.sign(frames[2:6])
    client.send(frames)
    with promised():
        answer = cluster.answer(client)
    assert answer["parent_header"]["msg_id"] == msg_id
    assert ("metadata" if bad == "no JSON" else "'after' is 3") in answer["content"]["evalue"]


@row(10, "a message that is replayed runs again")
def test_a_replayed_message(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    frames, msg_id = client.task()
    client.send(frames)
    engine.reply(engine.take()[1])
    client.answer()
    client.send(frames)
    after = client.submit()
    taken, _ = cluster.take(engine)
    assert taken in (msg_id, after)
    with promised():
        assert taken == after


@row(10, "a task under an id that is taken runs as well, and the first is forgotten")
def test_an_id_that_is_taken(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client = cluster.client()
    engines = [cluster.engine(b"e1"), cluster.engine(b"e2")]
    msg_id = client.submit(targets=["e1"])
    engines[0].take()
    client.submit(msg_id=msg_id, targets=["e2"])
    after = client.submit(targets=["e2"])
    taken, _ = engines[1].take()
    assert taken in (msg_id, after)
    with promised():
        assert taken == after


@row(11, "an engine that answers a task it does not hold gets one too many")
def test_an_answer_to_a_task_that_an_engine_does_not_hold(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    client.submit()
    engine.take()
    frames, _ = client.task(msg_id="bogus")
    engine.reply([client.ident, *frames])
    cluster.wait_for(lambda: "bogus" in cluster.log, "a line in the log")
    client.submit()
    cluster.submitted(client)
    with promised():
        assert engine.idle(STOCK_PATIENCE), "it got a second task"


@row(12, "an engine that is announced twice gets twice as many tasks")
def test_an_engine_announced_twice(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    cluster.notify("registration", b"e1")
    cluster.noticed()
    for _ in range(2):
        client.submit(targets=["e1"])
    engine.take()
    cluster.submitted(client)
    with promised():
        assert engine.idle(STOCK_PATIENCE), "it got a second task"


@row(13, "a reply without status leaves its task without an answer")
def test_a_reply_without_status(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine = cluster.client(), cluster.engine(b"e1")
    msg_id = client.submit()
    engine.reply(engine.take()[1], status=None)
    with promised():
        answer = cluster.answer(client)
    assert answer["content"]["ename"] == "EngineError"
    for word in (msg_id, "engine e1", "status"):
        assert word in answer["content"]["evalue"]


# -- engines that are not what they seem -----------------------------------------------


@row(14, "after its grace a dead engine's reply counts, and dependents hang", HastyTaskScheduler)
def test_a_late_reply(start: Start, scheduler: type) -> None:
    cluster = start(scheduler, config={"RichTaskScheduler": {"engine_grace": GRACE}})
    client, dead = cluster.client(), cluster.engine(b"e1")
    first = client.submit(retries=1)
    _, late = dead.take()
    dependent = client.submit(after=[first])
    cluster.submitted(client)
    cluster.unregister(b"e1")
    engine = cluster.engine(b"e2")
    taken, task = engine.take()
    assert taken == first  # the grace is over
    dead.reply(late)
    cluster.wait_for(lambda: first in cluster.log, "a line in the log")
    replied = engine.reply(task)
    with promised():
        assert client.recv(cluster.patience) == [engine.ident, *replied[1:]]
        assert cluster.take(engine)[0] == dependent


@row(15, "a task for an engine whose connection is not there yet is dropped without a word")
def test_an_engine_that_is_not_connected(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client = cluster.client()
    cluster.notify("registration", b"e1")
    cluster.noticed()
    msg_id = client.submit(targets=["e1"])
    for _ in range(5):  # the stock scheduler sends a few turns of its loop later
        cluster.submitted(client)
    engine = cluster.connect_engine(b"e1")
    with promised():
        assert cluster.take(engine)[0] == msg_id


@row(16, "a task that was aborted is run again elsewhere if it has retries left")
def test_an_aborted_task(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine, other = cluster.client(), cluster.engine(b"e1"), cluster.noticed()
    client.submit(targets=["e1", other.ident.decode()], retries=1)
    cluster.wait_for(lambda: not (engine.idle(0) and other.idle(0)), "its turn")
    if engine.idle(0):
        engine, other = other, engine
    engine.reply(engine.take()[1], status="aborted")
    with promised():
        assert other.idle(STOCK_PATIENCE), "it runs again"
        assert cluster.answer(client)["content"]["status"] == "aborted"


@row(23, "an engine that failed a task and comes back under its name is still avoided")
def test_an_engine_that_failed_a_task_and_comes_back(start: Start, scheduler: type) -> None:
    cluster = start(scheduler)
    client, engine, other = cluster.client(), cluster.engine(b"e1"), cluster.noticed()
    client.submit(targets=[other.ident.decode()])
    other.take()
    msg_id = client.submit(retries=1)
    engine.reply(engine.take()[1], status="error")
    cluster.submitted(client)
    assert engine.idle(0)  # the other one is to have it, and is busy
    cluster.unregister(b"e1")
    cluster.notify("registration", b"e1")
    with promised():
        assert cluster.take(engine)[0] == msg_id


# -- the controller --------------------------------------------------------------------

REFUSES = [
    pytest.param((sys.executable, "-m", "ipp_richsched"), id="rich"),
    pytest.param(
        (script("ipcontroller"),),
        id="stock",
        marks=pytest.mark.xfail(
            strict=True,
            raises=BrokenPromiseError,
            reason="row 17: with an invalid scheme_name the controller goes on without a scheduler",
        ),
    ),
]


@pytest.mark.cluster
@pytest.mark.parametrize("command", REFUSES)
def test_an_invalid_scheme(tmp_path: Path, command: tuple[str, ...]) -> None:
    if SYS_PREFIX_CONFIG.exists() and "ipp_richsched" in SYS_PREFIX_CONFIG.read_text():
        pytest.skip("enabled for the whole environment, so that no controller is the stock one")
    with Processes(tmp_path) as processes:
        option = "--TaskScheduler.scheme_name=nonsense"
        controller = processes.start(*command, "--ip=127.0.0.1", option)

        def decided() -> bool:
            files = processes.security_files()
            return controller.process.poll() is not None or "ipcontroller-client.json" in files

        wait_for(decided, "a controller that runs, or has ended")
        with promised():
            assert controller.process.poll() is not None, "it runs, and clients can connect"
        assert controller.wait() != 0
        for word in ("scheme_name", "nonsense", "leastload", "twobin"):
            assert word in controller.log
        assert "Traceback" not in controller.log
