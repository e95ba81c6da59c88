"""Writes a report of results, or of an event log: `report`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from ...client.sent import Named
from ...core.log import LogError
from ...workflows.gather import run_of
from ...workflows.runs import Run
from ..log_run import LogRun, run_of_log
from ..needs import check_bokeh


def report(path: str | PathLike[str], results_or_log: Named | str | PathLike[str]) -> Path:
    """Write what happened to tasks as one HTML file: it needs no network, and can be sent around.

    What held the run up comes first; then a timeline, the DAG, where the time went, failures by
    that with which they began, engines, and the slowest tasks.  A slider plays the run over again.

    Parameters
    ----------
    path : str or path-like
        The file; one that is there is replaced.
    results_or_log : AsyncResult, iterable of AsyncResult, mapping to AsyncResult, or path
        The results, finished or not; in a mapping, tasks are called by its keys, else by labels or
        functions.  Or the path of an event log (``c.RichTaskScheduler.event_log``).

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ImportError
        If Bokeh is not installed.
    TypeError
        If something is no AsyncResult.
    LogError
        If the log cannot be read; it is a ValueError.
    OSError
        If the file cannot be written.
    """
    if isinstance(results_or_log, (str, PathLike)):
        report_of_log(path, results_or_log)
    else:
        check_bokeh("a report")
        _write(Path(path), run_of(results_or_log))
    return Path(path)


def report_of_log(path: str | PathLike[str], log: str | PathLike[str]) -> LogRun:
    """Write what an event log tells, as `report` does; what it told, and what is missing in it."""
    check_bokeh("a report")
    if Path(path).resolve() == Path(log).resolve():
        raise LogError(f"{path}: the page would take the place of the log")
    found = run_of_log(Path(log))
    _write(Path(path), found.run, found.notes)
    return found


def _write(path: Path, run: Run, notes: Sequence[str] = ()) -> None:
    from .page import page_of

    # half a surrogate pair, which a label may have, is no text
    text = page_of(run, notes)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")  # an old one stays until it is whole
    try:
        unfinished.write_text(text, "utf-8", errors="replace")
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
