"""Whether requests to take tasks back are answered, truly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ipp_richsched.wire.requests import CANCEL

from .ledger import Ledger
from .script import CancelSpec


class Cancels:
    """The requests that were sent, and what the scheduler said to them.

    Parameters
    ----------
    ledger : Ledger

    Attributes
    ----------
    outcomes : Counter of str
        What became of the tasks that were wanted back.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: dict[str, tuple[CancelSpec, set[str], set[str]]] = {}
        self.outcomes: Counter[str] = Counter()

    @property
    def unanswered(self) -> list[str]:
        return [*self._open]

    def sent(self, spec: CancelSpec) -> None:
        """A client sends a request."""
        records = self._ledger.records
        known = {msg_id for msg_id in spec.msg_ids if msg_id in records and records[msg_id].intask}
        finished = {msg_id for msg_id in known if records[msg_id].outtask}
        self._open[spec.name] = spec, known, finished
        for msg_id in spec.msg_ids:
            self._ledger.want_back(msg_id, spec)

    def answered(self, client: str, name: str, content: dict[str, Any]) -> Iterator[str]:
        """A client gets the answer of a request: what is wrong with it."""
        if name not in self._open:
            yield "again"
            return
        spec, known, finished = self._open.pop(name)
        if client != spec.client:
            yield f"to {client}"
        outcomes = {msg_id: outcome for outcome in CANCEL.answer for msg_id in content[outcome]}
        named = [msg_id for outcome in CANCEL.answer for msg_id in content[outcome]]
        if sorted(named) != sorted(spec.msg_ids):
            yield f"about {named}"
        for msg_id in spec.msg_ids:
            outcome = outcomes.get(msg_id)
            self.outcomes[f"{outcome}"] += 1
            if outcome == "unknown" and msg_id in known:
                yield f"that {msg_id}, which it has, is unknown"
            if msg_id in finished and outcome != "finished":
                yield f"that {msg_id}, which had finished, is {outcome}"
            if outcome == "interrupted" and not spec.interrupt:
                yield f"that {msg_id} is interrupted, for which nobody has asked"
            record = self._ledger.records.get(msg_id)
            if record is None:
                self._ledger.wants_no_more(msg_id, spec)
                if outcome != "unknown":
                    yield f"that {msg_id}, which nobody has submitted, is {outcome}"
                continue
            if outcome == "cancelled":
                if self._ledger.held_since(record, spec.name):
                    yield f"that {msg_id} is cancelled, though an engine has it"
                if record.spec.client == client:  # which is told of it only here
                    record.answers.append([])
                    if len(record.answers) > 1:
                        yield f"that {msg_id} is cancelled, though it was answered"
            self._ledger.give_back(record, spec, outcome)
