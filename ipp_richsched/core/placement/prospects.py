"""What may become of a task, given what has finished and which engines live.

Nothing here changes anything.
"""

from __future__ import annotations

from ..dependency import MET, PENDING, UNREACHABLE, Status
from ..engines.pool import EnginePool
from ..task import Task


class Prospects:
    """Answers about tasks, derived from the engines.

    Parameters
    ----------
    pool : EnginePool
        The registered engines.
    """

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    def follow(self, task: Task) -> Status:
        """How `follow` stands; O(engines that it names)."""
        follow = task.follow
        if not follow.ids:
            return MET
        status = follow.status(task.follow_accepted, task.follow_refused)
        if status is UNREACHABLE or not task.follow_engines:
            return status
        possible = self._followable(task)
        if follow.all:
            # Met if all of them ran on one engine, and the task may run there.
            met = possible == len(task.follow_engines) <= 1
            return status if met else UNREACHABLE
        if possible:
            return MET
        pending = task.follow_accepted + task.follow_refused < len(follow.ids)
        return PENDING if pending else UNREACHABLE

    def _followable(self, task: Task) -> int:
        """How many engines there are where ids of `follow` ran and where `task` may run."""
        targets = task.targets
        return sum(
            targets is None or engine.ident in targets
            for engine in self._pool.among(task.follow_engines)
        )

    @staticmethod
    def places(task: Task) -> frozenset[bytes] | None:
        """The engines that `targets` and `follow` leave to a ready task; None for any."""
        if not task.follow.ids:
            return task.targets
        if task.targets is None:
            return task.follow_engines
        return task.follow_engines & task.targets

    def is_hopeless(self, task: Task) -> bool:
        """Whether its `targets` leave a task no engine, now or later; O(targets)."""
        return task.targets is not None and self._pool.departed.issuperset(task.targets)

    def decisive_engines(self, task: Task) -> tuple[bytes, ...]:
        """The engines whose coming or death may decide what becomes of a waiting task.

        Of its targets one that is not gone will do: as long as it lives there is hope.
        """
        watched = set(task.follow_engines)
        if task.targets is not None:
            watched.update(sorted(task.targets - self._pool.departed)[:1])
        return tuple(sorted(watched))
