"""What an event log tells of a task, in the end to a person at a prompt."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ipp_richsched.cli import main
from ipp_richsched.core.dependency import Dependency
from ipp_richsched.core.events import CancelRequested, InterruptDone, TaskRejected
from ipp_richsched.core.failures import TaskError
from ipp_richsched.core.fast_codec import to_json
from ipp_richsched.core.log import (
    NAME,
    VERSION,
    LogError,
    Step,
    actions_of,
    event_of,
    gap_line,
    read_line,
)
from ipp_richsched.monitor.explain import Explanation, explain
from ipp_richsched.monitor.replay import replay
from ipp_richsched.scheduler.event_file import OLD_FILES

from .nights import BEGAN, Night
from .processes import ROOT

FAILED = TaskError("ValueError", "no such file")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "night.jsonl"


def told(explanation: Explanation, place: int = 0) -> list[tuple[float, str]]:
    """What happened to one of the tasks, and when on the clock of the core."""
    return [(each.when - BEGAN, each.text) for each in explanation.tasks[place].happenings]


def chain(explanation: Explanation) -> list[tuple[str, str]]:
    """The tasks that are told of, and what became of them."""
    return [(task.msg_id, task.state) for task in explanation.tasks]


# -- one task ---------------------------------------------------------------------------------


def test_a_task_that_went_well(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t", client=b"me", label="fit", retries=2, priority=3, timeout=5.0)
    night.wait(1.5)
    night.reply("a", "t")
    explanation = explain(path, "t")
    assert chain(explanation) == [("t", "succeeded")]
    assert told(explanation) == [
        (100.0, "submitted by client me: timeout 5; retries 2; priority 3"),
        (100.0, "sent to engine 0"),
        (101.5, "succeeded on engine 0"),
    ]
    [task] = explanation.tasks
    assert (task.label, task.waited_for) == ("fit", None)
    assert [each.what for each in task.happenings] == ["submitted", "sent", "succeeded"]


def test_what_it_had_to_wait_for_is_told_down_to_the_first_cause(path: Path) -> None:
    night = Night(path, "b", "a")  # the last that came gets the first task
    night.submit("first")
    night.submit("other")
    night.submit("second", after=["first"])
    night.submit("third", after=["other", "second"], client=b"me")
    night.submit("nothing of this")
    night.wait(1.0)
    night.reply("b", "other")
    night.wait(1.0)
    night.reply("a", "first")
    night.wait(1.0)
    night.reply("a", "second")
    night.reply("b", "nothing of this")
    explanation = explain(path, "third")
    assert chain(explanation) == [
        ("third", "assigned"),
        ("second", "succeeded"),
        ("first", "succeeded"),
    ]
    assert told(explanation) == [
        (100.0, "submitted by client me: after other and second"),
        (103.0, "ready: second, the last that it waited for, has ended"),
        (103.0, "sent to engine 1, which had just answered second"),
    ]


def test_a_failure_is_followed_to_the_one_that_began_it(path: Path) -> None:
    night = Night(path, "a")
    night.submit("first", label="load")
    night.submit("fine")
    night.submit("second", after=["fine", "first"])
    night.submit("third", follow=["second"])
    night.reply("a", "first", "error", error=FAILED)
    explanation = explain(path, "third")
    assert chain(explanation) == [("third", "failed"), ("second", "failed"), ("first", "failed")]
    [*_, (_, text)] = told(explanation)
    assert text.startswith("failed: it cannot follow second, which failed; the first to fail was")
    assert text.endswith(" first (load) with ValueError: no such file")
    assert told(explanation, 2)[-1][1] == "failed on engine 0 with ValueError: no such file"
    assert str(explanation).count("It waited for task") == 2


def test_of_several_parents_the_one_with_which_it_began_is_told_first(path: Path) -> None:
    night = Night(path, "a")
    night.submit("bad", label="load")
    night.submit("a child", after=["bad"], label="child")
    night.submit("good")
    night.reply("a", "bad", "error", error=FAILED)
    night.submit("t", after=["a child", "good", "bad"])
    assert chain(explain(path, "t")) == [("t", "failed"), ("bad", "failed")]
    assert told(explain(path, "t"))[-1][1] == (
        "failed: it cannot run after bad (load), which failed, and a child (child), which failed;"
        " the first to fail was bad (load) with ValueError: no such file"
    )


def test_retries_say_why(path: Path) -> None:
    night = Night(path, "b", "a")
    night.submit("t", retries=1)
    night.reply("a", "t", "error", error=FAILED)
    night.wait(1.0)
    night.reply("b", "t", "error")
    texts = [text for _, text in told(explain(path, "t"))]
    assert texts[1:] == [
        "sent to engine 1",
        "it failed on engine 1 with ValueError: no such file; it is tried again (0 retries left)",
        "sent to engine 0 (attempt 2)",
        "failed on engine 0",
    ]


def test_an_engine_that_dies_is_told(path: Path) -> None:
    night = Night(path, "a", engine_grace=5.0)
    night.submit("t")
    night.wait(1.0)
    night.unregister("a")
    night.wait(10.0)
    times = told(explain(path, "t"))
    assert times[2:] == [
        (101.0, "engine 0 is gone, which had it"),
        (106.0, "failed: engine 0 died while running it"),
    ]


def test_refusals_and_busy_engines_and_lost_connections_are_told(path: Path) -> None:
    night = Night(path, "c", "b", "a")
    night.submit("t")
    night.refuse("a", "t")
    night.reply("b", "t", "error", busy=3.0)
    night.unreachable("c", "t")
    whats = [each.what for each in explain(path, "t").tasks[0].happenings]
    assert whats == ["submitted", "sent", "refused", "sent", "busy", "sent", "not sent"]
    assert chain(explain(path, "t")) == [("t", "ready")]
    text = str(explain(path, "t"))
    assert "engine 2 refused it: its functional dependency (@require or @depend) is unmet" in text
    assert "engine 1 is busy with something else, and gave it back for 3 s" in text
    assert "it did not reach engine 0, which has no connection" in text


def test_one_that_nobody_may_run_is_told(path: Path) -> None:
    night = Night(path, "a", stranded_timeout=None)
    night.submit("t", targets=["elsewhere", "nowhere"])
    explanation = explain(path, "t")
    assert chain(explanation) == [("t", "ready")]
    assert told(explanation)[0][1].endswith("only on engine elsewhere and engine nowhere")
    assert told(explanation)[1][1].startswith("it waits: not registered: engine elsewhere")


def test_who_took_it_back_is_told(path: Path) -> None:
    night = Night(path, "a")
    night.submit("runs")
    night.submit("waits")
    # an identity of ZeroMQ's own making, which is told as `status` tells it
    night.handle(CancelRequested(("runs", "waits"), b"\0\xf4", interrupt=True))
    night.handle(InterruptDone(b"a", 1))
    assert [text for _, text in told(explain(path, "waits"))][1:] == [
        "client 00f4 wants it back",
        "failed: it was cancelled by client 00f4",
    ]
    assert [text for _, text in told(explain(path, "runs"))][2:] == [
        "client 00f4 wants it back",
        "engine 0 is interrupted, which has it",
    ]


def test_values_are_told(path: Path) -> None:
    night = Night(path, "a")
    night.submit("first")
    night.reply("a", "first")
    night.submit("second", arguments=("first",), client=b"me")
    night.wait(1.0)
    night.send_value("first", client=b"me", problem="it is gone")
    explanation = explain(path, "second")
    assert chain(explanation) == [("second", "failed"), ("first", "succeeded")]
    assert told(explanation)[0][1].endswith("has as arguments the results of first")
    assert "cannot send: it is gone" in told(explanation)[-1][1]
    assert [text for _, text in told(explanation, 1)][-2:] == [
        "its client is asked to send its value",
        "its client cannot send its value: it is gone",
    ]


def test_one_that_cannot_be_accepted_is_told(path: Path) -> None:
    night = Night(path, "a")
    night.handle(TaskRejected("t", "'retries' is -1"))
    night.submit("itself", after=["itself"])
    night.submit("both", after=["later"])
    night.submit("later", after=["both"])
    assert told(explain(path, "t"))[0][1] == "submitted, but: 'retries' is -1"
    assert chain(explain(path, "t")) == [("t", "failed")]
    assert chain(explain(path, "itself")) == [("itself", "failed")]
    assert chain(explain(path, "later")) == [("later", "failed"), ("both", "failed")]


def test_a_second_one_under_its_id_is_not_mixed_up_with_it(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t", label="first")
    night.submit("t", label="second")
    night.reply("a", "t")
    explanation = explain(path, "t")
    assert explanation.tasks[0].label == "first"
    assert [each.what for each in explanation.tasks[0].happenings] == [
        *("submitted", "sent", "refused", "succeeded")
    ]


@pytest.mark.parametrize(
    ("dependency", "after", "ready"),
    [
        (Dependency(["a", "b"]), "b", 103.0),
        (Dependency(["a", "b"], all=False), "a", 101.0),
        (Dependency(["a", "b"], all=False, success=False, failure=True), "b", 103.0),
        (Dependency(["a", "b"], failure=True), "b", 103.0),
    ],
)
def test_what_it_waited_for_is_what_its_dependency_says(
    path: Path, dependency: Dependency, after: str, ready: float
) -> None:
    night = Night(path, "2", "1")
    night.submit("a")
    night.submit("b")
    night.submit("t", after=dependency)
    night.wait(1.0)
    night.reply("1", "a")
    night.wait(2.0)
    night.reply("2", "b", "error" if dependency.failure else "ok")
    explanation = explain(path, "t")
    assert explanation.tasks[0].waited_for == after
    assert [when for when, text in told(explanation) if text.startswith("ready")] == [ready]


def test_one_that_waits_still_says_for_what(path: Path) -> None:
    night = Night(path, "a")
    night.submit("first")
    night.submit("second", after=["first"], timeout=3.0)
    night.submit("third", after=["first", "second"])
    assert chain(explain(path, "third")) == [("third", "waiting"), ("first", "assigned")]
    night.wait(4.0)
    assert chain(explain(path, "second")) == [("second", "failed"), ("first", "assigned")]
    assert "waited 3 s for its dependencies: after first" in str(explain(path, "second"))


def test_a_long_chain_is_told_in_part(path: Path) -> None:
    night = Night(path, "a")
    night.submit("0")
    for number in range(1, 3000):
        night.submit(f"{number}", after=[f"{number - 1}"])
    explanation = explain(path, "2999")
    assert len(explanation.tasks) == 3000
    text = str(explanation)
    assert text.count("It waited for task") == 9
    assert "2,990 others" in text
    assert "It waited for task 0, which is on an engine where the log ends" in text


# -- the files of a log -----------------------------------------------------------------------


def test_a_story_goes_over_all_files(path: Path) -> None:
    night = Night(path, "a")
    night.submit("first")
    night.submit("second", after=["first"])
    night.make_old(2)
    night.wait(1.0)
    night.reply("a", "first")
    night.make_old(3)
    night.reply("a", "second")
    explanation = explain(path, "second")
    assert chain(explanation) == [("second", "succeeded"), ("first", "succeeded")]
    assert explanation.notes == ()
    assert str(replay(path)[0]).endswith("5 events, the same actions")
    Path(f"{path}.2").unlink()
    explanation = explain(path, "second")
    assert [text for _, text in told(explanation)] == [
        "sent to engine 0, which had just answered first",
        "succeeded on engine 0",
    ]
    [note] = explanation.notes
    assert re.fullmatch("what was before .* is gone, with older files", note)
    with pytest.raises(LogError, match=r"no task third in it; what was before .* is gone"):
        explain(path, "third")
    [run] = replay(path)
    assert not run.is_same
    assert "cannot be replayed: its first 1 files are gone" in str(run)


def test_a_file_that_is_missing_in_between_ends_a_replay(path: Path) -> None:
    night = Night(path, "a")
    night.make_old(2)
    night.submit("t")
    night.make_old(3)
    night.reply("a", "t")
    Path(f"{path}.1").unlink()
    [run] = replay(path)
    assert str(run).endswith("1 events, the same actions; then file 2 of the run is missing")


def test_a_second_run_forgets_the_tasks_of_the_first(path: Path) -> None:
    night = Night(path, "a", run="first")
    night.submit("t")
    path.rename(f"{path}.1")
    night = Night(path, "b", run="second")
    night.submit("other")
    night.reply("b", "other")
    explanation = explain(path, "t")
    assert chain(explanation) == [("t", "forgotten")]
    assert told(explanation)[-1] == (100.0, "the scheduler ended here, or soon after")
    assert [run.is_same for run in replay(path)] == [True, True]


def test_a_line_that_is_cut_off_is_ignored_with_a_note(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.add('{"now":101.0,"event":{"type":"TaskReplied","msg_id":"t","engi')
    explanation = explain(path, "t")
    assert chain(explanation) == [("t", "assigned")]
    assert explanation.notes == (f"{path}: the last line is cut off, and ignored",)
    assert str(explanation).endswith(f"\n\nNote: {explanation.notes[0]}")
    [run] = replay(path)
    assert run.is_same
    assert "the same actions; " + explanation.notes[0] in str(run)


def test_events_that_are_missing_are_said(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.add(gap_line(1234))
    night.reply("a", "t")
    [note] = explain(path, "t").notes
    assert "line 4: 1,234 events are missing" in note
    [run] = replay(path)
    assert "2 events, the same actions; then 1,234 are missing" in str(run)


def test_a_log_that_is_begun_and_empty_is_no_error_where_there_are_others(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    path.rename(f"{path}.1")
    for empty in (False, True):
        if empty:
            path.touch()
        assert chain(explain(path, "t")) == [("t", "assigned")]


def test_a_replay_says_the_first_difference(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    night.submit("u")
    text = path.read_text().replace('"engine":"a","attempt":1', '"engine":"b","attempt":1')
    path.write_text(text)
    [run] = replay(path)
    assert not run.is_same
    assert f"{path}, line 3: event 2, " in str(run)
    assert '"engine": "b"' in str(run)
    assert '"engine": "a"' in str(run)


def test_a_scheduler_that_counts_loads_itself_is_not_replayed(path: Path) -> None:
    night = Night(path)
    night.begin_file(1, replayable=False)
    [run] = replay(path)
    assert not run.is_same
    assert "cannot be replayed: its scheduler is of a class that counts loads itself" in str(run)


def test_as_many_old_files_are_read_as_are_kept(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t")
    for part in range(2, OLD_FILES + 2):
        night.make_old(part)
    assert chain(explain(path, "t")) == [("t", "assigned")]
    assert replay(path)[0].is_same


def test_the_document_has_each_key_and_lines_that_can_be_read(path: Path) -> None:
    document = (ROOT / "docs" / "event_log.md").read_text()
    Night(path, "a")
    described = set(re.findall(r"`(\w+)`", document))
    for line in path.read_text().splitlines():
        assert set(json.loads(line)) <= described
    lines = re.findall(r'^\{"now.*\}$', document, re.M)
    assert len(lines) == 2
    for line in lines:
        step = read_line(line)
        assert isinstance(step, Step)
        assert json.dumps(step.event, separators=(",", ":")) == to_json(event_of(step))
        assert actions_of(step)
    assert f"`{VERSION}`: the version of this format" in document
    assert f"`{json.dumps(NAME)}`" in document


# -- at the prompt ------------------------------------------------------------------------------


def test_a_story_at_the_prompt(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night = Night(path, "a")
    night.submit("first", client=b"me")
    night.submit("second", after=["first"], client=b"me", label="plot")
    night.wait(1.0)
    night.reply("a", "first")
    assert main(["explain", str(path), "second"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    times = re.findall(r"^  (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})  ", output.out, re.M)
    assert len(times) == 6
    text = re.sub(r"\n  \S+ \S+  ", "\n  ", output.out)
    assert text == (
        "Task second (plot) is on an engine where the log ends\n"
        "  submitted by client me: after first\n"
        "  ready: first, the last that it waited for, has ended\n"
        "  sent to engine 0, which had just answered first\n"
        "\n"
        "It waited for task first, which succeeded\n"
        "  submitted by client me\n"
        "  sent to engine 0\n"
        "  succeeded on engine 0\n"
    )


def test_a_replay_at_the_prompt(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night = Night(path, "a")
    night.submit("t")
    assert main(["explain", str(path), "--replay"]) == 0
    assert "2 events, the same actions" in capsys.readouterr().out
    path.write_text(path.read_text().replace('"attempt":1', '"attempt":2'))
    assert main(["explain", str(path), "--replay"]) == 1
    assert "led to" in capsys.readouterr().out


def spoil(path: Path, what: str) -> None:
    """Make of a good log a bad one."""
    good = path.read_text()
    first, *others = good.splitlines(keepends=True)
    texts = {
        "another version": good.replace('"version":1', '"version":2'),
        "something else": '{"a": "notebook"}\n',
        "text": "no JSON at all\n",
        "one step": others[0],
        "empty": "",
        "a line of another kind": good + '{"now": 1}\n{"msg_id":"t"}\n',
        "an event of another kind": good.replace("TaskSubmitted", "TaskSent"),
        "a header cut off": first[:50],
    }
    if what == "binary":
        path.write_bytes(bytes(range(256)) * 1000)
    elif what in ("directory", "nothing"):
        path.unlink()
        if what == "directory":
            path.mkdir()
    else:
        path.write_text(texts[what])


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("another version", "its version is 2, and this version of ipp_richsched reads version 1"),
        ("something else", "it is no event log"),
        ("text", "it is no event log"),
        ("binary", "it is no event log"),
        ("one step", "it is no event log"),
        ("a header cut off", "it is no event log"),
        ("empty", "it is empty"),
        ("directory", "it is a directory"),
        ("nothing", "No such file or directory"),
        ("an event of another kind", "line 3: "),
        ("a line of another kind", "it has no '"),
    ],
)
@pytest.mark.parametrize("option", ["t", "--replay"])
def test_a_bad_log_is_one_line_on_stderr(
    path: Path, what: str, words: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    night = Night(path, "a")
    night.submit("t", after=["nobody"])
    spoil(path, what)
    assert main(["explain", str(path), option]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    assert output.err.startswith(f"ipp-richsched: {path}")
    assert words in output.err
    assert len(output.err) < 1000


@pytest.mark.parametrize("msg_id", ["nobody", "", '"', "t\n"])
def test_a_task_that_is_not_in_it(
    path: Path, msg_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Night(path, "a").submit("t")
    assert main(["explain", str(path), msg_id]) == 1
    assert capsys.readouterr().err.startswith(f"ipp-richsched: {path}: there is no task ")


ID = "1b5f3922-{}_4711_{}"


@pytest.fixture
def many(path: Path) -> Path:
    """A log of tasks with ids as ipyparallel makes them."""
    night = Night(path, "a")
    for number, label in enumerate(["load", "fit", "fit", "fit", "fit", None] + [None] * 7):
        night.submit(ID.format("aa0" if number != 5 else "bb0", number), label=label)
    return path


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("load", 0),
        ("1b5f3922..4711_12", 12),
        ("1b5f3922..711_1", 1),  # neither 11 nor 12
        ("_4711_1", 1),
        ("bb0", 5),
        ("1b5f3922-b", 5),
    ],
)
def test_a_task_is_found_by_what_people_see_of_it(many: Path, name: str, number: int) -> None:
    assert explain(many, name).tasks[0].msg_id.endswith(f"_4711_{number}")


def test_a_label_comes_before_a_part_of_an_id(path: Path) -> None:
    night = Night(path, "a")
    night.submit("aaa-load", label="other")
    night.submit("bbb", label="load")
    assert explain(path, "load").tasks[0].msg_id == "bbb"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("fit", f"fit may be any of 4 tasks: {ID.format('aa0', 1)}, .*aa0_4711_3 and .*aa0_4711_4"),
        ("1b5f", "1b5f may be any of 13 tasks: .* and 10 more"),
        ("aa0_4711", "aa0_4711 may be any of 12 tasks: .*"),
        (ID.format("aa0", 99), "there is no task 1b5f3922-aa0_4711_99 in it"),
        ("cc0", "there is no task cc0 in it"),
        ("..", "[.][.] may be any of 13 tasks: .*"),
    ],
)
def test_a_name_that_is_not_one_tasks_is_one_line(
    many: Path, name: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(many), name]) == 1
    assert re.fullmatch(f"ipp-richsched: {many}: {error}\n", capsys.readouterr().err)


@pytest.mark.parametrize("name", ["old_9_7", "9_7"])
def test_a_task_that_is_only_named_is_not_in_it(
    path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer came for a task of the controller before."""
    night = Night(path, "a")
    night.submit("s_1_1")
    night.reply("a", "old_9_7")
    night.reply("a", "old_s_1_1")
    assert main(["explain", str(path), name]) == 1
    assert f"there is no task {name} in it" in capsys.readouterr().err
    assert explain(path, "1_1").tasks[0].msg_id == "s_1_1"


def test_the_id_of_a_task_that_is_gone_is_no_part_of_anothers(path: Path) -> None:
    Night(path, "a").submit(ID.format("aa0", 12))
    with pytest.raises(LogError, match="there is no task"):
        explain(path, ID.format("aa0", 1))


def test_a_task_of_an_odd_name(path: Path) -> None:
    name = 'of "two"\\words\u00e9\ud800'
    night = Night(path, "a")
    night.submit(name)
    night.submit("t", after=[name])
    assert chain(explain(path, "t")) == [("t", "waiting"), (name, "assigned")]


def test_a_story_of_odd_names_can_be_printed(path: Path) -> None:
    night = Night(path, "a")
    night.submit("t", label="\ud800", client=b"\xff")
    run = subprocess.run(
        [sys.executable, "-m", "ipp_richsched.cli.main", "explain", str(path), "t"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run
    assert "Task t" in run.stdout


@pytest.mark.parametrize("arguments", [["log"], ["log", "t", "--replay"]])
def test_either_a_task_or_a_replay(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explain", *arguments])
    assert caught.value.code == 2
