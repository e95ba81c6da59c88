"""The files of an event log, as they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.log import NAME, Gap, Header, LogError, Step, read_line


@dataclass(frozen=True)
class LogFile:
    """A file of an event log.

    Attributes
    ----------
    path : Path
        The file.
    header : Header
        Its first line.
    is_cut_off : bool
        Whether its last line is cut off: the scheduler was killed while it wrote, or goes on.
    """

    path: Path
    header: Header
    is_cut_off: bool

    def lines(self) -> Iterator[tuple[int, str]]:
        """The lines after the first that are whole, with their numbers.

        Raises
        ------
        LogError
            If the file cannot be read.
        """
        try:
            with self.path.open(encoding="ascii", errors="replace") as lines:
                for number, line in enumerate(lines, 1):
                    if number > 1 and line.endswith("\n"):
                        yield number, line
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def error(self, number: int, text: object) -> LogError:
        """An error that names a line of this file."""
        return LogError(f"{self.path}, line {number}: {text}")

    def wall(self, now: float) -> float:
        """Seconds since 1970, for a time on the clock of the steps."""
        return self.header.wall + (now - self.header.now)

    @property
    def note(self) -> str:
        """What people should know of this file; nothing, mostly."""
        return f"{self.path}: the last line is cut off, and ignored" if self.is_cut_off else ""


def files_of(path: Path) -> list[LogFile]:
    """The files of an event log that are there, the oldest first.

    Parameters
    ----------
    path : Path
        What `RichTaskScheduler.event_log` says; older files are found beside it.

    Raises
    ------
    LogError
        If there is no such file, or if one of them is no event log that this version can read.
    """
    older: dict[int, Path] = {}
    if path.parent.is_dir():
        for other in path.parent.iterdir():
            match = re.fullmatch(re.escape(path.name) + r"\.(\d{1,9})", other.name)
            if match:
                older[int(match[1])] = other
    paths = [older[number] for number in sorted(older, reverse=True)]
    if not paths or path.exists():  # it is not there for a moment while the next one is begun
        paths.append(path)
    files = [file for each in paths if (file := _opened(each)) is not None]
    if not files:
        raise LogError(f"{path}: it is empty")
    return files


def is_event_log(path: Path) -> bool:
    """Whether a file is part of an event log, of whatever version, as its beginning says."""
    beginning = f'{{"format":"{NAME}"'.encode()
    try:
        with path.open("rb") as file:
            return file.read(len(beginning)) == beginning
    except OSError:
        return False


def read_step(line: str) -> Step | Gap:
    """Read a line after the first; raises LogError that does not name the place."""
    read = read_line(line)
    if isinstance(read, Header):
        raise LogError("it begins a file, and is in the middle of one")
    return read


def _opened(path: Path) -> LogFile | None:
    """A file of a log; None if it is empty."""
    if path.is_dir():
        raise LogError(f"{path}: it is a directory, and no event log")
    try:
        with path.open("rb") as file:
            first = file.readline()
            end = file.seek(0, 2)
            file.seek(max(0, end - 1))
            is_cut_off = file.read(1) != b"\n"
    except OSError as error:
        raise _unreadable(path, error) from None
    if not first:
        return None
    try:
        header = read_line(first.decode("ascii", "replace"))
    except LogError as error:
        raise LogError(f"{path}: it is no event log of this version: {error}") from None
    if not isinstance(header, Header):
        raise LogError(f"{path}: it is no event log: its first line does not say so")
    return LogFile(path, header, is_cut_off)


def _unreadable(path: Path, error: OSError) -> LogError:
    return LogError(f"{path}: {error.strerror or error}")
