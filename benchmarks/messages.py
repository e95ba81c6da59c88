"""Signed messages, made quickly: who plays clients and engines must not be the bottleneck."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from typing import Any

from ipyparallel.serialize import pack_apply_message
from jupyter_client.session import DELIM

KEY = b"a key of the length that sessions use"
_AUTH = hmac.new(KEY, digestmod="sha256")
_DATE = "2026-01-01T00:00:00.000000Z"
_SESSION = "5cd3d2f1-67cc4e9b89adf2d355e6e762"
PAYLOAD = [bytes(buffer) for buffer in pack_apply_message(pow, (2, 3), {})]
"""The buffers of ``view.apply(pow, 2, 3)``."""


def sign(parts: Sequence[bytes]) -> bytes:
    digest = _AUTH.copy()
    for part in parts:
        digest.update(part)
    return digest.hexdigest().encode()


def msg_id(number: int) -> str:
    """A msg_id as a client makes them."""
    return f"{_SESSION}_12345_{number}"


def task(number: int, buffers: Sequence[bytes] = PAYLOAD, **metadata: Any) -> list[bytes]:
    """The frames of a task as `LoadBalancedView.apply` sends it."""
    header = (
        f'{{"msg_id": "{msg_id(number)}", "msg_type": "apply_request", "username": "me",'
        f' "session": "{_SESSION}", "date": "{_DATE}", "version": "5.4"}}'
    ).encode()
    fields = {
        "after": [],
        "follow": [],
        "timeout": 0.0,
        "targets": [],
        "retries": 0,
        "label": None,
        **metadata,
    }
    parts = [header, b"{}", json.dumps(fields).encode(), b"{}"]
    return [DELIM, sign(parts), *parts, *buffers]


def reply(frames: Sequence[bytes], engine: str, buffers: Sequence[bytes]) -> list[bytes]:
    """The frames with which an engine answers a task."""
    start = frames.index(DELIM)
    header = (
        f'{{"msg_id": "{engine}_1_2", "msg_type": "apply_reply", "username": "me",'
        f' "session": "{engine}", "date": "{_DATE}", "version": "5.4"}}'
    ).encode()
    metadata = (
        f'{{"started": "{_DATE}", "dependencies_met": true, "engine": "{engine}",'
        ' "is_broadcast": false, "is_coalescing": false, "original_msg_id": "", "label": null,'
        ' "status": "ok"}'
    ).encode()
    parts = [header, frames[start + 2], metadata, b'{"status": "ok"}']
    return [*frames[: start + 1], sign(parts), *parts, *buffers]


def answered(frames: Sequence[bytes]) -> str:
    """The msg_id of the task that a reply answers."""
    parent: dict[str, str] = json.loads(frames[frames.index(DELIM) + 3])
    return parent["msg_id"]


def notification(kind: str, engine: str) -> list[bytes]:
    """The frames with which the hub tells of an engine."""
    header = json.dumps({"msg_id": f"{kind}{engine}", "msg_type": f"{kind}_notification"})
    parts = [header.encode(), b"{}", b"{}", json.dumps({"id": 0, "uuid": engine}).encode()]
    return [DELIM, sign(parts), *parts]
