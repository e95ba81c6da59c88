"""Who asks the scheduler for those who watch, and what becomes of it when they end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ipp_richsched.monitor import source
from ipp_richsched.monitor.source import Cluster

from .processes import PATIENCE, wait_for


class Scripted:
    """A cluster whose clients are counted, and answer when they are told to."""

    def __init__(self, path: Path) -> None:
        self.open = self.closed = 0
        self.asked, self.answers = threading.Event(), threading.Event()
        self.cluster = Cluster(self._connect, path)

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        self.open += 1
        try:
            yield self
        finally:
            assert self.answers.is_set(), "it was closed while it was asked"
            self.open -= 1
            self.closed += 1

    def ask(self, *args: Any, **kwargs: Any) -> str:
        self.asked.set()
        assert self.answers.wait(PATIENCE)
        return "how things stand"


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    found = Scripted(tmp_path / "file")
    with mock.patch.object(source, "status", found.ask):
        yield found


def test_a_client_is_made_once_and_closed(scripted: Scripted) -> None:
    scripted.answers.set()
    assert scripted.cluster.status() == scripted.cluster.status() == "how things stand"
    assert (scripted.open, scripted.closed) == (1, 0)
    scripted.cluster.close()
    scripted.cluster.close()
    assert (scripted.open, scripted.closed) == (0, 1)
    with pytest.raises(RuntimeError, match="closed"):
        scripted.cluster.status()


@pytest.mark.parametrize("patience", [0.0, PATIENCE])
def test_a_client_is_not_closed_under_who_asks(
    scripted: Scripted, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_PATIENCE", patience)
    told: list[Any] = []
    asks = threading.Thread(target=lambda: told.append(scripted.cluster.status()), daemon=True)
    asks.start()
    assert scripted.asked.wait(PATIENCE)
    closes = threading.Thread(target=scripted.cluster.close, daemon=True)
    closes.start()
    if not patience:
        closes.join(PATIENCE)
        assert not closes.is_alive()
    scripted.answers.set()
    wait_for(lambda: scripted.closed == 1, "the end of the client")
    asks.join(PATIENCE)
    closes.join(PATIENCE)
    assert told == ["how things stand"]
    assert scripted.open == 0
