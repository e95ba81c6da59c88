"""What is known of an attempt, a task, an engine."""

from __future__ import annotations

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
    number : int
        Its place in the order of all attempts.
    lost_since : float or None
        When the message, or the answer, was lost on the way.
    replied_at : float or None
        When the engine answered.
    final : list of bytes or None
        The engine's reply, where it certainly is the task's answer.
    replied_after : float or None
        When it had not answered yet, but was about to.
    said : str or None
        What it answered, as in `Behaviour.replies`.
    is_shaken : bool
        Whether the engine has lost its connection since, and perhaps its answer.
    """

    engine: str
    doubtful: bool
    number: int
    dead_since: float | None = None
    lost_since: float | None = None
    replied_at: float | None = None
    final: list[bytes] | None = None
    replied_after: float | None = None
    said: str | None = None
    is_shaken: bool = False


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
    runs : int
        How often an engine has run it, whether its answer was lost or not.
    refusals : int
        How many of them say that its functional dependency is unmet, or that the engine is busy.
    refused_by : dict of str to float
        Engines that have certainly refused it, and when; all begin anew where one is asked again.
    maybe_refused_by : set of str
        All that may have refused it.
    failed_on : dict of str to float
        Engines that have certainly failed it, and when they sent their answer, or lost it.
    maybe_failed_on : set of str
        All that may have failed it.
    blurred : set of str
        Engines of which some reply may have come too late, or been one too many, so that
        nobody can tell to which attempt it was taken to belong.
    busy_on : dict of str to float
        Engines that have certainly said that they are busy, and until when.
    maybe_busy_on : set of str
        All that may have said so.
    number : int
        Its place in the order in which the scheduler took tasks in.
    intask_at : float
        When the hub had heard of it.
    wanted_back : set of str
        The requests to take it back that were sent, but for those that it was not cancelled by and
        will not be.
    may_not_be_retried : bool
        Whether one was sent: what an engine has at the time is not retried.
    may_be_interrupted : bool
        Whether a request was sent that may have had it interrupted.
    interrupted_at : float or None
        When it was heard that it is being interrupted.
    is_over : bool
        Whether a request was answered that it is cancelled, or was finished.
    was_cancelled : bool
        Whether it was cancelled.
    was_cut_short : bool
        Whether it was answered that it ran for too long.
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
    runs: int = 0
    refusals: int = 0
    failed_on: dict[str, float] = field(default_factory=dict)
    maybe_failed_on: set[str] = field(default_factory=set)
    refused_by: dict[str, float] = field(default_factory=dict)
    maybe_refused_by: set[str] = field(default_factory=set)
    blurred: set[str] = field(default_factory=set)
    busy_on: dict[str, float] = field(default_factory=dict)
    maybe_busy_on: set[str] = field(default_factory=set)
    number: int = 0
    intask_at: float = 0.0
    wanted_back: set[str] = field(default_factory=set)
    may_not_be_retried: bool = False
    may_be_interrupted: bool = False
    interrupted_at: float | None = None
    is_over: bool = False
    was_cancelled: bool = False
    was_cut_short: bool = False
    outtask: list[bytes] | None = None
    answers: list[list[bytes]] = field(default_factory=list)

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    def on(self, engine: str) -> list[Attempt]:
        """Its attempts on `engine`."""
        return [attempt for attempt in self.attempts if attempt.engine == engine]

    @property
    def is_clear(self) -> bool:
        """Whether it is certain what the last attempt's engine has answered to it."""
        last = self.last
        return last is not None and not last.doubtful and last.engine not in self.blurred

    @property
    def is_held(self) -> bool:
        """Whether an engine certainly has it: one that lives, and has not answered or lost it."""
        return self.outtask is None and self.holds_a_slot

    @property
    def holds_a_slot(self) -> bool:
        """The same, or one that has it still though it was answered that it ran for too long."""
        last = self.last
        if last is None or (self.outtask and not self.was_cut_short) or not self.is_clear:
            return False
        return last.replied_at is None and last.dead_since is None and last.lost_since is None

    @property
    def retries_are_used(self) -> bool:
        """Whether it may have been tried as often as its retries allow."""
        return sum(map(self._may_take_a_retry, self.attempts)) > self.spec.retries

    def _may_take_a_retry(self, attempt: Attempt) -> bool:
        if attempt.doubtful or attempt.is_shaken or attempt.engine in self.blurred:
            return True
        if attempt.said in ("refuse", "busy"):
            return False
        died = attempt.dead_since and not (attempt.replied_at or attempt.lost_since)
        return self.spec.rich.max_crashes is None or not died

    @property
    def free_attempts(self) -> int:
        """How many attempts may have taken no retry."""
        free = self.refusals
        if self.spec.rich.max_crashes is not None:
            free += sum(attempt.doubtful or bool(attempt.dead_since) for attempt in self.attempts)
        return free


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
