"""Whether a task that is not answered has a reason to wait, at a moment when all is quiet.

All is quiet when nothing was sent and nothing came for longer than any deadline is away that
could bring something about.  What is known then is what the scheduler knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set

from .ledger import Ledger
from .placements import FIRST_PAUSE
from .records import Record
from .script import Script
from .values import Values

LONG = 1.0
"""Seconds that are longer than it is quiet."""


class Waits:
    """The reasons for which tasks may wait.

    Parameters
    ----------
    ledger : Ledger
    script : Script
    values : Values
    connected : set of str
        The engines that are there; others may be registered, and cannot be reached.
    held : set of tuple of str
        The engines and tasks that they have not answered.
    """

    def __init__(
        self,
        ledger: Ledger,
        script: Script,
        values: Values,
        connected: Set[str],
        held: Set[tuple[str, str]],
    ) -> None:
        self._ledger = ledger
        self._values = values
        self._script = script
        self._connected = connected
        self._busy = {engine for engine, _ in held}
        self._dead = {name for name, known in ledger.engines.items() if known.dead_since}
        self._alive = ledger.engines.keys() - self._dead
        holding = {
            msg_id: record.last.engine
            for msg_id, record in ledger.records.items()
            if record.last
            and (record.was_cut_short or not record.outtask)
            and self._is_placed(record, held)
        }
        self._load = Counter(holding.values())
        self._placed = {
            msg_id: engine
            for msg_id, engine in holding.items()
            if not ledger.records[msg_id].outtask
        }

    def _is_placed(self, record: Record, held: Set[tuple[str, str]]) -> bool:
        """Whether a task is where the hub heard last that it was."""
        assert record.last is not None
        engine = record.last.engine
        if engine not in self._alive or (record.last.dead_since and not record.last.doubtful):
            return False
        if engine in self._connected and not record.last.lost_since:
            return (engine, record.spec.msg_id) in held
        # it fell off without a word, with what it had; or nobody knows yet that it is lost
        return not record.last.replied_at

    def is_due(self, record: Record) -> str:
        """What the scheduler must have found out about a task, in bounded time."""
        spec, last = record.spec, record.last
        if record.outtask:
            return ""
        if spec.msg_id in self._placed:
            assert last is not None
            if (
                spec.rich.run_timeout
                and not last.lost_since
                and self._ledger.certainly_runs(record)
            ):
                return f"it runs for longer than {spec.rich.run_timeout} s"
            # An engine that holds something answers no questions; and where others come first
            # for long, the task may be known to be lost.
            waits = (
                len(record.attempts) - record.free_attempts <= spec.retries
                and self._script.retry_elsewhere > LONG
            )
            if last.lost_since and last.engine in self._connected - self._busy and not waits:
                return f"it is lost on {last.engine}"
            return ""
        ends = self._ledger.ends()
        if not spec.after.check(*ends) or not spec.follow <= self._ledger.place.keys():
            return ""
        if self._values.may_wait(record):
            return ""
        if not (spec.targets or spec.follow):
            return ""
        if record.maybe_refused_by:
            return ""  # those are asked again, in growing intervals
        places = self._places(record, frozenset())
        # where an engine is full nobody tries to reach it
        if places and not places & self._connected and all(map(self._has_room, places)):
            return f"{sorted(places)} are out of reach"
        return ""

    def has_no_reason(self, record: Record) -> str:
        """Why a task should have been answered, or be on an engine; empty where it may wait."""
        spec = record.spec
        if record.outtask or spec.msg_id in self._placed:
            return ""
        ends = self._ledger.ends()
        if record.invalid or spec.after.unreachable(*ends) or spec.follow.unreachable(*ends):
            return "its dependencies are impossible"
        if not ends[1].isdisjoint(spec.rich.arguments):
            return "one of its arguments has failed"
        if spec.targets and self._dead >= set(spec.targets):
            return "its targets are dead"
        all_ran = spec.follow <= self._ledger.place.keys()
        if spec.follow and self._cannot_follow(record, all_ran):
            return "what it follows ran on an engine that is dead, or nowhere"
        if not spec.after.check(*ends) or not self._alive or self._values.may_wait(record):
            return ""
        places = self._places(record, record.refused_by.keys())
        if all_ran and not places and self._would_be_asked(record):
            return "no engine can take it"
        sure = self._places(record, record.maybe_refused_by)
        room = {name for name in sure & self._connected if self._has_room(name)}
        if record.attempts and room != places and self._script.retry_elsewhere > LONG:
            return ""  # engines that failed it are asked again only when no others are left
        return f"{sorted(room)} can take it" if room else ""

    def _cannot_follow(self, record: Record, all_ran: bool) -> bool:
        follow, place = record.spec.follow, self._ledger.place
        ran = {place[msg_id] for msg_id in follow & place.keys()}
        return not ran <= self._alive if follow.all else all_ran and ran.isdisjoint(self._alive)

    def _places(self, record: Record, refused_by: Set[str]) -> set[str]:
        """The engines that may take a task."""
        spec = record.spec
        return {
            name
            for name in self._alive - refused_by
            if (not spec.targets or name in spec.targets)
            and spec.follow.check(*self._ledger.ends_on(name))
        }

    def _would_be_asked(self, record: Record) -> bool:
        """Whether a task that all refused is on no engine because none would take it."""
        if self._script.stranded_timeout <= FIRST_PAUSE:
            return True
        refused = self._places(record, set())
        return not refused or any(map(self._has_room, refused & self._connected))

    def _has_room(self, name: str) -> bool:
        hwm = self._script.hwm
        return not hwm or self._load[name] < hwm
