"""Whether a task may be where it was sent."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .ledger import Ledger
from .records import Record
from .script import Script, TaskSpec

FIRST_PAUSE = 1.0
"""Seconds, at least, before engines that all refused a task are asked again."""


def most_crashes(spec: TaskSpec, script: Script) -> int | None:
    """How many engines may die of a task before it has failed; None for any number."""
    own = spec.rich.max_crashes
    return script.max_crashes if own is None else own + 1


class Placements:
    """The rules of where tasks may go, and when.

    Parameters
    ----------
    ledger : Ledger
    grace : float
        Seconds in which a dead engine's replies count.
    script : Script
    """

    def __init__(self, ledger: Ledger, grace: float, script: Script) -> None:
        self._ledger = ledger
        self._grace = grace
        self._script = script

    def wrong(self, record: Record, engine: str) -> Iterator[str]:
        """Why a task must not go to an engine now."""
        spec, last, now = record.spec, record.last, time.monotonic()
        known = self._ledger.engines.get(engine)
        if known is None:
            yield "which was never registered"
        elif known.dead_since and known.is_settled:
            yield "which is dead"
        if spec.targets and engine not in spec.targets:
            yield "off its targets"
        if refused_at := record.refused_by.get(engine):
            if now < refused_at + FIRST_PAUSE:
                yield "which has just refused it"
            others = self._others(record, refused_at)
            if others:
                yield f"which refused it, {sorted(others)} did not"
        failed_at = record.failed_on.get(engine)
        if failed_at and now < failed_at + self._script.retry_elsewhere:
            others = self._others(record, failed_at) - record.maybe_failed_on
            if others:
                yield f"which failed it, {sorted(others)} did not"
        crashes = sum(self._ledger.is_crash(record, attempt) for attempt in record.attempts)
        most = most_crashes(spec, self._script)
        if most is not None and crashes >= most:
            yield f"after {crashes} engines died of it"
        if now < record.busy_on.get(engine, 0.0):
            yield "which has just said that it is busy"
        if not spec.after.check(*self._ledger.possible_ends()):
            yield "too early"
        if not self._ledger.finished[True].issuperset(spec.rich.arguments):
            yield "before its arguments were there"
        if not spec.follow.check(*self._ledger.ends_on(engine)):
            yield "against its follow"
        if record.outtask:
            yield "after it was answered"
        elif record.is_over:
            yield "after it was said to be " + ("cancelled" if record.was_cancelled else "finished")
        if (
            record.interrupted_at
            and last
            and last.said == "error"
            and last.replied_at
            and last.replied_at > record.interrupted_at
        ):
            yield "though it was interrupted"
        if self._ledger.certainly_holds(record):
            yield "while another engine has it"
        if last and last.final:
            yield "after an engine gave its answer"
        if (
            last
            and record.is_clear
            and not (last.replied_at or last.lost_since)
            and last.dead_since
            and not self._ledger.was_far(last.engine)  # it may have been lost before
            and now < last.dead_since + self._grace
        ):
            yield "before the grace of its last one was over"
        if len(record.attempts) > spec.retries + record.free_attempts:
            yield "with no retries left"

    def _others(self, record: Record, since: float) -> set[str]:
        """The engines that could surely have taken a task since then, and did not refuse it."""
        spec = record.spec
        if spec.follow:
            return set()  # others may have come to run there
        return {
            name
            for name, known in self._ledger.engines.items()
            if known.lives_since(since)
            and name not in record.maybe_refused_by | record.maybe_busy_on
            and not self._ledger.was_far(name)
            and (not spec.targets or name in spec.targets)
        }
