"""What a question costs the scheduler: the answer as plain data, without its way to the client.

``python -m benchmarks.asking`` asks a core that knows a million tasks.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ipp_richsched.core.story import Mark
from ipp_richsched.wire.happenings import page_of
from ipp_richsched.wire.names import EngineNames
from ipp_richsched.wire.requests import PAGE
from ipp_richsched.wire.sight import Sight

from . import shapes
from .core import Play, pin, wait
from .machine import describe
from .messages import msg_id
from .table import print_head, print_row, progress, read_arguments

TASKS = 1_000_000
ENGINES = 64
TAKES = 50


@dataclass(frozen=True)
class Load:
    """What is known, and what is asked.

    Attributes
    ----------
    name : str
        What it is called.
    know : callable
        Given a `Play` and a number, has its core know so many tasks.
    ask : callable
        Given a `Play`, asks; returns the answer as plain data.
    """

    name: str
    know: Callable[[Play, int], object]
    ask: Callable[[Play], Any]


def _finished(play: Play, tasks: int) -> None:
    play.flow(tasks, shapes.flat, 4 * ENGINES)


def _sight() -> Sight:
    return Sight(0.0, time.time(), EngineNames({}))


def _status(play: Play, oldest: int) -> Any:
    return _sight().status(play.core.status(now=0.0, oldest=oldest))


def _why(play: Play, tasks: int) -> Any:
    tales = play.core.why(map(msg_id, range(tasks)), now=0.0)
    return [_sight().story(tale) for tale in tales]


def _happenings(play: Play) -> Any:
    return page_of(play.core.happenings(Mark()), "", _sight())


KNOWN = {"queued": pin, "waiting": wait, "finished": _finished}
ASKED: dict[str, Callable[[Play], Any]] = {
    "status, 10 oldest": lambda play: _status(play, 10),
    "status, 100 oldest": lambda play: _status(play, 100),
    "why, one task": lambda play: _why(play, 1),
    f"why, {PAGE} tasks": lambda play: _why(play, PAGE),
    "happenings, a page": _happenings,
}
LOADS = [
    Load(f"{what}; all {state}", know, ask)
    for state, know in KNOWN.items()
    for what, ask in ASKED.items()
]


def measure(play: Play, ask: Callable[[Play], Any]) -> float:
    """Milliseconds that an answer takes; the median."""
    seconds = []
    for _ in range(TAKES):
        begin = time.perf_counter()
        ask(play)
        seconds.append(time.perf_counter() - begin)
    return 1000 * statistics.median(seconds)


def main(argv: Sequence[str] | None = None) -> None:
    args, loads = read_arguments(argv, __doc__, "python -m benchmarks.asking", LOADS, TASKS)
    print(describe(), end="\n\n")
    print_head("question", "ms")
    play, known = Play(ENGINES), None
    for load in progress(loads):
        if load.know is not known:
            play, known = Play(ENGINES), load.know
            load.know(play, args.tasks)
        print_row(load.name, f"{measure(play, load.ask):.2f}")


if __name__ == "__main__":
    main()
