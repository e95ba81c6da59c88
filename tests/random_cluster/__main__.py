"""The command line: see `tests.random_cluster`."""

from __future__ import annotations

import argparse
import sys

from ipyparallel.controller.task_scheduler import TaskScheduler

from ipp_richsched import RichTaskScheduler

from .run import JOBS, run_many, run_seed, table


def main() -> int:
    parser = argparse.ArgumentParser(description="Random clusters at the wire.")
    parser.add_argument("--seed", type=int, help="the one whose story is wanted")
    parser.add_argument("--seeds", type=int, default=50, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=JOBS, help="how many side by side")
    parser.add_argument("--stock", action="store_true", help="ipyparallel's own scheduler")
    options = parser.parse_args()
    scheduler_class = TaskScheduler if options.stock else RichTaskScheduler
    results = []
    if options.seed is not None:
        results.append(run_seed(options.seed, scheduler_class))
        print("\n".join(results[0].story))
    else:
        seeds = range(options.first, options.first + options.seeds)
        for result in run_many([(seed, scheduler_class) for seed in seeds], options.jobs):
            results.append(result)
            if not result.is_good and not options.stock:
                print(result, flush=True)
    print(f"\n{scheduler_class.__name__}, scripts from seeds")
    print(table(results))
    return 0 if all(result.is_good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
