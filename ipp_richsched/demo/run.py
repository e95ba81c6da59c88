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
from .dag import FIT, IMPATIENT, Job, Journal, orphan, pipeline, work

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
    limit = bounds([job.step for job in run.jobs], n)
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
    journal = Journal(Path(client.cluster.profile_dir, "journal"), pids)
    results: dict[str, ipp.AsyncResult] = {}
    submit = partial(_submit, client.load_balanced_view(), journal, results)
    jobs = pipeline(len(engines))
    print(f"running {len(jobs)} tasks: fetch, clean, fit, merge, report", flush=True)
    submitted = time.time()
    for job in [*jobs, IMPATIENT]:
        submit(job)
    watch(results, timeout=_TIMEOUT, meanwhile=partial(_kill_during_a_fit, journal, pids))

    attempts = journal.attempts()
    killed = next((attempt for attempt in attempts if attempt.outcome == "killed"), None)
    late = None
    if killed is not None:
        there = (a.task for a in attempts if a.engine == killed.engine and a.outcome == "done")
        late = orphan(next(there, killed.task))
        submit(late)
        wait([results[late.name]], timeout=_ORPHAN_TIMEOUT)
    return Run(engines, jobs, results, attempts, killed, late, submitted)


def _submit(
    view: ipp.LoadBalancedView, journal: Journal, results: dict[str, ipp.AsyncResult], job: Job
) -> None:
    with view.temp_flags(
        after=[results[name] for name in job.after],
        follow=[results[name] for name in job.follow],
        retries=job.retries,
        timeout=job.timeout,
    ):
        results[job.name] = view.apply_async(
            work, job.name, job.seconds, job.failures, str(journal.path)
        )


def _kill_during_a_fit(journal: Journal, pids: Mapping[int, int]) -> None:
    """Kill an engine that is in the middle of a fit, once."""
    if journal.killed is not None:
        return
    now = time.time()
    for attempt in journal.attempts():
        in_a_fit = attempt.outcome == "running" and attempt.task.startswith(FIT)
        if in_a_fit and now - attempt.started >= _KILL_AFTER:
            pid = pids[attempt.engine]
            psutil.Process(pid).kill()
            journal.killed = (attempt.engine, time.time())
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
