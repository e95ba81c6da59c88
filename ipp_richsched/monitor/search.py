"""Finds in an event log what is about a task, without reading all of it in full."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from json.encoder import encode_basestring_ascii as text_of_str

from ..core.log import Gap, LogError, Step
from .log_files import LogFile, read_step
from .records import Record, Recorder

_MSG_ID = re.compile(r'"msg_id":\s*("(?:[^"\\]|\\.)*")')

_FIELDS = "after", "follow", "arguments"

_DEPENDS = re.compile(rf'"(?:{"|".join(_FIELDS)})":')

_OF_MANY = re.compile(r'"(?:EngineRegistered|EngineUnregistered|InterruptEngine|CancelRequested)"')
"""What a line names that may concern a task whose id it does not give as ``msg_id``."""


def ids_called(files: Iterable[LogFile], name: str) -> list[str]:
    """The tasks whose label that is; if there are none, those whose ids it is a part of.

    It may also be as `top` and the report show an id: its beginning, two dots, and its end.
    O(lines of the log).
    """
    labelled: dict[str, None] = {}
    alike: dict[str, None] = {}
    is_like, label = _likeness(name), text_of_str(name)
    for file in files:
        for number, line in file.lines():
            for quoted in _MSG_ID.findall(line):
                msg_id = json.loads(quoted)
                if is_like(msg_id):
                    alike[msg_id] = None
            if '"TaskSubmitted"' in line and label in line:
                try:
                    event = read_step(line).event  # type: ignore[union-attr]
                    if event.get("rich", {}).get("label") == name:
                        labelled[event["msg_id"]] = None
                except LogError as error:
                    raise file.error(number, error) from None
                except (AttributeError, KeyError):
                    raise file.error(number, "its event is no TaskSubmitted") from None
    return [*(labelled or alike)]


def _likeness(name: str) -> Callable[[str], bool]:
    """Whether somebody may mean an id by what it is called."""
    begin, dots, end = name.partition("..")
    if dots:
        least = len(name) - len(dots)
        return lambda msg_id: (
            len(msg_id) >= least and msg_id.startswith(begin) and msg_id.endswith(end)
        )
    if re.search(r"(^|_)\d+_\d+$", name):  # the number of a task ends its id: 1 is no part of 12
        return lambda msg_id: msg_id.endswith(name)
    return lambda msg_id: bool(name) and name in msg_id


def ancestors(files: Iterable[LogFile], msg_id: str) -> set[str]:
    """A task and all that are before it in its DAG; O(lines of the log)."""
    parents: dict[str, set[str]] = {}
    for file in files:
        for number, line in file.lines():
            if '"TaskSubmitted"' not in line or _DEPENDS.search(line) is None:
                continue
            try:
                _learn(parents, read_step(line))
            except LogError as error:
                raise file.error(number, error) from None
    found, left = {msg_id}, [msg_id]
    while left:
        new = parents.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def _learn(parents: dict[str, set[str]], step: Step | Gap) -> None:
    """Take in what a task depends on; of plain data, since `event_of` takes ten times as long."""
    try:
        event = step.event  # type: ignore[union-attr]
        rich = event.get("rich", {})
        ids = {
            *event.get("after", {}).get("ids", ()),
            *event.get("follow", {}).get("ids", ()),
            *rich.get("arguments", ()),
        }
        parents.setdefault(event["msg_id"], set()).update(ids)
    except (AttributeError, KeyError, TypeError):
        raise LogError("its event is no TaskSubmitted") from None


def records_of(files: Iterable[LogFile], msg_ids: set[str]) -> tuple[dict[str, Record], list[str]]:
    """What is known of some tasks, and what is missing in the log; O(lines of the log)."""
    recorder = Recorder(msg_ids)
    missing: list[str] = []
    quoted = {text_of_str(msg_id) for msg_id in msg_ids}
    run, end = "", 0.0
    for file in files:
        if run and file.header.run != run:
            recorder.run_is_over(end)
        run = file.header.run
        recorder.names.update(file.header.engines)
        for number, line in _about(file.lines(), quoted):
            try:
                read = read_step(line)
                if isinstance(read, Gap):
                    text = f"{file.path}, line {number}: {read.lost:,} events are missing"
                    missing.append(f"{text}, which could not be written")
                else:
                    end = file.wall(read.now)
                    recorder.take(read, end)
            except LogError as error:
                raise file.error(number, error) from None
    return recorder.records, missing


def _about(lines: Iterator[tuple[int, str]], quoted: set[str]) -> Iterator[tuple[int, str]]:
    """The lines that may be about some tasks."""
    for number, line in lines:
        if (
            not quoted.isdisjoint(_MSG_ID.findall(line))
            or _OF_MANY.search(line) is not None
            or line.startswith('{"lost"')
        ):
            yield number, line
