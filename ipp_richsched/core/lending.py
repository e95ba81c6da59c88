"""A task that waits lends its priority to what it waits for.

Otherwise a task of high priority would wait for one of low priority that waits for its turn.
What was lent is not taken back, also if the task that lent it has failed since.
"""

from __future__ import annotations

from .state import State
from .step import Step
from .task import WAITING, Task


class Lending:
    """Raises the priorities of tasks that others wait for.

    It is worked off from the backlog in a loop, never by recursion.  One submission costs O(1) for
    each id of each task that it raises.

    Parameters
    ----------
    state : State
        The collections.
    """

    def __init__(self, state: State) -> None:
        self._tasks = state.tasks
        self._queue = state.queue
        self._order = state.order
        self._loans = state.backlog.loans

    def lend(self, task: Task) -> None:
        """Have a waiting task lend its priority."""
        self._loans.append(
            (task.priority, [*task.after.ids, *task.follow.ids, *task.rich.arguments])
        )

    def work(self, step: Step) -> None:
        """Raise those to whom priorities are lent, as far as the budget of the step goes."""
        loans = self._loans
        while loans and step.work_left > 0:
            priority, ids = loans.pop()
            while ids and step.work_left > 0:
                step.work_left -= 1
                task = self._tasks.get(ids.pop())
                # One that has killed an engine stays behind the others.
                if task is not None and task.priority < priority and not task.crashed:
                    self._raise(step, task, priority)
                    if task.state is WAITING:
                        self.lend(task)
            if ids:
                loans.append((priority, ids))

    def _raise(self, step: Step, task: Task, priority: int) -> None:
        """Give a task a higher priority; O(log n)."""
        rank = task.rank - (priority - task.priority) * self._order.step
        task.priority = priority
        if task.group is not None:
            self._queue.change_rank(task, rank, step.now)
        else:
            task.rank = rank
