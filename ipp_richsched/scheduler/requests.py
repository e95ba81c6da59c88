"""What the scheduler does about requests of clients."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from ..core.events import CancelRequested, Event, ValueSent
from ..wire.requests import CANCEL, VALUE, Asked
from ..wire.rich_flags import CHECKS
from .outbox import Outbox
from .values import size_of


def serve(asked: Asked, outbox: Outbox, feed: Callable[[Event], None]) -> None:
    """Answer a request, or have the core answer it."""
    client, values = asked.message[0], asked.values
    assert isinstance(client, bytes)
    if asked.request is VALUE:
        size = size_of(asked.message)
        if size is None and not values["problem"]:
            outbox.refuse_request(asked.message, "'problem' is '', and the message has no buffers")
            return
        feed(ValueSent(values["msg_id"], client, size or 0, values["problem"], asked.message))
    elif asked.request is CANCEL:
        ids = tuple(values["msg_ids"])
        feed(CancelRequested(ids, client, values["interrupt"], asked.message))
    else:
        outbox.answer(asked.message, {"version": version("ipp-richsched"), "flags": sorted(CHECKS)})
