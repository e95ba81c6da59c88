"""What held a run up, in a few sentences, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from ...client.holdups import Holdup, Level
from ...client.status_text import failed_text
from ...workflows.runs import EndState, Run
from .account import Account, lives_of
from .failures import FailureGroup
from .words import count_text, names_text, seconds_text, share_text, task_text

SHOWN = 6
"""How many sentences there are at most."""

CHAIN = 0.75
"""A chain of tasks that takes at least this part of a run decides how long it takes."""

BUSY = 0.8
"""Engines that work for at least this part of the time are what there is too little of."""

LARGE = 0.15
"""Time that is lost is told of from this part of the engines' time on."""

SHARE = 0.1
"""A reason is told if at least this part of what is told is due to it."""

MAIN = 0.3
"""A task, or a label, is named if at least this part is due to it."""


def headline(run: Run) -> str:
    """What there was, and how it ended, in a sentence."""
    if not run.tasks:
        return "No task was submitted."
    states = Counter[str](task.state for task in run.tasks.values())
    seconds = seconds_text(run.end - run.start)
    never_ran = states["never ran"]
    failed = states["failed"] + never_ran
    parts = [f"{states['succeeded']:,} succeeded"] * bool(states["succeeded"])
    parts += [failed_text(failed, never_ran)] * bool(failed)
    parts += [f"{states[state]:,} still {verb}" for state, verb in _UNFINISHED if states[state]]
    if len(parts) == 1 and states["succeeded"]:
        parts = ["all succeeded" if len(run.tasks) > 1 else "it succeeded"]
    engines = count_text(len(run.engines), "engine")
    return f"{count_text(len(run.tasks), 'task')} on {engines} in {seconds}: {', '.join(parts)}."


_UNFINISHED = (("running", "run"), ("waiting", "wait"))


def verdict(run: Run, account: Account, failures: Sequence[FailureGroup]) -> list[Holdup]:
    """What held a run up, the worst first; there is always at least one sentence."""
    if not run.tasks:
        return [Holdup(Level.CALM, "There was nothing to do.")]
    found = [
        *_failed(run, failures),
        *_unfinished(run),
        *_deaths(run, failures),
        *_repeated(run, account),
        *_chain(run, account),
        *_engine_time(run, account),
    ]
    if not found:
        share = account.engine_total.share(account.engine_total.running)
        text = f"Nothing held the run up. Engines worked {share_text(share)} of the time."
        found = [Holdup(Level.CALM, text)]
    return sorted(found, key=lambda holdup: -holdup.level)[:SHOWN]


def _failed(run: Run, failures: Sequence[FailureGroup]) -> Iterator[Holdup]:
    """The two most frequent causes of failures; those that died with engines are told of there."""
    others = [group for group in failures if not all(_died(run, each) for each in group.began)]
    for group in others[:2]:
        first = run.tasks[group.first]
        error = group.error.removeprefix(f"task {group.first}: ")
        error = f": {_shortened(error)}" if error else ""
        text = f"{count_text(len(group.began), 'task')} failed with {group.problem}{error}"
        when = f"{task_text(first)}, after {seconds_text((first.ended or 0) - run.start)}"
        text += f" ({when})." if len(group.began) == 1 else f" (the first was {when})."
        yield Holdup(Level.STUCK, text + _entailed(len(group.entailed)))
    if number := sum(group.number for group in others[2:]):
        text = f"{count_text(number, 'more task')} failed for other reasons, see below."
        yield Holdup(Level.STUCK, text)


def _died(run: Run, msg_id: str) -> bool:
    """Whether the last attempt of a task died with its engine."""
    stretches = run.tasks[msg_id].stretches
    return bool(stretches) and stretches[-1].end_state == "died"


def _entailed(number: int) -> str:
    return f" Because of that {count_text(number, 'other')} never ran." if number else ""


def _shortened(text: str, length: int = 160) -> str:
    first = text.strip().split("\n")[0]
    return first if len(first) <= length else f"{first[: length - 1]}…"


def _unfinished(run: Run) -> Iterator[Holdup]:
    running = [task for task in run.tasks.values() if task.state == "running"]
    waiting = sum(task.state == "waiting" for task in run.tasks.values())
    if not running and not waiting:
        return
    text = f"{count_text(len(running) + waiting, 'task')} had not ended when this was written"
    if running:
        oldest = min(running, key=lambda task: task.stretches[-1].start)
        last = oldest.stretches[-1]
        text += f"; {task_text(oldest)} has run for {seconds_text(run.end - last.start)}"
        text += f" on {last.engine}"
    yield Holdup(Level.HELD, f"{text}.")


def _deaths(run: Run, failures: Sequence[FailureGroup]) -> Iterator[Holdup]:
    """Engines that died with tasks; those that just leave are none."""
    lost: dict[str, list[str]] = {}
    at: dict[str, float] = {}
    for task in run.tasks.values():
        for each in task.stretches:
            if each.end_state == "died":
                lost.setdefault(each.engine, []).append(task.msg_id)
                at[each.engine] = each.end
    if not lost:
        return
    engines = sorted(lost, key=at.__getitem__)
    left = len({life.engine for life in lives_of(run) if not life.is_over})
    tasks = [run.tasks[msg_id] for engine in engines for msg_id in lost[engine]]
    again = sum(task.state == "succeeded" for task in tasks)
    if len(engines) == 1:
        when = seconds_text(at[engines[0]] - run.start)
        text = f"{engines[0].capitalize()} died after {when}"
        text += f", while it had {task_text(tasks[0])}" if len(tasks) == 1 else ""
    else:
        text = f"{len(engines):,} engines died ({names_text(engines)})"
    if len(tasks) > 1:
        text += f", with {len(tasks):,} tasks"
    if again == len(tasks):
        fate = "which was run again" if again == 1 else "which were run again"
    elif again:
        fate = f"{again:,} of which {'was' if again == 1 else 'were'} run again"
    else:
        fate = "which is lost" if len(tasks) == 1 else "which are lost"
    entailed = sum(
        len(group.entailed) for group in failures if all(_died(run, e) for e in group.began)
    )
    text = f"{text}, {fate}. {count_text(left, 'engine')} went on.{_entailed(entailed)}"
    yield Holdup(Level.HELD if again == len(tasks) else Level.STUCK, text)


def _repeated(run: Run, account: Account) -> Iterator[Holdup]:
    """Engine time that went into attempts that came to nothing, if that is much."""
    vain = [
        each.end - each.start
        for task in run.tasks.values()
        for each in task.stretches
        if each.end_state in ("failed", "died") and each is not task.stretches[-1]
    ]
    total = account.engine_total
    if vain and total.share(sum(vain)) >= LARGE:
        share = share_text(total.share(sum(vain)))
        text = (
            f"{count_text(len(vain), 'attempt')} had to be repeated: {share} of the engines' time"
        )
        them = "it" if len(vain) == 1 else "them"
        yield Holdup(Level.HELD, f"{text} was lost with {them}.")


def _chain(run: Run, account: Account) -> Iterator[Holdup]:
    """Whether the chain of tasks that takes longest decides how long the run takes."""
    chain = [run.tasks[msg_id] for msg_id in run.critical_path]
    seconds = sum(task.seconds for task in chain)
    total = run.end - run.start
    if len(chain) < 2 or total <= 0 or seconds < CHAIN * total:
        return
    group, its = _largest((task.group, task.seconds) for task in chain)
    most = f" Most of it is {group} ({seconds_text(its)})." if its >= seconds / 2 else ""
    text = (
        f"A chain of {len(chain):,} tasks, each of which waits for the one before, took"
        f" {seconds_text(seconds)} of the {seconds_text(total)}: more engines would not help,"
        f" only shorter tasks there.{most}"
    )
    yield Holdup(Level.HELD, text)


def _engine_time(run: Run, account: Account) -> Iterator[Holdup]:
    total = account.engine_total
    busy, starved, passed_over, overhead = map(
        total.share, (total.running, total.starved, total.passed_over, total.overhead)
    )
    if busy >= BUSY and account.task_total.queueing > 0:
        text = f"Engines worked {share_text(busy)} of the time: more engines would make it faster."
        yield Holdup(Level.BUSY, text)
    if starved >= LARGE:
        text = f"Engines were idle {share_text(starved)} of the time since no task was ready"
        yield Holdup(Level.HELD, f"{text}{_blamed(run, account)}.")
    if passed_over >= LARGE:
        yield Holdup(
            Level.HELD,
            f"Engines were idle {share_text(passed_over)} of the time although tasks were ready"
            f"{_passed_over(run, account)}. {_why_not(account)}",
        )
    if overhead >= LARGE:
        middle = median(
            each.end - each.start for task in run.tasks.values() for each in task.stretches
        )
        yield Holdup(
            Level.HELD,
            f"{share_text(overhead)} of the engines' time passed between tasks, half of which take"
            f" less than {seconds_text(middle)}: put more work into one task.",
        )


def _why_not(account: Account) -> str:
    """Why idle engines did not get tasks that were ready, as far as the run shows it."""
    every = account.passed_over_after
    total = sum(every.values())
    *first, last = [
        reason for state, reason in _PASSED_OVER if every.get(state, 0.0) >= SHARE * total
    ]
    return f"These {', '.join(first)}{', or ' if first else ''}{last}."


_PASSED_OVER: tuple[tuple[EndState | None, str], ...] = (
    (None, "could run elsewhere only, or stood behind others on a busy engine"),
    ("given back", "were given back by an engine that could not run them then"),
    ("failed", "waited for a retry"),
    ("died", "waited for the grace of a dead engine to end"),
)
"""Why a task is not run that could be, by how its attempt before had ended."""


def _passed_over(run: Run, account: Account) -> str:
    """Which tasks idle engines did not get, as the end of a sentence."""
    every = account.passed_over
    group, its = _largest((run.tasks[msg_id].group, its) for msg_id, its in every.items())
    return f", most of them {group}" if its > sum(every.values()) / 2 else ""


def _blamed(run: Run, account: Account) -> str:
    """For what idle engines waited most, as the end of a sentence."""
    idle, alone = account.engine_total.starved, sum(account.blocking.values())
    if alone <= idle / 2:
        return ", most of it while no task ran at all"
    msg_id, seconds = max(account.blocking.items(), key=lambda item: item[1])
    task = run.tasks[msg_id]
    if seconds >= MAIN * idle:
        where = task.stretches[-1].engine
        return (
            f", most of it while {task_text(task)} ran for {seconds_text(task.seconds)} on {where}"
        )
    group, its = _largest((run.tasks[each].group, its) for each, its in account.blocking.items())
    return f", most of it while tasks of {group} ran" if its >= MAIN * idle else ""


def _largest(parts: Iterable[tuple[str, float]]) -> tuple[str, float]:
    """Of some names with seconds, which may come more than once, the one that has most."""
    totals: dict[str, float] = {}
    for name, seconds in parts:
        totals[name] = totals.get(name, 0.0) + seconds
    return max(totals.items(), key=lambda item: item[1])
