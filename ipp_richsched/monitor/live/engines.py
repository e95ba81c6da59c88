"""The engines, and the rows in which their attempts are drawn."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ...client.data import short
from ...client.happenings import Place
from ...client.status import EngineStatus
from ...client.status_parts import DeadEngine
from .tasks import LiveEngine

GONE = ", gone"
"""What stands behind the name of an engine that is registered no more."""


class Engines:
    """The engines of a controller that have held something; and the rows, which outlive it.

    Attributes
    ----------
    row_names : list of str
        What the rows are called.
    places : dict of str to Place
        What the engines are called, by UUID.
    """

    def __init__(self) -> None:
        self.row_names: list[str] = []
        self.places: dict[str, Place] = {}
        self._engines: dict[str, LiveEngine] = {}
        self._rows: dict[int | str, int] = {}

    def __iter__(self) -> Iterator[LiveEngine]:
        return iter(self._engines.values())

    def __getitem__(self, uuid: str) -> LiveEngine:
        """The engine with a UUID, which has a row from now on."""
        engine = self._engines.get(uuid)
        if engine is None:
            engine = self._engines[uuid] = LiveEngine(self._row(uuid))
        return engine

    def begin(self) -> None:
        """Another controller has begun, whose engines are others."""
        self.places = {}
        self._engines = {}

    def note(self, engines: Collection[EngineStatus], dead: Collection[DeadEngine] = ()) -> None:
        """Give each engine its row, in the order of numbers, and mark who has died or gone.

        Parameters
        ----------
        engines : collection of EngineStatus
            Those that are registered.
        dead : collection of DeadEngine
            Those that died with tasks that are not given up yet.
        """
        registered = {each.uuid for each in engines}
        # one that came back under its name may hold tasks of both of its lives: it is alive
        gone_with_tasks = [each for each in dead if each.uuid not in registered]
        died = {each.uuid: each.died.timestamp() for each in gone_with_tasks}
        told: list[EngineStatus | DeadEngine] = [*engines, *gone_with_tasks]
        for engine in sorted(told, key=lambda each: (each.id is None, each.id or 0, each.uuid)):
            self.places[engine.uuid] = Place(engine.id, engine.uuid, engine.host)
            self._row(engine.uuid)
        for uuid in died:
            self[uuid].died = died[uuid]
        for uuid in self._engines.keys() - died.keys():
            # else what became of its tasks was not taken in yet
            if uuid in registered or not self._engines[uuid].held:
                self._engines[uuid].died = None
        # who holds something may have come just after the status was told
        there = {each.row for each in self if each.held and each.died is None}
        there |= {self._row(uuid) for uuid in registered}
        gone = set(range(len(self.row_names))) - there
        for row in gone:
            self.row_names[row] = self.row_names[row].removesuffix(GONE) + GONE

    def _row(self, uuid: str) -> int:
        """The row of an engine: that of its number, which another controller gives again."""
        place = self.places.get(uuid)
        number = place.id if place is not None else None
        key: int | str = uuid if number is None else number
        row = self._rows.get(key, self._rows.get(uuid))
        if row is None:
            row = len(self.row_names)
            self.row_names.append("")
        self._rows[key] = row
        self.row_names[row] = short(uuid) if number is None else f"engine {number}"
        return row
