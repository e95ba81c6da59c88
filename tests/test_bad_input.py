"""Bad input from clients: who sent it is told, the log has a line, all others notice nothing.

What engines and the hub may send is in `test_bad_peers`, nonsense at random in `test_fuzz`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.session import DELIM

from .doors import CONTENT, HEADER, METADATA, NO_OBJECTS, PARENT, Doors, open_doors

NESTED: Any = []
for _ in range(400):
    NESTED = [NESTED]


@pytest.fixture(scope="module", params=[b"a key", b""], ids=["signed", "no key"])
def doors(request: pytest.FixtureRequest) -> Iterator[Doors]:
    """One cluster for all: whatever it gets, it has to be there for the next test."""
    with open_doors(request.param) as doors:
        yield doors


# -- what cannot be read ---------------------------------------------------------------


@pytest.mark.parametrize("length", range(1, 7))
def test_a_message_that_ends_early_is_dropped(doors: Doors, length: int) -> None:
    client, frames = doors.client(), doors.task()
    doors.dropped(client, frames[: length - 1] + [b""] * (length == 1), client.ident.decode())


def test_a_message_without_delimiter_is_dropped(doors: Doors) -> None:
    doors.dropped(doors.client(), doors.task()[1:], "delimiter")


def test_ten_thousand_frames_without_delimiter_are_dropped(doors: Doors) -> None:
    doors.dropped(doors.client(), [b"x"] * 10_000, "delimiter")


@pytest.mark.parametrize("doors", [b"a key"], ids=["signed"], indirect=True)
@pytest.mark.parametrize("forged", ["unsigned", "signed with another key", "altered"])
def test_what_is_not_signed_with_the_key_is_dropped(doors: Doors, forged: str) -> None:
    parts: list[Any] = [doors.header(), {}, {}, {}]
    frames = doors.frames(parts, key=b"another key" if "another" in forged else None)
    if forged == "unsigned":
        frames[1] = b""
    elif forged == "altered":
        frames[-2] = b'{"retries": 1}'
    doors.dropped(doors.client(), frames, "signature")


@pytest.mark.parametrize("header", NO_OBJECTS.values(), ids=NO_OBJECTS)
def test_a_header_that_cannot_be_read_is_dropped(doors: Doors, header: bytes) -> None:
    doors.dropped(doors.client(), doors.frames([header, {}, {}, {}]), "header")


def test_a_client_called_like_the_delimiter_is_not_misread(doors: Doors) -> None:
    client = doors.cluster.client(DELIM)
    # its identity and the rest make a whole message, which has no sender
    doors.dropped(client, doors.task()[1:], "delimiter")


# -- what can be read so far as to answer ----------------------------------------------


@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {}, "\ud800"])
def test_a_task_without_a_name_is_refused(doors: Doors, value: Any) -> None:
    header = doors.header(msg_id=value)
    told = doors.refused(doors.client(), doors.frames([header, {}, {}, {}]), "msg_id", repr(value))
    assert told == header


def test_a_task_with_no_msg_id_at_all_is_refused(doors: Doors) -> None:
    header = {"msg_type": "apply_request", "mine": 1}
    assert doors.refused(doors.client(), doors.frames([header, {}, {}, {}]), "msg_id") == header


@pytest.mark.parametrize("garbage", NO_OBJECTS.values(), ids=NO_OBJECTS)
@pytest.mark.parametrize(
    ("part", "name"), [(PARENT, "parent header"), (METADATA, "metadata"), (CONTENT, "content")]
)
def test_a_part_that_cannot_be_read_is_refused(
    doors: Doors, part: int, name: str, garbage: bytes
) -> None:
    parts: list[Any] = [doors.header(), {}, {}, {}]
    parts[part] = garbage  # an engine would drop the task, and keep its place taken
    doors.refused(doors.client(), doors.frames(parts), parts[HEADER]["msg_id"], name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("msg_type", None),
        ("msg_type", 3),
        ("msg_type", []),
        ("msg_type", "apply_reply"),
        ("msg_type", "kernel_info_request"),
        ("version", "x"),
        ("version", 5),
    ],
)
def test_a_request_that_no_engine_would_answer_is_refused(
    doors: Doors, field: str, value: Any
) -> None:
    header = doors.header(**{field: value})
    frames = doors.frames([header, {}, {}, {}])
    doors.refused(doors.client(), frames, header["msg_id"], field, repr(value))


@pytest.mark.parametrize("part", [HEADER, METADATA])
def test_half_a_character_that_cannot_be_sent_on_is_refused(doors: Doors, part: int) -> None:
    parts: list[Any] = [doors.header(), {}, {}, {}]
    parts[part]["label"] = ["\ud800"]
    msg_id = parts[HEADER]["msg_id"]
    doors.refused(doors.client(), doors.frames(parts), msg_id, "'label'", "['\\ud800']")


def test_code_that_is_none_is_refused(doors: Doors) -> None:
    header = doors.header(msg_type="execute_request")
    doors.refused(doors.client(), doors.frames([header, {}, {}, {"code": 3}]), "'code'", "3")


TARGETS: list[Any] = ["e1", 3, 0, True, {}, "", [1], [None], [["e1"]], ["\ud800"], NESTED]
DEPENDENCIES: list[Any] = [
    3,
    0,
    True,
    False,
    [1],
    [None],
    [["x"]],
    {"dependencies": 3},
    {"dependencies": None},
    {"dependencies": {}},
    {"dependencies": [1]},
    {"dependencies": ["x"], "all": "yes"},
    {"dependencies": ["x"], "success": None},
    {"dependencies": ["x"], "failure": []},
    {"dependencies": ["x"], "success": False, "failure": False},
    NESTED,
]
NAN, INF = float("nan"), float("inf")
TIMEOUTS: list[Any] = ["soon", "", [], {}, True, NAN, INF, -INF, -1, -0.5, 10**400, NESTED]
RETRIES: list[Any] = ["many", "", [], {}, True, 1.5, 0.0, NAN, INF, -1, -(10**30), NESTED]
PRIORITIES: list[Any] = ["high", "", [], {}, True, 1.5, NAN, INF, 10**9 + 1, -(10**30), NESTED]
CRASHES: list[Any] = ["many", [], {}, True, 1.5, -1, NESTED]
COSTS: list[Any] = ["much", [], {}, True, -1, NAN, INF, 10**400, NESTED]
RUN_TIMEOUTS: list[Any] = ["long", [], {}, True, 0, -1, NAN, INF, 10**400, NESTED]
ARGUMENTS: list[Any] = [
    *(3, 0, True, False, {}, "", "x", {"x": 1}, [1], [None], [["x"]], ["\ud800"], NESTED),
    ["x", "x"],
    ["x"] * 100_000,
]


WRONG = {
    "targets": TARGETS,
    "after": DEPENDENCIES,
    "follow": DEPENDENCIES,
    "timeout": TIMEOUTS,
    "retries": RETRIES,
    "priority": PRIORITIES,
    "max_crashes": CRASHES,
    "run_timeout": RUN_TIMEOUTS,
    "arguments": ARGUMENTS,
    "cost": COSTS,
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
def test_a_wrong_field_is_refused_and_named(doors: Doors, field: str, value: Any) -> None:
    header = doors.header()
    frames = doors.frames([header, {}, {field: value}, {}])
    named = "metadata" if value is NESTED else f"'{field}'"
    told = doors.refused(doors.client(), frames, header["msg_id"], named)
    assert told == header


def test_the_value_is_shown_however_long_it_is(doors: Doors) -> None:
    frames = doors.task(timeout="x" * 1_000_000)
    doors.refused(doors.client(), frames, "'timeout' is 'xxx", "xxx', not a number of seconds")


def test_a_value_cannot_forge_lines_in_the_log(doors: Doors) -> None:
    msg_id = "task\n[C] everything is lost\x1b[2J\ud7ff"
    frames = doors.frames([doors.header(msg_id=msg_id), {}, {"retries": -1}, {}])
    doors.refused(doors.client(), frames, "task\\n[C] everything is lost\\x1b[2J", "'retries'")


def test_twenty_megabytes_of_metadata_do_no_harm(doors: Doors) -> None:
    large = "x" * 20_000_000
    client, engine = doors.client(), doors.engine()
    frames = doors.task(label=large, targets=[engine.ident.decode()])
    client.send(frames)
    _, task = engine.take()
    assert task[1:] == frames
    engine.reply(task)
    assert client.answer()["content"]["status"] == "ok"
    doors.hub_heard()
    doors.a_good_task_runs()
    doors.refused(client, doors.task(targets=large), "'targets'")


def test_ten_thousand_identities_do_no_harm(doors: Doors) -> None:
    client, engine = doors.client(), doors.engine()
    path = [b"%d" % number for number in range(10_000)]
    frames = [*path, *doors.task(targets=[engine.ident.decode()])]
    client.send(frames)
    _, task = engine.take()
    assert task == [client.ident, *frames]
    replied = engine.reply(task)
    assert client.recv() == [engine.ident, *replied[1:]]
    doors.hub_heard()
    doors.refused(client, [*path, *doors.task(retries=-1)], "'retries'")


@pytest.mark.parametrize(
    "metadata",
    [
        {"timeout": 1e308, "retries": 10**4000},
        {"timeout": None, "retries": None, "after": None, "follow": None},
        {"timeout": False, "retries": False, "after": "", "follow": {}, "label": {"x": [NAN]}},
        {"unknown": "\u00e4\u0001\U0001f600", "deep": [[[[[]]]]]},
    ],
)
def test_what_is_odd_and_can_be_understood_is_run(doors: Doors, metadata: Any) -> None:
    client, engine = doors.client(), doors.engine()
    client.send(doors.task(targets=[engine.ident.decode()], **metadata))
    engine.reply(engine.take()[1])
    assert client.answer()["content"]["status"] == "ok"
    doors.hub_heard()
    doors.a_good_task_runs()


# -- tasks that can never run, and ids that are taken ----------------------------------


@pytest.mark.parametrize("kind", ["after", "follow"])
@pytest.mark.parametrize("what", ["itself", "unknown", "unspeakable"])
def test_a_dependency_on_no_other_task_is_invalid(doors: Doors, kind: str, what: str) -> None:
    client, header = doors.client(), doors.header()
    named = {"itself": header["msg_id"], "unknown": "nobody", "unspeakable": "\x1b\n"}[what]
    client.send(doors.frames([header, {}, {kind: [named]}, {}]))
    answer = client.answer()
    assert answer["content"]["ename"] == "InvalidDependency"
    assert f"task {header['msg_id']}: '{kind}' names " in answer["content"]["evalue"]
    assert repr(named)[1:-1] in answer["content"]["evalue"]
    doors.hub_heard()
    doors.a_good_task_runs()


def test_targets_that_nobody_knows_are_impossible(doors: Doors) -> None:
    client, header = doors.client(), doors.header()
    client.send(doors.frames([header, {}, {"targets": ["nobody"]}, {}]))
    content = client.answer()["content"]
    assert content["ename"] == "ImpossibleDependency"
    assert header["msg_id"] in content["evalue"]
    assert "nobody" in content["evalue"]
    doors.hub_heard()
    doors.one_line("nobody", number=2)  # it waits; it is given up


@pytest.mark.parametrize("again", ["the same", "another of that id", "a bad one of that id"])
def test_an_id_under_way_is_not_answered_twice(doors: Doors, again: str) -> None:
    client, engine = doors.client(), doors.engine()
    targets, header = [engine.ident.decode()], doors.header()
    frames = doors.frames([header, {}, {"targets": targets}, {}])
    client.send(frames)
    _, task = engine.take()
    if again != "the same":
        retries = -1 if "bad" in again else 1
        frames = doors.frames([header, {}, {"retries": retries, "targets": targets}, {}])
    client.send(frames)
    doors.cluster.wait_for(lambda: header["msg_id"] in doors.cluster.log, "a line in the log")
    assert client.idle(0)  # it would take an answer for that to the first
    replied = engine.reply(task)
    assert client.recv() == [engine.ident, *replied[1:]]
    msg_id = header["msg_id"]
    topics = (b"intask", b"tracktask", b"outtask")
    assert doors.hub_heard() == [(topic, msg_id) for topic in topics]
    doors.one_line(msg_id, "again")
    assert engine.idle(0)


def test_an_id_under_way_is_refused_to_another_client(doors: Doors) -> None:
    client, engine = doors.client(), doors.engine()
    targets, header = [engine.ident.decode()], doors.header()
    frames = doors.frames([header, {}, {"targets": targets}, {}])
    client.send(frames)
    _, task = engine.take()
    thief = doors.client()
    thief.send(frames)
    answer = thief.answer()["content"]
    assert answer["ename"] == "ValueError"
    assert f"task {header['msg_id']}: 'msg_id'" in answer["evalue"]
    replied = engine.reply(task)
    assert client.recv() == [engine.ident, *replied[1:]]
    doors.hub_heard()
    doors.one_line(thief.ident.decode(), header["msg_id"])
    assert client.idle(0)
    assert thief.idle(0)


@pytest.mark.parametrize("same_client", [True, False])
def test_an_id_that_was_answered_is_refused(doors: Doors, same_client: bool) -> None:
    client, engine = doors.client(), doors.engine()
    targets, header = [engine.ident.decode()], doors.header()
    frames = doors.frames([header, {}, {"targets": targets}, {}])
    client.send(frames)
    engine.reply(engine.take()[1])
    client.answer()
    doors.hub_heard()
    again = client if same_client else doors.client()
    assert doors.refused(again, frames, header["msg_id"], "'msg_id'") == header
    assert engine.idle(0)
    assert client.idle(0)


def test_a_refused_task_has_failed_for_those_that_depend_on_it(doors: Doors) -> None:
    client, header = doors.client(), doors.header()
    msg_id = header["msg_id"]
    doors.refused(client, doors.frames([header, {}, {"retries": -1}, {}]), msg_id)
    client.send(doors.task(after=[msg_id]))
    content = client.answer()["content"]
    assert content["ename"] == "ImpossibleDependency"
    assert msg_id in content["evalue"]
    doors.hub_heard()
    doors.a_good_task_runs()
