"""What is known of a random cluster, from what was sent and received."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

from .script import TaskSpec


@dataclass
class Attempt:
    """A task on an engine, as the hub was told.

    Attributes
    ----------
    engine : str
    doubtful : bool
        Whether the engine had just been declared dead, and the scheduler may have known, or not.
    dead_since : float or None
        When the engine was declared dead, if that was during the attempt.
    replied : bool
    final : list of bytes or None
        The engine's reply, where it certainly is the task's answer.
    """

    engine: str
    doubtful: bool
    dead_since: float | None = None
    replied: bool = False
    final: list[bytes] | None = None


@dataclass
class Record:
    """A task.

    Attributes
    ----------
    spec : TaskSpec
    sent : list of bytes
    sent_at : float
    intask : bool
        Whether the hub has heard of it.
    invalid : bool
        Whether it depends on itself, or on what was unknown when it was taken in.
    attempts : list of Attempt
    replies : list of tuple of str, str and list of bytes
        Engine, kind and frames of all that engines have answered.
    refusals : int
        How many of them say that its functional dependency is unmet.
    refused_by, maybe_refused_by : set of str
        Engines whose refusal was certainly, or perhaps, taken in.
    blurred : set of str
        Engines of which some reply may have come too late, or been one too many, so that
        nobody can tell to which attempt it was taken to belong.
    outtask : list of bytes or None
        What the hub heard at its end.
    answers : list of list of bytes
        What its client got.
    """

    spec: TaskSpec
    sent: list[bytes]
    sent_at: float
    intask: bool = False
    invalid: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    replies: list[tuple[str, str, list[bytes]]] = field(default_factory=list)
    refusals: int = 0
    refused_by: set[str] = field(default_factory=set)
    maybe_refused_by: set[str] = field(default_factory=set)
    blurred: set[str] = field(default_factory=set)
    outtask: list[bytes] | None = None
    answers: list[list[bytes]] = field(default_factory=list)

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    def times_on(self, engine: str) -> int:
        """How often it was sent to `engine`."""
        return sum(attempt.engine == engine for attempt in self.attempts)

    @property
    def is_clear(self) -> bool:
        """Whether it is certain what the last attempt's engine has answered to it."""
        last = self.last
        return last is not None and not last.doubtful and last.engine not in self.blurred

    @property
    def is_held(self) -> bool:
        """Whether an engine certainly has it: one that lives and has not answered."""
        last = self.last
        if last is None or self.outtask or not self.is_clear:
            return False
        return not last.replied and last.dead_since is None

    @property
    def retries_are_used(self) -> bool:
        """Whether it was tried as often as its retries allow, refusals not counted."""
        return len(self.attempts) > self.spec.retries


@dataclass
class EngineRecord:
    """What the hub has said of an engine.

    Attributes
    ----------
    notices : int
        How many times the hub has said that it is there, or gone.
    settled : int
        How many of these have certainly been taken in.
    settled_at : float
        When the last of those was.
    last_death : int
        The number of the last notice of its death; -1 if there was none.
    dead_since : float or None
        When that was; None again if it has come back.
    """

    notices: int = 0
    settled: int = 0
    settled_at: float = 0.0
    last_death: int = -1
    dead_since: float | None = None

    @property
    def is_settled(self) -> bool:
        return self.settled == self.notices

    def lives_since(self, when: float) -> bool:
        """Whether the scheduler certainly has known since then that it lives."""
        return self.dead_since is None and self.is_settled and self.settled_at <= when


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
    """

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.engines: dict[str, EngineRecord] = {}
        self.finished: dict[bool, set[str]] = {True: set(), False: set()}
        self.finished_on: dict[tuple[str, bool], set[str]] = defaultdict(set)
        self.place: dict[str, str | None] = {}

    def submit(self, spec: TaskSpec, frames: list[bytes]) -> None:
        self.records[spec.msg_id] = Record(spec, frames, time.monotonic())

    def register(self, engine: str) -> None:
        record = self.engines.setdefault(engine, EngineRecord())
        record.notices += 1
        record.dead_since = None
        for task in self.records.values():
            task.refused_by.discard(engine)  # one that comes back is a new engine

    def unregister(self, engine: str) -> None:
        now, known = time.monotonic(), self.engines[engine]
        known.last_death = known.notices
        known.notices += 1
        known.dead_since = now
        for record in self.records.values():
            for attempt in record.attempts:
                if attempt.engine == engine and attempt.dead_since is None:
                    attempt.dead_since = now

    def settle(self, engine: str, notices: int) -> None:
        """The first `notices` of what the hub said of `engine` have been taken in."""
        self.engines[engine].settled = notices
        self.engines[engine].settled_at = time.monotonic()

    def reply(self, engine: str, record: Record, kind: str, frames: list[bytes]) -> None:
        """An engine answers; `kind` as in `Behaviour.replies`."""
        last = record.last
        assert last is not None
        clean = record.is_held and last.engine == engine
        record.replies.append((engine, kind, frames))
        if kind == "refuse":
            record.refusals += 1
            record.maybe_refused_by.add(engine)
        if last.engine == engine:
            last.replied = True
        if not clean:
            record.blurred.add(engine)
        elif kind == "refuse":
            record.refused_by.add(engine)
        elif kind != "error" or len(record.attempts) - record.refusals > record.spec.retries:
            last.final = frames

    def take_in(self, record: Record) -> None:
        """The scheduler has got a task."""
        record.intask = True
        known = {msg_id for msg_id, other in self.records.items() if other.intask}
        dependencies = record.spec.after | record.spec.follow
        record.invalid = record.spec.msg_id in dependencies or not dependencies <= known

    def assign(self, record: Record, engine: str) -> None:
        known = self.engines.get(engine)
        doubtful = known is not None and known.last_death >= known.settled
        record.attempts.append(Attempt(engine, doubtful))

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
            if record.is_held and record.attempts[-1].engine == engine
        ]

    def ends(self) -> tuple[set[str], set[str]]:
        """The finished tasks as `ipyparallel.Dependency` wants them."""
        return self.finished[True], self.finished[False]

    def ends_on(self, engine: str) -> tuple[set[str], set[str]]:
        return self.finished_on[engine, True], self.finished_on[engine, False]
