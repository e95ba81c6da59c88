"""What the scheduler does about requests of clients."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from ..core.events import CancelRequested, Event, ValueSent
from ..wire.requests import CANCEL, HAPPENINGS, STATUS, VALUE, WHY, Asked
from ..wire.rich_flags import CHECKS
from .outbox import Outbox
from .sight import Sights
from .values import size_of


def serve(
    asked: Asked,
    outbox: Outbox,
    feed: Callable[[Event], None],
    decide: Callable[[], None],
    sights: Sights,
) -> None:
    """Answer a request, or have the core answer it.

    Parameters
    ----------
    asked : Asked
        The request.
    outbox : Outbox
        Where answers go.
    feed : callable
        Hands an event to the core.
    decide : callable
        Has the core decide on all that it was handed before.
    sights : Sights
        Answers what only reads.
    """
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
    elif asked.request is STATUS:
        decide()  # what the client sent before counts
        outbox.answer(asked.message, sights.status(client, values["oldest"]))
    elif asked.request is WHY:
        decide()
        outbox.answer(asked.message, sights.why(values["msg_ids"]))
    elif asked.request is HAPPENINGS:
        decide()
        try:
            answer = sights.happenings(values["mark"])
        except ValueError as error:
            outbox.refuse_request(asked.message, f"{error}")
        else:
            outbox.answer(asked.message, answer)
    else:
        outbox.answer(asked.message, {"version": version("ipp-richsched"), "flags": sorted(CHECKS)})
