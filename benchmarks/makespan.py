"""How long real workflows take on a real cluster, beside a list schedule that knows all durations.

``python -m benchmarks.makespan WORKFLOW...`` runs WfFormat files, scaled, and prints a table in
Markdown.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ipp_richsched.workflows.local_cluster import Controller, local_cluster
from ipp_richsched.workflows.replay import cost_of, run
from ipp_richsched.workflows.schedule import list_schedule
from ipp_richsched.workflows.steps import Step, scaled
from ipp_richsched.workflows.wfformat import load

from .machine import describe
from .stopping import ended_by_signals
from .table import print_head, print_row, progress

ENGINES = [4, 8, 32]
SECONDS = 10.0


class Way(NamedTuple):
    """A way of scheduling."""

    name: str
    controller: Controller
    order: str = "fifo"
    flags_of: Callable[[str, Step], dict[str, Any]] | None = None
    """The flags of a task, for the name of its workflow and its step."""


WAYS = [
    Way("stock", "stock"),
    Way("fifo", "richsched"),
    Way("costs given", "richsched", "critical-path", lambda workflow, step: cost_of(step)),
    # what it learned of a workflow it must not know in the next one
    Way(
        "costs learned",
        "richsched",
        "critical-path",
        lambda workflow, step: {"label": f"{workflow} {step.name.rpartition('_')[0]}"},
    ),
]


def measure(way: Way, engines: int, workflows: dict[str, list[Step]]) -> dict[str, float]:
    """The makespan of each workflow, as a multiple of the list schedule's.

    Raises
    ------
    RuntimeError
        If a task was lost, failed, or came too early.
    """
    args = [] if way.controller == "stock" else [f"--RichTaskScheduler.order={way.order}"]
    ratios = {}
    with local_cluster(engines, controller=way.controller, controller_args=args) as client:
        client[:].apply_sync(abs, 1)  # the engines import what they need
        for name, steps in workflows.items():
            ran = run(client, steps, way.flags_of and partial(way.flags_of, name))
            if ran.problems:
                raise RuntimeError(f"{name}, {way.name}, {engines} engines: {ran.problems}")
            ratios[name] = ran.makespan / list_schedule(steps, engines)
    return ratios


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], prog="python -m benchmarks.makespan"
    )
    parser.add_argument("workflows", nargs="+", type=Path, help="WfFormat files")
    parser.add_argument(
        "-n", type=int, nargs="+", default=ENGINES, help="engines (default %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help="what the lower bound of each makespan is scaled to (default %(default)s)",
    )
    args = parser.parse_args(argv)
    print(f"{describe()}; lower bounds scaled to {args.seconds:g} s", end="\n\n")
    print_head("workflow", "engines", *(way.name for way in WAYS))
    with ended_by_signals():
        for engines in args.n:
            workflows = {
                path.stem: scaled(load(path), engines, args.seconds) for path in args.workflows
            }
            found = [measure(way, engines, workflows) for way in progress(WAYS)]
            for name in workflows:
                print_row(name, str(engines), *(f"{ratios[name]:.3f}" for ratios in found))
            means = [statistics.geometric_mean(ratios.values()) for ratios in found]
            print_row("geometric mean", str(engines), *(f"{mean:.3f}" for mean in means))


if __name__ == "__main__":
    main()
