"""A table on the screen."""

from __future__ import annotations

from typing import ClassVar

from rich.console import JustifyMethod
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.widgets import DataTable

from ...client.data import printable
from ..tables import Column, Row, Table, arranged, widths

STYLES = {"bad": "bold red", "warn": "yellow", "dim": "dim", "": ""}


class Panel(DataTable[Text]):
    """One table: it keeps the cursor on the same thing while the rows change.

    Parameters
    ----------
    name : str
        Its id, and what it is called until there is something to show.
    columns : tuple of Column
        Its columns.
    """

    BINDINGS: ClassVar = [
        Binding("enter", "select_cursor", "Why", key_display="⏎"),
        Binding("s", "sort", "Sort"),
        Binding("r", "turn", "Reverse", show=False),
        Binding("tab", "app.step(1)", "Next", show=False),
        Binding("shift+tab", "app.step(-1)", "Previous", show=False),
    ]

    def __init__(self, name: str, columns: tuple[Column, ...]) -> None:
        super().__init__(id=name, cursor_type="row")
        self.kinds = columns
        self.table = Table(name.capitalize(), 0, [])
        self.rows_shown: list[Row] = []
        self.search = ""
        self._sort: int | None = None
        self._is_reversed = False
        self._layout: tuple[object, ...] = ()

    @property
    def title(self) -> str:
        """What it is, and how many there are."""
        return f"{self.table.title} {self.table.count:,}"

    @property
    def story_of(self) -> str | None:
        """The task that the row under the cursor is about."""
        rows = self.rows_shown
        return rows[self.cursor_row].task if 0 <= self.cursor_row < len(rows) else None

    def show(self, table: Table, search: str) -> None:
        """Show other rows, of which each has the text `search`."""
        self.table, self.search = table, search
        self._fill()

    def on_resize(self, event: events.Resize) -> None:
        """The columns take another width."""
        self._fill()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """A click on a heading sorts by it; a second one turns the order round."""
        column = int(event.column_key.value or 0)
        self._is_reversed = column == self._sort and not self._is_reversed
        self._sort = column
        self._fill()

    def action_sort(self) -> None:
        """Sort by the next column; after the last one, trouble comes first again."""
        column = -1 if self._sort is None else self._sort
        self._sort = column + 1 if column + 1 < len(self.kinds) else None
        self._is_reversed = False
        self._fill()

    def action_turn(self) -> None:
        """Turn the order round."""
        self._is_reversed = not self._is_reversed
        self._fill()

    def _fill(self) -> None:
        rows = arranged(self.table, self.kinds, self.search, self._sort, self._is_reversed)
        room = self.scrollable_content_region.width or self.app.size.width
        heads = [self._heading(i, column) for i, column in enumerate(self.kinds)]
        sizes = widths(self.kinds, heads, rows, room)
        layout = (sizes, self._sort, self._is_reversed)
        before, at = self.rows_shown, self.cursor_row
        is_same = layout == self._layout and [r.key for r in rows] == [r.key for r in before]
        self.rows_shown, self._layout = rows, layout
        self.border_title = self.title
        if is_same:
            self._update(before, sizes)
        else:
            self._rebuild(before, at, heads, sizes)

    def _update(self, before: list[Row], sizes: list[int]) -> None:
        """Change the cells that have changed."""
        for number, (old, new) in enumerate(zip(before, self.rows_shown, strict=True)):
            if old.cells == new.cells and old.style == new.style:
                continue
            for at, i in enumerate(i for i, size in enumerate(sizes) if size):
                self.update_cell_at((number, at), self._cell(new, i))  # type: ignore[arg-type]

    def _rebuild(self, before: list[Row], at: int, heads: list[str], sizes: list[int]) -> None:
        """Show other rows, and leave the cursor on what it was on."""
        scrolled = self.scroll_y
        self.clear(columns=True)
        for i, (column, size) in enumerate(zip(self.kinds, sizes, strict=True)):
            if size:
                head = Text(heads[i], justify=_side(column))
                self.add_column(head, width=size, key=f"{i}")
        for row in self.rows_shown:
            self.add_row(*(self._cell(row, i) for i, size in enumerate(sizes) if size))
        keys = [row.key for row in self.rows_shown]
        key = before[at].key if 0 <= at < len(before) else None
        self.move_cursor(row=keys.index(key) if key in keys else min(at, len(keys)), scroll=False)
        self.scroll_to(y=scrolled, animate=False, force=True)

    def _heading(self, i: int, column: Column) -> str:
        if i != self._sort:
            return column.name
        return f"{column.name} {'▼' if column.is_number != self._is_reversed else '▲'}"

    def _cell(self, row: Row, i: int) -> Text:
        text = Text(
            printable(row.cells[i]),
            style=STYLES[row.style],
            justify=_side(self.kinds[i]),
            no_wrap=True,
            overflow="ellipsis",
        )
        text.highlight_regex("█+", "green")
        return text


def _side(column: Column) -> JustifyMethod:
    return "right" if column.is_number else "left"
