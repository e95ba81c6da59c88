"""The dashboard, in a real browser and on real clusters; and who may not see it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import ipyparallel as ipp
import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

import ipp_richsched
from ipp_richsched.cli import main
from ipp_richsched.monitor import asker
from ipp_richsched.monitor.dashboard.beside import dashboard
from ipp_richsched.monitor.dashboard.thread import Dashboard
from ipp_richsched.monitor.dashboard.words import NAME, shortened
from ipp_richsched.wire.requests import ANSWER, REQUEST

from .browser import Browser, browser  # noqa: F401
from .chaos_load import hold
from .processes import PATIENCE, Command, Processes, script, wait_for
from .real_cluster import Cluster

EVIL = "</script><img src=x onerror=\"document.title='hacked'\"><b>fit"

pytestmark = pytest.mark.cluster


# -- on one cluster ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def rc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ipp.Client]:
    with Processes(tmp_path_factory.mktemp("dashboard")) as processes:
        cluster = Cluster(processes)
        cluster.start_controller()
        cluster.start_engine()
        cluster.start_engine()
        with cluster.connect() as client:
            client.wait_for_engines(2, timeout=PATIENCE)
            yield client


@pytest.fixture
def board(rc: ipp.Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    monkeypatch.setattr(asker, "PERIOD", 0.2)
    board = dashboard(rc)
    yield board
    board.close()


def text(page: Browser, selector: str) -> str:
    """What is seen of an element, which may be replaced at any time."""
    script = (
        "const found = document.querySelector(arguments[0]); return found ? found.innerText : ''"
    )
    return str(page.run(script, selector))


def has(page: Browser, selector: str, *texts: str) -> None:
    """Wait until these texts are seen in an element."""

    def seen() -> bool:
        return all(each in text(page, selector) for each in texts)

    try:
        wait_for(seen, f"{texts} in {selector}")
    except AssertionError as error:
        raise AssertionError(f"{error}, where this is: {text(page, 'body')}") from None


def click(page: Browser, figure: str, x: float, y: float, told: str) -> None:
    """Click on a place until the story of what is there is told: the page may move meanwhile."""

    def is_told() -> bool:
        page.click(figure, x, y)
        return told in text(page, "#story")

    wait_for(is_told, told)


def fail_once(path: str) -> str:
    import os

    if not os.path.exists(path):
        open(path, "w").close()
        raise ValueError("not yet")
    return "done"


@pytest.mark.slow(15)
def test_what_is_seen_of_a_run(
    rc: ipp.Client,
    board: Dashboard,
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    view = ipp_richsched.view(rc)
    with view.temp_flags(label="load"):
        loads = [view.apply_async(pow, 2, number) for number in range(4)]
    with view.temp_flags(label="sum", after=loads):
        total = view.apply_async(sum, [1, 2])
    with view.temp_flags(label=EVIL):
        bad = view.apply_async(lambda: {}["<i>key</i>"])
    with view.temp_flags(label="after", after=[bad]):
        never = view.apply_async(pow, 2, 2)
    with view.temp_flags(label="again", retries=1):
        again = view.apply_async(fail_once, str(tmp_path / "tried"))
    finished = [*loads, total, again]
    for result in finished:
        result.get(timeout=PATIENCE)
    with view.temp_flags(label="needs-a-gpu"):
        stuck = view.apply_async(ipp.depend(lambda: False)(pow), 2, 3)

    browser.open(board.url)
    has(browser, "#verdict li:first-child", "STUCK", "needs-a-gpu", "no engine takes it")
    has(browser, "#waiting", "needs-a-gpu", "is stranded")
    has(browser, "#failures", "KeyError", "<i>key</i>", EVIL, "after")
    evil = shortened(EVIL, NAME)
    has(browser, "#labels", "load", "4/4", "sum", "1/1", evil, "0/1", "1 failed")
    has(browser, "#stream-labels", "load", "sum", evil)
    has(browser, "#engines", "idle")
    counted = {
        state: text(browser, f"[data-count={state}]") for state in ("succeeded", "failed", "ready")
    }
    assert counted == {"succeeded": "6", "failed": "2", "ready": "1"}

    # what a user has written is a text and nothing else
    assert browser.run("return document.title") == "ipp_richsched"
    assert browser.run("return document.querySelectorAll('img, b b, script img').length") == 0

    # each attempt that clients know of is a bar
    view.cancel([stuck])
    has(browser, "#verdict li:first-child", "FAILED", "KeyError (2 tasks)")
    results = [*finished, bad, never, stuck]
    stories = ipp_richsched.why(rc, [result.msg_ids[0] for result in results])
    attempts = sum(len(story.attempts) for story in stories)
    wait_for(lambda: len(browser.column("recent", "task")) == attempts, f"{attempts} bars")
    has(browser, "#stream-note", f"{attempts} attempts")
    assert len(browser.column("nodes", "task")) == len(results)

    # a task that is clicked tells its story, and marks what it waited for
    place = browser.column("nodes", "text").index("sum: succeeded")
    x, y = (browser.column("nodes", name)[place] for name in "xy")
    click(browser, "dag", x, y, f"task {total.msg_ids[0]}")
    has(browser, "#story", "succeeded", "It waited for", "load")
    assert len(browser.column("lit nodes", "x")) == 5
    assert len(browser.column("lit bars", "row")) == 5
    browser.run("document.querySelector('#story a').click()")
    has(browser, "#story", "(load) succeeded", "What waits for it:", "sum")

    # so does a bar: the longest, since others are narrow
    ends = zip(browser.column("recent", "left"), browser.column("recent", "right"), strict=True)
    middles = [((left + right) / 2, right - left) for left, right in ends]
    place = max(range(attempts), key=lambda i: middles[i][1])
    name = browser.column("recent", "text")[place].split(" on ")[0]
    row = browser.column("recent", "row")[place]
    click(browser, "stream", middles[place][0], row, f"({name})")
    browser.run("document.getElementById('close').click()")
    wait_for(lambda: not text(browser, "#story"), "no story any more")
    assert not browser.complaints()


def raise_much() -> None:
    raise ValueError("a long story " * 40)


TIP = """
const tip = [...document.querySelectorAll(".bk-Tooltip")].find((each) => each.offsetWidth > 0);
if (!tip) return null;
const box = tip.getBoundingClientRect(), story = document.querySelector("aside");
const layer = (element) => Number(getComputedStyle(element).zIndex);
return {
  is_inside: box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight,
  is_below: layer(tip) < layer(story) && !tip.matches(":popover-open"),
  is_seen: getComputedStyle(tip).visibility === "visible" && box.height > 20,
};
"""


@pytest.mark.slow(10)
def test_what_is_said_of_a_dot_is_in_the_page_and_below_the_story(
    rc: ipp.Client,
    board: Dashboard,
    browser: Browser,  # noqa: F811
) -> None:
    result = ipp_richsched.view(rc, label="long").apply_async(raise_much)
    result.wait(PATIENCE)
    browser.open(board.url)
    browser.complaints()  # of the page before

    def place_of(source: str) -> int | None:
        found = [text.startswith("long") for text in browser.column(source, "text")]
        return found.index(True) if True in found else None

    def tip(figure: str, source: str, *axes: str) -> dict[str, bool] | None:
        place = place_of(source)
        assert place is not None
        browser.point(figure, *(browser.column(source, axis)[place] for axis in axes))
        found: dict[str, bool] | None = browser.run(TIP)
        return found

    wait_for(lambda: place_of("nodes") is not None, "a dot")
    dot = place_of("nodes")
    assert dot is not None
    assert "ValueError" in browser.column("nodes", "text")[dot]
    assert len(browser.column("nodes", "text")[dot]) < 300
    good = {"is_inside": True, "is_below": True, "is_seen": True}
    assert wait_for(lambda: tip("stream", "recent", "left", "row"), "what a bar is") == good
    assert wait_for(lambda: tip("dag", "nodes", "x", "y"), "what a dot is") == good
    x, y = (browser.column("nodes", axis)[dot] for axis in "xy")
    click(browser, "dag", x, y, f"task {result.msg_ids[0]}")
    assert not browser.complaints()


@pytest.mark.slow(10)
def test_nobody_is_asked_while_nobody_looks(
    rc: ipp.Client,
    board: Dashboard,
    browser: Browser,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    send = rc._send

    def count(socket: object, kind: str, *args: object, **kwargs: object) -> object:
        sent.append(kind)
        return send(socket, kind, *args, **kwargs)

    monkeypatch.setattr(rc, "_send", count)

    def is_quiet() -> bool:
        """Whether nothing is sent in five times the time between two questions."""
        before = len(sent)
        return not _changes_within(lambda: len(sent) != before, 5 * asker.PERIOD)

    assert is_quiet()
    assert not sent
    browser.open(board.url)
    wait_for(lambda: len(sent) > 6, "questions")
    assert set(sent) == {REQUEST}
    browser.driver.get("about:blank")
    wait_for(is_quiet, "no more questions")


def _changes_within(changed: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if changed():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.slow(5)
def test_a_page_that_was_cut_off_comes_back(
    board: Dashboard,
    browser: Browser,  # noqa: F811
    recwarn: pytest.WarningsRecorder,
) -> None:
    browser.open(board.url)
    has(browser, "#age", "live")
    browser.run("window.is_old = true")
    # a slow machine: Bokeh itself would connect again before the page is loaded anew
    browser.run(
        "const real = window.fetch;"
        "window.fetch = (...args) => new Promise((resolve) =>"
        " setTimeout(() => resolve(real(...args)), 4000))"
    )
    assert board._server is not None
    served = board._server
    served.loop.add_callback(
        lambda: [each._socket.close() for each in served._server._tornado._clients]
    )
    wait_for(lambda: not browser.run("return window.is_old"), "another page")
    has(browser, "#age", "live")
    assert not [each for each in recwarn if "already known" in f"{each.message}"]


@pytest.mark.slow(15)
def test_the_top_says_so_as_soon_as_nothing_answers(
    rc: ipp.Client,
    board: Dashboard,
    browser: Browser,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def seen() -> tuple[str, str, str]:
        """The corner, the headline and the totals of one moment."""
        script = "return arguments[0].map((each) => document.querySelector(each).innerText)"
        corner, headline, totals = browser.run(
            script, ["#age", "#verdict li:first-child", "#totals"]
        )
        return corner, headline, totals

    browser.open(board.url)
    has(browser, "#age", "live")
    has(browser, "#totals", "finish")
    assert "NO ANSWER" not in text(browser, "#verdict")
    with monkeypatch.context() as patched:
        patched.setitem(rc._queue_handlers, ANSWER, lambda answer: None)
        _, headline, totals = wait_for(
            lambda: (now := seen())[0].startswith("NO ANSWER") and now, "nothing that answers"
        )
        # the client that asks gives up after 10 s only
        assert "NO ANSWER" in headline
        assert re.search(r"Nothing has answered for \d+ s\. .* as of \d\d:\d\d:\d\d\.", headline)
        assert "finish" not in totals
        has(browser, "#verdict li:first-child", "has not answered 'status' for 10 s", "is as of")
        assert text(browser, "#verdict").count("NO ANSWER") == 1
        assert "finish" not in text(browser, "#totals")
    has(browser, "#age", "live")
    has(browser, "#totals", "finish")
    assert "NO ANSWER" not in text(browser, "#verdict")


# -- who may see it ----------------------------------------------------------------------


def status_of(url: str) -> int:
    """What a server answers to GET."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def refuses_websocket(url: str, protocols: list[str], origin: str) -> bool:
    """Whether it says 403 to who wants to open a websocket."""

    async def opens() -> None:
        request = HTTPRequest(url, headers={"Origin": origin})
        (await websocket_connect(request, subprotocols=protocols)).close()

    try:
        asyncio.run(opens())
    except HTTPClientError as error:
        return error.code == 403
    return False


def test_without_the_token_there_is_nothing(board: Dashboard) -> None:
    parts = urlsplit(board.url)
    here = f"http://{parts.netloc}"
    assert parts.hostname == "127.0.0.1"
    assert status_of(board.url) == 200
    wrong = f"{board.url[:-1]}{'0' if board.url[-1] != '0' else '1'}"
    for url in (here, f"{here}/?token=", wrong, f"{here}/?token=%ff%00", f"{here}/autoload.js"):
        assert status_of(url) == 403
    address = f"ws://{parts.netloc}/ws"
    for token in ("", "nothing", "a.b", "eyJzZXNzaW9uX2lkIjogIngifQ.c2ln"):
        assert refuses_websocket(address, ["bokeh", token], here)
    # nor with the token of the page from a page of somebody else's
    assert refuses_websocket(f"{address}?{parts.query}", ["bokeh", "x"], "http://evil.example")


def test_only_this_host_is_served(board: Dashboard) -> None:
    port = urlsplit(board.url).port
    for name in {socket.gethostbyname(socket.gethostname())} - {"127.0.0.1"}:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((name, port or 0), timeout=PATIENCE).close()


def test_a_notebook_shows_the_link(board: Dashboard) -> None:
    assert f'href="{board.url}"' in board._repr_html_()
    assert board.url in repr(board)
    board.close()
    wait_for(lambda: _is_refused(board.url), "nobody who listens")
    board.close()  # once more does nothing


def _is_refused(url: str) -> bool:
    try:
        status_of(url)
    except urllib.error.URLError:
        return True
    return False


def test_a_port_that_is_taken_is_named(rc: ipp.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Exception, match=f"port {port} cannot be used: "):
            dashboard(rc, port)


# -- the command -------------------------------------------------------------------------


def command(cluster: Cluster, *options: str) -> Command:
    profile = cluster.processes.ipython_dir / "profile_default"
    return cluster.processes.start(
        *(script("ipp-richsched"), "dashboard", "--profile-dir", str(profile), *options)
    )


@pytest.mark.slow(20)
def test_the_command_goes_on_after_the_controller_was_restarted(
    cluster: Cluster,
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    cluster.start_controller()
    cluster.start_engine()
    served = command(cluster, "--port", "0")
    served.wait_for_log("\n")
    url = served.log.splitlines()[0]
    assert url.startswith("http://127.0.0.1:")
    with cluster.connect() as rc:
        rc.wait_for_engines(1, timeout=PATIENCE)
        view = ipp_richsched.view(rc, label="hold")
        held = [view.apply_async(hold, str(tmp_path)) for _ in range(2)]
        browser.open(url)
        has(browser, "#verdict li:first-child", "BUSY", "The only engine is busy")
        has(browser, "#age", "live")
        assert len(browser.column("running", "task")) == 1

        cluster.controller.interrupt()
        has(browser, "#verdict li:first-child", "NO ANSWER", "What is below is as of")
        has(browser, "#age", "NO ANSWER")
        cluster.start_controller()
        lost = ("FAILED", "2 tasks were lost", "Submit them again")
        has(browser, "#verdict li:first-child", *lost)
        has(browser, "#verdict", "No task was submitted yet")
        has(browser, "#failures", "lost with their controller", "hold")
        has(browser, "#labels", "hold", "2 lost")
        has(browser, "#stream-marks", "lost with its controller")
        has(browser, "#dag-states", "lost")
        has(browser, "#age", "live")
        assert len(browser.column("running", "task")) == 0
        assert [each.endswith(", lost") for each in browser.column("recent", "text")] == [True]
        nodes = browser.column("nodes", "text")
        assert [each.endswith(": lost") for each in nodes] == [True, True]
        assert not any(result.done() for result in held)

    # the page says so, too, when it is the dashboard that has gone
    assert served.interrupt() == 0
    assert "Traceback" not in served.log
    has(browser, "#age", "NO ANSWER")


def test_sigterm_ends_it(cluster: Cluster) -> None:
    cluster.start_controller()
    served = command(cluster, "--port", "0")
    served.wait_for_log("\n")
    served.process.send_signal(signal.SIGTERM)
    assert served.wait() == 0
    assert "Traceback" not in served.log


@pytest.mark.slow(10)
def test_the_demo_can_be_looked_at(cluster: Cluster) -> None:
    words = ("demo", "-n", "2", "--tasks", "12", "--dashboard")
    demo = cluster.processes.start(script("ipp-richsched"), *words, PYTHONUNBUFFERED="1")
    demo.wait_for_log("dashboard: http")
    [url] = re.findall(r"^dashboard: (\S+)$", demo.log, re.MULTILINE)
    assert status_of(url) == 200
    assert demo.wait() == 0, demo.log
    assert "until you press Enter" in demo.log
    assert _is_refused(url)


def test_what_stands_in_the_way_is_said_in_one_line(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = str(cluster.processes.ipython_dir / "profile_default")

    def refused(*options: str) -> str:
        assert main(["dashboard", "--profile-dir", profile, *options]) == 1
        output = capsys.readouterr()
        assert (output.out, output.err.count("\n")) == ("", 1)
        return output.err

    cluster.start_controller()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} cannot be used" in refused("--port", f"{port}")
    cluster.controller.interrupt()
    assert "no cluster runs there" in refused()

    stock = [sys.executable, "-m", "ipp_richsched.workflows.stock_controller"]
    controller = cluster.processes.start(*stock)
    files = {"ipcontroller-client.json", "ipcontroller-engine.json"}
    controller.wait_until(lambda: files <= set(cluster.processes.security_files()), "its files")
    assert "is not ipp_richsched's" in refused()


def test_without_bokeh_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [*sys.modules]:
        if name.startswith(("ipp_richsched.monitor.dashboard", "bokeh")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "bokeh", None)
    for words in (["dashboard"], ["demo", "--dashboard"]):
        assert main(words) == 1
        output = capsys.readouterr()
        assert "pip install 'ipp-richsched[dashboard]'" in output.err
        assert (output.out, output.err.count("\n")) == ("", 1)
    with pytest.raises(ImportError, match=r"pip install 'ipp-richsched\[dashboard\]'"):
        ipp_richsched.dashboard(None)


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_cannot_be_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["dashboard", f"--port={port}"])
    assert refused.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_nothing_is_left_of_the_environment() -> None:
    """The secrets of one dashboard are no settings of the process."""
    assert not [name for name in os.environ if name.startswith("BOKEH")]
