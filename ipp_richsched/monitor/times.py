"""Times as people read them."""

from __future__ import annotations

from datetime import datetime


def moment(seconds: float) -> str:
    """A time, given in seconds since 1970, by the clock on the wall here."""
    try:
        return datetime.fromtimestamp(seconds).isoformat(" ", "milliseconds")
    except (OverflowError, OSError, ValueError):  # no log of ours has that
        return f"{seconds:.3f}"
