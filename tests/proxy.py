"""A network between engines and the scheduler that loses connections when a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine
from threading import Thread
from typing import Any, Literal, TypeVar

Side = Literal["engine", "scheduler"]
SIDES: tuple[Side, Side] = ("engine", "scheduler")

T = TypeVar("T")

_RESET = struct.pack("ii", 1, 0)  # to close sends a reset, as a firewall does


class _Link:
    """One connection of an engine, and the one to the scheduler that goes with it."""

    def __init__(self) -> None:
        self.writers: dict[Side, asyncio.StreamWriter] = {}
        self.passed = dict.fromkeys(SIDES, 0)
        self.frozen: set[Side] = set()
        self.dropping: set[Side] = set()
        self.changed = asyncio.Event()

    async def pass_on(self, reader: asyncio.StreamReader, to: Side) -> None:
        """Forward what is read to a side, its end included, as far as the network lets it."""
        data = b"something"
        while data:
            try:
                data = await reader.read(1 << 16)
            except ConnectionError:
                data = b""
            while to in self.frozen:
                self.changed.clear()
                await self.changed.wait()
            if to in self.dropping:
                continue
            if self.writers[to].is_closing():
                return
            if data:
                self.writers[to].write(data)
                self.passed[to] += len(data)
                with contextlib.suppress(ConnectionError):  # its reader hears of that, too
                    await self.writers[to].drain()
            else:
                self.writers[to].close()

    def reset(self, side: Side) -> None:
        """End the connection to a side, which notices it."""
        writer = self.writers[side]
        if writer.is_closing():
            return
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()


class Proxy:
    """A TCP proxy between engines and the scheduler, in a thread of its own.

    What a test does to the network strikes the connections that there are; those made later
    work.  To be used as a context manager, which leaves nothing open.

    Parameters
    ----------
    port : int
        The scheduler's port for engines.

    Attributes
    ----------
    url : str
        Where engines connect.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._links: list[_Link] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _run(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link()
        link.writers["engine"] = writer
        try:
            other, link.writers["scheduler"] = await asyncio.open_connection(
                "127.0.0.1", self._port
            )
            # or the kernel would make it as large as it likes: 32 MB and more
            raw = link.writers["scheduler"].get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        except ConnectionError:
            link.reset("engine")
            return
        self._links.append(link)
        for source, to in ((reader, SIDES[1]), (other, SIDES[0])):
            task = asyncio.create_task(link.pass_on(source, to))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def connections(self) -> int:
        """How many connections engines have made."""
        return len(self._links)

    def passed(self, to: Side) -> int:
        """How many bytes went to a side over the last connection."""
        return self._links[-1].passed[to]

    def cut(self, *noticed_by: Side) -> None:
        """Lose the connections; to the sides that do not notice, they are open and silent."""

        async def cut() -> None:
            for link in self._links:
                link.frozen.clear()
                link.dropping.update(SIDES)
                link.changed.set()
                for side in noticed_by:
                    link.reset(side)

        self._run(cut())

    def freeze(self, *towards: Side) -> None:
        """Hold back what is sent to these sides."""

        async def freeze() -> None:
            for link in self._links:
                link.frozen.update(towards)

        self._run(freeze())

    def drop(self, *towards: Side) -> None:
        """Lose what is sent to these sides, which cannot know."""

        async def drop() -> None:
            for link in self._links:
                link.dropping.update(towards)

        self._run(drop())

    def resume(self) -> None:
        """Have the frozen connections go on, with what was held back first."""

        async def resume() -> None:
            for link in self._links:
                link.frozen.clear()
                link.changed.set()

        self._run(resume())

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self._links:
            for side in link.writers:
                link.reset(side)
        await asyncio.sleep(0)  # the loop closes them in its next round
