"""Opens messages and makes replies: signatures, and the parts that they sign."""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest
from typing import Any

from jupyter_client.session import DELIM, Session

from .checks import SHORT, MessageError, is_deep, printable
from .signing import Signer, fast_unpack
from .transport import PARTS, Frames

HEADER, PARENT, METADATA, CONTENT = range(4)  # among the parts that are signed


class Envelope:
    """Opens and signs messages with a session's key and packer.

    Parameters
    ----------
    session : jupyter_client.session.Session
        Whose key and packer are used.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._signer = Signer(session)
        self._pack = session.pack
        self._load = fast_unpack(session)

    def _open_from_peer(self, frames: Frames) -> Sequence[bytes]:
        """As `_open`, for a socket that puts the sender's identity before each message."""
        if frames[0] == DELIM:
            raise MessageError("its sender calls itself like the delimiter")
        return self._open(frames)

    def _open(self, frames: Frames) -> Sequence[bytes]:
        """The parts of a message from its header to its content, signed as they should be."""
        try:
            start = frames.index(DELIM) + 1
        except ValueError:
            raise MessageError("it has no delimiter") from None
        if len(frames) < start + PARTS:
            raise MessageError(f"it lacks {start + PARTS - len(frames)} of its {PARTS} parts")
        signature: bytes = frames[start]  # type: ignore[assignment]  # buffers only are not
        parts: Sequence[bytes] = frames[start + 1 : start + PARTS]  # type: ignore[assignment]
        if self._signer.signs and not compare_digest(self._signer.sign(parts), signature):
            raise MessageError("its signature is wrong")
        return parts

    def _unpack(self, blob: bytes, part: str) -> dict[str, Any]:
        try:
            value = self._load(blob)
        except Exception as error:  # whatever an unpacker raises: RecursionError, for one
            raise MessageError(f"its {part} cannot be unpacked: {error}") from None
        if not isinstance(value, dict):
            raise MessageError(f"its {part} is a {type(value).__name__}, not an object")
        if len(blob) > SHORT and is_deep(blob, value):
            raise MessageError(f"its {part} is nested too deep")
        return value

    def _reply(
        self,
        message: Frames,
        client: list[bytes],
        msg_type: str,
        content: dict[str, Any],
        metadata: dict[str, Any] | None = None,
    ) -> list[bytes]:
        """Make a reply to what a client sent."""
        header = self._open(message)[HEADER]
        reply = self._session.msg(msg_type, content, metadata=metadata)
        packed = {name: self._pack(reply[name]) for name in ("header", "metadata", "content")}
        # The client's header goes back as it came: perhaps it cannot be packed again.
        signed = [packed["header"], header, packed["metadata"], packed["content"]]
        return [*client, DELIM, self._signer.sign(signed), *signed]


def client_of(message: Frames) -> list[bytes]:
    """The identities before the delimiter of what a client sent."""
    return list(message[: message.index(DELIM)])  # type: ignore[arg-type]


def error_content(error: str, text: str) -> dict[str, Any]:
    """The content of a message that tells a client of an error."""
    text = printable(text)
    return {
        "status": "error",
        "ename": error,
        "evalue": text,
        "traceback": [f"{error}: {text}"],
        "engine_info": {},
    }
