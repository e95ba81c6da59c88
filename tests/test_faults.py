"""What goes wrong in the scheduler itself, or in a subclass, must not spoil anything else."""

from __future__ import annotations

from typing import Any

import pytest

from ipp_richsched import RichTaskScheduler

from .scripted import Faulty, Start


class PlantedError(Exception):
    """An error of our own."""


class FailsToTellTheHub(Faulty):
    """Fails to say where the task ``bad`` went."""

    def start(self) -> None:
        super().start()
        function = self._wire.task_destination

        def fail(action: Any, *args: Any) -> Any:
            if action.msg_id == "bad":
                raise PlantedError
            return function(action, *args)

        self._wire.task_destination = fail  # type: ignore[method-assign]


class FailsToAnswer(Faulty):
    """Fails to make the answer of the task ``bad``."""

    def start(self) -> None:
        super().start()
        function = self._wire.error_reply

        def fail(message: Any, *args: Any) -> Any:
            if any(b'"bad"' in part for part in message):
                raise PlantedError
            return function(message, *args)

        self._wire.error_reply = fail  # type: ignore[method-assign]


class FailsToSendAgain(Faulty):
    """Fails the first time that an engine is to get a task another time."""

    def start(self) -> None:
        super().start()
        function, self._wire.marked = self._wire.marked, self._fail  # type: ignore[method-assign]
        self._function = function

    def _fail(self, *args: Any) -> Any:
        self._wire.marked = self._function  # type: ignore[method-assign]
        raise PlantedError


class FailsToCount(Faulty):
    """Raises in each method that a subclass may override."""

    def add_job(self, idx: int) -> None:
        super().add_job(idx)
        raise PlantedError

    def finish_job(self, idx: int) -> None:
        super().finish_job(idx)
        raise PlantedError


class FailsHalfway(Faulty):
    """Raises while the lists differ in length."""

    def add_job(self, idx: int) -> None:
        self.loads.pop(idx)
        raise PlantedError


class Delays(RichTaskScheduler):
    """Looks at submissions later, outside of any turn."""

    def dispatch_submission(self, raw_msg: Any) -> None:
        self.loop.call_later(0.05, super().dispatch_submission, raw_msg)


class Withholds(RichTaskScheduler):
    """Looks at the task ``withheld`` when another one is assigned."""

    withheld: Any = None

    def dispatch_submission(self, raw_msg: Any) -> None:
        if b'"withheld"' in raw_msg[3]:
            self.withheld = raw_msg
        else:
            super().dispatch_submission(raw_msg)

    def add_job(self, idx: int) -> None:
        super().add_job(idx)
        if self.withheld:
            withheld, self.withheld = self.withheld, None
            super().dispatch_submission(withheld)


class GrowsWhenBusy(RichTaskScheduler):
    """Takes in an engine of its own accord, in the middle of a decision."""

    assigned = 0

    def add_job(self, idx: int) -> None:
        super().add_job(idx)
        self.assigned += 1
        if self.assigned == 2:
            self._register_engine(b"late")


class TellsOfEngines(RichTaskScheduler):
    """Logs which engines there are after each word of the hub."""

    def dispatch_notification(self, msg: Any) -> None:
        super().dispatch_notification(msg)
        self.log.warning("engines: %s", self.targets)


class TakesMessagesApart(RichTaskScheduler):
    """Does what it likes with a message once it is dispatched."""

    def dispatch_submission(self, raw_msg: Any) -> None:
        super().dispatch_submission(raw_msg)
        raw_msg.clear()

    def dispatch_result(self, raw_msg: Any) -> None:
        super().dispatch_result(raw_msg)
        raw_msg.clear()


def test_an_error_for_one_message_is_no_error_for_those_sent_with_it(start: Start) -> None:
    cluster = start(FailsToTellTheHub, config={"TaskScheduler": {"hwm": 0}})
    client, engine = cluster.client(), cluster.engine(b"e1")
    client.submit()
    engine.reply(engine.take()[1])  # it is connected: no send has to be tried again
    client.answer()
    cluster.unregister(b"e1")
    client.submit(targets=["e1"])
    assert client.answer()["content"]["ename"] == "ImpossibleDependency"  # it is gone
    tasks = ["first", "bad", "last"]
    for msg_id in tasks:
        client.submit(msg_id=msg_id)
    cluster.notify("registration", b"e1")
    taken = [engine.take() for _ in tasks]
    assert [msg_id for msg_id, _ in taken] == tasks
    for _, task in taken:
        engine.reply(task)
    assert [client.answer()["parent_header"]["msg_id"] for _ in tasks] == tasks
    assert engine.idle()
    assert cluster.log.count("internal error") == 1


def test_an_answer_that_fails_does_not_keep_others_from_theirs(start: Start) -> None:
    cluster = start(FailsToAnswer)
    engine, client = cluster.engine(b"e1"), cluster.client()
    head = client.submit()
    client.submit(msg_id="bad", after=[head])
    others = [client.submit(after=[head]) for _ in range(3)]
    engine.reply(engine.take()[1], status="error")
    answered = [client.answer()["parent_header"]["msg_id"] for _ in range(4)]
    assert answered == [head, *others]


def test_a_task_that_cannot_be_sent_for_an_error_is_answered(start: Start) -> None:
    cluster = start(FailsToSendAgain)
    engine, client = cluster.engine(b"e1"), cluster.client()
    failing = client.submit(retries=1)
    engine.reply(engine.take()[1], status="error")
    answer = client.answer()
    assert answer["parent_header"]["msg_id"] == failing
    assert answer["content"]["ename"] == "RuntimeError"
    client.submit()
    engine.reply(engine.take()[1])  # it has room again
    assert client.answer()["content"]["status"] == "ok"
    assert cluster.log.count("internal error") == 1


@pytest.mark.parametrize("faulty", [FailsToCount, FailsHalfway])
def test_a_subclass_that_fails_to_count_loses_no_task(
    start: Start, faulty: type[RichTaskScheduler]
) -> None:
    cluster = start(faulty)
    engine, client = cluster.engine(b"e1"), cluster.client()
    first = client.submit()
    second = client.submit(after=[first])
    for msg_id in (first, second):
        taken, task = engine.take()
        assert taken == msg_id
        engine.reply(task)
        assert client.answer()["content"]["status"] == "ok"
    assert "add_job raised" in cluster.log


def test_a_subclass_may_dispatch_outside_of_a_turn(start: Start) -> None:
    cluster = start(Delays)
    engine, client = cluster.engine(b"e1"), cluster.client()
    msg_id = client.submit()
    assert engine.take()[0] == msg_id


def test_a_subclass_may_dispatch_while_the_core_decides(start: Start) -> None:
    cluster = start(Withholds, config={"TaskScheduler": {"hwm": 0}})
    engine, client = cluster.engine(b"e1"), cluster.client()
    client.submit(msg_id="withheld")
    client.submit(msg_id="other")
    assert [engine.take()[0] for _ in range(2)] == ["other", "withheld"]


def test_a_subclass_may_register_an_engine_while_the_core_decides(start: Start) -> None:
    cluster = start(GrowsWhenBusy)
    late = cluster.connect_engine(b"late")
    engine, client = cluster.engine(b"e1"), cluster.client()
    first, second, third = (client.submit() for _ in range(3))
    engine.reply(engine.take()[1])
    for peer, msg_id in ((engine, second), (late, third)):
        taken, task = peer.take()
        assert taken == msg_id
        peer.reply(task)
    answered = [client.answer()["parent_header"]["msg_id"] for _ in range(3)]
    assert answered[0] == first
    assert set(answered[1:]) == {second, third}
    assert engine.idle()
    assert client.idle()


def test_a_subclass_finds_engines_as_soon_as_they_are_dispatched(start: Start) -> None:
    cluster = start(TellsOfEngines)
    cluster.engine(b"e1")
    cluster.engine(b"e2")
    cluster.unregister(b"e1")
    told = ["engines: [b'e1']", "engines: [b'e2', b'e1']", "engines: [b'e2']"]
    cluster.wait_for(lambda: cluster.log.count("engines: ") == len(told), "three words")
    lines = [line for line in cluster.log.splitlines() if "engines: " in line]
    assert [line[line.index("engines: ") :] for line in lines] == told


def test_a_subclass_may_take_a_message_apart_once_it_is_dispatched(start: Start) -> None:
    cluster = start(TakesMessagesApart)
    engine, client = cluster.engine(b"e1"), cluster.client()
    msg_id = client.submit()
    engine.reply(engine.take()[1])
    assert client.answer()["parent_header"]["msg_id"] == msg_id
    client.submit(retries=-1)
    assert client.answer()["content"]["ename"] == "ValueError"
