"""What holds a run up: the answer of a status in a few sentences, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ..wire.names import is_here, kept, listed, listed_few
from .data import age, short, span
from .status_parts import DeadEngine, EngineStatus, WaitingTask

SLOW = 1.0
"""Seconds that a turn of the scheduler's loop may take before it is said to be slow."""

STUCK = ("stranded", "no_engine", "unreachable", "busy", "retry", "values", "paused")
"""The kinds of reasons of tasks that wait for more than room or other tasks."""

CANCELLED = "TaskAborted"
"""The cause of the failures of tasks that clients have taken back, and of those that need them."""

NAMED = 3
"""How many engines, and how many errors, a sentence names."""

QUOTED = 80
"""How many characters of an error's text a sentence has at most."""


class Level(IntEnum):
    """How bad it is."""

    CALM = 0  # nothing holds the run up
    BUSY = 1  # more engines would make it faster, nothing else
    HELD = 2  # something costs time, and may pass by itself
    FAILED = 3  # tasks have failed
    STUCK = 4  # somebody has to do something

    @property
    def word(self) -> str:
        """What it is called where there are no colours."""
        return ("OK", "BUSY", "HELD UP", "FAILED", "STUCK")[self]


@dataclass(frozen=True)
class Holdup:
    """One thing that holds a run up, or that nothing does.

    Attributes
    ----------
    level : Level
        How bad it is.
    text : str
        A sentence.
    """

    level: Level
    text: str


def holdups(status: Any) -> list[Holdup]:
    """What holds the run up, the worst first; there is always at least one.

    Failures that are older than an hour come last: they may be another day's.
    """
    found = [
        *_no_engine(status),
        *_stuck_tasks(status),
        *_engines_away(status),
        *_dead_engines(status),
        *_idle_engines(status),
        *_failures(status),
        *_scheduler(status),
    ]
    if not status.waiting + status.ready + status.assigned:
        found.append(Holdup(Level.CALM, _no_work(status)))
    elif not found:
        running = "1 task is" if status.assigned == 1 else f"{status.assigned:,} tasks are"
        text = f"Nothing holds the run up: {running} on engines."
        found.append(Holdup(Level.CALM, text))
    found.sort(key=lambda holdup: -holdup.level)
    return [*found, *_old_failures(status)]


def seconds_left(status: Any) -> float | None:
    """How long the rest takes at the pace of the last minute, if there is a rest and a pace.

    While somebody has to do something, nobody knows.
    """
    unfinished = status.waiting + status.ready + status.assigned
    rate = status.rates.succeeded + status.rates.failed
    if not unfinished or not rate or any(each.level is Level.STUCK for each in holdups(status)):
        return None
    return float(unfinished / rate)


def _no_engine(status: Any) -> Iterator[Holdup]:
    queued = status.waiting + status.ready
    if not status.engines and queued:
        yield Holdup(Level.STUCK, f"No engine is registered, and {_tasks(queued)} for one.")


def _stuck_tasks(status: Any) -> Iterator[Holdup]:
    """The tasks that wait for more than room or other tasks, a sentence for each kind."""
    kinds: dict[str, list[WaitingTask]] = {}
    for task in status.oldest:
        if task.kind in STUCK and task.kind != "no_engine":
            kinds.setdefault(task.kind, []).append(task)
    if status.stranded and "stranded" not in kinds:  # they are not among the oldest
        number = status.stranded
        what = "1 task is" if number == 1 else f"{number:,} tasks are"
        yield Holdup(Level.STUCK, f"{what} stranded: no registered engine takes {_them(number)}.")
    for kind, alike in kinds.items():
        level = Level.STUCK if kind in ("stranded", "unreachable") else Level.HELD
        others = (max(len(alike), status.stranded) if kind == "stranded" else len(alike)) - 1
        more = f" ({others:,} more like it)" if others else ""
        yield Holdup(level, f"Task {_name(alike[0])} {alike[0].reason}{more}.")


def _engines_away(status: Any) -> Iterator[Holdup]:
    away = [engine for engine in status.engines if engine.unreachable is not None]
    if away:
        first = min(engine.unreachable for engine in away if engine.unreachable is not None)
        held = sum(engine.load for engine in away)
        what = "1 task" if held == 1 else f"{held:,.0f} tasks"
        holds = f", and {_s(away, 'holds', 'hold')} {what}" if held else ""
        text = f"{_engines(away)} cannot be reached for {age(status, first)}{holds}."
        yield Holdup(Level.STUCK, text)
    paused = [engine for engine in status.engines if engine.paused]
    if paused:
        verb = _s(paused, "is", "are")
        yield Holdup(Level.HELD, f"{_engines(paused)} {verb} being interrupted.")


def _dead_engines(status: Any) -> Iterator[Holdup]:
    """What becomes of the tasks with which engines have died: their answers may still come."""
    dead = status.dead
    if not dead:
        return
    first, number = dead[0], sum(engine.held for engine in dead)
    where = f" on {first.host}" if len(dead) == 1 and not is_here(first.host or "") else ""
    name = first.label or short(first.task)
    what = f"task {name}" if number == 1 else f"{number:,} tasks, such as {name}"
    left = (max(engine.until for engine in dead) - status.time).total_seconds()
    text = (
        f"{_engines(dead)}{where} died with {what}: failed, or to be tried again, if no answer"
        f" comes within {span(max(0.0, left))}."
    )
    yield Holdup(Level.HELD, text)


def _idle_engines(status: Any) -> Iterator[Holdup]:
    """Whether there is too little to do for the engines, or too much."""
    engines = [e for e in status.engines if not e.paused and e.unreachable is None]
    idle = [engine for engine in engines if not engine.load]
    if not engines or not status.ready + status.waiting:
        return
    room = max(0, status.ready - status.stranded)
    if not idle and room:
        which = _of(len(engines), len(engines))
        text = f"{which} busy, and {_tasks(room)} for room: more engines would help."
        yield Holdup(Level.BUSY, text)
        return
    if not idle:
        return
    count = f"{_of(len(idle), len(engines))} idle"
    pinned = next((task for task in status.oldest if task.kind == "no_room"), None)
    if pinned is not None:
        yield Holdup(Level.HELD, f"{count}, but task {_name(pinned)} {pinned.reason}.")
    elif status.waiting and not status.ready:
        yield Holdup(Level.HELD, f"{count}: {_bottleneck(status)}.")


def _bottleneck(status: Any) -> str:
    """For which running task most of the oldest wait."""
    named = Counter(
        msg_id
        for task in status.oldest
        for pending in task.details.get("pending", ())
        for msg_id in pending["msg_ids"]
    )
    running = [engine for engine in status.engines if engine.task is not None]
    first = max(running, key=lambda engine: named[engine.task or ""], default=None)
    if first is None or first.task is None or not named[first.task]:
        return f"{_tasks(status.waiting)} for others to finish"
    number = named[first.task]
    what = first.label or short(first.task)
    since = f" for {age(status, first.since)}" if first.since is not None else ""
    others = "" if number == status.waiting else f" (of {status.waiting:,} that wait)"
    return f"{_tasks(number)} for {what}, which {_engines([first]).lower()} has had{since}{others}"


def _failed(causes: Mapping[str, int]) -> Counter[str]:
    """How many have failed, by that with which it began, without those that were taken back."""
    return Counter({cause: times for cause, times in causes.items() if cause != CANCELLED})


def _failures(status: Any) -> Iterator[Holdup]:
    """The failures of the last hour."""
    by_cause, every = _failed(status.causes_lately), _failed(status.causes).total()
    number = by_cause.total()
    if number:
        what = "1 task has" if number == 1 else f"{number:,} tasks have"
        before = f" in the last hour ({every - number:,} before)" if every > number else ""
        yield Holdup(Level.FAILED, f"{what} failed{before}. {_causes(status, by_cause)}")


def _old_failures(status: Any) -> Iterator[Holdup]:
    """Failures before the last hour, where there are none in it."""
    by_cause = _failed(status.causes)
    number = by_cause.total()
    if number and not _failed(status.causes_lately):
        ago = f"{age(status, status.last_failed)} ago"
        what = f"1 task failed {ago}" if number == 1 else f"{number:,} tasks failed, the last {ago}"
        yield Holdup(Level.FAILED, f"{what}. {_causes(status, by_cause)}")


def _causes(status: Any, by_cause: Counter[str]) -> str:
    """With what failures began, and what a task says that failed with the most frequent error."""
    (cause, times), *others = by_cause.most_common()
    example = status.examples[cause]
    which = "in" if times == 1 else f"({times:,} tasks), e.g."
    first = f"{cause} {which} task {example.label or short(example.msg_id)}"
    if example.text:
        cut = len(example.text) > QUOTED
        first += f": '{example.text[:QUOTED].rstrip()}{'...' * cut}'"
    shown = others[: kept(len(others), NAMED - 1)]
    rest = [f"{other} ({number:,})" for other, number in shown]
    if more := len(others) - len(rest):
        rest.append(f"{more:,} other errors")
    return f"It began with {first}{'; then ' * bool(rest)}{listed(rest)}."


def _scheduler(status: Any) -> Iterator[Holdup]:
    if status.lag > SLOW:
        text = f"The scheduler is slow: a message may have waited {status.lag:.1f} s for it."
        yield Holdup(Level.HELD, text)


def _no_work(status: Any) -> str:
    done, failed = status.succeeded + sum(status.failed.values()), _failed(status.causes).total()
    if done == 1:
        return "The only task has failed." if failed else "The only task is finished."
    if done:
        which = f"; {failed:,} of them failed" if failed else ""
        return f"All {done:,} tasks are finished{which}."
    number = len(status.engines)
    engines = "1 engine is" if number == 1 else f"{number:,} engines are"
    return f"No task was submitted yet; {engines} registered."


def _name(task: WaitingTask) -> str:
    """What people call a task: its label, else what tells its id from others."""
    return task.label or short(task.msg_id)


def _tasks(number: int) -> str:
    """So many tasks wait."""
    return "1 task waits" if number == 1 else f"{number:,} tasks wait"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _engines(engines: Sequence[EngineStatus | DeadEngine]) -> str:
    names = [short(e.uuid) if e.id is None else f"{e.id}" for e in engines]
    return f"{_s(engines, 'Engine', 'Engines')} {listed_few(names, NAMED)}"


def _of(number: int, every: int) -> str:
    """So many of all engines are something, as one says it."""
    if number < every:
        return f"{number:,} of {every:,} engines {'is' if number == 1 else 'are'}"
    return {1: "The only engine is", 2: "Both engines are"}.get(every, f"All {every:,} engines are")


def _s(items: Sequence[object], one: str, many: str) -> str:
    return one if len(items) == 1 else many
