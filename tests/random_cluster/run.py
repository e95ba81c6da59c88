"""Plays seeds, many side by side, and counts what came of them."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from ipp_richsched import RichTaskScheduler
from ipp_richsched.core import values

from .rich import make_rich
from .script import PATIENCE, make_script
from .world import World

JOBS = 10
"""How many clusters are played side by side: they spend most of their time waiting."""


@dataclass
class Result:
    """What came of a seed; see `Referee` for `breaches`, `ends`, `tried` and `story`."""

    seed: int
    tasks: int
    deaths: int
    losses: int
    attempts: int
    breaches: Counter[str]
    ends: Counter[str]
    tried: Counter[str]
    traceback: bool
    story: list[str]

    @property
    def is_good(self) -> bool:
        return not self.breaches and not self.traceback

    def __str__(self) -> str:
        bad = [line for line in self.story if "!!" in line]
        bad += ["a traceback in the log"] * self.traceback
        again = f"alone: python -m tests.random_cluster --seed {self.seed}"
        return "\n".join([f"seed {self.seed} ({again}):", *bad])


def run_seed(seed: int, scheduler_class: type = RichTaskScheduler) -> Result:
    """Play one seed."""
    script = make_script(seed)
    if issubclass(scheduler_class, RichTaskScheduler):
        make_rich(script)
    # the path of a socket must be short
    with (
        mock.patch.object(values, "PATIENCE", PATIENCE),
        tempfile.TemporaryDirectory(prefix="richsched") as path,
        closing(World(script, Path(path), scheduler_class)) as world,
    ):
        referee = world.referee
        try:
            world.play()
        except Exception:
            referee.blame("other", f"the play ends early: {traceback.format_exc()}")
        if not world.cluster.process.is_alive():
            referee.blame("other", "the scheduler has died")
        log = world.cluster.log
    return Result(
        seed,
        len(script.tasks),
        script.deaths,
        referee.losses,
        sum(len(record.attempts) for record in referee.ledger.records.values()),
        referee.breaches,
        referee.ends,
        referee.tried,
        "Traceback" in log,
        [str(script), *referee.story, "the log:", log],
    )


def run_many(plays: Iterable[tuple[int, type]], jobs: int = JOBS) -> Iterator[Result]:
    """Play many seeds, each to a scheduler of its class, some side by side; results in order."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _watch_parent) as executor:
        yield from executor.map(run_seed, *zip(*plays, strict=True))


def _watch_parent() -> None:
    """Have this process end when its parent does, however that ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    for scheduler in multiprocessing.active_children():
        scheduler.kill()
    os._exit(1)


def table(results: list[Result]) -> str:
    """The results in figures, for people."""
    breaches: Counter[str] = sum((result.breaches for result in results), Counter())
    ends: Counter[str] = sum((result.ends for result in results), Counter())
    tasks = sum(result.tasks for result in results)
    rows = {
        "seeds": len(results),
        "tasks": tasks,
        "attempts": sum(result.attempts for result in results),
        "engine deaths": sum(result.deaths for result in results),
        "messages and answers lost": sum(result.losses for result in results),
        "tasks answered": tasks - breaches["lost"],
        "lost (never answered)": breaches["lost"],
        "answered twice": breaches["twice"],
        "run where or when they must not": breaches["misplaced"],
        "waited without a reason": breaches["silent"],
        "other breaches": breaches["other"],
        "seeds with a traceback in the log": sum(result.traceback for result in results),
        "seeds without fault": sum(result.is_good for result in results),
    }
    lines = [f"{name:35}{number:7}" for name, number in rows.items()]
    tried: Counter[str] = sum((result.tried for result in results), Counter())
    lines += [f"ends: {dict(ends.most_common())}", f"tried: {dict(tried.most_common())}"]
    return "\n".join(lines)
