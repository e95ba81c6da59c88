"""What may become of a task, given what has finished and which engines live.

Nothing here changes anything.
"""

from __future__ import annotations

from ..dependency import MET, PENDING, UNREACHABLE, Status
from ..engines.pool import EnginePool
from ..task import Task


class Prospects:
    """Answers about tasks, derived from the engines."""

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
        possible = self.followable(task)
        if follow.all:
            # all of them in one place, and that one can be had
            met = len(possible) == len(task.follow_engines) <= 1
            return status if met else UNREACHABLE
        if possible:
            return MET
        pending = task.follow_accepted + task.follow_refused < len(follow.ids)
        return PENDING if pending else UNREACHABLE

    def followable(self, task: Task) -> list[bytes]:
        """The engines where accepted ids of `follow` ran and where `task` may still run."""
        return [
            ident
            for ident in task.follow_engines
            if ident in self._pool.engines
            and ident not in task.refused_by
            and (task.targets is None or ident in task.targets)
        ]

    @staticmethod
    def places(task: Task) -> frozenset[bytes] | None:
        """The engines that `targets` and `follow` leave to a ready task; None for any."""
        if not task.follow.ids:
            return task.targets
        if task.targets is None:
            return task.follow_engines
        return task.follow_engines & task.targets

    def all_gone(self, idents: frozenset[bytes]) -> bool:
        """Whether each of these engines was here and is gone; none at all counts as gone."""
        return self._pool.departed.issuperset(idents)

    def hopeless(self, task: Task) -> bool:
        """Whether its `targets` leave a task no engine, now or later."""
        return task.targets is not None and self.all_gone(task.targets - task.refused_by)

    def decisive_engines(self, task: Task) -> tuple[bytes, ...]:
        """The engines whose coming or death may decide what becomes of a waiting task.

        Of its targets one that is not gone will do: as long as it lives there is hope.
        """
        watched = set(task.follow_engines)
        if task.targets is not None:
            hoped_for = task.targets - task.refused_by
            watched.update([i for i in hoped_for if i not in self._pool.departed][:1])
        return tuple(watched)
