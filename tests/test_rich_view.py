"""`RichView` on a real cluster."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait as wait_for_futures
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest
from ipyparallel.error import TaskAborted
from traitlets import TraitError

import ipp_richsched
from ipp_richsched import RichView
from ipp_richsched.client.asking import NotRichError
from ipp_richsched.core.lifecycle import INTERRUPT_PATIENCE

from .chaos_load import hold
from .processes import PATIENCE, Processes, wait_for
from .real_cluster import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ipp.Client]:
    """A client of a cluster of one engine, so that what is submitted has to queue."""
    with Processes(tmp_path_factory.mktemp("rich")) as processes:
        cluster = Cluster(processes)
        cluster.start_controller("--RichTaskScheduler.interrupt_on_timeout=True")
        cluster.start_engine()
        with cluster.connect() as client:
            client.wait_for_engines(1, timeout=PATIENCE)
            yield client
        assert cluster.validate() == 0
        assert "internal error" not in cluster.controller.log


@pytest.fixture
def view(client: ipp.Client) -> RichView:
    return ipp_richsched.view(client)


class Held:
    """The engine is busy with a task until it is released."""

    def __init__(self, view: RichView, directory: Path) -> None:
        self._directory = directory
        self.task = view.apply_async(hold, str(directory))
        wait_for(self.places, "the held task's turn")

    def places(self) -> list[int]:
        return [int(path.suffix[1:]) for path in self._directory.glob("started.*")]

    def release(self) -> None:
        (self._directory / f"release.{self.places()[0]}").touch()
        self.task.get(timeout=PATIENCE)


@pytest.fixture
def held(view: RichView, tmp_path: Path) -> Iterator[Held]:
    held = Held(view, tmp_path)
    yield held
    if not held.task.done():
        held.release()


@ipp.interactive
def note(number: int) -> int:
    """Remember that it ran, on the engine."""
    globals().setdefault("notes", []).append(number)
    return number


@ipp.interactive
def take_notes() -> list[int]:
    found: list[int] = globals().pop("notes", [])
    return found


def notes(client: ipp.Client) -> list[int]:
    """In which order they ran."""
    found: list[int] = client[0].apply_sync(take_notes)
    return found


# -- flags ----------------------------------------------------------------------------------

BAD: list[tuple[str, Any]] = [
    ("priority", "high"),
    ("priority", 1.5),
    ("max_crashes", -1),
    ("run_timeout", 0),
    ("run_timeout", "soon"),
    ("cost", -1),
    ("cost", "much"),
    ("label", "\ud800"),
    ("label", 3),
    ("after", 42),
    ("follow", ["\ud800"]),
    ("timeout", -1),
    ("timeout", float("nan")),
    ("retries", -1),
    ("retries", "many"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_flag_is_named_and_leaves_the_view_as_it_was(
    view: RichView, client: ipp.Client, name: str, value: Any
) -> None:
    before = {flag: getattr(view, flag) for flag in view._flag_names}
    with pytest.raises((ValueError, TypeError), match=name[1:]):
        view.set_flags(**{"block": True, "track": True, name: value})
    with (
        pytest.raises((ValueError, TypeError), match=name[1:]),
        view.temp_flags(**{"block": True, name: value}),
    ):
        raise AssertionError("the flag was accepted")
    with pytest.raises((ValueError, TypeError, TraitError), match=name[1:]):
        setattr(view, name, value)
    with pytest.raises((ValueError, TypeError), match=name[1:]):
        ipp_richsched.view(client, **{name: value})
    assert {flag: getattr(view, flag) for flag in view._flag_names} == before
    assert view.apply_sync(abs, -1) == 1


def test_results_of_a_list_come_in_its_order_while_some_are_under_way(
    view: RichView, client: ipp.Client, tmp_path: Path
) -> None:
    done = [view.apply_async(abs, -number) for number in range(3)]
    client.wait(done, timeout=PATIENCE)
    held = Held(view, tmp_path)
    queued = view.apply_async(abs, -9)
    ids = [task.msg_ids[0] for task in (done[2], queued, done[0])]
    results = view.get_result(ids)
    local = view.get_result([queued, held.task])
    assert not local.ready()
    held.release()
    assert results.get(timeout=PATIENCE) == [2, 9, 0]
    assert [value for value in local.get(timeout=PATIENCE) if value == 9] == [9]
    assert view.get_result(ids, block=True).get() == [2, 9, 0]
    with pytest.raises(TypeError, match="got None"):
        view.get_result([None])


def test_there_is_no_such_flag(view: RichView) -> None:
    with pytest.raises(KeyError, match=r"Invalid name: 'urgency'; the flags are .*priority, "):
        view.set_flags(urgency=3)
    with (
        pytest.raises(KeyError, match=r"'priorty', did you mean 'priority'[?] the flags are"),
        view.temp_flags(block=True, priorty=1),
    ):
        raise AssertionError("the flag was accepted")
    assert not view.block
    with pytest.raises(KeyError, match="'retrys', did you mean 'retries'"):
        ipp_richsched.view(view.client, retrys=1)


def test_priority_decides_and_is_lent(view: RichView, client: ipp.Client, held: Held) -> None:
    plain = [view.apply_async(note, number) for number in range(3)]
    with view.temp_flags(priority=1):
        high = view.apply_async(note, 10)
    with view.temp_flags(priority=2, after=plain[2]):
        heir = view.apply_async(note, 11)
    with view.temp_flags(priority=-1):
        low = view.apply_async(note, 12)
    held.release()
    client.wait([*plain, high, heir, low], timeout=PATIENCE)
    assert notes(client) == [2, 11, 10, 0, 1, 12]


def test_a_task_that_runs_too_long_fails_and_its_engine_goes_on(
    view: RichView, tmp_path: Path
) -> None:
    with view.temp_flags(run_timeout=0.5):
        task = view.apply_async(hold, str(tmp_path))
    with pytest.raises(ipp.RemoteError, match=r"TaskTimeout.*ran for more than 0.5 s"):
        task.get(timeout=PATIENCE)
    assert view.apply_async(abs, -1).get(timeout=PATIENCE) == 1  # it was interrupted


def test_a_busy_engine_is_tried_again(view: RichView) -> None:
    def once_busy(name: str) -> str:
        from ipp_richsched import EngineBusy

        if not globals().pop(name, False):
            globals()[name] = True
            raise EngineBusy(0.2)
        return "done"

    assert view.apply_async(ipp.interactive(once_busy), "busy").get(timeout=PATIENCE) == "done"


# -- taking back ----------------------------------------------------------------------------


def test_what_has_not_run_is_taken_back(view: RichView, client: ipp.Client, held: Held) -> None:
    tasks = [view.apply_async(note, number) for number in range(3)]
    with view.temp_flags(after=tasks[0]):
        heir = view.apply_async(note, 10)
    with view.temp_flags(after=ipp.Dependency([tasks[0]], success=False, failure=True)):
        mourner = view.apply_async(note, 11)
    outcomes = ipp_richsched.cancel([tasks[0], *tasks[1].msg_ids, held.task], client)
    assert [outcomes[task.msg_ids[0]] for task in (*tasks[:2], held.task)] == [
        *("cancelled", "cancelled", "running"),
    ]
    for task in tasks[:2]:
        assert task.done()
        with pytest.raises(TaskAborted):
            task.get()
    with pytest.raises(ipp.RemoteError, match="failed with TaskAborted"):
        heir.get(timeout=PATIENCE)
    held.release()
    assert tasks[2].get(timeout=PATIENCE) == 2
    assert mourner.get(timeout=PATIENCE) == 11
    assert notes(client) == [2, 11]
    assert set(view.cancel(tasks).values()) == {"finished"}


def test_the_hub_hears_of_what_was_taken_back(
    view: RichView, client: ipp.Client, held: Held
) -> None:
    task = view.apply_async(note, 1)
    view.cancel(task)

    def status() -> object:
        return client.db_query({"msg_id": task.msg_ids[0]}, ["completed", "result_content"])

    wait_for(lambda: status()[0]["completed"], "the hub")  # type: ignore[index]


@pytest.mark.parametrize("way", ["abort of the result", "of the client", "of the view", "cancel"])
def test_every_way_of_ipyparallel_and_python_leads_there(
    view: RichView, client: ipp.Client, held: Held, way: str
) -> None:
    task = view.apply_async(note, 1)
    if way == "abort of the result":
        task.abort()
    elif way == "of the client":
        client.abort(task.msg_ids)
    elif way == "of the view":
        view.abort()
    else:
        assert not task.cancelled()
        assert task.cancel()
        assert task.cancelled()
        assert not held.task.cancel()
        assert not held.task.cancelled()
        wait_for_futures([task], timeout=PATIENCE)
    with pytest.raises(TaskAborted):
        task.get(timeout=PATIENCE)
    held.release()
    assert notes(client) == []


def test_what_a_direct_view_has_sent_is_aborted_as_ever(
    view: RichView, client: ipp.Client, held: Held
) -> None:
    task = client[0].apply_async(note, 1)
    client.abort(task, block=True)
    held.release()
    with pytest.raises(TaskAborted):
        task.get(timeout=PATIENCE)


def test_an_executor_takes_back_what_it_was_given(view: RichView, held: Held) -> None:
    executor = ipp_richsched.view(view.client).executor
    futures = [executor.submit(note, number) for number in range(3)]
    executor.shutdown(wait=False, cancel_futures=True)
    for future in futures:
        with pytest.raises(TaskAborted):
            future.get(timeout=PATIENCE)


def test_a_task_that_runs_can_be_interrupted(view: RichView, tmp_path: Path) -> None:
    with view.temp_flags(retries=3):
        held = Held(view, tmp_path)
    outcomes = view.cancel(held.task, interrupt=True)
    assert outcomes == {held.task.msg_ids[0]: "interrupted"}
    with pytest.raises(ipp.RemoteError, match="KeyboardInterrupt"):
        held.task.get(timeout=PATIENCE)
    assert view.apply_async(abs, -1).get(timeout=PATIENCE) == 1


@pytest.mark.parametrize("way", ["get", "apply", "map"])
def test_ctrl_c_leaves_a_view_that_works(view: RichView, held: Held, way: str) -> None:
    task = view.apply_async(abs, -1)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    if way == "get":
        with pytest.raises(KeyboardInterrupt):
            task.get()
    elif way == "apply":
        task = view.apply_sync(abs, -1)  # as in ipyparallel, it returns what can be waited for
    else:
        task = view.map_sync(abs, [-1])
    assert not task.done()
    view.cancel()
    with pytest.raises(TaskAborted):
        task.get(timeout=PATIENCE)
    held.release()
    assert view.apply_sync(abs, -2) == 2
    assert view.map_sync(abs, [-3]) == [3]


def test_what_cannot_be_cancelled_is_named(view: RichView, client: ipp.Client) -> None:
    with pytest.raises(TypeError, match="3 is neither"):
        view.cancel([3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="client"):
        ipp_richsched.cancel(["some id"])
    assert ipp_richsched.cancel([]) == {}
    assert ipp_richsched.cancel("some id", client) == {"some id": "unknown"}


def test_requests_and_interrupts_pass_curve(cluster: Cluster, tmp_path: Path) -> None:
    cluster.start_controller("--IPController.enable_curve=True")
    cluster.start_engine()
    with cluster.connect() as client:
        client.wait_for_engines(1, timeout=PATIENCE)
        view = ipp_richsched.view(client)
        directory = tmp_path / "held"
        directory.mkdir()
        held = Held(view, directory)
        queued = view.apply_async(abs, -1)
        assert set(view.cancel([held.task, queued], interrupt=True).values()) == {
            *("interrupted", "cancelled"),
        }
        with pytest.raises(ipp.RemoteError, match="KeyboardInterrupt"):
            held.task.get(timeout=PATIENCE)
        start = time.monotonic()
        assert view.apply_async(abs, -1).get(timeout=PATIENCE) == 1
        assert time.monotonic() - start < INTERRUPT_PATIENCE, "the answer of the nanny was not read"


# -- a scheduler that is not ours -----------------------------------------------------------


@pytest.mark.slow(5)
def test_the_stock_scheduler_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with ipp.Cluster(n=1, controller="local", log_level=40) as client:
        client.wait_for_engines(1, timeout=PATIENCE)
        start = time.monotonic()
        with pytest.raises(NotRichError, match="switch it on"):
            ipp_richsched.view(client)
        with pytest.raises(NotRichError, match="switch it on"):
            ipp_richsched.status(client)
        with pytest.raises(NotRichError, match="switch it on"):
            ipp_richsched.why(client, "x")
        assert time.monotonic() - start < PATIENCE
        assert not client.outstanding
        assert client.load_balanced_view().apply_sync(abs, -1) == 1


def test_a_controller_without_a_scheduler_is_refused(client: ipp.Client) -> None:
    scheme, client._task_scheme = client._task_scheme, "pure"
    try:
        with pytest.raises(NotRichError, match="'pure'"):
            ipp_richsched.view(client)
    finally:
        client._task_scheme = scheme
