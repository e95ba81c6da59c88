"""What is done for each message with a session's key and packer, at a fraction of the cost.

A `Session` reads its traits, asks for the process id and makes a new HMAC object each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from ipyparallel import util
from jupyter_client.session import Session


class Signer:
    """Signs as `Session.sign` does: HMAC, RFC 2104, with the states of both hashes kept.

    Parameters
    ----------
    session : jupyter_client.session.Session
    """

    def __init__(self, session: Session) -> None:
        self.signs = session.auth is not None
        if self.signs:
            new = session.digest_mod
            block = new().block_size
            key = session.key if len(session.key) <= block else new(session.key).digest()
            key = key.ljust(block, b"\0")
            self._inner = new(bytes(byte ^ 0x36 for byte in key))
            self._outer = new(bytes(byte ^ 0x5C for byte in key))

    def sign(self, parts: Sequence[bytes]) -> bytes:
        """The signature of the four parts of a message; nothing where there is no key."""
        if not self.signs:
            return b""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(b"".join(parts))
        outer.update(inner.digest())
        return outer.hexdigest().encode()


class DestinationPacker:
    """Packs the messages that tell the hub where a task went.

    They differ in four places; where the packer is JSON, only those are filled in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._nothing = session.pack({})
        self._prefix = f"{session.session}_{os.getpid()}_to"
        self._number = 0
        header = {**session.msg_header("task_destination"), "msg_id": "MSG_ID", "date": "DATE"}
        self._header = ""
        if session.packer in ("json", "jupyter_client.session.json_packer"):
            text = json.dumps(header).replace("%", "%%")
            self._header = text.replace('"MSG_ID"', '"%s"').replace('"DATE"', '"%s"')

    def pack(self, msg_id: str, engine: bytes) -> list[bytes]:
        """The header, parent header, metadata and content of one message."""
        self._number += 1
        own_id, name = f"{self._prefix}{self._number}", engine.decode("utf8", "replace")
        if not self._header:
            return self._pack_any(own_id, {"msg_id": msg_id, "engine_id": name})
        date = util.utcnow().isoformat().replace("+00:00", "Z")
        content = f'{{"msg_id": {json.dumps(msg_id)}, "engine_id": {json.dumps(name)}}}'
        header = self._header % (own_id, date)
        return [header.encode(), self._nothing, self._nothing, content.encode()]

    def _pack_any(self, own_id: str, content: dict[str, Any]) -> list[bytes]:
        pack = self._session.pack
        header = {**self._session.msg_header("task_destination"), "msg_id": own_id}
        return [pack(header), self._nothing, self._nothing, pack(content)]
