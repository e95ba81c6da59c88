"""What a random cluster does that only rich clients can do.

It is drawn by itself, so that all else in a script stays as it was before there was any of this,
and as it is for the stock scheduler.
"""

from __future__ import annotations

from random import Random

import ipyparallel as ipp

from ipp_richsched.core.flags import RichFlags

from .script import PLENTY, CancelSpec, Script


def _crowd(script: Script) -> None:
    """Leave two engines only, which stay, so that tasks queue and their order can be judged."""
    script.hwm, script.deaths = 1, 0
    stay: dict[str, set[str]] = {engine: {"register"} for engine in script.known}
    ops = []
    for op in script.ops:
        if op.what in ("connect", "register") and (op.whom in stay or len(stay) < 2):
            done = stay.setdefault(op.whom, set())
            if op.what not in done:
                done.add(op.what)
                ops.append(op)
        elif op.what == "submit":
            ops.append(op)
    script.ops = ops


def _want_back(script: Script, rich: list[str], random: Random) -> None:
    """Have clients take tasks back."""
    submissions = [op for op in script.ops if op.what == "submit"]
    for number in range(1, random.choice([0, 1, 3, 6]) + 1 if rich else 1):
        place = random.randrange(len(submissions))
        # those before are known then; those after may not be
        near = [op.whom for op in submissions[max(0, place - 15) : place + 3]]
        client = random.choice(rich)
        if random.random() < 0.5:
            near = [name for name in near if script.tasks[name].client == client]
        msg_ids = random.sample(near, min(len(near), random.randint(1, 6)))
        msg_ids += ["nobody"] * (random.random() < 0.2)
        cancel = CancelSpec(f"k{number}", client, msg_ids, random.random() < 0.4)
        script.cancels[cancel.name] = cancel
        script.add(submissions[place].time + 0.001, "cancel", cancel.name)
    script.ops.sort()


def _give_costs(script: Script, rich: list[str], random: Random) -> None:
    """Have the order depend on paths, where clients know what most tasks cost."""
    script.order = "critical-path"
    if random.random() < 0.7:
        script.aging = None
    for task in script.tasks.values():
        if task.client in rich:
            # whole seconds, whose sums are the same in any order
            cost = random.choice([0.0, 1.0, 1.0, 2.0, 3.0, 5.0]) if random.random() < 0.95 else None
            task.rich = task.rich._replace(cost=cost)
            if random.random() < 0.7:  # or priorities decide nearly all
                task.rich = task.rich._replace(priority=0)


def _give_arguments(script: Script, rich: list[str], random: Random) -> None:
    """Have tasks need the results of others."""
    script.values_size_limit = random.choice([PLENTY, 3000, 40, 1])
    names, easy = list(script.tasks), []
    for place, (msg_id, task) in enumerate(script.tasks.items()):
        before = [*easy] if easy and random.random() < 0.8 else names[:place]
        if random.random() < 0.5:  # else most have another reason to wait, or to fail
            task.after, task.follow, task.targets = ipp.Dependency(), ipp.Dependency(), []
            task.timeout = None
            easy.append(msg_id)
        if task.client not in rich or random.random() < 0.4:
            continue
        near = before[-random.choice([2, 6, 100]) :]
        arguments = random.sample(near, min(len(near), random.choice([1, 1, 2, 3])))
        if random.random() < 0.03:
            arguments.append(random.choice([msg_id, "unknown"]))
        task.rich = task.rich._replace(arguments=tuple(arguments))


def make_rich(script: Script) -> None:
    """Have some of the clients of a script be rich ones, beside stock ones."""
    random = Random(f"{script.seed} rich")
    script.aging = random.choice([None, None, 0.1, 1.0])
    script.fair = Random(f"{script.seed} fair").random() < 0.3
    script.interrupt_on_timeout = random.random() < 0.5
    script.has_nannies = random.random() < 0.8
    script.busy = random.choice([0.0, 0.05, 0.15])
    if random.random() < 0.3:
        _crowd(script)
    rich = [client for client in script.clients if random.random() < 0.7]
    for task in script.tasks.values():
        if task.client in rich:
            task.rich = RichFlags(
                priority=random.choice([0, 0, 1, 2, 5, -1, -3]),
                max_crashes=random.choice([None, None, None, 0, 1, 2]),
                run_timeout=random.choice([None, None, None, 0.05, 0.15, 0.4]),
            )
    _want_back(script, rich, random)
    for chance, change in ((0.4, _give_costs), (0.7, _give_arguments)):
        its = Random(f"{script.seed} {change.__name__}")
        if its.random() < chance:
            change(script, rich, its)
