"""The progress bar, and how long it waits for answers."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

import pytest

from ipp_richsched.workflows.progress import watch


def answered() -> Future[None]:
    result: Future[None] = Future()
    result.set_result(None)
    return result


def test_it_ends_when_every_answer_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert watch({"first": answered(), "second": answered()}) == []
    assert "2/2" in capsys.readouterr().err


def test_it_waits_as_long_as_it_is_told() -> None:
    assert watch({"there": answered(), "lost": Future()}, timeout=0.3) == ["lost"]


def test_it_gives_up_when_none_has_come_for_a_while() -> None:
    results: dict[str, Future[None]] = {str(i): Future() for i in range(5)}
    begun = time.monotonic()

    def answer() -> None:
        # the pauses are shorter than what it bears, their sum is longer
        for i in range(4):
            time.sleep(0.3)
            results[str(i)].set_result(None)

    thread = threading.Thread(target=answer)
    thread.start()
    assert watch(results, quiet=1) == ["4"]
    assert time.monotonic() - begun > 2
    thread.join()


def test_results_may_be_added_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    results = {"first": answered()}

    def meanwhile() -> None:
        results.setdefault("second", answered())

    assert watch(results, total=2, meanwhile=meanwhile) == []
    assert "2/2" in capsys.readouterr().err
    # and count as missing where they have no answer
    results = {"first": answered()}
    assert watch(
        results, total=2, timeout=0.3, meanwhile=lambda: results.setdefault("lost", Future())
    ) == ["lost"]
