"""What the scheduler answers to requests of clients."""

from __future__ import annotations

from importlib.metadata import version

from ..wire.requests import Asked
from ..wire.rich_flags import CHECKS
from .outbox import Outbox


def answer(asked: Asked, outbox: Outbox) -> None:
    """Answer a request."""
    outbox.answer(asked.message, {"version": version("ipp-richsched"), "flags": sorted(CHECKS)})
