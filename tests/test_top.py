"""`ipp-richsched top`: what is on the screen, by keys and at any size, and on a real cluster."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

import ipp_richsched
from ipp_richsched.cli import main
from ipp_richsched.client.status import QueuePart, Status
from ipp_richsched.client.why import Story
from ipp_richsched.monitor import asker
from ipp_richsched.monitor.top.app import Top

from . import validating
from .chaos_load import hold
from .processes import PATIENCE, script, wait_for
from .real_cluster import Cluster
from .test_status import NOW, engine, status_with, waiting

DEADLINE = 20
"""Seconds after which what is not seen will never be."""

SIZES = [(140, 40), (80, 24), (40, 10)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asker, "PERIOD", 0.1)


class Scripted:
    """A source that answers what the test says."""

    def __init__(self, status: Status) -> None:
        self.answer: Status | Exception = status
        self.told: list[str] = []
        self.asked = 0

    def status(self) -> Status:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def why(self, msg_id: str) -> Story:
        self.told.append(msg_id)
        values: dict[str, Any] = dict.fromkeys(Story.__dataclass_fields__)
        values |= {"msg_id": msg_id, "state": "ready", "attempts": [], "chain": [], "skipped": 0}
        return Story(**{**values, "details": {}, "reason": f"is told for the {len(self.told)}th"})


def run_of_three() -> Status:
    """Three tasks wait, one of which is stranded; one runs; three have failed."""
    oldest = [
        waiting("m1", "no_room", 50, "align"),
        waiting("m2", "dependencies", 300, "merge"),
        waiting("m3", "stranded", 10, "train"),
    ]
    queue = [QueuePart(0, "c", "align", 0, 1, 1, 7, 1), QueuePart(0, "c", "merge", 1, 0, 0, 0, 0)]
    since = NOW - timedelta(seconds=30)
    return status_with(
        waiting=1,
        ready=2,
        assigned=1,
        succeeded=10,
        oldest=oldest,
        queue=queue,
        engines=[engine(0, task="m0", label="align", since=since, load=1, done=7)],
        failed={"raised": 2, "timed_out": 1},
        causes={"ZeroDivisionError": 2, "TaskTimeout": 1},
    )


def screen(app: App[Any]) -> str:
    """What is seen."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in lines)


async def seen(pilot: Pilot[Any], condition: Callable[[str], bool]) -> str:
    """The screen, as soon as it is as it should be."""
    text = ""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        await pilot.pause(0.05)
        text = screen(pilot.app)
        if condition(text):
            return text
    raise AssertionError(f"never seen:\n{text}")


def order(text: str, *words: str) -> bool:
    """Whether the words are all there, the last time that each is in this order."""
    places = [text.rfind(word) for word in words]
    return -1 not in places and places == sorted(places)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(140, 40), (110, 28), (80, 24)])
async def test_labels_have_room_beside_those_of_other_clients(size: tuple[int, int]) -> None:
    queue = [
        QueuePart(0, client, label, 3, 2, 1, 1_234, 5)
        for client in ("00f4b0dc51", "00f4b0dc52")
        for label in ("align", "merge_all")
    ]
    source = Scripted(replace(run_of_three(), queue=queue))
    async with Top(source, "a cluster").run_test(size=size) as pilot:
        await seen(pilot, lambda text: "STUCK" in text)
        await pilot.press("2")
        names = ["align (..dc51)", "merge_all (..dc51)", "align (..dc52)", "merge_all (..dc52)"]
        await seen(pilot, lambda text: order(text, *names) and "1,239/1,245" in text)


@pytest.mark.asyncio
async def test_failed_attempts_are_called_so() -> None:
    async with Top(Scripted(run_of_three()), "a cluster").run_test(size=(140, 40)) as pilot:
        await seen(pilot, lambda text: "failed attempts" in text and "align for 30 s" in text)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_what_holds_the_run_up_is_on_top_at_any_size(size: tuple[int, int]) -> None:
    source = Scripted(run_of_three())
    async with Top(source, "a cluster").run_test(size=size) as pilot:
        text = await seen(pilot, lambda text: "STUCK" in text and "Task train" in text)
        assert "0 s old" in text
        assert "% done" in text
        assert order(text, "train", "align")  # the stranded one comes first
        assert max(map(len, text.splitlines())) <= size[0]
        assert len(text.splitlines()) <= size[1]


@pytest.mark.asyncio
async def test_a_large_screen_shows_all_tables_and_a_small_one_one_by_one() -> None:
    source = Scripted(run_of_three())
    words = ["why m1", "8/10", "align for 30 s", "ZeroDivisionError: it broke"]
    async with Top(source, "a cluster").run_test(size=(140, 40)) as pilot:
        await seen(pilot, lambda text: all(word in text for word in words))
        await pilot.resize_terminal(80, 24)
        await seen(pilot, lambda text: "why m1" in text and "align for 30 s" not in text)
        for key, word, title in [
            ("2", "8/10", "Labels 2"),
            ("3", "align for 30 s", "Engines 1"),
            ("4", "of these: timed out", "Failures 3"),
            ("1", "why m1", "Waiting 3"),
        ]:
            await pilot.press(key)
            text = await seen(pilot, lambda text, word=word: word in text)
            assert title in text
        await pilot.press("tab")
        await seen(pilot, lambda text: "8/10" in text)
        await pilot.resize_terminal(140, 40)
        await seen(pilot, lambda text: all(word in text for word in words))


@pytest.mark.asyncio
async def test_a_filter_leaves_the_rows_that_have_it() -> None:
    async with Top(Scripted(run_of_three()), "a cluster").run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda text: "why m1" in text)
        await pilot.press("slash", *"ALIGN")
        text = await seen(pilot, lambda text: "why m2" not in text)
        assert "why m1" in text
        await pilot.press("enter", "2")
        text = await seen(pilot, lambda text: "8/10" in text)
        assert "merge" not in text
        await pilot.press("escape", "1")
        await seen(pilot, lambda text: "why m2" in text)
        await pilot.press("slash", *"qp")  # are letters there, not keys
        await seen(pilot, lambda text: "qp" in text and "why m1" not in text)


@pytest.mark.asyncio
async def test_sorts() -> None:
    async with Top(Scripted(run_of_three()), "a cluster").run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda text: order(text, "why m3", "why m1", "why m2"))
        await pilot.press("s")
        await seen(pilot, lambda text: order(text, "label ▲", "why m1", "why m2", "why m3"))
        await pilot.press("s")
        await seen(pilot, lambda text: order(text, "since ▲", "why m2", "why m1", "why m3"))
        await pilot.press("r")
        await seen(pilot, lambda text: order(text, "since ▼", "why m3", "why m1", "why m2"))
        await pilot.press("4", "s")
        await seen(pilot, lambda text: order(text, "tasks ▼", "ZeroDivision", "TaskTimeout"))
        await pilot.press("s", "s")
        await seen(pilot, lambda text: "▼" not in text)


@pytest.mark.asyncio
@pytest.mark.parametrize("width", [80, 120, 160])
async def test_how_many_tasks_failed_is_seen_at_any_width(width: int) -> None:
    async with Top(Scripted(run_of_three()), "a cluster").run_test(size=(width, 30)) as pilot:
        await seen(pilot, lambda text: "why m1" in text)
        await pilot.press("4")
        await seen(pilot, lambda text: re.search(r"\b2  ZeroDiv", text) is not None)


@pytest.mark.asyncio
async def test_a_click_on_a_heading_sorts() -> None:
    async with Top(Scripted(run_of_three()), "a cluster").run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda text: "why m1" in text)
        await pilot.click("#waiting", offset=(11, 0))
        await seen(pilot, lambda text: order(text, "since ▲", "why m2", "why m1", "why m3"))
        await pilot.click("#waiting", offset=(11, 0))
        await seen(pilot, lambda text: order(text, "since ▼", "why m3", "why m1", "why m2"))


@pytest.mark.asyncio
async def test_the_cursor_stays_on_its_task_while_others_come_and_go() -> None:
    source = Scripted(run_of_three())
    async with Top(source, "a cluster").run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda text: "why m2" in text)
        await pilot.press("down", "down")
        many = [waiting(f"n{i}", "stranded", 1) for i in range(50)]
        last = run_of_three().oldest[1]
        source.answer = status_with(oldest=[last, *many], waiting=51)
        await seen(pilot, lambda text: "Waiting 51" in text)
        await pilot.press("enter")
        await seen(pilot, lambda text: "task m2" in text)


@pytest.mark.asyncio
async def test_a_pause_keeps_what_is_seen_and_says_so() -> None:
    source = Scripted(run_of_three())
    async with Top(source, "a cluster").run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda text: "why m1" in text)
        await pilot.press("space")
        await seen(pilot, lambda text: "PAUSED" in text)
        source.answer = status_with()
        asked = source.asked
        await seen(pilot, lambda text: re.search("PAUSED, [1-9] s old", text) is not None)
        assert "why m1" in screen(pilot.app)
        assert source.asked <= asked + 1  # at most the question that was under way
        await pilot.press("p")
        await seen(pilot, lambda text: "No task was submitted yet" in text)


@pytest.mark.asyncio
async def test_the_story_of_a_task_is_told_anew_until_it_is_left() -> None:
    source = Scripted(run_of_three())
    app = Top(source, "a cluster")
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda text: "why m3" in text)
        await pilot.press("enter")
        await seen(pilot, lambda text: "task m3 is told for" in text)
        before = len(source.told)
        await seen(pilot, lambda text: f"told for the {before}th" not in text)
        await pilot.press("2", "tab", "slash")  # are keys of what is behind
        await pilot.press("q")
        await seen(pilot, lambda text: "why m1" in text and "task m3" not in text)
        assert app.is_running
        await pilot.press("3", "enter")
        await seen(pilot, lambda text: "task m0" in text)
        await pilot.press("escape", "4")
        await seen(pilot, lambda text: "ZeroDivisionError: it broke" in text)
        await pilot.press("enter")  # the task with which it began
        await seen(pilot, lambda text: "task ZeroDivisionError-1 is told for" in text)
        await pilot.press("escape", "down", "down", "enter")  # no task is in that row
        await seen(pilot, lambda text: "of these: raised" in text and "is told for" not in text)
        await pilot.press("q")
    assert app.return_code == 0


@pytest.mark.asyncio
async def test_without_an_answer_it_says_so_and_goes_on() -> None:
    source = Scripted(run_of_three())
    async with Top(source, "a cluster").run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda text: "why m1" in text)
        source.answer = OSError("no controller\nanswers")
        text = await seen(pilot, lambda text: "NO ANSWER" in text)
        assert "no controller answers. Trying again" in text
        assert "why m1" in text
        source.answer = status_with(succeeded=3)
        text = await seen(pilot, lambda text: "NO ANSWER" not in text)
        assert "All 3 tasks are finished" in text
        source.answer = ValueError()
        await seen(pilot, lambda text: "ValueError" in text)


@pytest.mark.asyncio
async def test_a_scheduler_that_takes_its_time_stops_no_key() -> None:
    source = Scripted(run_of_three())
    free = threading.Event()
    app = Top(source, "a cluster", run_of_three())
    status = source.status
    source.status = lambda: (free.wait(PATIENCE), status())[1]  # type: ignore[method-assign]
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await seen(pilot, lambda text: "why m1" in text)
            await seen(pilot, lambda text: "NO ANSWER, 4 s old" in text)
            await pilot.press("2")
            await seen(pilot, lambda text: "8/10" in text)
    finally:
        free.set()


@pytest.mark.asyncio
async def test_texts_of_users_do_nothing_to_the_terminal() -> None:
    bad = "\x1b[2J[red]"
    oldest = [waiting("m1", "stranded", label=bad)]
    status = status_with(
        oldest=oldest, ready=1, causes={bad: 1}, queue=[QueuePart(0, "c", bad, 0, 1, 0, 0, 0)]
    )
    async with Top(Scripted(status), bad).run_test(size=(140, 40)) as pilot:
        text = await seen(pilot, lambda text: "why m1" in text)
        assert "\x1b" not in text
        assert text.count("?[2J[red]") >= 4


# -- the command --------------------------------------------------------------------------


def test_what_is_no_terminal_gets_one_line(ipython_dir: Path) -> None:
    for term, has_terminal in (("xterm", False), ("dumb", True)):
        main_end, end = pty.openpty()
        run = subprocess.run(
            [script("ipp-richsched"), "top"],
            stdin=end,
            stdout=end if has_terminal else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, "TERM": term},
        )
        os.close(main_end)
        os.close(end)
        assert run.returncode == 1
        assert not run.stdout
        assert run.stderr.count("\n") == 1
        assert "ipp-richsched status" in run.stderr


def pretend_to_have_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


def test_without_a_cluster_there_is_one_line(
    ipython_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_to_have_a_terminal(monkeypatch)
    for options in ([], ["--cluster-id", "x"], ["--profile", "x"]):
        assert main(["top", *options]) == 1
        output = capsys.readouterr()
        assert output.err.startswith("ipp-richsched: no cluster runs there: ")
        assert "; start one: ipcluster start --controller=richsched" in output.err
        assert (output.out, output.err.count("\n")) == ("", 1)


def test_without_textual_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_to_have_a_terminal(monkeypatch)
    for name in [*sys.modules]:
        if name.startswith(("ipp_richsched.monitor.top", "textual")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "textual", None)
    assert main(["top"]) == 1
    output = capsys.readouterr()
    assert "pip install 'ipp-richsched[top]'" in output.err
    assert (output.out, output.err.count("\n")) == ("", 1)


class Terminal:
    """A command in a pseudo-terminal, and all that it has written there."""

    def __init__(self, *args: str, size: tuple[int, int]) -> None:
        self._end, end = pty.openpty()
        columns, lines = size
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        env = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            args, stdin=end, stdout=end, stderr=end, env=env, start_new_session=True
        )
        os.close(end)
        self.written = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while chunk := os.read(self._end, 65_536):
                self.written += chunk

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def wait_for(self, text: str, since: int = 0) -> None:
        """Wait until it writes a text, after the first so many bytes."""

        def has_written() -> bool:
            shown = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", self.written[since:])
            return text.encode() in shown or self.process.poll() is not None

        try:
            wait_for(has_written, text)
            assert self.process.poll() is None
        except AssertionError:
            print(self.written[-5_000:].decode(errors="replace"))
            raise


@contextlib.contextmanager
def top(cluster: Cluster) -> Iterator[Terminal]:
    profile = cluster.processes.ipython_dir / "profile_default"
    command = (script("ipp-richsched"), "top", "--profile-dir", str(profile))
    terminal = Terminal(*command, size=(140, 40))
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()


@pytest.mark.cluster
@pytest.mark.slow(20)
def test_a_real_cluster_in_a_terminal_also_when_its_controller_is_restarted(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.start_controller()
    cluster.start_engine()
    with cluster.connect() as rc, top(cluster) as terminal:
        rc.wait_for_engines(1, timeout=PATIENCE)
        terminal.wait_for("Engines 1")
        held = ipp_richsched.view(rc, label="hold").apply_async(hold, str(tmp_path))
        last = ipp_richsched.view(rc, label="next").apply_async(pow, 2, 3)
        terminal.wait_for("The only engine is busy, and 1 task waits for room")
        terminal.press("\r")
        terminal.wait_for(f"task {last.msg_ids[0]}")
        terminal.press("q")
        assert not held.done()

        cluster.controller.interrupt()
        terminal.wait_for("NO ANSWER")
        at = len(terminal.written)
        cluster.start_controller()
        terminal.wait_for("s old", at)
        terminal.wait_for("No task was submitted yet", at)

        [scheduler] = re.findall(f"{validating.PID}(\\d+)", cluster.controller.log)
        os.kill(int(scheduler), signal.SIGSTOP)  # it leaves a question without an answer
        try:
            terminal.wait_for("NO ANSWER", len(terminal.written))
            terminal.press("q")
            assert terminal.process.wait(PATIENCE) == 0
        finally:
            os.kill(int(scheduler), signal.SIGCONT)
