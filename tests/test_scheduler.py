"""`RichTaskScheduler` at the wire: real sockets, scripted peers."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_client.session import DELIM
from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from ipp_richsched import RichTaskScheduler

from .scripted import Start


def test_task_and_reply_pass_byte_for_byte(start: Start) -> None:
    cluster = start()
    engine, client = cluster.engine(b"e1"), cluster.client()
    sent, msg_id = client.task(b"x" * 100_000, b"")
    client.send(sent)
    taken, got = engine.take()
    assert taken == msg_id
    assert got == [client.ident, *sent]
    replied = engine.reply(got, b"y" * 100_000)
    assert client.recv() == [engine.ident, *replied[1:]]


def test_hub_hears_of_each_step_in_order(start: Start) -> None:
    cluster = start()
    engine, client = cluster.engine(b"e1"), cluster.client()
    msg_id = client.submit()
    engine.reply(engine.take()[1])
    client.answer()
    topics = cluster.monitor(3)
    assert [topic for topic, _ in topics] == [b"intask", b"tracktask", b"outtask"]
    (_, submitted), (_, tracked), (_, replied) = topics
    assert submitted["idents"] == [client.ident]
    assert submitted["header"]["msg_id"] == msg_id
    assert tracked["content"] == {"msg_id": msg_id, "engine_id": "e1"}
    assert replied["idents"] == [client.ident, engine.ident]
    assert replied["parent_header"]["msg_id"] == msg_id


def test_hub_hears_of_a_task_that_the_scheduler_fails(start: Start) -> None:
    cluster = start()
    client = cluster.client()
    msg_id = client.submit(after=["nobody"])
    answer = client.answer()
    assert answer["content"]["ename"] == "InvalidDependency"
    assert "nobody" in answer["content"]["evalue"]
    (_, _), (topic, replied) = cluster.monitor(2)
    assert topic == b"outtask"
    assert replied["idents"] == [client.ident]
    assert replied["parent_header"]["msg_id"] == msg_id


def test_engines_that_were_there_first_get_tasks(start: Start) -> None:
    cluster = start(engines=(b"e1",))
    engine = cluster.connect_engine(b"e1")
    client = cluster.client()
    client.submit()
    engine.reply(engine.take()[1])
    assert client.answer()["content"]["status"] == "ok"


def test_a_task_waits_for_an_engine_that_is_registered_before_it_connects(start: Start) -> None:
    cluster = start()
    cluster.notify("registration", b"late")
    client = cluster.client()
    msg_id = client.submit()
    cluster.monitor(1)
    engine = cluster.connect_engine(b"late")
    taken, task = engine.take()
    assert taken == msg_id
    engine.reply(task)
    assert client.answer()["content"]["status"] == "ok"
    assert [topic for topic, _ in cluster.monitor(3)][1:] == [b"tracktask", b"outtask"]


def test_a_task_for_a_vanished_connection_goes_elsewhere(start: Start) -> None:
    cluster = start(engines=(b"gone", b"here"))
    client, here = cluster.client(), cluster.connect_engine(b"here")
    for _ in range(4):
        client.submit()
        here.reply(here.take()[1])
        assert client.answer()["content"]["status"] == "ok"


def test_a_retry_on_the_same_engine_is_a_message_it_has_not_seen(start: Start) -> None:
    cluster = start()
    engine, client = cluster.engine(b"e1"), cluster.client()
    client.submit(b"buffer", retries=2)
    signatures = set()
    for _ in range(3):
        _, task = engine.take()  # a session refuses a signature that it has seen
        assert task[-1] == b"buffer"
        signatures.add(task[task.index(DELIM) + 1])
        engine.reply(task, status="error")
    assert len(signatures) == 3
    assert client.answer()["content"]["ename"] == "ValueError"


def test_a_dead_engines_tasks_wait_for_its_grace(start: Start) -> None:
    cluster = start(config={"RichTaskScheduler": {"engine_grace": 0.5}})
    engine, client = cluster.engine(b"e1"), cluster.client()
    client.submit()
    _, late = engine.take()
    cluster.unregister(b"e1")
    engine.reply(late)
    assert client.answer()["content"]["status"] == "ok"

    other = cluster.engine(b"e2")
    msg_id = client.submit(targets=["e2"])
    assert other.take()[0] == msg_id
    cluster.unregister(b"e2")
    answer = client.answer()
    assert answer["content"]["ename"] == "EngineError"
    assert answer["metadata"]["engine"] == "e2"
    assert msg_id in answer["content"]["evalue"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("targets", "e1"),
        ("targets", [1]),
        ("retries", "many"),
        ("retries", -1),
        ("timeout", "soon"),
        ("timeout", -1),
        ("after", {"dependencies": 3}),
        ("follow", [["x"]]),
        ("after", {"dependencies": ["x"], "success": False, "failure": False}),
    ],
)
def test_bad_metadata_gets_an_answer_that_names_the_field(
    start: Start, field: str, value: Any
) -> None:
    client = start().client()
    msg_id = client.submit(**{field: value})
    answer = client.answer()
    assert answer["parent_header"]["msg_id"] == msg_id
    assert answer["content"]["status"] == "error"
    assert field in answer["content"]["evalue"]


def test_an_unsigned_task_is_dropped_with_a_line_in_the_log(start: Start) -> None:
    cluster = start()
    engine, client = cluster.engine(b"e1"), cluster.client()
    frames, _ = client.task()
    client.send([frames[0], b"", *frames[2:]])
    msg_id = client.submit()
    assert engine.take()[0] == msg_id
    assert "signature" in cluster.log


def test_a_timeout_ends_without_any_other_event(start: Start) -> None:
    cluster = start()
    client = cluster.client()
    client.submit(timeout=0.05)
    answer = client.answer()
    assert answer["content"]["ename"] == "TaskTimeout"


def test_many_messages_at_once_are_all_served(start: Start) -> None:
    cluster = start(config={"TaskScheduler": {"hwm": 0}})
    engines = [cluster.engine(f"e{number}".encode()) for number in range(4)]
    client = cluster.client()
    submitted = {client.submit() for _ in range(1000)}
    answered = set()
    while len(answered) < len(submitted):
        for engine in engines:
            while not engine.idle(0.0):
                engine.reply(engine.take()[1])
        while not client.idle(0.001):
            answered.add(client.answer()["parent_header"]["msg_id"])
    assert answered == submitted


@pytest.mark.parametrize(
    "scheme", ["leastload", "lru", "twobin", "weighted", "plainrandom", "tests.test_scheduler.last"]
)
@pytest.mark.parametrize("hwm", [0, 1, 2])
def test_every_scheme_runs_every_task(start: Start, scheme: str, hwm: int) -> None:
    cluster = start(config={"TaskScheduler": {"scheme_name": scheme, "hwm": hwm}})
    assert f"RichTaskScheduler started [{scheme}]" in cluster.log
    engines = [cluster.engine(ident) for ident in (b"e1", b"e2", b"e3")]
    client = cluster.client()
    submitted = {client.submit() for _ in range(30)}
    answered: set[str] = set()
    while len(answered) < len(submitted):
        for engine in engines:
            if not engine.idle(0.001):
                engine.reply(engine.take()[1])
        while not client.idle(0.0):
            answered.add(client.answer()["parent_header"]["msg_id"])
    assert answered == submitted


def last(loads: list[float]) -> int:
    """A scheme of a user's own."""
    return len(loads) - 1


def broken_later(loads: list[float]) -> int:
    """A scheme that passes its trial, and fails where three engines are idle."""
    return 7 if loads == [0, 0, 0] else 0


def test_a_scheme_that_fails_costs_no_task(start: Start) -> None:
    scheme = "tests.test_scheduler.broken_later"
    cluster = start(config={"TaskScheduler": {"scheme_name": scheme}})
    client = cluster.client()
    engines = [cluster.engine(ident) for ident in (b"e1", b"e2", b"e3")]
    for engine in engines:
        client.submit(targets=[engine.ident.decode()])
        engine.reply(engine.take()[1])
        client.answer()
    client.submit()
    engines[0].reply(engines[0].take()[1])
    assert client.answer()["content"]["status"] == "ok"
    assert "returned 7" in cluster.log


class Heavy(RichTaskScheduler):
    """Counts a task twice, and gives the next task to the engine used last."""

    def add_job(self, idx: int) -> None:
        self.loads[idx] += 2
        for values in (self.targets, self.loads):
            values.insert(0, values.pop(idx))

    def finish_job(self, idx: int) -> None:
        self.loads[idx] -= 2


class Counting(RichTaskScheduler):
    """Extends the methods of its base."""

    def add_job(self, idx: int) -> None:
        super().add_job(idx)
        self.log.info("add_job %r %r", self.targets, self.loads)

    def finish_job(self, idx: int) -> None:
        super().finish_job(idx)
        self.log.info("finish_job %r %r", self.targets, self.loads)


class OwnScheme(RichTaskScheduler):
    """Has a scheme of its own, as a subclass of the stock scheduler would."""

    def _scheme_default(self) -> Any:
        return lambda loads: len(loads) - 1


def test_a_subclass_may_count_loads_in_its_own_way(start: Start) -> None:
    config = {"TaskScheduler": {"hwm": 4, "scheme_name": "lru"}}
    cluster = start(Heavy, engines=(b"e1", b"e2"), config=config)
    engines = {ident: cluster.connect_engine(ident) for ident in (b"e1", b"e2")}
    client = cluster.client()
    for _ in range(5):
        client.submit()
    first = max(engines.values(), key=lambda engine: not engine.idle())
    other = next(engine for engine in engines.values() if engine is not first)
    tasks = [first.take()[1], first.take()[1]]
    assert first.idle()  # it holds twice 2
    other.take()
    other.take()
    assert other.idle()
    first.reply(tasks[0])
    first.take()
    assert first.idle()


def test_a_subclass_may_extend_add_job_and_finish_job(start: Start) -> None:
    cluster = start(Counting)
    engine, client = cluster.engine(b"e1"), cluster.client()
    client.submit()
    engine.reply(engine.take()[1])
    client.answer()
    cluster.wait_for(lambda: "finish_job [b'e1'] [0]" in cluster.log, "finish_job")
    assert "add_job [b'e1'] [1]" in cluster.log


def test_a_subclass_may_choose_the_scheme(start: Start) -> None:
    cluster = start(OwnScheme, config={"TaskScheduler": {"hwm": 0}})
    client = cluster.client()
    first = cluster.engine(b"e1")
    client.submit()
    first.take()  # e1 is registered, and now the last in use
    cluster.engine(b"e2")
    for _ in range(3):
        client.submit()
        first.take()


def test_methods_whose_state_is_gone_say_so() -> None:
    scheduler = RichTaskScheduler()
    with pytest.raises(NotImplementedError, match="update_graph"):
        scheduler.update_graph("x")
    assert scheduler.targets == []
    assert scheduler.loads == []


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "soon"])
@pytest.mark.parametrize("name", ["engine_grace", "stranded_timeout"])
def test_seconds_are_numbers(name: str, value: str) -> None:
    config = Config({"RichTaskScheduler": {name: DeferredConfigString(value)}})
    with pytest.raises((TraitError, ValueError), match="|".join((name, value))):
        RichTaskScheduler(config=config)


@pytest.mark.parametrize("fair", [False, True])
def test_clients_take_turns_where_they_are_told_to(start: Start, fair: bool) -> None:
    cluster = start(config={"RichTaskScheduler": {"fair": fair}})
    engine, flood, other = cluster.engine(b"e1"), cluster.client(b"flood"), cluster.client(b"other")
    names = {flood.submit(): "flood" for _ in range(4)}
    taken, task = engine.take()
    heard: list[bytes] = []
    while heard.count(b"intask") < 4:
        heard += [topic for topic, *_ in cluster.hear(1.0)]
    names[other.submit()] = "other"
    cluster.wait_for(lambda: any(topic == b"intask" for topic, *_ in cluster.hear()), "the task")
    order = [names[taken]]
    for _ in range(4):
        engine.reply(task)
        taken, task = engine.take()
        order.append(names[taken])
    turns = ["flood", "other", "flood", "flood", "flood"]
    assert order == (turns if fair else ["flood"] * 4 + ["other"])


@pytest.mark.parametrize("order", ["fifo", "critical-path"])
def test_the_order_is_the_one_that_is_set(start: Start, order: str) -> None:
    cluster = start(config={"RichTaskScheduler": {"order": order}})
    engine, client = cluster.engine(b"e1"), cluster.client()
    client.submit()
    _, task = engine.take()
    costs = {client.submit(cost=cost): cost for cost in (1, 3, 2)}
    heard: list[bytes] = []
    while heard.count(b"intask") < 4:
        heard += [topic for topic, *_ in cluster.hear(1.0)]
    taken = []
    for _ in costs:
        engine.reply(task)
        msg_id, task = engine.take()
        taken.append(costs[msg_id])
    assert taken == ([1, 3, 2] if order == "fifo" else [3, 2, 1])


def test_an_order_that_is_none_is_refused() -> None:
    with pytest.raises(TraitError, match="order"):
        RichTaskScheduler(config=Config({"RichTaskScheduler": {"order": "random"}}))
