"""A progress bar over results that come in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue

from ipyparallel import AsyncResult
from tqdm import tqdm

_TICK = 0.1  # seconds


def watch(
    results: Mapping[str, AsyncResult],
    *,
    timeout: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[str]:
    """Show a progress bar on stderr until every result is there.

    Parameters
    ----------
    results : mapping of str to ipyparallel.AsyncResult
        By the name of the task.
    timeout : float
        How many seconds to wait at most.
    meanwhile : callable
        Called without arguments several times a second while results are missing.

    Returns
    -------
    list of str
        The tasks that have no answer yet when the time is over.
    """
    answered: SimpleQueue[str] = SimpleQueue()
    for name, result in results.items():
        result.add_done_callback(lambda _, name=name: answered.put(name))
    missing = dict.fromkeys(results)
    deadline = time.monotonic() + timeout
    with tqdm(total=len(results), unit="task") as bar:
        while missing and time.monotonic() < deadline:
            meanwhile()
            try:
                name = answered.get(timeout=_TICK)
            except Empty:
                continue
            del missing[name]
            bar.update()
    return list(missing)
