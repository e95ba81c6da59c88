"""What events and actions are made of: named tuples that know their type."""

from __future__ import annotations

from typing import Any, TypeVar, get_type_hints

T = TypeVar("T", bound=type)

make: Any = tuple.__new__
"""Makes a record of its class and a tuple of all its fields, at a third of the price of a call.

It is used for the four that are made for each task: `TaskSubmitted`, `AssignTask`, `TaskReplied`
and `RelayReply`.
"""


def record(cls: T) -> T:
    """Make a `NamedTuple` class equal to its own kind only, with a short `repr`.

    A frozen dataclass would do the same and costs five times as much to make; four of these
    are made for each task.  A field of type ``Any`` is a message: it belongs to the shell and
    may be large, so that `repr` leaves it out, and so does `codec`.
    """
    shown = [name for name, kind in get_type_hints(cls).items() if kind is not Any]

    def equal(self: Any, other: object) -> bool:
        return type(other) is cls and tuple.__eq__(self, other)

    def unequal(self: Any, other: object) -> bool:
        return not equal(self, other)

    def hashed(self: Any) -> int:
        return hash((cls, *self))

    def text(self: Any) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{cls.__name__}({fields})"

    for name, method in (
        ("__eq__", equal),
        ("__ne__", unequal),
        ("__hash__", hashed),
        ("__repr__", text),
    ):
        setattr(cls, name, method)
    return cls
