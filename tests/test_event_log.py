"""The event log of a scheduler: settings, full disks, ends of processes."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from traitlets import TraitError
from traitlets.config import Config

from ipp_richsched import RichTaskScheduler
from ipp_richsched.core.events import TimePassed
from ipp_richsched.core.log import Gap, Step, read_line
from ipp_richsched.monitor.log_files import files_of
from ipp_richsched.monitor.replay import replay
from ipp_richsched.scheduler import event_log
from ipp_richsched.scheduler.event_file import EventFile
from ipp_richsched.scheduler.event_log import EventLog

from .lists import FakeLoop, ListCluster
from .processes import wait_for
from .scripted import ScriptedCluster, Start


def config(path: Path, **settings: Any) -> dict[str, dict[str, Any]]:
    return {"RichTaskScheduler": {"event_log": str(path), **settings}}


def lines_of(path: Path) -> list[Any]:
    """The lines of all files of a log after their headers."""
    return [read_line(line) for file in files_of(path) for _, line in file.lines()]


def run_tasks(cluster: ScriptedCluster, number: int) -> list[str]:
    """Have an engine run some tasks; their msg_ids."""
    engine, client = cluster.engine(b"e1"), cluster.client()
    msg_ids = [client.submit() for _ in range(number)]
    for _ in msg_ids:
        engine.reply(engine.take()[1])
        client.answer()
    return msg_ids


# -- settings --------------------------------------------------------------------------------


def test_there_is_none_unless_it_is_asked_for(start: Start) -> None:
    assert RichTaskScheduler().event_log is None
    cluster = start()
    run_tasks(cluster, 1)
    assert "event log" not in cluster.log


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "it is a directory"),
        (lambda path: os.mkfifo(path), "it is no ordinary file"),
        (lambda path: path.parent.rmdir(), "there is no directory"),
        (lambda path: path.parent.chmod(0o500), "files cannot be made in the directory"),
        (lambda path: (path.touch(), path.chmod(0o400)), "it may not be changed"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_at_the_start(
    make: Callable[[Path], object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root may do anything, so that it has to be asked what the modes say
    monkeypatch.setattr(os, "access", lambda path, mode: bool(os.stat(path).st_mode & 0o200))
    path = tmp_path / "logs" / "night.jsonl"
    path.parent.mkdir()
    make(path)
    with pytest.raises(TraitError, match=words) as caught:
        RichTaskScheduler(config=Config(config(path)))
    assert "RichTaskScheduler.event_log" in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    (tmp_path / "logs").exists() and path.parent.chmod(0o700)


@pytest.mark.parametrize("value", ["~nobody-at-all/night.jsonl", "x" * 5000, ""])
def test_a_path_that_is_none_is_refused_at_the_start(value: str) -> None:
    with pytest.raises(TraitError, match=r"event_log: .* cannot be written: "):
        RichTaskScheduler(config=Config(config(Path("x"), event_log=value)))


def test_files_are_not_too_small(tmp_path: Path) -> None:
    with pytest.raises(TraitError, match="event_log_size"):
        RichTaskScheduler(config=Config(config(tmp_path / "log", event_log_size=1000)))


def test_a_trial_writes_nothing(tmp_path: Path) -> None:
    """The controller makes a scheduler to see whether its settings are good."""
    RichTaskScheduler(config=Config(config(tmp_path / "log")))
    assert list(tmp_path.iterdir()) == []


# -- what is written -------------------------------------------------------------------------


def test_a_scheduler_writes_what_happens(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    cluster = start(config=config(path))
    msg_ids = run_tasks(cluster, 3)
    cluster.wait_for(lambda: f"the event log is {path}\n" in cluster.log, "a line that says so")

    def ended() -> list[str]:
        events = [step.event for step in lines_of(path)]
        return [event["msg_id"] for event in events if event["type"] == "TaskReplied"]

    assert cluster.wait_for(ended, "the end of the tasks") == msg_ids  # without any other event
    header = json.loads(path.read_text().splitlines()[0])
    assert abs(header["wall"] - time.time()) < 60
    assert header["settings"]["seed"] >= 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_last_lines_are_written_before_the_process_ends(
    start: Start, tmp_path: Path, number: int
) -> None:
    path = tmp_path / "night.jsonl"
    with mock.patch.object(event_log, "INTERVAL", 1000.0):  # it has no other reason to write
        cluster = start(config=config(path))
    run_tasks(cluster, 50)
    assert len(lines_of(path)) == 0
    assert cluster.process.pid is not None
    os.kill(cluster.process.pid, number)
    cluster.process.join(30)
    ended = {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 0}  # as without an event log
    assert cluster.process.exitcode == ended[number]
    [run] = replay(path)
    assert run.events > 100
    assert str(run).endswith("the same actions")
    assert "Traceback" not in cluster.log
    cluster.process = mock.Mock(**{"is_alive.side_effect": [True, False]})  # as was asked for


def test_a_scheduler_that_hangs_can_be_ended(start: Start, tmp_path: Path) -> None:
    from ipp_richsched.scheduler import ending

    class Hanging(RichTaskScheduler):
        def dispatch_submission(self, raw_msg: Any) -> None:
            if b"hang" in raw_msg:
                self.log.info("it hangs")
            while b"hang" in raw_msg:
                time.sleep(0.1)
            super().dispatch_submission(raw_msg)

    with mock.patch.object(ending, "PATIENCE", 1):
        cluster = start(Hanging, config=config(tmp_path / "log"))
    client = cluster.client()  # as long as it is there, what it sent is not dropped
    client.submit(b"hang")
    cluster.wait_for(lambda: "it hangs" in cluster.log, "a scheduler that hangs")
    cluster.process.terminate()
    cluster.process.join(30)
    assert cluster.process.exitcode == -signal.SIGALRM
    cluster.process = mock.Mock(**{"is_alive.side_effect": [True, False]})


def test_a_full_log_goes_on_in_the_next_file(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    with mock.patch.object(event_log, "AT_ONCE", 50):
        cluster = start(config=config(path, event_log_size=2**16))
    msg_ids = run_tasks(cluster, 300)

    def ended() -> bool:
        return any(
            isinstance(step, Step) and msg_ids[-1] in json.dumps(step.event)
            for step in lines_of(path)
            if step.event["type"] == "TaskReplied"
        )

    cluster.wait_for(ended, "the last task")
    files = files_of(path)
    assert len(files) > 2
    assert [file.header.part for file in files] == list(range(1, len(files) + 1))
    assert all(file.path.stat().st_size <= 2**16 for file in files)
    assert files[-1].header.engines == {"e1": "engine e1"}
    [run] = replay(path)
    assert run.events == len(lines_of(path))
    assert run.is_same


def test_two_clusters_of_one_configuration(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    clusters = [start(config=config(path)), start(config=config(path))]
    for number, cluster in enumerate(clusters, 1):
        run_tasks(cluster, 10 * number)
    for cluster, name in zip(clusters, ["night.jsonl", "night-2.jsonl"], strict=True):
        cluster.wait_for(lambda c=cluster, n=name: f"{tmp_path / n}\n" in c.log, "its name")
        cluster.close()
        [run] = replay(tmp_path / name)
        assert run.is_same
    for cluster in clusters:
        cluster.process = mock.Mock(**{"is_alive.side_effect": [True, False]})


# -- what goes wrong -------------------------------------------------------------------------


class FullDisk(RichTaskScheduler):
    """Its files can have a few thousand bytes only, until the file ``space`` is there."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, most))
        assert self.event_log is not None
        self.space = Path(self.event_log).with_name("space")
        self.unlimited = most

    def dispatch_submission(self, raw_msg: Any) -> None:
        if self.space.exists():
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.unlimited, self.unlimited))
        super().dispatch_submission(raw_msg)


def test_a_full_disk_costs_one_warning_and_no_task(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    with mock.patch.multiple(event_log, AT_ONCE=5, PAUSE=0.3):
        cluster = start(FullDisk, config=config(path))
    engine, client = cluster.engine(b"e1"), cluster.client()

    def run(number: int) -> None:
        for _ in range(number):
            client.submit()
            engine.reply(engine.take()[1])
            assert client.answer()["content"]["status"] == "ok"

    run(20)
    fails = "the event log cannot be written, and the scheduler goes on without"
    cluster.wait_for(lambda: fails in cluster.log, "a warning")
    run(20)
    (tmp_path / "space").touch()

    def goes_on() -> Any:
        run(1)
        return re.search(r"goes on; (\d+) events are missing", cluster.log)

    missing = int(cluster.wait_for(goes_on, "a line that it goes on")[1])
    assert cluster.log.count(fails) == 1
    run(5)
    cluster.wait_for(lambda: len(lines_of(path)) > 0 and isinstance(lines_of(path)[-1], Step), "it")
    [gap] = [line for line in lines_of(path) if isinstance(line, Gap)]
    assert gap.lost == missing
    [replayed] = replay(path)
    assert replayed.is_same
    assert f"then {missing} are missing" in str(replayed)


class Hangs(EventFile):
    """A file on a disk that does not answer."""

    def __init__(self) -> None:
        self.path = Path("elsewhere")
        self.lines = 0
        self.answers = threading.Event()

    def write(self, text: str) -> None:
        self.answers.wait()
        self.lines += text.count("\n")


def test_a_disk_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "PATIENCE", 0.1)
    monkeypatch.setattr(event_log, "AT_ONCE", 10)
    monkeypatch.setattr(event_log, "QUEUED", 3)
    loop, warnings, file = FakeLoop(), list[str](), Hangs()
    log = EventLog(file, loop, repr, warnings.append, warnings.append)  # type: ignore[arg-type]
    for _ in range(1000):
        log.trace(0.0, TimePassed(), [])
    log.close()  # it does not wait for ever, either
    assert warnings == ["the event log hangs: the scheduler goes on, and events are lost"]
    assert len(loop.timers) <= 1
    file.answers.set()

    def goes_on() -> bool:
        for _ in range(10):
            log.trace(0.0, TimePassed(), [])
        while loop.callbacks:
            loop.callbacks.popleft()()
        return len(warnings) > 2

    wait_for(goes_on, "a line that it goes on")
    assert warnings[1:2] == ["the event log is elsewhere"]
    assert re.fullmatch(r"the event log elsewhere goes on; \d+ events are missing", warnings[2])


def test_an_idle_scheduler_is_not_woken(tmp_path: Path) -> None:
    cluster = ListCluster(RichTaskScheduler={"event_log": str(tmp_path / "log")})
    cluster.wait(3600.0)
    cluster.loop.timers.clear()
    cluster.wait(3600.0)
    assert not cluster.loop.timers
