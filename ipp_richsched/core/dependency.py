"""What a task waits for: a set of msg_ids and the outcomes that count."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Status(enum.Enum):
    """How a dependency stands."""

    MET = "met"
    PENDING = "pending"
    UNREACHABLE = "unreachable"


# Up to Python 3.11, `Status.MET` would cost as much as a function call.
MET, PENDING, UNREACHABLE = Status


class Dependency:
    """A dependency on the outcomes of other tasks, as in `ipyparallel.Dependency`.

    Parameters
    ----------
    ids : iterable of str
        The msg_ids depended upon; repeated ones count once.
    all : bool
        Whether every id must finish with an outcome that counts, or any one.
    success, failure : bool
        Whether a success, or a failure, of an id counts.

    Attributes
    ----------
    ids : tuple of str
        The msg_ids, each once.
    needed : int
        How many ids must finish with an outcome that counts for it to be met.
    spare : int
        How many may finish with one that does not before it is unreachable.

    Raises
    ------
    ValueError
        If neither success nor failure counts.
    """

    __slots__ = ("all", "failure", "ids", "needed", "spare", "success")

    def __init__(
        self,
        ids: Iterable[str] = (),
        all: bool = True,
        success: bool = True,
        failure: bool = False,
    ) -> None:
        if not (success or failure):
            raise ValueError("must depend on at least one of success and failure")
        self.ids = tuple(ids)
        if len(set(self.ids)) < len(self.ids):
            self.ids = tuple(dict.fromkeys(self.ids))
        self.all = all
        self.success = success
        self.failure = failure
        count = len(self.ids)
        self.needed = count if all or not count else 1
        self.spare = 0 if all else count - 1

    @classmethod
    def parse(cls, value: object) -> Dependency:
        """Read the forms in which a client sends a dependency.

        Parameters
        ----------
        value : None, str, list of str, or dict
            Nothing, one msg_id, several, or what `ipyparallel.Dependency.as_dict` makes.

        Raises
        ------
        TypeError
            If a part of it has another type; the message names the part.
        ValueError
            If neither success nor failure counts.
        """
        if not value:
            return NOTHING
        flags = {}
        ids = value
        if isinstance(value, dict):
            for name in ("all", "success", "failure"):
                if name in value:
                    if value[name] not in (True, False):
                        raise TypeError(f"{name!r} is {value[name]!r}, not a boolean")
                    flags[name] = bool(value[name])
            ids = value.get("dependencies", [])
        if isinstance(ids, str):
            ids = [ids]
        elif not isinstance(ids, list):
            raise TypeError(f"{ids!r} is no list of msg_ids")
        try:
            "".join(ids)  # asks faster than a loop whether all are strings
        except TypeError:
            wrong = next(msg_id for msg_id in ids if not isinstance(msg_id, str))
            raise TypeError(f"{wrong!r} is no msg_id") from None
        return cls(ids, **flags)

    def __bool__(self) -> bool:
        return bool(self.ids)

    def accepts(self, succeeded: bool) -> bool:
        """Whether an id that finished so counts."""
        return self.success if succeeded else self.failure

    def status(self, accepted: int, refused: int) -> Status:
        """How the dependency stands, given how many of its ids finished.

        Parameters
        ----------
        accepted, refused : int
            How many ids finished with an outcome that counts, and with one that does not.
        """
        if accepted >= self.needed:
            return MET
        return UNREACHABLE if refused > self.spare else PENDING


NOTHING = Dependency()
"""The dependency on nothing."""
