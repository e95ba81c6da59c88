"""`ipp_richsched.status`, `why` and the command, on a real cluster; and what they print."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest import mock

import ipyparallel as ipp
import pytest

import ipp_richsched
from ipp_richsched.cli import main
from ipp_richsched.client import asking, why
from ipp_richsched.client.happenings import happenings
from ipp_richsched.client.holdups import Level, holdups
from ipp_richsched.client.status import (
    EngineStatus,
    Example,
    QueuePart,
    Rates,
    Status,
    WaitingTask,
)
from ipp_richsched.client.status_parts import DeadEngine
from ipp_richsched.client.status_text import ENGINES

from . import validating
from .chaos_load import hold
from .processes import PATIENCE, Processes, script, wait_for
from .real_cluster import Cluster


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, ipp.Client]]:
    """A cluster of one engine, so that what is submitted has to queue."""
    with Processes(tmp_path_factory.mktemp("status")) as processes:
        cluster = Cluster(processes)
        cluster.start_controller("--RichTaskScheduler.engine_grace=3")
        cluster.start_engine()
        with cluster.connect() as client:
            client.wait_for_engines(1, timeout=PATIENCE)
            yield cluster, client
        assert cluster.validate() == 0
        assert "internal error" not in cluster.controller.log


@pytest.mark.cluster
def test_a_run_is_told_while_it_runs_and_afterwards(
    real: tuple[Cluster, ipp.Client], tmp_path: Path
) -> None:
    cluster, rc = real
    view = ipp_richsched.view(rc, label="hold")
    held = view.apply_async(hold, str(tmp_path))
    with view.temp_flags(label="bad"):
        bad = view.apply_async(eval, "1/0")
    with view.temp_flags(after=[bad], label="next", priority=2):
        after = view.apply_async(pow, 2, 3)
    with view.temp_flags(after=[after], label="last"):
        last = view.apply_async(pow, 2, 3)
    [started] = wait_for(lambda: [*tmp_path.glob("started.*")], "the held task's turn")

    status = ipp_richsched.status(rc)
    assert (status.waiting, status.ready, status.assigned) == (2, 1, 1)
    assert status.settings == {"engine_grace": 3.0}
    assert status.version == ipp_richsched.__version__
    now = datetime.now(timezone.utc)
    assert abs(now - status.time) < timedelta(seconds=60)
    [engine] = status.engines
    assert (engine.id, engine.task, engine.label) == (0, held.msg_ids[0], "hold")
    assert held.metadata["submitted"] <= engine.since + timedelta(seconds=1)
    kinds = {task.label: task.kind for task in status.oldest}
    assert kinds == {"bad": "no_room", "next": "dependencies", "last": "dependencies"}
    assert f"waits for {bad.msg_ids[0]} (bad) to finish" in str(status)
    assert "waits for room: engine 0" in status._repr_html_()
    assert ipp_richsched.status(rc, oldest=1).oldest_more == 2
    with pytest.raises(ValueError, match="'oldest' is 101"):
        ipp_richsched.status(rc, oldest=101)

    story = ipp_richsched.why(rc, last)
    assert [link.label for link in story.chain] == ["next", "bad"]
    assert str(story).splitlines()[0].endswith(f"waits for {after.msg_ids[0]} (next) to finish")
    assert "waits for room: engine 0" in str(story)
    assert ipp_richsched.why(rc, held).kind == "running"

    as_json = subprocess.run(
        [
            *(script("ipp-richsched"), "status", "--json", "--profile-dir"),
            str(cluster.processes.ipython_dir / "profile_default"),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    found = json.loads(as_json.stdout)
    assert found.keys() == status.to_dict().keys()
    assert [task["label"] for task in found["oldest"]] == ["bad", "next", "last"]
    assert found["engines"][0]["id"] == 0
    since = datetime.fromisoformat(found["oldest"][0]["since"])
    assert abs(since - status.oldest[0].since) < timedelta(seconds=1)  # two clocks were read twice

    (tmp_path / f"release{started.suffix}").touch()
    last.wait(PATIENCE)
    stories = ipp_richsched.why(rc, [held, last, bad.msg_ids[0], "nobody"])
    assert [story.state for story in stories] == ["succeeded", "failed", "failed", "unknown"]
    assert f"{stories}" == "\n".join(map(str, stories))
    assert "the first to fail was" in stories._repr_html_()
    assert stories[0].attempts[0].outcome == "succeeded"
    assert "succeeded on engine 0" in str(stories[0])
    assert "the first to fail was" in str(stories[1])
    assert "ZeroDivisionError" in str(stories[2])
    assert "no task of this scheduler" in str(stories[3])
    assert stories[3].to_dict()["state"] == "unknown"
    status = ipp_richsched.status(rc)
    assert (status.failed["raised"], status.failed["unreachable_dependency"]) == (1, 2)
    assert status.causes == {"ZeroDivisionError": 3}
    assert status.examples == {
        "ZeroDivisionError": Example(bad.msg_ids[0], "bad", "division by zero")
    }
    [why] = ipp_richsched.why(rc, [status.examples["ZeroDivisionError"].msg_id])
    assert "division by zero" in str(why)
    assert status.engines[0].done >= 1
    assert status.engines[0].failed == 1


@pytest.mark.cluster
def test_a_task_whose_module_is_missing_is_stuck_and_can_be_taken_back(
    real: tuple[Cluster, ipp.Client],
) -> None:
    """The module is named; and to take it back works though the engine is asked again just now."""
    _, rc = real
    result = ipp_richsched.view(rc, label="needy").apply_async(ipp.require("no_such")(pow), 2, 3)

    def is_stuck() -> bool:
        return holdups(ipp_richsched.status(rc))[0].level is Level.STUCK

    wait_for(is_stuck, "its module to be missed")
    told = []
    for _ in range(300):
        status = ipp_richsched.status(rc)
        if not status.stranded:  # an engine takes long to refuse it: the machine is busy
            assert status.assigned == 1
            continue
        told.append(holdups(status)[0].text)
    assert all(text.startswith("Task needy is stranded, no engine takes it: ") for text in told)
    unmet = "its functional dependency (@require or @depend) is unmet: no_such"
    assert any(f"on engine 0 {unmet}" in text for text in told)
    story = ipp_richsched.why(rc, result)
    assert "its functional dependency (@require or @depend) was unmet there: no_such" in str(story)
    ipp_richsched.cancel(result)
    with pytest.raises(ipp.error.TaskAborted):
        result.get(PATIENCE)
    assert ipp_richsched.status(rc).stranded == 0


@pytest.mark.cluster
def test_what_happens_is_told_since_the_last_time(real: tuple[Cluster, ipp.Client]) -> None:
    _, rc = real
    before = happenings(rc)
    result = ipp_richsched.view(rc, label="now").apply_async(pow, 2, 3)
    result.wait(PATIENCE)
    page = happenings(rc, before.mark)
    assert [each.what for each in page.happenings] == [
        *("submitted", "ready", "assigned", "succeeded"),
    ]
    assert {each.msg_id for each in page.happenings} == {*result.msg_ids}
    assert page.happenings[0].label == "now"
    [(uuid, place)] = page.engines.items()
    assert (place.id, page.happenings[-1].engine) == (0, uuid)
    assert abs(page.time - page.happenings[-1].when) < 60
    assert happenings(rc, page.mark).happenings == []
    assert page.run == before.run


@pytest.mark.cluster
def test_who_gets_no_answer_is_told_what_to_do(
    real: tuple[Cluster, ipp.Client],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster, rc = real
    monkeypatch.setattr(asking, "PATIENCE", 0.5)
    monkeypatch.setenv("IPYTHONDIR", str(cluster.processes.ipython_dir))
    [pid] = re.findall(f"{validating.PID}(\\d+)", cluster.controller.log)
    view = ipp_richsched.view(rc)
    os.kill(int(pid), signal.SIGSTOP)
    try:
        result = view.apply_async(pow, 2, 3)
        hint = r"has not answered .* if the controller was started anew, connect again: `rc = ipp"
        with pytest.raises(TimeoutError, match=hint):
            ipp_richsched.status(rc)
        with pytest.raises(TimeoutError, match=hint):
            ipp_richsched.cancel(result)
        assert ipp_richsched.progress(result, timeout=0.2) is False
        assert "0/1 tasks" in (shown := capsys.readouterr().err)
        assert "the scheduler does not answer" in shown
        assert main(["status"]) == 1
        shown = capsys.readouterr().err
        assert "the scheduler has not answered 'status'" in shown
        assert "rc = " not in shown  # nobody has a client there
    finally:
        os.kill(int(pid), signal.SIGCONT)
    result.wait(PATIENCE)


@pytest.mark.cluster
def test_the_tasks_of_a_map_are_told_in_pages(real: tuple[Cluster, ipp.Client]) -> None:
    _, rc = real
    result = ipp_richsched.view(rc).map(abs, range(25), chunksize=1)
    result.wait(PATIENCE)
    with mock.patch.object(why, "PAGE", 10):
        stories = ipp_richsched.why(rc, result)
    assert [story.msg_id for story in stories] == result.msg_ids
    assert {story.state for story in stories} == {"succeeded"}
    assert ipp_richsched.why(rc, []) == []
    with pytest.raises(TypeError, match="neither an AsyncResult nor a msg_id"):
        ipp_richsched.why(rc, [3])


@pytest.mark.parametrize("options", [[], ["--json"], ["--cluster-id", "x"], ["--profile", "x"]])
def test_without_a_cluster_there_is_one_line(
    options: list[str], ipython_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", *options]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("ipp-richsched: no cluster runs there: ")
    assert output.err.count("\n") == 1
    where = "=".join(options) if options and options != ["--json"] else ""
    how = f"; start one: ipcluster start --controller=richsched {where}"
    assert output.err.endswith(f"{how.strip()}\n")


def test_clusters_that_may_be_meant_are_named(
    ipython_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ipython_dir / "profile_default" / "security"
    path.mkdir(parents=True)
    for name in ("1-a", "2-b", "4-d", "3-c"):
        (path / f"ipcontroller-{name}-client.json").write_text("")
    assert main(["status"]) == 1
    assert capsys.readouterr().err.endswith(
        "/ipcontroller-client.json does not exist; others may run, try --cluster-id=4-d or"
        " --cluster-id=3-c or --cluster-id=2-b; or start one: ipcluster start"
        " --controller=richsched\n"
    )


def test_a_file_that_is_no_connection_file_gives_one_line(
    ipython_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ipython_dir / "profile_default" / "security" / "ipcontroller-client.json"
    path.parent.mkdir(parents=True)
    for text in ("", "{}", "[]"):
        path.write_text(text)
        assert main(["status"]) == 1
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith(f"ipp-richsched: no controller answers by {path}")
        assert output.err.count("\n") == 1


# -- what is printed ---------------------------------------------------------------------

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)


def status_with(**fields: Any) -> Status:
    values: dict[str, Any] = dict.fromkeys(("waiting", "ready", "assigned", "succeeded"), 0)
    values |= dict.fromkeys(("stranded", "queue_more", "oldest_more"), 0)
    values |= {"failed": {}, "causes": {}, "engines": [], "dead": [], "queue": [], "oldest": []}
    values |= {"time": NOW, "you": "me", "version": "1", "scheme": "lru", "settings": {}}
    causes = fields.get("causes", {})
    values["examples"] = {cause: Example(f"{cause}-1", None, "it broke") for cause in causes}
    values |= {"never_ran": 0, "last_failed": None, "causes_lately": causes}
    rates = Rates(60.0, 1.0, 2.0, 3.0)
    return Status(**{**values, "rates": rates, "memory": 2**20, "lag": 0.5, **fields})


def waiting(msg_id: str, kind: str, seconds: float = 5.0, label: str | None = None) -> WaitingTask:
    since = NOW - timedelta(seconds=seconds)
    return WaitingTask(msg_id, label, "me", 0, since, None, f"why {msg_id}", kind, {})


def engine(number: int | None, **fields: Any) -> EngineStatus:
    names = ("host", "task", "label", "since", "unreachable")
    values = {**dict.fromkeys(names), "load": 0, "done": 0, "failed": 0, "paused": False}
    return EngineStatus(id=number, uuid="some-uuid", **{**values, **fields})


def dead(number: int | None, **fields: Any) -> DeadEngine:
    """An engine that died a second ago."""
    died, until = NOW - timedelta(seconds=1), NOW + timedelta(seconds=4)
    values = {"uuid": f"uuid-{number}", "host": None, "held": 1, "task": "t1", "label": None}
    times = {"since": NOW - timedelta(seconds=3), "died": died, "until": until}
    return DeadEngine(id=number, **{**values, **times, **fields})


def test_what_is_stuck_is_printed_first() -> None:
    tasks = [waiting("first", "no_room"), waiting("second", "stranded", 7_200)]
    text = str(status_with(oldest=tasks, oldest_more=3, ready=5, engines=[engine(0)]))
    assert text.index("why second") < text.index("why first")
    assert "2.0 h" in text
    assert "2 of the oldest, and 3 more" in text


def test_what_holds_the_run_up_is_printed_first() -> None:
    status = status_with(ready=1, failed={"raised": 1}, causes={"<b>": 1})
    first, second, third, *_ = str(status).splitlines()
    assert first == "STUCK: No engine is registered, and 1 task waits for one."
    assert second.startswith("FAILED: 1 task has failed.")
    assert third.startswith("0 waiting, 1 ready")
    html = status._repr_html_()
    assert " failed<br>ipp_richsched " in html  # two lines
    assert html.index("STUCK") < html.index("FAILED") < html.index("1 ready")
    assert "<b>." not in html
    assert str(status_with()).startswith("OK: No task was submitted yet")


def test_failures_lead_to_a_task_and_its_text() -> None:
    examples = {"E": Example("some-task", "fit", "<no>\nway"), "F": Example("other", None, "")}
    status = status_with(failed={"raised": 3}, causes={"F": 1, "E": 2}, examples=examples)
    assert [line.split(maxsplit=2) for line in str(status).splitlines() if "other" in line] == [
        ["F", "1", "other"]
    ]
    assert "E      2      some-task (fit): <no>?way\n" in str(status)
    assert "some-task (fit): &lt;no&gt;" in status._repr_html_()
    assert status.to_dict()["examples"]["E"]["label"] == "fit"


def test_engines_are_printed_those_with_trouble_first() -> None:
    minutes = NOW - timedelta(minutes=10)
    engines = [
        engine(0),
        engine(1, task="x" * 40, since=minutes),
        engine(2, paused=True),
        engine(None, unreachable=minutes),
    ]
    lines = str(status_with(engines=engines)).splitlines()
    shown = [line.split() for line in lines if line.startswith("  ")][1:]
    assert [row[0] for row in shown] == ["some-uuid", "2", "1", "0"]
    assert shown[0][-6:] == ["cannot", "be", "reached", "for", "10", "min"]
    assert shown[2][-3:] == ["for", "10", "min"]
    many = [engine(number) for number in range(ENGINES + 5)]
    assert f"{ENGINES + 5} engines, 5 of them not shown:" in str(status_with(engines=many))


def test_failures_are_printed_by_their_cause() -> None:
    text = str(status_with(failed={"raised": 1, "timed_out": 2}, causes={"A": 1, "TaskTimeout": 2}))
    assert "3 failed" in text
    assert text.index("TaskTimeout  2") < text.index("A            1")


def test_what_is_printed_does_nothing_to_a_terminal_or_a_page() -> None:
    tasks = [waiting("x", "no_room", label="\x1b[2J<script>")]
    part = QueuePart(0, "other", "\n<b>", 0, 1, 0, 0, 0)
    status = status_with(oldest=tasks, queue=[part], queue_more=4, settings={"hwm": 2})
    assert "\x1b" not in str(status)
    assert "(4 more unfinished)" in str(status)
    assert "hwm=2" in str(status)
    assert "<script>" not in status._repr_html_()
    assert "&lt;script&gt;" in status._repr_html_()
