"""Makes pictures of ways to look anew: ``python -m tests.look_pictures``.

On a real cluster, whose run is that of the picture of the dashboard: what a notebook shows of
`ipp_richsched.status`, the screen of ``ipp-richsched top``, and the report.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path

import ipyparallel as ipp

import ipp_richsched
from ipp_richsched.client.status import Status
from ipp_richsched.monitor.source import OneClient
from ipp_richsched.monitor.top.app import Top

from .browser import Browser
from .dashboard_picture import ENGINES, submit, work
from .processes import PATIENCE, ROOT, Processes, wait_for
from .real_cluster import Cluster

DOCS = ROOT / "docs"
STATUS = DOCS / "pictures" / "status.png"
TOP = DOCS / "top.svg"
REPORT = DOCS / "pictures" / "report.png"

NARROW, WIDE = 760, 1200
"""Pixels: what is mostly text has to be read where a page is narrow."""

SCREEN = (132, 36)
"""Columns and lines of the terminal."""

NOTEBOOK = """
<!doctype html>
<meta charset="utf-8">
<style>
  body {{ margin: 12px; overflow: hidden; font: 13px/1.5 system-ui, sans-serif; color: #212121; }}
  table {{ border-collapse: collapse; font-size: 12px; }}
  td, th {{ padding: 3px 8px; }}
  tbody tr:nth-child(odd) {{ background: #f5f5f5; }}
</style>
<body>{}</body>
"""
"""A page that looks like the output of a cell."""


def main() -> None:
    """Draw them."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Processes(Path(directory)) as processes,
    ):
        log = processes.cwd / "night.jsonl"
        cluster = Cluster(processes)
        cluster.start_controller(
            "--RichTaskScheduler.engine_grace=1",
            "--RichTaskScheduler.stranded_timeout=20",
            f"--RichTaskScheduler.event_log={log}",
        )
        for _ in range(ENGINES):
            cluster.start_engine()
        with cluster.connect() as rc:
            rc.wait_for_engines(ENGINES, timeout=PATIENCE)
            status = get_stuck(cluster, rc)
            TOP.write_text(asyncio.run(screen(OneClient(rc))))
            assert rc.wait(timeout=PATIENCE)
        os.kill(cluster.controller.process.pid, signal.SIGINT)
        cluster.controller.wait()  # then its log is complete
        ipp_richsched.report(processes.cwd / "run.html", log)
        page = processes.cwd / "status.html"
        page.write_text(NOTEBOOK.format(status._repr_html_()))
        (processes.cwd / "browser").mkdir()
        browser = Browser(processes.cwd / "browser")
        try:
            browser.driver.get(page.as_uri())
            show(browser, NARROW, 100)
            show(browser, NARROW, int(browser.run("return document.body.scrollHeight")) + 24)
            browser.driver.save_screenshot(str(STATUS))
            browser.open((processes.cwd / "run.html").as_uri())
            browser.run("document.documentElement.style.overflow = 'hidden'")
            show(browser, WIDE, 780)
            browser.driver.save_screenshot(str(REPORT))
        finally:
            browser.driver.quit()
    for picture in (STATUS, TOP, REPORT):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")


def get_stuck(cluster: Cluster, rc: ipp.Client) -> Status:
    """Have an engine killed, a task fail, and no engine take another one; how things stand then."""
    view = ipp_richsched.view(rc, max_crashes=3, retries=1)
    with view.temp_flags(label="needs-a-gpu"):
        view.apply_async(ipp.depend(lambda: False)(work), 1.0, False)
    results = submit(view)
    wait_for(lambda: sum(result.done() for result in results) >= 16, "the fits")
    time.sleep(0.7)  # in the middle of one
    os.kill(cluster.pid(2), signal.SIGKILL)
    found: list[Status] = []

    def is_stuck() -> bool:
        found.append(ipp_richsched.status(rc, oldest=5))
        return bool(found[-1].stranded and found[-1].failed and found[-1].waiting)

    wait_for(is_stuck, "what holds it up")
    return found[-1]


async def screen(source: OneClient) -> str:
    """What the terminal shows."""
    app = Top(source, "profile default", source.status())
    async with app.run_test(size=SCREEN) as pilot:
        await pilot.pause()
        return app.export_screenshot(title="ipp-richsched top")


def show(browser: Browser, width: int, height: int) -> None:
    """Make the window so large."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wait_for(lambda: browser.run("return innerHeight") == height, "the window")


if __name__ == "__main__":
    main()
