"""The processes around a benchmark's client: a scheduler, its engines, and a hub that listens."""

from __future__ import annotations

import multiprocessing
import os
import selectors
import signal
import threading
from multiprocessing.synchronize import Event
from typing import Any

import zmq
from ipyparallel.controller.scheduler import launch_scheduler
from ipyparallel.controller.task_scheduler import TaskScheduler
from zmq.devices import monitored_queue

from ipp_richsched import RichTaskScheduler
from ipp_richsched.wire.identities import QUESTION
from ipp_richsched.wire.transport import Channel

from . import messages

HOLD = b"hold"
"""A task whose last buffer is this is never answered."""

OURS, STOCK, RELAY = "ours", "stock", "C relay"
_CLASSES = {OURS: RichTaskScheduler, STOCK: TaskScheduler}


def _belong_to_parent() -> None:
    """Leave Ctrl-C to the parent, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_scheduler(kind: str, urls: dict[str, str], config: dict[str, Any], directory: str) -> None:
    """Run a scheduler, or the C relay that decides nothing, until it is killed.

    What it writes goes into `directory`.
    """
    _belong_to_parent()
    os.chdir(directory)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if kind == RELAY:
        _run_relay(urls)
        return
    launch_scheduler(
        _CLASSES[kind],
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
        socket.set_hwm(0)
        socket.bind(urls[name])
        sockets.append(socket)
    monitor = context.socket(zmq.PUB)
    monitor.set_hwm(0)
    monitor.connect(urls["monitor"])
    monitored_queue(*sockets, monitor, b"intask", b"outtask")


def run_engines(url: str, names: list[str], connected: Event) -> None:
    """Answer every task at once, for all these engines; says when they are connected."""
    _belong_to_parent()
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, len(names) + 16)
    # a zmq.Poller would ask each of a thousand sockets in every turn
    selector = selectors.DefaultSelector()
    sockets = []
    for name in names:
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, name.encode())
        socket.set_hwm(0)
        socket.setsockopt(zmq.IMMEDIATE, 1)  # it can send when it is connected, and not before
        socket.connect(url)
        replier = socket, Channel(socket).send, messages.replier(name)
        selector.register(socket.FD, selectors.EVENT_READ, replier)
        sockets.append(socket)
    for socket in sockets:
        socket.poll(flags=zmq.POLLOUT)
    connected.set()
    for key in selector.get_map().values():
        _answer(*key.data)
    while True:
        for key, _ in selector.select():
            _answer(*key.data)


def _answer(socket: zmq.Socket, send: Any, reply: Any) -> None:
    """Answer all that has come: a socket's descriptor tells of it once."""
    while True:
        try:
            frames = messages.receive(socket)
        except zmq.Again:
            return
        # One that holds a task is busy with it, and answers no question whether it still has it.
        if frames[-1] != HOLD and not frames[0].startswith(QUESTION):
            send(reply(frames))


def run_hub(url: str) -> None:
    """Hear everything that the scheduler tells the hub, and forget it."""
    _belong_to_parent()
    context = zmq.Context()
    monitor = context.socket(zmq.SUB)
    monitor.setsockopt(zmq.SUBSCRIBE, b"")
    monitor.set_hwm(0)
    monitor.bind(url)
    nobody = context.socket(zmq.PUB)
    zmq.proxy(monitor, nobody)
