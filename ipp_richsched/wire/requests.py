"""What a rich client may ask the scheduler for: one definition for both sides.

A request is a signed message to the port to which clients send tasks, under a type of its own.  The
hub does not hear of it.  The stock scheduler takes it for a task, which depends on itself: so it
refuses it at once, and the client knows that nobody understands it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .checks import MessageError, is_text
from .transport import Frames

REQUEST, ANSWER = "ipp_richsched_request", "ipp_richsched_answer"
"""The types of the messages."""

QUESTION_TO_CLIENT = "ipp_richsched_question"
"""The type of a message by which the scheduler asks a client for the value of a task, since another
task of the client has it as an argument.  Its content names the task as ``msg_id``; its parent
header is that of the other task.  A `VALUE` request answers it."""

MOST_TASKS = 100
"""How many of the oldest waiting tasks one status tells of at most."""

PAGE = 200
"""How many tasks one request for stories may be about."""

NAME = "request"
"""The field of a request that holds its name."""

Check = Callable[[str, Any], Any]
"""Returns the value of a field, given its name and what was sent; raises a ValueError."""


class Request(NamedTuple):
    """A kind of request.

    Attributes
    ----------
    name : str
        What it is called.
    fields : dict of str to Check
        What has to be said.
    answer : dict of str to Check
        What is answered.
    """

    name: str
    fields: Mapping[str, Check]
    answer: Mapping[str, Check]


class Asked(NamedTuple):
    """What a client asked for.

    Attributes
    ----------
    request : Request
        The kind.
    values : dict
        The values of its fields.
    message : sequence of Part
        The client's message.
    """

    request: Request
    values: dict[str, Any]
    message: Frames


class RequestError(MessageError):
    """A request cannot be understood; the text names the field."""


def _text(name: str, value: Any) -> str:
    if not is_text(value):
        raise ValueError(f"{name!r} is {value!r}, not a text")
    return value


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(map(is_text, value)):
        raise ValueError(f"{name!r} is {value!r:.200}, not a list of texts")
    return value


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name!r} is {value!r}, neither true nor false")
    return value


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name!r} is {value!r:.200}, not a whole number")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name!r} is {value!r:.200}, not a number")
    return value


def _time(name: str, value: Any) -> float | None:
    return None if value is None else _number(name, value)


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name!r} is {value!r:.200}, not an object")
    return value


def _objects(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{name!r} is {value!r:.200}, not a list of objects")
    return value


def _few(name: str, value: Any) -> int:
    if _whole(name, value) > MOST_TASKS:
        raise ValueError(f"{name!r} is {value!r:.200}, more than {MOST_TASKS}")
    return value


def _page(name: str, value: Any) -> list[str]:
    if len(_texts(name, value)) > PAGE:
        raise ValueError(f"{name!r} has {len(value)} ids, more than {PAGE}")
    return value


HELLO = Request("hello", {}, {"version": _text, "flags": _texts})
"""Who serves this port, and which flags does it know?"""

CANCEL = Request(
    "cancel",
    {"msg_ids": _texts, "interrupt": _truth},
    dict.fromkeys(("cancelled", "running", "interrupted", "finished", "unknown"), _texts),
)
"""Take tasks back.  The answer says which of them are cancelled, which an engine has, which of
those are being interrupted, which had finished, and which are no tasks of this scheduler."""

VALUE = Request("value", {"msg_id": _text, "problem": _text}, {})
"""Take the value of a task, which the scheduler has asked for.  It is in the message's buffers, as
in an engine's reply.  Or, with a problem, there are none: it cannot be sent."""

STATUS = Request(
    "status",
    {"oldest": _few},
    {
        "time": _number,
        "you": _text,
        "version": _text,
        "scheme": _text,
        "settings": _object,
        **dict.fromkeys(("waiting", "ready", "assigned", "succeeded", "stranded"), _whole),
        "failed": _object,
        "never_ran": _whole,
        "causes": _object,
        "examples": _object,
        "causes_lately": _object,
        "last_failed": _time,
        "rates": _object,
        "engines": _objects,
        "dead": _objects,
        "queue": _objects,
        "queue_more": _whole,
        "oldest": _objects,
        "oldest_more": _whole,
        "memory": _whole,
        "lag": _number,
    },
)
"""How do things stand, and why do the oldest of the tasks that wait, so many of them?  `you` is
what the client is called that asks.  Times are in seconds of the epoch.  What the objects hold
`wire.sight` says."""

WHY = Request("why", {"msg_ids": _page}, {"time": _number, "stories": _objects})
"""What became of these tasks, and what do they wait for?  The stories come in the order of the
ids, each once."""

HAPPENINGS = Request(
    "happenings",
    {"mark": _text},
    {
        "time": _number,
        "run": _text,
        "mark": _text,
        "missed": _truth,
        "more": _truth,
        "engines": _objects,
        "happenings": _objects,
    },
)
"""What happened to tasks behind the mark of an earlier answer, or since it is remembered if that is
empty or of another run of a scheduler?  What the objects hold `wire.happenings` says."""

REQUESTS = {request.name: request for request in (HELLO, CANCEL, VALUE, STATUS, WHY, HAPPENINGS)}


def content_of(request: Request, **values: Any) -> dict[str, Any]:
    """The content of a request.

    Raises
    ------
    ValueError
        If a value is not what the request has; the text names the field.
    """
    return {NAME: request.name, **_checked(request.fields, values)}


def read_request(content: Mapping[str, Any]) -> tuple[Request, dict[str, Any]]:
    """The request in the content of a message, and the values of its fields.

    Raises
    ------
    RequestError
        If it is none; the text names the field.
    """
    values = dict(content)
    name = values.pop(NAME, None)
    request = REQUESTS.get(name) if isinstance(name, str) else None
    if request is None:
        raise RequestError(f"{NAME!r} is {name!r}, which is not known here")
    try:
        return request, _checked(request.fields, values)
    except ValueError as error:
        raise RequestError(f"request {request.name!r}: {error}") from None


def read_answer(request: Request, content: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the content of an answer; raises ValueError if it is another one's."""
    return _checked(request.answer, {name: content.get(name) for name in request.answer})


def _checked(fields: Mapping[str, Check], values: Mapping[str, Any]) -> dict[str, Any]:
    if missing := fields.keys() - values:
        raise ValueError(f"{min(missing)!r} is missing")
    if unknown := values.keys() - fields.keys():
        raise ValueError(f"{min(unknown)!r} is not known here")
    return {name: fields[name](name, value) for name, value in values.items()}
