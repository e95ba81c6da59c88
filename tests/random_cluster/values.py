"""Whether tasks get the values of their arguments, and clients are asked for no others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_client.session import DELIM

from .ledger import Ledger
from .records import Record
from .script import LAST, PATIENCE, PLENTY, Script

NOT_SENT = "has as an argument the result of"
"""What is said of a task that fails since its client did not send a value."""


@dataclass
class Question:
    """A client was asked for a value.

    Attributes
    ----------
    client, msg_id : str
        Who, and the task whose value it is.
    record : Record
        The task for which it was asked.
    since : float
        A time at which that had certainly not been decided yet.
    sent_at : float or None
        When the client sent something.
    """

    client: str
    msg_id: str
    record: Record
    since: float
    sent_at: float | None = None

    def may_be_over(self, when: float) -> bool:
        """Whether the client may have taken too long then."""
        return min(self.sent_at or when, when) >= self.since + PATIENCE


class Values:
    """The values that tasks have as arguments.

    Parameters
    ----------
    ledger : Ledger
    script : Script

    Attributes
    ----------
    tried : Counter of str
        How often values came with tasks and were asked for, and how often what a client sent was
        refused, and what a stranger did.
    """

    def __init__(self, ledger: Ledger, script: Script) -> None:
        self._ledger = ledger
        self._limit = script.values_size_limit
        self._questions: list[Question] = []
        self._open: dict[str, tuple[str, str, str, Question | None]] = {}
        self._taken: Counter[tuple[str, str]] = Counter()
        self._problems: set[tuple[str, str]] = set()
        self._said_silent: list[tuple[Record, float]] = []  # and when
        self.tried: Counter[str] = Counter()

    @property
    def unanswered(self) -> list[str]:
        return [*self._open]

    def of(self, msg_id: str) -> list[bytes] | None:
        """The value of a task that has finished; None if it has not.

        It is what its client got, or what the client makes of it if there is nothing in that.
        """
        outtask = self._ledger.records[msg_id].outtask
        if outtask is None:
            return None
        return outtask[outtask.index(DELIM) + 6 :] or [f"value of {msg_id}".encode()]

    def come_with(self, record: Record) -> list[bytes]:
        """The buffers that come behind a task's own."""
        arguments = record.spec.rich.arguments
        self.tried["values with tasks"] += len(arguments)
        return [buffer for msg_id in arguments for buffer in self.of(msg_id) or []]

    def too_many(self, record: Record) -> Iterator[str]:
        """Why an engine must not get a task: for its values there was no room."""
        asked = {question.msg_id for question in self._questions}
        held = [msg_id for msg_id in record.spec.rich.arguments if msg_id not in asked]
        size = sum(len(buffer) for msg_id in held for buffer in self.of(msg_id) or [])
        if size > self._limit:
            yield f"with {size} bytes of {held}, for which nobody was asked"

    # -- questions, and what clients send ----------------------------------------------

    def asks(self, client: str, task: str, msg_id: str) -> Iterator[str]:
        """A client is asked for a value: why that must not be."""
        record = self._ledger.records.get(task)
        if (
            record is None
            or record.spec.client != client
            or msg_id not in record.spec.rich.arguments
        ):
            yield "which is no argument of a task of its own"
            return
        self.tried["values asked for"] += 1
        replies = map(self._first_reply, record.spec.rich.arguments)
        question = Question(client, msg_id, record, max(record.sent_at, *replies))
        self._questions.append(question)
        if self._must_be_held(record, msg_id):
            yield "though it was to be held"

    def _first_reply(self, msg_id: str) -> float:
        """When a task surely had not ended."""
        record = self._ledger.records.get(msg_id)
        attempts = record.attempts if record is not None else []
        return min((attempt.replied_after or 0.0 for attempt in attempts), default=0.0)

    def _must_be_held(self, user: Record, msg_id: str) -> bool:
        """Whether a value surely was relayed when a task needed it, and there was room."""
        record = self._ledger.records[msg_id]
        if self._limit < PLENTY and msg_id != LAST:
            return False
        if not user.intask or user.intask_at >= self._first_reply(msg_id):
            return False
        return all(reply[reply.index(DELIM) + 6 :] for _, _, reply in record.replies)

    def sends(self, name: str, client: str, msg_id: str, kind: str) -> None:
        """A client sends something, as in `Sending`."""
        mine = [each for each in self._questions if (each.client, each.msg_id) == (client, msg_id)]
        question = mine[-1] if mine and mine[-1].sent_at is None else None
        if question is not None:
            question.sent_at = time.monotonic()
        if kind == "problem":
            self._problems.add((client, msg_id))
        self._open[name] = client, msg_id, kind, question

    def answered(self, client: str, name: str, content: dict[str, Any]) -> Iterator[str]:
        """A client gets the answer to what it sent: what is wrong with it."""
        if name not in self._open:
            yield "again"
            return
        sender, msg_id, kind, question = self._open.pop(name)
        if client != sender:
            yield f"to {client}"
        if content["status"] == "ok":
            self._taken[sender, msg_id] += 1
            asked = sum((each.client, each.msg_id) == (sender, msg_id) for each in self._questions)
            if self._taken[sender, msg_id] > asked:
                yield f"that the {kind} of {msg_id} is taken, for which it was not asked"
            return
        self.tried["strangers refused" if kind == "wrong" else "values refused"] += 1
        if question is not None and self._must_be_taken(question):
            yield f"that the {kind} of {msg_id} is refused, for which it was asked"

    def _must_be_taken(self, question: Question) -> bool:
        """Whether nothing can have ended the task for which a value was asked."""
        spec, client = question.record.spec, question.client
        ends = spec.timeout or spec.targets or spec.follow or question.record.wanted_back
        now = time.monotonic()
        return not (ends or self._may_be_silent(client, now) or self._has_problems(client))

    def _may_be_silent(self, client: str, when: float) -> bool:
        """Whether a client may have taken too long by then to send a value."""
        return any(each.client == client and each.may_be_over(when) for each in self._questions)

    def _has_problems(self, client: str) -> bool:
        return any(client == other for other, _ in self._problems)

    # -- what becomes of tasks ---------------------------------------------------------

    def unjust(self, record: Record, text: str) -> Iterator[str]:
        """Why it is not true that a client did not send a value that a task needs."""
        client = record.spec.client
        named = [
            msg_id for msg_id in record.spec.rich.arguments if f"{NOT_SENT} {msg_id}, " in text
        ]
        if not named:
            yield "for what is no argument of it"
        elif "cannot send: it is lost" in text:
            if (client, named[0]) not in self._problems:
                yield f"though {client} has not said so"
        else:
            self._said_silent.append((record, time.monotonic()))

    def may_wait(self, record: Record) -> bool:
        """All is quiet: whether a task may wait for its arguments."""
        succeeded = self._ledger.finished[True]
        if not succeeded.issuperset(record.spec.rich.arguments):
            return True
        # one task at a time asks for more than may be held; it may be on an engine
        return self._limit < PLENTY and any(
            question.record is not record and not question.record.outtask
            for question in self._questions
        )

    def finish(self) -> Iterator[str]:
        """Nothing more comes, questions neither: what was wrong with them."""
        for record, when in self._said_silent:
            spec = record.spec
            if not self._may_be_silent(spec.client, when):
                yield f"{spec.msg_id} ends though {spec.client} sent all that it was asked for"
        for question in self._questions:
            if not self._ledger.finished[True].issuperset(question.record.spec.rich.arguments):
                yield f"{question.client} was asked for {question.msg_id} too early"
