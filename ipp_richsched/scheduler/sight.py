"""Answers who asks how things stand.  To ask is no event: the core only reads its state."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import version
from typing import Any

import psutil

from ..core.machine import SchedulerCore
from ..core.settings import Settings
from ..wire.happenings import mark_of, page_of
from ..wire.names import EngineNames, client_name
from ..wire.sight import Sight
from .lag import Lag

_TOLD_ELSEWHERE = {"scheme", "seed"}


class Sights:
    """Makes the answers to requests that only read.

    Parameters
    ----------
    core : SchedulerCore
        Who knows.
    names : EngineNames
        What the engines are called.
    clock : callable
        The time by which the core is told of events.
    lag : Lag
        How long messages may have to wait.
    """

    def __init__(
        self, core: SchedulerCore, names: EngineNames, clock: Callable[[], float], lag: Lag
    ) -> None:
        self._core = core
        self._names = names
        self._clock = clock
        self._lag = lag
        self._process = psutil.Process()
        self._version = version("ipp-richsched")  # which reads a file
        self._run = uuid.uuid4().hex
        self._offset = -math.inf

    def status(self, client: bytes, oldest: int) -> dict[str, Any]:
        """The answer to a `STATUS` request of a client."""
        now, wall = self._times()
        status = self._core.status(now=now, oldest=oldest)
        return {
            "time": wall,
            "you": client_name(client),
            "version": self._version,
            "scheme": self._core.pool.scheme.name,
            "settings": self._settings(),
            "memory": self._process.memory_info().rss,
            "lag": self._lag.seconds(now),
            **Sight(now, wall, self._names).status(status),
        }

    def why(self, msg_ids: list[str]) -> dict[str, Any]:
        """The answer to a `WHY` request."""
        now, wall = self._times()
        sight = Sight(now, wall, self._names)
        tales = self._core.why(msg_ids, now=now)
        return {"time": wall, "stories": [sight.story(tale) for tale in tales]}

    def happenings(self, mark: str) -> dict[str, Any]:
        """The answer to a `HAPPENINGS` request; raises ValueError if the mark is none."""
        page = self._core.happenings(mark_of(mark, self._run))
        now, wall = self._times()
        return {"time": wall, **page_of(page, self._run, Sight(now, wall, self._names))}

    def _times(self) -> tuple[float, float]:
        """The time by the core's clock, and in seconds of the epoch.

        Readers put the answers together, so a later happening has a later time in them, although
        people set clocks back.  They are followed forward: after a night in which the machine
        slept, the time of the day is right again.
        """
        now = self._clock()
        self._offset = max(self._offset, time.time() - now)
        return now, now + self._offset

    def _settings(self) -> dict[str, Any]:
        """Those that are not the default."""
        settings = self._core.state.settings
        names = {field.name: field.default for field in fields(Settings)}
        return {
            name: getattr(settings, name)
            for name, default in names.items()
            if name not in _TOLD_ELSEWHERE and getattr(settings, name) != default
        }
