"""The chunks of a map as tasks: how they are sent, and what their replies say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ipyparallel.client.remotefunction import getname
from ipyparallel.serialize import PrePickled, deserialize_object
from ipyparallel.serialize.canning import can, can_map
from jupyter_client.session import MAX_ITEMS

from ..wire.rich_flags import FUNCTION
from .on_engine import run_chunk
from .sent import remember_flags

BYTES_A_SECOND = 1e8
"""What a byte costs on its way counts as so much time, so that no chunk gets too large to send."""


@dataclass(frozen=True)
class Chunk:
    """Items of a map that are one task."""

    places: Sequence[int]
    """Where each stands in the map."""
    columns: list[Any]
    """Their arguments: for each parameter of the function a sequence."""
    retries: int
    """How often an item that fails is run again."""

    def __len__(self) -> int:
        return len(self.places)

    def only(self, positions: Iterable[int]) -> Chunk:
        """Some of its items."""
        positions = list(positions)
        columns = [list(column) for column in self.columns]
        return replace(
            self,
            places=[self.places[position] for position in positions],
            columns=[[column[position] for position in positions] for column in columns],
        )

    def cut(self, size: int) -> tuple[Chunk, Chunk]:
        """Its first items, and the others."""
        return self.only(range(size)), self.only(range(size, len(self)))

    @property
    def is_too_long(self) -> bool:
        """Whether ipyparallel would pickle it without its own ways for functions and the like."""
        if len(self) < MAX_ITEMS:
            return False
        can(None)  # has ipyparallel look up the classes that it names in `can_map`
        return any(
            isinstance(column, (list, tuple)) and not set(map(type, column)).isdisjoint(can_map)
            for column in self.columns
        )


@dataclass
class Outcome:
    """What became of the items of a chunk."""

    values: list[tuple[int, Any]] = field(default_factory=list)
    """By their places."""
    errors: list[tuple[int, Exception]] = field(default_factory=list)
    """Those of items that are not run again, by their places."""
    again: list[Chunk] = field(default_factory=list)
    """What is to be sent again."""
    items: int = 0
    """How many were run, in these seconds:"""
    seconds: float = 0.0

    @property
    def abort(self) -> Exception | None:
        """The error that says that the chunk was aborted, if it was."""
        for _, error in self.errors[:1]:
            if getattr(error, "ename", type(error).__name__) == "TaskAborted":
                return error
        return None


class Sender:
    """Sends the chunks of one map, with the flags that the view has when it begins.

    Parameters
    ----------
    view : RichView
    f : callable
        The function; it is pickled here, once.
    label : str, optional
        In the place of the view's own.
    """

    def __init__(self, view: Any, f: Any, label: str | None = None) -> None:
        self.view = view
        self.client = view.client
        if self.client._closed:
            raise RuntimeError("Client cannot be used after its sockets have been closed")
        self._metadata = {**view._metadata({"label": label}), FUNCTION: getname(f)}
        self._code = PrePickled(run_chunk)
        self._f = PrePickled(f)
        self.retries: int = self._metadata["retries"]

    @property
    def engines(self) -> int:
        """How many may run the chunks; at least 1, since one may yet come."""
        return len(self._metadata["targets"]) or len(self.client.ids) or 1

    def pack(self, chunk: Chunk) -> list[PrePickled]:
        """The arguments, pickled.

        Raises
        ------
        Exception
            If one cannot be.
        """
        return [PrePickled(column) for column in chunk.columns]

    def send(
        self,
        chunk: Chunk,
        packed: list[PrePickled],
        seconds: float | None,
        ended: Callable[[Chunk, Outcome], None],
    ) -> Any:
        """Send a chunk; its future.

        Parameters
        ----------
        chunk : Chunk
        packed : list
            What `pack` made of it.
        seconds : float or None
            After how long the engine gives back what it has not begun.
        ended : callable
            Called with the chunk and its outcome, in the client's thread that reads its sockets.

        Raises
        ------
        Exception
            If the client is closed.
        """
        read = partial(self._read, chunk, sum(map(_length, packed)), ended)
        metadata = {**self._metadata, "retries": chunk.retries}
        future = self.client.send_apply_request(
            self.view._socket,
            self._code,
            [self._f, seconds, *packed],
            metadata=metadata,
            # before it is sent: so the reply is never there already, in whichever thread we are
            message_future_hook=lambda future: future.add_done_callback(read),
        )
        remember_flags(future, metadata)
        self.view.history.append(future.msg_id)
        self.view.outstanding.add(future.msg_id)
        return future

    def _read(
        self, chunk: Chunk, sent: int, ended: Callable[[Chunk, Outcome], None], future: Any
    ) -> None:
        reply = future.result()
        try:
            if isinstance(reply, Exception):
                raise reply
            outcome = self._outcome(chunk, sent, *reply)
        except Exception as error:
            outcome = Outcome(errors=[(place, error) for place in chunk.places])
        ended(chunk, outcome)

    def _outcome(
        self,
        chunk: Chunk,
        sent: int,
        seconds: float,
        count: int,
        failures: dict[int, dict[str, Any]],
        together: bool,
        *blobs: bytes,
    ) -> Outcome:
        """Read what `run_chunk` returned, when so many bytes had been sent."""
        received = sum(map(len, blobs))
        outcome = Outcome(items=count, seconds=seconds + (sent + received) / BYTES_A_SECOND)
        retried = []
        values = _values(list(blobs), together, count)
        for position, (place, value) in enumerate(zip(chunk.places, values, strict=False)):
            if position not in failures:
                if isinstance(value, _Unreadable):
                    outcome.errors.append((place, value.error))
                else:
                    outcome.values.append((place, value))
            elif chunk.retries:
                retried.append(position)
            else:
                error = self.client._unwrap_exception(failures[position])
                outcome.errors.append((place, error))
        if retried:
            outcome.again.append(replace(chunk.only(retried), retries=chunk.retries - 1))
        if count < len(chunk):
            outcome.again.append(chunk.cut(count)[1])
        return outcome


@dataclass(frozen=True)
class _Unreadable:
    """In the place of a value that cannot be unpickled here."""

    error: Exception


def _values(blobs: list[bytes], together: bool, count: int) -> list[Any]:
    """The values of a reply; failed items have one, too, that means nothing."""
    try:
        if together:
            return deserialize_object(blobs)[0]
    except Exception as error:
        return [_Unreadable(error)] * count
    return [_value(blob) for blob in blobs]


def _value(blob: bytes) -> Any:
    try:
        return deserialize_object([blob])[0] if blob else None
    except Exception as error:
        return _Unreadable(error)


def _length(packed: PrePickled) -> int:
    return sum(memoryview(buffer).nbytes for buffer in packed.buffers)
