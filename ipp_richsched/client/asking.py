"""Requests to the scheduler, over the connection that an ipyparallel client has to it.

So they pass SSH tunnels and CURVE as tasks do, and come after all tasks that it sent before.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import ipyparallel as ipp

from ..wire.requests import ANSWER, REQUEST, Request, content_of, read_answer

PATIENCE = 10.0
"""Seconds that the scheduler may take to answer."""

RECONNECT = "; if the controller was started anew, connect again: `rc = ipp.Client()`"
"""What who has a client can do when there is no answer: a client knows one controller only."""

HOW = (
    "switch it on where the controller is started: `ipp-richsched enable`, or"
    " `ipp.Cluster(controller='richsched')`, or start `python -m ipp_richsched` in the place of"
    " `ipcontroller`"
)


class NotRichError(RuntimeError):
    """The scheduler of a cluster is not `RichTaskScheduler`."""


def ask(
    client: ipp.Client,
    request: Request,
    take: Callable[[dict[str, Any]], None] | None = None,
    **values: Any,
) -> Any:
    """Ask the scheduler of a client, and wait for the answer.

    Parameters
    ----------
    client : ipyparallel.Client
        Who asks.
    request : Request
        What is asked.
    take : callable, optional
        Called with the fields of the answer in the thread of the client that takes answers in,
        also if nobody waits for it any more.
    **values
        The fields of the request.

    Returns
    -------
    dict
        The fields of the answer.

    Raises
    ------
    ValueError
        If a value is not what the request has.
    NotRichError
        If the scheduler is not `RichTaskScheduler`.
    TimeoutError
        If there is no answer within `PATIENCE`.
    ipyparallel.RemoteError
        If the scheduler refuses the request.
    """
    if client._task_scheme in ("pure", "none"):
        raise NotRichError(
            f"the task scheduler of this cluster is {client._task_scheme!r}, which takes no"
            f" requests: leave `scheme_name` as it is, and {HOW}"
        )

    def expect(future: Any) -> None:
        if take is not None:
            future.ipp_richsched_take = lambda content: take(read_answer(request, content))
        client.outstanding.add(future.msg_id)  # a stock scheduler answers it like a task

    future = send(client, request, expect, **values)
    try:
        answer = future.result(PATIENCE)
    except FutureTimeoutError:
        client.outstanding.discard(future.msg_id)
        if take is None:  # nobody wants the answer any more
            client._futures.pop(future.msg_id, None)
        raise TimeoutError(
            f"the scheduler has not answered {request.name!r} for {PATIENCE:g} s{RECONNECT}"
        ) from None
    if not isinstance(answer, dict):
        raise NotRichError(f"the task scheduler of this cluster is not ipp_richsched's: {HOW}")
    if answer["content"].get("status") != "ok":
        raise client._unwrap_exception(answer["content"])
    return read_answer(request, answer["content"])


def send(
    client: ipp.Client,
    request: Request,
    expect: Callable[[Any], None] | None = None,
    buffers: list[Any] | None = None,
    **values: Any,
) -> Any:
    """Send a request; the future of the answer.

    Parameters
    ----------
    client, request, **values
        As for `ask`.
    expect : callable, optional
        Called with the future before the request is sent.
    buffers : list, optional
        What goes with it.
    """
    content = content_of(request, **values)
    header = client.session.msg_header(REQUEST)
    client._queue_handlers.setdefault(ANSWER, lambda answer: _take(client, answer))
    return client._send(
        client._task_stream,
        REQUEST,
        content=content,
        header=header,
        buffers=buffers,
        metadata={"after": [header["msg_id"]]},  # on itself: see `wire.requests`
        message_future_hook=expect,
    )


def _take(client: ipp.Client, answer: dict[str, Any]) -> None:
    """Take in an answer, in the thread of the client that reads its sockets."""
    msg_id = answer["parent_header"].get("msg_id")
    client.outstanding.discard(msg_id)
    future = client._futures.get(msg_id)
    if future is None or future.done():
        return
    take = getattr(future, "ipp_richsched_take", None)
    try:
        if take is not None and answer["content"].get("status") == "ok":
            take(answer["content"])
    finally:
        future.set_result(answer)
