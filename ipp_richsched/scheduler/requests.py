"""What the scheduler does about requests of clients."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from ..core.events import CancelRequested, Event
from ..wire.requests import CANCEL, Asked
from ..wire.rich_flags import CHECKS
from .outbox import Outbox


def serve(asked: Asked, outbox: Outbox, feed: Callable[[Event], None]) -> None:
    """Answer a request, or have the core answer it."""
    if asked.request is CANCEL:
        client, values = asked.message[0], asked.values
        assert isinstance(client, bytes)
        ids = tuple(values["msg_ids"])
        feed(CancelRequested(ids, client, values["interrupt"], asked.message))
    else:
        outbox.answer(asked.message, {"version": version("ipp-richsched"), "flags": sorted(CHECKS)})
