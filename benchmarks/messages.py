"""Signed messages, made quickly: who plays clients and engines must not be the bottleneck."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any

import zmq
from ipyparallel.serialize import pack_apply_message
from jupyter_client.session import DELIM
from zmq.backend import Socket

from ipp_richsched.wire.requests import REQUEST, Request, content_of
from ipp_richsched.wire.transport import LARGE, Part

KEY = b"a key of the length that sessions use"
_AUTH = hmac.new(KEY, digestmod="sha256")
_DATE = "2026-01-01T00:00:00.000000Z"
_SESSION = "5cd3d2f1-67cc4e9b89adf2d355e6e762"
PAYLOAD = [bytes(buffer) for buffer in pack_apply_message(pow, (2, 3), {})]
"""The buffers of ``view.apply(pow, 2, 3)``."""

_FIELDS = {"after": [], "follow": [], "timeout": 0.0, "targets": [], "retries": 0, "label": None}
_NO_FIELDS = json.dumps(_FIELDS).encode()


_NOBLOCK = int(zmq.NOBLOCK)


def receive(socket: zmq.Socket) -> list[Part]:
    """Take the next message, without waiting for it; raises `zmq.Again` if there is none."""
    parts: list[Part] = []
    more = True
    while more:
        frame = Socket.recv(socket, _NOBLOCK, False)
        parts.append(frame.bytes if len(frame) < LARGE else frame)
        more = frame.more
    return parts


def sign(parts: Sequence[bytes]) -> bytes:
    digest = _AUTH.copy()
    digest.update(b"".join(parts))
    return digest.hexdigest().encode()


def msg_id(number: int) -> str:
    """A msg_id as a client makes them."""
    return f"{_SESSION}_12345_{number}"


def task(msg_id: str, buffers: Sequence[bytes] = PAYLOAD, **fields: Any) -> list[bytes]:
    """The frames of a task as `LoadBalancedView.apply` sends it."""
    header = (
        f'{{"msg_id": "{msg_id}", "msg_type": "apply_request", "username": "me",'
        f' "session": "{_SESSION}", "date": "{_DATE}", "version": "5.4"}}'
    ).encode()
    metadata = json.dumps({**_FIELDS, **fields}).encode() if fields else _NO_FIELDS
    parts = [header, b"{}", metadata, b"{}"]
    return [DELIM, sign(parts), *parts, *buffers]


def request(msg_id: str, request: Request, **fields: Any) -> list[bytes]:
    """The frames of a request to the scheduler."""
    header = {"msg_id": msg_id, "msg_type": REQUEST, "username": "me", "session": _SESSION}
    header |= {"date": _DATE, "version": "5.4"}
    contents = (header, {}, {"after": [msg_id]}, content_of(request, **fields))
    parts = [json.dumps(content).encode() for content in contents]
    return [DELIM, sign(parts), *parts]


def replier(engine: str) -> Callable[[Sequence[Part]], list[Part]]:
    """How an engine answers: a function from the frames of a task to those of its reply.

    The reply brings back the largest buffer of the task, or a small one.
    """
    header = (
        f'{{"msg_id": "{engine}_1_2", "msg_type": "apply_reply", "username": "me",'
        f' "session": "{engine}", "date": "{_DATE}", "version": "5.4"}}'
    ).encode()
    metadata = (
        f'{{"started": "{_DATE}", "dependencies_met": true, "engine": "{engine}",'
        ' "is_broadcast": false, "is_coalescing": false, "original_msg_id": "", "label": null,'
        ' "status": "ok"}'
    ).encode()
    content = b'{"status": "ok"}'

    def reply(frames: Sequence[Part]) -> list[Part]:
        # the client's identity, the delimiter, the signature, four parts, the buffers
        asked = frames[3]
        assert isinstance(asked, bytes)  # no header here is as large as a frame that is not
        parts = [header, asked, metadata, content]
        result: Part = max(frames[7:], key=len, default=b"")
        if len(result) < 1024:
            result = b"\x80\x04K\x08."
        return [frames[0], DELIM, sign(parts), *parts, result]

    return reply


def notification(kind: str, engine: str) -> list[bytes]:
    """The frames with which the hub tells of an engine."""
    header = json.dumps({"msg_id": f"{kind}{engine}", "msg_type": f"{kind}_notification"})
    parts = [header.encode(), b"{}", b"{}", json.dumps({"id": 0, "uuid": engine}).encode()]
    return [DELIM, sign(parts), *parts]
