"""What is still known of finished tasks."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """How a task ended, and on which engine (None where none ran it to its end)."""

    succeeded: bool
    engine: bytes | None


class History:
    """The outcome of every finished task, by msg_id; each operation is O(1)."""

    def __init__(self) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._shared: dict[Outcome, Outcome] = {}  # one object for equal outcomes

    def __len__(self) -> int:
        return len(self._outcomes)

    def __contains__(self, msg_id: str) -> bool:
        return msg_id in self._outcomes

    def get(self, msg_id: str) -> Outcome | None:
        return self._outcomes.get(msg_id)

    def record(self, msg_id: str, outcome: Outcome) -> None:
        self._outcomes[msg_id] = self._shared.setdefault(outcome, outcome)
