"""The story of a task in sentences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..wire.names import is_here

_OUTCOMES = {
    "succeeded": "it succeeded",
    "failed": "it failed",
    "aborted": "it was aborted",
    "refused": "its functional dependency (@require or @depend) was unmet there",
    "busy": "the engine was busy with something else",
    "not_sent": "the engine could not be reached",
}


def as_text(story: Any) -> str:
    """A `Story` in sentences, the answer first."""
    name = f"task {story.msg_id}" + (f" ({story.label})" if story.label else "")
    if story.state == "unknown":
        return (
            f"{name} is no task of this scheduler: a direct view sent it, or another scheduler had"
            " it, perhaps before a restart; or this is not the whole of its id"
        )
    lines = [f"{name} {_answer(story)}"]
    lines += [f"  {_link(link)}" for link in story.chain[:-1]]
    if story.skipped:
        lines.append(f"  ... {story.skipped} more tasks, each of which waits for the next ...")
    lines += [f"  {_link(link)}" for link in story.chain[-1:]]
    if story.submitted is not None:
        lines.append(f"  {_time(story.submitted)} submitted")
    elif not story.complete:
        lines.append("  what happened before is not remembered")
    lines += [line for attempt in story.attempts for line in _attempt(attempt)]
    if story.finished is not None and story.finished not in [one.over for one in story.attempts]:
        lines.append(f"  {_time(story.finished)} {story.state}")
    if story.expires is not None:
        lines.append(f"  {_time(story.expires)} its timeout ends, if no engine has it by then")
    return "\n".join(lines)


def _answer(story: Any) -> str:
    """How it stands, as the end of a sentence."""
    if story.state == "succeeded":
        return f"succeeded{_place(story.engine)}"
    if story.state != "failed":
        return f"{story.reason}"
    why = f": {story.reason}" if story.reason else ""
    cause = f"; it began when {story.cause}" if story.cause and not why else ""
    return f"failed{_place(story.engine)}{why}{cause}"


def _place(engine: dict[str, Any] | None) -> str:
    return "" if engine is None else f" on {_engine(engine['id'], engine['uuid'], engine['host'])}"


def _engine(number: int | None, uuid: str, host: str | None) -> str:
    name = f"engine {uuid if number is None else number}"
    return f"{name} at {host}" if host and not is_here(host) else name


def _link(link: Any) -> str:
    label = f" ({link.label})" if link.label else ""
    return f"{link.msg_id}{label} {link.reason}"


def _attempt(attempt: Any) -> list[str]:
    engine = _engine(attempt.id, attempt.uuid, attempt.host)
    lines = [f"  {_time(attempt.assigned)} on {engine}"]
    if attempt.over is not None:
        end = _OUTCOMES.get(attempt.outcome, "over")
        if attempt.reason:  # "it raised ..." says that it failed
            is_whole = attempt.reason.startswith("it ")
            end = attempt.reason if is_whole else f"{end}: {attempt.reason}"
        lines.append(f"  {_time(attempt.over)} {end}")
    return lines


def _time(when: datetime) -> str:
    """A time of the day where the reader is."""
    return f"{when.astimezone():%H:%M:%S}"
