"""Plays a random script to a scheduler: the hub, the clients and the engines."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from itertools import count
from pathlib import Path

from ipp_richsched import RichTaskScheduler

from ..scripted import DEADLINE, Client, Peer, ScriptedCluster
from .peers import Held, ScriptedEngine
from .referee import PARENT, Referee, part
from .script import ENGINE_GRACE, NEVER, Op, Script, behaviour

STOCK_GRACE = 5.0
QUIET, STOCK_QUIET = 5.0, 3.0
"""Seconds without any message after which what is not answered counts as lost."""
CALM = 1.3
"""Seconds, longer than any deadline of the scheduler's that a script can set."""
RESTLESS = 30.0
TICK = 0.005
"""Seconds between two looks at the sockets, unless the hub hears something."""


class World:
    """Everybody but the scheduler.

    Parameters
    ----------
    script : Script
    path : Path
        A short directory, for the sockets and the log.
    scheduler_class : type
        A subclass of `RichTaskScheduler`, or ipyparallel's own.
    """

    def __init__(self, script: Script, path: Path, scheduler_class: type) -> None:
        stock = not issubclass(scheduler_class, RichTaskScheduler)
        self._script = script
        self._grace = STOCK_GRACE if stock else ENGINE_GRACE
        self._quiet = STOCK_QUIET if stock else QUIET
        self.referee = Referee(script, grace=self._grace, relaxed=stock)
        for name in script.known:
            self.referee.registers(name)
        # the stock class knows no schemes but its own
        scheme = "leastload" if stock and "." in script.scheme else script.scheme
        self.cluster = ScriptedCluster(
            path,
            scheduler_class,
            engines=tuple(name.encode() for name in script.known),
            config={
                "TaskScheduler": {"scheme_name": scheme, "hwm": script.hwm},
                "RichTaskScheduler": {
                    "engine_grace": ENGINE_GRACE,
                    "stranded_timeout": script.stranded_timeout,
                },
            },
        )
        self._clients = {name: self.cluster.client(name.encode()) for name in script.clients}
        for name in script.known:
            self.referee.ledger.settle(name, 1)
        self._engines: dict[str, ScriptedEngine] = {}
        self._was_there: set[str] = set()
        self._held: list[Held] = []
        self._numbers = count()
        self._times: Counter[tuple[str, str]] = Counter()  # how often an engine got a task
        self._probes: set[str] = set()
        self._fences: dict[str, tuple[str, int, int]] = {}
        self._obliging = False
        self._patience = DEADLINE
        self._quiet_since = 0.0  # may be in the future, when a grace ends

    def play(self) -> None:
        """Play the whole script, and drain the cluster."""
        start = time.monotonic()
        for op in self._script.ops:
            self._serve_until(start + op.time)
            self._perform(op)
        self._settle()
        self._drain()
        self._probe(1)
        self.referee.finish()

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self.cluster.close()

    # -- what the script says ----------------------------------------------------------

    def _perform(self, op: Op) -> None:
        self._stir()
        if op.what == "submit":
            spec = self._script.tasks[op.whom]
            client = self._clients[spec.client]
            frames, _ = client.task(*spec.buffers, msg_id=spec.msg_id, **spec.metadata)
            self.referee.submits(spec, frames)
            client.send(frames)
        elif op.what == "connect":
            if op.whom in self._was_there:
                # ZeroMQ ignores who comes under a name that it has not seen going
                self._probe(3)
                for msg_id, record in self.referee.ledger.records.items():
                    # what has not come is lost
                    self._times[op.whom, msg_id] = record.times_on(op.whom)
            self.referee.note(f"{op.whom} connects")
            self._was_there.add(op.whom)
            self._engines[op.whom] = ScriptedEngine(self.cluster, op.whom)
        elif op.what == "close":
            self.referee.note(f"{op.whom} is cut off")
            engine = self._engines.pop(op.whom)
            engine.close()
            self._held = [held for held in self._held if held.engine is not engine]
            heapq.heapify(self._held)
        elif op.what == "register":
            self.referee.registers(op.whom)
            self.cluster.notify("registration", op.whom.encode())
            self._fence(op.whom)
        else:
            self._declare_dead(op.whom)

    def _declare_dead(self, name: str) -> None:
        self.referee.unregisters(name)
        self.cluster.unregister(name.encode())
        self._fence(name)
        # the end of the grace is an event, too
        self._quiet_since = time.monotonic() + self._grace

    def _settle(self) -> None:
        """Wait until all is quiet, and see whether the tasks that wait have a reason."""
        start = time.monotonic()
        while self._is_busy() or time.monotonic() < self._quiet_since + CALM:
            self._serve()
            if time.monotonic() > start + RESTLESS:
                self.referee.blame("other", "it never gets quiet")
                return
        held = {(held.engine.name, held.msg_id) for held in self._held}
        self.referee.judge_waiting(set(self._engines), held)

    def _is_busy(self) -> bool:
        """Whether an engine is about to answer."""
        return bool(self._held) and self._held[0].due < NEVER

    def _fence(self, name: str) -> None:
        """Find out when what the hub just said of an engine has certainly been taken in."""
        self._send_fence(name, self.referee.ledger.engines[name].notices, 2)

    def _send_fence(self, name: str, notices: int, rounds: int) -> None:
        probe = next(iter(self._clients.values())).submit(after=["nobody"])
        self._fences[probe] = name, notices, rounds - 1

    def _pass_fence(self, name: str, notices: int, rounds: int) -> None:
        if rounds:
            self._send_fence(name, notices, rounds)
        else:
            self.referee.ledger.settle(name, notices)

    def _drain(self) -> None:
        """Have all that are left take and answer everything, until everything is answered."""
        self.referee.note("drain")
        self._obliging = True
        for name, known in self.referee.ledger.engines.items():
            if name not in self._engines and known.dead_since is None:
                self._declare_dead(name)
        self._perform(Op(0.0, 0, "connect", "z"))
        self._perform(Op(0.0, 0, "register", "z"))
        self._held = [held._replace(due=0.0, replies=["ok"]) for held in self._held]
        self._serve()
        while self.referee.unanswered and time.monotonic() < self._quiet_since + self._quiet:
            self._serve()
        # whatever a deadline of a dead engine may still bring about
        self._serve_until(self._quiet_since)

    def _probe(self, times: int) -> None:
        """Have each client send a task that is answered at once, and wait for the answers."""
        for _ in range(times):
            for client in self._clients.values():
                self._probes.add(client.submit(after=["nobody"]))
            end = time.monotonic() + self._patience
            while self._probes and time.monotonic() < end:
                self._serve()
            if self._probes:
                self.referee.blame("other", "the scheduler does not answer a probe")
                self._probes.clear()
                self._patience = TICK

    # -- what the scheduler says -------------------------------------------------------

    def _serve_until(self, when: float) -> None:
        self._serve(0.0)
        while (left := when - time.monotonic()) > 0:
            self._serve(min(TICK, left))

    def _serve(self, wait: float = TICK) -> None:
        """Take what has come, the hub's first, and answer what is due."""
        self._hear(wait)
        for name, client in self._clients.items():
            for frames in self._waiting(client):
                self._client_gets(name, client, frames)
        for engine in self._engines.values():
            for frames in self._waiting(engine):
                self._engine_gets(engine, frames)
        while self._held and self._held[0].due <= time.monotonic():
            self._answer(heapq.heappop(self._held))

    def _hear(self, wait: float) -> None:
        for frames in self.cluster.hear(wait):
            self._stir()
            self.referee.hub_hears(frames)
            if frames[0] == b"outtask":
                fence = self._fences.pop(part(frames, PARENT)["msg_id"], None)
                if fence is not None:
                    self._pass_fence(*fence)

    def _waiting(self, peer: Peer) -> list[list[bytes]]:
        """What has come for a peer."""
        messages = []
        while not peer.idle(0.0):
            messages.append(peer.recv())
        if messages:
            self._stir()
        return messages

    def _stir(self) -> None:
        self._quiet_since = max(self._quiet_since, time.monotonic())

    def _client_gets(self, name: str, client: Client, frames: list[bytes]) -> None:
        msg_id = part(frames, PARENT)["msg_id"]
        if msg_id in self._probes:
            self._probes.discard(msg_id)
        elif msg_id in self._script.tasks:
            try:
                client.read(frames)
            except ValueError as error:
                self.referee.blame("other", f"{name} drops what it gets: {error}")
            self.referee.client_gets(name, frames)

    def _engine_gets(self, engine: ScriptedEngine, frames: list[bytes]) -> None:
        try:
            msg_id = engine.read(frames)["header"]["msg_id"]
        except ValueError as error:
            self.referee.blame("other", f"{engine.name} drops what it gets: {error}")
            return
        self._times[engine.name, msg_id] += 1
        times = self._times[engine.name, msg_id]
        record = self.referee.ledger.records[msg_id]
        end = time.monotonic() + self._patience
        while record.times_on(engine.name) < times and time.monotonic() < end:
            self._hear(TICK)
        if record.times_on(engine.name) < times:
            self.referee.blame("other", f"the hub does not hear that {msg_id} is on {engine.name}")
            self._patience = TICK
        if record.times_on(engine.name) != times:
            # an earlier one did not come: nobody can tell which one this is
            record.blurred.add(engine.name)
        self.referee.engine_gets(engine.name, msg_id, frames)
        how = behaviour(self._script, engine.name, msg_id, times)
        due, replies = time.monotonic() + how.delay, how.replies
        if self._obliging:
            due, replies = 0.0, ["ok"]
        heapq.heappush(self._held, Held(due, next(self._numbers), engine, msg_id, frames, replies))

    def _answer(self, held: Held) -> None:
        self._stir()
        engine, sent = held.engine, held.frames
        said = ""
        for kind in held.replies:
            if kind == "again":
                engine.send(sent)
            elif kind == "refuse":
                sent = engine.reply(held.frames, status="error", dependencies_met=False)
            else:
                sent = engine.reply(held.frames, b"result of " + held.msg_id.encode(), status=kind)
            said = said if kind == "again" else kind
            self.referee.replies(engine.name, held.msg_id, said, sent)
