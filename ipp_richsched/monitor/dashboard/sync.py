"""Columns in the browser that follow rows here: only what is new is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from bokeh.models import ColumnDataSource

from ..live.columns import Reader, Rows

T = TypeVar("T")
Columns = dict[str, Any]


def columns_of(names: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> Columns:
    """Rows as columns."""
    found: Columns = {name: [] for name in names}
    columns = [*found.values()]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return found


class Follower(Generic[T]):
    """Keeps a source as `Rows` are.

    Parameters
    ----------
    rows : Rows
        What it follows.
    names : list of str
        The columns of the source.
    show : callable
        Makes of a row the values of the columns.

    Attributes
    ----------
    source : bokeh.models.ColumnDataSource
        What it keeps.
    """

    def __init__(
        self, rows: Rows[T], names: list[str], show: Callable[[T], tuple[Any, ...]]
    ) -> None:
        self._rows = rows
        self._reader = Reader(rows)
        self._names = names
        self._show = show
        self.source = ColumnDataSource({name: [] for name in names})

    def forget(self) -> None:
        """Send all of it next time: rows are shown otherwise now."""
        self._reader = Reader(self._rows)

    def update(self) -> None:
        """Send what has changed."""
        is_new, changed, new = self._reader.news()
        rows = columns_of(self._names, map(self._show, new))
        if is_new:
            self.source.data = rows
            return
        if changed:
            shown = {place: self._show(row) for place, row in changed.items()}
            self.source.patch(
                {
                    name: [(place, values[i]) for place, values in shown.items()]
                    for i, name in enumerate(self._names)
                }
            )
        if new:
            self.source.stream(rows)


def patch(source: ColumnDataSource, columns: Columns) -> None:
    """Send the values in which columns of the same length differ from those of a source."""
    patches = {}
    for name, values in columns.items():
        before = source.data[name]
        differ = [(i, value) for i, value in enumerate(values) if value != before[i]]
        if differ:
            patches[name] = differ
    if patches:
        source.patch(patches)
