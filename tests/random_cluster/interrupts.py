"""Whether engines are interrupted for a reason, and left alone meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .ledger import Ledger
from .records import Record
from .script import Script


class Interrupts:
    """The interrupts of engines.

    Parameters
    ----------
    ledger : Ledger
    script : Script

    Attributes
    ----------
    count : int
        How many there were.
    """

    def __init__(self, ledger: Ledger, script: Script) -> None:
        self._ledger = ledger
        self._script = script
        self._since: dict[str, float] = {}
        self.count = 0

    def begins(self, engine: str) -> Iterator[str]:
        """A nanny is asked to interrupt an engine: why that must not be."""
        self.count += 1
        self._since[engine] = time.monotonic()
        # the hub may not have heard yet which tasks are there
        if not any(self._is_reason(record, engine) for record in self._ledger.records.values()):
            yield "for no reason"

    def _is_reason(self, record: Record, engine: str) -> bool:
        if record.spec.targets and engine not in record.spec.targets:
            return False
        timeout = record.spec.rich.run_timeout if self._script.interrupt_on_timeout else None
        ran = timeout is not None and time.monotonic() >= record.sent_at + timeout
        return record.may_be_interrupted or ran

    def ends(self, engine: str) -> None:
        """A nanny is about to say that the engine was interrupted."""
        self._since.pop(engine, None)

    def wrong(self, record: Record, engine: str) -> Iterator[str]:
        """Why a task must not go to an engine: the interrupt may hit it."""
        if engine in self._since and record.sent_at > self._since[engine]:
            yield "which is being interrupted"
