"""What is known of a random cluster, from what was sent and received."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from itertools import count

from .records import Attempt, EngineRecord, Record
from .script import BUSY, CancelSpec, TaskSpec

APART = 2.5
"""Seconds after which the scheduler certainly knows that an engine has a connection again."""

FAR = 1.5
"""Seconds without a connection before which no engine is given up: the scheduler's pauses."""


class Ledger:
    """The tasks, the engines, and how tasks have ended, as far as the hub has heard.

    Attributes
    ----------
    records : dict of str to Record
    engines : dict of str to EngineRecord
    finished : dict of bool to set of str
        The tasks that succeeded, and those that failed.
    finished_on : dict of tuple of str and bool to set of str
        The same for each engine on which they ended.
    place : dict of str to str or None
        Where finished tasks ended, None for nowhere.
    reached : set of str
        Engines to which something has come over the connection that they have.
    """

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.engines: dict[str, EngineRecord] = {}
        self.finished: dict[bool, set[str]] = {True: set(), False: set()}
        self.finished_on: dict[tuple[str, bool], set[str]] = defaultdict(set)
        self.place: dict[str, str | None] = {}
        self.reached: set[str] = set()
        self._apart: dict[str, tuple[float, float]] = {}  # from when to when, the last time
        self._heard: set[str] = (
            set()
        )  # engines whose answers certainly counted since they connected
        self._wanted_early: dict[str, list[CancelSpec]] = defaultdict(list)
        self._held_at: dict[tuple[str, str], Attempt] = {}
        self._numbers = count(1)
        self._places = count(1)

    def submit(self, spec: TaskSpec, frames: list[bytes]) -> None:
        self.records[spec.msg_id] = Record(spec, frames, time.monotonic())
        for request in self._wanted_early.pop(spec.msg_id, []):  # over another connection
            self.want_back(spec.msg_id, request)

    def register(self, engine: str) -> None:
        record = self.engines.setdefault(engine, EngineRecord())
        record.notices += 1
        record.dead_since = None
        now = time.monotonic()
        _, until = self._apart.get(engine, (now, math.inf))
        if until == math.inf:
            self._apart[engine] = now, until  # as a new engine it is tried anew
        for task in self.records.values():
            task.refused_by.pop(engine, None)  # one that comes back is a new engine
            task.failed_on.pop(engine, None)
            task.busy_on.pop(engine, None)

    def unregister(self, engine: str) -> None:
        now, known = time.monotonic(), self.engines[engine]
        known.last_death = known.notices
        known.notices += 1
        known.dead_since = now
        far = self.was_far(engine)
        for record in self.records.values():
            for attempt in record.attempts:
                if attempt.engine == engine and attempt.dead_since is None:
                    attempt.dead_since = now
                    if far:  # it may have been given up before
                        attempt.lost_since = attempt.lost_since or now

    def connect(self, engine: str) -> None:
        """An engine has got a connection."""
        now = time.monotonic()
        since, _ = self._apart.get(engine, (now, now))
        self._apart[engine] = since, now

    def disconnect(self, engine: str) -> None:
        """An engine has lost its connection."""
        since, _ = self._apart.get(engine, (math.inf, 0.0))
        # to the scheduler one that has answered nothing may have had none all the time
        self._apart[engine] = time.monotonic() if engine in self._heard else since, math.inf
        self.reached.discard(engine)
        self._heard.discard(engine)
        for record in self.records.values():
            for attempt in record.on(engine):
                attempt.is_shaken = True

    def was_apart(self, engine: str) -> bool:
        """Whether an engine may seem to have no connection."""
        _, until = self._apart.get(engine, (0.0, math.inf))
        return time.monotonic() - APART < until

    def was_far(self, engine: str) -> bool:
        """Whether an engine may seem to have none, and had none for so long that it is given up."""
        since, until = self._apart.get(engine, (0.0, math.inf))
        return self.was_apart(engine) and min(until, time.monotonic()) - since >= FAR

    def certainly_holds(self, record: Record) -> bool:
        """Whether an engine has a task, and cannot have been given up."""
        return record.is_held and not self.was_far(record.attempts[-1].engine)

    def settle(self, engine: str, notices: int) -> None:
        """The first `notices` of what the hub said of `engine` have been taken in."""
        self.engines[engine].settled = notices
        self.engines[engine].settled_at = time.monotonic()

    def reply(
        self, record: Record, attempt: Attempt, kind: str, frames: list[bytes], when: float
    ) -> None:
        """An engine has answered, not before `when`; `kind` as in `Behaviour.replies`."""
        clean = record.is_held and attempt is record.last
        engine = attempt.engine
        if clean:
            self._heard.add(engine)
        record.replies.append((engine, kind, frames))
        attempt.replied_after = attempt.replied_after or when
        attempt.said = kind
        if kind in ("refuse", "busy"):
            record.refusals += 1
            maybe = record.maybe_refused_by if kind == "refuse" else record.maybe_busy_on
            maybe.add(engine)
        elif kind == "error":
            record.maybe_failed_on.add(engine)
        attempt.replied_at = attempt.replied_at or time.monotonic()
        if not clean:
            record.blurred.add(engine)
        elif kind == "refuse":
            record.refused_by[engine] = when
        elif kind == "busy":
            record.busy_on[engine] = when + BUSY
        elif kind != "error" or self._was_last(record):
            attempt.final = frames
        elif not record.may_be_interrupted:
            record.failed_on[engine] = when

    def _was_last(self, record: Record) -> bool:
        """Whether an attempt that has failed now certainly was the last one."""
        return len(record.attempts) - record.free_attempts > record.spec.retries

    def take_in(self, record: Record) -> None:
        """The scheduler has got a task."""
        record.intask, record.intask_at = True, time.monotonic()
        record.number = next(self._places)
        known = {msg_id for msg_id, other in self.records.items() if other.intask}
        spec = record.spec
        dependencies = {*spec.after, *spec.follow, *spec.rich.arguments}
        record.invalid = spec.msg_id in dependencies or not dependencies <= known

    def assign(self, record: Record, engine: str) -> None:
        known = self.engines.get(engine)
        doubtful = known is not None and known.last_death >= known.settled
        last = record.last
        if last is not None and last.lost_since and record.is_clear and last.dead_since is None:
            record.failed_on[last.engine] = last.lost_since
        if engine in record.refused_by:  # all are asked again
            record.refused_by.clear()
        record.attempts.append(Attempt(engine, doubtful, next(self._numbers)))

    def lose(self, record: Record, attempt: Attempt) -> None:
        """A message, or an answer, is lost on the way."""
        attempt.lost_since = time.monotonic()
        record.maybe_failed_on.add(attempt.engine)

    def crashes(self, record: Record) -> int:
        """How many engines perhaps died of a task."""
        crashes = 0
        for attempt in record.attempts:
            if attempt.doubtful:
                crashes += 1
            elif attempt.dead_since:
                crashes += all(
                    other.replied_at or other.lost_since or other.doubtful
                    for other in self._older(attempt)
                )
        return crashes

    def is_crash(self, record: Record, attempt: Attempt) -> bool:
        """Whether its engine certainly died of it: it was the oldest that it had not answered."""
        died = attempt.dead_since
        return (
            died is not None
            and not attempt.doubtful
            and attempt.engine not in record.blurred
            and not (attempt.replied_at or attempt.lost_since)
            and all(other.replied_at and other.replied_at < died for other in self._older(attempt))
        )

    def _older(self, attempt: Attempt) -> list[Attempt]:
        """What an engine had got before, in the same life or, where in doubt, in an earlier one."""
        return [
            other
            for task in self.records.values()
            for other in task.on(attempt.engine)
            if other.number < attempt.number and other.dead_since == attempt.dead_since
        ]

    def finish(self, record: Record, frames: list[bytes], success: bool, where: str | None) -> None:
        record.outtask = frames
        self.place[record.spec.msg_id] = where
        self.count(record, success, where)

    def count(self, record: Record, success: bool, where: str | None) -> None:
        """Have a task's end meet the dependencies of others."""
        self.finished[success].add(record.spec.msg_id)
        if where is not None:
            self.finished_on[where, success].add(record.spec.msg_id)

    def count_the_lost(self, grace: float) -> None:
        """Have tasks that died with their engine meet dependencies, before the hub hears of it."""
        for record in self.records.values():
            last = record.last
            if last and last.dead_since and time.monotonic() > last.dead_since + grace:
                self.count(record, False, last.engine)

    def held_by(self, engine: str) -> list[str]:
        """The tasks that `engine` certainly has."""
        return [
            msg_id
            for msg_id, record in self.records.items()
            if record.holds_a_slot
            and record.attempts[-1].engine == engine
            and not (record.was_cut_short and self.was_far(engine))  # it may have been given up
        ]

    def ends(self) -> tuple[set[str], set[str]]:
        """The finished tasks as `ipyparallel.Dependency` wants them."""
        return self.finished[True], self.finished[False]

    def want_back(self, msg_id: str, spec: CancelSpec) -> None:
        """A request to take a task back was sent."""
        record = self.records.get(msg_id)
        if record is None:
            self._wanted_early[msg_id].append(spec)
            return
        record.wanted_back.add(spec.name)
        record.may_not_be_retried = True
        record.may_be_interrupted |= spec.interrupt
        if record.is_held:
            assert record.last is not None
            self._held_at[spec.name, msg_id] = record.last

    def wants_no_more(self, msg_id: str, spec: CancelSpec) -> None:
        """A request was answered before the task that it names was submitted."""
        self._wanted_early[msg_id].remove(spec)

    def held_since(self, record: Record, name: str) -> bool:
        """Whether an engine certainly has had a task since a request was sent."""
        attempt = self._held_at.get((name, record.spec.msg_id))
        return attempt is not None and attempt is record.last and self.certainly_holds(record)

    def give_back(self, record: Record, spec: CancelSpec, outcome: str | None) -> None:
        """A request was answered."""
        if outcome == "cancelled":
            record.was_cancelled = True
        elif outcome not in ("running", "interrupted"):  # those are if an engine gives them back
            record.wanted_back.discard(spec.name)
        record.is_over |= outcome in ("cancelled", "finished")
        if outcome == "interrupted":
            record.interrupted_at = time.monotonic()

    def maybe_cancelled(self) -> set[str]:
        """Tasks that may be cancelled though the hub has not heard of it: it hears of it late."""
        records = self.records.items()
        return {msg_id for msg_id, record in records if record.wanted_back and not record.outtask}

    def possible_ends(self) -> tuple[set[str], set[str]]:
        """The same with those that may be cancelled."""
        return self.finished[True], self.finished[False] | self.maybe_cancelled()

    def certainly_runs(self, record: Record) -> bool:
        """Whether a task is the oldest that its engine has, so that the engine works on it."""
        last = record.last
        assert last is not None
        return last.dead_since is None and all(
            other.replied_at or other.dead_since for other in self._older(last)
        )

    def began_after(self, record: Record) -> float:
        """A time at which the last attempt of a task had certainly not begun to run."""
        *earlier, last = record.attempts
        times = [record.sent_at]
        for attempt in earlier:
            if attempt.doubtful:
                continue  # it may have been over as soon as it began
            ends = (attempt.replied_after, attempt.dead_since, attempt.lost_since)
            times.append(min(filter(None, ends), default=0.0))
        for other in self.records.values():
            attempt = other.last
            if attempt is None or attempt.engine != last.engine or attempt.number >= last.number:
                continue
            if other.holds_a_slot and not self.was_far(last.engine):
                times.append(math.inf)
        return max(times)

    def ends_on(self, engine: str) -> tuple[set[str], set[str]]:
        return self.finished_on[engine, True], self.finished_on[engine, False]
