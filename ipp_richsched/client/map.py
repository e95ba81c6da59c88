"""A map under way: its chunks are sent as earlier ones end."""

from __future__ import annotations

from collections import deque
from threading import RLock
from typing import Any

from ipyparallel.client.remotefunction import getname

from .chunks import WAVES, ChunkSizes, check_chunksize, parts
from .map_result import MapResult
from .sending import MAX_ITEMS, Chunk, Outcome, Sender


class MapRun:
    """A map under way.

    With fixed chunks all are sent at once, by whoever calls `start`.  Otherwise so many are under
    way that no engine idles, and the client's thread that reads its sockets sends the next one when
    one has ended, or when an engine has come.

    Parameters
    ----------
    sender : Sender
    sequences : list
        The arguments of the items.
    chunksize : int or None
        None: as long as `ChunkSizes` says.
    result : MapResult
    """

    def __init__(
        self, sender: Sender, sequences: list[Any], chunksize: int | None, result: MapResult
    ) -> None:
        self._sender = sender
        self._sequences = sequences
        self._result = result
        self._sizes = ChunkSizes() if chunksize is None else None
        self._lock = RLock()
        self._under_way = 0
        self._is_starting = True  # by a thread that may take long, which the client's may not
        self._waiting: deque[Chunk] = deque()
        self._next = 0
        """The first item that is neither sent nor in `_waiting`."""
        self._stopped_by: Exception | None = None
        if chunksize is not None:
            self._waiting.extend(map(self._chunk, parts(len(result), chunksize)))
            self._next = len(result)
        result._stop = self.stop
        result._give_up = self.give_up
        result._count_unsent = self._count_unsent

    def start(self) -> None:
        """Send the first chunks."""
        maps, callbacks = self._sender.view._outstanding_maps, self._client_callbacks
        maps.add(self._result)
        callbacks.append(self._engine_came)
        self._result.add_done_callback(lambda _: maps.discard(self._result))
        self._result.add_done_callback(lambda _: callbacks.remove(self._engine_came))
        try:
            self._fill()
        finally:
            self._is_starting = False
        self._fill()  # what came back meanwhile

    @property
    def _client_callbacks(self) -> list[Any]:
        return self._sender.client._registration_callbacks

    def stop(self, error: Exception) -> None:
        """Send no more: what is not sent has failed with this error."""
        with self._lock:
            self._stopped_by = self._stopped_by or error
            left = [place for chunk in self._waiting for place in chunk.places]
            left += range(self._next, len(self._result))
            self._waiting.clear()
            self._next = len(self._result)
        self._result._keep([], [(place, error) for place in left])

    def give_up(self, error: Exception) -> None:
        """Wait for nothing any more: what is not done has failed with this error."""
        self.stop(error)
        self._result._keep([], [(place, error) for place in range(len(self._result))])

    def _chunk(self, places: range) -> Chunk:
        columns = [sequence[places.start : places.stop] for sequence in self._sequences]
        return Chunk(places, columns, self._sender.retries)

    def _fill(self) -> None:
        """Send chunks until enough are under way."""
        try:
            while (work := self._take()) is not None:
                self._send(*work)
        except Exception as error:
            # the client is closed: then nothing comes back either
            (self.give_up if self._sender.client._closed else self.stop)(error)

    def _count_unsent(self) -> int:
        with self._lock:
            return len(self._result) - self._next + sum(map(len, self._waiting))

    def _take(self) -> tuple[Chunk, float | None] | None:
        """The next chunk to be sent, and after how long it ends; None if there is none."""
        with self._lock:
            if not self._waiting and self._next == len(self._result):
                return None
            seconds = None
            if self._sizes is None:
                chunk = self._waiting.popleft()
            else:
                engines = self._sender.engines
                if self._under_way >= WAVES * engines:
                    return None
                items, seconds = self._sizes.next(self._count_unsent(), engines)
                chunk = self._first(items)
            if chunk.is_too_long:
                chunk, rest = chunk.cut(MAX_ITEMS - 1)
                self._waiting.appendleft(rest)
            self._under_way += 1
            return chunk, seconds

    def _first(self, items: int) -> Chunk:
        """So many items, or fewer."""
        if not self._waiting:
            low, self._next = self._next, min(self._next + items, len(self._result))
            return self._chunk(range(low, self._next))
        chunk = self._waiting.popleft()
        if len(chunk) > items:
            chunk, rest = chunk.cut(items)
            self._waiting.appendleft(rest)
        return chunk

    def _send(self, chunk: Chunk, seconds: float | None) -> None:
        try:
            packed = self._sender.pack(chunk)
        except Exception as error:
            # find those items of it that cannot be pickled
            with self._lock:
                self._under_way -= 1
                if len(chunk) > 1:
                    self._waiting.extendleft(reversed(chunk.cut(len(chunk) // 2)))
                    return
            self._result._keep([], [(chunk.places[0], error)])
            return
        try:
            self._result._sent(self._sender.send(chunk, packed, seconds, self._ended))
        except Exception as error:
            self._result._keep([], [(place, error) for place in chunk.places])
            raise

    def _engine_came(self, event: dict[str, Any]) -> None:
        self._fill()

    def _ended(self, chunk: Chunk, outcome: Outcome) -> None:
        try:
            with self._lock:
                self._under_way -= 1
                if self._sizes is not None and outcome.items:
                    self._sizes.measured(outcome.items, outcome.seconds)
                self._waiting.extendleft(reversed(outcome.again))
            if (error := outcome.abort) is not None or (error := self._stopped_by) is not None:
                self.stop(error)  # whoever aborts a part of a map means all of it
            if not self._is_starting:
                self._fill()
            self._result._keep(outcome.values, outcome.errors)
        except Exception as error:  # which nobody would hear of in this thread
            self.give_up(error)
            raise


def start_map(
    view: Any,
    f: Any,
    sequences: tuple[Any, ...],
    *,
    block: bool | None,
    chunksize: Any,
    ordered: bool,
    return_exceptions: bool,
    label: str | None = None,
    join: Any = None,
) -> Any:
    """What `RichView.map` does.

    Parameters
    ----------
    join : callable, optional
        What makes the result of a list of values, which are lists of items themselves.
    """
    assert len(sequences) > 0, "must have some sequences to map onto!"
    size = check_chunksize(chunksize)
    sender = Sender(view, f, label)
    columns = [_sliceable(sequence) for sequence in sequences]
    length = min(map(len, columns))
    result = MapResult(view.client, length, getname(f), ordered, return_exceptions, join)
    if length:
        MapRun(sender, columns, size, result).start()
    else:
        result._keep([], [])
    if view.block if block is None else block:
        try:
            return result.get()
        except KeyboardInterrupt:
            pass
    return result


def _sliceable(sequence: Any) -> Any:
    """A sequence as it is, if it has a length and can be sliced; or else as a list."""
    try:
        len(sequence)
        sequence[:0]
    except Exception:
        return list(sequence)
    return sequence
