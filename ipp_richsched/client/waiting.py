"""Waiting for what comes over a client, while it is open."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Condition
from typing import Any

import ipyparallel as ipp

LOOK = 0.5
"""Seconds between two looks at whether the client is open: nothing tells of its end."""


def wait_while_open(
    changed: Condition,
    condition: Callable[[], Any],
    client: ipp.Client,
    give_up: Callable[[Exception], None],
    timeout: float | None = None,
) -> None:
    """Wait until a condition is met, or the timeout is over.

    Parameters
    ----------
    changed : Condition
        Notified when the condition may be met.
    condition : callable
    client : ipyparallel.Client
    give_up : callable
        Called, with an error, if the client is closed; the condition has to be met after it.
    timeout : float, optional
        Seconds; by default for ever.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        with changed:
            if condition():
                return
            if not client._closed:
                left = LOOK if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    return
                changed.wait(min(left, LOOK))
                continue
        give_up(OSError("Connections have been closed."))
        return
