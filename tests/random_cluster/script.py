"""What happens in a random cluster, decided by a seed before anything is started.

Nothing in a script depends on what the scheduler does, so that every scheduler gets the
same one.  What an engine does with a task is drawn when it gets it, from the seed, the
names of both and how often it has had it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import ipyparallel as ipp

from ipp_richsched.core.flags import PLAIN, RichFlags

ENGINE_GRACE = 0.3
BUSY = 0.3
"""Seconds that an engine says that it is busy."""
NEVER = float("inf")
PATIENCE = 0.5
"""Seconds that clients may take to send a value: a minute, for which nobody can wait here."""
PLENTY = 2**30
"""A `values_size_limit` that no script reaches."""
LAST, ITS_USER = "last", "its user"
"""A task with a value as large as all values together may be, and one that has it as an argument:
they show at the end that no other value is held."""


class Op(NamedTuple):
    """One thing that is done: `what` to `whom`, `time` seconds after the start."""

    time: float
    number: int
    what: str
    whom: str


@dataclass
class TaskSpec:
    """A task as its client submits it."""

    msg_id: str
    client: str
    after: ipp.Dependency
    follow: ipp.Dependency
    targets: list[str]
    retries: int
    timeout: float | None
    buffers: list[bytes]
    rich: RichFlags = PLAIN

    @property
    def metadata(self) -> dict[str, Any]:
        flags = {name: value for name, value in self.rich._asdict().items() if value is not None}
        return {
            **(flags if self.rich is not PLAIN else {}),
            "after": self.after.as_dict(),
            "follow": self.follow.as_dict(),
            "targets": self.targets,
            "retries": self.retries,
            "timeout": self.timeout,
        }

    def __str__(self) -> str:
        words = [f"{self.msg_id} of {self.client}"]
        for name, dependency in (("after", self.after), ("follow", self.follow)):
            if dependency:
                counts = [n for n in ("success", "failure") if getattr(dependency, n)]
                how = "all" if dependency.all else "any"
                words.append(f"{name} {how} {' or '.join(counts)} of {sorted(dependency)}")
        words += [f"targets {self.targets}"] if self.targets else []
        words += [f"retries {self.retries}"] if self.retries else []
        words += [f"timeout {self.timeout}"] if self.timeout else []
        words += [f"{name} {value}" for name, value in self.rich._asdict().items() if value]
        return ", ".join(words)


class CancelSpec(NamedTuple):
    """A request to take tasks back."""

    name: str
    client: str
    msg_ids: list[str]
    interrupt: bool

    def __str__(self) -> str:
        return f"{self.name} of {self.client}: {self.msg_ids}" + ", interrupt" * self.interrupt


@dataclass
class Script:
    """All that a seed decides.

    Attributes
    ----------
    scheme, hwm, stranded_timeout, probe_after, retry_elsewhere, max_crashes
        The settings of the scheduler.
    hold, refuse, lose : float
        How probably an engine does not answer a task before the drain, refuses it, or loses its
        answer.
    pinned : float
        How probably a task has targets.
    known : list of str
        Engines that the hub knows before the scheduler starts.
    clients : list of str
    tasks : dict of str to TaskSpec
        By msg_id.
    deaths : int
        How many engines die, or are declared dead.
    aging, fair, interrupt_on_timeout
        More settings of the scheduler.
    has_nannies : bool
        Whether engines can be interrupted.
    busy : float
        How probably an engine answers that it is busy.
    cancels : dict of str to CancelSpec
        Requests to take tasks back, by their names.
    values_size_limit, order
        More settings of the scheduler.
    """

    seed: int
    scheme: str
    hwm: int
    stranded_timeout: float
    probe_after: float | None
    retry_elsewhere: float
    max_crashes: int | None
    hold: float
    refuse: float
    lose: float
    pinned: float
    known: list[str]
    clients: list[str]
    tasks: dict[str, TaskSpec] = field(default_factory=dict, repr=False)
    ops: list[Op] = field(default_factory=list, repr=False)
    deaths: int = 0
    aging: float | None = None
    fair: bool = False
    interrupt_on_timeout: bool = False
    has_nannies: bool = False
    busy: float = 0.0
    cancels: dict[str, CancelSpec] = field(default_factory=dict, repr=False)
    values_size_limit: int = PLENTY
    order: str = "fifo"

    def add(self, time: float, what: str, whom: str) -> None:
        self.ops.append(Op(time, len(self.ops), what, whom))


SCHEMES = ("leastload", "lru", "twobin", "weighted", "plainrandom", f"{__name__}.middle")


def middle(loads: list[float]) -> int:
    """A scheme of a user's own."""
    return len(loads) // 2


def make_script(seed: int) -> Script:
    """Everything that happens under `seed`, up to the drain."""
    random = Random(seed)
    # Of its own, so that all else in a script stays as it was before there was any of this.
    edges = Random(f"{seed} edges")
    probe_after = edges.choice([0.15, 0.15, 0.15, None])  # None: nothing may be lost
    names = [f"e{number}" for number in range(1, random.randint(3, 7))]
    script = Script(
        seed,
        scheme=random.choice(SCHEMES),
        hwm=random.randint(0, 3),
        stranded_timeout=random.choice([0.0, 0.8, 0.8]),
        probe_after=probe_after,
        retry_elsewhere=edges.choice([0.0, 0.4, 30.0]),
        max_crashes=edges.choice([1, 2, 3, None]),
        hold=random.choice([0.01, 0.05, 0.25]),
        refuse=random.choice([0.05, 0.1, 0.3]),
        lose=edges.choice([0.0, 0.05, 0.15]) if probe_after else 0.0,
        pinned=random.choice([0.1, 0.3, 0.6]),
        known=names[: random.randint(0, 2)],
        clients=[f"c{number}" for number in range(1, random.randint(3, 4))],
    )
    if edges.random() < 0.3:
        script.stranded_timeout = 1.5  # long enough for engines that refused to be asked again
    # from when on an engine may be given its next fate, and whether it lives
    free = dict.fromkeys(names, 0.0)
    alive = dict.fromkeys(names, False)
    for name in script.known:
        script.add(0.0, "connect", name)
        alive[name] = True
    now = 0.0
    for _ in range(random.randint(30, 70)):
        now += random.choice([0.0, 0.0, 0.0, random.uniform(0, 0.03), random.uniform(0, 0.1)])
        now += ENGINE_GRACE + 0.1 if random.random() < 0.02 else 0.0
        name = random.choice(names)
        few = sum(alive.values()) < 3
        if random.random() < (0.4 if few else 0.2) and free[name] <= now:
            if alive[name]:
                free[name], alive[name] = _death(script, random, now, name)
            elif free[name] == 0.0:
                free[name], alive[name] = _birth(script, random, now, name), True
        else:
            task = _task(script, random, names)
            script.tasks[task.msg_id] = task
            script.add(now, "submit", task.msg_id)
    for _ in range(edges.choice([0, 1, 2, 4]) if probe_after else 0):
        script.add(edges.uniform(0.0, now), "cut", edges.choice(names))
    script.ops.sort()
    return script


def _birth(script: Script, random: Random, now: float, name: str) -> float:
    """An engine registers and connects, in this order or the other; until when it takes."""
    first, second = random.sample(["connect", "register"], 2)
    script.add(now, first, name)
    now += random.choice([0.0, 0.02, 0.2])
    script.add(now, second, name)
    return now


def _death(script: Script, random: Random, now: float, name: str) -> tuple[float, bool]:
    """An engine dies, or seems to; until when it takes, and whether the engine is back then."""
    script.deaths += 1
    later = now + random.choice([0.0, 0.05, 0.2])
    back = later + random.choice([0.0, 0.15, ENGINE_GRACE + 0.2])
    fate = random.choice(
        ["silent", "late replies", "unseen", "wrongly", *["wrongly, back", "reborn"] * 2]
    )
    if fate == "unseen":  # the hub does not notice before the drain
        script.add(now, "close", name)
        return NEVER, False
    if fate in ("silent", "reborn"):
        script.add(now, "close", name)
        script.add(later, "unregister", name)
        if fate == "reborn":  # another process, under the same uuid
            return _birth(script, random, max(back, now + 0.1), name), True
        return NEVER, False
    script.add(now, "unregister", name)
    if fate == "late replies":  # those that come before it closes
        script.add(now + random.choice([0.1, ENGINE_GRACE + 0.3]), "close", name)
    if fate == "wrongly, back":
        script.add(back, "register", name)
        return back, True
    return NEVER, False


def _task(script: Script, random: Random, names: list[str]) -> TaskSpec:
    msg_id = f"t{len(script.tasks) + 1}"
    return TaskSpec(
        msg_id,
        random.choice(script.clients),
        after=_dependency(script, random, msg_id) if random.random() < 0.4 else ipp.Dependency(),
        follow=_dependency(script, random, msg_id) if random.random() < 0.15 else ipp.Dependency(),
        targets=random.sample([*names, "nobody"], random.choice([1, 2, 3]))
        if random.random() < script.pinned
        else [],
        retries=random.choice([0, 0, 0, 1, 2, 4]),
        timeout=random.choice([None, None, None, None, 0.05, 0.3, 0.7]),
        buffers=[random.randbytes(size) for size in random.choice([[], [10], [0, 2000]])],
    )


def _dependency(script: Script, random: Random, msg_id: str) -> ipp.Dependency:
    ids = list(script.tasks)[-12:]
    ids = random.sample(ids, min(len(ids), random.randint(1, 3)))
    if random.random() < 0.03:
        ids.append(random.choice([msg_id, "unknown"]))
    success = random.random() < 0.9
    failure = not success or random.random() < 0.4
    return ipp.Dependency(ids, random.random() < 0.5, success, failure)


class Behaviour(NamedTuple):
    """What an engine does with a task.

    Attributes
    ----------
    delay : float
        Seconds until it answers; `NEVER` for not before the drain.
    replies : list of str
        What it answers: ``ok``, ``error``, ``aborted``, ``refuse`` or ``busy``; ``again`` repeats
        the message before.
    is_lost : bool
        Whether the answer does not leave the engine.
    """

    delay: float
    replies: list[str]
    is_lost: bool


def behaviour(script: Script, engine: str, msg_id: str, times: int) -> Behaviour:
    """What `engine` does with a task that it has now got `times` times."""
    edges = Random(f"{script.seed} edges {engine} {msg_id} {times}")
    is_lost = edges.random() < script.lose
    if Random(f"{script.seed} busy {engine} {msg_id} {times}").random() < script.busy:
        return Behaviour(0.0, ["busy"], is_lost)
    random = Random(f"{script.seed} {engine} {msg_id}")
    # what it depends on may be there later
    if random.random() < script.refuse and (times == 1 or random.random() < 0.5):
        return Behaviour(0.0, ["refuse"], is_lost)
    random = Random(f"{script.seed} {engine} {msg_id} {times}")
    replies = random.choices(["ok", "error", "aborted"], [14, 5, 1])
    if random.random() < 0.06:
        replies.append(random.choice(["again", "ok", "error"]))
    delay = random.choice([0.0] * 6 + [random.uniform(0, 0.1), random.uniform(0, 0.7)])
    return Behaviour(NEVER if random.random() < script.hold else delay, replies, is_lost)


def value(script: Script, engine: str, msg_id: str, times: int, place: int) -> list[bytes]:
    """The buffers of the answer in this place of an engine to a task that it got so many times."""
    if msg_id == LAST:
        return [bytes(script.values_size_limit)]
    name = f"{msg_id} on {engine}, {times}, {place}".encode()
    random = Random(f"{script.seed} value {engine} {msg_id} {times}")
    return random.choice([[name], [name], [name, bytes(2000)], [b""], []])
