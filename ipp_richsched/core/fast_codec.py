"""Events and actions as JSON at once: what `codec.to_plain` and `json.dumps` give, sooner.

An event log costs each task four of these texts.  So there is a writer for each class, made of
writers for the types of its fields when it is first needed.  For the four that each task has, there
is another one, for the case that they say nothing special.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii as text_of_str
from typing import Any, TypeAlias

from .actions import AssignTask, RelayReply
from .codec import KNOWN, TYPE, hints_of, to_plain, written_fields
from .dependency import NOTHING, Dependency
from .events import TaskReplied, TaskSubmitted
from .flags import PLAIN

Writer: TypeAlias = Callable[[Any], str]

COMPACT = ",", ":"
"""What stands between items, and after a key."""

NAMES = 10_000
"""Of how many engines and clients the texts are remembered."""

_dumps = json.JSONEncoder(separators=COMPACT).encode
_NO_DEFAULT = object()


def to_json(value: Any) -> str:
    """Write an event or an action, as JSON in one line."""
    kind: Any = type(value)
    ordinary = _ORDINARY.get(kind)
    if ordinary is not None and (text := ordinary(*value)):
        return text
    return _writer(kind)(value)


@cache
def _writer(kind: Any) -> Writer:
    """What writes values of a type."""
    if kind is str:
        return text_of_str
    if kind == str | None:
        return lambda value: "null" if value is None else text_of_str(value)
    if kind is bytes:
        return _text_of_bytes
    if kind is int:
        return repr
    if kind == tuple[str, ...]:
        return _text_of_strings
    if kind is Dependency:
        return _text_of_dependency
    if kind in KNOWN and issubclass(kind, tuple):
        return _record_writer(kind)
    return lambda value: _dumps(to_plain(value))


@lru_cache(maxsize=NAMES)
def _text_of_bytes(value: bytes) -> str:
    return text_of_str(value.decode("utf-8", "surrogateescape"))


def _text_of_strings(values: tuple[str, ...]) -> str:
    return f"[{','.join(map(text_of_str, values))}]"


def _text_of_dependency(value: Dependency) -> str:
    if value.ids and value.all and value.success and not value.failure:  # as nearly all
        return f'{{"type":"Dependency","ids":{_text_of_strings(value.ids)}}}'
    return _dumps(to_plain(value))


def _record_writer(kind: Any) -> Writer:
    """What writes named tuples of a class."""
    hints, fields = hints_of(kind), written_fields(kind)
    defaults = kind._field_defaults
    parts = [
        (
            kind._fields.index(name),
            defaults.get(name, _NO_DEFAULT),
            f",{text_of_str(name)}:",
            _writer(hints[name]),
        )
        for name in fields
    ]
    begin = f"{{{text_of_str(TYPE)}:{text_of_str(kind.__name__)}"

    def write(value: Any) -> str:
        text = begin
        for place, default, key, write_field in parts:
            field = value[place]
            if field is not default and field != default:
                text += key + write_field(field)
        return text + "}"

    return write


# -- what each task has: its text, or nothing if it says something special -----------------------


def _submitted(
    msg_id: str,
    message: object,
    targets: object,
    after: object,
    follow: object,
    timeout: object,
    retries: int,
    rich: object,
    client: bytes,
) -> str:
    if (
        targets is timeout is None
        and after is follow is NOTHING
        and rich is PLAIN
        and client
        and not retries
    ):
        return (
            f'{{"type":"TaskSubmitted","msg_id":{text_of_str(msg_id)}'
            f',"client":{_text_of_bytes(client)}}}'
        )
    return ""


def _assigned(
    msg_id: str, engine: bytes, message: object, attempt: int, mark: int, values: object
) -> str:
    if mark or values:
        return ""
    return (
        f'{{"type":"AssignTask","msg_id":{text_of_str(msg_id)}'
        f',"engine":{_text_of_bytes(engine)},"attempt":{attempt}}}'
    )


def _replied(
    engine: bytes,
    msg_id: str,
    status: str | None,
    dependencies_met: bool,
    message: object,
    problem: object,
    mark: int,
    error: object,
    busy: object,
    size: object,
) -> str:
    if (
        status == "ok"
        and dependencies_met
        and problem is error is busy is size is None
        and not mark
    ):
        return (
            f'{{"type":"TaskReplied","engine":{_text_of_bytes(engine)}'
            f',"msg_id":{text_of_str(msg_id)},"status":"ok"}}'
        )
    return ""


def _relayed(msg_id: str, engine: bytes, message: object, reply: object) -> str:
    return (
        f'{{"type":"RelayReply","msg_id":{text_of_str(msg_id)},"engine":{_text_of_bytes(engine)}}}'
    )


_ORDINARY: dict[type, Callable[..., str]] = {
    TaskSubmitted: _submitted,
    AssignTask: _assigned,
    TaskReplied: _replied,
    RelayReply: _relayed,
}
