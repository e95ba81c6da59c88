"""Serves metrics over HTTP, in the loop of the scheduler.

The loop alone touches the state, so nothing here needs a lock.  It takes the numbers, and a thread
makes the text, which takes several times as long.  Both are good for a second, so those who ask
often cost no more of them.  Nobody waits for who asks: what a scraper is slow to take lies in a
buffer, one answer for each connection.  The number of connections is bounded, and so is the time
that each of them may take.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http.client import responses
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.iostream import IOStream

PATH = "/metrics"
PLAIN = "text/plain; charset=utf-8"

CONNECTIONS = 20
"""How many there may be at a time; what comes then is closed at once."""

PATIENCE = 30.0
"""Seconds that a connection may last, from its first byte to its last."""

LONGEST = 2**14
"""Bytes that the head of a request may have."""

GOOD_FOR = 1.0
"""Seconds for which numbers that were taken are told to all who ask."""

OPEN_METRICS = "application/openmetrics-text"


class MetricsServer(HTTPServer):
    """Answers scrapers.

    Parameters
    ----------
    take : callable
        Takes the numbers as they are, and returns what makes metrics of them in a thread.
    loop : tornado.ioloop.IOLoop
        The loop that serves.
    warn : callable
        Called with what the operator should know.
    """

    # tornado makes these objects in a way of its own, and calls this in the place of `__init__`
    def initialize(  # type: ignore[override]
        self, take: Callable[[], Collector], loop: Any, warn: Callable[[str], object]
    ) -> None:
        super().initialize(
            self._respond,
            no_keep_alive=True,
            idle_connection_timeout=PATIENCE,
            body_timeout=PATIENCE,
            max_header_size=LONGEST,
            max_body_size=LONGEST,
        )
        self._take = take
        self._maker = ThreadPoolExecutor(1, "metrics")
        self._loop = loop
        self._warn = warn
        self._streams: list[IOStream] = []
        self._taken: Collector | None = None
        self._good_until = 0.0
        self._made: dict[str, Future[tuple[bytes, str]]] = {}  # of what was taken last

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
        """Answer a request, when a thread has made the text."""
        if request.path != PATH:
            self._send(request, 404, f"the metrics are at {PATH}\n".encode())
        elif request.method not in ("GET", "HEAD"):
            self._send(request, 405, b"GET it\n")
        else:
            try:
                made = self._making(request.headers.get("Accept", ""))
            except Exception as error:
                self._give_up(request, error)
            else:
                self._loop.add_future(made, partial(self._when_made, request))

    def _making(self, accept: str) -> Future[tuple[bytes, str]]:
        """The text that a thread makes, or has made of numbers that are still good."""
        now = time.monotonic()
        is_idle = all(made.done() for made in self._made.values())
        if self._taken is None or (now >= self._good_until and is_idle):
            self._taken = self._take()
            self._good_until = now + GOOD_FOR
            self._made.clear()
        # One of two types, whatever a scraper calls the versions that it takes: each costs a text.
        kind = f"{OPEN_METRICS}; version=1.0.0" if OPEN_METRICS in accept else ""
        if kind not in self._made:
            self._made[kind] = self._maker.submit(text_of, self._taken, kind)
        return self._made[kind]

    def _when_made(self, request: HTTPServerRequest, made: Future[tuple[bytes, str]]) -> None:
        try:
            body, content_type = made.result()
        except Exception as error:
            self._give_up(request, error)
        else:
            self._send(request, 200, body, content_type)

    def _give_up(self, request: HTTPServerRequest, error: Exception) -> None:
        self._warn(f"the metrics cannot be made: {type(error).__name__}: {error}")
        self._send(request, 500, b"they cannot be made; the controller's log says why\n")

    @staticmethod
    def _send(
        request: HTTPServerRequest, status: int, body: bytes, content_type: str = PLAIN
    ) -> None:
        headers = HTTPHeaders({"Content-Type": content_type, "Content-Length": f"{len(body)}"})
        if request.method == "HEAD":
            body = b""
        start = ResponseStartLine("HTTP/1.1", status, responses[status])
        connection = request.connection
        assert connection is not None
        # What becomes of it is no matter: who has gone meanwhile asks again.
        connection.write_headers(start, headers, body)
        connection.finish()


def text_of(collector: Collector, accept: str) -> tuple[bytes, str]:
    """The text, and its type, of those that a scraper takes."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def url_of(listening: socket.socket, ip: str) -> str:
    """Where a socket serves metrics."""
    host = f"[{ip}]" if ":" in ip else ip
    return f"http://{host}:{listening.getsockname()[1]}{PATH}"
