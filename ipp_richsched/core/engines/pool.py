"""The registered engines: loads, least-recently-used order, high water mark."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .engine import Engine
from .indexes import by_use
from .schemes import Scheme


class EnginePool:
    """The engines that are registered, and the choice among them.

    A choice costs what the index of the scheme costs, for it and once for each engine that has
    changed since the one before; a choice among some engines only costs O(k log k) for k of
    them, or for all where some are excluded.  Everything else is O(1).

    Parameters
    ----------
    scheme : Scheme
        The rule that chooses an engine.
    hwm : int
        The high water mark: how much load an engine may hold; 0 for no limit.
    random : Random
        The source of the schemes' choices.

    Attributes
    ----------
    engines : dict of bytes to Engine
        Those that are registered.
    departed : set of bytes
        Those that were, and are no more.
    roomy : dict of Engine to None
        Registered ones that gained room, and may not have been offered a task.
    """

    def __init__(self, scheme: Scheme, hwm: int, random: Random) -> None:
        self.scheme = scheme
        self.hwm = hwm
        self.random = random
        self.engines: dict[bytes, Engine] = {}
        self.departed: set[bytes] = set()
        self._index = scheme.make_index()
        # Registered ones that the index does not know as they are now.  It is told when it is
        # asked, and while tasks are queued nobody asks it.
        self._changed: dict[Engine, None] = {}
        self.roomy: dict[Engine, None] = {}
        self._last = 0
        self._first = 0

    def register(self, ident: bytes) -> Engine:
        """Take in a new engine, at the head of the line."""
        self._first -= 1
        engine = self.engines[ident] = Engine(ident, self._first)
        self.departed.discard(ident)
        self._changed[engine] = None
        self.roomy[engine] = None
        return engine

    def unregister(self, ident: bytes) -> Engine:
        """Give up an engine that has died; it is returned as it was."""
        engine = self.engines.pop(ident)
        self.departed.add(ident)
        self.roomy.pop(engine, None)
        self._changed.pop(engine, None)
        self._index.discard(engine)
        return engine

    def has(self, engine: Engine) -> bool:
        """Whether this very engine is registered, not one that came back under its name."""
        return self.engines.get(engine.ident) is engine

    def has_room(self, engine: Engine) -> bool:
        """Whether an engine may take another task now."""
        return not engine.paused and not (self.hwm and engine.load >= self.hwm)

    def by_use(self) -> list[Engine]:
        """The engines in least-recently-used order."""
        return by_use(self.engines.values())

    def choose(self, places: frozenset[bytes] | None, excluded: frozenset[Engine]) -> Engine | None:
        """The scheme's choice among the engines that have room.

        Parameters
        ----------
        places : frozenset of bytes, or None
            The engines that may be chosen; None for any.
        excluded : frozenset of Engine
            Engines that may not.

        Returns
        -------
        Engine or None
            None where none has room.

        Raises
        ------
        SchemeError
            If a user's own scheme makes no valid choice.
        """
        if places is None and not excluded:
            if self._changed:
                self._reindex()
            return self._index.choose(self.random)
        candidates = self._candidates(places, excluded)
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        engines = by_use(candidates)
        return engines[self.scheme.choose([engine.load for engine in engines], self.random)]

    def least_loaded(
        self, places: frozenset[bytes] | None, excluded: frozenset[Engine]
    ) -> Engine | None:
        """The choice of `leastload`, for when a user's own scheme fails; O(engines)."""
        engines = self._candidates(places, excluded)
        return min(engines, key=lambda engine: (engine.load, engine.stamp), default=None)

    def has_any(self, places: frozenset[bytes] | None, excluded: frozenset[Engine]) -> bool:
        """Whether an engine is registered, with room or not, that may be chosen."""
        return any(engine not in excluded for engine in self.among(places))

    def among(self, places: frozenset[bytes] | None) -> Iterator[Engine]:
        """The registered engines of these identities, in no order; all of them for None."""
        if places is None:
            yield from self.engines.values()
        else:
            for ident in places:
                if ident in self.engines:
                    yield self.engines[ident]

    def _candidates(
        self, places: frozenset[bytes] | None, excluded: frozenset[Engine]
    ) -> list[Engine]:
        return [
            engine
            for engine in self.among(places)
            if engine not in excluded and self.has_room(engine)
        ]

    def assign(self, engine: Engine) -> None:
        """Count an attempt that `engine` got, which is the last in use from now on."""
        self._last += 1
        engine.stamp = self._last
        engine.load += 1
        self._changed[engine] = None

    def assign_at(self, index: int) -> None:
        """As `assign`, for an engine by its place in least-recently-used order."""
        self.assign(self.by_use()[index])

    def finish_at(self, index: int) -> None:
        """As `finish`, for an engine by its place in least-recently-used order."""
        self.finish(self.by_use()[index])

    def finish(self, engine: Engine) -> None:
        """Count an attempt that `engine` no longer holds."""
        engine.load -= 1
        if self.has(engine):
            self._changed[engine] = self.roomy[engine] = None

    def pause(self, engine: Engine, why: int) -> None:
        """Leave an engine alone, for `UNREACHED` or `INTERRUPTED`."""
        engine.paused |= why
        if self.has(engine):
            self._changed[engine] = None

    def end_pause(self, engine: Engine, why: int) -> None:
        """Leave an engine alone no longer, as far as this is why it was."""
        engine.paused &= ~why
        if self.has(engine) and not engine.paused:
            self._changed[engine] = self.roomy[engine] = None

    def _reindex(self) -> None:
        """Have the index know of every engine that has room, as it is, and of no other."""
        for engine in self._changed:
            if self.has_room(engine):
                self._index.update(engine)
            else:
                self._index.discard(engine)
        self._changed.clear()
