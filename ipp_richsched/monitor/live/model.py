"""What happens on a cluster, taken in page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ...client.data import short
from ...client.happenings import Happening, Happenings, Place
from ...client.status import EngineStatus
from .bars import Bars
from .graph import Graph
from .labels import BEFORE, Labels
from .series import Series
from .tasks import ENDED, LiveEngine, LiveState, LiveTask

_DEATHS = {"engine_died", "engines_crashed"}
"""The kinds of reasons by which an attempt has failed since its engine died."""

_OUTCOMES = {"busy": "given back", "refused": "given back", "not_sent": None}
"""How attempts ended that have not failed; None: it never came to its engine."""

NAMED = 5
"""So many tasks are named of those that failed with the same error."""


GONE = ", gone"
"""What stands behind the name of an engine that is registered no more."""


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


class Live:
    """What is known of tasks, engines and their attempts; each happening costs O(1).

    A dependency costs that, too.  Nothing is forgotten.

    Attributes
    ----------
    tasks : list of LiveTask
        All tasks, by their numbers.
    labels, graph, bars, series
        See there.
    row_names : list of str
        What the rows of engines are called.
    since : float or None
        From when on it is known what happened; None if nothing did.
    until : float
        When the scheduler said the latest of it; 0 before it has said anything.
    gaps : list of tuple of float
        From when to when it is not.
    is_whole : bool
        Whether all is known that has happened since the controller began.
    lost : int
        How many tasks were not finished when their controller went.
    failures : dict of str to Failures
        By the error with which it began.
    """

    def __init__(self) -> None:
        self.tasks: list[LiveTask] = []
        self.labels = Labels()
        self.graph = Graph(self.labels)
        self.bars = Bars()
        self.series = Series()
        self.row_names: list[str] = []
        self.since: float | None = None
        self.gaps: list[tuple[float, float]] = []
        self.is_whole = True
        self.lost = 0
        self.failures: dict[str, Failures] = {}
        self._by_id: dict[str, LiveTask] = {}
        self._unfinished: dict[int, LiveTask] = {}
        self._engines: dict[str, LiveEngine] = {}
        self._rows: dict[int | str, int] = {}
        self._places: dict[str, Place] = {}
        self._run: str | None = None
        self.until = 0.0

    def find(self, msg_id: str) -> LiveTask | None:
        """The task with an id, if it is known."""
        return self._by_id.get(msg_id)

    def parents(self, task: LiveTask) -> list[LiveTask]:
        """What a task depends on, as far as it is known."""
        return [self._by_id[parent] for parent in task.parents]

    @property
    def engines(self) -> Iterable[LiveEngine]:
        """The engines that have held something."""
        return self._engines.values()

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
        self._places.update(page.engines)
        for each in happenings:
            take = _TAKEN.get(each.what)
            if take is not None:  # others are of a later version
                take(self, each)
        # what comes next follows the last of these, if there is more already
        self.until = happenings[-1].when if page.more and happenings else page.time
        self.series.until(page.time)

    def note_engines(self, engines: Iterable[EngineStatus]) -> None:
        """Give each registered engine its row, in the order of numbers, and mark who has gone."""
        gone = set(range(len(self.row_names)))
        for engine in sorted(engines, key=lambda each: (each.id is None, each.id or 0, each.uuid)):
            self._places[engine.uuid] = Place(engine.id, engine.uuid, engine.host)
            gone.discard(self._row(engine.uuid))
        for row in gone:
            self.row_names[row] = self.row_names[row].removesuffix(GONE) + GONE

    def _begin(self, page: Happenings) -> None:
        """Another controller has begun: what was not finished will never be."""
        had_one, self._run = self._run is not None, page.run
        if had_one:
            for task in [*self._unfinished.values()]:
                self._close(task, self.until, "lost")
                self._move(task, "lost", self.until)
                self.lost += 1
            self.graph.end()
        self._engines = {}
        self._places = {}

    def _miss(self, when: float) -> None:
        """Happenings before this are forgotten: what was not finished may be by now."""
        self.is_whole = False
        if self.since is None:
            return
        self.gaps.append((min(self.until, when), when))
        for engine in self._engines.values():
            engine.held.clear()
        for task in self._unfinished.values():
            task.at = None
            self._move(task, "unknown", self.until)
        self.graph.end()

    # -- what can happen ---------------------------------------------------------------

    def _submitted(self, each: Happening) -> None:
        # only those before it: one that depends on itself, or on a later one, is refused
        parents = [self._by_id[parent] for parent in each.parents if parent in self._by_id]
        task = self._new(each.msg_id, self.labels.number(each.label), each.when)
        task.label, task.cost = each.label, each.cost
        task.parents = tuple(parent.msg_id for parent in parents)
        task.parents_more = each.parents_more + len(each.parents) - len(parents)
        for parent in parents:
            parent.children.append(task)
        self.graph.add(task, parents, each.when)
        self.series.count(each.when, 1)

    def _ready(self, each: Happening) -> None:
        self._move(self._task(each), "ready", each.when)

    def _assigned(self, each: Happening) -> None:
        task = self._task(each)
        assert each.engine is not None
        engine = self._engine(each.engine)
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
        has_run = task.bars or each.engine is not None or task.state == "unknown"
        self._move(task, "failed" if has_run else "never ran", each.when)
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

    def _new(self, msg_id: str, group: int, when: float | None) -> LiveTask:
        task = LiveTask(len(self.tasks), msg_id)
        task.group = group
        task.submitted = when
        self.tasks.append(task)
        self._by_id[msg_id] = task
        self._unfinished[task.number] = task
        self.labels[task.group].states[task.state] += 1
        return task

    def _task(self, each: Happening) -> LiveTask:
        """The task of a happening; one whose submission is forgotten has no label."""
        task = self._by_id.get(each.msg_id)
        if task is None:
            self.is_whole = False
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
        since, following = engine.give(task, when)
        if following is not None:
            self._move(following, "running", when)
        if end_state is None:
            return None
        task.bars.append(self.bars.add(task, engine.row, since, when, end_state))
        if end_state != "given back":
            task.seconds += when - since
        return when - since

    def _engine(self, uuid: str) -> LiveEngine:
        engine = self._engines.get(uuid)
        if engine is None:
            engine = self._engines[uuid] = LiveEngine(self._row(uuid))
        return engine

    def _row(self, uuid: str) -> int:
        """The row of an engine: that of its number, which another controller gives again."""
        place = self._places.get(uuid)
        number = place.id if place is not None else None
        key: int | str = uuid if number is None else number
        row = self._rows.get(key, self._rows.get(uuid))
        if row is None:
            row = len(self.row_names)
            self.row_names.append("")
        self._rows[key] = row
        self.row_names[row] = short(uuid) if number is None else f"engine {number}"
        return row


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
