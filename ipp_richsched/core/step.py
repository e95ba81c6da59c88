"""What the core is doing about one event."""

from __future__ import annotations

from types import TracebackType

from .actions import Action
from .task import Task

SLICE = 500
"""How much work one event may cost."""


class Step:
    """The handling of one event, from its coming to the list of actions.

    Parameters
    ----------
    now : float
        The time of the event.

    Attributes
    ----------
    now : float
        The time of the event.
    actions : list of Action
        What it has led to so far.
    task : Task or None
        The task in hand.  If there is an error in the core, it is the one that it strikes.
    work_left : int
        How many more tasks may be told of others, or looked at again.
    places_left : int
        How many more queued tasks may be assigned.  Placing has a budget of its own, so that no
        engine idles while a long cascade is told.
    deadlines_left : int
        How many more deadlines may be dealt with, a dead engine's attempts counted one by one.
    """

    __slots__ = ("actions", "deadlines_left", "now", "places_left", "task", "work_left")

    def __init__(self, now: float) -> None:
        self.now = now
        self.actions: list[Action] = []
        self.task: Task | None = None
        self.work_left = self.places_left = self.deadlines_left = SLICE

    def on(self, task: Task | None) -> Step:
        """Have a task, or none, in hand for the length of a ``with`` block.

        If the block raises, the task stays in hand: the error has struck it.  Such blocks do not
        nest: at the end of one no task is in hand.
        """
        self.task = task
        return self

    def __enter__(self) -> Step:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.task = None
