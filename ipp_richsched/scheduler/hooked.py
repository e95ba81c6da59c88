"""The pool of a subclass that overrides `add_job` or `finish_job`.

There the order of use and the loads are lists, `targets` and `loads`, which the subclass
changes as it would those of the stock scheduler; they are read back after each call.  It
costs O(engines) for each task, which the pool of the core does not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random

from ..core.engines.engine import Engine
from ..core.engines.indexes import FunctionIndex
from ..core.engines.pool import EnginePool
from ..core.engines.schemes import Scheme


class HookedPool(EnginePool):
    """An `EnginePool` whose accounts are kept by two functions of an index.

    Parameters
    ----------
    scheme, hwm, random
        See `EnginePool`.
    add_job, finish_job : callable
        Called with the index of an engine that was assigned a task, or gave one back.
    log : logging.Logger
        Where it is said if one of them raises.
    """

    def __init__(
        self,
        scheme: Scheme,
        hwm: int,
        random: Random,
        add_job: Callable[[int], None],
        finish_job: Callable[[int], None],
        log: logging.Logger,
    ) -> None:
        # The subclass may change the lists in any way, so no index can be kept: ask the scheme.
        scheme = scheme._replace(make_index=lambda: FunctionIndex(scheme.choose))
        super().__init__(scheme, hwm, random)
        self.targets: list[bytes] = []
        self.loads: list[float] = []
        self._add_job = add_job
        self._finish_job = finish_job
        self._log = log

    def register(self, ident: bytes) -> Engine:
        self.targets.insert(0, ident)
        self.loads.insert(0, 0)
        engine = super().register(ident)
        self._read_back()
        return engine

    def unregister(self, ident: bytes) -> Engine:
        index = self.targets.index(ident)
        del self.targets[index], self.loads[index]
        return super().unregister(ident)

    def assign(self, engine: Engine) -> None:
        self._call("add_job", self._add_job, engine, 1)

    def finish(self, engine: Engine) -> None:
        if self.has(engine):
            self.roomy[engine] = None
            self._call("finish_job", self._finish_job, engine, -1)

    def assign_at(self, index: int) -> None:
        self.loads[index] += 1
        self.targets.append(self.targets.pop(index))
        self.loads.append(self.loads.pop(index))

    def finish_at(self, index: int) -> None:
        self.loads[index] -= 1

    def _call(
        self, name: str, function: Callable[[int], None], engine: Engine, change: int
    ) -> None:
        """Have an engine counted; if that fails, its load changes as it would by itself."""
        load = engine.load
        try:
            function(self.targets.index(engine.ident))
            self._read_back()
        except Exception:
            self._log.exception("task::%s raised; the loads may be wrong from now on", name)
            engine.load = load + change
            self._changed[engine] = None
            order = self.by_use()
            self.targets[:] = [engine.ident for engine in order]
            self.loads[:] = [engine.load for engine in order]

    def _read_back(self) -> None:
        for place, (ident, load) in enumerate(zip(self.targets, self.loads, strict=True)):
            engine = self.engines[ident]
            had_room = self.has_room(engine)
            engine.stamp, engine.load = place, load
            self._changed[engine] = None
            if not had_room and self.has_room(engine):  # what happened to another gave it room
                self.roomy[engine] = None
