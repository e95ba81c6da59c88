"""A page that somebody looks at."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bokeh.core.properties import Float, Int, String
from bokeh.document import Document
from bokeh.model import DataModel
from bokeh.models import CustomJS

from . import keys, words
from .dag import Dag
from .look import EDGE
from .rates import Rates
from .stream import Stream
from .watch import Watch

_HERE = Path(__file__).parent
_TEMPLATE = (_HERE / "page.html").read_text()
_PARTS = {"style": (_HERE / "page.css").read_text(), "script": (_HERE / "page.js").read_text()}

_SHOW = "document.getElementById(cb_obj.name).innerHTML = cb_obj.html"
_CHOOSE = """
const place = source.selected.indices[0]
if (place !== undefined) {
  const task = source.data.task[place]
  source.selected.indices = []
  choice.value = `#${task}`
}
"""


class Words(DataModel):
    """What is written in an element of the page, which has the same name."""

    html: Any = String(default="")


class Choice(DataModel):
    """The task that is chosen: its msg_id, or ``#`` and its number; nothing if none is."""

    value: Any = String(default="")


class Pulse(DataModel):
    """Grows with each answer of the scheduler, so that the page knows that it is fresh.

    With it goes how many seconds old the answer is, and when it came.
    """

    answers: Any = Int(default=0)
    age: Any = Float(default=0)
    as_of: Any = String(default="")


class DashboardPage:
    """What somebody looks at, in one tab of a browser.

    Parameters
    ----------
    document : bokeh.document.Document
        What is shown there.
    watch : Watch
        What is known.
    cluster : str
        What the cluster is called.

    Attributes
    ----------
    chosen : str or None
        The task whose story is told.
    """

    def __init__(self, document: Document, watch: Watch, cluster: str) -> None:
        self.chosen: str | None = None
        self._document = document
        self._watch = watch
        self._is_due = False
        self._stream = Stream(watch.live)
        self._rates = Rates(watch.live, self._stream.x_range)
        self._dag = Dag(watch)
        self._words = {name: Words(name=name) for name in self._written()}
        self._pulse = Pulse(name="pulse")
        self._choice = Choice(name="choice")
        self._choice.on_change("value", self._choose)
        for each in self._words.values():
            each.js_on_change("html", CustomJS(code=_SHOW))
        for source in (*self._stream.sources, self._dag.nodes):
            take = CustomJS(args={"source": source, "choice": self._choice}, code=_CHOOSE)
            source.selected.js_on_change("indices", take)
        figures = (self._stream.figure, self._rates.figure, self._dag.figure)
        # models that nobody refers to would not be sent
        self._stream.figure.tags = [self._pulse, self._choice, *self._words.values()]
        self._update()
        for figure in figures:
            document.add_root(figure)
        document.title = "ipp_richsched"
        document.template = _TEMPLATE  # type: ignore[assignment]
        document.template_variables.update(_PARTS, cluster=cluster, edge=EDGE)

    def tell(self) -> None:
        """There is something new."""
        if not self._is_due:
            self._is_due = True
            self._document.add_next_tick_callback(self._update)

    def _update(self) -> None:
        """Show what is known."""
        self._is_due = False
        try:
            self._stream.update(self._watch.live.until or time.time())
            self._rates.update()
            self._dag.update()
            if self.chosen is not None:
                self._light()
        finally:  # what holds the run up is said, whatever is wrong with a figure
            for name, write in self._written().items():
                self._words[name].html = write()
            self._beat()

    def _beat(self) -> None:
        """Let the page know how fresh it is; `answers` comes last, since it looks then."""
        watch = self._watch
        if watch.status is not None:
            self._pulse.as_of = words.as_of(watch.status)
        self._pulse.age = watch.age
        self._pulse.answers = watch.answers

    def _written(self) -> dict[str, Callable[[], str]]:
        """What is written where, as long as it is known."""
        live, status = self._watch.live, self._watch.status
        found: dict[str, Callable[[], str]] = {
            "verdict": lambda: words.verdict(
                status, self._watch.error, self._watch.answers, live.losses
            ),
            "notes": lambda: words.notes(live),
            "stream-note": lambda: words.stream_note(live),
            "stream-labels": lambda: keys.labels(live),
            "stream-marks": lambda: keys.marks(live),
            "dag-states": lambda: keys.states(live.graph),
            "dag-note": lambda: self._dag.note,
            "labels": lambda: words.labels(live, status),
            "story": self._story,
        }
        names = ("totals", "waiting", "engines", "failures")
        if status is None:
            return {**found, **dict.fromkeys(names, lambda: "")}
        return {
            **found,
            "totals": lambda: words.totals(status),
            "waiting": lambda: words.waiting(status),
            "engines": lambda: words.engines(status),
            "failures": lambda: words.failures(live, status),
        }

    def _choose(self, attribute: str, old: str, new: str) -> None:
        """Somebody has chosen a task."""
        tasks = self._watch.live.tasks
        if new.startswith("#"):
            number = int(new[1:])
            self.chosen = tasks[number].msg_id if 0 <= number < len(tasks) else None
        else:
            self.chosen = new or None
        self._light()
        self._words["story"].html = self._story()
        self._watch.ask_now()

    def _light(self) -> None:
        task = self._watch.live.find(self.chosen) if self.chosen is not None else None
        self._stream.light(task)
        self._dag.light(task)

    def _story(self) -> str:
        if self.chosen is None:
            return ""
        return words.story(self._watch.live, self.chosen, self._watch.stories.get(self.chosen))
