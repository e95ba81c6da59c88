"""A real browser without a screen: Debian's chromium, driven by selenium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from .processes import Processes, wait_for

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
]

INSIDE = ("data:", "blob:")
"""The beginnings of addresses of what is in the page itself."""


class Browser:
    """A browser with one page, which shows figures of Bokeh's.

    Parameters
    ----------
    directory : Path
        An empty one, for what it remembers.
    """

    def __init__(self, directory: Path) -> None:
        options = Options()
        options.binary_location = str(CHROMIUM)
        for option in (*OPTIONS, f"--user-data-dir={directory}", "--window-size=1280,900"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self._asked_for: list[str] = []

    def open(self, address: str) -> None:
        """Open a page, and wait until its figures are drawn."""
        self.driver.get("about:blank")
        self.driver.get_log("performance")  # what the page before it asked for
        self._asked_for.clear()
        self.driver.get(address)
        ready = "return !!window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents[0].is_idle"
        wait_for(lambda: self.run(ready), "figures that are drawn")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page; what it returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """The text that is seen of an element, which a CSS selector names."""
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def has_text(self, text: str) -> bool:
        """Whether a text is anywhere in the page, also in what Bokeh hides from selectors."""
        script = """
            const walk = (node) => {
              if (node.nodeType === Node.TEXT_NODE) return node.data;
              const roots = node.shadowRoot ? [node.shadowRoot] : [];
              return [...roots, ...node.childNodes].map(walk).join("");
            };
            return walk(document.body).includes(arguments[0]);
        """
        return bool(self.run(script, text))

    def column(self, source: str, name: str) -> list[Any]:
        """A column of a source of Bokeh's, by their names."""
        script = "return Array.from(Bokeh.documents[0].get_model_by_name(arguments[0])"
        found: list[Any] = self.run(f"{script}.data[arguments[1]])", source, name)
        return found

    def click(self, figure: str, x: float, y: float) -> None:
        """Click on a place of a figure, given in what its axes show."""
        actions = self._move_to(figure, x, y)
        actions.w3c_actions.pointer_action.click()
        actions.perform()

    def point(self, figure: str, x: float, y: float) -> None:
        """Point with the mouse at a place of a figure."""
        self._move_to(figure, x, y).perform()

    def _move_to(self, figure: str, x: float, y: float) -> ActionChains:
        place = self.run(
            """
            const model = Bokeh.documents[0].get_model_by_name(arguments[0]);
            const view = Bokeh.index.find_one(model);
            view.el.scrollIntoView({block: "center"});
            const box = view.canvas_view.el.getBoundingClientRect();
            return [
              box.left + view.frame.x_scale.compute(arguments[1]),
              box.top + view.frame.y_scale.compute(arguments[2]),
            ];
            """,
            *(figure, x, y),
        )
        actions = ActionChains(self.driver)
        actions.w3c_actions.pointer_action.move_to_location(*map(round, place))
        return actions

    def asked_for(self) -> list[str]:
        """The addresses that the page has asked for since it was opened, its own first."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._asked_for.append(message["params"]["request"]["url"])
        return self._asked_for

    def complaints(self) -> list[str]:
        """What the browser has to say against the page since it was last asked."""
        every = self.driver.get_log("browser")
        return [entry["message"] for entry in every if entry["level"] in ("WARNING", "SEVERE")]


def skip_without_browser() -> None:
    """Skip a test where no browser is, and say so."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium with its chromedriver is here: apt-get install chromium-driver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; skips the test where there is none."""
    skip_without_browser()
    # whatever it starts has a mark by which it is found and killed, however the tests end
    with Processes(tmp_path_factory.mktemp("browser")) as processes:
        found = Browser(processes.cwd)
        try:
            yield found
        finally:
            found.driver.quit()
