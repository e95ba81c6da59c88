"""The run that an event log tells of, with all of its tasks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.log import Gap, LogError
from ..workflows.in_turn import in_turn
from ..workflows.runs import Run
from .log_files import LogFile, files_of, read_step
from .run_records import RunRecords
from .times import moment


@dataclass(frozen=True)
class LogRun:
    """A run, and how much of it the log has.

    Attributes
    ----------
    run : Run
        What happened.
    notes : tuple of str
        What is missing, and what else the log has; sentences.
    """

    run: Run
    notes: tuple[str, ...] = ()


def run_of_log(path: Path) -> LogRun:
    """Read the last run in an event log that has tasks; the last of all, if none has.

    A controller that is restarted goes on with the same log, and begins a new run.  The log is read
    once, line by line: O(its lines).  What is kept is a line for each task and attempt.

    Parameters
    ----------
    path : Path
        The log; its older files are found beside it.

    Raises
    ------
    LogError
        If the log cannot be read.
    """
    runs = [[*its] for _, its in itertools.groupby(files_of(path), key=lambda f: f.header.run)]
    found: tuple[int, LogRun] | None = None
    for number in reversed(range(len(runs))):
        has_tasks, read = _read(runs[number])
        if has_tasks or found is None:
            found = number, read
        if has_tasks:
            break
    assert found is not None  # a log has at least one run
    number, read = found
    return replace(read, notes=(*_others(number, runs), *read.notes))


def _others(number: int, runs: Sequence[Sequence[LogFile]]) -> list[str]:
    """What is said of the runs that are not shown."""
    notes = []
    if number:
        began = moment(runs[number][0].header.wall)
        notes.append(
            f"The scheduler was restarted: this is its run of {began}; {_runs(number)} before it"
            f" {'are' if number > 1 else 'is'} in the log, too."
        )
    if later := len(runs) - 1 - number:
        notes.append(f"{_runs(later)} after this one {'have' if later > 1 else 'has'} no tasks.")
    return notes


def _runs(number: int) -> str:
    return f"{number:,} run{'s' * (number > 1)}"


def _read(files: Sequence[LogFile]) -> tuple[bool, LogRun]:
    """Read the files of a run; whether it has tasks."""
    first = files[0]
    notes = []
    records = RunRecords(first.header.wall, first.header.engines)
    if first.header.part > 1:
        notes.append(f"What was before {moment(first.header.wall)} is gone, with older files.")
    for before, file in itertools.pairwise(files):
        if file.header.part != before.header.part + 1:
            notes.append(f"A file is missing before {file.path}.")
    for file in files:
        for number, line in file.lines():
            try:
                read = read_step(line)
                if isinstance(read, Gap):
                    notes.append(
                        f"{read.lost:,} events are missing, which could not be written"
                        f" ({file.path}, line {number})."
                    )
                else:  # on one clock for all files, though that on the wall may be set
                    records.take(read, first.wall(read.now))
            except LogError as error:
                raise file.error(number, error) from None
        if file.note:
            notes.append(f"{file.note}.")
    if records.began_before:
        notes.append(
            f"{records.began_before:,} tasks were submitted before the log begins: when, and what"
            " they waited for, is not known."
        )
    run = records.run()
    return records.has_tasks, LogRun(replace(run, tasks=in_turn(run.tasks)), tuple(notes))
