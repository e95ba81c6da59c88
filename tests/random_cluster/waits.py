"""Whether a task that is not answered has a reason to wait, at a moment when all is quiet.

All is quiet when nothing was sent and nothing came for longer than any deadline is away that
could bring something about.  What is known then is what the scheduler knows.
"""

from __future__ import annotations

from collections.abc import Set

from .ledger import Ledger, Record


class Waits:
    """The reasons for which tasks may wait.

    Parameters
    ----------
    ledger : Ledger
    hwm : int
    connected : set of str
        The engines that are there; others may be registered, and cannot be reached.
    held : set of tuple of str
        The engines and tasks that they have not answered.
    """

    def __init__(
        self, ledger: Ledger, hwm: int, connected: Set[str], held: Set[tuple[str, str]]
    ) -> None:
        self._ledger = ledger
        self._hwm = hwm
        self._connected = connected
        self._dead = {name for name, known in ledger.engines.items() if known.dead_since}
        self._alive = ledger.engines.keys() - self._dead
        self._placed = {
            msg_id: record.last.engine
            for msg_id, record in ledger.records.items()
            if record.last and not record.outtask and self._is_placed(record, held)
        }

    def _is_placed(self, record: Record, held: Set[tuple[str, str]]) -> bool:
        """Whether a task is where the hub heard last that it was."""
        assert record.last is not None
        engine = record.last.engine
        if engine not in self._alive or (record.last.dead_since and not record.last.doubtful):
            return False
        if engine in self._connected:
            return (engine, record.spec.msg_id) in held
        # it fell off without a word, with what it had
        return not record.last.replied

    def has_no_reason(self, record: Record) -> str:
        """Why a task should have been answered, or be on an engine; empty where it may wait."""
        spec = record.spec
        if record.outtask or spec.msg_id in self._placed:
            return ""
        ends = self._ledger.ends()
        if record.invalid or spec.after.unreachable(*ends) or spec.follow.unreachable(*ends):
            return "its dependencies are impossible"
        if spec.targets and self._dead >= set(spec.targets) - record.refused_by:
            return "its targets are dead"
        all_ran = spec.follow <= self._ledger.place.keys()
        if spec.follow and self._cannot_follow(record, all_ran):
            return "what it follows ran on an engine that is dead, or nowhere"
        if not spec.after.check(*ends) or not self._alive:
            return ""
        places = self._places(record, record.refused_by)
        if all_ran and not places:
            return "no engine can take it"
        sure = self._places(record, record.maybe_refused_by)
        room = {name for name in sure & self._connected if self._has_room(name)}
        if record.attempts and room != places:
            return ""  # engines that failed it are asked again only when no others are left
        return f"{sorted(room)} can take it" if room else ""

    def _cannot_follow(self, record: Record, all_ran: bool) -> bool:
        follow, place = record.spec.follow, self._ledger.place
        ran = {place[msg_id] for msg_id in follow & place.keys()}
        return not ran <= self._alive if follow.all else all_ran and ran.isdisjoint(self._alive)

    def _places(self, record: Record, refused_by: set[str]) -> set[str]:
        """The engines that may take a task."""
        spec = record.spec
        return {
            name
            for name in self._alive - refused_by
            if (not spec.targets or name in spec.targets)
            and spec.follow.check(*self._ledger.ends_on(name))
        }

    def _has_room(self, name: str) -> bool:
        return not self._hwm or list(self._placed.values()).count(name) < self._hwm
