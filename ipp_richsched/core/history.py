"""What is still known of finished tasks."""

from __future__ import annotations

from array import array
from typing import NamedTuple

ROW = 64
"""How many numbers in a row share an array."""

_LONGEST = 15  # digits of a number; longer ones are no message's


class Outcome(NamedTuple):
    """How a task ended.

    Attributes
    ----------
    succeeded : bool
        Whether it succeeded.
    engines : frozenset of bytes
        The engine that ran it to its end, or none.  It is a set because those that follow the
        task want one, and can share it.
    """

    succeeded: bool
    engines: frozenset[bytes]


class History:
    """The outcome of every finished task, by msg_id; each operation is O(1).

    A session numbers its messages, ``<session>_<process>_<number>``.  So the outcomes of its
    tasks stand in arrays, four bytes each, and no msg_id is kept; one of another form is
    kept whole.
    """

    def __init__(self) -> None:
        self._series: dict[str, dict[int, array[int]]] = {}  # rows, by what precedes the number
        self._others: dict[str, int] = {}
        # Equal outcomes share a code, their place in this list.  Code 0 means no outcome.
        self._outcomes = [Outcome(False, frozenset())]
        self._codes: dict[tuple[bool, bytes | None], int] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, msg_id: str) -> bool:
        return self.get(msg_id) is not None

    def get(self, msg_id: str) -> Outcome | None:
        """The outcome of a task; None if none of this id has finished."""
        prefix, number = _split(msg_id)
        if number < 0:
            code = self._others.get(msg_id, 0)
        else:
            row = self._series[prefix].get(number // ROW) if prefix in self._series else None
            code = row[number % ROW] if row is not None else 0
        return self._outcomes[code] if code else None

    def record(self, msg_id: str, succeeded: bool, engine: bytes | None) -> Outcome:
        """Keep the outcome of a task that has none yet; the same object for equal ones."""
        code = self._codes.get((succeeded, engine))
        if code is None:
            code = self._codes[succeeded, engine] = len(self._outcomes)
            ran_on = frozenset() if engine is None else frozenset([engine])
            self._outcomes.append(Outcome(succeeded, ran_on))
        outcome = self._outcomes[code]
        self._size += 1
        prefix, number = _split(msg_id)
        if number < 0:
            self._others[msg_id] = code
            return outcome
        rows = self._series.setdefault(prefix, {})
        row = rows.get(number // ROW)
        if row is None:
            row = rows[number // ROW] = array("I", bytes(ROW * 4))
        row[number % ROW] = code
        return outcome


def _split(msg_id: str) -> tuple[str, int]:
    """What precedes the number at the end of a msg_id, and the number; -1 where there is none."""
    prefix, line, digits = msg_id.rpartition("_")
    if line and digits.isdecimal() and digits.isascii() and len(digits) <= _LONGEST:
        number = int(digits)
        if digits[0] != "0" or digits == "0":  # so that no two msg_ids have the same parts
            return prefix, number
    return "", -1
