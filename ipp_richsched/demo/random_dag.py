"""A random DAG of short tasks of which three fail, however often they are tried."""

from __future__ import annotations

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
    marks = [n // 6, n // 4, n // 2]  # the first from here on that can run at all fails
    tasks: list[DemoTask] = []
    for i in range(n):
        parents: list[DemoTask] = []
        if i >= _WITHOUT_PARENTS:
            parents = rng.sample(tasks[-_REACH:], rng.randint(0, _PARENTS))
        end = "done"
        if any(parent.end != "done" for parent in parents):
            end = "ImpossibleDependency"
        elif marks and i >= marks[0]:
            del marks[0]
            end = "RuntimeError"
        tasks.append(
            DemoTask(
                f"task-{i}",
                _SECONDS,
                after=tuple(parent.name for parent in parents),
                retries=1,
                failures=2 if end == "RuntimeError" else 0,
                end=end,
            )
        )
    return tasks
