"""Whether a task had a reason to end as it did."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from .ledger import Ledger
from .placements import most_crashes
from .records import Record
from .script import Script, TaskSpec


class Ends:
    """The reasons for which tasks may end.

    Parameters
    ----------
    ledger : Ledger
    grace : float
        Seconds in which a dead engine's replies count.
    script : Script
    relaxed : bool
        Whether the scheduler does not know these settings.
    """

    def __init__(self, ledger: Ledger, grace: float, script: Script, relaxed: bool) -> None:
        self._ledger = ledger
        self._grace = grace
        self._patience = 0.0 if relaxed else script.stranded_timeout
        self._script = script

    def unjust(self, record: Record, end: str, relayed: bool) -> Iterator[str]:
        """Why there is no reason for a task to end so."""
        spec, last, now = record.spec, record.last, time.monotonic()
        may_retry = not (record.retries_are_used or record.may_not_be_retried)
        if end in ("error", "EngineError") and may_retry:
            crashes, most = self._ledger.crashes(record), most_crashes(spec, self._script)
            if end == "error" or most is None or crashes < most:
                yield f"with retries left, and {crashes} engines died of it"
        if relayed:
            if end in ("refuse", "busy"):
                yield "which is no answer"
        elif end == "cancelled":
            if not record.wanted_back:
                yield "though nobody wanted it back"
        elif end == "TaskTimeout" and record.was_cut_short:
            since = self._ledger.began_after(record) if last else math.inf
            if not spec.rich.run_timeout or now < since + spec.rich.run_timeout:
                yield f"after {now - since:.3f} s on an engine"
        elif end == "TaskTimeout":
            if not spec.timeout or now < record.sent_at + spec.timeout:
                yield f"after {now - record.sent_at:.3f} s"
        elif end == "EngineError":
            far = last is not None and self._ledger.was_far(last.engine)
            if last is None or (
                record.is_clear and not (last.dead_since or last.lost_since or far)
            ):
                yield "with no engine dead, and nothing lost"
            elif (
                record.is_clear
                and last.dead_since
                and not last.lost_since
                and now < last.dead_since + self._grace
            ):
                yield "before the grace was over"
        elif end == "ImpossibleDependency":
            if not self._may_be_impossible(record):
                yield "which was possible"
        elif end != "InvalidDependency":
            yield "which is no way to end"

    def _may_be_impossible(self, record: Record) -> bool:
        """Whether there can be a reason why a task will never run."""
        spec, ends, refused = record.spec, self._ledger.possible_ends(), record.maybe_refused_by
        if spec.after.unreachable(*ends) or spec.follow.unreachable(*ends):
            return True
        if not ends[1].isdisjoint(spec.rich.arguments):
            return True
        engines = self._ledger.engines
        bad = {
            name
            for name, known in engines.items()
            if known.last_death >= 0 and not known.lives_since(record.sent_at)
        }
        if spec.targets and bad.issuperset(spec.targets):
            return True
        if spec.targets:
            bad |= engines.keys() - set(spec.targets)
        if spec.follow and self._cannot_follow(spec, bad):
            return True
        now = time.monotonic()
        able = {
            name
            for name, known in engines.items()
            if known.lives_since(now)
            and (not spec.targets or name in spec.targets)
            and spec.follow.check(*self._ledger.ends_on(name))
        }
        # those that it needs have long no connection; or it waited long enough for another one
        far = {name for name in able if self._ledger.was_apart(name)}
        if not (spec.targets or spec.follow):
            waited = now > record.sent_at + self._patience
            return bool(refused) and able <= far | refused and waited
        if able <= far and far:
            return True
        return able <= far | refused and now > record.sent_at + self._patience

    def _cannot_follow(self, spec: TaskSpec, bad: set[str]) -> bool:
        """Whether the engines where a task has to go may be `bad`."""
        succeeded = self._ledger.finished[True]
        place = {**dict.fromkeys(self._ledger.maybe_cancelled()), **self._ledger.place}
        places = {
            place[msg_id]
            for msg_id in spec.follow & place.keys()
            if (spec.follow.success if msg_id in succeeded else spec.follow.failure)
        }
        if spec.follow.all:
            return len(places) > 1 or None in places or not bad.isdisjoint(places)
        return spec.follow <= place.keys() and places <= bad | {None}
