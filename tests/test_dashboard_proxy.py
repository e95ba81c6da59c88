"""The dashboard behind a proxy that puts a path before it, as in JupyterHub, or a tunnel."""

from __future__ import annotations

import asyncio
import re
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import ipyparallel as ipp
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from ipp_richsched.monitor.dashboard.thread import Dashboard

from .browser import Browser, browser  # noqa: F401
from .processes import PATIENCE
from .test_dashboard import board, has, rc, refuses_websocket  # noqa: F401

pytestmark = pytest.mark.cluster

SERVER = "/user/ada/"


class PathProxy:
    """Passes on what a browser asks for below a path, without that path and as from itself.

    Parameters
    ----------
    port : int
        Where that is asked for.

    Attributes
    ----------
    url : str
        What is put before the address of a page.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._path = f"{SERVER}proxy/{port}"
        self._listens = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._listens.wait(PATIENCE)
        self.url = f"http://{self._here}{self._path}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join(PATIENCE)

    async def _serve(self) -> None:
        self._loop, self._is_over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._here = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._listens.set()
        await self._is_over.wait()
        server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            back, to = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(
                self._pass(reader, to, self._inside), self._pass(back, writer, bytes)
            )

    def _inside(self, data: bytes) -> bytes:
        """A request as it is passed on; what is below another path is nobody's."""
        data = re.sub(b"^GET (?!%b/)" % self._path.encode(), b"GET /nobody", data)
        data = data.replace(f"GET {self._path}/".encode(), b"GET /")
        return data.replace(
            f"Host: {self._here}".encode(), f"Host: 127.0.0.1:{self._port}".encode()
        )

    async def _pass(self, reader, writer, change) -> None:  # type: ignore[no-untyped-def]
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(change(data))
                await writer.drain()
        writer.close()


@pytest.fixture
def proxy(board: Dashboard) -> Iterator[PathProxy]:  # noqa: F811
    found = PathProxy(urlsplit(board.url).port or 0)
    yield found
    found.close()


@pytest.mark.slow(5)
def test_a_page_below_a_path_is_live(
    rc: ipp.Client,  # noqa: F811
    board: Dashboard,  # noqa: F811
    proxy: PathProxy,
    browser: Browser,  # noqa: F811
) -> None:
    browser.open(f"{proxy.url}/?{urlsplit(board.url).query}")
    has(browser, "#age", "live")
    rc.load_balanced_view().apply_sync(int)
    has(browser, "#totals", "1 succeeded")
    assert all(each.startswith((proxy.url, "data:")) for each in browser.asked_for())


def test_who_has_opened_the_page_is_let_in_wherever_it_comes_from(
    board: Dashboard,  # noqa: F811
) -> None:
    with urllib.request.urlopen(board.url, timeout=PATIENCE) as answer:
        [signed] = set(re.findall(r'"token":"([^"]+)"', answer.read().decode()))
    parts = urlsplit(board.url)
    address = f"ws://{parts.netloc}/ws"

    async def first_word() -> str | bytes | None:
        request = HTTPRequest(address, headers={"Origin": "https://hub.example"})
        connection = await websocket_connect(request, subprotocols=["bokeh", signed])
        return await asyncio.wait_for(connection.read_message(), PATIENCE)

    assert "ACK" in str(asyncio.run(first_word()))
    # the token of its address opens pages, and no websockets
    for origin in ("https://hub.example", f"http://{parts.netloc}"):
        assert refuses_websocket(f"{address}?{parts.query}", ["bokeh", f"{signed}0"], origin)


def test_a_notebook_in_jupyterhub_shows_a_link_that_its_user_can_follow(
    board: Dashboard,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", SERVER)
    parts = urlsplit(board.url)
    shown = board._repr_html_()
    assert f'href="{SERVER}proxy/{parts.port}/?{parts.query}"' in shown
    assert "jupyter-server-proxy" in shown
    assert board.url in shown
