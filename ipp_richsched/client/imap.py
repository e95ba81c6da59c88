"""Lazy maps, over iterables that need not end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import count, islice
from threading import Condition, Thread
from typing import Any

from ipyparallel.client.view import LazyMapIterator

from .chunks import WAVES, ChunkSizes, check_chunksize
from .sending import Chunk, Outcome, Sender
from .waiting import wait_while_open


class LazyMap(LazyMapIterator):
    """The results of a lazy map, as they come; made by `RichView.imap`.

    When it is closed, or has raised an error, no more is read.  What is under way is left to end.
    """

    def __init__(self, run: ImapRun) -> None:
        self._run = run

    def __iter__(self) -> LazyMap:
        return self

    def __next__(self) -> Any:
        return self._run.take()

    def cancel(self) -> None:
        """Read no more of the input; the results of what was read still come."""
        self._run.stop()

    def close(self) -> None:
        """Read no more of the input, and give no more results."""
        self._run.close()


class ImapRun:
    """A lazy map under way.

    A thread of its own reads the input, which may take as long as it likes, and sends.  It ends
    with the input, or when it is told to stop.

    Parameters
    ----------
    sender : Sender
    rows : iterator of tuple
        The arguments of each item.
    chunksize : int or None
        None: as long as `ChunkSizes` says.
    most : float
        How many chunks may be read ahead.
    eager : bool
        Whether only those chunks count that have not ended.  Or else those of which a result is yet
        to be taken.
    ordered, return_exceptions : bool
    """

    def __init__(
        self,
        sender: Sender,
        rows: Iterator[tuple[Any, ...]],
        chunksize: int | None,
        most: float,
        eager: bool,
        ordered: bool,
        return_exceptions: bool,
    ) -> None:
        self._sender = sender
        self._rows = rows
        self._chunksize = chunksize
        self._sizes = ChunkSizes()
        self._most = most
        self._eager = eager
        self._ordered = ordered
        self._return_exceptions = return_exceptions
        self._changed = Condition()
        self._places = count()
        self._chunk_of: dict[int, int] = {}
        """The chunk, by its first place, of each item that was read and not taken."""
        self._ahead: dict[int, int] = {}
        """How many items of a chunk are not taken; or, if it is eager, not done."""
        self._done: dict[int, tuple[Any, Exception | None]] = {}
        self._order: deque[int] = deque()
        """The places of the items in the order in which their results are given."""
        self._stopped = False
        self.all_read = False
        self._error_of_input: BaseException | None = None
        self._thread = Thread(target=self._read, name="imap", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        """Read no more, and give no more results."""
        self.stop()
        with self._changed:
            self._forget()

    def wait_until_read(self) -> None:
        """Wait until all is read and sent."""
        wait_while_open(
            self._changed, lambda: self.all_read, self._sender.client, lambda error: self.stop()
        )

    # -- in the thread that reads --------------------------------------------------------

    def _read(self) -> None:
        try:
            while self._has_room():
                size, seconds = (
                    self._sizes.next(math.inf, self._sender.engines)
                    if self._chunksize is None
                    else (self._chunksize, None)
                )
                rows = list(islice(self._rows, size))
                if not rows or self._stopped:
                    break
                self._send(self._chunk(rows), seconds)
        except BaseException as error:
            self._error_of_input = error
        finally:
            del self._rows  # a generator is closed, if nobody else has it
            with self._changed:
                self.all_read = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        wait_while_open(
            self._changed,
            lambda: self._stopped or len(self._ahead) < self._most,
            self._sender.client,
            self._give_up,
        )
        return not self._stopped

    def _chunk(self, rows: list[tuple[Any, ...]]) -> Chunk:
        with self._changed:
            places = list(islice(self._places, len(rows)))
            self._chunk_of.update(dict.fromkeys(places, places[0]))
            self._ahead[places[0]] = len(places)
            if self._ordered:
                self._order.extend(places)
        return Chunk(places, list(map(list, zip(*rows, strict=True))), self._sender.retries)

    def _send(self, chunk: Chunk, seconds: float | None = None) -> None:
        """Send a chunk, in pieces where that is needed."""
        try:
            packed = None if chunk.is_too_long else self._sender.pack(chunk)
        except Exception as error:
            if len(chunk) == 1:
                return self._keep([], [(chunk.places[0], error)])
            packed = None
        if packed is None:
            for part in chunk.cut(len(chunk) // 2):
                self._send(part, seconds)
            return None
        try:
            self._sender.send(chunk, packed, seconds, self._ended)
        except Exception as error:  # then no other can be sent either
            self.stop()
            self._keep([], [(place, error) for place in chunk.places])
        return None

    # -- in the client's thread that reads its sockets -----------------------------------

    def _ended(self, chunk: Chunk, outcome: Outcome) -> None:
        try:
            if outcome.items:
                self._sizes.measured(outcome.items, outcome.seconds)
            if outcome.abort is not None:
                self.stop()
            for again in outcome.again:
                self._send(again)
        finally:
            self._keep(outcome.values, outcome.errors)

    def _keep(self, values: list[tuple[int, Any]], errors: list[tuple[int, Exception]]) -> None:
        results: list[tuple[int, Any]] = [(place, (value, None)) for place, value in values]
        results += [(place, (None, error)) for place, error in errors]
        with self._changed:
            for place, result in results:
                if place not in self._chunk_of:
                    continue  # closed meanwhile
                self._done[place] = result
                if not self._ordered:
                    self._order.append(place)
                if self._eager:
                    self._count_down(place)
            self._changed.notify_all()

    # -- for who takes the results -------------------------------------------------------

    def take(self) -> Any:
        """The next result.

        Raises
        ------
        StopIteration
            If there is none any more.
        Exception
            What the item has raised, or the input.
        """
        wait_while_open(self._changed, self._can_tell, self._sender.client, self._give_up)
        with self._changed:
            if not (self._order and self._order[0] in self._done):
                error, self._error_of_input = self._error_of_input, None
                raise error or StopIteration
            place = self._order.popleft()
            value, failed = self._done.pop(place)
            if not self._eager:
                self._count_down(place)
            del self._chunk_of[place]
            self._changed.notify_all()
        if failed is None:
            return value
        if self._return_exceptions:
            return failed
        self.close()
        raise failed

    def _can_tell(self) -> bool:
        if self._order and self._order[0] in self._done:
            return True
        return (self.all_read or self._stopped) and not self._chunk_of

    def _count_down(self, place: int) -> None:
        first = self._chunk_of[place]
        self._ahead[first] -= 1
        if not self._ahead[first]:
            del self._ahead[first]

    def _give_up(self, error: Exception) -> None:
        with self._changed:
            self._stopped = self.all_read = True
            self._forget()
            self._error_of_input = error
            self._changed.notify_all()

    def _forget(self) -> None:
        for forgotten in (self._chunk_of, self._ahead, self._done, self._order):
            forgotten.clear()
        self._error_of_input = None


def start_imap(
    view: Any,
    f: Any,
    iterables: tuple[Any, ...],
    *,
    ordered: bool,
    max_outstanding: Any,
    return_exceptions: bool,
    chunksize: Any,
    eager: bool = False,
) -> ImapRun:
    """What `RichView.imap` does."""
    assert len(iterables) > 0, "must have some sequences to map onto!"
    size = check_chunksize(chunksize)
    most = _most(max_outstanding)
    sender = Sender(view, f)
    run = ImapRun(
        sender,
        zip(*iterables),  # noqa: B905  (the shortest ends it, as in the builtin)
        size,
        WAVES * sender.engines if most is None else most,
        eager,
        ordered,
        return_exceptions,
    )
    run.start()
    return run


def _most(max_outstanding: Any) -> float | None:
    if isinstance(max_outstanding, str) and max_outstanding == "auto":
        return None
    good = isinstance(max_outstanding, int) and not isinstance(max_outstanding, bool)
    if not good or max_outstanding < 0:
        raise ValueError(
            f"'max_outstanding' is {max_outstanding!r}, neither 'auto' nor a number of chunks"
        )
    return max_outstanding or math.inf
