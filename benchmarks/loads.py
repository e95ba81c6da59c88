"""The loads of the zero-worker benchmark: what a cluster is made to do, and what is measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from ipp_richsched.wire.requests import HAPPENINGS, STATUS

from . import shapes
from .cluster import Cluster
from .peers import OURS, RELAY, STOCK
from .shapes import MakeShape

Figures: TypeAlias = dict[str, float]
"""What one take of a load gave, by unit."""

Take: TypeAlias = Callable[[Cluster, int], Figures]
"""Does a load once, with so many tasks."""

CPU = "us of CPU a task"
A_SECOND = 1_000
OLDEST = 100
MEGABYTE = bytes(1 << 20)
HWMS = (0, 1, 4)
SCHEMES = ("lru", "plainrandom", "twobin", "weighted")


def cpu(
    cluster: Cluster,
    tasks: int,
    shape: shapes.MakeShape = shapes.flat,
    window: int = 0,
    buffers: tuple[bytes, ...] | None = None,
) -> Figures:
    """What `Cluster.flow` costs."""
    before = cluster.cpu()
    if buffers is None:
        cluster.flow(tasks, shape, window)
    else:
        cluster.flow(tasks, shape, window, buffers)
    return {CPU: (cluster.cpu() - before) / tasks * 1e6}


def watched(
    cluster: Cluster, tasks: int, shape: shapes.MakeShape = shapes.flat, window: int = 0
) -> Figures:
    """What a flow costs while a dashboard looks that has 1,000 tasks a second to follow."""
    before = cluster.cpu()
    mark = cluster.mark
    for _ in range(max(1, tasks // A_SECOND)):
        cluster.flow(A_SECOND, shape, window)
        cluster.ask(STATUS, oldest=OLDEST)
        is_over = False
        while not is_over:
            page = cluster.ask(HAPPENINGS, mark=mark)
            mark, is_over = page["mark"], not page["more"]
    cluster.mark = mark
    return {CPU: (cluster.cpu() - before) / (max(1, tasks // A_SECOND) * A_SECOND) * 1e6}


def backlog(cluster: Cluster, tasks: int, size: int) -> Figures:
    """What it costs when so many tasks are there at once, as often as they make up `tasks`."""
    times = max(1, tasks // size)
    before = cluster.cpu()
    for _ in range(times):
        cluster.flow(size, window=size + 1)
    return {CPU: (cluster.cpu() - before) / (times * size) * 1e6}


def round_trips(cluster: Cluster, tasks: int) -> Figures:
    """How long one task at a time takes from end to end."""
    seconds = []
    for _ in range(tasks):
        start = time.perf_counter()
        cluster.submit()
        cluster.answer()
        seconds.append(time.perf_counter() - start)
    percentiles = statistics.quantiles(seconds, n=100)
    return {"us, median": percentiles[49] * 1e6, "us, 99th percentile": percentiles[98] * 1e6}


def memory_queued(cluster: Cluster, tasks: int) -> Figures:
    """What the scheduler's process grows by while tasks without payload queue up."""
    cluster.queue(tasks // 10, buffers=())
    before = cluster.memory()
    cluster.queue(tasks, buffers=())
    return {"kB a task": (cluster.memory() - before) / tasks / 1e3}


def memory_finished(cluster: Cluster, tasks: int) -> Figures:
    """What the scheduler's process keeps of tasks, after a quarter as many have finished."""
    cluster.flow(tasks // 4)
    before = cluster.memory()
    cluster.flow(tasks)
    return {"bytes a task": (cluster.memory() - before) / tasks}


def pin(cluster: Cluster, tasks: int, most_for_stock: int = 1_000) -> None:
    """Queue tasks for an engine that is busy."""
    cluster.hold(0)
    tasks = min(tasks, most_for_stock) if cluster.kind == STOCK else tasks
    cluster.queue(tasks, targets=[cluster.names[0]])


def wait(cluster: Cluster, tasks: int, most_for_stock: int = 2_000) -> None:
    """Submit tasks that wait for one that runs long."""
    held = cluster.hold(0)
    tasks = min(tasks, most_for_stock) if cluster.kind == STOCK else tasks
    cluster.queue(tasks, after=[held])


@dataclass(frozen=True)
class Load:
    """What is measured, and of whom.

    Attributes
    ----------
    name : str
    asked : str
        What it is to reach.
    take : callable
    prepare : callable
        What is done with a cluster before the first take.
    kinds : tuple of str
        Whose cost is measured.
    beside : str
        What ours is compared with as well: one of `kinds`, or of `BASES`, or nothing.
    engines, hwm : int
    scheme : str
    settings : dict
        Others of `RichTaskScheduler`.
    clients : int
    tasks : int
        How many tasks a take has; `slow` times fewer for the stock class.
    slow : int
    takes : int
        How many takes there are.
    """

    name: str
    asked: str = ""
    take: Take = cpu
    prepare: Callable[[Cluster], object] = lambda cluster: None
    kinds: tuple[str, ...] = (OURS, STOCK)
    beside: str = "flat"
    engines: int = 16
    hwm: int = 1
    scheme: str = "leastload"
    settings: dict[str, object] = field(default_factory=dict)
    clients: int = 1
    tasks: int = 2_000
    slow: int = 4
    takes: int = 11

    @property
    def config(self) -> dict[str, dict[str, object]]:
        """The settings of a cluster."""
        return {
            "TaskScheduler": {"hwm": self.hwm, "scheme_name": self.scheme},
            "RichTaskScheduler": self.settings,
        }

    def tasks_for(self, kind: str, scale: float) -> int:
        """How many tasks a take has."""
        return max(10, round(self.tasks * scale / (self.slow if kind == STOCK else 1)))


BASES: dict[str, Load] = {
    "flat": Load("flat"),
    "flat, 256 under way": Load("flat, 256 under way", take=partial(cpu, window=256), tasks=4_000),
    "different sets, none queued": Load(
        "different sets, none queued", take=partial(cpu, shape=shapes.different_targets, window=16)
    ),
    "a backlog of 1,000": Load("backlog of 1,000", take=partial(backlog, size=1_000)),
    "layers of 50": Load("layers of 50", take=partial(cpu, shape=shapes.layers, window=256)),
    "flat, 1,024 engines": Load("flat, 1,024 engines", engines=1_024, tasks=6_000),
    "100,000 waiting": Load("100,000 waiting", prepare=partial(wait, tasks=100_000)),
}
"""What ours is compared with, done by a cluster of ours in the same rounds."""

EIGHTH = "stock / ours >= 8"
FLAT = "ours <= 1.2 flat"


def _flat() -> list[Load]:
    loads = [
        Load(
            f"flat, hwm {hwm}",
            EIGHTH,
            kinds=(OURS, STOCK, RELAY) if hwm == 1 else (OURS, STOCK),
            hwm=hwm,
            tasks=4_000,
            slow=1,
        )
        for hwm in (1, 0, 4)
    ]
    loads += [
        Load(
            f"flat, hwm {hwm}, {scheme}",
            EIGHTH,
            hwm=hwm,
            scheme=scheme,
            tasks=4_000,
            slow=1,
        )
        for scheme in SCHEMES
        for hwm in (1, 0, 4)
    ]
    return [
        *loads,
        Load(
            "flat, 1,024 engines",
            f"stock / ours >= 25, {FLAT}",
            engines=1_024,
            tasks=6_000,
            slow=15,
            takes=5,
        ),
    ]


def _crowded() -> list[Load]:
    return [
        Load(
            f"{number:,} {what}" + (f" (stock: {most:,})" if number > most else ""),
            f"stock / ours >= {ratio}",
            prepare=partial(prepare, tasks=number),
            tasks=1_000,
            slow=slow,
            takes=7,
        )
        for prepare, what, most, ratio, slow in (
            (pin, "pinned to a busy engine", 1_000, 100, 20),
            (wait, "waiting for a long one", 2_000, 30, 10),
        )
        for number in (most, 100_000)
    ]


def _shaped() -> list[Load]:
    return [
        Load(
            name,
            FLAT,
            take=partial(cpu, shape=shape, window=256),
            beside="flat, 256 under way",
            tasks=4_000,
            slow=8,
            takes=25,
        )
        for name, shape in (
            ("layers of 50, each task after 5", shapes.layers),
            ("64 chains", shapes.chains),
            ("fan-in of 100", shapes.fan_in),
            ("follow", shapes.follow),
            ("targets, one engine", shapes.one_target),
            ("targets, a quarter of the engines", shapes.some_targets),
        )
    ]


def _rich() -> list[Load]:
    """What priority, fairness and critical path cost; beside the same without."""
    everything = {"fair": True, "order": "critical-path"}
    loads: list[tuple[str, dict[str, object], MakeShape, str, dict[str, Any]]] = [
        ("rich: priority", {}, shapes.prioritized, "flat", {}),
        ("rich: fair", {"fair": True}, shapes.flat, "flat", {}),
        ("rich: critical path", {"order": "critical-path"}, shapes.flat, "flat", {}),
        ("rich: all", everything, shapes.prioritized, "flat", {}),
        (
            "rich: all, 1,024 engines",
            everything,
            shapes.prioritized,
            "flat, 1,024 engines",
            {"engines": 1_024, "tasks": 6_000, "takes": 5},
        ),
        (
            "rich: all, 100,000 waiting for a long one",
            everything,
            shapes.prioritized,
            "100,000 waiting",
            {"prepare": partial(wait, tasks=100_000), "takes": 7},
        ),
    ]
    return [
        Load(
            name,
            "ours <= 1.25 without" if settings is everything else "",
            take=partial(cpu, shape=shape),
            kinds=(OURS,),
            beside=beside,
            settings=settings,
            clients=3,
            **others,
        )
        for name, settings, shape, beside, others in loads
    ]


def _seen() -> list[Load]:
    """What it costs to have an event log, metrics that nobody asks for, and somebody who watches.

    Each is beside the same without.
    """
    layers = BASES["layers of 50"]
    watched_layers = partial(watched, shape=shapes.layers, window=256)
    ways: list[tuple[str, dict[str, object], Take, Take]] = [
        ("event log", {"event_log": "events.jsonl"}, cpu, layers.take),
        ("metrics", {"metrics_port": 0}, cpu, layers.take),
        ("watched", {}, watched, watched_layers),
    ]
    loads = []
    for name, settings, flat, layered in ways:
        rest: dict[str, Any] = {"kinds": (OURS,), "settings": settings, "tasks": 4_000}
        loads += [
            Load(f"{name}: flat", take=flat, **rest),
            Load(
                f"{name}: layers of 50, each task after 5",
                take=layered,
                beside=layers.name,
                **rest,
            ),
        ]
    return loads


LOADS = [
    *_flat(),
    *_crowded(),
    *_shaped(),
    *_rich(),
    *_seen(),
    Load(
        "10,000 different sets of targets queued",
        "ours <= 1.2 with none",
        take=partial(cpu, shape=shapes.different_targets, window=20_000),
        kinds=(OURS,),
        beside="different sets, none queued",
        tasks=40_000,
        takes=5,
    ),
    Load("backlog of 1,000", take=BASES["a backlog of 1,000"].take, kinds=(OURS,)),
    Load(
        "backlog of 200,000",
        "ours <= 1.2 with 1,000",
        take=partial(backlog, size=200_000),
        kinds=(OURS,),
        beside="a backlog of 1,000",
        takes=3,
    ),
    Load(
        "memory of a queued task without payload",
        "ours <= 1.5 kB",
        take=memory_queued,
        prepare=lambda cluster: cluster.hold(0),
        beside="",
        engines=1,
        tasks=20_000,
        slow=2,
        takes=1,
    ),
    Load(
        "memory kept of a finished task, from 200,000 to 1,000,000 (stock: 5,000 to 25,000)",
        "ours <= 64 bytes",
        take=memory_finished,
        beside="",
        tasks=800_000,
        slow=40,
        takes=1,
    ),
    Load(
        "payload of 1 MB there and back",
        "ours <= 1.5 C relay",
        take=partial(cpu, window=32, buffers=(MEGABYTE,)),
        # the memory that this needs is got once, which costs as much again
        prepare=lambda cluster: cluster.flow(200, window=32, buffers=(MEGABYTE,)),
        kinds=(OURS, STOCK, RELAY),
        beside=RELAY,
        tasks=200,
        slow=1,
    ),
    Load(
        "round trip on an idle cluster",
        "ours <= stock",
        take=round_trips,
        kinds=(OURS, STOCK, RELAY),
        beside="",
        tasks=500,
        slow=1,
        takes=11,
    ),
]
