"""Where the time of a run went: that of its engines, and that of its tasks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ...workflows.runs import EndState, Life, Run
from ...workflows.times import queued, ready_times

HANDOVER = 0.5
"""Seconds: an engine that begins its next task sooner than this after it could was not idle; the
messages in between took the time."""

Interval = tuple[float, float]


@dataclass
class EngineTime:
    """What an engine spent its time on, in seconds.

    Attributes
    ----------
    running : float
        It worked on tasks.
    overhead : float
        It got from one task to the next, which was ready.
    starved : float
        It was idle, and no task was ready.
    passed_over : float
        It was idle although tasks were ready, which it did not get.
    """

    running: float = 0.0
    overhead: float = 0.0
    starved: float = 0.0
    passed_over: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.running + self.overhead + self.starved + self.passed_over

    def share(self, seconds: float) -> float:
        """Which part of it so many seconds are."""
        return seconds / self.total if self.total > 0 else 0.0

    def add(self, other: EngineTime) -> None:
        """Count another engine's time in."""
        self.running += other.running
        self.overhead += other.overhead
        self.starved += other.starved
        self.passed_over += other.passed_over


@dataclass
class TaskTime:
    """What tasks spent their time on, in seconds.

    Attributes
    ----------
    waiting : float
        They waited for others to end.
    queueing : float
        They could have run, and no engine worked on them.
    running : float
        Engines worked on them.
    """

    waiting: float = 0.0
    queueing: float = 0.0
    running: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.waiting + self.queueing + self.running


@dataclass(frozen=True)
class Account:
    """Where the time went.

    Attributes
    ----------
    engines : dict of str to EngineTime
        Of each engine, while it was there.
    tasks : dict of str to TaskTime
        Of each task, by its msg_id.
    blocking : dict of str to float
        By msg_ids: for how many seconds of engines that were idle for want of ready tasks a task
        ran.  Where several ran they share it.
    passed_over : dict of str to float
        By msg_ids: for how many seconds a task could have run while an engine was idle that did
        not get it.
    passed_over_after : dict of EndState or None to float
        The same seconds of all tasks, by how the attempt before had ended; None: there was none.
    """

    engines: Mapping[str, EngineTime]
    tasks: Mapping[str, TaskTime]
    blocking: Mapping[str, float]
    passed_over: Mapping[str, float]
    passed_over_after: Mapping[EndState | None, float]

    @property
    def engine_total(self) -> EngineTime:
        """Of all engines together."""
        total = EngineTime()
        for each in self.engines.values():
            total.add(each)
        return total

    @property
    def task_total(self) -> TaskTime:
        """Of all tasks together."""
        every = self.tasks.values()
        return TaskTime(
            sum(each.waiting for each in every),
            sum(each.queueing for each in every),
            sum(each.running for each in every),
        )


def account_of(run: Run) -> Account:
    """Find out where the time of a run went; O(attempts log attempts)."""
    ready = ready_times(run)
    queues = {msg_id: [*queued(run, task, ready.get(msg_id))] for msg_id, task in run.tasks.items()}
    had_ready = _Union(each for its in queues.values() for each in its)
    lives = lives_of(run)
    engines, gaps = _engine_times(run, lives, had_ready)
    was_idle = _Union(gaps)
    passed_over: dict[str, float] = {}
    after: dict[EndState | None, float] = {}
    for msg_id, its in queues.items():
        ends = {each.end: each.end_state for each in run.tasks[msg_id].stretches}
        for begin, end in its:
            if (seconds := was_idle.seconds(begin, end)) > 0:
                passed_over[msg_id] = passed_over.get(msg_id, 0.0) + seconds
                before = ends.get(begin)
                after[before] = after.get(before, 0.0) + seconds
    return Account(
        engines,
        {msg_id: _task_time(run, msg_id, ready.get(msg_id), queues[msg_id]) for msg_id in queues},
        _blocking(run, lives, had_ready),
        passed_over,
        after,
    )


def lives_of(run: Run) -> list[Life]:
    """When engines were there; of those of which it is not known, all the time until they died."""
    lives = [
        Life(each.engine, max(each.since, run.start), min(each.until, run.end), each.is_over)
        for each in run.lives
        if each.since <= run.end and each.until >= run.start
    ]
    known = {each.engine for each in run.lives}
    deaths = {
        each.engine: each.end
        for task in run.tasks.values()
        for each in task.stretches
        if each.end_state == "died"
    }
    for engine in run.engines:
        if engine not in known:
            end = deaths.get(engine, run.end)
            lives.append(Life(engine, run.start, end, engine in deaths))
    return lives


class _Union:
    """The times in which at least one of some intervals is; to look one up costs O(log n)."""

    def __init__(self, intervals: Iterable[Interval]) -> None:
        self.parts: list[Interval] = []
        for begin, end in sorted(intervals):
            if self.parts and begin <= self.parts[-1][1]:
                first, last = self.parts[-1]
                self.parts[-1] = first, max(last, end)
            else:
                self.parts.append((begin, end))
        self._begins = [begin for begin, _ in self.parts]
        self._before = [0.0, *accumulate(end - begin for begin, end in self.parts)]

    def seconds(self, begin: float, end: float) -> float:
        """How much of an interval is in it."""
        return self._until(end) - self._until(begin)

    def begin_of(self, when: float) -> float:
        """Since when it has lasted that ends at a time, or after it; the time itself if nothing."""
        place = bisect_left(self._begins, when) - 1
        if place >= 0 and self.parts[place][1] >= when:
            return self._begins[place]
        return when

    def _until(self, when: float) -> float:
        place = bisect_right(self._begins, when) - 1
        if place < 0:
            return 0.0
        begin, end = self.parts[place]
        return self._before[place] + min(when, end) - begin


def _engine_times(
    run: Run, lives: Sequence[Life], had_ready: _Union
) -> tuple[dict[str, EngineTime], list[Interval]]:
    """The time of each engine, and when one was idle although a task was ready."""
    busy: dict[str, list[Interval]] = {engine: [] for engine in run.engines}
    for task in run.tasks.values():
        for each in task.stretches:
            busy[each.engine].append((each.start, each.end))
    for intervals in busy.values():
        intervals.sort()
    times = {engine: EngineTime() for engine in run.engines}
    places = dict.fromkeys(run.engines, 0)
    latest = dict.fromkeys(run.engines, -1)
    gaps: list[Interval] = []
    ordered = sorted(lives, key=lambda life: life.since)
    for number, life in enumerate(ordered):
        latest[life.engine] = number
    for number, life in enumerate(ordered):
        time, intervals, free = times[life.engine], busy[life.engine], life.since
        while places[life.engine] < len(intervals):
            begin, end = intervals[places[life.engine]]
            if begin >= life.until and number != latest[life.engine]:
                break  # it is of the engine's next life
            places[life.engine] += 1
            if begin > free:
                gaps += _count_idle(time, free, begin, had_ready, is_next=True)
            time.running += max(0.0, end - max(begin, free))
            free = max(free, end)
        if free < life.until:
            gaps += _count_idle(time, free, life.until, had_ready, is_next=False)
    return times, gaps


def _count_idle(
    time: EngineTime, begin: float, end: float, had_ready: _Union, *, is_next: bool
) -> list[Interval]:
    """Count a time in which an engine did nothing, and return it if it was passed over then.

    `is_next`: after that it began a task.
    """
    ready = had_ready.seconds(begin, end)
    time.starved += end - begin - ready
    if is_next:
        handover = end - max(begin, had_ready.begin_of(end))
        if handover <= HANDOVER:
            time.overhead += handover
            ready -= handover
            end -= handover
    time.passed_over += ready
    return [(begin, end)] if ready > 0 else []


def _task_time(run: Run, msg_id: str, ready: float | None, queues: Sequence[Interval]) -> TaskTime:
    task = run.tasks[msg_id]
    end = ready
    if end is None:
        end = task.ended if task.ended is not None else run.end
    waiting = max(0.0, end - task.submitted)
    return TaskTime(waiting, sum(end - begin for begin, end in queues), task.seconds)


def _blocking(run: Run, lives: Sequence[Life], had_ready: _Union) -> dict[str, float]:
    """What ran while engines were idle for want of ready tasks; see `Account.blocking`."""
    changes: list[tuple[float, int, int, int]] = []  # when; engines, running, ready: more or less
    for life in lives:
        changes += [(life.since, 1, 0, 0), (life.until, -1, 0, 0)]
    for begin, end in had_ready.parts:
        changes += [(begin, 0, 0, 1), (end, 0, 0, -1)]
    stretches = [
        (msg_id, each.start, each.end)
        for msg_id, task in run.tasks.items()
        for each in task.stretches
        if each.end > each.start
    ]
    for _, begin, end in stretches:
        changes += [(begin, 0, 1, 0), (end, 0, -1, 0)]
    changes.sort()
    times, totals = [run.start], [0.0]
    engines = running = ready = 0
    for when, more_engines, more_running, more_ready in changes:
        if when > times[-1]:
            idle = max(0, engines - running) if running and not ready else 0
            share = idle / running if running else 0.0
            totals.append(totals[-1] + share * (when - times[-1]))
            times.append(when)
        engines, running, ready = engines + more_engines, running + more_running, ready + more_ready

    def until(when: float) -> float:
        place = bisect_right(times, when) - 1
        return totals[max(0, place)]

    found: dict[str, float] = {}
    for msg_id, begin, end in stretches:
        if (seconds := until(end) - until(begin)) > 0:
            found[msg_id] = found.get(msg_id, 0.0) + seconds
    return found
