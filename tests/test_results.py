"""What the controller remembers of finished tasks, for a client that comes back for them."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest
from ipyparallel.controller.dictdb import DictDB, NoDB
from ipyparallel.controller.hub import init_record
from ipyparallel.controller.sqlitedb import SQLiteDB
from ipyparallel.serialize import pack_apply_message, serialize_object
from jupyter_client.session import Session
from traitlets.config import Config

from ipp_richsched import RichController
from ipp_richsched.controller.results import RichDictDB

from .processes import PATIENCE, Processes, script, wait_for

SESSION = Session(key=b"key")
START = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def nothing_culled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class, not the object, holds what is culled."""
    monkeypatch.setattr(DictDB, "_culled_ids", set())


def add(db: DictDB, number: int, **parts: Any) -> str:
    """Add a task that was submitted after those with lower numbers; return its msg_id."""
    msg_id = f"task-{number}"
    submitted = START + timedelta(seconds=number)
    db.add_record(msg_id, {"msg_id": msg_id, "submitted": submitted, "completed": None, **parts})
    return msg_id


def known(db: DictDB) -> set[str]:
    return set(db.get_history())


def test_there_is_no_limit_to_their_number() -> None:
    db = RichDictDB()
    ids = {add(db, number) for number in range(5_000)}
    assert known(db) == ids


def test_a_limit_that_the_user_has_set_holds() -> None:
    db = RichDictDB(config=Config({"DictDB": {"record_limit": 100}}))
    for number in range(200):
        add(db, number)
    assert 90 <= len(known(db)) <= 100


@pytest.mark.parametrize(
    "parts",
    [
        {"buffers": [b"x" * 50_000, memoryview(b"x" * 50_000)]},
        {"result_buffers": [b"x" * 100_000]},
        {"stdout": "x" * 50_000, "stderr": "x" * 50_000},
        {"result_content": {"status": "error", "traceback": ["x" * 99_000]}},
        {"metadata": {"after": ["x" * 50] * 2_000}},
    ],
    ids=lambda parts: "-".join(parts),
)
def test_the_oldest_go_when_all_together_are_too_large(parts: dict[str, Any]) -> None:
    db = RichDictDB(size_limit=10_000_000)
    ids = [add(db, number, **parts) for number in range(200)]
    assert known(db) == set(ids[-len(known(db)) :])
    assert 0.8 * 10_000_000 < 100_000 * len(known(db)) <= 10_000_000
    with pytest.raises(KeyError, match="culled"):
        db.get_record(ids[0])
    # what a record has when it is removed is what is taken off
    db.drop_matching_records({"completed": None})
    assert known(db) == set()
    ids = [add(db, number, **parts) for number in range(200, 280)]
    assert known(db) == set(ids)


def test_to_forget_many_takes_no_longer_than_to_add_them() -> None:
    db = RichDictDB(size_limit=8_000 * 20_000)
    begin = time.process_time()
    for number in range(20_000):
        add(db, number)
    added = time.process_time() - begin
    begin = time.process_time()
    add(db, 20_000)
    assert len(known(db)) < 18_100
    assert time.process_time() - begin < added


def task(db: DictDB) -> None:
    """A task of a client, and its answer, as the hub records them."""

    def read(message: dict[str, Any], buffers: list[Any]) -> dict[str, Any]:
        frames = [*SESSION.serialize(message), *buffers]
        read: dict[str, Any] = SESSION.deserialize([bytes(memoryview(f)) for f in frames[1:]])
        return read

    flags = {"after": [], "follow": [], "timeout": None, "targets": [], "retries": 0}
    request = SESSION.msg("apply_request", {}, metadata=flags)
    record = init_record(read(request, pack_apply_message(pow, (3, 2), {})))
    db.add_record(record["msg_id"], record)
    metadata = {"started": datetime.now(timezone.utc), "engine": "e" * 36, "status": "ok"}
    metadata |= {"dependencies_met": True, "is_broadcast": False, "is_coalescing": False}
    reply = SESSION.msg("apply_reply", {"status": "ok"}, parent=request, metadata=metadata)
    answer = read(reply, serialize_object(9))
    result = {f"result_{part}": answer[part] for part in ("header", "metadata", "content")}
    times = dict.fromkeys(("started", "completed", "received"), datetime.now(timezone.utc))
    db.update_record(
        record["msg_id"],
        {**result, **times, "result_buffers": answer["buffers"], "engine_uuid": "e" * 36},
    )


def test_the_memory_of_a_small_task_is_what_is_counted() -> None:
    db = RichDictDB()
    task(db)
    before = db._buffer_bytes
    tracemalloc.start()
    for _ in range(300):
        task(db)
        SESSION.digest_history.clear()
    memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 < memory / (db._buffer_bytes - before) < 1.3


@pytest.mark.parametrize("asked", [[], [3], [7, 3, 3], [1_000], ["nothing"]])
@pytest.mark.parametrize("more", [{}, {"completed": None}, {"completed": {"$ne": None}}])
def test_what_is_asked_for_is_found_as_in_the_stock_class(
    asked: list[Any], more: dict[str, Any]
) -> None:
    found = []
    for cls in (DictDB, RichDictDB):
        db = cls()
        for number in range(10):
            add(db, number, buffers=[b"x"])
        check = {"msg_id": {"$in": [f"task-{each}" for each in asked]}, **more}
        found.append(db.find_records(check))
        for record in found[-1]:
            record["buffers"].clear()  # the hub may do with it what it likes
        assert all(db.get_record(f"task-{number}")["buffers"] for number in range(10))
    assert found[0] == found[1]


# -- which one the controller takes


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], RichDictDB),
        (["--dictdb"], RichDictDB),
        (["--IPController.db_class=ipyparallel.controller.dictdb.DictDB"], RichDictDB),
        (["--sqlitedb"], SQLiteDB),
        (["--nodb"], NoDB),
    ],
)
def test_another_db_of_the_users_stays(
    ipython_dir: Path, arguments: list[str], expected: type
) -> None:
    app = RichController()
    app.parse_command_line(arguments)
    app.load_secondary_config()
    assert app.db_class is expected


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        yield started


@pytest.mark.cluster
@pytest.mark.slow(40)
@pytest.mark.parametrize("way", ["launcher", "enable"])
def test_a_client_that_comes_back_gets_all(processes: Processes, way: str) -> None:
    options: dict[str, Any] = {"controller": "richsched"}
    if way == "enable":
        options = {}
        status, output = processes.run(script("ipp-richsched"), "enable")
        assert status == 0, output
    with ipp.Cluster(n=2, delay=0, **options) as client:
        client.wait_for_engines(2, timeout=PATIENCE)
        results = client.load_balanced_view().map_async(abs, range(1_500), chunksize=1)
        ids = list(results.msg_ids)
        results.get(timeout=PATIENCE)
        client.close()
        with client.cluster.connect_client_sync() as another:

            def found() -> Any:
                try:
                    return another.get_result(ids).get(timeout=PATIENCE)
                except ipp.RemoteError:
                    return None  # the hub has still to hear of the last ones

            expected = [[number] for number in range(1_500)]
            assert wait_for(found, "results that the hub knows") == expected
    processes.wait_until_gone()
