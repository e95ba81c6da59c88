"""A core that writes an event log, driven by a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ipp_richsched.core.actions import Action
from ipp_richsched.core.events import EngineRegistered, Event
from ipp_richsched.core.log import Header, header_line, step_line

from .core.driver import Driver

BEGAN = 1.7e9
"""When the core's clock was at 0, in seconds since 1970."""


class Night(Driver):
    """A core, its clock, its engines, and the log that it writes.

    Parameters
    ----------
    path : Path
        The log.
    engines : str
        Engines that are registered in this order; people call them engine 0, engine 1, ...
    run : str
        What names this run.
    """

    def __init__(self, path: Path, *engines: str, run: str = "run", **settings: Any) -> None:
        super().__init__(**settings)
        self.path = path
        self.run = run
        self.names: dict[str, str] = {}
        self.core.trace = self._trace
        self.begin_file(1)
        for engine in engines:
            self.register(engine)

    def begin_file(self, part: int, **fields: Any) -> None:
        """Begin a file, as after a rotation."""
        settings = self.core.state.settings
        fields = {"wall": BEGAN + self.now, "now": self.now, "package": "0.1", **fields}
        header = Header(settings, self.run, part, engines=dict(self.names), **fields)
        self.path.write_text(header_line(header))

    def _trace(self, now: float, event: Event, actions: list[Action]) -> None:
        called = ""
        if isinstance(event, EngineRegistered):
            name = event.engine.decode()
            called = self.names.setdefault(name, f"engine {len(self.names)}")
        self.add(step_line(now, event, actions, called))

    def add(self, text: str) -> None:
        """Write something into the log."""
        with self.path.open("a") as file:
            file.write(text)

    def make_old(self, part: int) -> None:
        """Have the file become an old one; `part` is the number of the next."""
        for number in range(part - 1, 0, -1):
            old = self.path if number == 1 else Path(f"{self.path}.{number - 1}")
            old.rename(f"{self.path}.{number}")
        self.begin_file(part)
