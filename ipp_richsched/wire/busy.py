"""`EngineBusy`, and how the scheduler recognizes it in an engine's reply."""

from __future__ import annotations

import math
import re

from ..core.failures import TaskError


class EngineBusy(Exception):  # noqa: N818  (it is what it is called, for users)
    """Raised by a task: this engine cannot run it now, but will.

    The task goes back to its place in the queue, and uses up no retry.  Other engines may take it
    at once, this one after a while.

    Parameters
    ----------
    seconds : float
        How long this engine should not be tried again; more than 0.

    Raises
    ------
    ValueError
        If it is no such number.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        if not 0 < seconds < math.inf:
            raise ValueError(f"'seconds' is {seconds!r}, not a number of seconds above 0")
        super().__init__(f"busy for {float(seconds)!r} s")
        self.seconds = seconds

    def __reduce__(self) -> tuple[type, tuple[float]]:
        return type(self), (self.seconds,)


_PATTERN = re.compile(r"busy for (\d{1,12}(?:\.\d+)?(?:e[-+]\d{1,2})?) s")


def seconds_busy(error: TaskError) -> float | None:
    """For how long the engine is busy that answered with an error; None if it is another error."""
    if error.ename != EngineBusy.__name__:
        return None
    match = _PATTERN.fullmatch(error.evalue)
    return float(match[1]) if match is not None else None
