"""Makes the picture of the dashboard anew: ``python -m tests.dashboard_picture``.

On a real cluster, in a real browser: a DAG runs, an engine is killed, a task fails, and no engine
takes another one.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path
from random import Random

import ipyparallel as ipp

import ipp_richsched
from ipp_richsched.client.view import RichView

from .browser import Browser
from .processes import PATIENCE, ROOT, Processes, wait_for
from .real_cluster import Cluster

PICTURE = ROOT / "docs" / "dashboard.png"

ENGINES = 6
SIZE = (1280, 800)


def work(seconds: float, fails: bool) -> None:
    """What an engine does for a task."""
    import time

    time.sleep(seconds)
    if fails:
        raise ValueError("the matrix is singular")


def submit(view: RichView) -> list[ipp.AsyncResult]:
    """Submit a small analysis; all results."""
    random = Random(3)

    def some(
        label: str, number: int, seconds: float, before: list[ipp.AsyncResult]
    ) -> list[ipp.AsyncResult]:
        """So many tasks, between which those before them are divided."""
        found = []
        for place in range(number):
            begin, end = (each * len(before) // number for each in (place, place + 1))
            after = before[begin : max(end, begin + 1)]
            took = seconds * random.uniform(0.6, 1.4)
            with view.temp_flags(label=label, after=after):
                found.append(view.apply_async(work, took, label == "fit" and place == 5))
        return found

    loaded = some("load", 8, 1.0, [])
    cleaned = some("clean", 8, 0.7, loaded)
    fits = some("fit", 24, 1.8, cleaned)
    merged = some("merge", 6, 1.0, fits)
    return [*loaded, *cleaned, *fits, *merged, *some("plot", 1, 1.0, merged)]


def main() -> None:
    """Draw it."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Processes(Path(directory)) as processes,
    ):
        cluster = Cluster(processes)
        cluster.start_controller("--RichTaskScheduler.engine_grace=1")
        for _ in range(ENGINES):
            cluster.start_engine()
        with cluster.connect() as rc:
            rc.wait_for_engines(ENGINES, timeout=PATIENCE)
            board = ipp_richsched.dashboard(rc)
            browser = Browser(processes.cwd)
            try:
                draw(cluster, rc, board.url, browser)
            finally:
                browser.driver.quit()
                board.close()


def draw(cluster: Cluster, rc: ipp.Client, url: str, browser: Browser) -> None:
    """Have things happen, and take the picture."""
    width, height = SIZE
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.open(url)
    view = ipp_richsched.view(rc, max_crashes=3, retries=1)
    results = submit(view)
    wait_for(lambda: sum(result.done() for result in results) >= 16, "the fits")
    time.sleep(0.7)  # in the middle of one
    os.kill(cluster.pid(2), signal.SIGKILL)
    with view.temp_flags(label="needs-a-gpu"):
        view.apply_async(ipp.depend(lambda: False)(work), 1.0, False)
    wait_for(lambda: sum(result.done() for result in results) >= 38, "most of it")
    ready = "return document.querySelector('#verdict li').innerText.includes('needs-a-gpu')"
    wait_for(lambda: browser.run(ready), "what holds it up")
    browser.driver.save_screenshot(str(PICTURE))
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
