"""The log has a bounded number of lines, however much goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from ipp_richsched.scheduler.lines import KINDS, Lines

DAY = 24 * 3600


class Log:
    """A log, a loop and a clock; time passes when a test says so.

    Attributes
    ----------
    written : list of str
        The lines.
    """

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.now = 0.0
        self.alarms: list[tuple[float, Callable[[], None]]] = []
        self.lines = Lines(logging.getLogger(__name__), self, lambda: self.now)
        self.caplog = caplog

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        self.alarms.append((self.now + delay, callback))
        return callback

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.alarms and min(when for when, _ in self.alarms) <= end:
            alarm = min(self.alarms, key=lambda alarm: alarm[0])
            self.alarms.remove(alarm)
            self.now = alarm[0]
            alarm[1]()
        self.now = end

    @property
    def written(self) -> list[str]:
        return [record.getMessage() for record in self.caplog.records]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    return Log(caplog)


def test_the_first_is_written_and_the_others_are_counted(log: Log) -> None:
    for number in range(5):
        log.lines.put("kind", f"task {number}")
    assert log.written == ["task::task 0"]
    log.wait(10)
    assert log.written[1:] == ["task::4 more times in 10 s, the last: task 4"]
    log.lines.put("kind", "task 5")
    log.wait(20)
    assert log.written[2:] == ["task::once more in 20 s, the last: task 5"]


def test_as_many_as_say_something_of_their_own_are_written(log: Log) -> None:
    for number in range(5):
        log.lines.put("kind", f"engine {number}", at_once=3)
    assert len(log.written) == 3


def test_after_an_hour_of_silence_a_kind_is_new(log: Log) -> None:
    log.lines.put("kind", "one")
    log.wait(3700)
    assert not log.alarms
    log.lines.put("kind", "two")
    assert log.written == ["task::one", "task::two"]


@pytest.mark.parametrize("seconds", [0.5, 9.0, 10.5, 100.0])
def test_what_goes_wrong_all_day_is_some_fifty_lines(log: Log, seconds: float) -> None:
    while log.now < DAY:
        log.lines.put("kind", "again")
        log.wait(seconds)
    assert 10 < len(log.written) < 50


def test_very_many_kinds_are_one(log: Log) -> None:
    for number in range(10 * KINDS):
        log.lines.put(number, f"client {number}")
    assert len(log.written) == KINDS + 1
    log.wait(10)
    assert len(log.written) == KINDS + 2


def test_a_line_is_one_line_and_not_too_long(log: Log) -> None:
    log.lines.put("kind", "a\nb" + 10_000 * "x")
    assert len(log.written[0]) < 2_000
    assert "\n" not in log.written[0]
