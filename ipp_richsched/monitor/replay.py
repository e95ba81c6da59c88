"""Whether a scheduler of today does the same as an event log says."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.log import Gap, LogError, Step
from ..core.replay import Difference
from ..core.replay import replay as replay_steps
from ..wire.checks import printable
from .log_files import LogFile, files_of, read_step
from .times import moment


@dataclass(frozen=True)
class Replayed:
    """What came of the replay of a run.

    Attributes
    ----------
    began : float
        When the oldest of its files that is there was begun, in seconds since 1970.
    package : str
        The version of this package that wrote it.
    events : int
        How many events were fed to a new core.
    difference : str
        Where that did something else than the log says, and what; empty if nowhere.
    problem : str
        Why not all of the run could be replayed; empty if it could.
    """

    began: float
    package: str
    events: int = 0
    difference: str = ""
    problem: str = ""

    @property
    def is_same(self) -> bool:
        """Whether all that was fed led to the same actions, and something was."""
        return self.events > 0 and not self.difference

    def __str__(self) -> str:
        text = f"the run of {moment(self.began)} (ipp_richsched {self.package}): "
        parts = [f"{self.events:,} events, the same actions"] if self.events else []
        if self.difference:
            parts = [self.difference]
        return text + "; ".join([*parts, *filter(None, [self.problem])])


def replay(path: Path) -> list[Replayed]:
    """Feed each run in an event log to a new core.

    Parameters
    ----------
    path : Path
        The log; its older files are found beside it.

    Returns
    -------
    list of Replayed
        One for each run, the oldest first.

    Raises
    ------
    LogError
        If the log cannot be read.
    """
    files = files_of(path)
    runs = itertools.groupby(files, key=lambda file: file.header.run)
    return [_Run([*run]).replay() for _, run in runs]


class _Run:
    """The files of one run."""

    def __init__(self, files: list[LogFile]) -> None:
        self._files = files
        self._place = files[0], 1
        self._problem = files[-1].note

    def replay(self) -> Replayed:
        header = self._files[0].header
        if not header.replayable:
            return self._not_replayed("its scheduler is of a class that counts loads itself")
        if header.part > 1:
            return self._not_replayed(
                f"its first {header.part - 1} files are gone, and a replay begins with the first"
            )
        try:
            number, difference = replay_steps(header.settings, self._steps())
        except LogError as error:
            file, line = self._place
            raise file.error(line, error) from None
        text = self._text(difference) if difference is not None else ""
        return Replayed(header.wall, header.package, number, text, self._problem)

    def _not_replayed(self, problem: str) -> Replayed:
        header = self._files[0].header
        return Replayed(header.wall, header.package, problem=f"it cannot be replayed: {problem}")

    def _steps(self) -> Iterator[Step]:
        for part, file in enumerate(self._files, 1):
            if file.header.part != part:
                self._problem = f"then file {part} of the run is missing"
                return
            for number, line in file.lines():
                self._place = file, number
                read = read_step(line)
                if isinstance(read, Gap):
                    self._problem = f"then {read.lost:,} are missing, which could not be written"
                    return
                yield read

    def _text(self, difference: Difference) -> str:
        file, line = self._place
        event, written, done = (
            printable(json.dumps(what))
            for what in (difference.event, difference.written, difference.done)
        )
        return (
            f"{file.path}, line {line}: event {difference.step:,}, {event}, led to {written}, and"
            f" now to {done}"
        )
