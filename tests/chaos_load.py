"""Tasks of every kind for engines that are killed under them, and what must become of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import ipyparallel as ipp

from .processes import wait_for

RETRIES = 100  # more than engines can die

# -- what engines run ----------------------------------------------------------------------


@ipp.interactive
def square(number: int, seconds: float) -> tuple[int, int]:
    """The square, and the process that it was computed in."""
    import os
    import time

    time.sleep(seconds)
    return number**2, os.getpid()


@ipp.interactive
def square_at_second_try(number: int, marker: str) -> tuple[int, int]:
    import os

    try:
        open(marker, "x").close()
    except FileExistsError:
        return number**2, os.getpid()
    raise RuntimeError("the first attempt fails")


@ipp.interactive
def hold(directory: str) -> tuple[str, int]:
    """Say which process runs it, and run until that one is released; by empty files."""
    import os
    import time
    from pathlib import Path

    Path(directory, f"started.{os.getpid()}").touch()
    while not Path(directory, f"release.{os.getpid()}").exists():
        time.sleep(0.02)
    return "released", os.getpid()


# -- what a client submits ----------------------------------------------------------------


def outcome(task: ipp.AsyncResult) -> Any:
    """What a task has returned, or the name of its error."""
    assert task.done()
    try:
        return task.get()
    except ipp.RemoteError as error:
        return error.ename


class Load:
    """Waves of tasks of every kind, and what must have become of them.

    Parameters
    ----------
    client : Client
    markers : Path
        A directory for the files with which tasks tell each other of attempts.
    """

    def __init__(self, client: ipp.Client, markers: Path) -> None:
        self._client = client
        self._view = client.load_balanced_view()
        self._markers = markers
        self._random = Random(3)
        self.sure: list[tuple[ipp.AsyncResult, int]] = []  # and its result
        self.followers: list[tuple[ipp.AsyncResult, ipp.AsyncResult, int]] = []
        self.risky: list[tuple[ipp.AsyncResult, Any]] = []
        self.heirs: list[dict[str, ipp.AsyncResult]] = []  # of the risky ones

    @property
    def tasks(self) -> list[ipp.AsyncResult]:
        heirs = [task for heirs in self.heirs for task in heirs.values()]
        followers = [follower for follower, _, _ in self.followers]
        return [task for task, _ in self.sure + self.risky] + followers + heirs

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Poll a condition, and submit a wave whenever few tasks are unfinished."""

        def met() -> object:
            if len(self._client.outstanding) < 50:
                self.submit_wave()
            return condition()

        wait_for(met, what)

    def submit_wave(self) -> None:
        for _ in range(30):
            self._submit_sure()
        for _ in range(5):
            self._submit_follower()
            self._submit_risky()

    def _apply(self, number: int) -> ipp.AsyncResult:
        return self._view.apply_async(square, number, self._random.uniform(0.0, 0.1))

    def _submit_sure(self) -> None:
        """A task with retries, after some of the earlier ones."""
        number = len(self.sure)
        count = min(len(self.sure), self._random.randrange(4))
        before = [task for task, _ in self._random.sample(self.sure, count)]
        after = ipp.Dependency(before, all=self._random.random() < 0.5)
        with self._view.temp_flags(retries=RETRIES, after=after):
            if number % 5:
                task = self._apply(number)
            else:
                marker = str(self._markers / f"tried-{number}")
                task = self._view.apply_async(square_at_second_try, number, marker)
        self.sure.append((task, number**2))

    def _submit_follower(self) -> None:
        number = len(self.followers)
        leader, _ = self._random.choice(self.sure)
        with self._view.temp_flags(retries=RETRIES, follow=leader):
            self.followers.append((self._apply(number), leader, number**2))

    def _submit_risky(self) -> None:
        """A task without retries, and its heirs."""
        number = len(self.risky)
        self._add_risky(self._apply(number), number**2)

    def submit_held(self, directory: Path, retries: int) -> ipp.AsyncResult:
        """A task that runs until it is released, see `hold`, and its heirs."""
        with self._view.temp_flags(retries=retries):
            task = self._view.apply_async(hold, str(directory))
        self._add_risky(task, "released")
        return task

    def _add_risky(self, task: ipp.AsyncResult, result: Any) -> None:
        """Submit the heirs of a task: tasks that depend on how it ends."""
        conditions = {"success": (True, False), "failure": (False, True), "either": (True, True)}
        heirs = {}
        for name, (success, failure) in conditions.items():
            after = ipp.Dependency([task], success=success, failure=failure)
            with self._view.temp_flags(retries=RETRIES, after=after):
                heirs[name] = self._apply(len(self.risky))
        self.risky.append((task, result))
        self.heirs.append(heirs)

    def check(self, live: set[int]) -> None:
        """Check each outcome; `live` are the processes of the engines that are left."""
        for task, result in self.sure:
            assert outcome(task)[0] == result
        for follower, leader, result in self.followers:
            place = outcome(leader)[1]
            if outcome(follower) == "ImpossibleDependency":
                assert place not in live
            else:
                assert outcome(follower) == (result, place)
        for number, (task, result) in enumerate(self.risky):
            heirs = {name: outcome(heir) for name, heir in self.heirs[number].items()}
            survived = outcome(task) != "EngineError"
            assert not survived or outcome(task)[0] == result
            runs, fails = ("success", "failure") if survived else ("failure", "success")
            assert heirs[runs][0] == heirs["either"][0] == number**2
            assert heirs[fails] == "ImpossibleDependency"
