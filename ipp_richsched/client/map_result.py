"""The result of a map, which counts items where ipyparallel counts messages."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Future
from functools import partial
from threading import Condition, Event
from typing import Any

import ipyparallel as ipp
import zmq
from ipyparallel.client.futures import multi_future

from .waiting import wait_while_open


class _Pending:
    def __repr__(self) -> str:
        return "<pending>"


class MapResult(ipp.AsyncMapResult):
    """The result of `RichView.map`: an `AsyncMapResult` in which each item counts by itself.

    Its length is the number of items, and `progress` the number of those that are done.  It can
    be iterated over as results arrive.  `get` waits for all; if items have failed it then raises
    the error of the first of them, and `partial` has the others.

    `msg_ids`, and metadata such as `engine_id` and `stdout`, are those of the chunks that are sent.
    """

    PENDING = _Pending()
    """What `partial` has in the place of an item that is not done."""

    def __init__(
        self,
        client: ipp.Client,
        length: int,
        fname: str,
        ordered: bool,
        return_exceptions: bool,
        join: Callable[[list[Any]], Any] | None,
    ) -> None:
        Future.__init__(self)
        self._client = client
        self._fname = fname
        self.ordered = ordered
        self._return_exceptions = return_exceptions
        self._join = join
        self._single_result = False
        self._targets = None
        self._children: list[Any] = []
        self._metadata: list[Any] = []
        self._outputs: list[Any] = []
        self._ready = False
        self._success: bool | None = None
        self._ready_event = Event()
        self._output_ready = False
        self._output_event = Event()
        self._sent_event = Event()
        self._sent_event.set()  # what is sent is a copy
        self._tracker = zmq.MessageTracker()
        self._changed = Condition()
        self._values: list[Any] = [self.PENDING] * length
        self._errors: dict[int, Exception] = {}
        self._arrived: list[int] = []
        self._sent_ids: dict[str, None] = {}  # in this order
        # for whoever waits for all that is outstanding: not only for the chunks of the moment
        self._map_id = f"map-{uuid.uuid4().hex}"
        client._futures[self._map_id] = self
        client.outstanding.add(self._map_id)
        self._stop: Callable[[Exception], None] = lambda error: None
        self._give_up: Callable[[Exception], None] = lambda error: None
        self._count_unsent: Callable[[], int] = lambda: 0

    @property
    def msg_ids(self) -> list[str]:
        """Those of the chunks that are sent; while the map runs also one for all of the rest."""
        return [*self._sent_ids, *([] if self.all_sent else [self._map_id])]

    # -- for the map ---------------------------------------------------------------------

    def _sent(self, future: Any) -> None:
        self._sent_ids[future.msg_id] = None
        self._metadata.append(future.output.metadata)
        self._outputs.append(future.output)

    def _keep(self, values: list[tuple[int, Any]], errors: list[tuple[int, Any]]) -> None:
        """Take in what became of items."""
        with self._changed:
            for kept, is_error in ((values, False), (errors, True)):
                for place, value in kept:
                    if self._values[place] is not self.PENDING:
                        continue  # it was given up, and is answered after all
                    self._values[place] = value
                    self._arrived.append(place)
                    if is_error:
                        self._errors[place] = value
            if len(self._arrived) < len(self._values) or self._ready:
                self._changed.notify_all()
                return
            self._success = self._return_exceptions or not self._errors
            self._ready = True
        self._finish()

    def _finish(self) -> None:
        self._client.outstanding.discard(self._map_id)
        self._client._futures.pop(self._map_id, None)
        if not self.done():
            if self._success:
                self.set_result(self._reconstruct_result(self._values))
            else:
                self.set_exception(self._errors[min(self._errors)])
        self._ready_event.set()
        with self._changed:
            self._changed.notify_all()
        multi_future(self._outputs).add_done_callback(self._resolve_output)

    # -- for users -----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._values)

    @property
    def progress(self) -> int:
        """How many items are done."""
        return len(self._arrived)

    @property
    def failed(self) -> int:
        """How many items have failed."""
        return len(self._errors)

    @property
    def under_way(self) -> int:
        """How many items are sent, and not done."""
        return 0 if self._ready else len(self) - self.progress - self._count_unsent()

    def partial(self) -> list[Any]:
        """What is there: values, exceptions in the places of failed items, and `PENDING`."""
        with self._changed:
            return list(self._values)

    def wait(self, timeout: float | None = -1, return_when: str | None = None) -> Any:
        """Wait until all items are done, or the first, or the first has failed.

        Parameters
        ----------
        timeout : float, optional
            Seconds; -1 or None for ever.
        return_when : str, optional
            As in `concurrent.futures.wait`.

        Returns
        -------
        bool or tuple of set
            Without `return_when` whether all are done.  With it two sets of futures: of one with
            the values of what is done, or with an error; and of this one, unless all are done.
        """
        if timeout is not None and timeout < 0:
            timeout = None
        conditions: dict[str | None, Callable[[], Any]] = {
            FIRST_COMPLETED: lambda: self._arrived,
            FIRST_EXCEPTION: lambda: self._errors,
        }
        met = conditions.get(return_when, lambda: False)
        wait_while_open(
            self._changed, lambda: met() or self._ready, self._client, self._give_up, timeout
        )
        self.wait_for_output(0)
        if return_when is None:
            return self._ready
        done = {self} if self._ready else {self._part()} if self._arrived else set()
        return done, set() if self._ready else {self}

    def _part(self) -> Future[Any]:
        part: Any = Future()
        with self._changed:
            part._success = not self._errors or self._return_exceptions
            if part._success:
                part.set_result([self._values[place] for place in sorted(self._arrived)])
            else:
                part.set_exception(self._errors[min(self._errors)])
        return part

    def get(
        self,
        timeout: float | None = None,
        return_exceptions: bool | None = None,
        return_when: str | None = None,
    ) -> Any:
        """The results, when all have arrived.

        Parameters
        ----------
        timeout : float, optional
            Seconds.
        return_exceptions : bool, optional
            Have exceptions in the places of items that failed; by default as the map was told.
        return_when : str, optional
            `concurrent.futures.FIRST_EXCEPTION`: raise an error as soon as there is one.

        Raises
        ------
        TimeoutError
            If they have not arrived in time.
        ipyparallel.RemoteError
            What the first item that failed, in the order of the items, has raised.
        """
        if return_exceptions is None:
            return_exceptions = self._return_exceptions
        first = return_when == FIRST_EXCEPTION and not return_exceptions
        self.wait(timeout, FIRST_EXCEPTION if first else ALL_COMPLETED)
        if first and self._errors:
            raise self._errors[min(self._errors)]
        if not self._ready:
            raise TimeoutError("Result not ready.")
        return self._reconstruct_result(self._values) if return_exceptions else self.result()

    def result(self, timeout: float | None = None) -> Any:
        """As `concurrent.futures.Future.result`."""
        self.wait(timeout)
        return super().result(0 if timeout is not None and not self._ready else None)

    @property
    def all_sent(self) -> bool:
        """Whether no item is still to be sent."""
        return self._ready or self._count_unsent() == 0

    def send_no_more(self) -> None:
        """What is not sent has failed with `TaskAborted`."""
        self._stop(ipp.error.TaskAborted("the map was aborted before this item was sent"))

    def abort(self) -> None:
        """Send no more, and take back what has not begun."""
        if self._ready:
            raise RuntimeError("Can't abort, I am already done!")
        self.send_no_more()
        self._client.abort([*self._sent_ids], block=False)

    def cancel(self) -> bool:
        """As `abort`; whether none of the items has run or will."""
        if not self._ready:
            self.abort()
        return self._ready and all(
            isinstance(error, ipp.error.TaskAborted) for error in self.partial()
        )

    def _reconstruct_result(self, res: list[Any]) -> Any:
        if self._join is None or self._errors or not res:
            return list(res)
        return self._join(res)

    def __iter__(self) -> Iterator[Any]:
        """Results as they arrive, in the order of the items where the map is ordered."""
        for number in range(len(self)):
            if self.ordered:
                place = number
                self._wait_for(self._is_done, place)
            else:
                self._wait_for(self._have_arrived, number + 1)
                place = self._arrived[number]
            if place in self._errors and not self._return_exceptions:
                raise self._errors[place]
            value = self._values[place]
            if self._join is not None and isinstance(value, list):
                yield from value
            else:
                yield value

    def _is_done(self, place: int) -> bool:
        return self._values[place] is not self.PENDING

    def _have_arrived(self, number: int) -> bool:
        return len(self._arrived) >= number

    def _wait_for(self, condition: Callable[[int], bool], argument: int) -> None:
        if not condition(argument):
            wait_while_open(
                self._changed, partial(condition, argument), self._client, self._give_up
            )
