"""Metrics for Prometheus: what a scraper reads, and what it cannot do to the scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from traitlets import TraitError
from traitlets.config import Config

import ipp_richsched
from ipp_richsched import RichTaskScheduler
from ipp_richsched.core.durations import BOUNDS
from ipp_richsched.scheduler import metrics_server
from ipp_richsched.scheduler.metrics import Metrics
from ipp_richsched.scheduler.metrics_server import MetricsServer, text_of

from .lists import ListCluster
from .processes import PATIENCE, ROOT, Processes, wait_for
from .real_cluster import Cluster

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(text: str) -> Samples:
    """The values in a text, by name and labels; each of them is there once."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name.removeprefix("ipp_richsched_"), frozenset(sample.labels.items())
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


class Read:
    """What a scraper has read.

    Parameters
    ----------
    text : str
        The text.
    """

    def __init__(self, text: str) -> None:
        self.samples = samples_of(text)

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples[name, frozenset(labels.items())]

    def sum(self, name: str, **labels: str) -> float:
        """The sum over all that have these labels, and others."""
        return sum(self.by(name, **labels).values())

    def by(self, name: str, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
        """The values of a name of all that have these labels, by all their labels."""
        wanted = labels.items()
        return {
            having: value
            for (one, having), value in self.samples.items()
            if one == name and wanted <= set(having)
        }

    def labels(self, name: str, label: str) -> set[str]:
        """All values that a label of a metric has."""
        return {dict(having)[label] for one, having in self.samples if one == name}


def metered(**settings: Any) -> ListCluster:
    cluster = ListCluster(RichTaskScheduler={"metrics_port": 0, **settings})
    cluster.register(b"e1")
    cluster.run()
    return cluster


def collector_of(cluster: ListCluster) -> Metrics:
    durations = cluster.scheduler._core.state.durations
    assert durations is not None
    return Metrics(cluster.scheduler._sights.status(b"", 0), durations.copy())


def read(cluster: ListCluster) -> Read:
    return Read(text_of(collector_of(cluster), "")[0].decode())


def work(cluster: ListCluster, seconds: float = 0.0, status: str = "ok") -> None:
    """Have the engine answer what it has, after so many seconds."""
    cluster.run()
    tasks = cluster.engines.take()
    cluster.now += seconds
    for task in tasks:
        cluster.reply(task, status)
    cluster.run()


# -- what is told --------------------------------------------------------------------------


def test_a_metric_says_what_a_status_says() -> None:
    cluster = metered()
    for _ in range(3):
        cluster.submit()
    work(cluster)
    work(cluster, status="error")
    cluster.submit(after=["nobody"])
    cluster.submit(targets=["e2"])
    cluster.run()
    found = read(cluster)
    assert found("tasks_unfinished", state="ready") == 1
    assert found("tasks_unfinished", state="assigned") == 1
    assert found("tasks_unfinished", state="waiting") == 0
    assert found("tasks_stranded") == 1
    assert found("tasks_submitted_total") == 5
    assert found("tasks_total", outcome="succeeded", reason="") == 1
    assert found("tasks_total", outcome="failed", reason="raised") == 1
    assert found("tasks_total", outcome="failed", reason="invalid_dependency") == 1
    assert found("failure_causes_total", cause="E") == 1
    assert found("failure_causes_total", cause="InvalidDependency") == 1
    assert found("engines", state="available") == 1
    engine = {"engine": "0", "uuid": "e1", "host": ""}
    assert found("engine_load", **engine) == 1
    assert found("engine_attempts_total", **engine, outcome="succeeded") == 1
    assert found("engine_attempts_total", **engine, outcome="failed") == 1
    assert found("info", version=ipp_richsched.__version__, scheme="leastload") == 1
    assert found("memory_bytes") > 1e6


def test_failures_are_told_before_there_is_one() -> None:
    """Otherwise nobody sees that the first one came: there is nothing that it is more than."""
    found = read(metered())
    for reason in ("raised", "aborted", "engine_died", "timed_out", "run_timed_out", "stranded"):
        assert found("tasks_total", outcome="failed", reason=reason) == 0


def test_histograms_are_told_by_label() -> None:
    cluster = metered()
    for _ in range(2):
        cluster.submit(label="fit")
    work(cluster, 4)
    work(cluster, 10)
    found = read(cluster)
    assert found("queue_seconds_count", label="fit") == 2
    assert found("queue_seconds_sum", label="fit") == 4
    assert found("queue_seconds_bucket", label="fit", le="0.001") == 1
    assert found("queue_seconds_bucket", label="fit", le="5.0") == 2
    assert found("run_seconds_sum", label="fit") == 14
    assert found("run_seconds_bucket", label="fit", le="1.0") == 0
    assert found("run_seconds_bucket", label="fit", le="5.0") == 1
    assert found("run_seconds_bucket", label="fit", le="15.0") == 2
    assert found("run_seconds_bucket", label="fit", le="+Inf") == 2
    assert len(found.by("run_seconds_bucket", label="fit")) == len(BOUNDS) + 1


ODD = [
    'a "quoted" one',
    "back\\slash",
    "back\\nslash n",
    "new\nline",
    "carriage\rreturn",
    "line\u2028separator",
    "{}=,",
    "snow \u2603 and \U0001f600",
    "\u202eright to left",
    "nul\x00",
]


def test_labels_come_as_they_are() -> None:
    cluster = metered()
    for label in ODD:
        cluster.submit(label=label)
        work(cluster)
    cluster.submit()
    work(cluster)
    assert read(cluster).labels("run_seconds_sum", "label") == {*ODD, ""}


def half_characters() -> Metrics:
    """Labels and causes that differ, and are the same when they can be sent."""
    found = collector_of(metered())
    for label, seconds in (("\ud800", 1), ("\\ud800", 10), ("", 2), (None, 20)):
        durations = found._durations.of(label)
        durations.queued.add(seconds)
        durations.ran.add(seconds)
    causes = {"\ud800": 2, "\\ud800": 3, "E": 1}
    return Metrics({**found._status, "causes": causes}, found._durations)


def test_labels_that_become_the_same_are_summed() -> None:
    found = Read(text_of(half_characters(), "")[0].decode())
    assert found("failure_causes_total", cause="\\ud800") == 5
    assert found("run_seconds_count", label="\\ud800") == 2
    assert found("run_seconds_sum", label="\\ud800") == 11
    assert found("run_seconds_bucket", label="\\ud800", le="1.0") == 1
    assert found("run_seconds_bucket", label="\\ud800", le="+Inf") == 2
    assert found("queue_seconds_count", label="\\ud800") == 2
    assert found("run_seconds_sum", label="") == 22


@pytest.mark.parametrize("kind", ["", "application/openmetrics-text; version=1.0.0"])
def test_odd_labels_are_read_by_each_parser(kind: str) -> None:
    cluster = metered()
    for label in ODD:
        cluster.submit(label=label)
        work(cluster)
    collector = collector_of(cluster)
    collector._durations.of("\ud800").ran.add(1)  # JSON may have brought it
    text = text_of(collector, kind)[0].decode()
    parse = open_metrics_families if kind else text_string_to_metric_families
    [ran] = [family for family in parse(text) if family.name == "ipp_richsched_run_seconds"]
    labels = [each.labels["label"] for each in ran.samples if each.name.endswith("_sum")]
    assert sorted(labels) == sorted([*ODD, "\\ud800"])


def test_open_metrics_are_to_be_had() -> None:
    cluster = metered()
    cluster.submit(label='"\n')
    work(cluster)
    text, kind = text_of(collector_of(cluster), "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    names = {family.name for family in open_metrics_families(text.decode())}
    assert {"ipp_richsched_tasks_submitted", "ipp_richsched_run_seconds"} <= names


def test_nothing_is_measured_where_nobody_asked_for_it() -> None:
    assert ListCluster().scheduler._core.state.durations is None


# -- what is written of it -----------------------------------------------------------------


def names_of(cluster: ListCluster) -> dict[str, set[str]]:
    """The labels of each metric, by its name as the table has it."""
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text_of(collector_of(cluster), "")[0].decode()):
        name = family.name.removeprefix("ipp_richsched_")
        name += "_total" if family.type == "counter" else ""
        labels = {label for sample in family.samples for label in sample.labels}
        names[name] = labels - {"le"}
    return names


@pytest.fixture(scope="module")
def all_names() -> dict[str, set[str]]:
    cluster = metered()
    cluster.submit()
    work(cluster, status="error")
    return names_of(cluster)


def test_the_table_of_names_is_complete(all_names: dict[str, set[str]]) -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE)
    told = {name: set(re.findall(r"(?:^|, |; )`(\w+)`(?=:|,|$| of)", cell)) for name, cell in rows}
    assert told.keys() == all_names.keys()
    for name, labels in all_names.items():
        assert labels <= told[name], f"{name} has {labels}"


def test_the_dashboard_shows_what_there_is(all_names: dict[str, set[str]]) -> None:
    board = json.loads((ROOT / "docs" / "grafana.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    expressions += [variable["definition"] for variable in board["templating"]["list"]]
    shown = set()
    for expression in expressions:
        [name] = re.findall(r"ipp_richsched_(\w+)", expression)
        shown.add(re.sub("(seconds)_(bucket|sum|count)$", r"\1", name))
        used = set(re.findall(r"(\w+)=~?\"", expression))
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            used |= set(labels.split(", "))
        labels = all_names[re.sub("(seconds)_(bucket|sum|count)$", r"\1", name)]
        assert used <= labels | {"instance", "le"}, expression
    assert shown == all_names.keys()
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in board["panels"]}) == len(places)


# -- settings ------------------------------------------------------------------------------


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def refused(**settings: Any) -> str:
    """Why these settings are refused."""
    with pytest.raises(TraitError) as error:
        RichTaskScheduler(config=Config({"RichTaskScheduler": settings}))
    return str(error.value)


def test_a_port_that_is_taken_is_refused(taken: int) -> None:
    text = refused(metrics_port=taken)
    assert text.startswith(f"RichTaskScheduler.metrics_port: {taken} cannot be had on 127.0.0.1: ")
    assert "in use" in text


@pytest.mark.parametrize("ip", ["192.0.2.1", "no.such.name.invalid", "", "a..b", "x" * 70, "\x00"])
def test_an_address_that_is_not_of_this_host_is_refused(ip: str) -> None:
    assert refused(metrics_port=0, metrics_ip=ip).startswith("RichTaskScheduler.metrics_ip: ")


@pytest.mark.parametrize("port", [-1, 65536, "x", 1.5])
def test_a_port_that_is_none_is_refused(port: object) -> None:
    assert "metrics_port" in refused(metrics_port=port)


def test_an_address_without_a_port_is_not_looked_at() -> None:
    RichTaskScheduler(config=Config({"RichTaskScheduler": {"metrics_ip": "192.0.2.1"}}))


def controller(*options: str, without: str = "nothing") -> subprocess.CompletedProcess[str]:
    """Start a controller that is to refuse, in a Python that lacks a module."""
    code = (
        f"import sys; sys.modules[{without!r}] = None\n"
        "from ipp_richsched.controller.app import main; main(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.cluster
def test_a_controller_does_not_start_with_a_port_that_is_taken(
    taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    run = controller(f"--RichTaskScheduler.metrics_port={taken}")
    assert run.returncode == 1
    assert f"RichTaskScheduler.metrics_port: {taken} cannot be had" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.cluster
def test_without_the_extra_a_controller_says_which_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    run = controller("--RichTaskScheduler.metrics_port=0", without="prometheus_client")
    assert run.returncode == 1
    assert "pip install 'ipp-richsched[metrics]'" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


# -- who asks ------------------------------------------------------------------------------


class Big(Collector):
    """So much text that no socket takes it at once."""

    def collect(self) -> Any:
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily("big", "big", labels=("x",))
        for number in range(50):
            family.add_metric(("x" * 400_000 + f"{number}",), 1)
        yield family


def served(
    take: Callable[[], Collector], talk: Callable[[int], Awaitable[None]], warned: list[str]
) -> None:
    """Serve metrics in a loop while a scraper talks to the port."""

    async def serve() -> None:
        server = MetricsServer(take, IOLoop.current(), warned.append)
        [listening] = bind_sockets(0, "127.0.0.1")
        server.add_sockets([listening])
        await asyncio.wait_for(talk(listening.getsockname()[1]), 60)
        server.stop()

    asyncio.run(serve())


async def ask(port: int, request: str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    """All that comes until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    with contextlib.suppress(ConnectionError):
        answer = await reader.read()
        writer.close()
        return answer
    return b""


def test_who_asks_for_something_else_is_told() -> None:
    cluster = metered()

    async def talk(port: int) -> None:
        assert b" 404 " in await ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 405 " in await ask(port, "DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = (await ask(port, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).partition(
            b"\r\n\r\n"
        )
        assert b" 200 " in head
        assert not body
        assert b"HTTP/1.1 200" not in await ask(port, "nonsense\r\n\r\n")
        assert b" 200 " not in await ask(port, "GET /metrics HTTP/1.1\r\nX: " + "x" * 99_999)
        assert b" 200 " in await ask(port)

    served(lambda: collector_of(cluster), talk, [])


def test_an_error_in_the_making_is_said_and_the_next_is_answered() -> None:
    cluster = metered()
    planted: list[Exception] = [ZeroDivisionError("planted")]

    def take() -> Collector:
        if planted:
            raise planted.pop()
        return collector_of(cluster)

    warned: list[str] = []

    async def talk(port: int) -> None:
        assert b" 500 " in await ask(port)
        assert b" 200 " in await ask(port)

    served(take, talk, warned)
    assert warned == ["the metrics cannot be made: ZeroDivisionError: planted"]


KINDS = [
    "*/*",
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
    "application/openmetrics-text; version=1.0.1",
    "application/openmetrics-text; version=nonsense",
    "text/plain; version=nonsense",
    "text/plain; version=1.0.0; escaping=allow-utf-8",
]


def asking(kind: str) -> str:
    return f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {kind}\r\n\r\n"


def test_who_asks_all_the_time_does_not_load_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "GOOD_FOR", 600.0)
    cluster = metered()
    taken, made = [], []

    def take() -> Collector:
        taken.append(collector_of(cluster))
        return taken[-1]

    def text(collector: Collector, kind: str) -> tuple[bytes, str]:
        made.append(kind)
        return text_of(collector, kind)

    monkeypatch.setattr(metrics_server, "text_of", text)

    async def talk(port: int) -> None:
        for _ in range(5):
            for kind in KINDS:
                assert b" 200 " in await ask(port, asking(kind))

    served(take, talk, [])
    assert len(taken) == 1
    assert len(made) == 2  # one for each type


def test_what_is_told_is_not_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "GOOD_FOR", 0.05)
    cluster = metered()

    async def talk(port: int) -> None:
        assert b"tasks_submitted_total 0.0" in await ask(port)
        cluster.submit()
        cluster.run()
        while b"tasks_submitted_total 1.0" not in await ask(port):
            pass

    served(lambda: collector_of(cluster), talk, [])


def test_numbers_are_not_taken_while_a_text_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise texts that take longer than they are good for would pile up."""
    monkeypatch.setattr(metrics_server, "GOOD_FOR", 0.0)
    cluster, go = metered(), threading.Event()
    taken = []

    def take() -> Collector:
        taken.append(collector_of(cluster))
        return taken[-1]

    def text(collector: Collector, kind: str) -> tuple[bytes, str]:
        assert go.wait(PATIENCE)
        return text_of(collector, kind)

    monkeypatch.setattr(metrics_server, "text_of", text)

    async def talk(port: int) -> None:
        answers = [asyncio.create_task(ask(port)) for _ in range(5)]
        assert b" 404 " in await ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # after them
        go.set()
        for answer in answers:
            assert b" 200 " in await answer

    served(take, talk, [])
    assert len(taken) == 1


@pytest.mark.parametrize("asks", [True, False])
def test_scrapers_that_hang_hold_nobody_up_and_are_bounded(
    asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "PATIENCE", 2.0)
    monkeypatch.setattr(metrics_server, "CONNECTIONS", 3)

    async def talk(port: int) -> None:
        hanging = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            if asks:  # and takes nothing
                writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            hanging.append((reader, writer))
        while await ask(port):  # one too many: it is turned away
            await asyncio.sleep(0.01)
        while not await ask(port):  # the others were given up
            await asyncio.sleep(0.05)
        for _, writer in hanging:
            writer.transport.abort()

    served(Big, talk, [])


def test_who_goes_in_the_middle_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(port: int) -> None:
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await writer.drain()
            writer.transport.abort()
        assert b" 200 " in await ask(port)

    warned: list[str] = []
    served(Big, talk, warned)
    assert not warned
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# -- a real cluster ------------------------------------------------------------------------


def scrape(url: str) -> Read:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return Read(answer.read().decode())


def url_in(log: str) -> str:
    """The address that a controller has logged."""
    [line] = [line for line in log.splitlines() if "metrics are at " in line]
    return line.partition("metrics are at ")[2]


@pytest.mark.cluster
def test_a_real_cluster_tells_prometheus_what_it_tells_its_clients(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        cluster = Cluster(processes)
        cluster.start_controller("--RichTaskScheduler.metrics_port=0")
        for _ in range(2):
            cluster.start_engine()
        with cluster.connect() as rc:
            rc.wait_for_engines(2, timeout=PATIENCE)
            run_some(rc)
            status = ipp_richsched.status(rc)
            url = url_in(cluster.controller.log)
            assert url.startswith("http://127.0.0.1:")
            found = scrape(url)
            compare(found, status)
            with pytest.raises(urllib.error.HTTPError, match="404"):
                scrape(url.removesuffix("/metrics"))
        assert cluster.validate() == 0
        assert "internal error" not in cluster.controller.log


def run_some(rc: ipp.Client) -> None:
    view = ipp_richsched.view(rc, label='a "label"\n')
    good = [view.apply_async(pow, 2, number) for number in range(20)]
    bad = view.apply_async(eval, "1/0")
    with view.temp_flags(after=[bad], label="last"):
        last = view.apply_async(abs, 1)
    rc.wait([*good, bad, last], timeout=PATIENCE)
    wait_for(lambda: ipp_richsched.status(rc).assigned == 0, "the end of all tasks")


def compare(found: Read, status: ipp_richsched.client.status.Status) -> None:
    """A scrape and a status of the same moment."""
    for state in ("waiting", "ready", "assigned"):
        assert found("tasks_unfinished", state=state) == getattr(status, state)
    assert found("tasks_stranded") == status.stranded
    assert found("tasks_total", outcome="succeeded", reason="") == status.succeeded
    failed = found.by("tasks_total", outcome="failed")
    reasons = {dict(having)["reason"]: value for having, value in failed.items() if value}
    assert reasons == status.failed
    causes = found.by("failure_causes_total")
    assert {dict(having)["cause"]: value for having, value in causes.items()} == status.causes
    assert found.sum("engines") == len(status.engines) == 2
    for engine in status.engines:
        labels: Mapping[str, str] = {
            "engine": str(engine.id),
            "uuid": engine.uuid,
            "host": engine.host or "",
        }
        assert found("engine_load", **labels) == engine.load
        assert found("engine_attempts_total", **labels, outcome="succeeded") == engine.done
        assert found("engine_attempts_total", **labels, outcome="failed") == engine.failed
    assert found("info", version=status.version, scheme=status.scheme) == 1
    assert 0.5 < found("memory_bytes") / status.memory < 2
    assert found("lag_seconds") > 0
    assert found.labels("run_seconds_count", "label") == {'a "label"\n'}  # the last one never ran
    assert found("run_seconds_count", label='a "label"\n') == status.succeeded + 1
