"""What is done for each message with a session's key and packer, at a fraction of the cost.

A `Session` reads its traits, asks for the process id and makes a new HMAC object each time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from ipyparallel import util
from jupyter_client.session import Session, json_packer, json_unpacker


class Signer:
    """Signs as `Session.sign` does: HMAC, RFC 2104, the key being hashed once for all.

    Parameters
    ----------
    session : jupyter_client.session.Session
        Whose key and hash are used.
    """

    def __init__(self, session: Session) -> None:
        self.signs = session.auth is not None
        if self.signs:
            hashed = session.digest_mod
            block = hashed().block_size
            key = session.key if len(session.key) <= block else hashed(session.key).digest()
            key = key.ljust(block, b"\0")
            self._inner = hashed(bytes(byte ^ 0x36 for byte in key))
            self._outer = hashed(bytes(byte ^ 0x5C for byte in key))

    def sign(self, parts: Sequence[bytes]) -> bytes:
        """The signature of the four parts of a message; nothing where there is no key."""
        if not self.signs:
            return b""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(b"".join(parts))
        outer.update(inner.digest())
        return outer.hexdigest().encode()


def fast_unpack(session: Session) -> Callable[[bytes], Any]:
    """What does as `session.unpack`, without the layers between it and a parser of JSON."""
    if session.unpack is not json_unpacker:
        return session.unpack
    scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # as `raw_decode` calls it

    def unpack(blob: bytes) -> Any:
        text = blob.decode("utf8", "replace")
        try:
            value, end = scan(text, 0)
        except (ValueError, StopIteration):
            end = -1
        # `session.unpack` deals with what is no JSON, or has something before or after it.
        return value if end == len(text) else session.unpack(blob)

    return unpack


DATE_AGE = 0.001
"""Seconds for which a date serves: to write one costs as much as the rest of a header."""


class DestinationPacker:
    """Packs the messages that tell the hub where a task went.

    They differ in four places; where the packer is JSON, only those are filled in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._nothing = session.pack({})
        self._prefix = f"{session.session}_{os.getpid()}_to"
        self._number = 0
        self._constant = ""
        if session.pack is json_packer:
            header = session.msg_header("task_destination")
            del header["msg_id"], header["date"]
            self._constant = json.dumps(header)[1:]
        self._start = f'{{"msg_id": {_quoted(self._prefix)[:-1]}'
        self._end, self._made = "", 0.0

    def pack(self, msg_id: str, engine: bytes) -> list[bytes]:
        """The header, parent header, metadata and content of one message."""
        self._number += 1
        name = engine.decode("utf8", "replace")
        if not self._constant:
            return self._pack_any(msg_id, name)
        if not 0 <= time.time() - self._made < DATE_AGE:
            self._made = time.time()
            date = util.utcnow().isoformat().replace("+00:00", "Z")
            self._end = f'", "date": "{date}", {self._constant}'
        header = f"{self._start}{self._number}{self._end}"
        content = f'{{"msg_id": {_quoted(msg_id)}, "engine_id": {_quoted(name)}}}'
        return [header.encode(), self._nothing, self._nothing, content.encode()]

    def _pack_any(self, msg_id: str, engine: str) -> list[bytes]:
        header = self._session.msg_header("task_destination")
        header["msg_id"] = f"{self._prefix}{self._number}"
        pack = self._session.pack
        content = pack({"msg_id": msg_id, "engine_id": engine})
        return [pack(header), self._nothing, self._nothing, content]
