"""What tasks wait for, and why they failed, as sentences and as data for JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from ..core.attempt_reasons import AttemptFailed
from ..core.failures import Few, TaskError, engine_name
from ..core.story import End, Why
from ..core.tallies import ABORTED, RAISED, kind_of
from ..core.waits import (
    ForAnyEngine,
    ForBusy,
    ForConnection,
    ForInterrupt,
    ForRetry,
    ForRoom,
    ForScheduler,
    ForTaker,
    ForTasks,
    ForValues,
    OnDeadEngine,
    OnEngine,
    Pending,
    Wait,
)
from .checks import printable
from .names import client_name, listed
from .texts import (
    Called,
    engine_text,
    engines_text,
    error_text,
    few_text,
    named,
    of_itself,
    reason_text,
    unmet_text,
    verb,
)

TIMES = {"until", "again", "since", "began"}
"""The fields that are times."""

CLIENTS = {"client", "next_client"}
"""The fields that are clients."""


class Teller:
    """Says it as of one moment.

    Parameters
    ----------
    now : float
        The time, by the clock of the core.
    wall : float
        The same in seconds of the epoch.
    called : callable
        What people call an engine, given its identity as text.
    """

    def __init__(self, now: float, wall: float, called: Called) -> None:
        self._now = now
        self._offset = wall - now
        self._called = called

    def time(self, when: float | None) -> float | None:
        """A time of the core's clock in seconds of the epoch."""
        return None if when is None else round(when + self._offset, 6)

    def wait(self, wait: Wait) -> dict[str, Any]:
        """What a task waits for: a sentence, its kind, and the data."""
        text: str = _WAITS[type(wait)](self, wait)
        return {"reason": printable(text), "kind": wait.kind, "details": self._details(wait)}

    def failure(self, msg_id: str, why: Why, end: End | None = None) -> dict[str, Any]:
        """Why a task or an attempt failed: a sentence and its kind; None where it is not known.

        Of an attempt that was refused (its `end` says so): what was missing.
        """
        if end is End.REFUSED:
            missing = why.evalue if isinstance(why, TaskError) else ""
            return {"reason": printable(missing) or None, "kind": None}
        if why is None:
            return {"reason": None, "kind": None}
        if isinstance(why, TaskError):
            return {"reason": printable(f"it raised {error_text(why)}"), "kind": RAISED}
        if isinstance(why, End):
            return {"reason": "it was aborted", "kind": ABORTED}
        if isinstance(why, AttemptFailed):
            raised = f"it raised {error_text(why.error)}" if why.error is not None else "it failed"
            return {"reason": printable(raised), "kind": kind_of(why)}
        text = of_itself(msg_id, reason_text(msg_id, why, self._called))
        return {"reason": printable(text), "kind": kind_of(why)}

    def _details(self, wait: Wait) -> dict[str, Any]:
        found = {}
        for field in fields(wait):
            value = getattr(wait, field.name)
            if field.name in TIMES:
                value = self.time(value)
            elif field.name in CLIENTS and value is not None:
                value = client_name(value)
            found[field.name] = _plain(value)
        return found

    # -- sentences ---------------------------------------------------------------------

    def _in(self, when: float | None) -> str:
        """How long it is until then."""
        return "" if when is None else f" in {duration(max(0.0, when - self._now))}"

    def _engines(self, engines: Few) -> str:
        names = tuple(sorted(engines.names, key=self._called))
        return engines_text(Few(names, engines.more), self._called)

    def _for_tasks(self, wait: ForTasks) -> str:
        return "waits for " + " and ".join(map(_pending_text, wait.pending))

    def _for_values(self, wait: ForValues) -> str:
        what = f"waits for the value of {few_text(wait.msg_ids)}"
        client = f"client {client_name(wait.client)}"
        if wait.until is None:
            return f"{what}, which {client} will be asked for when there is room for it"
        return f"{what}, which {client} was asked for; without it, it fails{self._in(wait.until)}"

    def _for_room(self, wait: ForRoom) -> str:
        text = f"waits for room: {self._engines(wait.full)} {verb(wait.full, 'is', 'are')} full"
        if wait.next_client is not None:
            client = client_name(wait.next_client)
            text = f"waits for its client's turn: that of client {client} is next; {text[10:]}"
        if wait.away.names:
            are = verb(wait.away, "is", "are")
            text += f"; {self._engines(wait.away)} cannot be reached or {are} being interrupted"
        if wait.failed.names:
            text += f"; it failed on {self._engines(wait.failed)}, and others come first"
            if wait.until is not None:
                text += f"; any may run it{self._in(wait.until)}"
        return text

    def _for_connection(self, wait: ForConnection) -> str:
        engines = self._engines(wait.engines)
        text = f"waits for a connection: {engines} {verb(wait.engines, 'has', 'have')} none"
        return f"{text}; it fails{self._in(wait.until)}" if wait.until is not None else text

    def _for_interrupt(self, wait: ForInterrupt) -> str:
        engines = self._engines(wait.engines)
        return f"waits: {engines} {verb(wait.engines, 'is', 'are')} being interrupted"

    def _for_retry(self, wait: ForRetry) -> str:
        return f"failed on {self._engines(wait.failed)}, and is tried again{self._in(wait.until)}"

    def _for_busy(self, wait: ForBusy) -> str:
        text = f"waits: {self._engines(wait.engines)} {verb(wait.engines, 'is', 'are')} busy with"
        return f"{text} something else (EngineBusy), and asked again{self._in(wait.until)}"

    def _for_taker(self, wait: ForTaker) -> str:
        unmet = unmet_text(wait.refusal)
        whys = [f"on {self._engines(wait.refused)} {unmet}"] * bool(wait.refused.names)
        if wait.absent.names:
            are = verb(wait.absent, "is", "are")
            whys.append(f"{self._engines(wait.absent)} {are} not registered")
        if wait.away.names:
            have = verb(wait.away, "has", "have")
            whys.append(f"{self._engines(wait.away)} {have} no connection")
        if wait.full.names:
            are = verb(wait.full, "is", "are")
            whys.append(f"{self._engines(wait.full)} {are} asked again when there is room")
        if wait.asked is not None:
            whys.append(f"{engine_text(wait.asked, self._called)} is asked again now")
        text = f"is stranded, no engine takes it: {'; '.join(whys)}"
        if wait.full.names and wait.until is not None:
            left = wait.until - self._now
            earliest = f", {duration(left)} from now at the earliest" if left > 0 else ""
            return f"{text}; it fails when all have refused it once more{earliest}"
        if wait.again is not None:
            text += f"; asked again{self._in(wait.again)}"
        return text + (f"; it fails{self._in(wait.until)}" if wait.until is not None else "")

    def _on_engine(self, wait: OnEngine) -> str:
        engine = engine_text(wait.engine, self._called)
        if wait.began is None:
            return f"is on {engine}, which works on {wait.works_on}"
        text = f"has been on {engine} for {duration(self._now - wait.began)}"
        if wait.until is not None:
            text += f"; its run_timeout ends{self._in(wait.until)}"
        return text

    def _on_dead_engine(self, wait: OnDeadEngine) -> str:
        engine = engine_text(wait.engine, self._called)
        text = f"was on {engine}, which died; if its answer does not come, it is given up"
        return f"{text}{self._in(wait.until)}"


def duration(seconds: float) -> str:
    """A length of time, for people."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return engine_name(value)
    if isinstance(value, (Few, Pending, TaskError)):
        return {name: _plain(part) for name, part in value._asdict().items()}
    return [*map(_plain, value)] if isinstance(value, tuple) else value


def _pending_text(pending: Pending) -> str:
    number = len(pending.msg_ids) + pending.more
    arguments = ", which is an argument," if number == 1 else ", which are arguments,"
    which = {"after": "", "follow": ", which it follows,", "arguments": arguments}
    labels = pending.labels or (None,) * len(pending.msg_ids)
    names = listed([*map(named, pending.msg_ids, labels)], pending.more)
    names = names if pending.msg_ids else f"{pending.more} tasks"
    is_choice = pending.any and number > 1
    text = f"any of {names}" if is_choice else names
    return f"{text}{which[pending.field]} to finish"


_WAITS: dict[type, Callable[[Teller, Any], str]] = {
    ForTasks: Teller._for_tasks,
    ForValues: Teller._for_values,
    ForScheduler: lambda teller, wait: "is about to be looked at by the scheduler",
    ForAnyEngine: lambda teller, wait: "waits for an engine: none is registered",
    ForRoom: Teller._for_room,
    ForConnection: Teller._for_connection,
    ForInterrupt: Teller._for_interrupt,
    ForRetry: Teller._for_retry,
    ForBusy: Teller._for_busy,
    ForTaker: Teller._for_taker,
    OnEngine: Teller._on_engine,
    OnDeadEngine: Teller._on_dead_engine,
}
