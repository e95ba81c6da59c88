"""The demo: a DAG on a real cluster, with an engine that is killed on the way."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import wait
from functools import partial
from pathlib import Path

import ipyparallel as ipp
import psutil
from tqdm import tqdm

from ..workflows.attempts import engine_table
from ..workflows.local_cluster import local_cluster
from ..workflows.progress import watch
from ..workflows.steps import Bounds, bounds
from ..workflows.timeline import timeline
from .checks import Run, checks
from .dag import FIT, IMPATIENT, DemoTask, Notes, orphan, pipeline, work

PICTURE = "ipp-richsched-demo.png"

# The engine is dead for certain: there is no late reply to wait for.
_CONTROLLER_ARGS = ("--RichTaskScheduler.engine_grace=1",)
# In seconds. The whole takes about ten; the orphan is answered at once.
_TIMEOUT = 45.0
_ORPHAN_TIMEOUT = 10.0
_KILL_AFTER = 0.5


def demo(n: int) -> int:
    """Run the demo, print what happened, and draw it in the current directory.

    Parameters
    ----------
    n : int
        The number of engines, at least 2.

    Returns
    -------
    int
        0 when all went as it should, else 1.

    Raises
    ------
    ipp_richsched.workflows.local_cluster.ClusterError
        If the cluster does not start.
    """
    print(f"starting a controller and {n} engines", flush=True)
    with local_cluster(n, controller_args=_CONTROLLER_ARGS) as client:
        run = _run(client)
    limit = bounds([task.step for task in run.tasks], n)
    _print_engines(run, limit)
    found = checks(run)
    print("as it should be:", *found, sep="\n")
    _draw(run, limit)
    if all(check.ok for check in found):
        return 0
    print("ipp-richsched demo: not all went as it should: see NO above", file=sys.stderr)
    return 1


def _run(client: ipp.Client) -> Run:
    engines = list(client.ids)
    pids = client[engines].apply_async(os.getpid).get_dict()
    # It goes when the cluster goes.
    notes = Notes(Path(client.cluster.profile_dir, "notes"), pids)
    results: dict[str, ipp.AsyncResult] = {}
    submit = partial(_submit, client.load_balanced_view(), notes, results)
    tasks = pipeline(len(engines))
    print(f"running {len(tasks)} tasks: fetch, clean, fit, merge, report", flush=True)
    submitted = time.time()
    for task in [*tasks, IMPATIENT]:
        submit(task)
    watch(results, timeout=_TIMEOUT, meanwhile=partial(_kill_during_a_fit, notes, pids))

    attempts = notes.attempts()
    killed = next((attempt for attempt in attempts if attempt.state == "killed"), None)
    late = None
    if killed is not None:
        there = (a.task for a in attempts if a.engine == killed.engine and a.state == "done")
        late = orphan(next(there, killed.task))
        submit(late)
        wait([results[late.name]], timeout=_ORPHAN_TIMEOUT)
    return Run(engines, tasks, results, attempts, killed, late, submitted)


def _submit(
    view: ipp.LoadBalancedView, notes: Notes, results: dict[str, ipp.AsyncResult], task: DemoTask
) -> None:
    with view.temp_flags(
        after=[results[name] for name in task.after],
        follow=[results[name] for name in task.follow],
        retries=task.retries,
        timeout=task.timeout,
    ):
        results[task.name] = view.apply_async(
            work, task.name, task.seconds, task.failures, str(notes.path)
        )


def _kill_during_a_fit(notes: Notes, pids: Mapping[int, int]) -> None:
    """Kill an engine that is in the middle of a fit, once."""
    if notes.killed is not None:
        return
    now = time.time()
    for attempt in notes.attempts():
        in_a_fit = attempt.state == "running" and attempt.task.startswith(FIT)
        if in_a_fit and now - attempt.started >= _KILL_AFTER:
            pid = pids[attempt.engine]
            psutil.Process(pid).kill()
            notes.killed = (attempt.engine, time.time())
            tqdm.write(f"killed engine {attempt.engine} (process {pid}) in {attempt.task}")
            return


def _print_engines(run: Run, limit: Bounds) -> None:
    died = {}
    if run.killed is not None:
        when = run.killed.ended - run.submitted
        died[run.killed.engine] = f"killed after {when:.1f} s, in {run.killed.task}"
    print()
    print(engine_table(run.attempts, run.engines, died))
    last = max((a.ended for a in run.attempts), default=run.submitted)
    print(f"makespan {last - run.submitted:.2f} s, {limit}")
    if run.killed is not None:
        lost = run.killed.ended - run.killed.started
        print(
            f"the bound knows no failures: the kill cost {lost:.1f} s of work, "
            "and an engine from then on"
        )
    print()


def _draw(run: Run, limit: Bounds) -> None:
    path = Path.cwd() / PICTURE
    try:
        timeline(run.attempts, path, start=run.submitted, lower_bound=limit.makespan)
    except ImportError as error:
        print(f"no picture: {error}; pip install 'ipp-richsched[plot]' brings it")
    except OSError as error:
        print(f"no picture: {error}")
    else:
        print(f"picture of the timeline: {path}")
