"""Results as arguments of later tasks, on a real cluster."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import ipyparallel as ipp
import pytest

import ipp_richsched
from ipp_richsched import RichView, why
from ipp_richsched.client.values import _ATTRIBUTE
from ipp_richsched.wire.requests import QUESTION_TO_CLIENT

from .chaos_load import hold
from .processes import PATIENCE, Processes, wait_for
from .real_cluster import Cluster

pytestmark = pytest.mark.cluster

LIMIT = 200_000_000
"""So many bytes are held at most."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, ipp.Client]]:
    with Processes(tmp_path_factory.mktemp("arguments")) as processes:
        cluster = Cluster(processes)
        cluster.start_controller(f"--RichTaskScheduler.values_size_limit={LIMIT}")
        for _ in range(2):
            cluster.start_engine()
        with cluster.connect() as client:
            client.wait_for_engines(2, timeout=PATIENCE)
            yield cluster, client
            kept = client.__dict__[_ATTRIBUTE]._results
            wait_for(lambda: not kept, "the end of what the client keeps")
        assert cluster.validate() == 0
        assert "internal error" not in cluster.controller.log
        assert "Traceback" not in cluster.controller.log


@pytest.fixture
def client(real: tuple[Cluster, ipp.Client]) -> ipp.Client:
    return real[1]


@pytest.fixture
def view(client: ipp.Client) -> RichView:
    return ipp_richsched.view(client)


class Held:
    """A task that runs until it is released; its value is the directory."""

    def __init__(self, view: RichView, directory: Path) -> None:
        self._directory = directory
        self.result = view.apply_async(hold, str(directory))

    def release(self) -> None:
        wait_for(lambda: [*self._directory.glob("started.*")], "the held task's turn")
        [started] = self._directory.glob("started.*")
        (self._directory / f"release{started.suffix}").touch()


@pytest.fixture
def held(view: RichView, tmp_path: Path) -> Iterator[Held]:
    held = Held(view, tmp_path)
    yield held
    if not held.result.done():
        held.release()


@ipp.interactive
def late(value: Any, seconds: float = 0.2) -> Any:
    """A value that takes its time."""
    import time

    time.sleep(seconds)
    return value


@ipp.interactive
def early(value: Any) -> Any:
    return value


@ipp.interactive
def show(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


@ipp.interactive
def fails(*args: Any) -> None:
    raise KeyError("this")


def get(result: Any) -> Any:
    return result.get(timeout=PATIENCE)


@pytest.mark.parametrize("are_ready", [False, True])
def test_values_take_the_places_of_results(view: RichView, are_ready: bool) -> None:
    a, b = view.apply_async(late, "a"), view.apply_async(late, [1, "b"])
    if are_ready:
        assert a.get(timeout=PATIENCE) == "a"
        assert b.get(timeout=PATIENCE) == [1, "b"]
    result = view.apply_async(show, a, [a, b, 5], (b, 1), {"x": a, "y": 2}, 3, k=a, m=[b], n=None)
    args = ("a", ["a", [1, "b"], 5], ([1, "b"], 1), {"x": "a", "y": 2}, 3)
    assert get(result) == (args, {"k": "a", "m": [[1, "b"]], "n": None})
    assert "show" in repr(result)


def test_all_ways_to_call_take_results(view: RichView) -> None:
    assert view.apply_sync(early, view.apply_async(late, 1)) == 1
    assert get(view.apply(early, view.apply_async(late, 2))) == 2
    assert get(view.executor.submit(early, view.executor.submit(late, 3))) == 3
    both = view.get_result([view.apply_async(late, each).msg_ids[0] for each in (4, 5)])
    assert get(view.apply_async(early, both)) == [4, 5]
    mapped = view.map(late, [6, 7])
    mapped.wait(PATIENCE)
    assert get(view.apply_async(early, mapped)) == [6, 7]
    stock = mapped._client.load_balanced_view()
    assert get(view.apply_async(early, stock.apply_async(late, 8))) == 8


def test_a_long_chain(view: RichView) -> None:
    result = view.apply_async(late, 0)
    for _ in range(300):
        result = view.apply_async(lambda number: number + 1, result)
    assert get(result) == 300


def test_results_that_the_client_has_not_read_yet(
    real: tuple[Cluster, ipp.Client], view: RichView, held: Held
) -> None:
    """The scheduler has relayed them before it hears of the tasks that need them."""
    loop = view.client._io_loop
    get(view.apply_async(early, view.apply_async(late, 1)))
    answer = view.client._queue_handlers[QUESTION_TO_CLIENT]
    with mock.patch.dict(view.client._queue_handlers) as handlers:
        handlers[QUESTION_TO_CLIENT] = questions = mock.Mock(side_effect=answer)
        wait_for(lambda: why(view.client, held.result).kind == "running", "the first task's turn")
        goes_on = threading.Event()
        # the thread that reads replies does not, until the scheduler has relayed this one
        loop.add_callback(goes_on.wait, PATIENCE)
        held.release()
        with real[0].connect() as other:
            wait_for(lambda: why(other, held.result).state == "succeeded", "the end of the first")
        user = view.apply_async(early, [held.result])
        goes_on.set()
        assert get(user) == [held.result.get()]
    questions.assert_called_once()


def test_large_values(view: RichView) -> None:
    size = 50_000_000
    made = view.apply_async(late, b"x" * size)
    same = view.apply_async(late, made)
    sizes = view.apply_async(
        lambda *values: [(len(each), each[-1:]) for each in values], made, same
    )
    assert get(sizes) == [(size, b"x")] * 2
    assert get(view.apply_async(len, made.get())) == size
    assert get(view.apply_async(len, made)) == size


def test_values_over_the_bound_come_from_the_client(
    real: tuple[Cluster, ipp.Client], view: RichView
) -> None:
    size = LIMIT // 3
    made = [view.apply_async(make, number, size) for number in range(5)]
    sums = [view.apply_async(total, each, [each, made[0]]) for each in made]
    for number, each in enumerate(sums):
        assert get(each) == 2 * number * size
    assert "c.RichTaskScheduler.values_size_limit" in real[0].controller.log


@ipp.interactive
def make(number: int, size: int) -> bytes:
    import time

    time.sleep(0.2)
    return bytes([number]) * size


@ipp.interactive
def total(value: bytes, others: list[bytes]) -> int:
    return sum(len(each) * each[-1] for each in (value, others[0]))


@pytest.mark.parametrize("are_ready", [False, True])
def test_a_failed_result_fails_its_tasks_with_its_error(view: RichView, are_ready: bool) -> None:
    failed = view.apply_async(fails)
    if are_ready:
        failed.wait(PATIENCE)
    direct = view.apply_async(show, [failed])
    indirect = view.apply_async(show, x=direct)
    for result in (direct, indirect):
        with pytest.raises(ipp.RemoteError, match="KeyError: 'this'") as caught:
            get(result)
        assert caught.value.ename == "ImpossibleDependency"
        assert failed.msg_ids[0] in caught.value.evalue


def test_a_cancelled_result_fails_its_tasks(view: RichView, held: Held) -> None:
    with view.temp_flags(after=held.result):
        waits = view.apply_async(early, 1)
    user = view.apply_async(early, waits)
    view.cancel(waits)
    with pytest.raises(ipp.RemoteError, match="TaskAborted"):
        get(user)


def test_a_failure_among_after_does_not_matter_to_arguments(view: RichView) -> None:
    failed, value = view.apply_async(fails), view.apply_async(late, 1)
    with view.temp_flags(after=ipp.Dependency([failed], success=False, failure=True)):
        assert get(view.apply_async(early, value)) == 1


def test_what_a_task_raises_looks_as_ever(view: RichView) -> None:
    plain = view.apply_async(fails, 1)
    with_value = view.apply_async(fails, view.apply_async(late, 1))
    errors = []
    for result in (plain, with_value):
        with pytest.raises(ipp.RemoteError) as caught:
            get(result)
        errors.append(caught.value)
    assert errors[0].ename == errors[1].ename == "KeyError"
    assert errors[0].evalue == errors[1].evalue
    assert "fails" in errors[1].traceback
    assert "call_with" not in errors[1].traceback


def test_functional_dependencies_count(view: RichView, client: ipp.Client) -> None:
    first = client[client.ids[0]]
    first.push({"special": 1}, block=True)
    needs = ipp.depend(ipp.interactive(lambda: "special" in globals()))

    @needs
    @ipp.interactive
    def where(value: Any) -> Any:
        return value, special  # type: ignore[name-defined]  # noqa: F821

    for _ in range(3):
        assert get(view.apply_async(where, view.apply_async(late, 2))) == (2, 1)
    root = ipp.require("math")(ipp.interactive(lambda value: math.sqrt(value)))  # noqa: F821
    assert get(view.apply_async(root, view.apply_async(late, 16))) == 4


def test_references_and_functions_are_arguments_beside_results(
    view: RichView, client: ipp.Client
) -> None:
    client[:].push({"here": 7}, block=True)
    value = view.apply_async(late, 2)
    call = view.apply_async(
        lambda f, a, b: f(a) + b, lambda a: 10 * a, value, ipp.Reference("here")
    )
    assert get(call) == 27


def test_a_task_that_is_retried_gets_its_values_again(view: RichView) -> None:
    @ipp.interactive
    def fails_at_first(value: Any) -> Any:
        if globals().setdefault("tries", []):
            return value
        globals()["tries"].append(1)
        raise ValueError

    with view.temp_flags(retries=5):
        assert get(view.apply_async(fails_at_first, view.apply_async(late, 3))) == 3


def test_many_need_one_value(view: RichView) -> None:
    value = view.apply_async(late, "x")
    users = [view.apply_async(early, value) for _ in range(500)]
    assert {get(user) for user in users} == {"x"}


def test_results_of_other_clients_are_refused(
    real: tuple[Cluster, ipp.Client], view: RichView
) -> None:
    with real[0].connect() as other:
        result = ipp_richsched.view(other).apply_async(late, 1)
        with pytest.raises(ValueError, match="another client"):
            view.apply_async(early, [result])
        get(result)


def test_maps_that_are_not_done_are_refused(view: RichView, held: Held) -> None:
    with view.temp_flags(after=held.result):
        mapped = view.map(early, [1, 2], chunksize=1)
    with pytest.raises(TypeError, match="wait"):
        view.apply_async(early, mapped)


def test_a_function_must_be_callable(view: RichView, held: Held) -> None:
    with pytest.raises(TypeError, match="callable"):
        view.apply_async("no function", held.result)


def test_a_result_of_a_direct_view_is_none_of_a_task(view: RichView, client: ipp.Client) -> None:
    direct = client[client.ids[0]].apply_async(late, 1)
    with pytest.raises(ipp.RemoteError, match=r"'arguments' names .* \.wait\(\)"):
        get(view.apply_async(early, direct))
    assert get(direct) == 1
    assert get(view.apply_async(early, direct)) == 1  # its value is here now


def test_results_that_were_purged_can_be_asked_for(view: RichView, client: ipp.Client) -> None:
    """The client keeps what the scheduler may ask for."""
    value = view.apply_async(early, [*range(5)])
    blocked = view.apply_async(late, 0, 1)
    with view.temp_flags(after=blocked):
        user = view.apply_async(sum, value)
    get(value)
    client.results.clear()
    assert get(user) == 10


@ipp.interactive
def stay_on(value: Any, mine: int) -> Any:
    """Take long on one engine."""
    import os
    import time

    if os.getpid() == mine:
        time.sleep(600)
    return value


def test_an_engine_dies_with_values(real: tuple[Cluster, ipp.Client], view: RichView) -> None:
    cluster, client = real
    before = len(client.ids)
    number = cluster.start_engine()
    client.wait_for_engines(before + 1, timeout=PATIENCE)
    value = view.apply_async(late, "value")
    with view.temp_flags(retries=1):
        users = [view.apply_async(stay_on, value, cluster.pid(number)) for _ in range(6)]
    wait_for(lambda: sum(user.done() for user in users) >= 5, "all but one")
    os.kill(cluster.pid(number), signal.SIGKILL)
    assert [get(user) for user in users] == ["value"] * 6
