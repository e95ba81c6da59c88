"""Whom those who watch ask: a client of the cluster, and a new one after a restart."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import ipyparallel as ipp

from ..client.happenings import Happenings, happenings
from ..client.status import Status, status
from ..client.why import Story, why

OLDEST = 100
"""Of how many waiting tasks it asks why they wait."""

_PATIENCE = 1.0
"""Seconds for which whoever closes a client waits for the answer to the last question."""

T = TypeVar("T")


class OneClient:
    """Asks the scheduler by a client.

    Parameters
    ----------
    client : ipyparallel.Client
        Who asks; somebody else closes it.
    """

    def __init__(self, client: ipp.Client) -> None:
        self._client = client

    def status(self) -> Status:
        """How things stand."""
        return status(self._client, oldest=OLDEST)

    def happenings(self, mark: str) -> Happenings:
        """What happened since a mark."""
        return happenings(self._client, mark)

    def why(self, msg_id: str) -> Story:
        """A task's story."""
        return why(self._client, msg_id)

    def stories(self, msg_ids: Sequence[str]) -> list[Story]:
        """The stories of some tasks, each of which is named once."""
        return why(self._client, msg_ids)


class Cluster:
    """Asks the scheduler of a cluster by a client, which is made when it is needed.

    Parameters
    ----------
    connect : callable
        Makes a context manager that gives a client.
    path : Path
        The connection file: a controller that goes takes it away, and another one writes a new one.
    """

    def __init__(
        self, connect: Callable[[], AbstractContextManager[ipp.Client]], path: Path
    ) -> None:
        self._connect = connect
        self._path = path
        self._stack = ExitStack()
        self._client: OneClient | None = None
        self._file: bytes | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def status(self) -> Status:
        """How things stand."""
        return self._ask(OneClient.status)

    def happenings(self, mark: str) -> Happenings:
        """What happened since a mark."""
        return self._ask(lambda client: client.happenings(mark))

    def why(self, msg_id: str) -> Story:
        """A task's story."""
        return self._ask(lambda client: client.why(msg_id))

    def stories(self, msg_ids: Sequence[str]) -> list[Story]:
        """The stories of some tasks, each of which is named once."""
        return self._ask(lambda client: client.stories(msg_ids))

    def close(self) -> None:
        """Close the client: ask no more.

        Whoever is asking just now, in another thread, may be at it for long.  Then the client is
        closed when it is done.
        """
        self._is_closed = True
        self._close_if_idle(_PATIENCE)

    def _ask(self, what: Callable[[OneClient], T]) -> T:
        try:
            with self._lock:
                if self._is_closed:
                    raise RuntimeError("the client is closed")
                return self._ask_alone(what)
        finally:
            if self._is_closed:
                self._close_if_idle(0)

    def _ask_alone(self, what: Callable[[OneClient], T]) -> T:
        if self._client is not None and self._file != self._read():
            self._drop()
        try:
            if self._client is None:
                self._file = self._read()
                self._client = OneClient(self._stack.enter_context(self._connect()))
            return what(self._client)
        except BaseException:
            self._client = None  # the next question makes a new one
            self._stack.__exit__(*sys.exc_info())  # which may raise an error that says more
            raise

    def _close_if_idle(self, patience: float) -> None:
        if self._lock.acquire(timeout=patience):
            try:
                self._drop()
            finally:
                self._lock.release()

    def _drop(self) -> None:
        self._client = None
        self._stack.close()

    def _read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None
