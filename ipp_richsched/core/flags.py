"""What a task may ask for beyond the flags of a `LoadBalancedView`."""

from __future__ import annotations

from typing import NamedTuple


class RichFlags(NamedTuple):
    """The flags of a `RichView` that a `LoadBalancedView` has not.

    Attributes
    ----------
    priority : int
        Tasks with a higher one come first.
    max_crashes : int or None
        After how many deaths of the engine that was running it the task may run again, whatever
        its retries; None if each death takes a retry.
    run_timeout : float or None
        Seconds that an engine may run it; None for any number.
    cost : float or None
        Seconds that it will take on an engine; None if its client does not know.
    label : str or None
        What its cost is learned under: its label, or else the name of its function.
    arguments : tuple of str
        The tasks whose values are arguments of it, each once, in the order of the values.
    """

    priority: int = 0
    max_crashes: int | None = None
    run_timeout: float | None = None
    cost: float | None = None
    label: str | None = None
    arguments: tuple[str, ...] = ()


PLAIN = RichFlags()
"""What a task asks for that asks for nothing of it."""
