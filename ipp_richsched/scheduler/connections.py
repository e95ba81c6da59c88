"""The connections of engines: that a new one is served, and that dead ones are found out.

A firewall, a NAT or a switch can lose a connection without a word, to one side or to both.
Three things help, all of them ZeroMQ's own:

- A new connection under an engine's name takes the place of the old one.  Without that, ZeroMQ
  ignores it for as long as we have not noticed that the old one is dead, and later takes the first
  part of a message that comes over it for its name.
- We ping each engine.  That keeps a firewall from forgetting a connection that idles, and finds out
  one whose other end is gone.
- The ping asks the engine to give up, and to connect anew, if it then hears nothing for a while.
  Stock engines do.  It is the only way that they notice anything.

ZeroMQ counts whole parts of messages only: one that takes long to pass looks like silence.  So the
times are long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import zmq

from ..wire.transport import Channel

HEARTBEAT = 2.0
"""Seconds from one ping to the next.  An engine that just got a task waits for silence from the
next ping on only, hence so few."""

ENGINE_PATIENCE = 60.0
"""Seconds of silence after a ping until an engine gives up its connection.  Longer than the hub
takes to find out that one is dead, and than a machine that swaps is silent.  ZeroMQ takes 65 at
most.  A large buffer right after a ping has to pass in that time: such as the second of a task's,
if the first took longer than from one ping to the next."""

PATIENCE = 600.0
"""Seconds of silence after a ping until we give up a connection.  An answer passes without a pong
in between, and each of its buffers may take so long.  It matters only where something between us
acknowledges what it loses; otherwise the engine's connection takes the place of a dead one."""

FULL = 500
"""Tasks that an engine may hold as long as its pongs count: ZeroMQ stops to read, and so to answer
pings, where a thousand messages wait for an engine that is at work."""

NEVER = 2**31 - 1  # milliseconds

REBIND_WITHIN = 5.0
"""Seconds until a port that we gave up ourselves has to be free again."""

NEWS = 1.0
"""Seconds that changes of connections are gathered."""


def guard(socket: zmq.Socket, hwm: int) -> None:
    """Have new connections served and dead ones found out.

    Parameters
    ----------
    socket : zmq.Socket
        The ROUTER to which engines connect; it is bound.
    hwm : int
        How many tasks an engine may hold; 0 is any number.
    """
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    url = endpoint.rstrip(b"\0").decode()
    if not url.startswith("tcp:"):
        return  # no network loses these
    patience = PATIENCE if 0 < hwm <= FULL else NEVER / 1000
    socket.setsockopt(zmq.HEARTBEAT_IVL, int(1000 * HEARTBEAT))
    socket.setsockopt(zmq.HEARTBEAT_TTL, int(1000 * ENGINE_PATIENCE))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, int(1000 * patience))
    # These options hold for what is bound after they are set, and we get a socket that is bound.
    # An engine that has connected already does so again.
    socket.unbind(url)
    end = time.monotonic() + REBIND_WITHIN
    while True:
        try:
            socket.bind(url)
        except zmq.ZMQError as error:  # ZeroMQ's thread has not closed it yet
            if error.errno != zmq.EADDRINUSE or time.monotonic() > end:
                raise
            time.sleep(0.001)
        else:
            return


def news_of(socket: zmq.Socket) -> Channel:
    """A channel with a message for each connection of a socket that is made.

    What is lost with an old one matters when there is a new one; and whoever only knocks at the
    port makes none.
    """
    url = f"inproc://connections-{id(socket)}"
    socket.monitor(url, zmq.EVENT_HANDSHAKE_SUCCEEDED)
    news = socket.context.socket(zmq.PAIR)
    news.setsockopt(zmq.RCVHWM, 0)  # or else ZeroMQ's thread would wait for us
    news.setsockopt(zmq.LINGER, 0)
    news.connect(url)
    return Channel(news, from_many=False)


class Watch:
    """Tells that connections were made; not which, which ZeroMQ does not say.

    Parameters
    ----------
    news : Channel
        What `news_of` returns.
    loop : tornado.ioloop.IOLoop
        What calls back.
    clock : callable
        The time in seconds; it never goes back.
    tell : callable
        Called soon after a change, and at most once in `NEWS` seconds.
    """

    def __init__(
        self, news: Channel, loop: Any, clock: Callable[[], float], tell: Callable[[], None]
    ) -> None:
        self._news = news
        self._loop = loop
        self._clock = clock
        self._tell = tell
        self._told = -NEWS
        self._is_due = False
        loop.add_handler(news.socket, self._read, loop.READ)
        loop.add_callback(self._read)  # the descriptor tells of what comes after all was read

    def _read(self, *event: Any) -> None:
        """Read all news there are: its descriptor tells only of new ones."""
        changed = False
        try:
            while True:
                self._news.receive()
                changed = True
        except zmq.Again:
            pass
        if changed and not self._is_due:
            self._is_due = True
            delay = max(0.0, self._told + NEWS - self._clock())
            self._loop.call_later(delay, self._tell_now)

    def _tell_now(self) -> None:
        self._is_due = False
        self._told = self._clock()
        self._tell()
