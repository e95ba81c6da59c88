"""What the model of `world` knows, and the rules of ipyparallel about it."""

from __future__ import annotations

import math
from collections import deque
from random import Random

from ipp_richsched.core.actions import AskEngine, AssignTask, InterruptEngine
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.durations import Durations
from ipp_richsched.core.engines.schemes import BUILT_IN
from ipp_richsched.core.events import Event
from ipp_richsched.core.happenings import Happening
from ipp_richsched.core.machine import SchedulerCore
from ipp_richsched.core.placement.stranded import RETRY_PAUSE
from ipp_richsched.core.settings import Settings
from ipp_richsched.core.story import Mark

from .world_records import Attempt, Engine, Task, dependencies_of, stock
from .world_values import Values


class Rules:
    """What was submitted, sent and answered, and what the rules say about that.

    Parameters
    ----------
    random : Random
        What decides everything; Hypothesis has one that it can shrink.
    scheme : str
        The scheme, if that is not left to chance.
    """

    def __init__(self, random: Random, scheme: str = "") -> None:
        self.random = random
        self.settings = Settings(
            scheme or random.choice(sorted(BUILT_IN)),
            random.choice([1, 1, 0, 2, 3]),
            random.choice([0.0, 0.5, 5.0]),
            random.choice([0.0, 1.0, 3.0, None]),
            random.choice([0.2, 2.0, 2.0, None]),
            random.choice([0.0, 1.0, 30.0, None]),
            random.choice([1, 2, 3, None]),
            random.choice([None, None, 2.0]),
            random.choice(["fifo", "fifo", "critical-path"]),
            random.choice([False, False, True]),
            random.choice([False, True]),
            random.choice([2**30, 2**30, 10, 0]),
            random.randrange(100),
        )
        self.is_rich = random.random() < 0.6
        self.lowest = 0  # of the priorities so far
        self.core = SchedulerCore(self.settings, durations=Durations())
        self.now = 0.0
        self.has_faults = True  # until the end: the scheduler's own, and late news
        self.names = [b"e%d" % number for number in range(random.choice([1, 2, 3, 4]))]
        self.tasks: dict[str, Task] = {}
        self.mark = Mark()
        self.told_happenings: dict[str, list[Happening]] = {}
        self.engines: dict[bytes, Engine] = {}  # that the hub knows
        self.departed: set[bytes] = set()  # that it knew, and knows no more
        self.connected: set[bytes] = set()
        self.since: dict[Attempt, int] = {}  # the order of all attempts
        self.places = 0  # in the order of submission, or behind it
        self.unsent: list[AssignTask | AskEngine] = []
        self.not_sent: list[Event] = []  # what could not be, and is to be said
        self.held: dict[bytes, deque[AssignTask | AskEngine]] = {}  # what engines have to answer
        self.asked = 0
        # what clients want back, and which of that was on no engine then
        self.requests: dict[int, tuple[tuple[str, ...], set[str]]] = {}
        self.unwanted: set[str] = set()  # wanted back while an engine had them
        self.interrupts: list[InterruptEngine] = []  # that were not carried out
        self.interrupt_times: dict[InterruptEngine, float] = {}
        self.interrupted: dict[Engine, float] = {}  # and since when
        self.answered: list[AssignTask] = []  # what they might answer once more
        self.values = Values(self)

    def may_run_on(self, task: Task, engine: Engine) -> bool:
        """Whether its `targets` and its `follow` let it run on an engine."""
        event, here = task.event, engine.ident
        if event.targets is not None and here not in event.targets:
            return False
        if not event.follow.ids:
            return True
        succeeded, failed = self.ends(here)
        return stock(event.follow).check(succeeded, failed)

    def succeeded(self, msg_id: str) -> bool:
        return msg_id in self.tasks and self.tasks[msg_id].succeeded

    def is_met(self, dependency: Dependency) -> bool:
        return not dependency.ids or stock(dependency).check(*self.ends())

    def ends(self, ran_on: bytes | None = None) -> tuple[set[str], set[str]]:
        """The tasks that succeeded, and those that failed, everywhere or on one engine."""
        ended = [
            (msg_id, task)
            for msg_id, task in self.tasks.items()
            if task.answers and ran_on in (None, task.ran_on)
        ]
        succeeded = {msg_id for msg_id, task in ended if task.succeeded}
        return succeeded, {msg_id for msg_id, _ in ended} - succeeded

    def is_fresh(self, task: Task) -> bool:
        """Whether it may run, and never was on an engine."""
        waits = not task.answers and task.attempt is None and not task.attempts
        return waits and self.is_met(task.event.after) and self.values.are_held(task)

    def is_waiting(self, task: Task) -> bool:
        """Whether it surely waits for a dependency."""
        if task.answers or task.attempts:
            return False
        return not all(map(self.is_met, dependencies_of(task.event).values()))

    def has_waited_enough(self, task: Task) -> bool:
        """Whether a failed task that may run need not wait for a fresh engine any more."""
        longest = self.settings.retry_elsewhere
        if longest is None or task.event.follow.ids or not self.is_met(task.event.after):
            return False
        if not self.values.are_held(task):
            return False
        return self.now > task.queued + max(longest, RETRY_PAUSE) + 1e-6

    def note_all_tried(self, task: Task) -> None:
        """Whether all engines that may run a task have failed or refused it."""
        if task.failed_on or task.refused_by:
            usable = {engine for engine in self.engines.values() if self.may_run_on(task, engine)}
            busy = {engine for engine, end in task.busy.items() if end >= self.now - 1e-6}
            task.all_failed |= usable <= task.failed_on | task.refused_by | busy
            near = {engine for engine in usable if not self.is_out_of_reach(engine)}
            task.all_refused |= near <= task.refused_by

    def may_be_unwanted(self, task: Task) -> bool:
        """Whether a client wants it back, and has been told that an engine has it, or may be."""
        msg_id = task.event.msg_id
        return msg_id in self.unwanted or any(msg_id in ids for ids, _ in self.requests.values())

    def is_lost(self, task: Task) -> bool:
        """Whether its engine is dead and the grace is over."""
        engine = task.attempt.engine if task.attempt is not None else None
        if engine is None or engine.died is None or task.answers:
            return False
        return self.now >= engine.died + self.settings.engine_grace

    def may_be_over(self, attempt: Attempt) -> bool:
        """Whether it may have been found out that an attempt is lost, though nobody was told."""
        has_it = attempt.action in self.held.get(attempt.engine.ident, ())
        return attempt.lost or attempt.engine.unreached > 0.0 or not has_it

    def is_out_of_reach(self, engine: Engine) -> bool:
        """Whether it has no connection for longer than tasks wait for that."""
        longest = self.settings.stranded_timeout
        return longest is not None and engine.apart >= max(longest, 1e-6)

    def key(self, task: Task, priority: int) -> tuple[float, int]:
        """What decides which of two tasks comes first: the lower one, given their priorities."""
        since = task.submitted
        if task.behind is not None:
            since, priority = task.behind
        aging = self.settings.aging
        return (-priority if aging is None else since / aging - priority), task.place

    def level(self, key: tuple[float, int], error: float) -> tuple[float, int]:
        """Within what clients take turns: a priority, or a whole step of aging."""
        return key[0] if self.settings.aging is None else math.floor(key[0] + error), 0

    def lent(self, task: Task) -> int:
        """The priority that a task must have at least: that of those that wait for it."""
        return max((other.event.rich.priority for other in self.heirs(task, True)), default=0)

    def highest(self, task: Task) -> int:
        """The priority that a task may have at most: of all that ever depended on it."""
        return max((other.event.rich.priority for other in self.heirs(task, False)), default=0)

    def heirs(self, task: Task, waiting: bool) -> list[Task]:
        """A task, and those that depend on it, directly or through others."""
        found = {task.event.msg_id: task}
        for msg_id, other in self.tasks.items():  # each after what it depends on
            event = other.event
            ids = {*event.after.ids, *event.follow.ids, *event.rich.arguments}
            if not ids.isdisjoint(found) and not (waiting and not self.is_waiting(other)):
                found[msg_id] = other
        return list(found.values())
