"""Signatures and packed messages, against those of a `Session`."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from jupyter_client.session import Session

from ipp_richsched.wire.signing import DestinationPacker, Signer


@given(
    key=st.binary(min_size=1, max_size=200),
    parts=st.lists(st.binary(max_size=300), min_size=4, max_size=4),
    scheme=st.sampled_from(["hmac-sha256", "hmac-sha512", "hmac-md5"]),
)
def test_it_signs_as_a_session_does(key: bytes, parts: list[bytes], scheme: str) -> None:
    session = Session(key=key, signature_scheme=scheme)
    assert Signer(session).sign(parts) == session.sign(parts)


def test_without_a_key_nothing_is_signed() -> None:
    signer = Signer(Session(key=b""))
    assert not signer.signs
    assert signer.sign([b"{}"] * 4) == b""


@pytest.mark.parametrize("packer", ["json", "pickle"])
@pytest.mark.parametrize("msg_id", ["abc_1", 'with "quotes" and \\', "100 %s ü"])
def test_it_packs_what_a_session_unpacks(packer: str, msg_id: str) -> None:
    session = Session(key=b"a key", packer=packer, unpacker=packer, session="DATE %s")
    packed = DestinationPacker(session)
    signer = Signer(session)
    ids = set()
    for _ in range(3):
        parts = packed.pack(msg_id, b"engine")
        message = Session(key=b"a key", packer=packer, unpacker=packer).deserialize(
            [signer.sign(parts), *parts]
        )
        assert message["content"] == {"msg_id": msg_id, "engine_id": "engine"}
        assert message["msg_type"] == "task_destination"
        assert message["header"]["session"] == "DATE %s"
        assert str(message["header"]["date"]).endswith(("Z", "+00:00"))
        ids.add(message["msg_id"])
    assert len(ids) == 3
