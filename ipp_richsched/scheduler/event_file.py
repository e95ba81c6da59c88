"""The files of an event log: one that is written, and a few older ones.

The one that is written is called as the user says, and the older ones have ``.1``, ``.2`` and so on
behind that, as logrotate has it: the higher, the older.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

OLD_FILES = 7
"""How many older files are kept."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class EventFile:
    """Writes lines into a file, and begins another one when that is full.

    A file is locked while a scheduler writes it.  Another scheduler that is told to write the same
    one writes ``name-2.jsonl`` in place of ``name.jsonl``, or the next number that is free.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        How many bytes a file has at most, but for the last lines that are written at once.
    header : callable
        Makes the first line of a file; called with 1 for the first file, and so on.

    Attributes
    ----------
    path : Path
        The file that is written, or was written last.
    """

    def __init__(self, path: Path, size: int, header: Callable[[int], str]) -> None:
        self.path = path
        self._wanted = path
        self._limit = size
        self._header = header
        self._descriptor: int | None = None
        self._size = 0
        self._parts = 0

    def write(self, text: str) -> None:
        """Write some lines.

        Raises
        ------
        OSError
            If they cannot be written; then nothing of them is in the file, as far as that can be
            had.
        """
        data = text.encode("ascii")
        if self._descriptor is not None and not self._is_there():
            self.close()  # somebody has removed it, or put another one in its place
        if self._descriptor is not None and self._size + len(data) > self._limit:
            self._make_old()
        if self._descriptor is None:
            self._open()
        self._append(data)

    def close(self) -> None:
        """Close the file; the next that is written goes into another one."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_there(self) -> bool:
        """Whether the file that is open is the one that has its name."""
        assert self._descriptor is not None
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        """Begin a file."""
        number = 1
        while self._descriptor is None:
            self.path = self._numbered(number)
            self._descriptor = os.open(self.path, _FLAGS, 0o666)
            if not _lock(self._descriptor):
                number += 1
                self.close()
            elif not self._is_there():  # somebody else has just renamed it
                self.close()
            elif os.fstat(self._descriptor).st_size:  # it is of an earlier run
                self._make_old()
        self._size = 0
        try:
            self._append(self._header(self._parts + 1).encode("ascii"))
        except BaseException:
            self.close()
            raise
        self._parts += 1

    def _make_old(self) -> None:
        """Give the file the name of the first of the older ones; the oldest goes."""
        names = [self.path, *(Path(f"{self.path}.{number}") for number in range(1, OLD_FILES + 1))]
        if fcntl is None:
            self.close()  # Windows renames no open file
        try:
            for old, older in zip(names[-2::-1], names[:0:-1], strict=True):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(old, older)
        finally:
            self.close()

    def _numbered(self, number: int) -> Path:
        path = self._wanted
        return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")

    def _append(self, data: bytes) -> None:
        """Write all of it or, if that fails, leave the file as it was."""
        assert self._descriptor is not None
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)


def _lock(descriptor: int) -> bool:
    """Lock a file; False if somebody else has locked it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system that has no locks
        pass
    return True
