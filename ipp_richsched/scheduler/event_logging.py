"""The settings of the event log, and how it begins."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from traitlets import HasTraits, Integer, TraitError, Unicode, validate

from ..core.engines.pool import EnginePool
from ..core.failures import engine_name
from ..core.log import Header, header_line
from ..core.machine import SchedulerCore
from ..wire.texts import Called
from .ending import before_the_end
from .event_file import EventFile
from .event_log import EventLog
from .lines import AT_ONCE, Lines


class EventLogging(HasTraits):
    """What of `RichTaskScheduler` is about its event log."""

    event_log = Unicode(
        None,
        allow_none=True,
        config=True,
        help="""The file into which the scheduler writes what happens, a line of JSON for each
        event: for `ipp-richsched explain`. If another scheduler writes that file, '-2' comes
        before the ending of its name, or the next number that is free. None: there is none.""",
    )

    event_log_size = Integer(
        2**26,
        min=2**16,
        config=True,
        help="""How many bytes a file of the event log has; then the next one is begun. Seven older
        ones are kept.""",
    )

    log: Any

    @validate("event_log")
    def _validate_event_log(self, proposal: Any) -> str | None:
        path: str | None = proposal.value
        try:
            problem = _problem(path) if path is not None else ""
        except (OSError, RuntimeError) as error:  # of a directory that is closed, or of no home
            problem = f"{error}"
        if problem:
            name = f"{type(self).__name__}.event_log"
            raise TraitError(f"{name}: {path!r} cannot be written: {problem}")
        return path

    def _begin_event_log(
        self,
        core: SchedulerCore,
        called: Called,
        loop: Any,
        clock: Callable[[], float],
        lines: Lines,
    ) -> None:
        """Have the steps of a core written, if that is set."""
        if self.event_log is None:
            return

        def called_by(ident: bytes) -> str:
            return called(engine_name(ident))

        def header(run: str, part: int) -> str:
            # the thread makes it, and other engines may come meanwhile: so of a copy
            engines = {engine_name(ident): called_by(ident) for ident in [*core.pool.engines]}
            return header_line(
                Header(
                    settings=core.state.settings,
                    run=run,
                    part=part,
                    wall=time.time(),
                    now=clock(),
                    package=version("ipp_richsched"),
                    # a subclass that counts loads itself changes the core outside of events
                    replayable=type(core.pool) is EnginePool,
                    engines=engines,
                )
            )

        path = Path(self.event_log).expanduser().absolute()
        file = EventFile(path, self.event_log_size, partial(header, uuid.uuid4().hex))
        warn = partial(lines.put, "event log", at_once=AT_ONCE)
        event_log = EventLog(file, loop, called_by, self.log.info, warn)
        core.trace = event_log.trace
        before_the_end(loop, event_log.close)


def _problem(value: str) -> str:
    """Why a file cannot be written; nothing if it can, as far as is known."""
    path = Path(value).expanduser()
    if path.is_dir():
        return "it is a directory"
    if path.exists() and not path.is_file():
        return "it is no ordinary file"
    if not path.parent.is_dir():
        return f"there is no directory {str(path.parent)!r}"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"files cannot be made in the directory {str(path.parent)!r}"
    if path.exists() and not os.access(path, os.W_OK):
        return "there is such a file, and it may not be changed"
    return ""
