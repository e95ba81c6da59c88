"""The demo: a DAG on a real cluster, with an engine that is killed on the way."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import ipyparallel as ipp
import psutil
from tqdm import tqdm

from ..workflows.local_cluster import local_cluster
from ..workflows.progress import watch
from .checks import Check, Run, checks
from .dag import FIT, DemoTask, Notes, orphan, pipeline, work
from .random_dag import random_dag
from .show import draw, print_fates, print_run

# The engine is dead for certain: there is no late reply to wait for.
_CONTROLLER_ARGS = ("--RichTaskScheduler.engine_grace=1",)
# In seconds. The stock scheduler gives a dead engine five of grace.
_PATIENCE = 45.0
_PATIENCE_WITH_STOCK = 10.0
_KILL_AFTER = 0.5


def demo(
    n: int,
    tasks: int | None = None,
    *,
    stock: bool = False,
    looked_at: Callable[[ipp.Client], AbstractContextManager[object]] | None = None,
) -> int:
    """Run the demo, print what happened, and draw it in the current directory.

    Parameters
    ----------
    n : int
        The number of engines, at least 2.
    tasks : int, optional
        Run a random DAG of so many tasks, and kill nothing.
    stock : bool
        Run the same with the stock scheduler, too, for comparison.
    looked_at : callable, optional
        Given a client, a context manager around the run, but not that with the stock scheduler.

    Returns
    -------
    int
        0 when all went as it should, else 1; how the stock scheduler did does not count.

    Raises
    ------
    ipp_richsched.workflows.local_cluster.ClusterError
        If the cluster does not start.
    """
    plan = pipeline(n) if tasks is None else random_dag(tasks)
    # Beside the stock scheduler, whose grace is fixed, with the same grace: the default.
    arguments = () if stock else _CONTROLLER_ARGS
    runs: dict[str, Run] = {}
    found: dict[str, list[Check]] = {}
    for name in ("richsched", "stock") if stock else ("richsched",):
        print(f"starting a {name} controller and {n} engines", flush=True)
        with ExitStack() as stack:
            cluster = local_cluster(n, controller=name, controller_args=arguments)
            client = stack.enter_context(cluster)
            if looked_at is not None and name != "stock":
                stack.enter_context(looked_at(client))
            patience = _PATIENCE_WITH_STOCK if name == "stock" else _PATIENCE
            runs[name] = _run(client, plan, kill=tasks is None, patience=patience)
        print_run(runs[name])
        found[name] = checks(runs[name])
        print("as it should be:", *found[name], "", sep="\n")
    print_fates(runs)
    draw(runs)
    if all(check.ok for check in found["richsched"]):
        return 0
    print("ipp-richsched demo: not all went as it should: see NO above", file=sys.stderr)
    return 1


def _run(client: ipp.Client, plan: Sequence[DemoTask], *, kill: bool, patience: float) -> Run:
    engines = list(client.ids)
    pids = client[engines].apply_async(os.getpid).get_dict()
    # It goes when the cluster goes.
    notes = Notes(Path(client.cluster.profile_dir, "notes"), pids)
    view = client.load_balanced_view()
    tasks: list[DemoTask] = []
    results: dict[str, ipp.AsyncResult] = {}

    def submit(task: DemoTask) -> None:
        tasks.append(task)
        with view.temp_flags(
            after=[results[name] for name in task.after],
            follow=[results[name] for name in task.follow],
            retries=task.retries,
            timeout=task.timeout,
            label=task.name.rstrip("0123456789-"),
        ):
            results[task.name] = view.apply_async(
                work, task.name, task.seconds, task.failures, str(notes.path)
            )

    def kill_and_submit_an_orphan() -> None:
        if notes.killed is None:
            _kill_during_a_fit(notes, pids)
        elif len(tasks) < total and notes.killed[0] not in client.ids:
            done = (a for a in notes.attempts() if a.state == "done")
            submit(orphan(next(a.task for a in done if a.engine == notes.killed[0])))

    total = len(plan) + kill
    print(f"running {total} tasks, until all are answered or none for {patience:g} s", flush=True)
    submitted = time.time()
    for task in plan:
        submit(task)
    watch(
        results,
        total=total,
        quiet=patience,
        meanwhile=kill_and_submit_an_orphan if kill else lambda: None,
    )
    watched = time.time()
    attempts = notes.attempts()
    killed = next((attempt for attempt in attempts if attempt.state == "killed"), None)
    return Run(engines, tasks, results, attempts, killed, submitted, watched)


def _kill_during_a_fit(notes: Notes, pids: Mapping[int, int]) -> None:
    """Kill an engine that is in the middle of a fit, and has done something before."""
    now = time.time()
    attempts = notes.attempts()
    useful = {attempt.engine for attempt in attempts if attempt.state == "done"}
    for attempt in attempts:
        in_a_fit = attempt.state == "running" and attempt.task.startswith(FIT)
        if in_a_fit and attempt.engine in useful and now - attempt.started >= _KILL_AFTER:
            pid = pids[attempt.engine]
            psutil.Process(pid).kill()
            notes.killed = (attempt.engine, time.time())
            tqdm.write(f"killed engine {attempt.engine} (process {pid}) in {attempt.task}")
            return
