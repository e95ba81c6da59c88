"""A task, as far as its happenings tell of it."""

from __future__ import annotations

from typing import Literal

LiveState = Literal[
    "waiting", "ready", "running", "unknown", "succeeded", "failed", "never ran", "lost"
]
"""``"ready"``: it could run, or an engine holds it and works on another one; ``"unknown"``: what
became of it was missed; ``"never ran"``: it has failed without an attempt; ``"lost"``: its
controller went before it was finished."""

ENDED: frozenset[LiveState] = frozenset(("succeeded", "failed", "never ran", "lost"))
"""The states that a task does not leave."""


class LiveTask:
    """A task.

    Attributes
    ----------
    number : int
        Its place among all tasks that are known.
    msg_id : str
        Its id.
    label : str or None
        Its label, or the name of its function; None, too, if its submission is not remembered.
    group : int
        The number of its label.
    cost : float or None
        The seconds that its client expects it to take, if it said so.
    parents : tuple of str
        What it depends on, of what was known before it.
    parents_more : int
        How many others there are.
    children : list of LiveTask
        What depends on it.
    state : LiveState
        How it stands.
    submitted, ended : float or None
        When, in seconds since the epoch; None if that is not known, or has not happened.
    seconds : float
        How long engines have worked on it, in attempts that are over.
    bars : list of int
        Its attempts that are over, as places in `Bars`.
    at : LiveEngine or None
        The engine that holds it.
    reason : str or None
        Why it failed.
    layer : int
        The number of tasks on the longest way to it.
    node : hashable
        What it is drawn as in the graph, if it is in it: the key of a group.
    """

    __slots__ = (
        *("number", "msg_id", "label", "group", "cost", "parents", "parents_more", "children"),
        *("state", "submitted", "ended", "seconds", "bars", "at", "reason"),
        *("layer", "node"),
    )

    def __init__(self, number: int, msg_id: str) -> None:
        self.number = number
        self.msg_id = msg_id
        self.label: str | None = None
        self.group = 0
        self.cost: float | None = None
        self.parents: tuple[str, ...] = ()
        self.parents_more = 0
        self.children: list[LiveTask] = []
        self.state: LiveState = "waiting"
        self.submitted: float | None = None
        self.ended: float | None = None
        self.seconds = 0.0
        self.bars: list[int] = []
        self.at: LiveEngine | None = None
        self.reason: str | None = None
        self.layer = 0
        self.node: tuple[int, ...] | None = None


class Held:
    """A task that an engine holds.

    Attributes
    ----------
    task : LiveTask
        The task.
    since : float or None
        Since when the engine works on it; None while it works on another one.
    """

    __slots__ = ("since", "task")

    def __init__(self, task: LiveTask, since: float | None) -> None:
        self.task = task
        self.since = since


class LiveEngine:
    """An engine: it works on what it holds in order, on one task at a time.

    Attributes
    ----------
    row : int
        The row in which its attempts are drawn.
    held : dict of int to Held
        What it holds, by the numbers of the tasks; it works on the first one.
    died : float or None
        When it died, if it has, and its tasks are not given up yet.
    """

    __slots__ = ("died", "held", "row")

    def __init__(self, row: int) -> None:
        self.row = row
        self.held: dict[int, Held] = {}
        self.died: float | None = None

    @property
    def works_on(self) -> Held | None:
        """What it works on, if it holds anything."""
        return next(iter(self.held.values()), None)

    def take(self, task: LiveTask, when: float) -> bool:
        """It was sent a task; whether it begins with it at once."""
        begins = not self.held
        self.held[task.number] = Held(task, when if begins else None)
        return begins

    def had(self, task: LiveTask, since: float) -> None:
        """It works on a task, since before it was known what it holds."""
        for held in self.held.values():
            held.since = None
        self.held = {task.number: Held(task, since), **self.held}

    def give(self, task: LiveTask, when: float) -> tuple[float, LiveTask | None]:
        """It holds a task no more.

        Returns
        -------
        float
            Since when it had worked on it; `when`, if it had not begun.
        LiveTask or None
            What it works on from now on, if that is new.
        """
        is_first = next(iter(self.held)) == task.number
        since = self.held.pop(task.number).since
        following = self.works_on if is_first else None
        if following is not None:
            following.since = when
        return (when if since is None else since), following.task if following is not None else None
