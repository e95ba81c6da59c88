"""Whether a core makes the same of the same events again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from .codec import to_plain
from .engines.schemes import SchemeError
from .log import LogError, Step, actions_of, event_of
from .machine import SchedulerCore
from .settings import Settings
from .story import CoreError


class Difference(NamedTuple):
    """The first step at which a new core did something else than the log says.

    Attributes
    ----------
    step : int
        Which it is; 1 for the first.
    event : object
        Its event, as plain data.
    written : object
        The actions in the log, as plain data.
    done : object
        Those of the new core.
    """

    step: int
    event: Any
    written: Any
    done: Any


def replay(settings: Settings, steps: Iterable[Step]) -> tuple[int, Difference | None]:
    """Feed the steps of a run, from its first on, to a new core.

    Parameters
    ----------
    settings : Settings
        Those of the run.
    steps : iterable of Step
        Its steps.

    Returns
    -------
    int
        How many were fed.
    Difference or None
        Where the new core did something else; the rest is not fed then.

    Raises
    ------
    LogError
        If the scheme of the run is not there, or if a step cannot be read.
    """
    try:
        core = SchedulerCore(settings)
    except SchemeError as error:
        raise LogError(f"{error}") from None
    number = 0
    for number, step in enumerate(steps, 1):
        try:
            actions = core.handle(event_of(step), now=step.now)
        except CoreError as error:
            actions = error.actions
        done = json.loads(json.dumps(to_plain(actions)))
        if done != step.actions:
            actions_of(step)  # what is no action is an error in the log, and no difference
            return number, Difference(number, step.event, step.actions, done)
    return number, None
