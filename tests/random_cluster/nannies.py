"""The nannies of the engines, who interrupt them when they are asked to."""

from __future__ import annotations

import time
from collections import deque

import zmq

from ..scripted import ScriptedCluster

DELAY = 0.05
"""Seconds from an interrupt until it is said that it was sent."""


class Nannies:
    """All nannies, behind the control port of the controller.

    Parameters
    ----------
    cluster : ScriptedCluster
    url : str
        Where they are asked.
    """

    def __init__(self, cluster: ScriptedCluster, url: str) -> None:
        self._session = cluster.session
        self._socket = cluster.socket(zmq.ROUTER)
        self._socket.bind(url)
        self._open: deque[tuple[float, str, list[bytes]]] = deque()

    def asked(self) -> list[str]:
        """The engines that are to be interrupted now."""
        engines = []
        while self._socket.poll(0):
            frames = self._socket.recv_multipart()
            engines.append(frames[1].decode())
            self._open.append((time.monotonic() + DELAY, engines[-1], frames))
        return engines

    def answer(self) -> list[str]:
        """Say what has been done; the engines that this is about."""
        engines = []
        while self._open and self._open[0][0] <= time.monotonic():
            _, engine, frames = self._open.popleft()
            (scheduler, _), parts = self._session.feed_identities(frames)
            request = self._session.deserialize(parts)
            answer = self._session.msg("signal_reply", {"status": "ok"}, parent=request["header"])
            engines.append(engine)
            self._socket.send_multipart(self._session.serialize(answer, ident=scheduler))
        return engines
