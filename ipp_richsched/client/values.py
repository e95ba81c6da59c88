"""Values that a client may be asked for: it keeps them until those are answered that need them."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

import ipyparallel as ipp
from ipyparallel.serialize import serialize_object

from ..wire.checks import printable
from ..wire.requests import QUESTION_TO_CLIENT, VALUE
from .asking import send

_ATTRIBUTE = "_ipp_richsched_values"


def keep_for(client: ipp.Client, futures: Mapping[str, Any], task: Any) -> None:
    """Keep results for as long as a task is not answered.

    Parameters
    ----------
    client : ipyparallel.Client
        Whose task it is.
    futures : mapping of str to Future
        The results, by msg_id.
    task : Future
        The task that has them as arguments, before it is sent.
    """
    kept = client.__dict__.get(_ATTRIBUTE)
    if kept is None:
        kept = client.__dict__.setdefault(_ATTRIBUTE, _Kept())
        client._queue_handlers[QUESTION_TO_CLIENT] = lambda question: _answer(client, question)
    kept.add(futures)
    task.add_done_callback(lambda _: kept.remove(futures))


class _Kept:
    """Results, and how many unanswered tasks need each."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._results: dict[str, tuple[Any, int]] = {}

    def add(self, futures: Mapping[str, Any]) -> None:
        with self._lock:
            for msg_id, future in futures.items():
                self._results[msg_id] = future, self._results.get(msg_id, (None, 0))[1] + 1

    def remove(self, futures: Mapping[str, Any]) -> None:
        with self._lock:
            for msg_id in futures:
                future, count = self._results.pop(msg_id)
                if count > 1:
                    self._results[msg_id] = future, count - 1

    def get(self, msg_id: str) -> Any:
        with self._lock:
            return self._results.get(msg_id, (None, 0))[0]


def _answer(client: ipp.Client, question: dict[str, Any]) -> None:
    """Answer the scheduler, in the thread of the client that reads its sockets."""
    msg_id = question["content"]["msg_id"]
    future = client.__dict__[_ATTRIBUTE].get(msg_id)
    if future is None:
        send(client, VALUE, msg_id=msg_id, problem="it is not kept any more")
    else:  # the scheduler has relayed the reply before it asks; if it did not, wait for it
        future.add_done_callback(lambda _: _send_value(client, msg_id, future.result()))


def _send_value(client: ipp.Client, msg_id: str, value: Any) -> None:
    problem, buffers = "", []
    try:
        if isinstance(value, Exception):
            raise value
        session = client.session
        buffers = serialize_object(value, session.buffer_threshold, session.item_threshold)
    except Exception as error:
        problem = printable(f"{type(error).__name__}: {error}")
    send(client, VALUE, msg_id=msg_id, problem=problem, buffers=buffers)
