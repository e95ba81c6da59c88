"""What a finished task, or an engine that came or died, entails for waiting tasks.

It is worked off from the backlog in a loop, never by recursion: whatever fails on the way adds
to the backlog again.
"""

from __future__ import annotations

from .dependency import MET, UNREACHABLE
from .explain import Explain
from .graph import count_follow
from .lifecycle import Lifecycle
from .placement.prospects import Prospects
from .placement.stranded import Strandings
from .state import State
from .step import Step
from .task import SUCCEEDED, WAITING, Task


class Cascade:
    """Tells dependents of what they waited for, and looks again at tasks.

    Parameters
    ----------
    state : State
        The collections.
    lifecycle : Lifecycle
        What moves tasks.
    prospects : Prospects
        What may become of tasks.
    explain : Explain
        Why they fail.
    strandings : Strandings
        What looks after queued tasks that nobody may take.
    """

    def __init__(
        self,
        state: State,
        lifecycle: Lifecycle,
        prospects: Prospects,
        explain: Explain,
        strandings: Strandings,
    ) -> None:
        self._graph = state.graph
        self._backlog = state.backlog
        self._lifecycle = lifecycle
        self._prospects = prospects
        self._values = state.values
        self._explain = explain
        self._strandings = strandings

    def work(self, step: Step) -> None:
        """Work off news and reviews, as far as the budget of the step goes."""
        news, reviews = self._backlog.news, self._backlog.reviews
        while news and step.work_left > 0:
            self._tell(step)
        while reviews and step.work_left > 0:
            step.work_left -= 1
            task = reviews.popleft()
            with step.on(task):
                if task.state is WAITING:
                    self.advance(step, task)
                else:
                    self._strandings.review(step, task)

    def advance(self, step: Step, task: Task) -> None:
        """Look again at a waiting task."""
        life = self._lifecycle
        after = task.after.status(task.after_accepted, task.after_refused)
        follow = self._prospects.follow(task) if task.follow.ids else MET
        if after is MET and follow is MET and (task.needs is None or self._values.ask(step, task)):
            if task.watched:
                self._graph.unwatch(task)
            life.make_ready(step, task)
        elif after is UNREACHABLE:
            life.fail(step, task, self._explain.after(task))
        elif follow is UNREACHABLE:
            life.fail(step, task, self._explain.follow(task))
        elif task.needs is not None and (reason := self._explain.arguments(task)) is not None:
            life.fail(step, task, reason)
        elif task.targets is None and not task.follow_engines:
            return  # no engine decides what becomes of it
        elif self._prospects.is_hopeless(task):
            life.fail(step, task, self._explain.no_target_left(task))
        else:
            self._graph.watch(task, self._prospects.decisive_engines(task))

    def _tell(self, step: Step) -> None:
        """Move the counters of tasks that waited for a finished one."""
        dependents, outcome, count = self._backlog.news[0]
        steps = min(step.work_left, len(dependents))
        step.work_left -= steps
        with step:  # one scope for all: most of them are only counted
            for _ in range(steps):
                task = step.task = dependents.pop()
                if task.state is WAITING:
                    if count(task, outcome):
                        self.advance(step, task)
                elif count is count_follow and task.state < SUCCEEDED:
                    count(task, outcome)
                    if task.group is not None:
                        # It follows any of several, and may now run on one more engine.
                        self._lifecycle.requeue(task)
        if not dependents:
            self._backlog.news.popleft()
