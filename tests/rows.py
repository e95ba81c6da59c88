"""Promises that the stock scheduler breaks, and the cluster in which they are tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from ipyparallel.controller.task_scheduler import TaskScheduler
from jupyter_client.session import DELIM

from ipp_richsched import RichTaskScheduler

from .scripted import DEADLINE, Client, Engine, ScriptedCluster

STOCK_PATIENCE = 1.0
"""Seconds that suffice to call the stock scheduler silent: it has nothing else to do."""

GRACE = 0.3
"""Seconds in which late replies of a dead engine count, for both schedulers."""


class BrokenPromiseError(AssertionError):
    """A promise is not kept."""


@contextmanager
def promised() -> Iterator[None]:
    """What is asserted inside is the promise; what fails outside is a fault of the test."""
    try:
        yield
    except AssertionError as error:
        raise BrokenPromiseError(str(error)) from error


class HastyTaskScheduler(TaskScheduler):
    """The stock scheduler, whose 5 s of grace pass more quickly."""

    def start(self) -> None:
        add_timeout = self.loop.add_timeout

        def sooner(deadline: float, callback: Callable[[], None]) -> object:
            return add_timeout(min(deadline, self.loop.time() + GRACE), callback)

        self.loop.add_timeout = sooner
        super().start()


def row(number: int, stock: str, cls: type = TaskScheduler) -> pytest.MarkDecorator:
    """Run a test with both schedulers, and expect the stock one to break the promise."""
    reason = f"row {number}: {stock}"
    broken = pytest.mark.xfail(strict=True, raises=BrokenPromiseError, reason=reason)
    classes = [
        pytest.param(RichTaskScheduler, id="rich"),
        pytest.param(cls, id="stock", marks=broken),
    ]
    return pytest.mark.parametrize("scheduler", classes)


class Cluster(ScriptedCluster):
    """A scripted cluster in which one can wait for what has been sent."""

    def __init__(self, path: Path, scheduler: type, **kwargs: Any) -> None:
        super().__init__(path, scheduler, **kwargs)
        self.is_stock = not issubclass(scheduler, RichTaskScheduler)
        self.patience = STOCK_PATIENCE if self.is_stock else DEADLINE
        self._number = count()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: Any) -> None:
        if self.is_stock:
            self.close()  # tracebacks in its log are no surprise
        else:
            super().__exit__(*error)

    def engine(self, ident: bytes) -> Engine:
        """An engine that is connected and registered."""
        if not self.is_stock:
            return super().engine(ident)
        # the stock scheduler drops what it sends to an engine that is not connected yet
        engine, word = self.connect_engine(ident), f"hello of {ident.decode()}"
        frames, _ = self.client(b"nobody " + ident).task(msg_id=word)
        engine.reply([b"nobody", *frames])
        self.wait_for(lambda: word in self.log, "a complaint about a reply to nothing")
        self.notify("registration", ident)
        return engine

    def answer(self, client: Client) -> dict[str, Any]:
        """The next answer to a client."""
        return client.read(client.recv(self.patience))

    def take(self, engine: Engine) -> tuple[str, list[bytes]]:
        """The next task of an engine."""
        frames = engine.recv(self.patience)
        header = engine.session.unpack(frames[frames.index(DELIM) + 2])
        return header["msg_id"], frames  # not by `read`, which refuses a message seen before

    def noticed(self) -> Engine:
        """Wait until the scheduler has read what the hub has said; an engine said last."""
        number = next(self._number)
        client, engine = self.client(b"observer-%d" % number), self.engine(b"last-%d" % number)
        targets = [engine.ident.decode()]
        client.submit(targets=targets)

        def taken() -> bool:
            if not client.idle(0):  # refused by the stock scheduler, which was not yet told
                client.recv()
                client.submit(targets=targets)
            return not engine.idle(0.01)

        self.wait_for(taken, "a task for the engine announced last")
        engine.reply(engine.take()[1])
        client.recv()
        return engine
