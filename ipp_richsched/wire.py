"""Frames <-> events.

A message is a list of frames: identities, a delimiter, a signature, then header, parent
header, metadata, content, and the buffers (see the Jupyter messaging specification).  To
and from the core a task's message is just that list, as it was received.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Any, NamedTuple

from ipyparallel import util
from jupyter_client.session import DELIM, Session

from .core.actions import FailTask
from .core.dependency import Dependency
from .core.events import (
    EngineRegistered,
    EngineUnregistered,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
)

Frames = Sequence[Any]
"""Frames as `recv_multipart(copy=False)` gives them."""

_PARTS = 5  # signature, header, parent header, metadata, content


class MessageError(Exception):
    """A message cannot be read; nobody can be told but the operator."""


class _Parts(NamedTuple):
    idents: list[bytes]
    header: bytes
    parent: bytes
    metadata: bytes
    content: bytes


class Wire:
    """Reads and writes messages with a session's key and packer.

    Parameters
    ----------
    session : jupyter_client.session.Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- from the wire -----------------------------------------------------------------

    def read_submission(self, frames: Frames) -> TaskSubmitted | TaskRejected:
        """Read what a client sent.

        Raises
        ------
        MessageError
            If there is nobody to answer: the message is malformed or unsigned, or has no
            readable header.
        """
        parts = self._open(frames)
        msg_id = self._msg_id(self._unpack(parts.header, "header"), "header")
        try:
            return _submission(msg_id, frames, self._unpack(parts.metadata, "metadata"))
        except (MessageError, TypeError, ValueError) as error:
            return TaskRejected(msg_id, str(error), frames)

    def read_reply(self, frames: Frames) -> TaskReplied:
        """Read what an engine sent; raises MessageError if it answers no task."""
        parts = self._open(frames)
        if len(parts.idents) < 2:
            raise MessageError("a reply names no client")
        msg_id = self._msg_id(self._unpack(parts.parent, "parent header"), "parent header")
        metadata = self._unpack(parts.metadata, "metadata")
        status = metadata.get("status")
        return TaskReplied(
            parts.idents[0],
            msg_id,
            status if isinstance(status, str) else None,
            metadata.get("dependencies_met", True) is not False,
            frames,
        )

    def read_notification(self, frames: Frames) -> EngineRegistered | EngineUnregistered | None:
        """Read what the hub published; None where it is of no concern."""
        parts = self._open(frames)
        kind = self._unpack(parts.header, "header").get("msg_type")
        if kind == "registration_notification":
            return EngineRegistered(self._uuid(parts))
        if kind == "unregistration_notification":
            return EngineUnregistered(self._uuid(parts))
        return None

    def read_engines(self, frames: Frames) -> list[EngineRegistered]:
        """Read the hub's answer to a connection request: the engines that it knows."""
        engines = self._unpack(self._open(frames).content, "content").get("engines", {})
        return [EngineRegistered(uuid.encode("utf8")) for uuid in engines.values()]

    def _open(self, frames: Frames) -> _Parts:
        """Take a message apart and check its signature."""
        blobs = [frame.bytes for frame in frames[: _PARTS + 1]]
        try:
            start = blobs.index(DELIM) + 1
        except ValueError:
            # more identities than usual
            blobs = [frame.bytes for frame in frames]
            if DELIM not in blobs:
                raise MessageError("a message has no delimiter") from None
            start = blobs.index(DELIM) + 1
        blobs += [frame.bytes for frame in frames[len(blobs) : start + _PARTS]]
        signature, *parts = blobs[start : start + _PARTS]
        if len(parts) < _PARTS - 1:
            raise MessageError(f"a message ends after {len(parts)} of {_PARTS - 1} parts")
        if self._session.auth is not None and not compare_digest(
            self._session.sign(parts), signature
        ):
            raise MessageError("a message has a wrong signature")
        return _Parts(blobs[: start - 1], *parts)

    def _unpack(self, blob: bytes, part: str) -> dict[str, Any]:
        try:
            value = self._session.unpack(blob)
        except ValueError as error:
            raise MessageError(f"its {part} cannot be unpacked: {error}") from None
        if not isinstance(value, dict):
            raise MessageError(f"its {part} is a {type(value).__name__}, not an object")
        return value

    @staticmethod
    def _msg_id(header: Mapping[str, Any], part: str) -> str:
        msg_id = header.get("msg_id")
        if not isinstance(msg_id, str):
            raise MessageError(f"a message's {part} has no msg_id")
        return msg_id

    def _uuid(self, parts: _Parts) -> bytes:
        uuid = self._unpack(parts.content, "content").get("uuid")
        if not isinstance(uuid, str):
            raise MessageError("a notification has no uuid")
        return uuid.encode("utf8")

    # -- to the wire -------------------------------------------------------------------

    def error_reply(self, action: FailTask) -> list[bytes]:
        """Make the reply to a client whose task the scheduler fails."""
        parts = self._open(action.message)
        client = parts.idents
        metadata = None
        if action.engine is not None:
            engine = action.engine.decode("utf8", "replace")
            metadata = {"status": "error", "engine": engine, "date": util.utcnow()}
            client = [client[0], action.engine, *client[1:]]
        content: dict[str, Any] = {
            "status": "error",
            "ename": action.reason.value,
            "evalue": action.text,
            "traceback": [f"{action.reason.value}: {action.text}"],
            "engine_info": {},
        }
        message = self._session.msg(
            "apply_reply",
            content,
            parent=self._session.unpack(parts.header),
            metadata=metadata,
        )
        return self._session.serialize(message, ident=client)

    def again(self, frames: Frames, attempt: int) -> Frames:
        """Make a task's message one that an engine has not seen, by a word in its metadata."""
        parts = self._open(frames)
        metadata = {**self._session.unpack(parts.metadata), "attempt": attempt}
        signed = [parts.header, parts.parent, self._session.pack(metadata), parts.content]
        buffers = frames[len(parts.idents) + 1 + _PARTS :]
        return [*parts.idents, DELIM, self._session.sign(signed), *signed, *buffers]

    def task_destination(self, msg_id: str, engine: bytes, ident: bytes) -> list[bytes]:
        """Make the message that tells the hub where a task went."""
        content = {"msg_id": msg_id, "engine_id": engine.decode("utf8", "replace")}
        message = self._session.msg("task_destination", content)
        return self._session.serialize(message, ident=[b"tracktask", ident])


def _submission(msg_id: str, frames: Frames, metadata: Mapping[str, Any]) -> TaskSubmitted:
    """Check the fields that a client set; raises TypeError or ValueError naming the field."""
    targets = metadata.get("targets") or []
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
        raise TypeError(f"'targets' is {targets!r}, not a list of engine identities")
    timeout = metadata.get("timeout") or 0
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"'timeout' is {timeout!r}, not a number of seconds")
    if not (math.isfinite(timeout) and timeout >= 0):
        raise ValueError(f"'timeout' is {timeout!r}, not a number of seconds")
    retries = metadata.get("retries") or 0
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise TypeError(f"'retries' is {retries!r}, not a number of retries")
    dependencies = {}
    for name in ("after", "follow"):
        try:
            dependencies[name] = Dependency.parse(metadata.get(name))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name!r}: {error}") from None
    return TaskSubmitted(
        msg_id,
        frames,
        frozenset(target.encode("utf8", "replace") for target in targets) or None,
        timeout=timeout or None,
        retries=retries,
        **dependencies,
    )
