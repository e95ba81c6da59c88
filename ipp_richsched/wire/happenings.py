"""What happened to tasks, as the answer to a request has it."""

from __future__ import annotations

from typing import Any

from ..core.failures import engine_name
from ..core.happenings import Happening, Page
from ..core.story import AGAIN, ASSIGNED, FAILED, READY, SUBMITTED, SUCCEEDED, Mark
from ..core.tallies import name_of
from .sight import ENDS, Sight, cause_name

WHATS = {
    SUBMITTED: "submitted",
    READY: "ready",
    ASSIGNED: "assigned",
    AGAIN: "again",
    SUCCEEDED: "succeeded",
    FAILED: "failed",
}
"""What happenings are called."""


def page_of(page: Page, run: str, sight: Sight) -> dict[str, Any]:
    """An answer, without its time."""
    engines: set[bytes] = set()
    rows = [_row(happening, sight, engines) for happening in page.happenings]
    return {
        "run": run,
        "mark": f"{run} {page.mark.number} {page.mark.when!r}",
        "missed": page.missed,
        "more": page.more,
        "engines": [sight.place(engine) for engine in engines],
        "happenings": rows,
    }


def mark_of(text: str, run: str) -> Mark:
    """The mark in the text of an earlier answer; the first one if it is of another run.

    Raises
    ------
    ValueError
        If it is no such text.
    """
    if not text:
        return Mark()
    parts = text.split(" ")
    try:
        of, number, when = parts
        mark = Mark(float(when), int(number))
    except ValueError:
        raise ValueError(f"'mark' is {text!r:.200}, not one of an answer") from None
    return mark if of == run else Mark()


def _row(happening: Happening, sight: Sight, engines: set[bytes]) -> dict[str, Any]:
    when, msg_id, what, detail, rich, parents, parents_more, cause = happening
    row: dict[str, Any] = {
        "when": sight.time(when),
        "msg_id": msg_id,
        "what": WHATS[what],
    }
    if rich is not None:
        row["label"] = rich.label
        row["priority"] = rich.priority
        row["cost"] = rich.cost
        if parents:
            row["parents"] = parents
            row["parents_more"] = parents_more
    if what == SUBMITTED:
        return row
    engine: Any = detail
    if what in (AGAIN, FAILED):
        assert isinstance(detail, tuple)
        end = None
        if what == AGAIN:
            engine, (end, why, _) = None, detail
            row["outcome"] = ENDS[end]
        else:
            engine, why, row["ran"] = detail
            if cause is not None:
                row["cause"] = cause_name(name_of(cause))
        row.update(sight.failure(msg_id, why, end))
    if engine is not None:
        engines.add(engine)
        row["engine"] = engine_name(engine)
    return row
