"""The files of an event log: begun, filled, made old, shared by nobody, and put up with."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from ipp_richsched.scheduler import event_file
from ipp_richsched.scheduler.event_file import OLD_FILES, EventFile

LINE = "a line of twenty..." + "\n"
"""Twenty bytes."""


def opened(path: Path, size: int = 100, run: str = "run") -> EventFile:
    return EventFile(path, size, lambda part: f"{run} {part}\n")


def texts(path: Path) -> dict[str, str]:
    """What is in the files beside a path, by name."""
    return {each.name: each.read_text() for each in path.parent.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "night.jsonl"


def test_a_file_begins_with_its_header(path: Path) -> None:
    file = opened(path)
    file.write("")
    assert path.read_text() == "run 1\n"
    file.write(LINE)
    file.write(LINE)
    assert path.read_text() == "run 1\n" + LINE + LINE


def test_a_full_file_becomes_an_old_one_and_old_ones_go(path: Path) -> None:
    file = opened(path)
    number = 4 * (OLD_FILES + 3)  # four lines a file
    for _ in range(number):
        file.write(LINE)
    found = texts(path)
    names = [path.name, *(f"{path.name}.{n}" for n in range(1, OLD_FILES + 1))]
    assert sorted(found) == sorted(names)
    assert [found[name] for name in names] == [
        f"run {part}\n" + 4 * LINE for part in range(OLD_FILES + 3, 2, -1)
    ]


def test_what_is_larger_than_a_file_has_one_of_its_own(path: Path) -> None:
    file = opened(path)
    file.write(LINE)
    file.write(10 * LINE)
    file.write(LINE)
    assert texts(path) == {
        f"{path.name}.2": "run 1\n" + LINE,
        f"{path.name}.1": "run 2\n" + 10 * LINE,
        path.name: "run 3\n" + LINE,
    }


def test_the_file_of_an_earlier_run_becomes_an_old_one(path: Path) -> None:
    for run in ("first", "second", "third"):
        file = opened(path, run=run)
        file.write(LINE)
        file.close()
    assert texts(path) == {
        f"{path.name}.2": "first 1\n" + LINE,
        f"{path.name}.1": "second 1\n" + LINE,
        path.name: "third 1\n" + LINE,
    }


def test_two_schedulers_do_not_write_over_each_other(path: Path) -> None:
    first, second, third = (opened(path, run=run) for run in ("first", "second", "third"))
    for _ in range(6):  # each file is full once
        first.write(LINE)
        second.write(LINE)
    third.write(LINE)
    assert texts(path) == {
        "night.jsonl.1": "first 1\n" + 4 * LINE,
        "night.jsonl": "first 2\n" + 2 * LINE,
        "night-2.jsonl.1": "second 1\n" + 4 * LINE,
        "night-2.jsonl": "second 2\n" + 2 * LINE,
        "night-3.jsonl": "third 1\n" + LINE,
    }
    assert second.path == path.with_name("night-2.jsonl")
    first.close()
    fourth = opened(path, run="fourth")
    fourth.write("")
    assert fourth.path == path


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_will_do(path: Path, error: int) -> None:
    with mock.patch("fcntl.flock", side_effect=OSError(error, "no locks")):
        opened(path).write(LINE)
    assert path.read_text() == "run 1\n" + LINE


def test_a_system_without_locks_will_do(path: Path) -> None:
    with mock.patch.object(event_file, "fcntl", None):
        file = opened(path)
        for _ in range(5):
            file.write(LINE)
    assert texts(path) == {
        f"{path.name}.1": "run 1\n" + 4 * LINE,
        path.name: "run 2\n" + LINE,
    }


@pytest.mark.parametrize("how", ["removed", "renamed", "replaced"])
def test_a_file_that_somebody_took_away_is_begun_anew(path: Path, how: str) -> None:
    file = opened(path)
    file.write(LINE)
    if how == "removed":
        path.unlink()
    else:
        path.rename(path.with_name("elsewhere"))
    if how == "replaced":
        path.write_text("")
    file.write(LINE)
    assert path.read_text() == "run 2\n" + LINE


def test_one_that_another_scheduler_makes_old_meanwhile_is_not_taken(path: Path) -> None:
    path.write_text("of an earlier run\n")
    others = [lambda: path.rename(path.with_name("elsewhere"))]
    lock = event_file._lock

    def slow_lock(descriptor: int) -> bool:
        if others:
            others.pop()()
        return lock(descriptor)

    with mock.patch.object(event_file, "_lock", slow_lock):
        opened(path).write(LINE)
    assert texts(path) == {"elsewhere": "of an earlier run\n", path.name: "run 1\n" + LINE}


def full_after(bytes_left: int) -> Callable[[int, bytes], int]:
    """A write that takes so many bytes, in parts, until the disk is full."""
    real, left = os.write, [bytes_left]

    def write(descriptor: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(descriptor, data[: min(left[0], 7)])
        left[0] -= written
        return written

    return write


def test_what_does_not_fit_on_the_disk_is_not_in_the_file(path: Path) -> None:
    file = opened(path)
    file.write(LINE)
    with mock.patch("os.write", full_after(30)):
        file.write(LINE)
        with pytest.raises(OSError, match="No space left"):
            file.write(LINE)
        with pytest.raises(OSError, match="No space left"):
            file.write(LINE)
    assert path.read_text() == "run 1\n" + 2 * LINE
    file.write(LINE)
    assert path.read_text() == "run 1\n" + 3 * LINE


def test_a_full_disk_costs_no_old_file(path: Path) -> None:
    file = opened(path)
    for _ in range(4):
        file.write(LINE)
    with mock.patch("os.write", full_after(3)):
        for _ in range(2 * OLD_FILES):  # as often as it is tried again
            with pytest.raises(OSError, match="No space left"):
                file.write(LINE)
    file.write(LINE)
    assert texts(path) == {
        f"{path.name}.1": "run 1\n" + 4 * LINE,
        path.name: "run 2\n" + LINE,
    }


def test_a_directory_in_which_nothing_can_be_renamed_is_an_error_until_it_can(path: Path) -> None:
    file = opened(path)
    for _ in range(4):
        file.write(LINE)
    with mock.patch("os.replace", side_effect=PermissionError(errno.EACCES, "Permission denied")):
        for _ in range(2):
            with pytest.raises(PermissionError):
                file.write(LINE)
    file.write(LINE)
    assert texts(path) == {
        f"{path.name}.1": "run 1\n" + 4 * LINE,
        path.name: "run 2\n" + LINE,
    }
