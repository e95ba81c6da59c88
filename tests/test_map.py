"""Maps of a `RichView`: the sizes of chunks, and what becomes of items on a real cluster."""

from __future__ import annotations

import gc
import heapq
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION
from itertools import count, repeat
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ipp_richsched
from ipp_richsched.client.chunks import FIRST, LEAST, ChunkSizes, check_chunksize, parts
from ipp_richsched.client.map_result import MapResult
from ipp_richsched.client.on_engine import run_chunk

from .processes import PATIENCE, Processes, wait_for
from .real_cluster import Cluster

# -- the sizes of chunks -----------------------------------------------------------------


def sizes(items: int, engines: int, each: float) -> list[int]:
    """The sizes of all chunks of a map whose items take equally long, once that is known."""
    chunks = ChunkSizes()
    chunks.measured(1, each)
    found = []
    while items:
        found.append(chunks.next(items, engines).items)
        items -= found[-1]
    return found


def test_the_first_chunk_is_a_single_item() -> None:
    assert ChunkSizes().next(1_000_000, 4) == (1, None)


def test_a_chunk_takes_so_long_at_the_start_and_less_at_the_end() -> None:
    found = sizes(100_000, engines=4, each=0.001)
    assert found[0] == FIRST / 0.001
    assert found == sorted(found, reverse=True)
    assert found[-1] <= LEAST / 0.001


def test_a_batch_of_chunks_takes_half_of_what_is_left() -> None:
    assert sizes(64, engines=4, each=0.02)[:9] == [8, 8, 8, 8, 4, 4, 4, 4, 2]


def test_items_that_take_long_are_chunks_by_themselves() -> None:
    assert sizes(20, engines=2, each=1.0) == [1] * 20


def test_short_items_are_not_sent_in_chunks_that_cost_more_than_they_take() -> None:
    found = sizes(100_000, engines=4, each=1e-6)
    assert len(found) <= 12
    assert min(found[:-4]) >= LEAST / 1e-6


def test_each_engine_gets_a_share_of_few_items() -> None:
    assert sizes(8, engines=4, each=1e-6)[0] == 2


def test_what_is_new_counts_more() -> None:
    chunks = ChunkSizes()
    chunks.measured(1, 1.0)
    for _ in range(40):
        chunks.measured(1, 0.001)
    assert chunks.next(1_000_000, 1).items > 0.5 * FIRST / 0.001


@given(
    items=st.integers(1, 10_000),
    engines=st.integers(1, 64),
    measured=st.lists(st.tuples(st.integers(1, 1_000), st.floats(0, 1e6))),
)
def test_a_size_can_be_sent(items: int, engines: int, measured: list[tuple[int, float]]) -> None:
    chunks = ChunkSizes()
    for each in measured:
        chunks.measured(*each)
    while items:
        size, seconds = chunks.next(items, engines)
        assert 1 <= size <= items
        assert seconds is None or seconds > 0
        items -= size
    assert chunks.next(math.inf, engines).items >= 1


@given(
    lengths=st.lists(st.floats(0.0001, 1.0), min_size=1, max_size=2_000),
    engines=st.integers(1, 16),
)
def test_engines_end_together(lengths: list[float], engines: int) -> None:
    """None ends later than the perfect schedule by more than an item and a chunk or two."""
    chunks = ChunkSizes()
    free = [(0.0, number) for number in range(engines)]
    done = 0
    while done < len(lengths):
        now, number = heapq.heappop(free)
        size, seconds = chunks.next(len(lengths) - done, engines)
        took = 0.0
        ran = 0
        while ran < size and (not ran or seconds is None or took <= seconds):
            took += lengths[done + ran]
            ran += 1
        done += ran
        chunks.measured(ran, took)
        heapq.heappush(free, (now + took, number))
    assert max(free)[0] <= sum(lengths) / engines + max(lengths) + 2 * FIRST


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "x", True, None, [2]])
def test_a_chunksize_that_cannot_be_is_named(wrong: Any) -> None:
    with pytest.raises(ValueError, match="'chunksize' is "):
        check_chunksize(wrong)


def test_fixed_chunks_are_as_in_ipyparallel() -> None:
    assert parts(10, 4) == [range(4), range(4, 7), range(7, 10)]
    assert [list(part) for part in parts(3, 1)] == [[0], [1], [2]]


# -- what an engine does -----------------------------------------------------------------


def test_a_chunk_ends_when_its_time_is_over() -> None:
    _, done, failures, *_ = run_chunk(lambda x: time.sleep(0.02), 0.3, range(100))
    assert 2 <= done < 100  # all take two seconds, and two of them hardly 0.3 on a busy machine
    assert not failures


class EngineBusy(Exception):  # noqa: N818  (an engine knows it by its name)
    pass


def test_an_engine_that_is_busy_ends_the_chunk() -> None:
    def f(x: int) -> int:
        if x == 2:
            raise EngineBusy
        return x

    assert run_chunk(f, None, [0, 1, 2, 3])[1] == 2
    with pytest.raises(EngineBusy):  # the scheduler gets all of it back
        run_chunk(f, None, [2, 3])


def test_an_interrupt_ends_the_chunk() -> None:
    def f(x: int) -> int:
        if x == 1:
            raise KeyboardInterrupt
        return x

    _, done, failures, *_ = run_chunk(f, None, [0, 1, 2])
    assert done == 3
    assert {place: each["ename"] for place, each in failures.items()} == dict.fromkeys(
        (1, 2), "KeyboardInterrupt"
    )


# -- on a real cluster -------------------------------------------------------------------

on_cluster = pytest.mark.cluster


@pytest.fixture(scope="module")
def two_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ipp.Cluster]:
    with Processes(tmp_path_factory.mktemp("map")):
        cluster = ipp.Cluster(
            n=2,
            controller="richsched",
            # engines register with the second heartbeat
            controller_args=["--HeartMonitor.period=500"],
            delay=0,
            log_level=40,
        )
        cluster.start_cluster_sync()
        yield cluster
        cluster.stop_cluster_sync()


@pytest.fixture(scope="module")
def client(two_engines: ipp.Cluster) -> Iterator[ipp.Client]:
    with two_engines.connect_client_sync() as rc:
        rc.wait_for_engines(2, timeout=PATIENCE, interactive=False)
        yield rc


@pytest.fixture
def view(client: ipp.Client) -> ipp_richsched.RichView:
    return ipp_richsched.view(client)


def same(x: Any) -> Any:
    return x


def pause(seconds: float, flag: str = "") -> None:
    """Take some time; or for as long as there is no such file."""
    import pathlib
    import time

    time.sleep(seconds)
    while flag and not pathlib.Path(flag).exists():
        time.sleep(0.01)


def fails_on(number: int) -> Any:
    def f(x: int) -> int:
        if x % number == number - 1:
            raise ValueError(f"not {x}")
        return x

    return f


def once_more(x: int, folder: str, bad: int) -> int:
    """Fails the first time for one item; notes each time that it is called."""
    import os
    import uuid

    before = [name for name in os.listdir(folder) if name.startswith(f"{x}-")]
    open(os.path.join(folder, f"{x}-{uuid.uuid4()}"), "w").close()
    if x == bad and not before:
        raise ValueError("the first time")
    return x


@on_cluster
@pytest.mark.parametrize("chunksize", ["auto", 1, 7])
def test_a_map(view: Any, chunksize: Any) -> None:
    result = view.map_async(lambda x, y: x * y, range(100), iter(range(200)), chunksize=chunksize)
    assert isinstance(result, ipp.AsyncMapResult)
    assert len(result) == 100
    assert list(result) == [x * x for x in range(100)]
    assert result.get(PATIENCE) == [x * x for x in range(100)]
    assert result.progress == 100
    assert result.successful()
    assert set(result.engine_id) <= {0, 1}
    assert view.map_sync(same, range(20), chunksize=chunksize) == list(range(20))


@on_cluster
def test_many_short_items_are_few_messages(view: Any) -> None:
    result = view.map_async(same, range(20_000))
    assert result.get(PATIENCE) == list(range(20_000))
    assert len(result.msg_ids) < 500


@on_cluster
def test_a_map_of_nothing(view: Any) -> None:
    assert view.map_sync(same, []) == []
    assert view.map_async(same, [], [1]).get(0) == []


@on_cluster
def test_unordered_results_come_as_they_arrive(view: Any) -> None:
    result = view.map_async(time.sleep, [1.0, 0, 0, 0], ordered=False, chunksize=1)
    arrived = iter(result)
    assert next(arrived) is None
    assert not result.done()
    assert len(list(arrived)) == 3


@on_cluster
@pytest.mark.parametrize("wrong", [0, -1, 1.5, "x", True])
def test_a_wrong_chunksize_is_refused_before_anything_is_sent(view: Any, wrong: Any) -> None:
    for call in (view.map_async, view.map_sync, view.imap, view.executor.map):
        with pytest.raises(ValueError, match="'chunksize' is "):
            call(same, [1], chunksize=wrong)
    with pytest.raises(ValueError, match="'chunksize' is "):
        view.parallel(chunksize=wrong)(same)
    assert not view.history


@on_cluster
@pytest.mark.parametrize("chunksize", ["auto", 1, 10])
def test_an_item_that_fails_costs_itself_only(view: Any, chunksize: Any) -> None:
    result = view.map_async(fails_on(4), range(20), chunksize=chunksize)
    with pytest.raises(ipp.RemoteError, match="not 3") as raised:
        result.get(PATIENCE)
    [error] = [raised.value]
    assert (error.ename, error.evalue) == ("ValueError", "not 3")
    assert error.engine_info["engine_id"] in (0, 1)
    assert "fails_on" in error.traceback
    there = result.partial()
    assert [x for x in there if isinstance(x, int)] == [x for x in range(20) if x % 4 != 3]
    assert [str(there[x].evalue) for x in range(3, 20, 4)] == [f"not {x}" for x in range(3, 20, 4)]
    assert repr(result.get(return_exceptions=True)) == repr(there)
    assert result.progress == 20
    assert not result.successful()


@on_cluster
def test_exceptions_in_the_places_of_items(view: Any) -> None:
    found = view.map_sync(fails_on(3), range(5), return_exceptions=True)
    assert found[:2] == [0, 1]
    assert found[2].evalue == "not 2"
    assert found[3:] == [3, 4]


@on_cluster
def test_what_cannot_be_sent_costs_its_own_item(view: Any) -> None:
    def f(x: int) -> Any:
        class UnprintableError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

            def __reduce__(self) -> Any:
                raise RuntimeError("no pickle")

        if x == 1:
            raise UnprintableError
        if x == 2:
            raise ValueError("\udcff")
        if x == 3:
            import threading

            return threading.Lock()
        if x == 4:
            raise SystemExit(1)
        return x

    found = view.map_sync(f, range(6), chunksize=6, return_exceptions=True)
    assert [getattr(each, "ename", each) for each in found] == [
        *(0, "UnprintableError", "ValueError", "TypeError", "SystemExit", 5)
    ]
    assert found[2].evalue == "\udcff"


@on_cluster
def test_an_argument_that_cannot_be_sent_costs_its_own_item(view: Any) -> None:
    found = view.map_sync(same, [1, threading.Lock(), 3], return_exceptions=True, chunksize=3)
    assert (found[0], found[2]) == (1, 3)
    assert isinstance(found[1], TypeError)


@on_cluster
def test_functions_may_be_arguments_and_results_of_long_chunks(view: Any) -> None:
    found = view.map_sync(same, [lambda x=x: x for x in range(200)], chunksize=200)
    assert [each() for each in found] == list(range(200))


@on_cluster
@pytest.mark.parametrize("chunksize", ["auto", 10])
def test_only_failed_items_are_run_again(view: Any, tmp_path: Path, chunksize: Any) -> None:
    items = range(10)
    view.set_flags(retries=2)
    found = view.map_sync(once_more, items, [str(tmp_path)] * 10, [4] * 10, chunksize=chunksize)
    assert found == list(items)
    calls = sorted(int(path.name.partition("-")[0]) for path in tmp_path.iterdir())
    assert calls == sorted([*items, 4])


@on_cluster
def test_retries_are_used_up(view: Any, tmp_path: Path) -> None:
    def f(x: int, folder: str) -> None:
        import pathlib
        import uuid

        pathlib.Path(folder, str(uuid.uuid4())).touch()
        raise ValueError(x)

    view.set_flags(retries=2)
    with pytest.raises(ipp.RemoteError, match="ValueError"):
        view.map_sync(f, [7], [str(tmp_path)])
    assert len(list(tmp_path.iterdir())) == 3


@on_cluster
def test_a_busy_engine_gives_back_what_it_has_not_done(view: Any, tmp_path: Path) -> None:
    def f(x: int, flag: str) -> int:
        import pathlib

        if x == 2 and not pathlib.Path(flag).exists():
            pathlib.Path(flag).touch()
            import ipp_richsched

            raise ipp_richsched.EngineBusy(0.01)
        return x

    flag = str(tmp_path / "flag")
    assert view.map_sync(f, range(5), [flag] * 5, chunksize=5) == list(range(5))
    assert len(view.history) == 2


@on_cluster
def test_a_chunk_that_fails_as_a_whole(view: Any) -> None:
    with view.temp_flags(after="nobody's"):
        result = view.map_async(same, range(4), chunksize=2)
    with pytest.raises(ipp.RemoteError, match="InvalidDependency"):
        result.get(PATIENCE)
    assert [error.ename for error in result.partial()] == ["InvalidDependency"] * 4


@on_cluster
def test_flags_are_those_of_the_call(view: Any) -> None:
    with view.temp_flags(label="ours", targets=[1], priority=3):
        result = view.map_async(pause, [0.05] * 20)
    view.set_flags(label="later", targets=[0])
    result.get(PATIENCE)
    assert set(result.label) == {"ours"}
    assert set(result.engine_id) == {1}
    assert len(result.msg_ids) > 2


@on_cluster
def test_progress_counts_items(view: Any, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    result = view.map_async(pause, [0] * 10, [""] * 9 + [str(flag)], chunksize=3)
    wait_for(lambda: result.progress >= 7, "all chunks but that of the last item")
    assert not result.wait(0)
    assert result.partial()[9] is MapResult.PENDING
    with pytest.raises(TimeoutError):
        result.get(0.01)
    flag.touch()
    result.wait_interactive(interval=0.01)
    assert result.progress == len(result) == 10


@on_cluster
def test_the_first_exception(view: Any, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    result = view.map_async(pause, [-1, 0], ["", str(flag)], chunksize=1)
    done, pending = result.wait(PATIENCE, return_when=FIRST_EXCEPTION)
    assert [each._success for each in done] == [False]
    assert pending == {result}
    with pytest.raises(ipp.RemoteError, match="ValueError"):
        result.get(PATIENCE, return_when=FIRST_EXCEPTION)
    assert not result.done()
    flag.touch()
    assert result.wait(PATIENCE)


@on_cluster
def test_to_wait_for_the_view_is_to_wait_for_its_maps(view: Any) -> None:
    result = view.map_async(pause, [0.01] * 100)
    assert view.wait(timeout=PATIENCE)
    assert result.done()
    result = view.map_async(pause, [0.01] * 100)
    assert view.client.wait(result, timeout=PATIENCE)
    assert result.done()


@on_cluster
def test_an_interrupted_map_gives_its_result(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MapResult, "get", interrupted)
        result = view.map_sync(same, range(50))
    assert result.get(PATIENCE) == list(range(50))


@on_cluster
def test_abort(view: Any) -> None:
    result = view.map_async(pause, [0.2] * 1_000)
    wait_for(lambda: result.progress, "the first item")
    result.abort()
    assert result.wait(PATIENCE)
    assert 0 < sum(each is None for each in result.partial()) < 50
    with pytest.raises((ipp.error.TaskAborted, ipp.RemoteError)):
        result.get(0)


@on_cluster
def test_to_take_back_tasks_is_to_end_their_map(view: Any) -> None:
    result = view.map_async(pause, [0.2] * 1_000)
    with pytest.raises(ValueError, match=r"'after' names .*MapResult.*chunksize"):
        view.set_flags(after=[result])
    ipp_richsched.cancel(result)
    assert result.wait(PATIENCE)
    result = view.map_async(pause, [0.2] * 1_000)
    view.cancel()
    assert result.wait(PATIENCE)
    result = view.map_async(pause, [0.2] * 1_000)
    assert not result.cancel() or result.done()
    assert result.wait(PATIENCE)
    executor = ipp_richsched.view(view.client).executor
    lazy = executor.map(pause, repeat(0.1))
    assert next(lazy) is None
    executor.shutdown(cancel_futures=True)
    wait_for(lambda: not readers(), "the thread that reads has ended")


@on_cluster
def test_what_can_no_longer_be_sent_ends_the_map(
    view: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = view.map_async(pause, [0.1] * 100)
    wait_for(lambda: result.progress, "the first item")

    def refuses(*args: Any, **kwargs: Any) -> None:
        raise IndexError("No such engine")

    with monkeypatch.context() as patch:
        patch.setattr(view.client, "send_apply_request", refuses)
        assert result.wait(PATIENCE)
    ended = result.partial()
    assert ended[0] is None
    assert isinstance(ended[-1], IndexError)
    with pytest.raises(IndexError, match="No such engine"):
        result.get()


@on_cluster
def test_a_closed_client_leaves_nobody_waiting(client: ipp.Client, two_engines: Any) -> None:
    other = two_engines.connect_client_sync()
    other.wait_for_engines(2, timeout=PATIENCE, interactive=False)
    view: Any = ipp_richsched.view(other)
    result = view.map_async(pause, [0.2] * 1_000)
    lazy = view.imap(pause, repeat(0.2))
    wait_for(lambda: result.progress, "the first item")
    other.close()
    with pytest.raises(OSError, match="closed"):
        result.get(PATIENCE)
    with pytest.raises(OSError, match="closed"):
        list(lazy)
    assert isinstance(result.partial()[-1], OSError)
    with pytest.raises(RuntimeError, match="closed"):
        view.map_async(same, [1])
    wait_for(lambda: not readers(), "the thread that reads has ended")


# -- parallel functions ------------------------------------------------------------------


@on_cluster
def test_a_parallel_function(view: Any) -> None:
    @view.parallel(block=True)
    def double(x: Any) -> Any:
        """Twice as much."""
        return x * 2

    assert double.__name__ == "double"
    assert "Twice as much" in double.__doc__
    assert double.map([1, 2, 3]) == [2, 4, 6]
    assert double([1, 2]) == [1, 1, 2, 2]  # it is called for parts of the list
    assert double([]) == []

    @view.parallel(chunksize=2, return_exceptions=True)
    def add(x: Any, y: Any) -> Any:
        return x + y

    assert add.map([1, 2, 3], [1, 2]).get(PATIENCE) == [2, 4]
    assert list(add([1, 2, 3], [4, 5, 6])) == [1, 2, 4, 5, 3, 6]
    with pytest.raises(ValueError, match="equal length"):
        add([1], [1, 2])


# -- lazy maps ---------------------------------------------------------------------------


def readers() -> int:
    return sum(thread.name == "imap" for thread in threading.enumerate())


class Source:
    """Counts for ever, and tells how far it was read."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[int]:
        for number in count():
            self.read += 1
            yield number


@on_cluster
@pytest.mark.parametrize("chunksize", [1, 5, "auto"])
def test_a_lazy_map_reads_ahead_so_far_only(view: Any, chunksize: Any) -> None:
    source = Source()
    results = view.imap(same, source, max_outstanding=3, chunksize=chunksize)
    assert [next(results) for _ in range(20)] == list(range(20))
    if chunksize != "auto":
        wait_for(lambda: source.read >= 20 + 2 * chunksize, "what is read ahead")
        view.wait(timeout=PATIENCE)
        assert source.read <= 20 + 3 * chunksize
    results.close()
    assert list(results) == []
    wait_for(lambda: not readers(), "the thread that reads has ended")


@on_cluster
def test_a_lazy_map_that_nobody_has_any_more_ends(view: Any) -> None:
    source = Source()
    results = view.imap(same, source, max_outstanding=2)
    assert next(results) == 0
    del results
    gc.collect()
    wait_for(lambda: not readers(), "the thread that reads has ended")
    assert source.read <= 4


@on_cluster
def test_a_lazy_map_ends_with_an_error(view: Any) -> None:
    results = view.imap(fails_on(4), Source(), max_outstanding=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ipp.RemoteError, match="not 3"):
        next(results)
    assert list(results) == []
    wait_for(lambda: not readers(), "the thread that reads has ended")


@on_cluster
def test_an_error_of_the_input_comes_after_its_results(view: Any) -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    results = view.imap(same, source())
    assert next(results) == 1
    with pytest.raises(ValueError, match="no more"):
        next(results)


@on_cluster
def test_a_result_comes_while_the_input_takes_its_time(view: Any) -> None:
    more = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        more.wait(PATIENCE)
        yield 2

    results = view.imap(same, source(), max_outstanding=4)
    assert next(results) == 1
    more.set()
    assert list(results) == [2]


@on_cluster
def test_a_lazy_map_with_retries_and_exceptions(view: Any, tmp_path: Path) -> None:
    view.set_flags(retries=1)
    results = view.imap(
        once_more, range(9), [str(tmp_path)] * 9, [4] * 9, chunksize=3, ordered=False
    )
    assert sorted(results) == list(range(9))
    view.set_flags(retries=0)
    found = list(view.imap(fails_on(3), range(5), return_exceptions=True, chunksize=2))
    assert [getattr(each, "evalue", each) for each in found] == [0, 1, "not 2", 3, 4]


@on_cluster
@pytest.mark.parametrize("wrong", [-1, 1.5, "x", True])
def test_a_wrong_max_outstanding(view: Any, wrong: Any) -> None:
    with pytest.raises(ValueError, match="'max_outstanding' is "):
        view.imap(same, [1], max_outstanding=wrong)


@on_cluster
def test_an_executor_goes_on_while_nobody_takes_results(view: Any) -> None:
    source = iter(range(20))
    with view.executor as executor:
        results = executor.map(same, source, max_outstanding=2)
    assert next(source, None) is None
    assert not view.outstanding & view.client.outstanding
    assert list(results) == list(range(20))


# -- engines that come and go ------------------------------------------------------------


def die_on(x: int, bad: int) -> int:
    import os
    import time

    time.sleep(0.02)
    if x == bad:
        os._exit(1)
    return x


@on_cluster
@pytest.mark.slow(16)
def test_engines_that_come_later_work_and_one_that_dies_costs_its_chunk(cluster: Cluster) -> None:
    cluster.start_controller("--RichTaskScheduler.engine_grace=0.5")
    cluster.start_engine()
    with cluster.connect() as client:
        client.wait_for_engines(1, timeout=PATIENCE)
        view: Any = ipp_richsched.view(client)
        result = view.map_async(pause, [0.05] * 400)
        wait_for(lambda: result.progress, "the first item")
        cluster.start_engine()
        result.get(PATIENCE)
        assert set(result.engine_id) == {0, 1}
        result = view.map_async(die_on, range(40), [21] * 40, chunksize=4)
        assert result.wait(PATIENCE)
        ended = result.partial()
        assert [x for x, end in enumerate(ended) if end != x] == [20, 21, 22, 23]
        assert {end.ename for end in ended[20:24]} == {"EngineError"}
    assert cluster.validate() == 0


@on_cluster
def test_a_map_begins_before_there_is_an_engine(cluster: Cluster) -> None:
    cluster.start_controller()
    with cluster.connect() as client:
        result = ipp_richsched.view(client).map_async(same, range(100))
        cluster.start_engine()
        assert result.get(PATIENCE) == list(range(100))
