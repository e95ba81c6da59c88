"""What is above the tables: whether the data are fresh, what holds the run up, how far it is."""

from __future__ import annotations

from rich.text import Text

from ...client.data import printable, span
from ...client.holdups import Holdup, Level, seconds_left
from ...client.status import Status

OLD = 3.5
"""Seconds after which data are old: then an answer has been missing for a while."""

STYLES = {
    Level.CALM: "white on dark_green",
    Level.BUSY: "white on blue",
    Level.HELD: "black on yellow",
    Level.FAILED: "black on dark_orange",
    Level.STUCK: "bold white on red",
}
"""How each level looks."""

STATES = (
    ("succeeded", "green", "█"),
    ("failed", "red", "█"),
    ("running", "cyan", "▓"),
    ("ready", "yellow", "▒"),
    ("waiting", "bright_black", "░"),
)
"""The states in the bar of all tasks, in the order in which they are drawn."""


def title(cluster: str, age: float | None, is_paused: bool, has_failed: bool, width: int) -> Text:
    """The first line.

    Parameters
    ----------
    cluster : str
        What the cluster is called.
    age : float or None
        How many seconds ago the data came, if they have.
    is_paused : bool
        Whether the user wants no newer ones.
    has_failed : bool
        Whether there was no answer the last time.
    width : int
        How wide the screen is.
    """
    old = "no data yet" if age is None else f"{span(age)} old"
    style = "green"
    if is_paused:
        old, style = f"PAUSED, {old}", "bold yellow"
    elif has_failed or age is None or age > OLD:
        old, style = f"NO ANSWER, {old}", "bold red"
    room = max(0, width - len(old) - 2)
    left = Text("ipp-richsched top", style="bold")
    left.append(f"  {printable(cluster)}", style="dim")
    left.truncate(room, overflow="ellipsis", pad=True)
    return left.append("  ").append(old, style=style)


def verdict(holdups: list[Holdup], error: str | None, lines: int) -> Text:
    """What holds the run up; if nobody answers, that comes first.

    Parameters
    ----------
    holdups : list of Holdup
        As of the last answer.
    error : str or None
        Why there is no newer one.
    lines : int
        How many sentences there is room for.
    """
    found: list[tuple[tuple[str, str], str]] = []
    if error is not None:
        sentence = f"{printable(error)}. Trying again; the rest is from before."
        found.append((("bold white on red", "NO ANSWER"), sentence))
    for holdup in holdups:
        style = STYLES[holdup.level], holdup.level.word
        found.append((style, printable(holdup.text)))
    text = Text()
    for number, ((colours, word), sentence) in enumerate(found[:lines]):
        text.append("\n" if number else "").append(f" {word} ", style=colours)
        text.append(f" {sentence}", style="" if number else "bold")
    return text


def progress(status: Status, width: int, has_numbers: bool) -> Text:
    """How far all tasks are: a bar, and the numbers.

    Parameters
    ----------
    status : Status
        How things stand.
    width : int
        How wide the screen is.
    has_numbers : bool
        Whether there is room for a line with the numbers.
    """
    failed = sum(status.failed.values())
    numbers = [status.succeeded, failed, status.assigned, status.ready, status.waiting]
    total = sum(numbers)
    done = status.succeeded + failed
    seconds = seconds_left(status)
    left = f", {span(seconds)} left" if seconds is not None else ""
    share = f" {100 * done // total if total else 0:3d} % done{left}"
    room = max(1, width - len(share))
    text = Text(no_wrap=True)
    for (_, style, char), size in zip(STATES, _shares(numbers, room), strict=True):
        text.append(char * size, style=style)
    text.append(share, style="bold")
    if has_numbers:
        text.append("\n")
        for (name, style, char), number in zip(STATES, numbers, strict=True):
            text.append(f"{char} ", style=style).append(f"{number:,} {name}  ")
        text.append(_pace(status), style="dim")
    return text


def _shares(numbers: list[int], room: int) -> list[int]:
    """Parts of the room as large as the numbers; whatever there is gets one character at least."""
    total = sum(numbers)
    if not total:
        return [0] * (len(numbers) - 1) + [room]
    sizes = [max(number * room // total, min(1, number)) for number in numbers]
    largest = sizes.index(max(sizes))
    sizes[largest] = max(0, sizes[largest] + room - sum(sizes))
    return sizes


def _pace(status: Status) -> str:
    rates = status.rates
    rate = rates.succeeded + rates.failed
    return f"{rate:.3g} finish per s" if rate >= 1 else f"{60 * rate:.3g} finish per min"
