"""Takes back tasks that have not run: `cancel`, and ipyparallel's own ways to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import ipyparallel as ipp
from ipyparallel import AsyncResult, util
from ipyparallel.error import TaskAborted

from ..wire.requests import CANCEL
from .asking import ask
from .data import msg_ids_of
from .map_result import MapResult

Results: TypeAlias = "AsyncResult | str | Iterable[AsyncResult | str]"

OUTCOMES = tuple(CANCEL.answer)


def cancel(
    results_or_ids: Results, client: ipp.Client | None = None, interrupt: bool = False
) -> dict[str, str]:
    """Take tasks back.

    Those that no engine has are answered with `TaskAborted` at once, and never run; what depends on
    them fails, or runs, by the rules of its dependency.  Those that an engine has are left alone,
    or interrupted.  They are not retried, and if the engine gives one back, since its functional
    dependency is unmet there or `EngineBusy` was raised, it is answered with `TaskAborted` then.

    Parameters
    ----------
    results_or_ids : AsyncResult, str, or iterable of these
        The tasks.
    client : ipyparallel.Client, optional
        Who asks; by default the client of the first result.
    interrupt : bool
        Whether engines that are working on one of them are to be interrupted (SIGINT): the task
        then fails with `KeyboardInterrupt`, and is not retried.

    Returns
    -------
    dict of str to str
        What happened to each, by its msg_id: ``'cancelled'``, ``'running'`` (an engine has it),
        ``'interrupted'``, ``'finished'`` (before), or ``'unknown'`` (it is no task of this
        scheduler).

    Raises
    ------
    TypeError
        If something else is to be cancelled, or there are only ids and no client.
    NotRichError
        If the scheduler is not `RichTaskScheduler`.
    TimeoutError
        If the scheduler does not answer.
    """
    single = isinstance(results_or_ids, (str, AsyncResult))
    items: list[Any] = [results_or_ids] if single else list(results_or_ids)
    ids: dict[str, None] = {}
    for item in items:
        if isinstance(item, AsyncResult):
            client = client or item._client
            if isinstance(item, MapResult):
                item.send_no_more()
        ids.update(dict.fromkeys(msg_ids_of(item)))
    if not ids:
        return {}
    if client is None:
        raise TypeError("a client is needed to cancel tasks by their ids")

    def take(answer: dict[str, list[str]]) -> None:
        """Have the client know that its tasks were aborted: the scheduler says it only here."""
        for msg_id in answer["cancelled"]:
            _abort(client, msg_id)

    answer = ask(client, CANCEL, take, msg_ids=[*ids], interrupt=interrupt)
    return {msg_id: outcome for outcome in OUTCOMES for msg_id in answer[outcome]}


def take_aborts(client: ipp.Client) -> None:
    """Have `Client.abort` of a client, and so `AsyncResult.abort`, take tasks back."""
    if not isinstance(client.abort, _Abort):
        client.abort = _Abort(client)


class _Abort:
    """`Client.abort`, for a client with rich views.

    Parameters
    ----------
    client : ipyparallel.Client
        The client.
    """

    def __init__(self, client: ipp.Client) -> None:
        self._client = client
        self._stock = client.abort

    def __call__(self, jobs: Any = None, targets: Any = None, block: bool | None = None) -> Any:
        """Abort tasks that have not begun, by default all that are not finished.

        What no engine has is taken back at once: see `cancel`.  Of the others the engines are told,
        and drop those that they have not begun.  Only for what direct views have sent that is
        waited for, if `block` says so.
        """
        jobs = [*self._client.outstanding] if jobs is None else jobs
        outcomes = cancel(jobs, self._client)
        if held := [msg_id for msg_id, outcome in outcomes.items() if outcome == "running"]:
            self._stock(held, targets, block=False)
        if others := [msg_id for msg_id, outcome in outcomes.items() if outcome == "unknown"]:
            return self._stock(others, targets, block)
        return None


def _abort(client: ipp.Client, msg_id: str) -> None:
    """As the client does it with an answer that says so."""
    future = client._futures.get(msg_id)
    if future is None or future.done():
        return  # it is another client's
    client.outstanding.discard(msg_id)
    client.metadata[msg_id].update(status="aborted", received=util.utcnow())
    result = client.results[msg_id] = TaskAborted(msg_id)
    output = client._output_futures.get(msg_id)
    if output is not None and not output.done():
        output.set_result(None)
    future.set_result(result)
