"""The settings of the core."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a user may set, as far as the core has to know it.

    Attributes
    ----------
    scheme : str
        The name of the scheme: see `find_scheme`.
    hwm : int
        The high water mark: how many tasks an engine may hold; 0 for no limit.
    engine_grace : float
        Seconds in which the replies of a dead engine still count.
    stranded_timeout : float or None
        Seconds that a task waits when no registered engine takes it; None for ever.
    probe_after : float or None
        Seconds after which the engine of a task that has not been answered is asked whether it
        still has it; None for never.
    retry_elsewhere : float or None
        Seconds that a failed task waits for an engine that has not failed it; None for ever.
    max_crashes : int or None
        How many engines may die of a task before it has failed; None for any number.
    aging : float or None
        How many seconds of waiting are worth one step of priority; None if none are.
    order : str
        Which of the tasks of a priority comes first: the first that was submitted (``'fifo'``), or
        that with the longest path (``'critical-path'``).
    fair : bool
        Whether clients take turns within a priority: see `ready.fairness`.
    interrupt_on_timeout : bool
        Whether an engine is interrupted that takes longer for a task than its `run_timeout`.
    values_size_limit : int
        How many bytes of results may be held for tasks that have them as arguments.
    seed : int
        The seed of what the schemes choose at random.
    """

    scheme: str = "leastload"
    hwm: int = 1
    engine_grace: float = 5.0
    stranded_timeout: float | None = 60.0
    probe_after: float | None = 2.0
    retry_elsewhere: float | None = 30.0
    max_crashes: int | None = 3
    aging: float | None = None
    order: str = "fifo"
    fair: bool = False
    interrupt_on_timeout: bool = False
    values_size_limit: int = 2**30
    seed: int = 0
