"""What may stand in a message that comes in.

Who sends nonsense is told so: every error names the field and its value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeGuard

from jupyter_client.adapter import adapt

from ..core.dependency import NOTHING, Dependency
from ..core.failures import TaskError
from ..core.flags import RichFlags
from .rich_flags import rich_flags_of

_MSG_TYPES = ("apply_request", "execute_request")
"""The requests whose replies have a status; an engine drops others, or answers without one."""

_STATUSES = ("ok", "error", "aborted")

_ERROR = {"ename", "evalue", "traceback"}
"""What a client looks for in the content of an error."""

_NESTING = 200
"""How deep a part may be nested: a parser's own limit depends on the stack that it finds."""

SHORT = 2 * _NESTING
"""Bytes in which nothing can be nested too deep."""

BEGINNING = 200
"""How many characters of an error's text are kept for dependents, and told of one of many."""

_SHOWN = 1000
"""How many characters of a text are shown."""


Flags: TypeAlias = tuple[
    frozenset[bytes] | None, Dependency, Dependency, float | None, int, RichFlags
]
"""The flags of a task, as of `view.set_flags`: the fields of `TaskSubmitted` from `targets` on."""


class MessageError(Exception):
    """A message cannot be read."""


class NamelessTaskError(MessageError):
    """A task has a header, and no msg_id to name it by."""


def flags_of(metadata: Mapping[str, Any]) -> Flags:
    """The flags that a client sets; raises TypeError or ValueError."""
    return (
        _targets(metadata.get("targets")),
        _dependency("after", metadata.get("after")),
        _dependency("follow", metadata.get("follow")),
        _timeout(metadata.get("timeout")),
        _retries(metadata.get("retries")),
        _with_arguments(rich_flags_of(metadata), metadata.get("arguments")),
    )


def _with_arguments(flags: RichFlags, value: Any) -> RichFlags:
    if value is None:
        return flags
    if not isinstance(value, list) or not all(map(is_text, value)):
        raise TypeError(f"'arguments' is {value!r:.200}, not a list of msg_ids")
    if len(set(value)) < len(value):
        raise ValueError(f"'arguments' is {value!r:.200}, and names a task twice")
    return flags._replace(arguments=tuple(value)) if value else flags


def _targets(value: Any) -> frozenset[bytes] | None:
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(map(is_text, value)):
        raise TypeError(f"'targets' is {value!r}, not a list of engine identities")
    return frozenset(target.encode("utf8") for target in value)


def _dependency(name: str, value: Any) -> Dependency:
    if value is None or value == []:
        return NOTHING
    if not isinstance(value, (list, dict, str)):
        raise TypeError(f"{name!r} is {value!r}, not a dependency")
    try:
        return Dependency.parse(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name!r}: {error}") from None


def _timeout(value: Any) -> float | None:
    if value is None or value is False:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"'timeout' is {value!r}, not a number of seconds")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not 0 <= seconds < math.inf:
        raise ValueError(f"'timeout' is {value!r}, not a number of seconds")
    return seconds or None


def _retries(value: Any) -> int:
    if value is None or value is False:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"'retries' is {value!r}, not a number of retries")
    return value


def check_msg_type(header: Mapping[str, Any]) -> None:
    """Refuse what no engine answers."""
    if header.get("msg_type") not in _MSG_TYPES:
        raise MessageError(f"its 'msg_type' is {header.get('msg_type')!r}, which no engine answers")


def check_request(message: Mapping[str, dict[str, Any]]) -> None:
    """Read the parts of a task as an engine does: what it cannot read it drops, without a word."""
    header, content = message["header"], message["content"]
    if header["msg_type"] == "execute_request" and not isinstance(content.get("code"), str):
        raise MessageError(f"its content's 'code' is {content.get('code')!r}, not a string")
    try:
        adapt({name: dict(part) for name, part in message.items()})
    except Exception as error:
        raise MessageError(f"its 'version' is {header.get('version')!r}: {error}") from None


def status_of(metadata: Mapping[str, Any]) -> str:
    """The status of an engine's reply."""
    status = metadata.get("status")
    if status not in _STATUSES:
        raise MessageError(f"its 'status' is {status!r}")
    return status


def check_outcome(content: Mapping[str, Any]) -> TaskError | None:
    """Refuse the content of a reply in which a client could not find what it needs.

    Returns
    -------
    TaskError or None
        What the task raised.
    """
    status = content.get("status")
    if status not in _STATUSES:
        raise MessageError(f"its content's 'status' is {status!r}")
    if status != "error":
        return None
    if not content.keys() >= _ERROR:
        raise MessageError(f"its content has no {' and no '.join(sorted(_ERROR - content.keys()))}")
    return TaskError(f"{content['ename']}"[:BEGINNING], f"{content['evalue']}"[:BEGINNING])


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is a string that can be sent: one from JSON may hold half a character."""
    if not isinstance(value, str):
        return False
    if value.isascii():
        return True
    try:
        value.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


def is_deep(packed: bytes, value: Any) -> bool:
    """Whether what was unpacked is nested deeper than is allowed; never if it is `SHORT`."""
    if packed.count(b"[") + packed.count(b"{") <= _NESTING:
        return False
    level = [value]
    for _ in range(_NESTING):
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [child for items in inner for child in items if isinstance(child, (dict, list))]
    return bool(level)


def printable(text: str) -> str:
    """A text with words of others in it, fit to be shown: in one line, and not too long."""
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN // 2]} ... {text[-_SHOWN // 2 :]}"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
