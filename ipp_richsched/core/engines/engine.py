"""An engine, and the attempts that hold its slots."""

from __future__ import annotations

from ..deadlines import Entry


class Attempt:
    """One try of a task on one engine; it holds a slot of the engine until it is over.

    It is over when the engine has answered it, could not be reached, has lost it, or is dead and
    its grace has ended.  The task can be answered before: then nobody waits for the attempt, and
    the engine is busy with it all the same.

    Attributes
    ----------
    msg_id : str
        The task.
    engine : Engine
        Where it runs.
    number : int
        1 for the first attempt of the task, 2 for the second.
    mark : int
        The number if the engine has had the task before, else 0: see `AssignTask.mark`.
    since : float
        When it was assigned.
    began : float or None
        When it became the oldest that the engine holds, and so the one that it works on.
    account : Account or None
        Whose time it takes, if clients take turns; `ready.fairness` alone knows what that is.
    run_timeout : float or None
        Seconds that the engine may take for it.
    timer : Entry or None
        The deadline of that, from when it is the oldest that the engine holds.
    """

    __slots__ = (
        "account",
        "began",
        "engine",
        "mark",
        "msg_id",
        "number",
        "run_timeout",
        "since",
        "timer",
    )

    def __init__(
        self,
        msg_id: str,
        engine: Engine,
        number: int,
        mark: int,
        since: float,
        run_timeout: float | None,
    ) -> None:
        self.msg_id = msg_id
        self.engine = engine
        self.number = number
        self.mark = mark
        self.since = since
        self.began = None if engine.attempts else since
        self.account: object | None = None
        self.run_timeout = run_timeout
        self.timer: Entry | None = None

    def __repr__(self) -> str:
        return f"<Attempt {self.number} of {self.msg_id} on {self.engine.ident!r}>"


class Engine:
    """An engine from its registration to the end of its grace.

    One that comes back under its name is another `Engine`.

    Attributes
    ----------
    ident : bytes
        Its identity on the wire.
    load : float
        How many attempts it holds (a subclass of the scheduler may count otherwise).
    stamp : int
        Its place in least-recently-used order, the least first.
    attempts : dict of str to Attempt
        Those that hold its slots, by msg_id, the oldest first.
    pause : float
        Seconds of its last pause after a send did not reach it; 0 if it was reached since.
    paused : int
        Why it is left alone, of `UNREACHED` and `INTERRUPTED`; 0 if it is not.
    interrupt : Entry or None
        While it is interrupted: when it gets tasks again, whatever became of that.
    out_of_reach : tuple of float, or None
        When the first and the last of several sends in a row did not reach it.
    questions : dict of int to float
        When it was asked what it has not answered yet, by the number of the question.
    probe : Entry or None
        The deadline of its next question.
    blamed : bool
        Whether it is dead, and the task that it was running is known.
    grace : float
        When its grace ends, if it is dead and held tasks.
    done, failed : int
        How many attempts have succeeded here, and how many have failed or were lost.
    position : int
        Its place in the index of its pool, -1 if it has none.
    """

    __slots__ = (
        "attempts",
        "blamed",
        "done",
        "failed",
        "grace",
        "ident",
        "interrupt",
        "load",
        "out_of_reach",
        "pause",
        "paused",
        "position",
        "probe",
        "questions",
        "stamp",
    )

    def __init__(self, ident: bytes, stamp: int) -> None:
        self.ident = ident
        self.load: float = 0
        self.stamp = stamp
        self.attempts: dict[str, Attempt] = {}
        self.pause = 0.0
        self.paused = 0
        self.interrupt: Entry | None = None
        self.out_of_reach: tuple[float, float] | None = None
        self.questions: dict[int, float] = {}
        self.probe: Entry | None = None
        self.blamed = False
        self.grace = 0.0
        self.done = self.failed = 0
        self.position = -1

    def __repr__(self) -> str:
        return f"<Engine {self.ident!r} load {self.load}>"


UNREACHED, INTERRUPTED = 1, 2
"""Why an engine is left alone: a send did not reach it; it is being interrupted."""

NO_ENGINES: frozenset[Engine] = frozenset()
"""The set of no engines."""
