"""The dashboard beside a program or a notebook, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from html import escape
from urllib.parse import urlsplit

import ipyparallel as ipp
from tornado.ioloop import IOLoop

from ..source import OneClient
from .server import DashboardServer

_PATIENCE = 30.0
"""Seconds that it may take to begin or to end."""


class Dashboard:
    """A dashboard that is served; in a notebook it shows the link to it.

    Parameters
    ----------
    client : ipyparallel.Client
        Who asks the scheduler.
    port : int
        Where it is served on this host; 0 for any port that is free.

    Attributes
    ----------
    url : str
        Where it is on this host, with the token that lets one in.
    """

    def __init__(self, client: ipp.Client, port: int) -> None:
        source = OneClient(client)
        source.status()  # refuses a stock scheduler, before anything is served
        self._client = client
        self._port = port
        self._server: DashboardServer | None = None
        self._error: Exception | None = None
        self._has_begun = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(source,), name="dashboard", daemon=True
        )
        self._thread.start()
        self._has_begun.wait(_PATIENCE)
        if self._error is not None:
            raise self._error
        assert self._server is not None
        self.url: str = self._server.url

    def close(self) -> None:
        """Serve it no more."""
        server, self._server = self._server, None
        if server is not None:
            server.loop.add_callback(server.loop.stop)
            self._thread.join(_PATIENCE)

    def _serve(self, source: OneClient) -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        loop = IOLoop.current()
        try:
            name = f"{self._client.session.session[:8]}"
            self._server = server = DashboardServer(source, name, self._port)
        except Exception as error:
            self._error = error
            return
        finally:
            self._has_begun.set()
        loop.start()
        server.close()
        loop.close(all_fds=True)

    def __repr__(self) -> str:
        return f"<Dashboard {self.url}>"

    def _repr_html_(self) -> str:
        url, server = self.url, os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
        if not server:
            return _link(url, url)
        # who is in JupyterHub sees nothing of this host but what is below their server's address
        parts = urlsplit(url)
        there = _link(f"{server}proxy/{parts.port}/?{parts.query}", "the dashboard")
        return f"{there} (needs jupyter-server-proxy; on the server itself it is at {escape(url)})"


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(text)}</a>'
