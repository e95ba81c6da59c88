"""Plays a random script to a scheduler: the hub, the clients and the engines."""

from __future__ import annotations

import time
from pathlib import Path

import ipyparallel as ipp

from ipp_richsched import RichTaskScheduler
from ipp_richsched.core.flags import RichFlags
from ipp_richsched.wire.requests import CANCEL, QUESTION_TO_CLIENT, REQUEST, content_of

from ..scripted import DEADLINE, Client, ScriptedCluster
from .engines import Engines
from .nannies import Nannies
from .peers import waiting
from .referee import HEADER, PARENT, Referee, part
from .script import ENGINE_GRACE, ITS_USER, LAST, PLENTY, CancelSpec, Op, Script, TaskSpec
from .senders import Senders

STOCK_GRACE = 5.0
QUIET, STOCK_QUIET = 5.0, 3.0
"""Seconds without any message after which what is not answered counts as lost."""
CALM = 1.7
"""Seconds, longer than any deadline of the scheduler's that a script can set."""
BOUND = 8.0
"""Seconds after which the scheduler should have found out what nobody tells it."""
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
                    "probe_after": script.probe_after,
                    "retry_elsewhere": script.retry_elsewhere,
                    "max_crashes": script.max_crashes,
                    "aging": script.aging,
                    "fair": script.fair,
                    "order": script.order,
                    "values_size_limit": script.values_size_limit,
                    "interrupt_on_timeout": script.interrupt_on_timeout,
                    "control": {"url": f"ipc://{path}/control"} if script.has_nannies else {},
                },
            },
        )
        self._nannies = Nannies(self.cluster, f"ipc://{path}/control")
        self._clients = {name: self.cluster.client(name.encode()) for name in script.clients}
        for name in script.known:
            self.referee.ledger.settle(name, 1)
        self._engines = Engines(self.cluster, script, self.referee, self._hear, self._stir)
        self._senders = Senders(self._clients, script, self.referee, self._stir)
        self._probes: set[tuple[str, str]] = set()  # who has to hear of the answer to which
        self._fences: dict[str, tuple[str, int, int]] = {}
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
        self._engines.close_all()
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
        elif op.what == "cancel":
            self._want_back(self._script.cancels[op.whom])
        elif op.what == "connect":
            if self._engines.was_there(op.whom):
                self._see_gone()
            self._engines.connect(op.whom)
        elif op.what == "close":
            self._engines.close(op.whom)
        elif op.what == "cut":
            if op.whom in self._engines:
                self._engines.cut(op.whom, self._see_gone)
        elif op.what == "register":
            self.referee.registers(op.whom)
            self.cluster.notify("registration", op.whom.encode())
            self._fence(op.whom)
        else:
            self._declare_dead(op.whom)

    def _want_back(self, spec: CancelSpec) -> None:
        session = self._clients[spec.client].session
        content = content_of(CANCEL, msg_ids=spec.msg_ids, interrupt=spec.interrupt)
        message = session.msg(REQUEST, content, metadata={"after": [spec.name]})
        message["header"]["msg_id"] = message["msg_id"] = spec.name
        self.referee.wants_back(spec)
        self._clients[spec.client].send(session.serialize(message))

    def _see_gone(self) -> None:
        """Wait until the scheduler has seen that a connection is gone.

        ZeroMQ ignores who comes under a name that it has not seen going.
        """
        self._probe(3)

    def _declare_dead(self, name: str) -> None:
        self.referee.unregisters(name)
        self.cluster.unregister(name.encode())
        self._fence(name)
        # the end of the grace is an event, too
        self._quiet_since = time.monotonic() + self._grace

    def _settle(self) -> None:
        """Wait until all is quiet, and see whether the tasks that wait have a reason."""
        start = time.monotonic()
        while self._engines.is_busy or time.monotonic() < self._quiet_since + CALM:
            self._serve()
            if time.monotonic() > start + RESTLESS:
                self.referee.blame("other", "it never gets quiet")
                return
        end = time.monotonic() + BOUND
        while time.monotonic() < end and (
            self._engines.is_busy
            or time.monotonic() < self._quiet_since + CALM
            or self.referee.is_due(*self._engines.who_holds())
        ):
            self._serve()
        self.referee.judge_waiting(*self._engines.who_holds())

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
        for name, known in self.referee.ledger.engines.items():
            if name not in self._engines and known.dead_since is None:
                self._declare_dead(name)
        self._perform(Op(0.0, 0, "connect", "z"))
        self._perform(Op(0.0, 0, "register", "z"))
        self._engines.oblige()
        self._senders.oblige()
        self._serve()
        self._serve_until_answered()
        # whatever a deadline of a dead engine may still bring about
        self._serve_until(self._quiet_since)
        if self._script.values_size_limit < PLENTY and not self.referee.unanswered:
            self._fill_with_values()

    def _serve_until_answered(self) -> None:
        while self.referee.unanswered and time.monotonic() < self._quiet_since + self._quiet:
            self._serve()

    def _fill_with_values(self) -> None:
        """Have a value be held that leaves no room for any other."""
        self.referee.note("the last value")
        for msg_id, arguments in ((LAST, ()), (ITS_USER, (LAST,))):
            nothing = ipp.Dependency()
            self._script.tasks[msg_id] = TaskSpec(
                msg_id,
                self._script.clients[0],
                after=nothing,
                follow=nothing,
                targets=[],
                retries=0,
                timeout=None,
                buffers=[],
                rich=RichFlags(arguments=arguments),
            )
            self._perform(Op(0.0, 0, "submit", msg_id))
        end = time.monotonic() + DEADLINE
        while not self.referee.ledger.records[ITS_USER].intask and time.monotonic() < end:
            self._hear(TICK)
        self._serve_until_answered()

    def _probe(self, times: int) -> None:
        """Have each client send a task that is answered at once, and wait for the answers."""
        for _ in range(times):
            for client in self._clients.values():
                msg_id = client.submit(after=["nobody"])
                self._probes |= {("client", msg_id), ("hub", msg_id)}
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
            for frames in waiting(client):
                self._stir()
                self._client_gets(name, client, frames)
        for engine in self._nannies.asked():
            self._stir()
            self.referee.signals(engine)
            self._engines.interrupt(engine)
        for engine in self._nannies.answer():
            self.referee.interrupts.ends(engine)
        self._engines.serve()
        self._senders.serve()

    def _hear(self, wait: float) -> None:
        for frames in self.cluster.hear(wait):
            self._stir()
            self.referee.hub_hears(frames)
            if frames[0] == b"outtask":
                msg_id = part(frames, PARENT)["msg_id"]
                self._probes.discard(("hub", msg_id))
                fence = self._fences.pop(msg_id, None)
                if fence is not None:
                    self._pass_fence(*fence)

    def _stir(self) -> None:
        self._quiet_since = max(self._quiet_since, time.monotonic())

    def _client_gets(self, name: str, client: Client, frames: list[bytes]) -> None:
        msg_id = part(frames, PARENT)["msg_id"]
        self._probes.discard(("client", msg_id))
        requests = self._script.cancels.keys() | self._senders.requests
        if msg_id not in self._script.tasks and msg_id not in requests:
            return
        try:
            content = client.read(frames)["content"]
        except ValueError as error:
            self.referee.blame("other", f"{name} drops what it gets: {error}")
            return
        if msg_id in requests:
            self.referee.request_is_answered(name, msg_id, content)
        elif part(frames, HEADER)["msg_type"] == QUESTION_TO_CLIENT:
            self.referee.asks(name, msg_id, content["msg_id"])
            self._senders.gets(name, content["msg_id"])
        else:
            self.referee.client_gets(name, frames)
