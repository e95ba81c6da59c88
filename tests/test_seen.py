"""Real workflows in which an engine is killed and a task is in no engine's reach.

What status, why, the pictures, the event log, the report and the dashboard say of them is compared
with what the client knows: its results, and which engine was killed when.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import matplotlib.pyplot as plt
import pytest

import ipp_richsched
from ipp_richsched.client.holdups import Level, holdups
from ipp_richsched.client.status import Status
from ipp_richsched.client.why import Story
from ipp_richsched.monitor.explain import explain
from ipp_richsched.monitor.log_run import run_of_log
from ipp_richsched.monitor.replay import replay
from ipp_richsched.monitor.report.account import account_of
from ipp_richsched.monitor.report.failures import failures_of
from ipp_richsched.monitor.report.tables import engine_rows
from ipp_richsched.monitor.report.verdict import headline, verdict
from ipp_richsched.workflows.attempts import error_name
from ipp_richsched.workflows.gather import run_of
from ipp_richsched.workflows.runs import Run
from ipp_richsched.workflows.steps import Step, scaled
from ipp_richsched.workflows.wfformat import load

from .browser import Browser, browser  # noqa: F401
from .processes import PATIENCE, Processes, wait_for
from .real_cluster import Cluster
from .wfinstances import DIRECTORY, needs_instances

pytestmark = [pytest.mark.cluster, needs_instances, pytest.mark.slow(20)]

ENGINES, KILLED = 4, 1
SECONDS = 3.0
"""What a workflow takes at least."""

NOBODYS, HEIR = "nobody's", "heir"
"""The task that no engine may take, and one that waits for it."""


@ipp.interactive
def refuse() -> bool:
    return False


@ipp.interactive
def work(seconds: float, path: str) -> None:
    """Run; the engine that is to be killed says which task it has."""
    import os
    import time
    from pathlib import Path

    if (Path(path) / f"wanted.{os.getpid()}").exists():
        Path(path, "ready").touch()
        time.sleep(600)
    time.sleep(seconds)


class Night:
    """A run, while a task is stranded and afterwards."""

    def __init__(self, cluster: Cluster, client: ipp.Client, log: Path) -> None:
        self.cluster = cluster
        self.client = client
        self.log = log
        self.results: dict[str, ipp.AsyncResult] = {}
        self.lost = ""

    def submit(self, steps: list[Step], directory: Path) -> None:
        view = ipp_richsched.view(self.client, retries=1)
        for step in steps:
            before = [self.results[parent] for parent in step.parents]
            with view.temp_flags(after=before, label=step.name.partition("_ID")[0]):
                self.results[step.name] = view.apply_async(work, step.seconds, str(directory))
        with view.temp_flags(label=NOBODYS):
            self.results[NOBODYS] = view.apply_async(ipp.depend(refuse)(work), 0, "")
        with view.temp_flags(label=HEIR, after=[self.results[NOBODYS]]):
            self.results[HEIR] = view.apply_async(work, 0, "")

    def kill_an_engine(self, directory: Path) -> None:
        """Kill one while it has a task, which is run again elsewhere."""
        pid = self.client[KILLED].apply_async(os.getpid).get(PATIENCE)
        (directory / f"wanted.{pid}").touch()
        wait_for((directory / "ready").exists, "a task on the engine that is to be killed")
        [engine] = [e for e in ipp_richsched.status(self.client).engines if e.id == KILLED]
        [self.lost] = [name for name, r in self.results.items() if r.msg_ids == [engine.task]]
        os.kill(pid, signal.SIGKILL)

    def stranded_status(self) -> Status | None:
        """How things stand, if a task is stranded, and no engine is being asked about it."""
        status = ipp_richsched.status(self.client)
        return status if status.stranded and status.ready else None

    def result(self, name: str) -> ipp.AsyncResult:
        return self.results[name]

    def id(self, name: str) -> str:
        [msg_id] = self.results[name].msg_ids
        return msg_id

    @property
    def names(self) -> dict[str, str]:
        return {self.id(name): name for name in self.results}

    @property
    def ran(self) -> dict[str, ipp.AsyncResult]:
        """Those that have succeeded, as the client knows."""
        return {name: result for name, result in self.results.items() if result.successful()}


class Seen:
    """What was said while the task was stranded, and what in the end."""

    status: Status
    story: Story
    end: Status
    run: Run


@pytest.fixture(scope="module", params=["1000genome", "montage"])
def night(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Night, Seen]]:
    [path] = DIRECTORY.glob(f"{request.param}-*.json")
    directory = tmp_path_factory.mktemp(request.param)
    log = directory / "night.jsonl"
    with Processes(directory) as processes:
        cluster = Cluster(processes)
        cluster.start_controller(
            f"--RichTaskScheduler.event_log={log}",
            "--RichTaskScheduler.engine_grace=0.5",
            "--RichTaskScheduler.stranded_timeout=15",
        )
        for _ in range(ENGINES):
            cluster.start_engine()
        with cluster.connect() as client:
            client.wait_for_engines(ENGINES, timeout=PATIENCE)
            night, seen = Night(cluster, client, log), Seen()
            night.submit(scaled(load(path), ENGINES, SECONDS), directory)
            night.kill_an_engine(directory)
            others = [r for name, r in night.results.items() if name not in (NOBODYS, HEIR)]
            wait_for(lambda: all(result.done() for result in others), "the workflow")
            seen.status = wait_for(night.stranded_status, "a task that is stranded")
            seen.story = ipp_richsched.why(client, night.result(HEIR))
            client.wait(timeout=PATIENCE)
            seen.end = ipp_richsched.status(client)
            seen.run = run_of(night.results)
            assert cluster.validate() == 0
            yield night, seen


def test_the_client_knows_how_it_ended(night: tuple[Night, Seen]) -> None:
    """What everything else is compared with."""
    run, _ = night
    failed = {
        name: error_name(result.exception())
        for name, result in run.results.items()
        if not result.successful()
    }
    assert failed == {NOBODYS: "ImpossibleDependency", HEIR: "ImpossibleDependency"}
    assert run.result(run.lost).metadata["engine_id"] != KILLED


def test_status_says_what_holds_the_run_up(night: tuple[Night, Seen]) -> None:
    run, seen = night
    status = seen.status
    reasons = {run.names[task.msg_id]: task for task in status.oldest}
    assert reasons.keys() == {NOBODYS, HEIR}
    assert reasons[NOBODYS].kind == "stranded"
    assert {*reasons[NOBODYS].details["refused"]["names"]}
    assert reasons[HEIR].kind == "dependencies"
    assert reasons[HEIR].details["pending"][0]["msg_ids"] == [run.id(NOBODYS)]
    assert (status.waiting, status.ready, status.assigned, status.stranded) == (1, 1, 0, 1)
    assert "1 ready, 0 on 3 engines, 1 of these stranded" in f"{status}"
    assert {engine.id for engine in status.engines} == {*range(ENGINES)} - {KILLED}
    first, *_ = holdups(status)
    assert first.level is Level.STUCK
    assert NOBODYS in first.text


def test_why_goes_down_to_the_first_cause(night: tuple[Night, Seen]) -> None:
    run, seen = night
    [cause] = seen.story.chain
    assert (cause.msg_id, cause.kind) == (run.id(NOBODYS), "stranded")
    assert "is stranded, no engine takes it" in f"{seen.story}"


def test_the_counters_are_those_of_the_client(night: tuple[Night, Seen]) -> None:
    run, seen = night
    end = seen.end
    assert end.succeeded == len(run.ran)
    assert sum(end.failed.values()) == len(run.results) - len(run.ran) == 2
    assert end.causes == {"ImpossibleDependency": 2}
    done = Counter(result.metadata["engine_id"] for result in run.ran.values())
    assert {e.id: e.done for e in end.engines} == {
        number: done[number] for number in range(ENGINES) if number != KILLED
    }
    succeeded: Counter[str | None] = Counter()
    for part in end.queue:
        succeeded[part.label] += part.succeeded
    labels = Counter(name.partition("_ID")[0] for name in run.ran)
    assert {label: succeeded[label] for label in labels} == labels


def test_each_story_has_the_engines_that_the_client_knows(night: tuple[Night, Seen]) -> None:
    run, _ = night
    stories = ipp_richsched.why(run.client, run.results.values())
    for story in stories:
        name = run.names[story.msg_id]
        tried = [attempt.id for attempt in story.attempts if attempt.outcome != "refused"]
        if name in (NOBODYS, HEIR):
            assert tried == []
            continue
        assert tried[-1] == run.result(name).metadata["engine_id"]
        assert tried[:-1] == [KILLED] * (name == run.lost)
    [lost] = [story for story in stories if story.msg_id == run.id(run.lost)]
    assert lost.attempts[0].kind == "engine_died"


def test_the_pictures_show_what_the_client_knows(night: tuple[Night, Seen]) -> None:
    run, seen = night
    tasks = {run.names[msg_id]: task for msg_id, task in seen.run.tasks.items()}
    for name, result in run.ran.items():
        times = result.metadata
        last = tasks[name].stretches[-1]
        assert last.end_state == "succeeded"
        assert last.engine == f"engine {times['engine_id']}"
        assert last.start == times["started"].timestamp()
        assert last.end == times["completed"].timestamp()
    died = [(n, s.engine) for n, t in tasks.items() for s in t.stretches if s.end_state == "died"]
    assert died == [(run.lost, f"engine {KILLED}")]
    assert {n for n, task in tasks.items() if task.state == "never ran"} == {HEIR}
    assert tasks[NOBODYS].state == "failed"
    for draw in (ipp_richsched.plot_timeline, ipp_richsched.plot_dag):
        plt.close(draw(run.results))


def test_the_event_log_tells_the_same(night: tuple[Night, Seen]) -> None:
    run, _ = night

    def told() -> list[tuple[str, str]]:
        heir = explain(run.log, run.id(HEIR))
        return [(run.names[task.msg_id], task.state) for task in heir.tasks]

    # what happens is written twice a second
    wait_for(lambda: told() == [(HEIR, "failed"), (NOBODYS, "failed")], "the end in the log")
    lost: Any = explain(run.log, run.id(run.lost)).tasks[0]
    assert lost.state == "succeeded"
    texts = [each.text for each in lost.happenings]
    assert any("died" in text for text in texts), "\n".join(texts)
    assert f"engine {run.result(run.lost).metadata['engine_id']}" in texts[-1]
    [replayed] = replay(run.log)
    assert replayed.is_same, f"{replayed}"


@pytest.mark.parametrize("source", ["results", "log"])
def test_the_report_says_what_the_client_knows(
    night: tuple[Night, Seen], source: str, tmp_path: Path
) -> None:
    run, seen = night
    page = ipp_richsched.report(tmp_path / "run.html", run.log if source == "log" else run.results)
    found = run_of_log(run.log).run if source == "log" else seen.run
    tasks = {run.names[msg_id]: task for msg_id, task in found.tasks.items()}
    assert {name for name, task in tasks.items() if task.state == "succeeded"} == {*run.ran}
    for name, result in run.ran.items():
        last = tasks[name].stretches[-1]
        assert last.engine == f"engine {result.metadata['engine_id']}"
        # on the log's clock, from when it was sent until its answer came
        assert last.start <= result.metadata["started"].timestamp() + 0.01
        assert last.end >= result.metadata["completed"].timestamp() - 0.01
    account, failures = account_of(found), failures_of(found)
    [group] = failures
    assert [run.names[msg_id] for msg_id in (*group.began, *group.entailed)] == [NOBODYS, HEIR]
    done = Counter(f"engine {result.metadata['engine_id']}" for result in run.ran.values())
    rows = engine_rows(found, account)
    assert {row.name: row.succeeded for row in rows} == {row.name: done[row.name] for row in rows}
    assert [(row.name, row.failed) for row in rows if row.fate == "died"] == [
        (f"engine {KILLED}", 1)
    ]
    told = [headline(found), *(each.text for each in verdict(found, account, failures))]
    assert f"{len(run.ran):,} succeeded, 2 failed (1 of them never ran)" in told[0]
    assert "1 task failed with ImpossibleDependency" in told[1]
    assert "Because of that 1 other never ran." in told[1]
    assert any(text.startswith(f"Engine {KILLED} died after") for text in told)
    assert all(escape(text) in page.read_text("utf-8") for text in told)


def test_the_dashboard_shows_what_the_client_knows(
    night: tuple[Night, Seen],
    browser: Browser,  # noqa: F811
) -> None:
    run, _ = night
    stories = ipp_richsched.why(run.client, run.results.values())
    attempts = [attempt for story in stories for attempt in story.attempts]
    board = ipp_richsched.dashboard(run.client)
    try:
        browser.open(board.url)
        wait_for(lambda: len(browser.column("recent", "task")) == len(attempts), "all attempts")
        states = Counter(f"{name.partition('_ID')[0]}: succeeded" for name in run.ran)
        states += Counter([f"{NOBODYS}: failed", f"{HEIR}: never ran"])
        dots = Counter(text.partition(",")[0] for text in browser.column("nodes", "text"))
        assert dots == states
        died = [text for text in browser.column("recent", "text") if "died" in text]
        assert len(died) == 1
        assert run.lost.partition("_ID")[0] in died[0]
        assert f"engine {KILLED}" in died[0]
        assert (
            "2 tasks have failed. It began with ImpossibleDependency (2 tasks), e.g. task "
            in browser.text("#verdict")
        )
        for name, number in (("succeeded", len(run.ran)), ("failed", 2), ("waiting", 0)):
            assert browser.text(f"[data-count={name}]") == f"{number}"
        assert NOBODYS in browser.text("#failures")
    finally:
        board.close()
