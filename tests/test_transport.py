"""Messages over a ROUTER socket arrive as they were sent, whatever a peer sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.session import DELIM

from ipp_richsched.wire import names as names_module
from ipp_richsched.wire import transport
from ipp_richsched.wire.names import EngineNames
from ipp_richsched.wire.transport import LARGE, PARTS, Channel, Part

PEERS = [b"first", b"second"]
Sockets = tuple[zmq.Socket, list[zmq.Socket]]


@pytest.fixture(scope="module")
def sockets() -> Iterator[Sockets]:
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


def taken(router: zmq.Socket) -> list[list[Part]]:
    """All messages that have come."""
    messages: list[list[Part]] = []
    while router.poll(0):
        messages.append(Channel(router).receive())
    return messages


part = st.sampled_from([b"", b"{}", b"part", b"first", DELIM, bytes(LARGE)])
message = st.tuples(st.sampled_from([0, 1]), st.lists(part, min_size=1, max_size=10))


@settings(max_examples=300, deadline=None)
@given(sent=st.lists(message, max_size=8))
def test_nothing_is_taken_from_another_message(
    sockets: Sockets, sent: list[tuple[int, list[bytes]]]
) -> None:
    router, senders = sockets
    for number, parts in sent:
        senders[number].send_multipart(parts)
    got = [list(map(bytes, parts)) for parts in taken(router)]
    for number, ident in enumerate(PEERS):
        expected = [[ident, *parts] for sender, parts in sent if sender == number]
        assert [parts for parts in got if parts[0] == ident] == expected


def test_large_buffers_are_not_copied(sockets: Sockets) -> None:
    router, senders = sockets
    senders[0].send_multipart([b"client", DELIM, *[bytes(LARGE)] * PARTS, bytes(LARGE), b"small"])
    [[*parts, large, small]] = taken(router)
    assert isinstance(large, zmq.Frame)
    assert isinstance(small, bytes)
    assert all(isinstance(part, bytes) for part in parts)


@pytest.mark.parametrize("wrong", [None, "text", 3, [b"part"]])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_message_with_a_part_that_cannot_be_sent_leaves_nothing_behind(
    sockets: Sockets, wrong: object, place: int
) -> None:
    router, senders = sockets
    senders[0].send(b"hello")  # so that the router knows it
    assert taken(router) == [[PEERS[0], b"hello"]]
    parts: list[Any] = [PEERS[0], b"one", b"two", b"three"]
    parts[place] = wrong
    with pytest.raises(TypeError, match="neither bytes nor a frame"):
        Channel(router).send(parts)
    Channel(router).send([PEERS[0], b"whole", zmq.Frame(b"message")])
    assert senders[0].poll(5000)
    assert senders[0].recv_multipart() == [b"whole", b"message"]
    assert not senders[0].poll(0)


def test_the_addresses_of_senders_are_noted(sockets: Sockets) -> None:
    router, senders = sockets
    channel = Channel(router, addresses=True)
    senders[0].send_multipart([b"client", DELIM, *[b""] * PARTS])
    assert router.poll(5000)
    channel.receive()
    assert channel.addresses is not None
    address = channel.addresses[PEERS[0]]
    names = EngineNames(channel.addresses)
    names.learn("e", 3)
    assert names.called("e") == "engine 3"
    assert names.called(PEERS[0].decode()) == f"engine {PEERS[0].decode()}"  # it is on this host
    assert address in ("", "127.0.0.1")
    channel.addresses[b"e"] = "10.0.0.7"
    assert names.called("e") == "engine 3 on 10.0.0.7"
    assert names.called("unknown") == "engine unknown"


def test_neither_addresses_nor_ids_grow_without_end(sockets: Sockets) -> None:
    router, senders = sockets
    with mock.patch.object(transport, "SENDERS", 2), mock.patch.object(names_module, "KEPT", 2):
        channel = Channel(router, addresses=True)
        names = EngineNames({})
        for number, sender in enumerate(senders):
            sender.send_multipart([b"client", DELIM, *[b""] * PARTS])
            assert router.poll(5000)
            channel.receive()
            names.learn(f"{number}", number)
            names.learn("no id", None)
        assert channel.addresses is not None
        assert len(channel.addresses) <= 2
        assert names.called("0") == "engine 0"  # forgotten, or not: the identity is its number
        assert names.called("no id") == "engine no id"
