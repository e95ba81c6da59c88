"""How things stand, and the stories of tasks, as the answers to requests have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..core.failures import Failure, TaskError, engine_name
from ..core.status import DeadEngine, EngineStatus, QueuePart, Status, WaitingTask
from ..core.story import End
from ..core.tale import Link, Tale, Try
from ..core.tallies import Example
from ..core.task import TaskState
from .checks import BEGINNING, printable
from .names import EngineNames, client_name
from .texts import ERRORS, cause_text
from .waits import Teller

STATES: dict[TaskState | None, str] = {state: state.name.lower() for state in TaskState}
STATES[None] = "unknown"
"""What the states are called."""

ENDS = {end: end.name.lower() for end in End}
"""What the ends of attempts are called."""


class Sight:
    """Makes answers as of one moment; times are in seconds of the epoch.

    Parameters
    ----------
    now : float
        The time, by the clock of the core.
    wall : float
        The same in seconds of the epoch.
    names : EngineNames
        What the engines are called.
    """

    def __init__(self, now: float, wall: float, names: EngineNames) -> None:
        self._names = names
        self._teller = Teller(now, wall, names.called)
        self.time = self._teller.time
        self.failure = self._teller.failure

    def status(self, status: Status) -> dict[str, Any]:
        """What the core knows of how things stand."""
        return {
            "waiting": status.waiting,
            "ready": status.ready,
            "assigned": status.assigned,
            "succeeded": status.succeeded,
            "stranded": status.stranded,
            "failed": status.reasons,
            "never_ran": status.never_ran,
            "causes": _named(status.causes),
            # two causes may be called the same: then the latest example stays
            "examples": {
                cause_name(cause): self._example(one) for cause, one in status.examples.items()
            },
            "causes_lately": _named(status.lately),
            "last_failed": self._teller.time(status.failed_at),
            "rates": asdict(status.rate),
            "engines": [self._engine(engine) for engine in status.engines],
            "dead": [self._dead(engine) for engine in status.dead],
            "queue": [_part(part) for part in status.queue],
            "queue_more": status.queue_more,
            "oldest": [self._waiting(task) for task in status.oldest],
            "oldest_more": status.oldest_more,
        }

    def story(self, tale: Tale) -> dict[str, Any]:
        """What is known of a task."""
        tell = self._teller
        found: dict[str, Any] = {"reason": None, "kind": None, "details": {}}
        if tale.wait is not None:
            found.update(tell.wait(tale.wait))
        elif tale.state is TaskState.FAILED:
            found.update(tell.failure(tale.msg_id, tale.why))
        return {
            "msg_id": tale.msg_id,
            "state": STATES[tale.state],
            "complete": tale.is_whole,
            "label": tale.label,
            "priority": tale.priority,
            "submitted": tell.time(tale.submitted),
            "finished": tell.time(tale.finished),
            "expires": tell.time(tale.expires),
            "engine": self.place(tale.engine) if tale.engine is not None else None,
            "attempts": [self._try(tale.msg_id, one) for one in tale.tries],
            "attempts_made": tale.attempts,
            "cause": printable(cause_text(tale.cause)) if tale.cause is not None else None,
            "chain": [self._link(link) for link in tale.chain],
            "skipped": tale.skipped,
            **found,
        }

    def place(self, engine: bytes) -> dict[str, Any]:
        """What an engine is called, and where it is."""
        uuid = engine_name(engine)
        names = self._names
        return {"id": names.number(uuid), "uuid": uuid, "host": names.host(uuid)}

    def _example(self, example: Example) -> dict[str, Any]:
        if isinstance(example.why, TaskError):
            text = printable(example.why.evalue)  # what its name is stands before it
        else:
            text = self._teller.failure(example.msg_id, example.why)["reason"] or ""
        return {"msg_id": example.msg_id, "label": example.label, "text": text[:BEGINNING]}

    def _engine(self, engine: EngineStatus) -> dict[str, Any]:
        return {
            **self.place(engine.engine),
            "load": engine.load,
            "done": engine.done,
            "failed": engine.failed,
            "task": engine.msg_id,
            "label": engine.label,
            "since": self._teller.time(engine.since),
            "paused": engine.paused,
            "unreachable": self._teller.time(engine.unreachable),
        }

    def _dead(self, engine: DeadEngine) -> dict[str, Any]:
        return {
            **self.place(engine.engine),
            "held": engine.held,
            "task": engine.msg_id,
            "label": engine.label,
            "since": self._teller.time(engine.since),
            "died": self._teller.time(engine.died),
            "until": self._teller.time(engine.until),
        }

    def _waiting(self, task: WaitingTask) -> dict[str, Any]:
        return {
            "msg_id": task.msg_id,
            "label": task.label,
            "client": client_name(task.client),
            "priority": task.priority,
            "since": self._teller.time(task.since),
            "expires": self._teller.time(task.expires),
            **self._teller.wait(task.wait),
        }

    def _try(self, msg_id: str, one: Try) -> dict[str, Any]:
        return {
            **self.place(one.engine),
            "assigned": self._teller.time(one.assigned),
            "over": self._teller.time(one.over),
            "outcome": ENDS[one.end] if one.end is not None else None,
            **self.failure(msg_id, one.why, one.end),
        }

    def _link(self, link: Link) -> dict[str, Any]:
        return {
            "msg_id": link.msg_id,
            "label": link.label,
            "state": STATES[link.state],
            **self._teller.wait(link.wait),
        }


def cause_name(cause: str | Failure) -> str:
    """What that is called with which a failure began."""
    return ERRORS[cause].__name__ if isinstance(cause, Failure) else printable(cause)


def _named(causes: Mapping[str | Failure, int]) -> dict[str, int]:
    named: dict[str, int] = {}
    for cause, number in causes.items():
        name = cause_name(cause)
        named[name] = named.get(name, 0) + number
    return named


def _part(part: QueuePart) -> dict[str, Any]:
    return {**asdict(part), "client": client_name(part.client)}
