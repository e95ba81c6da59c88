"""What people call engines."""

from __future__ import annotations

from typing import Any

KEPT = 10_000
"""Of how many engines the names are kept, dead ones included."""


class EngineNames:
    """The ids of engines, and their hosts, by identity."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._hosts: dict[str, str] = {}

    def learn_id(self, engine: str, number: object) -> None:
        """Take in the id that the hub gave to an engine."""
        if isinstance(number, int):
            _keep(self._ids, engine, number)

    def knows_host(self, engine: str) -> bool:
        """Whether `learn_host` was called for an engine."""
        return engine in self._hosts

    def learn_host(self, engine: str, address: str) -> None:
        """Take in the address from which an engine connects; one of this host says nothing."""
        is_here = address.startswith("127.") or address == "::1"
        _keep(self._hosts, engine, "" if is_here else address)

    def called(self, engine: str) -> str:
        """What people call an engine, given its identity as text."""
        number, host = self._ids.get(engine), self._hosts.get(engine)
        name = f"engine {engine if number is None else number}"
        return f"{name} on {host}" if host else name


def _keep(names: dict[str, Any], engine: str, value: object) -> None:
    """Set the name of an engine, and forget the oldest where there are too many."""
    names[engine] = value
    if len(names) > KEPT:
        del names[next(iter(names))]
