"""Whether tasks overtake others that come before them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from .ledger import Ledger
from .records import Record
from .script import Script


class Precedence:
    """The order in which tasks that wait get an engine.

    An engine that gets a task while another one surely waits that it may run, and that surely comes
    first, has been given the wrong one: the hub hears of all in the order of the decisions.

    Parameters
    ----------
    ledger : Ledger
    script : Script

    Attributes
    ----------
    judged : int
        How many pairs could be judged.
    judged_by_path : int
        In how many of them the paths decided.
    """

    def __init__(self, ledger: Ledger, script: Script) -> None:
        self._ledger = ledger
        self._aging, self._fair = script.aging, script.fair
        self._by_path = script.order == "critical-path"
        self.judged = self.judged_by_path = 0

    def wrong(self, record: Record, engine: str) -> Iterator[str]:
        """Which tasks should have got an engine before another one, which gets it now."""
        waits = [
            other
            for other in self._ledger.records.values()
            if other is not record and self._surely_waits(other, engine)
        ]
        if not waits:
            return
        # at best: also of what depended on it once, since nothing that was lent is taken back
        heirs = self._heirs(record, lambda heir: True)
        mine = self._key(max(heirs), record.sent_at)
        rest = -self._longest_path(record), record.number
        for other in waits:
            # at worst
            heirs = self._heirs(other, self._surely_lends)
            theirs = self._key(max(heirs), other.intask_at)
            its_rest = -self._shortest_path(other), other.number
            self.judged += 1
            takes_turns = self._fair and other.spec.client != record.spec.client
            if takes_turns or (self._by_path and self._aging is not None):
                comes_first = theirs <= mine - 1  # a whole step of priority
            elif self._aging is not None:
                comes_first = theirs < mine
            else:
                comes_first = (theirs, its_rest) < (mine, rest)
                known = self._by_path and rest[0] > -math.inf
                self.judged_by_path += known and theirs == mine and its_rest[0] != rest[0]
            if comes_first:
                yield f"before {other.spec.msg_id}"

    def _key(self, priority: int, since: float) -> float:
        """What decides which of two tasks comes first: the lower one."""
        return -priority if self._aging is None else since / self._aging - priority

    def _shortest_path(self, record: Record) -> float:
        """What the path of a task has at least, whatever waits for it and whatever was learned."""
        return (record.spec.rich.cost or 0.0) if self._by_path else 0.0

    def _longest_path(self, record: Record) -> float:
        """What it has at most, with all that ever depended on it."""
        if not self._by_path:
            return 0.0
        paths = {record.spec.msg_id: _most(record)}
        for msg_id, other in self._ledger.records.items():  # each after what it depends on
            before = max((paths.get(each, -1.0) for each in _needs(other)), default=-1.0)
            if before >= 0.0:
                paths[msg_id] = before + _most(other)
        return max(paths.values())

    def _surely_waits(self, record: Record, engine: str) -> bool:
        """Whether a task certainly waited for nothing but an engine, and might have this one."""
        spec = record.spec
        if not record.intask or record.outtask or record.attempts or record.wanted_back:
            return False
        if (
            record.invalid
            or spec.follow
            or spec.rich.arguments
            or (spec.targets and engine not in spec.targets)
        ):
            return False
        if not spec.after.check(*self._ledger.ends()):
            return False
        # It may have been on its way to an engine that was then found to have no connection.
        return all(map(self._is_reached, spec.targets or self._ledger.engines))

    def _is_reached(self, engine: str) -> bool:
        """Whether an engine surely is not found to have no connection."""
        known = self._ledger.engines.get(engine)
        gone = known is None or (known.dead_since is not None and known.is_settled)
        return gone or engine in self._ledger.reached

    def _surely_lends(self, record: Record) -> bool:
        """Whether a task certainly has lent its priority to what it waits for."""
        if not record.intask or record.outtask or record.attempts or record.wanted_back:
            return False
        spec, ends = record.spec, self._ledger.possible_ends()
        met = spec.after.check(*ends) and spec.follow.check(*ends)
        met = met and (ends[0] | ends[1]).issuperset(spec.rich.arguments)
        return not (record.invalid or met)

    def _heirs(self, record: Record, counts: Callable[[Record], bool]) -> list[int]:
        """The priorities of a task, and of those that depend on it, directly or through others."""
        found = {record.spec.msg_id}
        priorities = [record.spec.rich.priority]
        for msg_id, other in self._ledger.records.items():  # each after what it depends on
            if not found.isdisjoint(_needs(other)) and counts(other):
                found.add(msg_id)
                priorities.append(other.spec.rich.priority)
        return priorities


def _needs(record: Record) -> set[str]:
    """What a task depends on."""
    spec = record.spec
    return {*spec.after, *spec.follow, *spec.rich.arguments}


def _most(record: Record) -> float:
    """What a task costs at most: any number of seconds, if its client does not say."""
    cost = record.spec.rich.cost
    return math.inf if cost is None else cost
