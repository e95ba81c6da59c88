"""Serves the page: on this host only, and only to who has the token."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.resources import Resources
from bokeh.server.auth_provider import AuthProvider
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.server.util import bind_sockets
from bokeh.util.token import check_token_signature
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import HTTPError

from .page import DashboardPage
from .watch import Source, Watch

# that somebody has closed a page is no news
logging.getLogger("bokeh.server.views.ws").setLevel(logging.ERROR)

HOST = "127.0.0.1"
"""Where it is served: nobody else's machine reaches that."""

_SIGNED_FOR = 7 * 86_400
"""Seconds in which a page that was loaded may open its connection."""

_UNUSED = 3_000
"""Milliseconds after which a page that nobody looks at any more is forgotten."""


class PortError(OSError):
    """It cannot be served there; the text is one line that says why."""


class DashboardServer:
    """Serves the page of a cluster in the loop of this thread.

    Parameters
    ----------
    source : Source
        Who is asked how things stand; not before somebody looks.
    cluster : str
        What the cluster is called.
    port : int
        Where; 0 for any port that is free.

    Attributes
    ----------
    url : str
        Where the page is, with the token.
    loop : tornado.ioloop.IOLoop
        In which all of it happens.

    Raises
    ------
    PortError
        If the port is taken, or may not be used.
    """

    def __init__(self, source: Source, cluster: str, port: int) -> None:
        self.loop = IOLoop.current()
        self._watch = Watch(source, self.loop.add_callback)
        self._cluster = cluster
        token, secret = secrets.token_hex(24), secrets.token_hex(32)
        try:
            sockets, port = bind_sockets(HOST, port)
        except OSError as error:
            raise PortError(f"port {port} cannot be used: {error.strerror}") from None
        served = _Pages(
            {"/": Application(FunctionHandler(self._open))},
            # behind a proxy or a tunnel the page has another address; the token tells who may in
            extra_websocket_origins=["*"],
            auth_provider=Token(token, secret),
            sign_sessions=True,
            secret_key=secret.encode(),
            session_token_expiration=_SIGNED_FOR,
            unused_session_lifetime_milliseconds=_UNUSED,
            check_unused_sessions_milliseconds=1_000,
        )
        http = HTTPServer(served)
        http.add_sockets(sockets)
        self._server = BaseServer(self.loop, served, http)
        self._server.start()
        self._watch.start()
        self.url = f"http://{HOST}:{port}/?token={token}"

    def close(self) -> None:
        """Serve it no more; in the thread of the loop."""
        self._watch.end()
        self._server.stop()

    def _open(self, document: Document) -> None:
        """Somebody looks."""
        page = DashboardPage(document, self._watch, self._cluster)
        self._watch.add(page)
        document.on_session_destroyed(lambda _: self._watch.remove(page))


class _Pages(BokehTornado):
    """Serves pages that work below any path: a proxy may put one before them."""

    def resources(self, absolute_url: str | bool | None = None) -> Resources:
        """Where a page finds its scripts: beside itself."""
        return super().resources("./")


class Token(AuthProvider):
    """Lets nobody in without the token, as Jupyter does.

    The page has it in its address.  A websocket has what Bokeh has signed for the page that opens
    it, and nothing else will do: so it does not matter where that page comes from.

    Parameters
    ----------
    token : str
        What has to be in the address.
    secret : str
        With what Bokeh signs.
    """

    def __init__(self, token: str, secret: str) -> None:
        self._token = token.encode()
        self._secret = secret.encode()
        super().__init__()

    @property
    def get_user_async(self) -> Any:
        """Bokeh asks it first, for each request."""
        return self._user

    @property
    def get_login_url(self) -> Any:
        """Bokeh wants to know where to log in: nowhere."""
        return self._refuse

    async def _user(self, handler: Any) -> str:
        [*_, token] = handler.request.query_arguments.get("token", [b""])
        protocols = handler.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        signed = protocols[-1].strip() if len(protocols) == 2 else ""
        is_socket = handler.request.path.endswith("/ws")
        if is_socket:
            is_known = bool(signed) and _is_signed(signed, self._secret)
        else:
            is_known = secrets.compare_digest(token, self._token)
        if is_known:
            return "reader"
        raise HTTPError(403)

    def _refuse(self, handler: Any) -> str:
        raise HTTPError(403)


def _is_signed(token: str, secret: bytes) -> bool:
    try:
        return check_token_signature(token, secret_key=secret, signed=True)
    except Exception:  # it is none of Bokeh's, and may be anything
        return False
