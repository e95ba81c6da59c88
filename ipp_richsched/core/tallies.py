"""How many tasks there are in each state: kept where they change it, never counted by a walk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, TypeAlias, get_args

from .failures import Cause, Failure
from .flags import RichFlags
from .rates import Lately, Totals
from .reasons import Reason
from .story import Why

MOST = 500
"""How many tallies are kept at most; what else there is has one together."""

CAUSES = 100
"""Of how many names of errors it is known how many failures began with them."""

OTHERS = "others"
"""The name under which failures are counted that began with another error."""

RAISED, ABORTED = "raised", "aborted"
"""The kinds of failures that are relayed: the task raised an error, or its engine aborted it."""

Key: TypeAlias = tuple[int, bytes, str | None]


@cache
def _snake(name: str) -> str:
    return re.sub("(?<=.)([A-Z])", r"_\1", name).lower()


def kind_of(reason: Reason) -> str:
    """The kind of a reason, as it is counted: ``'timed_out'`` for `TimedOut`."""
    return _snake(type(reason).__name__)


KINDS = (RAISED, ABORTED, *(_snake(each.__name__) for each in get_args(Reason)))
"""All kinds of failures."""


def name_of(cause: Cause) -> str | Failure:
    """Under what a failure is counted by the cause with which it began."""
    if cause.failure is not None:
        return cause.failure
    return cause.error.ename if cause.error is not None else ABORTED


class Example(NamedTuple):
    """A task with whose failure others began.

    Attributes
    ----------
    msg_id : str
        What names it.
    label : str or None
        Its label, or the name of its function.
    why : Why
        Why it has failed.
    """

    msg_id: str
    label: str | None
    why: Why


class Tally:
    """Tasks of one priority, client and label, by state.

    Kept are the numbers of steps that they made, since one that only grows costs the least.

    Attributes
    ----------
    priority : int
        Their own priority, not one that they are lent.
    client : bytes
        The identity of their client.
    label : str or None
        Their label, or the name of their function; None if they have none.
    submitted : int
        How many there were.
    released : int
        How many have become ready for the first time.
    assigned_ever, given_back : int
        How often one was assigned, and how often one became ready again after that.
    succeeded : int
        How many have succeeded.
    failed_waiting, failed_ready, failed_assigned : int
        How many have failed in that state.
    """

    __slots__ = (
        "assigned_ever",
        "client",
        "failed_assigned",
        "failed_ready",
        "failed_waiting",
        "given_back",
        "label",
        "priority",
        "released",
        "submitted",
        "succeeded",
    )

    def __init__(self, priority: int, client: bytes, label: str | None) -> None:
        self.priority = priority
        self.client = client
        self.label = label
        self.submitted = self.released = self.assigned_ever = self.given_back = 0
        self.succeeded = self.failed_waiting = self.failed_ready = self.failed_assigned = 0

    @property
    def waiting(self) -> int:
        """How many wait for a dependency."""
        return self.submitted - self.released - self.failed_waiting

    @property
    def ready(self) -> int:
        """How many are ready, and on no engine."""
        return self.released + self.given_back - self.assigned_ever - self.failed_ready

    @property
    def assigned(self) -> int:
        """How many are on an engine."""
        return self.assigned_ever - self.given_back - self.succeeded - self.failed_assigned

    @property
    def failed(self) -> int:
        """How many have failed."""
        return self.failed_waiting + self.failed_ready + self.failed_assigned

    @property
    def unfinished(self) -> int:
        """How many have not finished."""
        return self.submitted - self.succeeded - self.failed

    def take_over(self, other: Tally) -> None:
        """Count what another has counted, of which all tasks have finished."""
        self.submitted += other.submitted
        self.released += other.released
        self.assigned_ever += other.assigned_ever
        self.given_back += other.given_back
        self.succeeded += other.succeeded
        self.failed_waiting += other.failed_waiting
        self.failed_ready += other.failed_ready
        self.failed_assigned += other.failed_assigned


class Tallies:
    """The tallies, and why tasks failed.

    Attributes
    ----------
    rest : Tally
        The tasks for which there is no tally of their own, or no more.
    failed : dict of str to int
        How many tasks have failed, by the kind of the reason.
    causes : dict of str or Failure to int
        The same, by what it began with: the name of the error that a task raised, or why one failed
        that raised none.  `CAUSES` of them at most, and `OTHERS`.
    examples : dict of str or Failure to Example
        For each of these names the last task that failed so itself, not since another had.  The
        name whose example is the latest comes last.
    lately : Lately
        The same as `causes`, of the last hour.
    never_ran : int
        How many of them no engine ever had.
    failed_at : float or None
        When the last one failed that no client took back.
    """

    def __init__(self) -> None:
        self.rest = Tally(0, b"", None)
        self.failed: dict[str, int] = {}
        self.causes: dict[str | Failure, int] = {}
        self.examples: dict[str | Failure, Example] = {}
        self.lately = Lately()
        self.never_ran = 0
        self.failed_at: float | None = None
        self._tallies: dict[Key, Tally] = {}
        self._asked = 0  # for new ones, since it was last looked for some that are not needed

    def of(self, rich: RichFlags, client: bytes) -> Tally:
        """The tally of new tasks; O(1) amortized."""
        key = rich.priority, client, rich.label
        tally = self._tallies.get(key)
        if tally is not None:
            return tally
        self._asked += 1
        if len(self._tallies) >= MOST:
            if self._asked >= MOST:  # or each new one would pay for a walk
                self._make_room()
            if len(self._tallies) >= MOST:
                return self.rest
        tally = self._tallies[key] = Tally(*key)
        return tally

    def count_failure(
        self, kind: str, msg_id: str, why: Why, cause: Cause, now: float, *, ran: bool
    ) -> None:
        """Count a failure; O(1).

        Parameters
        ----------
        kind : str
            Its kind.
        msg_id : str
            The task that has failed.
        why : Why
            Why it has.
        cause : Cause
            With what that began.
        now : float
            The time.
        ran : bool
            Whether an engine had the task.
        """
        self.failed[kind] = self.failed.get(kind, 0) + 1
        name = name_of(cause)
        if name not in self.causes and len(self.causes) >= CAUSES:
            name = OTHERS
        self.causes[name] = self.causes.get(name, 0) + 1
        if cause.msg_id == msg_id:
            self.examples.pop(name, None)
            self.examples[name] = Example(msg_id, cause.label, why)
        self.lately.count(name, now)
        self.never_ran += not ran
        if name is not Failure.CANCELLED:
            self.failed_at = now

    def totals(self) -> Totals:
        """How many tasks were submitted so far, succeeded and failed; O(`MOST`)."""
        totals = [(tally.submitted, tally.succeeded, tally.failed) for tally in self]
        return Totals(*map(sum, zip(*totals, strict=True)))

    def __iter__(self) -> Iterator[Tally]:
        """All of them; the last one is `rest`."""
        yield from self._tallies.values()
        yield self.rest

    def _make_room(self) -> None:
        """Give up the tallies of which all tasks have finished; O(`MOST`)."""
        self._asked = 0
        for key, tally in [*self._tallies.items()]:
            if not tally.unfinished:
                self.rest.take_over(tally)
                del self._tallies[key]
