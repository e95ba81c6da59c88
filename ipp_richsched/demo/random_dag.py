"""A random DAG of short tasks of which three fail, however often they are tried."""

from __future__ import annotations

from collections import Counter
from random import Random

from .dag import DemoTask

_SEED = 3
_SECONDS = 0.02
_WITHOUT_PARENTS = 10
_PARENTS = 3
_REACH = 60


def random_dag(n: int) -> list[DemoTask]:
    """Return `n` tasks, parents first; each is after up to three of the sixty before it.

    All of them may run twice. What depends on one that failed, however far away, cannot run.

    Parameters
    ----------
    n : int
        At least 12, or fewer than three fail.

    Returns
    -------
    list of DemoTask
        The same ones each time.
    """
    rng = Random(_SEED)
    parents = [_parents(i, rng) for i in range(n)]
    children = Counter(parent for each in parents for parent in each)
    marks = [n // 6, n // 4, n // 2]
    tasks: list[DemoTask] = []
    for i in range(n):
        end = "done"
        if any(tasks[parent].end != "done" for parent in parents[i]):
            end = "ImpossibleDependency"
        # One task waits for it at most, and many may wait for that one: there the stock scheduler
        # is most likely to lose some.
        elif marks and i >= marks[0] and children[i] <= 1:
            del marks[0]
            end = "RuntimeError"
        tasks.append(
            DemoTask(
                f"task-{i}",
                _SECONDS,
                after=tuple(tasks[parent].name for parent in parents[i]),
                retries=1,
                failures=2 if end == "RuntimeError" else 0,
                end=end,
            )
        )
    return tasks


def _parents(i: int, rng: Random) -> list[int]:
    if i < _WITHOUT_PARENTS:
        return []
    before = range(max(0, i - _REACH), i)
    return rng.sample(before, rng.randint(0, _PARENTS))
