"""What is to be done before the scheduler's process ends."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

PATIENCE = 10
"""Seconds until a process ends in which the loop hangs, once it was told to."""


def before_the_end(loop: Any, close: Callable[[], object]) -> None:
    """Have a function called before this process ends, if it is not killed.

    A scheduler's process is told to end by SIGTERM, or by Ctrl-C, and would end at once, in the
    middle of an event.  So the loop gets to what it is doing first.

    Parameters
    ----------
    loop : tornado.ioloop.IOLoop
        The loop of the scheduler.
    close : callable
        The function.
    """
    if multiprocessing.parent_process() is None or os.name != "posix":
        atexit.register(close)  # in a controller with threads, which ends its loop by itself
        return
    before: dict[int, Any] = {}

    def end(number: int) -> None:
        close()
        for each, handler in before.items():
            signal.signal(each, handler)
        signal.alarm(0)
        signal.raise_signal(number)

    def told(number: int, frame: FrameType | None) -> None:
        signal.alarm(PATIENCE)
        loop.asyncio_loop.call_soon_threadsafe(end, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, told)
