"""What the scheduler tells Prometheus: its status, and how long tasks queue and run.

The numbers are those of the answer to a `STATUS` request, and the names are by the conventions of
Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ..core.durations import BOUNDS, Durations, Histogram, LabelDurations
from ..core.tallies import KINDS

PREFIX = "ipp_richsched_"

ENGINE = ("engine", "uuid", "host")
"""What tells engines apart: the number is what people know, and the UUID is never used twice."""


class Metrics(Collector):
    """Makes the metrics of one moment; in any thread, if nobody changes what it is given.

    Parameters
    ----------
    status : mapping
        How things stand: see `Sights.status`.
    durations : Durations
        How long tasks queue and run.
    """

    def __init__(self, status: Mapping[str, Any], durations: Durations) -> None:
        self._status = status
        self._durations = durations

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        status = self._status
        yield from _of_tasks(status)
        yield from _of_engines(status["engines"])
        yield from _of_durations(self._durations)
        yield GaugeMetricFamily(
            f"{PREFIX}lag_seconds",
            "How long the longest turn of the loop took in the last minute",
            status["lag"],
        )
        yield GaugeMetricFamily(
            f"{PREFIX}memory_bytes",
            "Resident memory of the scheduler's process",
            status["memory"],
        )
        yield _gauge(
            "info",
            "1; the labels say what runs",
            ("version", "scheme"),
            {(status["version"], status["scheme"]): 1},
        )


def _of_tasks(status: Mapping[str, Any]) -> Iterator[Metric]:
    unfinished = {state: status[state] for state in ("waiting", "ready", "assigned")}
    # From 0 on, since nobody sees the increase of a series that begins with the first failure.
    failed: Mapping[str, int] = {**dict.fromkeys(KINDS, 0), **status["failed"]}
    yield _gauge(
        "tasks_unfinished",  # OpenMetrics gives the name `tasks` to the counter `tasks_total`
        "Tasks that have not finished, by state",
        ("state",),
        {(state,): number for state, number in unfinished.items()},
    )
    yield GaugeMetricFamily(
        f"{PREFIX}tasks_stranded",
        "Tasks that no registered engine takes",
        status["stranded"],
    )
    yield CounterMetricFamily(
        f"{PREFIX}tasks_submitted",
        "Tasks that were submitted",
        sum(unfinished.values()) + status["succeeded"] + sum(failed.values()),
    )
    yield _counter(
        "tasks",
        "Tasks that have finished: how, and why those failed that did",
        ("outcome", "reason"),
        {
            ("succeeded", ""): status["succeeded"],
            **{("failed", reason): number for reason, number in failed.items()},
        },
    )
    yield _counter(
        "failure_causes",
        "Tasks that failed, by the name of the error with which it began",
        ("cause",),
        {(cause,): number for cause, number in status["causes"].items()},
    )


def _of_engines(engines: list[Mapping[str, Any]]) -> Iterator[Metric]:
    states = dict.fromkeys(("available", "paused", "unreachable"), 0)
    for engine in engines:
        states[_state(engine)] += 1
    yield _gauge(
        "engines",
        "Registered engines, by whether they may get tasks",
        ("state",),
        {(state,): number for state, number in states.items()},
    )
    named = [
        (("" if one["id"] is None else f"{one['id']}", one["uuid"], one["host"] or ""), one)
        for one in engines
    ]
    yield _gauge(
        "engine_load",
        "Tasks that an engine holds",
        ENGINE,
        {names: engine["load"] for names, engine in named},
    )
    yield _counter(
        "engine_attempts",
        "Attempts that ended on an engine since it registered",
        (*ENGINE, "outcome"),
        {
            (*names, outcome): engine[field]
            for names, engine in named
            for outcome, field in (("succeeded", "done"), ("failed", "failed"))
        },
    )


def _state(engine: Mapping[str, Any]) -> str:
    if engine["unreachable"] is not None:
        return "unreachable"
    return "paused" if engine["paused"] else "available"


def _of_durations(durations: Durations) -> Iterator[Metric]:
    queued = HistogramMetricFamily(
        f"{PREFIX}queue_seconds",
        "How long tasks were ready, or back from an engine, until they were assigned",
        labels=("label",),
    )
    ran = HistogramMetricFamily(
        f"{PREFIX}run_seconds",
        "How long engines worked on tasks until they answered",
        labels=("label",),
    )
    by_label: dict[str, list[LabelDurations]] = {}
    for label, found in durations.by_label.items():
        by_label.setdefault(sendable(label or ""), []).append(found)
    for text, alike in by_label.items():
        for family, histograms in (
            (queued, [each.queued for each in alike]),
            (ran, [each.ran for each in alike]),
        ):
            buckets = _buckets(histograms)
            if buckets[-1][1]:
                family.add_metric((text,), buckets, sum(each.total for each in histograms))
    yield queued
    yield ran


def _buckets(histograms: list[Histogram]) -> list[tuple[str, float]]:
    """The buckets as Prometheus has them: each counts all that are not above its bound."""
    found, number = [], 0
    counts = zip(*(each.counts for each in histograms), strict=True)
    for bound, count in zip((*BOUNDS, float("inf")), counts, strict=True):
        number += sum(count)
        found.append((floatToGoString(bound), float(number)))
    return found


def _gauge(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    return _filled(GaugeMetricFamily(PREFIX + name, text, labels=labels), values)


def _counter(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    return _filled(CounterMetricFamily(PREFIX + name, text, labels=labels), values)


def _filled(family: Any, values: Mapping[tuple[str, ...], float]) -> Metric:
    summed: dict[tuple[str, ...], float] = {}
    for labels, value in values.items():
        texts = tuple(map(sendable, labels))
        summed[texts] = summed.get(texts, 0) + value
    for texts, value in summed.items():
        family.add_metric(texts, value)
    found: Metric = family
    return found


def sendable(text: str) -> str:
    """A text that can be sent: JSON may have brought half a character.

    Two that differ may become the same.  Prometheus refuses a scrape that has a series twice, so
    who uses this sums them.
    """
    return text.encode("utf8", "backslashreplace").decode("utf8")
