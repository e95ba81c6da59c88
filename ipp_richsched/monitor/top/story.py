"""The story of one task, in front of everything else."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ...client.data import printable
from ...client.why import Story


class StoryScreen(ModalScreen[None]):
    """Shows a story, which is asked for again as long as it is looked at."""

    BINDINGS: ClassVar = [("escape,q,enter", "dismiss", "Back")]

    CSS = """
    StoryScreen { align: center middle; }
    StoryScreen > VerticalScroll {
        width: 90%; max-width: 120; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
        border-title-style: bold;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._text = Static("The scheduler is asked ...")
        self._box = VerticalScroll(self._text)

    def compose(self) -> ComposeResult:
        """One text, which can be scrolled."""
        self._box.border_title = "Why"
        self._box.border_subtitle = "esc: back"
        yield self._box

    def show(self, story: Story) -> None:
        """Show what is known by now."""
        first, *others = f"{story}".splitlines()
        text = Text(printable(first), style="bold")
        for line in others:
            text.append(f"\n{printable(line)}", style="not bold")
        self._text.update(text)

    def fail(self, error: str) -> None:
        """Say why nothing newer is known."""
        self._box.border_subtitle = printable(error)[:60]
