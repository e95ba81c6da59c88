"""Serves metrics over HTTP, in the loop of the scheduler.

The loop alone touches the state, so nothing here needs a lock.  It never waits for who asks: what
a scraper is slow to take lies in a buffer, one answer for each connection.  The number of
connections is bounded, and so is the time that each of them may take.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.iostream import IOStream

PATH = "/metrics"

CONNECTIONS = 20
"""How many there may be at a time; what comes then is closed at once."""

PATIENCE = 30.0
"""Seconds that a connection may last, from its first byte to its last."""

LONGEST = 2**14
"""Bytes that the head of a request may have."""


class MetricsServer(HTTPServer):
    """Answers scrapers.

    Parameters
    ----------
    collector : Collector
        What makes the metrics.
    loop : tornado.ioloop.IOLoop
        The loop that serves.
    warn : callable
        Called with what the operator should know.
    """

    # tornado makes these objects in a way of its own, and calls this in the place of `__init__`
    def initialize(  # type: ignore[override]
        self, collector: Collector, loop: Any, warn: Callable[[str], object]
    ) -> None:
        super().initialize(
            self._respond,
            no_keep_alive=True,
            idle_connection_timeout=PATIENCE,
            body_timeout=PATIENCE,
            max_header_size=LONGEST,
            max_body_size=LONGEST,
        )
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)
        self._loop = loop
        self._warn = warn
        self._streams: list[IOStream] = []

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a connection, if there are not too many."""
        self._streams = [each for each in self._streams if not each.closed()]
        if len(self._streams) >= CONNECTIONS:
            stream.close()
            return
        self._streams.append(stream)
        self._loop.call_later(PATIENCE, stream.close)  # does nothing to one that is closed
        super().handle_stream(stream, address)

    def _respond(self, request: HTTPServerRequest) -> None:
        status, reason, body = 200, "OK", b""
        content_type = "text/plain; charset=utf-8"
        if request.path != PATH:
            status, reason, body = 404, "Not Found", f"the metrics are at {PATH}\n".encode()
        elif request.method not in ("GET", "HEAD"):
            status, reason, body = 405, "Method Not Allowed", b"GET it\n"
        else:
            try:
                encode, content_type = choose_encoder(request.headers.get("Accept", ""))
                body = encode(self._registry)
            except Exception as error:
                self._warn(f"the metrics cannot be made: {type(error).__name__}: {error}")
                status, reason, body = 500, "Internal Server Error", b"see the controller's log\n"
        headers = HTTPHeaders({"Content-Type": content_type, "Content-Length": f"{len(body)}"})
        connection = request.connection
        assert connection is not None
        connection.write_headers(
            ResponseStartLine("HTTP/1.1", status, reason),
            headers,
            b"" if request.method == "HEAD" else body,
        )
        connection.finish()


def url_of(listening: socket.socket, ip: str) -> str:
    """Where a socket serves metrics."""
    host = f"[{ip}]" if ":" in ip else ip
    return f"http://{host}:{listening.getsockname()[1]}{PATH}"
