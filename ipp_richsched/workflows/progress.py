"""A progress bar over results that come in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue

from ipyparallel import AsyncResult
from tqdm import tqdm

_TICK = 0.1  # seconds


def watch(
    results: Mapping[str, AsyncResult],
    *,
    timeout: float = math.inf,
    quiet: float = math.inf,
    total: int | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[str]:
    """Show a progress bar on stderr until every result is there.

    Parameters
    ----------
    results : mapping of str to ipyparallel.AsyncResult
        By the name of the task.
    timeout : float
        How many seconds to wait at most.
    quiet : float
        How many seconds to wait at most for the next answer.
    total : int, optional
        How many results there will be; as many as there are, where it is not given.
    meanwhile : callable
        Called without arguments several times a second while results are missing. It may add some
        to `results`.

    Returns
    -------
    list of str
        The tasks that have no answer yet when the time is over.
    """
    total = len(results) if total is None else total
    came: SimpleQueue[str] = SimpleQueue()
    watched: set[str] = set()
    answered: set[str] = set()
    last = time.monotonic()
    deadline = last + timeout
    with tqdm(total=total, unit="task") as bar:
        while len(answered) < total and time.monotonic() < min(deadline, last + quiet):
            meanwhile()
            if len(watched) < len(results):
                for name in results.keys() - watched:
                    results[name].add_done_callback(lambda _, name=name: came.put(name))
                watched.update(results)
            try:
                answered.add(came.get(timeout=_TICK))
            except Empty:
                continue
            last = time.monotonic()
            bar.update()
    return [name for name in results if name not in answered]
