"""Judges a scheduler by the rules alone, from what was sent and received.

`tests.random_cluster` says what can be judged with certainty, and why.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from jupyter_client.session import DELIM

from ..scripted import without_mark
from .cancels import Cancels
from .ends import Ends
from .interrupts import Interrupts
from .ledger import Ledger
from .placements import Placements
from .precedence import Precedence
from .records import Attempt, Record
from .script import CancelSpec, Script, TaskSpec
from .values import NOT_SENT, Values
from .waits import Waits

HEADER, PARENT, METADATA, CONTENT = 2, 3, 4, 5  # frames, counted from the delimiter


def part(frames: list[bytes], place: int) -> dict[str, Any]:
    """A part of a message."""
    return json.loads(frames[frames.index(DELIM) + place])


class Referee:
    """Takes down what is sent and received, and every breach of a rule.

    Parameters
    ----------
    script : Script
    grace : float
        Seconds in which a dead engine's replies count.
    relaxed : bool
        Whether the hub may hear of what a reply sets free before it hears of the reply, as
        from the stock scheduler.

    Attributes
    ----------
    breaches : Counter of str
        ``lost``, ``twice``, ``misplaced`` (ran where or when it must not), ``silent`` (waited
        without a reason) and ``other``.
    losses : int
        How many messages and answers went lost.
    ends : Counter of str
        How tasks have ended: a status, or the name of an error of the scheduler's own.
    story : list of str
        All that happened; breaches are marked with ``!!``.
    """

    def __init__(self, script: Script, *, grace: float, relaxed: bool) -> None:
        self._script = script
        self._grace = grace
        self._relaxed = relaxed
        self._start = time.monotonic()
        self.ledger = Ledger()
        self._ends = Ends(self.ledger, grace, script, relaxed)
        self._placements = Placements(self.ledger, grace, script)
        self.precedence = Precedence(self.ledger, script)
        self.cancels = Cancels(self.ledger)
        self.interrupts = Interrupts(self.ledger, script)
        self.values = Values(self.ledger, script)
        self.breaches: Counter[str] = Counter()
        self.losses = 0
        self.ends: Counter[str] = Counter()
        self.story: list[str] = []

    def note(self, text: str) -> None:
        self.story.append(f"{time.monotonic() - self._start:7.3f}  {text}")

    def blame(self, kind: str, text: str) -> None:
        self.breaches[kind] += 1
        self.note(f"!! {kind}: {text}")

    @property
    def tried(self) -> Counter[str]:
        """How often what a rich client may do was tried, and could be judged."""
        said = sum(map(len, (record.maybe_busy_on for record in self.ledger.records.values())))
        return (
            self.cancels.outcomes
            + self.values.tried
            + Counter(
                {
                    "engines busy": said,
                    "interrupts": self.interrupts.count,
                    "overtakings judged": self.precedence.judged,
                    "paths judged": self.precedence.judged_by_path,
                }
            )
        )

    @property
    def unanswered(self) -> list[str]:
        records = self.ledger.records.items()
        return [msg_id for msg_id, record in records if not record.answers]

    # -- what is sent ------------------------------------------------------------------

    def submits(self, spec: TaskSpec, frames: list[bytes]) -> None:
        self.note(f"submit {spec}")
        self.ledger.submit(spec, frames)

    def registers(self, engine: str) -> None:
        self.note(f"register {engine}")
        self.interrupts.ends(engine)  # it is a new engine, which nobody interrupts
        self.ledger.register(engine)

    def unregisters(self, engine: str) -> None:
        self.note(f"declare {engine} dead")
        self.ledger.unregister(engine)

    def connects(self, engine: str) -> None:
        self.note(f"{engine} connects")
        self.ledger.connect(engine)

    def disconnects(self, engine: str) -> None:
        self.note(f"{engine} is cut off")
        self.ledger.disconnect(engine)

    def runs(self, engine: str, msg_id: str) -> None:
        record = self.ledger.records[msg_id]
        record.runs += 1
        free = record.free_attempts if record.spec.rich.max_crashes is not None else 0
        if record.runs > 1 + record.spec.retries + free:
            self.blame("misplaced", f"{msg_id} runs for the {record.runs}th time, on {engine}")

    def loses(self, msg_id: str, attempt: Attempt, what: str) -> None:
        self.note(f"{what} of {msg_id} is lost, {attempt.engine}'s")
        self.losses += 1
        self.ledger.lose(self.ledger.records[msg_id], attempt)

    def replies(
        self, msg_id: str, attempt: Attempt, kind: str, frames: list[bytes], when: float
    ) -> None:
        self.note(f"{attempt.engine} answers {msg_id}: {kind}")
        record = self.ledger.records[msg_id]
        self.ledger.reply(record, attempt, kind, without_mark(frames), when)
        if self._relaxed and kind != "refuse":
            self.ledger.count(record, kind == "ok", attempt.engine)

    def wants_back(self, spec: CancelSpec) -> None:
        self.note(f"request {spec}")
        self.cancels.sent(spec)

    def sends_value(self, name: str, client: str, msg_id: str, kind: str) -> None:
        self.note(f"request {name} of {client}: the {kind} of {msg_id}")
        self.values.sends(name, client, msg_id, kind)

    def signals(self, engine: str) -> None:
        """The nanny of an engine is asked to interrupt it."""
        self.note(f"{engine} is interrupted")
        for why in self.interrupts.begins(engine):
            self.blame("other", f"{engine} is interrupted, {why}")

    # -- what engines and clients get --------------------------------------------------

    def engine_gets(self, engine: str, msg_id: str, frames: list[bytes]) -> None:
        self.note(f"{engine} gets {msg_id}")
        self.ledger.reached.add(engine)
        record = self.ledger.records[msg_id]
        for why in self.values.too_many(record):
            self.blame("other", f"{msg_id} comes to {engine} {why}")
        values = self.values.come_with(record)
        expected = [record.spec.client.encode(), *record.sent, *values]
        again = len(record.on(engine)) > 1
        frames = without_mark(frames)
        if frames != expected and not (again and _differ_by_attempt(frames, expected)):
            self.blame("other", f"{msg_id} comes to {engine} changed: {frames}")

    def client_gets(self, client: str, frames: list[bytes]) -> None:
        msg_id = part(frames, PARENT)["msg_id"]
        self.note(f"{client} gets the answer of {msg_id}")
        record = self.ledger.records[msg_id]
        if record.spec.client != client:
            self.blame("other", f"{client} gets the answer of {msg_id}, which is not its own")
        record.answers.append(frames)
        if len(record.answers) > 1:
            self.blame("twice", f"{msg_id} is answered again")

    def request_is_answered(self, client: str, name: str, content: dict[str, Any]) -> None:
        self.note(f"{client} gets the answer of the request {name}: {content}")
        requests = self.cancels if name in self._script.cancels else self.values
        for why in requests.answered(client, name, content):
            self.blame("other", f"the request {name} is answered {why}")

    def asks(self, client: str, task: str, msg_id: str) -> None:
        """A client is asked for the value of a task, for another."""
        self.note(f"{client} is asked for the value of {msg_id}, for {task}")
        for why in self.values.asks(client, task, msg_id):
            self.blame("other", f"{client} is asked for {msg_id}, for {task}, {why}")

    # -- what the hub hears: all that the scheduler does, in its order ------------------

    def hub_hears(self, frames: list[bytes]) -> None:
        topic = frames[0]
        if topic == b"tracktask":
            msg_id = part(frames, CONTENT)["msg_id"]
        else:
            msg_id = part(frames, HEADER if topic == b"intask" else PARENT)["msg_id"]
        record = self.ledger.records.get(msg_id)
        if record is None:
            return  # a probe
        if self._relaxed:
            self.ledger.count_the_lost(self._grace)
        if topic == b"intask":
            self._taken_in(record, frames)
        elif topic == b"tracktask":
            self._assigned(record, part(frames, CONTENT)["engine_id"])
        else:
            self._ended(record, frames)

    def _taken_in(self, record: Record, frames: list[bytes]) -> None:
        spec = record.spec
        if record.intask or frames != [b"intask", spec.client.encode(), *record.sent]:
            self.blame("other", f"the hub hears of {spec.msg_id} twice, or what was not sent")
        self.ledger.take_in(record)

    def _assigned(self, record: Record, engine: str) -> None:
        msg_id = record.spec.msg_id
        self.note(f"    the hub hears that {msg_id} is on {engine}")
        for why in self._placements.wrong(record, engine):
            self.blame("misplaced", f"{msg_id} is on {engine}, {why}")
        for why in () if self._relaxed else self.precedence.wrong(record, engine):
            self.blame("misplaced", f"{msg_id} is on {engine}, {why}")
        for why in self.interrupts.wrong(record, engine):
            self.blame("misplaced", f"{msg_id} is on {engine}, {why}")
        if not record.intask:
            self.blame("other", f"the hub hears where {msg_id} is before it hears of it")
        self.ledger.assign(record, engine)
        held = self.ledger.held_by(engine)
        if 0 < self._script.hwm < len(held):
            self.blame("misplaced", f"{engine} holds {held}, over the high water mark")

    def _ended(self, record: Record, frames: list[bytes]) -> None:
        msg_id, (client, *engine) = record.spec.msg_id, frames[1 : frames.index(DELIM)]
        relayed = [
            kind
            for ident, kind, reply in record.replies
            if frames == [b"outtask", client, ident.encode(), *reply[1:]]
        ]
        content = part(frames, CONTENT)
        text = "" if relayed else content.get("evalue", "")
        end = relayed[0] if relayed else str(content.get("ename"))
        if not relayed and content == {"status": "aborted"}:
            end = "cancelled"
        record.was_cut_short = end == "TaskTimeout" and "ran for more than" in text
        is_not_sent = end == "ImpossibleDependency" and NOT_SENT in text
        name = "no value sent" if is_not_sent else end
        self.ends["ran for too long" if record.was_cut_short else name] += 1
        self.note(f"    the hub hears the answer of {msg_id}: {end} {text}")
        if record.outtask or not record.intask or client.decode() != record.spec.client:
            self.blame("other", f"the hub hears the answer of {msg_id} twice, or wrongly")
        unjust = self._ends.unjust(record, end, bool(relayed))
        if is_not_sent:
            unjust = self.values.unjust(record, text)
        for why in (*self._wrong(record, frames, end), *unjust):
            self.blame("other", f"{msg_id} ends with {end}, {why}")
        where = engine[0].decode() if engine else None
        success = part(frames, METADATA).get("status") == "ok"
        self.ledger.finish(record, frames, success, where)

    def _wrong(self, record: Record, frames: list[bytes], end: str) -> Iterator[str]:
        """Why a task must not end now, or not so."""
        last = record.last
        if record.was_cut_short:  # an engine may have it, or just have answered
            return
        if self.ledger.certainly_holds(record):
            yield "though an engine has it"
        if last and last.final and frames[3:] != last.final[1:]:
            yield "though an engine gave another answer"
        if record.invalid != (end == "InvalidDependency"):
            yield f"with {'wrong' if record.invalid else 'valid'} dependencies"

    def is_due(self, connected: set[str], held: set[tuple[str, str]]) -> bool:
        """All is quiet: must the scheduler have found out something that it has not yet?"""
        waits = Waits(self.ledger, self._script, self.values, connected, held)
        return any(map(waits.is_due, self.ledger.records.values()))

    def judge_waiting(self, connected: set[str], held: set[tuple[str, str]]) -> None:
        """All is quiet: has each task that waits a reason?  See `Waits` for the parameters."""
        waits = Waits(self.ledger, self._script, self.values, connected, held)
        for msg_id, record in self.ledger.records.items():
            if why := waits.is_due(record) or waits.has_no_reason(record):
                self.blame("silent", f"{msg_id} waits, and {why}")

    def finish(self) -> None:
        """Nothing more comes: judge what has not."""
        for name in (*self.cancels.unanswered, *self.values.unanswered):
            self.blame("lost", f"the request {name} is never answered")
        for why in self.values.finish():
            self.blame("other", why)
        for msg_id, record in self.ledger.records.items():
            if not record.answers:
                self.blame("lost", f"{msg_id} is never answered")
            elif record.was_cancelled or _says_aborted(record.answers[0]):
                if not _says_aborted(record.outtask):
                    self.blame("other", f"the hub does not hear that {msg_id} was cancelled")
            elif record.outtask != [b"outtask", record.spec.client.encode(), *record.answers[0]]:
                self.blame("other", f"the hub hears another answer of {msg_id} than its client")


def _says_aborted(frames: list[bytes] | None) -> bool:
    """Whether the scheduler says that a task was taken back; that to the hub is another message."""
    return bool(frames) and part(frames, CONTENT) == {"status": "aborted"}


def _differ_by_attempt(frames: list[bytes], expected: list[bytes]) -> bool:
    """Whether a message is another one only by the number of the attempt, and so its signature."""
    if len(frames) != len(expected):
        return False
    start = expected.index(DELIM)
    pairs = zip(frames, expected, strict=True)
    changed = {place - start for place, (got, sent) in enumerate(pairs) if got != sent}
    parts = [{**part(frames, place), "attempt": 0} for place in (PARENT, METADATA)]
    before = [{**part(expected, place), "attempt": 0} for place in (PARENT, METADATA)]
    return 1 in changed and changed <= {1, PARENT, METADATA} and parts == before
