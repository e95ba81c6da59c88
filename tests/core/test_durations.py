"""How long tasks queue and run, by label."""

from __future__ import annotations

from unittest import mock

import pytest

from ipp_richsched.core import durations
from ipp_richsched.core.durations import BOUNDS, Durations, Histogram
from ipp_richsched.core.tallies import OTHERS

from .driver import Driver


@pytest.fixture
def found() -> Durations:
    return Durations()


def told(histogram: Histogram) -> tuple[int, float]:
    """How many durations there were, and their sum."""
    return sum(histogram.counts), histogram.total


def test_a_duration_counts_up_to_its_bound_and_with_it() -> None:
    histogram = Histogram()
    for seconds in (0.0, BOUNDS[0], BOUNDS[1], BOUNDS[-1], BOUNDS[-1] + 1):
        histogram.add(seconds)
    assert histogram.counts == [2, 1, *[0] * (len(BOUNDS) - 3), 1, 1]
    assert histogram.total == pytest.approx(sum(BOUNDS[:2]) + 2 * BOUNDS[-1] + 1)


def test_queueing_and_running_are_told_apart(found: Durations) -> None:
    driver = Driver("a", durations=found)
    driver.submit("first", label="x")
    driver.submit("second", label="x")
    driver.wait(3)
    driver.reply("a", "first")
    driver.wait(2)
    driver.reply("a", "second", "error")
    assert told(found.of("x").queued) == (2, 3)
    assert told(found.of("x").ran) == (2, 5)


def test_who_waits_for_a_dependency_does_not_queue(found: Durations) -> None:
    driver = Driver("a", durations=found)
    driver.submit("first")
    driver.submit("second", after=["first"], label="x")
    driver.wait(7)
    driver.reply("a", "first")
    assert told(found.of("x").queued) == (1, 0)


def test_each_attempt_counts_by_itself(found: Durations) -> None:
    driver = Driver("a", durations=found)
    driver.submit("t", retries=1)
    driver.wait(3)
    driver.reply("a", "t", "error")
    driver.wait(0.25)
    driver.wait(4)
    driver.reply("a", "t")
    assert told(found.of(None).queued) == (2, 0.25)
    assert told(found.of(None).ran) == (2, 7)


def test_what_an_engine_only_waited_with_did_not_run(found: Durations) -> None:
    driver = Driver("a", durations=found, hwm=2)
    driver.submit("first")
    driver.submit("second")
    driver.wait(3)
    driver.reply("a", "first")
    driver.wait(1)
    driver.reply("a", "second")
    assert told(found.of(None).ran) == (2, 4)


def test_refused_aborted_busy_and_dead_is_not_run(found: Durations) -> None:
    driver = Driver("a", durations=found, engine_grace=0)
    driver.submit("refused")
    driver.wait(1)
    driver.refuse("a", "refused")
    driver.submit("busy")
    driver.wait(0.5)
    driver.reply("a", "busy", "error", busy=100.0)
    driver.submit("aborted")
    driver.wait(0.1)
    driver.reply("a", "aborted", "aborted")
    driver.wait(5)
    driver.unregister("a")
    driver.wait(1)
    assert told(found.of(None).ran) == (0, 0)


def test_an_answer_out_of_turn_says_nothing_of_how_long_it_ran(found: Durations) -> None:
    driver = Driver("a", durations=found, hwm=2)
    driver.submit("first")
    driver.submit("second")
    driver.wait(3)
    driver.reply("a", "second")
    assert told(found.of(None).ran) == (0, 0)


def test_the_number_of_labels_is_bounded(found: Durations) -> None:
    driver = Driver("a", durations=found)
    with mock.patch.object(durations, "LABELS", 2):
        for label in ("x", "y", "z", OTHERS, "x", None):
            driver.submit(f"{label} {driver.now}", label=label)
            driver.wait(1)
            driver.reply("a", f"{label} {driver.now - 1}")
    counts = {label: told(each.ran)[0] for label, each in found.by_label.items()}
    assert counts == {"x": 2, "y": 1, OTHERS: 3}


def test_a_copy_stays_as_it_was(found: Durations) -> None:
    found.of("x").ran.add(1.0)
    copy = found.copy()
    found.of("x").ran.add(1.0)
    found.of("y").queued.add(1.0)
    assert list(copy.by_label) == ["x"]
    assert told(copy.of("x").ran) == (1, 1.0)
    assert told(copy.of("x").queued) == (0, 0.0)
