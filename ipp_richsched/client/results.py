"""Results of a `RichView`."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import ipyparallel as ipp
from ipyparallel import AsyncResult
from ipyparallel.client.asyncresult import AsyncHubResult
from ipyparallel.client.futures import MessageFuture

from .cancel import cancel


class RichResult(AsyncResult):
    """An `AsyncResult` that can be cancelled."""

    _is_cancelled = False

    def cancel(self) -> bool:
        """Take the task back, as `concurrent.futures.Future.cancel`.

        Returns
        -------
        bool
            Whether it will not run.  It is done then, and raises `TaskAborted`.
        """
        if not self.done():
            self._is_cancelled = set(cancel(self).values()) == {"cancelled"}
        return self._is_cancelled

    def cancelled(self) -> bool:
        """Whether `cancel` has taken it back."""
        return self._is_cancelled


def results_of(client: ipp.Client, msg_ids: list[str], owner: bool) -> AsyncResult:
    """The results of tasks by their ids, in their order, whatever has become of each.

    Parameters
    ----------
    client : ipyparallel.Client
        Who asks.
    msg_ids : list of str
        Tasks that it has under way, has results of, or that the hub knows.
    owner : bool
        Whether the client may forget the results when they were taken.

    Returns
    -------
    AsyncResult
        One that asks the hub where the client does not know a task itself.
    """
    children = [_known(client, msg_id) for msg_id in msg_ids]
    if None in children or not children:
        return AsyncHubResult(client, msg_ids, owner=owner)
    return RichResult(client, children, owner=owner)


def _known(client: ipp.Client, msg_id: str) -> Any:
    """The future of a task that a client knows, or None."""
    if msg_id in client._futures:
        return client._futures[msg_id]
    if msg_id not in client.results:
        return None
    future: Any = MessageFuture(msg_id)
    future.output = Future()
    future.output.metadata = client.metadata[msg_id]
    future.output.set_result(None)
    future.set_result(client.results[msg_id])
    return future
