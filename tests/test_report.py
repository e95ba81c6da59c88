"""`ipp-richsched report` and `ipp_richsched.report`: a run as a page, also in a real browser."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any

import pytest

import ipp_richsched
from ipp_richsched.cli import main
from ipp_richsched.client.status_text import failed_text
from ipp_richsched.core.failures import TaskError
from ipp_richsched.core.log import VERSION, gap_line
from ipp_richsched.monitor.log_run import run_of_log
from ipp_richsched.monitor.moments import STEPS
from ipp_richsched.monitor.report.page import UNBORN, page_of
from ipp_richsched.workflows.local_cluster import local_cluster
from ipp_richsched.workflows.palette import STATES
from ipp_richsched.workflows.runs import Run

from .browser import INSIDE, Browser, browser, skip_without_browser
from .nights import Night
from .processes import PATIENCE, ROOT, Processes, wait_for
from .test_pictures import RUN, UNFINISHED, run_of, task

__all__ = ["browser"]  # the fixture

HOSTILE = "</script><img src=x onerror=\"document.title='run'\">{{ 7 * 7 }}"
"""A label, an error and an id, if somebody means harm."""


class _Page(HTMLParser):
    """What a page loads, the scripts in it, and what can be read."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._inside: str | None = None
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [f"{value}" for name, value in attrs if name in ("src", "href", "data")]
        self._inside = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.text += f" {data.strip()}"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "night.jsonl"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "run.html"


def short_night(path: Path) -> Night:
    """Two engines, of which one dies; a failure that keeps others from running."""
    night = Night(path, "b", "a", engine_grace=1.0)
    night.submit("first", label="load")
    night.submit("second", label="load", retries=1)
    night.submit("third", label="fit", after=["first"])
    night.submit("fourth", label="plot", after=["third"])
    night.wait(2.0)
    night.reply("a", "first")
    night.wait(1.0)
    night.unregister("b")
    night.wait(2.0)
    night.reply("a", "third", "error", error=TaskError("ValueError", "no such file"))
    night.wait(2.0)
    night.reply("a", "second")
    return night


# -- the command -------------------------------------------------------------------------


def test_an_event_log_becomes_a_page(
    log: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short_night(log)
    assert main(["report", str(log), "-o", str(page)]) == 0
    said = capsys.readouterr()
    assert said.out == (
        f"{page}: 4 tasks on 2 engines in 7 s: 2 succeeded, 2 failed (1 of them never ran).\n"
    )
    assert said.err == ""
    text = _Page(page).text
    assert "4 tasks on 2 engines in 7 s: 2 succeeded, 2 failed (1 of them never ran)." in text
    assert "1 task failed with ValueError: no such file" in text
    assert "Engine 0 died after 3 s, while it had load (second), which was run again." in text
    for heading in ("Timeline", "Where the time went", "Failures", "Engines", "Slowest tasks"):
        assert heading in text


def test_the_page_is_called_run_html_if_nobody_says_otherwise(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_night(log)
    monkeypatch.chdir(log.parent)
    assert main(["report", log.name]) == 0
    assert (log.parent / "run.html").exists()


def test_a_page_loads_nothing(log: Path, page: Path) -> None:
    short_night(log)
    ipp_richsched.report(page, log)
    assert [address for address in _Page(page).loads if not address.startswith("data:")] == []
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page.read_text("utf-8"))
    assert policy is not None
    assert policy[1].startswith("default-src 'none';")
    assert "http" not in policy[1]


def test_what_is_missing_in_a_log_is_said_in_both_places(
    log: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Night(log, "a", run="before").submit("of another run")
    log.rename(f"{log}.1")
    night = short_night(log)
    night.add(gap_line(7))
    night.add('{"now":')
    assert main(["report", str(log), "-o", str(page)]) == 0
    said, text = capsys.readouterr().out, _Page(page).text
    for words in ("1 run before it", "7 events are missing", "the last line is cut off"):
        assert words in said
        assert words in text
    assert said.count("Note: ") == 3


def test_a_log_without_tasks(log: Path, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Night(log, "a")
    assert main(["report", str(log), "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}: No task was submitted.\n"
    assert "There was nothing to do." in _Page(page).text


def failing(log: Path, page: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which the command fails."""
    assert main(["report", str(log), "-o", str(page)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith("ipp-richsched: ")
    return line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("", "it is empty"),
        ("Dear diary,\n", "it is no JSON"),
        ('{"a": 1}\n', "it is no event log"),
        (f'{{"format":"ipp_richsched event log","version":{VERSION + 1}}}\n', "its version is 2"),
    ],
)
def test_a_log_that_cannot_be_read(
    log: Path,
    page: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    words: str,
) -> None:
    if content is not None:
        log.write_text(content)
    line = failing(log, page, capsys)
    assert f"{log}" in line
    assert words in line
    assert not page.exists()


def test_a_page_that_cannot_be_written(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short_night(log)
    nowhere = tmp_path / "nowhere" / "run.html"
    assert failing(log, nowhere, capsys) == f"ipp-richsched: {nowhere}: No such file or directory"
    assert failing(log, tmp_path, capsys) == f"ipp-richsched: {tmp_path}: Is a directory"
    before = log.read_text()
    assert "would take the place of the log" in failing(log, log, capsys)
    assert log.read_text() == before
    assert [*tmp_path.glob(".*")] == []


def test_without_bokeh_the_extra_is_named(
    log: Path,
    page: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short_night(log)
    monkeypatch.setitem(sys.modules, "bokeh", None)
    assert "pip install 'ipp-richsched[dashboard]'" in failing(log, page, capsys)
    with pytest.raises(ImportError, match="dashboard"):
        ipp_richsched.report(page, [])


def test_the_command_line_loads_bokeh_for_a_page_only() -> None:
    code = (
        "import sys; from ipp_richsched.cli import main; import ipp_richsched.monitor.report.write;"
        " sys.exit('bokeh' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


# -- what users write is no HTML -----------------------------------------------------------


def hostile_night(path: Path) -> None:
    night = Night(path, "a")
    night.submit(HOSTILE, label=HOSTILE)
    night.submit("half \ud800", label="half \ud800")
    night.submit("t", label="<!--<script>", after=[HOSTILE])
    night.wait(1.0)
    night.reply("a", HOSTILE, "error", error=TaskError(HOSTILE, HOSTILE))
    night.wait(1.0)
    night.reply("a", "half \ud800")


def test_what_users_write_is_no_html(log: Path, page: Path) -> None:
    hostile_night(log)
    ipp_richsched.report(page, log)
    assert "<img" not in page.read_text("utf-8").lower().replace("<img>", "")
    read = _Page(page)
    assert "img" not in read.tags
    assert "onerror" in read.text  # it can be read
    assert "49" not in read.text.split("Failures")[0]


# -- the function ------------------------------------------------------------------------


@pytest.mark.cluster
def test_results_of_a_cluster_become_a_page(page: Path) -> None:
    with local_cluster(2) as client:
        view = ipp_richsched.view(client)
        first = view.apply_async(pow, 2, 3)
        with view.temp_flags(after=first, label="my label"):
            second = view.apply_async(divmod, 1, 0)
        with view.temp_flags(after=second):
            third = view.apply_async(abs, -1)
        results = {"start": first, "middle": second, "end": third}
        assert client.wait(results.values(), timeout=PATIENCE)
        assert ipp_richsched.report(str(page), results) == page
    text = _Page(page).text
    assert "3 tasks on 2 engines" in text
    assert "1 succeeded, 2 failed (1 of them never ran)." in text
    assert "1 task failed with ZeroDivisionError" in text
    assert "(middle, after" in text
    assert "Because of that 1 other never ran." in text
    assert "my label" in text


@pytest.mark.parametrize("results", [3, ["a msg_id"], {"name": None}], ids=repr)
def test_what_is_no_result_is_refused(page: Path, results: Any) -> None:
    with pytest.raises(TypeError):
        ipp_richsched.report(page, results)
    assert not page.exists()


# -- large logs --------------------------------------------------------------------------


def long_night(path: Path, tasks: int) -> None:
    """Write a log as a core does, without one: two lines a task, on 16 engines."""
    Night(path, *(f"e{engine}" for engine in range(16)))
    random = Random(1)
    with path.open("a") as file:
        for number in range(tasks):
            engine, now = f"e{number % 16}", 100.0 + number // 16
            msg_id = f"{random.getrandbits(128):032x}_{number}"
            begin = f'{{"now":{now},"event":{{"type":"TaskSubmitted","msg_id":"{msg_id}"'
            sent = f'"actions":[{{"type":"AssignTask","msg_id":"{msg_id}","engine":"{engine}"'
            file.write(f'{begin},"client":"c"}},{sent},"attempt":1}}]}}\n')
            end = f'{{"now":{now + random.random()},"event":{{"type":"TaskReplied"'
            its = f'"msg_id":"{msg_id}","engine":"{engine}"'
            file.write(f'{end},{its},"status":"ok"}},"actions":[{{"type":"RelayReply",{its}}}]}}\n')


@pytest.mark.slow(40)
def test_a_log_of_100_000_tasks(log: Path, page: Path) -> None:
    """In a process of its own, whose processor time and memory are bounded."""
    long_night(log, 100_000)
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "import resource, sys; from ipp_richsched.cli import main; code = main(); print("
    code += "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    command = [sys.executable, "-c", code, "report", str(log), "-o", str(page)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.ru_utime - began.ru_utime < 60
    headline, kilobytes = run.stdout.splitlines()
    assert "100,000 tasks on 16 engines" in headline
    assert int(kilobytes) < 900_000
    assert page.stat().st_size < 20e6
    text = _Page(page).text
    assert re.search(r"100,000 attempts as [\d,]+ bars", text)
    assert "5,000 of 100,000 tasks are drawn" in text


# -- in a browser ------------------------------------------------------------------------


@pytest.fixture
def shown(page: Path, browser: Browser) -> Iterator[Any]:
    """Shows a run in a browser."""

    def show(run: Run) -> None:
        page.write_text(page_of(run), "utf-8", errors="replace")
        browser.open(page.as_uri())

    yield show
    assert browser.complaints() == []
    asked_for = browser.asked_for()
    assert [address for address in asked_for if not address.startswith(INSIDE)] == [page.as_uri()]


def test_a_bar_for_each_attempt_and_marks(shown: Any, browser: Browser) -> None:
    shown(RUN)
    assert len(browser.column("bars", "left")) == 7
    assert browser.column("marks died", "time") == [2.5]
    assert browser.column("marks given back", "time") == [0.901]
    assert browser.column("marks never ran", "text") == ["late never ran: TaskTimeout"]
    assert browser.text("h1").startswith("6 tasks on 3 engines in 9 s")


def at_step(browser: Browser, step: int) -> None:
    """Move the slider."""
    browser.run(
        "const slider = document.getElementById('slider'); slider.value = arguments[0];"
        "slider.dispatchEvent(new Event('input'))",
        step,
    )


@pytest.mark.parametrize("run", [RUN, UNFINISHED], ids=["finished", "unfinished"])
@pytest.mark.parametrize("step", [0, STEPS // 10, STEPS // 2, STEPS])
def test_the_slider_shows_how_tasks_stood(
    shown: Any, browser: Browser, run: Run, step: int
) -> None:
    shown(run)
    at_step(browser, step)
    seconds = (run.end - run.start) * step / STEPS
    states = [each.state_at(run.start + seconds) for each in run.tasks.values()]
    colours = [STATES[state] if state else UNBORN for state in states]
    assert browser.column("nodes", "colour") == colours
    cursor = "return Bokeh.documents[0].get_model_by_name('timeline-cursor').location"
    assert browser.run(cursor) == pytest.approx(seconds)
    clock = browser.text("#clock")
    never_ran = states.count("never ran")
    failed = states.count("failed") + never_ran
    assert (failed_text(failed, never_ran) in clock) == (failed > 0)
    for state in STATES.keys() - {"failed", "never ran"}:
        number = states.count(state)  # type: ignore[arg-type]
        assert (f"{number} {state}" in clock) == (number > 0)


def test_it_plays(shown: Any, browser: Browser) -> None:
    shown(RUN)
    browser.run("document.getElementById('play').click()")
    wait_for(lambda: 0 < browser.run("return +slider.value") < STEPS, "a moment in between")
    assert browser.run("return play.getAttribute('aria-label')") == "pause"
    browser.run("document.getElementById('play').click()")
    assert browser.run("return play.getAttribute('aria-label')") == "play"
    at_step(browser, STEPS - 20)
    browser.run("document.getElementById('play').click()")
    wait_for(lambda: browser.run("return +slider.value") == STEPS, "the end")
    assert "1 failed (it never ran)" in browser.text("#clock")


def test_a_task_that_is_clicked_tells_its_story(shown: Any, browser: Browser) -> None:
    shown(RUN)
    assert browser.text("#story") == ""
    place = [*RUN.tasks].index("fit-0")
    browser.click("dag", browser.column("nodes", "x")[place], browser.column("nodes", "y")[place])
    wait_for(lambda: "Task fit-0 succeeded on engine 0." in browser.text("#story"), "a story")
    browser.click("timeline", 7.5, 2)
    wait_for(lambda: "Task fit-1 succeeded on engine 10." in browser.text("#story"), "another")
    browser.run("document.getElementById('close').click()")
    assert browser.text("#story") == ""
    browser.click("timeline", 4, 3)  # a mark
    wait_for(lambda: "Task late never ran" in browser.text("#story"), "the story of a mark")


def test_a_browser_runs_nothing_that_users_wrote(shown: Any, browser: Browser, log: Path) -> None:
    hostile_night(log)
    run = run_of_log(log).run
    shown(run)
    assert browser.run("return document.images.length") == 0
    assert browser.run("return document.title").startswith("3 tasks on 1 engine")
    assert HOSTILE in browser.text("header")
    browser.click("timeline", 0.5, 0)
    wait_for(lambda: HOSTILE in browser.text("#story"), "a story")
    # the mouse is there, too
    wait_for(lambda: browser.has_text(f"{HOSTILE} on engine 0, 1 s, failed"), "what hovers")
    assert browser.run("return document.title").startswith("3 tasks on 1 engine")


def test_a_run_in_which_nothing_ran(shown: Any, browser: Browser) -> None:
    shown(run_of(task("a")))
    at_step(browser, 500)
    assert browser.column("nodes", "colour") == [STATES["waiting"]]
    assert browser.column("bars", "left") == []


def test_a_page_of_many_tasks_is_soon_there(shown: Any, browser: Browser) -> None:
    tasks = [
        task(f"t-{each}", (each % 16, each // 16, each // 16 + 0.9, "succeeded"))
        for each in range(5_000)
    ]
    began = time.monotonic()
    shown(run_of(*tasks, looked_at=313))
    assert time.monotonic() - began < 60  # some two seconds, on a machine with nothing else to do
    assert len(browser.column("bars", "left")) == 5_000
    at_step(browser, 500)
    colours = browser.column("nodes", "colour")
    assert colours.count(STATES["running"]) == 16


def test_a_browser_is_gone_however_a_test_ends(tmp_path: Path) -> None:
    skip_without_browser()
    processes = Processes(tmp_path)

    def test_that_fails() -> None:
        with processes:
            browser = Browser(processes.cwd)
            assert not processes.alive(), browser

    with pytest.raises(AssertionError):
        test_that_fails()
    assert not processes.alive()
