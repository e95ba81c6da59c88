"""What people call clients and engines, one or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.failures import kept as kept  # for clients, too


def client_name(ident: bytes) -> str:
    """A client's identity as text: in hexadecimal, if ZeroMQ has made it up, as it does."""
    text = ident.decode("utf8", "replace")
    return text if text.isprintable() and "\ufffd" not in text else ident.hex()


def listed(names: Sequence[str], more: int = 0) -> str:
    """Some names, and how many others there are, as one says it: ``a, b and c``."""
    shown = [*names, f"{more:,} more"] if more else names
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def listed_few(names: Sequence[str], most: int) -> str:
    """The first few of some names, and how many others there are; a single other is named, too."""
    shown = kept(len(names), most)
    return listed(names[:shown], len(names) - shown)


def is_here(address: str) -> bool:
    """Whether it says nothing from where an engine connects."""
    return address.startswith(("127.", "localhost")) or address in ("", "::1")


KEPT = 10_000
"""Of how many engines the ids are kept, dead ones included."""


class EngineNames:
    """The ids of engines, and their hosts, by identity.

    Parameters
    ----------
    addresses : mapping of bytes to str
        From where engines connect, by identity, as far as that is known.
    """

    def __init__(self, addresses: Mapping[bytes, str]) -> None:
        self._addresses = addresses
        self._ids: dict[str, int] = {}

    def learn(self, engine: str, number: object) -> None:
        """Take in the id that the hub gave to an engine; it may be anything that is none."""
        if isinstance(number, int):
            self._ids[engine] = number
            if len(self._ids) > KEPT:
                del self._ids[next(iter(self._ids))]

    def number(self, engine: str) -> int | None:
        """The id that the hub gave to an engine, given its identity as text."""
        return self._ids.get(engine)

    def host(self, engine: str) -> str | None:
        """From where an engine connects, if that is known."""
        return self._addresses.get(engine.encode("utf8", "surrogateescape")) or None

    def called(self, engine: str) -> str:
        """What people call an engine, given its identity as text."""
        name = f"engine {self._ids.get(engine, engine)}"
        address = self.host(engine) or ""
        return name if is_here(address) else f"{name} on {address}"
