"""What the hub remembers of finished tasks, as far as their size allows, however many they are."""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

from ipyparallel.controller.dictdb import DictDB
from traitlets import Integer

_RECORD = 8_000
"""Bytes that a record takes besides what `_PARTS` hold: measured, headers and metadata included."""

_PARTS = (
    *("buffers", "metadata", "result_buffers", "result_content", "stdout", "stderr"),
    *("error", "execute_input", "execute_result", "display_data"),
)
"""The parts of a record that can be large."""


class RichDictDB(DictDB):
    """A `DictDB` without a limit to the number of its records, which stays fast with many.

    The stock class counts the buffers only, which of small tasks are a hundredth of what a record
    takes. It sorts all records for each one that it removes, and compares each record with each
    msg_id that a client asks for.
    """

    record_limit = Integer(
        sys.maxsize,
        config=True,
        help="The maximum number of records in the db (default: as many as fit into size_limit).",
    )

    def _add_bytes(self, rec: dict[str, Any]) -> None:
        self._buffer_bytes += _size(rec)
        self._maybe_cull()

    def _drop_bytes(self, rec: dict[str, Any]) -> None:
        self._buffer_bytes -= _size(rec)

    def _maybe_cull(self) -> None:
        if self._buffer_bytes > self.size_limit:
            before = len(self._records)
            limit = self.size_limit * (1 - self.cull_fraction)
            for msg_id in self.get_history():
                if self._buffer_bytes <= limit:
                    break
                self._culled_ids.add(msg_id)
                self.drop_record(msg_id)
            self.log.info(
                "the results of %i tasks exceed size_limit (%i bytes): forgot the oldest %i",
                *(before, self.size_limit, before - len(self._records)),
            )
        super()._maybe_cull()

    def _match(self, check: dict[str, Any]) -> list[dict[str, Any]]:
        ids = check.get("msg_id")
        if len(check) == 1 and isinstance(ids, dict) and list(ids) == ["$in"]:
            wanted = frozenset(ids["$in"])
            return [deepcopy(rec) for msg_id, rec in self._records.items() if msg_id in wanted]
        return super()._match(check)


def _size(rec: dict[str, Any]) -> int:
    return _RECORD + sum(_length(rec.get(part)) for part in _PARTS)


def _length(value: Any) -> int:
    """The number of bytes or characters in a value, and in the values in it."""
    if isinstance(value, (str, bytes, memoryview)):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(_length, value))
    return 0
