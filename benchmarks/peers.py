"""The processes around a benchmark's client: a scheduler, its engines, and a hub that listens."""

from __future__ import annotations

import os
from typing import Any

import zmq
from ipyparallel.controller.scheduler import launch_scheduler
from ipyparallel.controller.task_scheduler import TaskScheduler
from zmq.devices import monitored_queue

from ipp_richsched import RichTaskScheduler

from . import messages

HOLD = b"hold"
"""A task whose last buffer is this is never answered."""

SCHEDULERS = {"rich": RichTaskScheduler, "stock": TaskScheduler}
RELAY = "relay"


def run_scheduler(kind: str, urls: dict[str, str], config: dict[str, Any]) -> None:
    """Run a scheduler, or the C relay that decides nothing, until it is killed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if kind == RELAY:
        _run_relay(urls)
        return
    launch_scheduler(
        SCHEDULERS[kind],
        urls["client"],
        urls["engine"],
        urls["monitor"],
        urls["notify"],
        urls["query"],
        config={"Session": {"key": messages.KEY}, **config},
        logname="task",
        loglevel=40,
        identity=b"task",
    )


def _run_relay(urls: dict[str, str]) -> None:
    context = zmq.Context()
    sockets = []
    for kind, name in ((zmq.ROUTER, "client"), (zmq.DEALER, "engine")):
        socket = context.socket(kind)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.bind(urls[name])
        sockets.append(socket)
    monitor = context.socket(zmq.PUB)
    monitor.setsockopt(zmq.SNDHWM, 0)
    monitor.connect(urls["monitor"])
    monitored_queue(*sockets, monitor, b"intask", b"outtask")


def run_engines(url: str, names: list[str]) -> None:
    """Answer every task at once, for all these engines."""
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, len(names) + 16)
    poller = zmq.Poller()
    name_of = {}
    for name in names:
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, name.encode())
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.connect(url)
        poller.register(socket, zmq.POLLIN)
        name_of[socket] = name
    while os.getppid() != 1:
        for socket, _ in poller.poll(1000):
            for _ in range(100):
                try:
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                if frames[-1] == HOLD:
                    continue
                big = max(frames[-1], b"\x80", key=len)
                socket.send_multipart(messages.reply(frames, name_of[socket], [big]))


def run_hub(url: str) -> None:
    """Hear everything that the scheduler tells the hub, and forget it."""
    context = zmq.Context()
    monitor = context.socket(zmq.SUB)
    monitor.setsockopt(zmq.SUBSCRIBE, b"")
    monitor.setsockopt(zmq.RCVHWM, 0)
    monitor.bind(url)
    while os.getppid() != 1:
        if monitor.poll(1000):
            monitor.recv_multipart(copy=False)
