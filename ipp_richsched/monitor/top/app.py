"""The screen of ``ipp-richsched top``, and its keys."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.message import Message
from textual.widgets import DataTable, Footer, Input, Static

from ...client.holdups import holdups
from ...client.status import Status
from .. import tables
from ..asker import Asker
from . import head
from .panel import Panel
from .questions import Answer, Questions, Source
from .story import StoryScreen

WIDE = (110, 28)
"""From how many columns and lines on all tables are seen at once."""

TALL = 34
"""From how many lines on errors have the whole width, where all tables are seen."""

LOW = 16
"""Under how many lines there is room for the most important only."""

PANELS = {
    "waiting": (tables.WAITING, tables.waiting),
    "labels": (tables.LABELS, tables.labels),
    "engines": (tables.ENGINES, tables.engines),
    "failures": (tables.FAILURES, tables.failures),
}
"""The tables: their columns, and what fills them."""

SHORT = {"waiting": "Wait", "labels": "Lab", "engines": "Eng", "failures": "Fail"}
"""What they are called where there is little room."""


class Told(Message):
    """The asker has an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class Top(App[None]):
    """How things stand on a cluster, live.

    Parameters
    ----------
    source : Source
        Who is asked how they stand.
    cluster : str
        What the cluster is called.
    first : Status, optional
        How they stand now, if that is known.
    """

    CSS_PATH = "top.tcss"
    TITLE = "ipp-richsched top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = [
        Binding("q", "quit", "Quit"),
        Binding("space,p", "pause", "Pause", key_display="space"),
        Binding("slash", "search", "Filter", key_display="/"),
        Binding("escape", "clear", "Clear", show=False),
        *(
            Binding(f"{number}", f"look('{name}')", name.capitalize(), show=False)
            for number, name in enumerate(PANELS, 1)
        ),
    ]

    def __init__(self, source: Source, cluster: str, first: Status | None = None) -> None:
        super().__init__()
        self._questions = Questions(source)
        self._asker = Asker(
            self._questions.ask, Answer.failed, lambda answer: self.post_message(Told(answer))
        )
        self._cluster = cluster
        self._status = first
        self._came = time.monotonic()
        self._error: str | None = None

    def compose(self) -> ComposeResult:
        """What is on the screen, from the top down."""
        yield Static(id="title")
        yield Static(id="verdict")
        yield Static(id="progress")
        yield Static(id="tabs")
        with Container(id="panels"):
            for name, (columns, _) in PANELS.items():
                yield Panel(name, columns)
        yield Input(placeholder="show only what contains ...", id="search", compact=True)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to ask."""
        self.action_look("waiting")
        self._show()
        self._asker.start()
        self.set_interval(0.5, self._show_title)

    def on_unmount(self) -> None:
        """Ask no more."""
        self._asker.end()

    # -- what comes in -----------------------------------------------------------------

    def on_told(self, message: Told) -> None:
        """Show what the asker has learned."""
        if not self._is_there():
            return
        answer = message.answer
        self._error = answer.error
        if answer.status is not None and not self._questions.is_paused:
            self._status, self._came = answer.status, time.monotonic()
        if isinstance(self.screen, StoryScreen):
            if answer.error is not None:
                self.screen.fail(answer.error)
            elif answer.story is not None and answer.story.msg_id == self._questions.task:
                self.screen.show(answer.story)
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Choose what there is room for."""
        width, height = event.size
        self.set_class(width >= WIDE[0] and height >= WIDE[1], "-wide")
        self.set_class(height >= TALL, "-tall")
        self.set_class(height < LOW, "-low")
        self._show()

    # -- keys --------------------------------------------------------------------------

    def action_look(self, name: str) -> None:
        """Look at a table."""
        for panel in self.query(Panel):
            panel.set_class(panel.id == name, "-chosen")
            panel.show_cursor = panel.id == name
        self.query_one(f"#{name}", Panel).focus()
        self._show_tabs()

    def action_step(self, by: int) -> None:
        """Look at the next table, or at the one before."""
        names = list(PANELS)
        at = names.index(self._chosen.id or "")
        self.action_look(names[(at + by) % len(names)])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click chooses a table as well."""
        if isinstance(event.widget, Panel) and not event.widget.has_class("-chosen"):
            self.action_look(event.widget.id or "")

    def action_pause(self) -> None:
        """Leave the screen as it is, or go on."""
        self._questions.is_paused = not self._questions.is_paused
        self._asker.ask_now()
        self._show_title()

    def action_search(self) -> None:
        """Ask what has to be in a row."""
        self.add_class("-searching")
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show only the rows that have it, while it is typed."""
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the table; the filter stays."""
        self.set_class(bool(event.value), "-searching")
        self._chosen.focus()

    def action_clear(self) -> None:
        """Show all rows again."""
        self.query_one(Input).value = ""
        self.remove_class("-searching")
        self._chosen.focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Tell the story of the task under the cursor."""
        task = self._chosen.story_of
        if task is None:
            return
        self._questions.task = task
        self.push_screen(StoryScreen(), lambda _: setattr(self._questions, "task", None))
        self._asker.ask_now()

    # -- what is shown -----------------------------------------------------------------

    @property
    def _chosen(self) -> Panel:
        return self.query_one("Panel.-chosen", Panel)

    def _show(self) -> None:
        """Show what is known."""
        if not self._is_there():
            return
        self._show_title()
        root = self.screen_stack[0]
        width, height = self.size
        status = self._status
        lines = 1 if height < LOW else 2 if height < WIDE[1] else 4
        found = [] if status is None else holdups(status)
        root.query_one("#verdict", Static).update(head.verdict(found, self._error, lines))
        if status is None:
            return
        has_numbers = height >= LOW
        root.query_one("#progress", Static).update(head.progress(status, width, has_numbers))
        search = root.query_one(Input).value
        for name, (_, fill) in PANELS.items():
            root.query_one(f"#{name}", Panel).show(fill(status), search)
        self._show_tabs()

    def _is_there(self) -> bool:
        """Whether there is a screen: an answer may come, or a timer ring, while the user quits."""
        return bool(self.screen_stack) and bool(self.screen_stack[0].query("#title"))

    def _show_title(self) -> None:
        if not self._is_there():
            return
        age = None if self._status is None else time.monotonic() - self._came
        is_paused, has_failed = self._questions.is_paused, self._error is not None
        text = head.title(self._cluster, age, is_paused, has_failed, self.size.width)
        self.screen_stack[0].query_one("#title", Static).update(text)

    def _show_tabs(self) -> None:
        """Which tables there are: where there is no room for all, this is how one finds them."""
        root = self.screen_stack[0]
        is_short = self.size.width < 60
        space = "" if is_short else " "
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, panel in enumerate(root.query(Panel), 1):
            name = panel.title
            if is_short:
                name = f"{SHORT[panel.id or '']} {panel.table.count:,}"
            style = "reverse bold" if panel.has_class("-chosen") else ""
            text.append(f"{space}{number} {name}{space}", style=style).append(" ")
        root.query_one("#tabs", Static).update(text)
