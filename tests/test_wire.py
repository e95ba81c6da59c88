"""`Wire` by itself, where its own behaviour shows."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from jupyter_client.session import DELIM, Session

from ipp_richsched.core.actions import AssignTask
from ipp_richsched.core.events import TaskSubmitted
from ipp_richsched.wire import messages as module
from ipp_richsched.wire.messages import Wire

SESSION = Session(key=b"a key")


def frames(identities: list[bytes], parts: list[bytes]) -> list[bytes]:
    return [*identities, DELIM, SESSION.sign(parts), *parts]


def submitted(wire: Wire) -> TaskSubmitted:
    """A task that its client has sent and an engine has got."""
    header = SESSION.pack(SESSION.msg_header("apply_request"))
    task = wire.read_submission(frames([b"client"], [header, b"{}", b"{}", b"{}"]))
    assert isinstance(task, TaskSubmitted)
    wire.task_destination(AssignTask(task.msg_id, b"engine", task.message, 1), b"task")
    return task


def answered(wire: Wire, header: bytes) -> str:
    """The msg_id of the task that an engine answers with this for its parent header."""
    parts = [SESSION.pack(SESSION.msg_header("apply_reply")), header]
    parts += [b'{"status": "ok"}', b'{"status": "ok"}']
    return wire.read_reply(frames([b"engine", b"client"], parts)).msg_id


@pytest.mark.parametrize("remembered", [1, 2, 100])
def test_a_reply_names_its_task_however_often_and_however_packed(remembered: int) -> None:
    with mock.patch.object(module, "REMEMBERED", remembered):
        wire = Wire(SESSION)
        tasks = [submitted(wire) for _ in range(5)]
        for _ in range(2):
            for task in tasks:
                header = task.message[3]
                assert answered(wire, header) == task.msg_id
                assert answered(wire, json.dumps(json.loads(header), indent=2).encode()) == (
                    task.msg_id
                )


def test_headers_of_tasks_that_nobody_answers_do_not_pile_up() -> None:
    with mock.patch.object(module, "REMEMBERED", 10):
        wire = Wire(SESSION)
        for _ in range(100):
            submitted(wire)
        assert len(wire._sent) <= 10
