"""What happens on a cluster, taken in page by page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ...client.happenings import Happening, Happenings
from ...client.status import EngineStatus, Status
from ...client.status_parts import DeadEngine
from .bars import Bars
from .engines import Engines
from .graph import Graph
from .labels import BEFORE, Labels
from .series import Series
from .tasks import ENDED, LiveState, LiveTask

_LOG = logging.getLogger(__name__)

_DEATHS = {"engine_died", "engines_crashed"}
"""The kinds of reasons by which an attempt has failed since its engine died."""

_OUTCOMES = {"busy": "given back", "refused": "given back", "not_sent": None}
"""How attempts ended that have not failed; None: it never came to its engine."""

NAMED = 5
"""So many tasks are named of those that failed with the same error."""


@dataclass
class Failures:
    """Tasks that failed with the same error, or since one failed with it.

    Attributes
    ----------
    number : int
        How many.
    first : list of LiveTask
        The first of them.
    text : str or None
        What the error of the first one was.
    """

    number: int = 0
    first: list[LiveTask] = field(default_factory=list)
    text: str | None = None


class Loss(NamedTuple):
    """Tasks that were not finished when their controller went; the next one knows none of them.

    Attributes
    ----------
    when : float
        When the next controller was first heard of, in seconds since the epoch.
    number : int
        How many.
    first : list of LiveTask
        Some of them, as far as single tasks were known.
    seen : float or None
        When it was last known that they were not finished, if nobody looked from then on until the
        next controller was there: some may have finished meanwhile.
    """

    when: float
    number: int
    first: list[LiveTask]
    seen: float | None = None


class Live:
    """What is known of tasks, engines and their attempts; each happening costs O(1).

    A dependency costs that, too.  Nothing is forgotten.

    Attributes
    ----------
    tasks : list of LiveTask
        All tasks, by their numbers.
    labels, graph, bars, series, engines
        See there.
    since : float or None
        From when on it is known what happened; None if nothing did.
    until : float
        When the scheduler said the latest of it; 0 before it has said anything.
    gaps : list of tuple of float
        From when to when it is not.
    is_whole : bool
        Whether all is known that has happened since the controller began.
    losses : list of Loss
        What was lost with each controller that went while tasks were under way.
    skipped : int
        How many happenings could not be taken in.
    skipped_text : str
        The first of these, and what was wrong with it.
    failures : dict of str to Failures
        By the error with which it began.
    """

    def __init__(self) -> None:
        self.tasks: list[LiveTask] = []
        self.labels = Labels()
        self.graph = Graph(self.labels)
        self.bars = Bars()
        self.series = Series()
        self.engines = Engines()
        self.since: float | None = None
        self.gaps: list[tuple[float, float]] = []
        self.is_whole = True
        self.losses: list[Loss] = []
        self.skipped = 0
        self.skipped_text = ""
        self.failures: dict[str, Failures] = {}
        self._by_id: dict[str, LiveTask] = {}
        self._unfinished: dict[int, LiveTask] = {}
        self._run: str | None = None
        self._unfinished_told = 0
        self._is_unseen = False
        self.until = 0.0

    def find(self, msg_id: str) -> LiveTask | None:
        """The task with an id, if it is known."""
        return self._by_id.get(msg_id)

    def parents(self, task: LiveTask) -> list[LiveTask]:
        """What a task depends on, as far as it is known."""
        return [self._by_id[parent] for parent in task.parents]

    @property
    def row_names(self) -> list[str]:
        """What the rows of engines are called."""
        return self.engines.row_names

    def take(self, page: Happenings) -> None:
        """Take in what has happened.

        Parameters
        ----------
        page : Happenings
            What follows the page before, or what another controller says.
        """
        happenings = page.happenings
        if page.run != self._run:
            self._begin(page)
        if page.missed:
            self._miss(happenings[0].when if happenings else page.time)
        if self.since is None and happenings:
            self.since = happenings[0].when
        self.engines.places.update(page.engines)
        for each in happenings:
            take = _TAKEN.get(each.what)
            if take is not None:  # others are of a later version
                try:
                    take(self, each)
                except Exception as error:  # the others are told once only
                    self._skip(each, error)
        self._is_unseen = False
        # what comes next follows the last of these, if there is more already
        self.until = happenings[-1].when if page.more and happenings else page.time
        self.series.until(page.time)

    def look_away(self) -> None:
        """Nobody looks any more: nothing is taken in until somebody does."""
        self._is_unseen = True

    def note(self, status: Status, is_latest: bool) -> None:
        """Take in how things stand.

        Parameters
        ----------
        status : Status
            As it was just before the latest happenings.
        is_latest : bool
            Whether all that had happened by then was taken in.
        """
        self.engines.note(status.engines, status.dead)
        if is_latest:
            self._unfinished_told = status.waiting + status.ready + status.assigned
            if not self.is_whole:
                self._note_work((*status.dead, *status.engines))

    def _note_work(self, engines: Iterable[EngineStatus | DeadEngine]) -> None:
        """Learn what engines work on, where it is forgotten that they were sent it."""
        for engine in engines:
            if engine.task is None or engine.since is None:
                continue
            task, since = self._by_id.get(engine.task), engine.since.timestamp()
            if task is None:
                task = self._new(engine.task, self.labels.number(engine.label), None)
                task.label = engine.label
                self._draw(task, [], since)
            elif task.state != "unknown":
                continue
            task.at = at = self.engines[engine.uuid]
            if at.works_on is not None:
                self._move(at.works_on.task, "ready", since)
            at.had(task, since)
            self._move(task, "running", since)

    def _skip(self, each: Happening, error: Exception) -> None:
        """A happening could not be taken in: say so, and go on with the next one."""
        if not self.skipped:
            self.skipped_text = f"{each.what} of task {each.msg_id}: {type(error).__name__} {error}"
            _LOG.warning("could not take in: %s", self.skipped_text, exc_info=error)
        self.skipped += 1

    def _begin(self, page: Happenings) -> None:
        """Another controller has begun: what was not finished will never be."""
        had_one, self._run = self._run is not None, page.run
        if had_one:
            self._lose(page.time)
            self.graph.end()
        self.failures = {}  # as those that the new controller counts
        self.engines.begin()
        self._unfinished_told = 0

    def _lose(self, when: float) -> None:
        """What was not finished is lost.  What may have finished unseen is unknown."""
        lost = [task for task in self._unfinished.values() if task.state != "unknown"]
        state: LiveState = "unknown" if self._is_unseen else "lost"
        for task in lost:
            if self._is_unseen:
                task.at = None
            else:
                self._close(task, self.until, "lost")
            self._move(task, state, self.until)
        self._unfinished = {}
        number = len(lost)
        if not self.is_whole and self._unfinished_told > number:
            # single tasks are not known, but their scheduler had counted them
            before = self.labels[self.labels.number(BEFORE)]
            before.states[state] += self._unfinished_told - number
            number = self._unfinished_told
        if number:
            self.losses.append(
                Loss(when, number, lost[:NAMED], self.until if self._is_unseen else None)
            )

    def _miss(self, when: float) -> None:
        """Happenings before this are forgotten: what was not finished may be by now."""
        self.is_whole = False
        if self.since is None:
            return
        self.gaps.append((min(self.until, when), when))
        for engine in self.engines:
            engine.held.clear()
        for task in self._unfinished.values():
            task.at = None
            self._move(task, "unknown", self.until)
        self.graph.end()

    # -- what can happen ---------------------------------------------------------------

    def _submitted(self, each: Happening) -> None:
        self._learn(each, each.when)
        self.series.count(each.when, 1)

    def _ready(self, each: Happening) -> None:
        self._move(self._task(each), "ready", each.when)

    def _assigned(self, each: Happening) -> None:
        task = self._task(each)
        assert each.engine is not None
        engine = self.engines[each.engine]
        begins = engine.take(task, each.when)
        task.at = engine
        self._move(task, "running" if begins else "ready", each.when)

    def _again(self, each: Happening) -> None:
        task = self._task(each)
        end_state = _OUTCOMES.get(each.outcome or "", _failed(each.kind))
        self._close(task, each.when, end_state)
        self._move(task, "ready", each.when)

    def _succeeded(self, each: Happening) -> None:
        task = self._task(each)
        seconds = self._close(task, each.when, "succeeded")
        if seconds is not None:
            self.labels.took(task, seconds)
        self._move(task, "succeeded", each.when)
        self.series.count(each.when, 2)

    def _failed(self, each: Happening) -> None:
        task = self._task(each)
        self._close(task, each.when, _failed(each.kind))
        task.reason = each.reason
        self._move(task, "failed" if each.ran else "never ran", each.when)
        self.series.count(each.when, 3)
        if each.cause is None:
            return  # the scheduler remembers those of the last thousand failures only
        failures = self.failures.setdefault(each.cause, Failures())
        failures.number += 1
        if len(failures.first) < NAMED:
            failures.first.append(task)
        if failures.text is None:
            failures.text = each.reason

    # -- what that changes -------------------------------------------------------------

    def _learn(self, each: Happening, submitted: float | None) -> LiveTask:
        """A task that was not known, as a happening tells of it."""
        # only those before it: one that depends on itself, or on a later one, is refused
        parents = [self._by_id[parent] for parent in each.parents if parent in self._by_id]
        task = self._new(each.msg_id, self.labels.number(each.label), submitted)
        task.label, task.cost = each.label, each.cost
        task.parents = tuple(parent.msg_id for parent in parents)
        task.parents_more = each.parents_more + len(each.parents) - len(parents)
        for parent in parents:
            parent.children.append(task)
        self._draw(task, parents, each.when)
        return task

    def _new(self, msg_id: str, group: int, submitted: float | None) -> LiveTask:
        task = LiveTask(len(self.tasks), msg_id)
        task.group = group
        task.submitted = submitted
        self.tasks.append(task)
        self._by_id[msg_id] = task
        self._unfinished[task.number] = task
        self.labels[task.group].states[task.state] += 1
        return task

    def _draw(self, task: LiveTask, parents: list[LiveTask], when: float) -> None:
        self.graph.add(task, parents, when)
        self.labels.show(task.group, self.graph.number)

    def _task(self, each: Happening) -> LiveTask:
        """The task of a happening; one that has ended before it was known has no label."""
        task = self._by_id.get(each.msg_id)
        if task is None:
            self.is_whole = False
            if each.label is not None or each.parents:
                return self._learn(each, None)
            task = self._new(each.msg_id, self.labels.number(BEFORE), None)
        return task

    def _move(self, task: LiveTask, state: LiveState, when: float) -> None:
        before = task.state
        if state == before or before in ENDED:
            return
        task.state = state
        states = self.labels[task.group].states
        states[before] -= 1
        states[state] += 1
        if state in ENDED:
            task.ended = when
            self._unfinished.pop(task.number, None)
        self.graph.moved(task, before, when)

    def _close(self, task: LiveTask, when: float, end_state: str | None) -> float | None:
        """The attempt of a task is over; how long it took, if there was one that was seen."""
        engine, task.at = task.at, None
        if engine is None:
            return None
        if end_state == "died" and engine.died is not None:
            when = min(when, engine.died)  # from then on its answer was waited for
        since, following = engine.give(task, when)
        if following is not None:
            self._move(following, "running", when)
        if end_state is None:
            return None
        task.bars.append(self.bars.add(task, engine.row, since, when, end_state))
        if end_state != "given back":
            task.seconds += when - since
        return when - since


def _failed(kind: str | None) -> str:
    return "died" if kind in _DEATHS else "failed"


_TAKEN: dict[str, Callable[[Live, Happening], None]] = {
    "submitted": Live._submitted,
    "ready": Live._ready,
    "assigned": Live._assigned,
    "again": Live._again,
    "succeeded": Live._succeeded,
    "failed": Live._failed,
}
