"""What is known here of tasks that were sent: for those who draw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import ipyparallel as ipp
from ipyparallel import AsyncResult, util

from ..wire.rich_flags import FUNCTION
from .map_result import MapResult

Named: TypeAlias = "AsyncResult | Iterable[AsyncResult] | Mapping[Any, AsyncResult]"
"""Results, or results by what their tasks are called."""

_FLAGS = "ipp_richsched_flags"

PAGE = 500
"""How many tasks the hub is asked for at once."""


class Sent(NamedTuple):
    """A task that was sent."""

    msg_id: str
    name: str | None
    """What it was called, if it was."""
    times: Mapping[str, Any]
    """ipyparallel's metadata of its result: when it ran, and where."""
    flags: Mapping[str, Any]
    """The metadata that it was sent with: `after`, `label` and so on; empty if not known."""
    function: str
    """What it ran."""
    future: Any
    """What has its reply, or will; None for chunks of a map, and for results of the hub."""

    def at(self, what: str) -> datetime | None:
        """When it was ``'submitted'``, ``'started'``, ``'completed'`` or ``'received'``."""
        when = self.times[what]
        # ipyparallel has a text for a moment, while it takes in a reply
        return util._parse_date(when) if isinstance(when, str) else when

    @property
    def error(self) -> BaseException | None:
        """What it failed with, if that is here."""
        reply = self.future.result() if self.future is not None and self.future.done() else None
        return reply if isinstance(reply, BaseException) else None

    @property
    def group(self) -> str:
        """Its label, or its function."""
        label: str | None = self.flags.get("label")
        return label or self.function

    @property
    def parents(self) -> dict[str, None]:
        """What it waits for, each once."""
        found: dict[str, None] = {}
        for field in ("after", "follow", "arguments"):
            ids = self.flags.get(field) or ()
            if isinstance(ids, Mapping):  # a Dependency
                ids = ids["dependencies"]
            found.update(dict.fromkeys([ids] if isinstance(ids, str) else ids))
        return found


def remember_flags(future: Any, metadata: Mapping[str, Any]) -> None:
    """Keep what a task was sent with, for as long as somebody has its result."""
    setattr(future.output, _FLAGS, metadata)


def sent(results: Named) -> tuple[ipp.Client | None, list[Sent]]:
    """What is known here of the tasks of results, each once, and the client of the first.

    Parameters
    ----------
    results : AsyncResult, iterable of AsyncResult, or mapping to AsyncResult

    Returns
    -------
    client : ipyparallel.Client or None
    tasks : list of Sent
        In the order of submission.

    Raises
    ------
    TypeError
        If something else is among them.
    """
    pairs = named(results)
    found = {each.msg_id: each for name, result in pairs for each in _of(name, result)}
    tasks = list(found.values())
    # those that were just submitted have no time yet
    tasks.sort(key=lambda each: ((when := each.at("submitted")) is None, when))
    return (pairs[0][1]._client if pairs else None), tasks


def with_flags_of_hub(client: ipp.Client, tasks: list[Sent]) -> list[Sent]:
    """The same, where the hub was asked what those were sent with of which that is not known.

    Those are tasks of stock views, and of results that were fetched by their ids.  What the hub
    does not know stays empty.  Waits until it answers.
    """
    places = {each.msg_id: place for place, each in enumerate(tasks) if not each.flags}
    unknown, tasks = list(places), list(tasks)
    for start in range(0, len(unknown), PAGE):
        query = {"msg_id": {"$in": unknown[start : start + PAGE]}}
        for record in client.db_query(query, keys=["metadata"]):
            place = places[record["msg_id"]]
            flags = record["metadata"] or {}
            function = flags.get(FUNCTION) or tasks[place].function
            tasks[place] = tasks[place]._replace(flags=flags, function=function)
    return tasks


def named(results: Named) -> list[tuple[str | None, Any]]:
    """Names, as far as there are any, and results; raises TypeError if one is none."""
    pairs: list[tuple[str | None, Any]]
    if isinstance(results, AsyncResult):
        pairs = [(None, results)]
    elif isinstance(results, Mapping):
        pairs = [(str(name), result) for name, result in results.items()]
    else:
        pairs = [(None, result) for result in results]
    for _, result in pairs:
        if not isinstance(result, AsyncResult):
            raise TypeError(f"{result!r} is no AsyncResult")
    return pairs


def _of(name: str | None, result: AsyncResult) -> Iterator[Sent]:
    """The tasks of a result."""
    is_map = isinstance(result, MapResult)
    msg_ids = [*(result._sent_ids if is_map else result.msg_ids)]
    times = [*result._metadata]  # a map that runs gets more of them meanwhile
    futures = [*result._children] or [None] * len(msg_ids)  # there are none of the hub's results
    outputs = [*result._outputs] if is_map else [getattr(each, "output", None) for each in futures]
    parts = zip(msg_ids, times, futures, outputs, strict=False)
    for number, (msg_id, its_times, future, output) in enumerate(parts):
        flags = getattr(output, _FLAGS, {})
        yield Sent(
            msg_id,
            name if name is None or len(msg_ids) == 1 else f"{name}[{number}]",
            its_times,
            flags,
            flags.get(FUNCTION) or result._fname,
            future,
        )
