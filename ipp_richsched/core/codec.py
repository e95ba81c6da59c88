"""Events, actions and settings as plain data, for JSON, and back.

Messages are left out: they belong to the shell, may be large, and the core never looks into
them.  A field that has its default is left out, too.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache
from inspect import signature
from typing import Any, Union, get_args, get_origin, get_type_hints

from . import actions, attempt_reasons, events, failures, notices, reasons
from .dependency import Dependency
from .flags import RichFlags
from .settings import Settings

TYPE = "type"
"""The key under which the name of a class stands."""


class CodecError(ValueError):
    """Data is not what `to_plain` makes; the text names the class and the field."""


def to_plain(value: Any) -> Any:
    """Write an event, an action, settings, or a part of them.

    Parameters
    ----------
    value : object
        One of the classes of this package, or a value of one of their fields.

    Returns
    -------
    object
        Dictionaries, lists, strings, numbers, booleans and None.
    """
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, frozenset):
        return sorted(to_plain(item) for item in value)
    kind: Any = type(value)
    if kind in KNOWN:
        plain = {TYPE: kind.__name__}
        for name, default in written_fields(kind).items():
            field = getattr(value, name)
            if field != default:
                plain[name] = to_plain(field)
        return plain
    return [to_plain(item) for item in value]


def from_plain(plain: Any, kind: Any) -> Any:
    """Read what `to_plain` has written.

    Parameters
    ----------
    plain : object
        The data.
    kind : type
        What it should be: `Event`, `Action`, `Settings`, or the type of a field.

    Raises
    ------
    CodecError
        If it is something else.
    """
    value = _reader(kind)(plain)
    if value is not _OTHER:
        return value
    options = get_args(kind) if _is_union(kind) else (kind,)
    expected = " or ".join(getattr(option, "__name__", str(option)) for option in options)
    raise CodecError(f"{plain!r:.200} is no {expected}")


_OTHER = object()  # what a reader returns for data of another kind


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """What reads data of one kind."""
    origin, arguments = get_origin(kind), get_args(kind)
    if _is_union(kind):
        return _reader_of_one(arguments)
    if kind in KNOWN:
        return lambda plain: _read_known(plain, kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return lambda plain: kind.__members__.get(plain, _OTHER) if _is(plain, str) else _OTHER
    if kind is bytes:
        return lambda plain: plain.encode("utf-8", "surrogateescape") if _is(plain, str) else _OTHER
    if kind is float:
        return lambda plain: float(plain) if _is(plain, (int, float)) else _OTHER
    if origin in (tuple, frozenset):
        return lambda plain: (
            origin(from_plain(item, arguments[0]) for item in plain) if _is(plain, list) else _OTHER
        )
    return lambda plain: plain if type(plain) is kind else _OTHER


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _reader_of_one(options: tuple[Any, ...]) -> Callable[[Any], Any]:
    """What reads data of one of several kinds; a class is found by its name."""
    known = {option.__name__: _reader(option) for option in options if option in KNOWN}
    others = [_reader(option) for option in options if option not in KNOWN]

    def read(plain: Any) -> Any:
        if isinstance(plain, dict):
            name = plain.get(TYPE)
            reader = known.get(name) if isinstance(name, str) else None
            return reader(plain) if reader is not None else _OTHER
        values = (reader(plain) for reader in others)
        return next((value for value in values if value is not _OTHER), _OTHER)

    return read


def _is(plain: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(plain, kind) and not isinstance(plain, bool)


def _read_known(plain: Any, kind: type) -> Any:
    if not isinstance(plain, dict) or plain.get(TYPE) != kind.__name__:
        return _OTHER
    fields, hints = written_fields(kind), hints_of(kind)
    values: dict[str, Any] = {name: None for name in hints if hints[name] is Any}
    for name, value in plain.items():
        if name == TYPE:
            continue
        if name not in fields:
            raise CodecError(f"a {kind.__name__} has no field {name!r}")
        try:
            values[name] = from_plain(value, hints[name])
        except CodecError as error:
            raise CodecError(f"{kind.__name__}.{name}: {error}") from None
    try:
        return kind(**values)
    except TypeError as error:
        raise CodecError(f"a {kind.__name__} cannot be made: {error}") from None


@cache
def written_fields(kind: type) -> dict[str, Any]:
    """The fields that are written, with their defaults."""
    hints = hints_of(kind)
    return {
        name: parameter.default
        for name, parameter in signature(kind).parameters.items()
        if hints[name] is not Any
    }


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """The types of all fields."""
    if kind is Dependency:
        return {"ids": tuple[str, ...], "all": bool, "success": bool, "failure": bool}
    return get_type_hints(kind)


def _classes(module: types.ModuleType) -> list[type]:
    """The classes of a module that have fields."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and (is_dataclass(value) or hasattr(value, "_fields"))
    ]


KNOWN: frozenset[type] = frozenset(
    [
        *_classes(failures),
        *_classes(attempt_reasons),
        *_classes(reasons),
        *_classes(notices),
        *_classes(events),
        *_classes(actions),
        Dependency,
        RichFlags,
        Settings,
    ]
)
"""Every class that can be written."""
