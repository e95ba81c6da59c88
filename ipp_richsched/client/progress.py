"""A progress bar for results: `progress`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from threading import Lock
from typing import Any

from ipyparallel import AsyncResult
from ipyparallel.client.asyncresult import AsyncHubResult
from tqdm import TqdmExperimentalWarning, TqdmWarning

from .asking import NotRichError
from .data import span
from .map_result import MapResult
from .sent import Named, Sent, named, sent
from .status import status

TICK = 0.1
"""Seconds between two looks at the results."""

ASK = 1.0
"""Seconds between two looks at what is more work: what runs, and the time left."""

SHARE = 0.05
"""The part of the time that goes into these, at most."""

_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} {unit}s [{elapsed}{postfix}]"


def progress(results: Named, timeout: float | None = None) -> bool | None:
    """Show a bar until results are there: what is done, failed, runs and waits, and the time left.

    A map counts by its items, other results by their tasks.  The time left is that of the longest
    chain of tasks that are still to come, or of all of them divided by the engines, whichever is
    more.  What a task takes is its `cost`, or what others with its label or function took.  With
    maps, and where that is not known, it is taken from the rate so far.  Ctrl-C ends the bar only.

    Parameters
    ----------
    results : AsyncResult, iterable of AsyncResult, or mapping to AsyncResult
    timeout : float, optional
        How many seconds to wait at most; by default for ever.

    Returns
    -------
    bool or None
        With a `timeout`, whether all are there.  Without, nothing: a notebook would show it.

    Raises
    ------
    TypeError
        If something is no AsyncResult.
    """
    watched = _Watched(results)
    deadline = None if timeout is None else time.monotonic() + timeout
    next_look = 0.0
    with _bar()(total=watched.total, unit=watched.unit, bar_format=_FORMAT) as bar:
        while True:
            done = watched.done
            now = time.monotonic()
            is_over = done >= watched.total or watched.is_cut_off
            is_over = is_over or (deadline is not None and now >= deadline)
            if is_over or now >= next_look:
                watched.look(done, bar.format_dict["elapsed"])
                took = time.monotonic() - now
                next_look = now + max(ASK, took / SHARE)
            bar.n = done
            bar.set_postfix_str(watched.describe(done), refresh=False)
            bar.refresh()
            if is_over:
                return None if timeout is None else done >= watched.total
            time.sleep(TICK)


def _bar() -> Any:
    """The class of bars: for notebooks, if this is one that can show it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmExperimentalWarning)
        warnings.simplefilter("ignore", TqdmWarning)  # that this notebook cannot
        from tqdm.auto import tqdm
    return tqdm


class _Watched:
    """Results, and how far they are."""

    def __init__(self, results: Named) -> None:
        if not isinstance(results, (AsyncResult, Mapping)):
            results = list(results)
        self._client, tasks = sent(results)
        self._maps: dict[int, MapResult] = {}
        self._hub_results: dict[int, Any] = {}
        self._tasks: dict[str, Sent] = {}
        self._lock = Lock()
        self._ended: dict[str, bool] = {}  # whether it has failed
        self._asks = True
        self._done_in_silence: int | None = None  # how many had ended when there was no answer
        self._failed = 0
        self._running: int | None = None
        self._ends: float | None = None
        for _, result in named(results):
            if isinstance(result, MapResult):
                self._maps[id(result)] = result
            elif isinstance(result, AsyncHubResult):
                self._hub_results[id(result)] = result
        for task in tasks:
            if task.future is not None:
                self._tasks[task.msg_id] = task
        for task in self._tasks.values():
            task.future.add_done_callback(self._end)
        self.total = len(self._tasks) + sum(map(len, self._maps.values()))
        self.total += sum(len(result.msg_ids) for result in self._hub_results.values())
        self.unit = "item" if self._maps and not self._tasks else "task"

    def _end(self, future: Any) -> None:
        """A task has ended: called in the client's thread."""
        with self._lock:
            self._ended[future.msg_id] = isinstance(future.result(), BaseException)

    @property
    def is_cut_off(self) -> bool:
        """Whether nothing can come any more, since the client is closed."""
        return self._client is not None and bool(self._client._closed)

    @property
    def done(self) -> int:
        """How many have ended, well or not."""
        hub = [result for result in self._hub_results.values() if result.done()]
        maps = sum(result.progress for result in self._maps.values())
        return len(self._ended) + maps + sum(len(result.msg_ids) for result in hub)

    def look(self, done: int, elapsed: float) -> None:
        """Find out how many fail and run, and how long it takes yet: that is more work.

        Parameters
        ----------
        done : int
            How many had ended by then.
        elapsed : float
            For how many seconds the bar is there.
        """
        for result in self._hub_results.values():
            result.wait(0)  # asks the hub
        with self._lock:
            failed = sum(self._ended.values())
        self._failed = failed + sum(result.failed for result in self._maps.values())
        ages = self._ask(done)
        seconds = self._seconds_left(ages)
        if seconds is None and done:
            seconds = elapsed / done * (self.total - done)
        self._ends = None if seconds is None else time.monotonic() + seconds

    def describe(self, done: int) -> str:
        """What is said behind the bar, when so many have ended."""
        words = [f"{self._failed} failed"] * bool(self._failed)
        left = self.total - done
        if left:
            if self._done_in_silence == done:
                words.append("the scheduler does not answer")
            if self._running is not None:
                running = min(self._running, left)  # some have ended since
                words += [f"{running} running", f"{left - running} waiting"]
            if self._ends is not None:
                words.append(f"{span(max(0.0, self._ends - time.monotonic()))} left")
        return ", ".join(words)

    def _ask(self, done: int) -> dict[str, float]:
        """Learn how many engines are working on; for how long they have had what they work on.

        Of a map it is one item for each engine: it works off the items of a chunk one by one.  If
        the scheduler does not say it, nobody knows how many.
        """
        maps = [result for result in self._maps.values() if not result.done()]
        if not self._asks or (not maps and len(self._ended) == len(self._tasks)):
            self._running = None
            return {}
        assert self._client is not None
        try:
            now = status(self._client, oldest=0)
        except NotRichError:
            self._asks, self._running = False, None
            return {}
        except TimeoutError:  # by `SHARE`, minutes pass until it is asked again
            self._done_in_silence, self._running = done, None
            return {}
        self._done_in_silence = None
        at_work = [engine.task for engine in now.engines if engine.task is not None]
        self._running = sum(
            (task in self._tasks and task not in self._ended)
            or any(task in result._sent_ids for result in maps)
            for task in at_work
        )
        return {
            engine.task: (now.time - engine.since).total_seconds()
            for engine in now.engines
            if engine.task is not None and engine.since is not None
        }

    def _seconds_left(self, ages: Mapping[str, float]) -> float | None:
        """How long it takes yet, if what the tasks take is known; some have run for a while."""
        if self._maps or self._hub_results or self._client is None:
            return None
        took: dict[str, list[float]] = {}
        for msg_id, has_failed in self._ended.copy().items():
            task = self._tasks[msg_id]
            start, end = task.at("started"), task.at("completed")
            if not has_failed and start is not None and end is not None:
                took.setdefault(task.group, []).append((end - start).total_seconds())
        means = {group: sum(each) / len(each) for group, each in took.items()}
        longest: dict[str, float] = {}
        total = 0.0
        for msg_id, task in self._tasks.items():  # parents come before their children
            if msg_id in self._ended:
                continue
            cost = task.flags.get("cost", means.get(task.group))
            if cost is None:
                return None
            cost = max(0.0, cost - ages.get(msg_id, 0.0))
            total += cost
            before = (longest.get(parent, 0.0) for parent in task.parents)
            longest[msg_id] = cost + max(before, default=0.0)
        return max(total / max(1, len(self._client.ids)), max(longest.values(), default=0.0))
