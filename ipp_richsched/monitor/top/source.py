"""Whom `top` asks: a client of the cluster, and a new one after the controller was restarted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import ipyparallel as ipp

from ...client.status import Status, status
from ...client.why import Story, why
from .asker import OLDEST

T = TypeVar("T")


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
        self._client: ipp.Client | None = None
        self._file: bytes | None = None

    def status(self) -> Status:
        """How things stand."""
        return self._ask(lambda client: status(client, oldest=OLDEST))

    def why(self, msg_id: str) -> Story:
        """A task's story."""
        return self._ask(lambda client: why(client, msg_id))

    def close(self) -> None:
        """Close the client."""
        self._client = None
        self._stack.close()

    def _ask(self, what: Callable[[ipp.Client], T]) -> T:
        if self._client is not None and self._file != self._read():
            self.close()
        try:
            if self._client is None:
                self._file = self._read()
                self._client = self._stack.enter_context(self._connect())
            return what(self._client)
        except BaseException:
            self._client = None  # the next question makes a new one
            self._stack.__exit__(*sys.exc_info())  # which may raise an error that says more
            raise

    def _read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None
