"""What engines do with what they get."""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random

from ipp_richsched.wire.messages import QUESTION

from ..scripted import DEADLINE, ScriptedCluster
from .peers import Held, ScriptedEngine, waiting
from .referee import Referee
from .script import BUSY, NEVER, Behaviour, Script, behaviour, value

TICK = 0.005
"""Seconds between two looks at what the hub hears."""

OBLIGING = Behaviour(0.0, ["ok"], is_lost=False)
"""What an engine does in the drain."""


class Engines:
    """All engines that have a connection, and what they have not answered.

    Parameters
    ----------
    cluster : ScriptedCluster
    script : Script
    referee : Referee
    hear : callable
        Takes what the hub hears, and waits for some seconds if there is nothing.
    stir : callable
        Called when something happens.
    """

    def __init__(
        self,
        cluster: ScriptedCluster,
        script: Script,
        referee: Referee,
        hear: Callable[[float], None],
        stir: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._script = script
        self._referee = referee
        self._hear = hear
        self._stir = stir
        self._there: dict[str, ScriptedEngine] = {}
        self._seen: set[str] = set()
        self._held: list[Held] = []
        self._numbers = count()
        self._times: Counter[tuple[str, str]] = Counter()  # how often an engine got a task
        self._random = Random(script.seed)
        self._obliging = False
        self._patience = DEADLINE

    def __contains__(self, name: str) -> bool:
        return name in self._there

    def was_there(self, name: str) -> bool:
        """Whether an engine has, or had, a connection."""
        return name in self._seen

    @property
    def is_busy(self) -> bool:
        """Whether an engine is about to answer."""
        return bool(self._held) and self._held[0].due < NEVER

    def who_holds(self) -> tuple[set[str], set[tuple[str, str]]]:
        """The engines that are there, and the tasks that they have not answered."""
        return set(self._there), {(held.engine.name, held.msg_id) for held in self._held}

    # -- connections -------------------------------------------------------------------

    def connect(self, name: str) -> ScriptedEngine:
        """An engine connects; what was sent to it before, and has not come, is lost."""
        for msg_id, record in self._referee.ledger.records.items():
            attempts, times = record.on(name), self._times[name, msg_id]
            for attempt in attempts[times:]:
                self._referee.loses(msg_id, attempt, "the message")
            self._times[name, msg_id] = len(attempts)
        self._seen.add(name)
        self._referee.connects(name)
        self._there[name] = ScriptedEngine(self._cluster, name)
        return self._there[name]

    def close(self, name: str) -> tuple[ScriptedEngine, list[Held]]:
        """An engine loses its connection; the engine, and what it held."""
        engine = self._there.pop(name)
        self._referee.disconnects(name)
        engine.close()
        held = [held for held in self._held if held.engine is engine]
        self._held = [held for held in self._held if held.engine is not engine]
        heapq.heapify(self._held)
        return engine, held

    def cut(self, name: str, see_gone: Callable[[], None]) -> None:
        """An engine's connection is made anew; what was under way is lost, with some answers."""
        before, had = self.close(name)
        see_gone()
        engine = self.connect(name)
        engine.questions = before.questions
        for held in had:
            if self._random.random() < 0.5:
                heapq.heappush(self._held, held._replace(engine=engine))
            else:
                self._referee.loses(held.msg_id, held.attempt, "the answer")

    def close_all(self) -> None:
        for engine in self._there.values():
            engine.close()

    # -- what they get, and answer -----------------------------------------------------

    def oblige(self) -> None:
        """Have all engines answer all that they hold, and will get, at once."""
        self._obliging = True
        replies = OBLIGING.replies
        self._held = [held._replace(due=0.0, replies=replies, is_lost=False) for held in self._held]

    def interrupt(self, name: str) -> None:
        """What an engine works on raises an error; nothing happens if it does nothing."""
        mine = [held for held in self._held if held.engine.name == name]
        if not mine:
            return
        oldest = min(mine, key=lambda held: held.number)
        self._held.remove(oldest)
        self._held.append(oldest._replace(due=0.0, replies=["error"]))
        heapq.heapify(self._held)

    def serve(self) -> None:
        """Take what has come, and answer what is due."""
        for engine in self._there.values():
            for frames in waiting(engine):
                if frames[0].startswith(QUESTION):  # may be answered later, or never
                    engine.questions.append((next(self._numbers), frames))
                else:
                    self._stir()
                    self._gets(engine, frames)
        while self._held and self._held[0].due <= time.monotonic():
            self._stir()
            self._answer(heapq.heappop(self._held))
        for engine in self._there.values():
            self._answer_questions(engine)

    def _gets(self, engine: ScriptedEngine, frames: list[bytes]) -> None:
        try:
            msg_id = engine.read(frames)["header"]["msg_id"]
        except ValueError as error:
            self._referee.blame("other", f"{engine.name} drops what it gets: {error}")
            return
        self._times[engine.name, msg_id] += 1
        times = self._times[engine.name, msg_id]
        record = self._referee.ledger.records[msg_id]
        end = time.monotonic() + self._patience
        while len(record.on(engine.name)) < times and time.monotonic() < end:
            self._hear(TICK)
        attempts = record.on(engine.name)
        if len(attempts) < times:
            self._referee.blame("other", f"the hub does not hear that {msg_id} is on {engine.name}")
            self._patience = TICK
            return
        if len(attempts) != times:
            # an earlier one did not come: nobody can tell which one this is
            record.blurred.add(engine.name)
        self._referee.engine_gets(engine.name, msg_id, frames)
        how = behaviour(self._script, engine.name, msg_id, times)
        if self._obliging:
            how = OBLIGING
        due, number, attempt = (
            time.monotonic() + how.delay,
            next(self._numbers),
            attempts[times - 1],
        )
        held = Held(due, number, engine, msg_id, frames, how.replies, how.is_lost, attempt)
        heapq.heappush(self._held, held)

    def _answer(self, held: Held) -> None:
        engine, sent = held.engine, held.frames
        if held.replies[0] in ("ok", "error"):
            self._referee.runs(engine.name, held.msg_id)
        if held.is_lost:
            self._referee.loses(held.msg_id, held.attempt, "the answer")
            return
        said, now = "", time.monotonic()
        times = self._times[engine.name, held.msg_id]
        for place, kind in enumerate(held.replies):
            if kind == "again":
                engine.send(sent)
            elif kind == "refuse":
                sent = engine.reply(held.frames, status="error", dependencies_met=False)
            elif kind == "busy":
                error = "EngineBusy", f"busy for {BUSY} s"
                sent = engine.reply(held.frames, status="error", error=error)
            else:
                buffers = value(self._script, engine.name, held.msg_id, times, place)
                sent = engine.reply(held.frames, *buffers, status=kind)
            said = said if kind == "again" else kind
            self._referee.replies(held.msg_id, held.attempt, said, sent, now)

    def _answer_questions(self, engine: ScriptedEngine) -> None:
        """Have an engine answer what it was asked, as far as it has answered what came before."""
        numbers = [held.number for held in self._held if held.engine is engine]
        oldest = min(numbers, default=math.inf)
        while engine.questions and engine.questions[0][0] < oldest:
            self._stir()
            engine.answer_question(engine.questions.popleft()[1])
