"""Messages over a ROUTER socket: whatever comes before it, a whole one arrives as it was sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.session import DELIM

from ipp_richsched.transport import LARGE, PARTS, Part, receive

PEERS = [b"first", b"second"]


@pytest.fixture(scope="module")
def sockets() -> Iterator[tuple[zmq.Socket, list[zmq.Socket]]]:
    """A ROUTER, and the two that send to it."""
    with zmq.Context() as context:
        router = context.socket(zmq.ROUTER)
        router.bind("inproc://router")
        senders = []
        for ident in PEERS:
            sender = context.socket(zmq.DEALER)
            sender.setsockopt(zmq.IDENTITY, ident)
            sender.connect("inproc://router")
            senders.append(sender)
        yield router, senders
        context.destroy(linger=0)


def taken(router: zmq.Socket, idents: int) -> list[list[Part]]:
    """All messages that have come."""
    messages: list[list[Part]] = []
    while router.poll(0):
        messages += receive(router, idents)
    return messages


part = st.sampled_from([b"", b"{}", b"part", b"first", DELIM, bytes(LARGE)])
bad = st.lists(part, min_size=1, max_size=10)


def whole(idents: int) -> st.SearchStrategy[list[bytes]]:
    """Messages as they should be; a buffer may look like a delimiter, what is signed may not."""
    signed = st.lists(part.filter(DELIM.__ne__), min_size=PARTS, max_size=PARTS)
    clients = st.just([b"client"] * (idents - 1))
    return st.builds(lambda c, s, b: [*c, DELIM, *s, *b], clients, signed, st.lists(part))


@pytest.mark.parametrize("idents", [1, 2])
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_a_whole_message_arrives_whatever_comes_before_it(
    sockets: tuple[zmq.Socket, list[zmq.Socket]], idents: int, data: st.DataObject
) -> None:
    router, senders = sockets
    frames = st.one_of(
        whole(idents).map(lambda parts: (True, parts)), st.tuples(st.just(False), bad)
    )
    sent = data.draw(st.lists(st.tuples(st.sampled_from([0, 1]), frames), max_size=8))
    expected = []
    for number, (is_whole, parts) in sent:
        senders[number].send_multipart(parts)
        if is_whole:
            expected.append([PEERS[number], *parts])
    got = taken(router, idents)
    for message in expected:
        assert message in [list(map(bytes, parts)) for parts in got]
        found = next(parts for parts in got if list(map(bytes, parts)) == message)
        got.remove(found)
        assert all(isinstance(part, bytes) for part in found[: idents + 1 + PARTS])


def test_a_large_buffer_is_not_copied(sockets: tuple[zmq.Socket, list[zmq.Socket]]) -> None:
    router, senders = sockets
    senders[0].send_multipart([DELIM, *[bytes(LARGE)] * PARTS, bytes(LARGE), b"small"])
    [[*parts, large, small]] = taken(router, 1)
    assert isinstance(large, zmq.Frame)
    assert isinstance(small, bytes)
    assert all(isinstance(part, bytes) for part in parts)
