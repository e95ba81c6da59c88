"""Frames <-> events.

A message is a list of frames: identities, a delimiter, a signature, then header, parent
header, metadata, content, and the buffers (see the Jupyter messaging specification).  To
and from the core a task's message is just that list, as it was received.

What comes in may be anything.  A message that is nobody's task, or answers none, as far as
can be told, is a `MessageError`; what is wrong with a task or an answer otherwise goes to
the core, which answers the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Any, NamedTuple

from ipyparallel import util
from jupyter_client.session import DELIM, Session, protocol_version

from .checks import (
    MessageError,
    NamelessTaskError,
    check_msg_type,
    check_outcome,
    check_request,
    is_deep,
    is_text,
    printable,
    status_of,
    submission,
)
from .core.actions import FailTask
from .core.events import (
    EngineRegistered,
    EngineUnregistered,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
)
from .signing import DestinationPacker, Signer
from .transport import Part, blob

Frames = Sequence[Part]
_PARTS = 5  # signature, header, parent header, metadata, content

_NOTIFICATIONS = {
    "registration_notification": EngineRegistered,
    "unregistration_notification": EngineUnregistered,
    "shutdown_notification": None,  # it is for clients
}


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
        self._signer = Signer(session)
        self._destination = DestinationPacker(session)
        self._pack = session.pack
        self._load = session.unpack
        self._nothing = session.pack({})
        self._just_ok = session.pack({"status": "ok"})

    # -- from the wire -----------------------------------------------------------------

    def read_submission(self, frames: Frames) -> TaskSubmitted | TaskRejected:
        """Read what a client sent.

        Raises
        ------
        NamelessTaskError
            If this can be no task, and the client can be told so.
        MessageError
            If there is nobody to answer: the message is malformed or unsigned, or has no
            readable header.
        """
        parts = self._open_from_peer(frames)
        header = self._unpack(parts.header, "header")
        msg_id = header.get("msg_id")
        if not is_text(msg_id):
            raise NamelessTaskError(f"a task's 'msg_id' is {msg_id!r}, not a string")
        try:
            check_msg_type(header)
            metadata = self._unpack(parts.metadata, "metadata")
            self._check_for_engines(parts, header, metadata)
            return submission(msg_id, frames, metadata)
        except (MessageError, TypeError, ValueError, RecursionError) as error:
            return TaskRejected(msg_id, str(error), frames)

    def _check_for_engines(
        self, parts: _Parts, header: dict[str, Any], metadata: dict[str, Any]
    ) -> None:
        """Refuse what an engine cannot read, or not send back: it would never answer."""
        for name, packed, value in (
            ("header", parts.header, header),
            ("metadata", parts.metadata, metadata),
        ):
            if b"\\u" in packed:  # it may hold half a character
                self._check_packable(value, name)
        if (
            parts.parent == self._nothing
            and parts.content == self._nothing
            and header.get("version") == protocol_version
        ):
            return  # as in an ordinary task
        parent = self._unpack(parts.parent, "parent header")
        content = self._unpack(parts.content, "content")
        check_request(
            {"header": header, "parent_header": parent, "metadata": metadata, "content": content}
        )

    def _check_packable(self, fields: dict[str, Any], part: str) -> None:
        for name, value in fields.items():
            try:
                self._pack({name: value})
            except Exception:
                text = f"{name!r} in its {part} is {value!r}, which cannot be sent on"
                raise MessageError(text) from None

    def read_reply(self, frames: Frames) -> TaskReplied:
        """Read what an engine sent; raises MessageError if it answers no task."""
        parts = self._open_from_peer(frames)
        msg_id = self._unpack(parts.parent, "parent header").get("msg_id")
        if not isinstance(msg_id, str):
            raise MessageError(f"its parent header's 'msg_id' is {msg_id!r}, not a string")
        status, met, problem = None, True, None
        try:
            metadata = self._unpack(parts.metadata, "metadata")
            met = metadata.get("dependencies_met", True) is not False
            if met:
                status = self._status(parts, metadata)
        except MessageError as error:
            problem = str(error)
        return TaskReplied(parts.idents[0], msg_id, status, met, frames, problem)

    def _status(self, parts: _Parts, metadata: Mapping[str, Any]) -> str:
        """How an attempt ended; raises MessageError if the client could not make it out."""
        if len(parts.idents) < 2:
            raise MessageError("it names no client")
        status = status_of(metadata)
        if parts.content != self._just_ok:
            check_outcome(self._unpack(parts.content, "content"))
        return status

    def read_notification(self, frames: Frames) -> EngineRegistered | EngineUnregistered | None:
        """Read what the hub published; None where it is of no concern."""
        parts = self._open(frames)
        kind = self._unpack(parts.header, "header").get("msg_type")
        if not isinstance(kind, str) or kind not in _NOTIFICATIONS:
            raise MessageError(f"its 'msg_type' is {kind!r}, which is unknown")
        event = _NOTIFICATIONS[kind]
        if event is None:
            return None
        uuid = self._unpack(parts.content, "content").get("uuid")
        if not (uuid and is_text(uuid)):
            raise MessageError(f"its 'uuid' is {uuid!r}, not an engine's identity")
        return event(uuid.encode("utf8"))

    def read_engines(self, frames: Frames) -> tuple[list[EngineRegistered], str]:
        """Read the hub's answer to a connection request.

        Returns
        -------
        list of EngineRegistered
            The engines that the hub knows.
        str
            What is wrong with others, or nothing.
        """
        engines = self._unpack(self._open(frames).content, "content").get("engines", {})
        if not isinstance(engines, dict):
            raise MessageError(f"its 'engines' is {engines!r}, not an object")
        good = [uuid for uuid in engines.values() if uuid and is_text(uuid)]
        problem = ""
        if len(good) < len(engines):
            problem = f"its 'engines' is {engines!r}, and not all are engines' identities"
        return [EngineRegistered(uuid.encode("utf8")) for uuid in good], problem

    def _open_from_peer(self, frames: Frames) -> _Parts:
        """As `_open`, for a socket that puts the sender's identity before each message."""
        parts = self._open(frames)
        if not parts.idents:
            raise MessageError("its sender calls itself like the delimiter")
        return parts

    def _open(self, frames: Frames) -> _Parts:
        """Take a message apart and check its signature."""
        blobs = [blob(part) for part in frames[: _PARTS + 1]]
        try:
            start = blobs.index(DELIM) + 1
        except ValueError:
            # more identities than usual
            blobs = [blob(part) for part in frames]
            if DELIM not in blobs:
                raise MessageError("it has no delimiter") from None
            start = blobs.index(DELIM) + 1
        blobs += [blob(part) for part in frames[len(blobs) : start + _PARTS]]
        if len(blobs) < start + _PARTS:
            raise MessageError(f"it lacks {start + _PARTS - len(blobs)} of its {_PARTS} parts")
        signature, *parts = blobs[start : start + _PARTS]
        if self._signer.signs and not compare_digest(self._signer.sign(parts), signature):
            raise MessageError("its signature is wrong")
        return _Parts(blobs[: start - 1], *parts)

    def _unpack(self, blob: bytes, part: str) -> dict[str, Any]:
        try:
            value = self._load(blob)
        except Exception as error:  # whatever an unpacker raises: RecursionError, for one
            raise MessageError(f"its {part} cannot be unpacked: {error}") from None
        if not isinstance(value, dict):
            raise MessageError(f"its {part} is a {type(value).__name__}, not an object")
        if is_deep(blob, value):
            raise MessageError(f"its {part} is nested too deep")
        return value

    # -- to the wire -------------------------------------------------------------------

    def error_reply(self, action: FailTask) -> list[bytes]:
        """Make the reply to a client whose task the scheduler fails."""
        parts = self._open(action.message)
        client = parts.idents
        metadata = {}
        if action.engine is not None:
            engine = action.engine.decode("utf8", "replace")
            metadata = {"status": "error", "engine": engine, "date": util.utcnow()}
            client = [client[0], action.engine, *client[1:]]
        text = printable(action.text)
        content: dict[str, Any] = {
            "status": "error",
            "ename": action.reason.value,
            "evalue": text,
            "traceback": [f"{action.reason.value}: {text}"],
            "engine_info": {},
        }
        message = self._session.msg("apply_reply", content, metadata=metadata)
        packed = {name: self._pack(message[name]) for name in ("header", "metadata", "content")}
        # the client's header as it came: it may hold what cannot be packed again
        signed = [packed["header"], parts.header, packed["metadata"], packed["content"]]
        return [*client, DELIM, self._signer.sign(signed), *signed]

    def again(self, frames: Frames, attempt: int) -> Frames:
        """Make a task's message one that an engine has not seen.

        The number of the attempt stands in the place of its parent header: a request has no
        parent, and any other part might not be packed again as it was.
        """
        parts = self._open(frames)
        parent = self._pack({"attempt": attempt})
        signed = [parts.header, parent, parts.metadata, parts.content]
        buffers = frames[len(parts.idents) + 1 + _PARTS :]
        return [*parts.idents, DELIM, self._signer.sign(signed), *signed, *buffers]

    def task_destination(self, msg_id: str, engine: bytes, ident: bytes) -> list[bytes]:
        """Make the message that tells the hub where a task went."""
        parts = self._destination.pack(msg_id, engine)
        return [b"tracktask", ident, DELIM, self._signer.sign(parts), *parts]
