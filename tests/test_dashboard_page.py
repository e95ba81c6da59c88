"""What a page of the dashboard sends to a browser, without one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.events import RangesUpdate, Reset

from ipp_richsched.client.happenings import Happening, Happenings, Place
from ipp_richsched.client.status import Rates, Status
from ipp_richsched.client.why import Story
from ipp_richsched.monitor.dashboard import keys, words
from ipp_richsched.monitor.dashboard.look import GROUPS as LABEL_COLOURS
from ipp_richsched.monitor.dashboard.look import OTHER_GROUPS, STATES, milliseconds
from ipp_richsched.monitor.dashboard.page import DashboardPage
from ipp_richsched.monitor.dashboard.watch import Answer, Watch
from ipp_richsched.monitor.live.bars import RECENT, THINNED
from ipp_richsched.monitor.live.graph import FEW, GROUPS
from ipp_richsched.monitor.live.labels import COLOURS
from ipp_richsched.monitor.live.model import Loss
from ipp_richsched.monitor.live.tasks import LiveTask

from .processes import wait_for
from .test_live import START, Scheduler, dies, labelled, on
from .test_status import NOW, dead, engine, status_with, waiting


class Scripted:
    """A source that answers what the test says."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.pages: list[Happenings] = []
        self.error: Exception | None = None
        self.marks: list[str] = []
        self.told: list[str] = []

    def status(self) -> Status:
        return status_with()

    def happenings(self, mark: str) -> Happenings:
        self.marks.append(mark)
        if not self.pages:
            assert self.error is not None
            raise self.error
        return self.pages.pop(0)

    def stories(self, msg_ids: Sequence[str]) -> list[Story]:
        self.told += msg_ids
        return []


class Shown:
    """A page, and what is seen of it."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.watch = Watch(Scripted(), lambda function: function())
        self.watch.live = self.scheduler.live
        self.document = Document()
        self.page = DashboardPage(self.document, self.watch, "a cluster")

    def play(self, *rows: tuple[Any, ...], **page: Any) -> None:
        self.scheduler.play(*rows, **page)
        self.page._update()

    def column(self, source: str, name: str) -> list[Any]:
        found = self.document.get_model_by_name(source)
        return list(found.data[name])  # type: ignore[union-attr]

    def html(self, name: str) -> str:
        return str(self.document.get_model_by_name(name).html)  # type: ignore[union-attr]

    def choose(self, what: str) -> None:
        self.document.get_model_by_name("choice").value = what  # type: ignore[union-attr]


def one_after_the_other(number: int, seconds: float, labels: int = 3) -> list[tuple[Any, ...]]:
    """Tasks on one engine, each of which takes so long."""
    rows: list[tuple[Any, ...]] = []
    for i in range(number):
        name, start = f"t{i}", i * seconds
        rows += [
            (start, name, "submitted", labelled(f"label {i % labels}")),
            (start, name, "assigned", on("e1")),
            (start + seconds, name, "succeeded", on("e1")),
        ]
    return rows


def test_many_attempts_are_thinned_where_nobody_looks_closer() -> None:
    shown, number = Shown(), 20_000
    for start in range(0, 3 * number, 5_000):
        shown.play(*one_after_the_other(number, 0.01)[start : start + 5_000])
    assert len(shown.column("recent", "task")) == RECENT
    older = shown.column("older", "task")
    assert 0 < len(older) <= THINNED
    assert "20,000 attempts over; older short ones are drawn together" in shown.html("stream-note")
    texts = shown.column("older", "text")
    numbers = [int(found[1]) for text in texts if (found := re.match(r"(\d+) short", text))]
    assert sum(numbers) + len(texts) - len(numbers) == number - RECENT

    # where somebody looks closer, each is there
    figure: Any = shown.document.get_model_by_name("stream")
    begin, end = milliseconds(START + 50), milliseconds(START + 60)
    figure._trigger_event(RangesUpdate(figure, x0=begin, x1=end, y0=0, y1=1))
    assert len(shown.column("detail", "task")) == pytest.approx(1_001, abs=2)
    assert shown.column("detail", "text")[1].endswith("on engine 1, 0.01 s")
    assert not next(each for each in figure.renderers if each.data_source.name == "older").visible
    figure._trigger_event(Reset(figure))
    assert not shown.column("detail", "task")


def test_only_what_is_new_is_sent() -> None:
    shown = Shown()
    shown.play(*one_after_the_other(100, 1.0))
    events: list[Any] = []
    shown.document.on_change(events.append)
    shown.play((200, "new", "submitted", labelled("label 0")))
    shown.play((201, "new", "assigned", on("e1")), (202, "new", "succeeded", on("e1")))
    streams = [each for each in events if getattr(each, "kind", "") == "ColumnsStreamed"]
    sent = [len(each.data["task"]) for each in streams if "task" in each.data]
    assert sent == [1]
    replaced = {
        each.model.name
        for each in events
        if getattr(each, "kind", "") == "ModelChanged" and each.attr == "data"
    }
    assert not replaced & {"recent", "older"}


def test_few_tasks_are_dots_and_many_are_counted() -> None:
    shown = Shown()
    layers = [(f"t{i}", (f"t{i - 1}",) if i % 10 else ()) for i in range(FEW)]
    shown.play(
        *(
            (0, name, "submitted", labelled("ab"[i % 2], *its))
            for i, (name, its) in enumerate(layers)
        )
    )
    assert len(shown.column("nodes", "task")) == FEW
    assert len(shown.column("edges", "x0")) == FEW * 9 // 10
    assert len(shown.column("critical path", "x0")) == 9
    assert shown.html("dag-note") == f"{FEW} tasks"
    shown.play((1, "t0", "assigned", on("e1")))
    assert shown.column("nodes", "text").count("a: running") == 1
    shown.play((2, "more", "submitted", labelled("c", "t1")))
    assert shown.html("dag-note") == f"{FEW + 1} tasks, a dot for each label and layer"
    assert len(shown.column("nodes", "task")) == 11
    assert "a: 1 running, 49 waiting" in shown.column("nodes", "text")
    assert len(shown.column("critical path", "x0")) == 9


def test_a_graph_of_very_many_layers_is_drawn_by_label() -> None:
    shown = Shown()
    number = max(FEW, GROUPS) + 1
    shown.play(
        *(
            (0, f"t{i}", "submitted", labelled("ab"[i % 2], *([f"t{i - 1}"] if i else [])))
            for i in range(number)
        )
    )
    assert shown.html("dag-note") == f"{number} tasks, a dot for each label"
    assert len(shown.column("nodes", "task")) == 2


def test_a_task_that_is_chosen_marks_its_neighbours() -> None:
    shown = Shown()
    shown.play(
        (0, "a", "submitted", labelled("a")),
        (0, "b", "submitted", labelled("b", "a")),
        (0, "c", "submitted", labelled("c", "b")),
        (0, "a", "assigned", on("e1")),
        (1, "a", "succeeded", on("e1")),
        (1, "b", "assigned", on("e1")),
    )
    shown.choose("#1")
    assert shown.page.chosen == "b"
    assert len(shown.column("lit nodes", "x")) == 3
    assert len(shown.column("lit bars", "row")) == 2  # that of a, and what b does now
    assert "The scheduler is asked" in shown.html("story")
    for nobody in ("#99", ""):
        shown.choose(nobody)
        assert (shown.page.chosen, shown.html("story")) == (None, "")
    assert not shown.column("lit nodes", "x")
    shown.choose("nobody's id")
    assert "nobody&#x27;s id" in shown.html("story")


def line(html: str) -> list[tuple[str, str]]:
    """The level and the text of each sentence at the top."""
    return re.findall(r'<li class="(\w+)">.*?<span>(.*?)</span>', html)


def test_what_was_lost_is_said_at_the_top_for_good() -> None:
    shown = Shown()
    names = [f"t{number}" for number in range(7)]
    shown.play(
        *((0, name, "submitted", labelled("fit")) for name in names),
        (1, "t0", "assigned", on("e1")),
        time=2,
    )
    assert "lost" not in shown.html("stream-marks") + shown.html("dag-states")
    shown.scheduler.run = "r2"
    shown.play(time=9)
    shown.watch.status = status_with()
    shown.page._update()
    (first, text), (second, _) = line(shown.html("verdict"))
    assert (first, second) == ("failed", "calm")
    at = words.clock(START + 9)
    assert text == (
        "7 tasks were lost: they had not finished when the controller went. Another one was"
        f" started at {at}, and knows nothing of them. Submit them again."
    )
    assert "7 lost" in shown.html("labels")
    assert "lost with their controller" in shown.html("failures")
    assert "and 2 more" in shown.html("failures")
    assert "lost with its controller" in shown.html("stream-marks")
    assert f"background:{STATES['lost']}" in shown.html("dag-states")

    # it stays, and has a place whatever comes
    shown.play((20, "x", "submitted", labelled("fit")))
    shown.scheduler.run = "r3"
    shown.play(time=30)
    kinds = ("stranded", "unreachable", "busy", "retry", "values")
    oldest = [waiting(kind, kind) for kind in kinds]
    away = replace(engine(0), unreachable=NOW)
    shown.watch.status = status_with(oldest=oldest, ready=5, engines=[away])
    for error in (None, "it does not answer"):
        shown.watch.error = error
        shown.page._update()
        found = line(shown.html("verdict"))
        assert len(found) == words.SENTENCES
        [lost] = [text for level, text in found if level == "failed"]
        assert lost.startswith("8 tasks were lost")
        assert f"started 2 times, the last at {words.clock(START + 30)}" in lost
    assert len(re.findall("lost with their controller", shown.html("failures"))) == 2


def test_one_task_that_was_lost_is_it() -> None:
    losses = [Loss(START, 1, [])]
    [(_, text), *_] = line(words.verdict(status_with(), None, 1, losses))
    assert text.startswith("1 task was lost: it had not finished")
    assert text.endswith("knows nothing of it. Submit it again.")


def test_what_may_have_finished_while_nobody_looked_is_not_called_lost() -> None:
    losses = [Loss(START + 60, 3, [], START)]
    [(level, text), *_] = line(words.verdict(status_with(), None, 1, losses))
    assert (level, text.partition(":")[0]) == ("failed", "3 tasks may be lost")
    assert f"had not finished at {words.clock(START)}, and then nobody looked" in text
    assert "Submit" not in text
    losses = [Loss(START, 2, []), *losses, Loss(START + 80, 4, [], START + 70)]
    [(_, surely), (_, perhaps), _] = line(words.verdict(status_with(), None, 1, losses))
    assert surely.startswith("2 tasks were lost")
    assert perhaps.startswith("7 tasks may be lost: they had not finished at")
    assert perhaps.endswith("some of them may have finished before. That happened 2 times.")
    shown = Shown()
    shown.play((0, "a", "submitted", labelled("fit")))
    shown.watch.add(shown.page)
    shown.watch.remove(shown.page)
    shown.scheduler.run = "r2"
    shown.play(time=9)
    shown.watch.status = status_with()
    shown.page._update()
    assert "or finished before" in shown.html("failures")
    assert "lost" not in shown.html("labels")


def test_a_graph_that_nobody_can_see_does_no_harm() -> None:
    """A frame that is hidden has no size."""
    shown = Shown()
    shown.play((0, "a", "submitted", labelled("fit")))
    dag = shown.page._dag
    dag._resize("inner_height", 190, 0)
    shown.scheduler.play((1, "b", "submitted", labelled("fit", "a")))
    dag._resize("inner_height", 0, 300)  # before it has drawn the second
    shown.play((2, "c", "submitted", labelled("fit", "a")))
    assert len(shown.column("nodes", "x")) == 3


def test_what_was_lost_comes_before_what_failed_another_day() -> None:
    old = status_with(
        succeeded=9, failed={"raised": 5}, causes={"E": 5}, causes_lately={}, last_failed=NOW
    )
    found = line(words.verdict(old, None, 1, [Loss(START, 1, [])]))
    assert [level for level, _ in found] == ["failed", "calm", "failed"]
    assert "was lost" in found[0][1]


def test_the_colours_are_named_and_those_that_have_none_are_named_together() -> None:
    shown = Shown()
    names = [f"first {number}" for number in range(COLOURS)]
    shown.play(*((0, name, "submitted", labelled(name)) for name in names))
    assert keys.OTHERS not in shown.html("stream-labels")
    shown.play((0, "more", "submitted", labelled("more")))
    key = shown.html("stream-labels")
    assert re.findall(r"</i>(.*?)</span>", key) == [*names, keys.OTHERS]
    assert f'background:{OTHER_GROUPS}"></i>{keys.OTHERS}' in key
    assert f'background:{OTHER_GROUPS}"></i>more' in shown.html("labels")
    colours = re.findall(r"background:(#\w+)", key)
    assert len({*colours}) == COLOURS + 1


def test_no_label_looks_like_a_state_or_like_another_label() -> None:
    assert len({*LABEL_COLOURS}) == len(LABEL_COLOURS) == COLOURS
    colours = {**{each: each for each in LABEL_COLOURS}, **STATES, "other labels": OTHER_GROUPS}
    for name, other in combinations(colours, 2):
        if name in LABEL_COLOURS:
            assert distance(colours[name], colours[other]) > 20, f"{name} looks like {other}"


def distance(first: str, second: str) -> float:
    """How different two colours look: the distance in the space CIE Lab."""
    return math.dist(lab(first), lab(second))


def lab(colour: str) -> tuple[float, float, float]:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.0888
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def test_bars_of_a_label_that_gave_its_colour_to_another_one_become_grey() -> None:
    shown = Shown()

    def run(when: float, *names: str) -> None:
        for name in names:
            shown.play(
                (when, name, "submitted", labelled(name)),
                (when, name, "assigned", on("e1")),
                (when + 1, name, "succeeded", on("e1")),
            )

    run(0, *(f"first {number}" for number in range(COLOURS)))
    colours = shown.column("recent", "colour")
    figure: Any = shown.document.get_model_by_name("stream")
    assert OTHER_GROUPS not in colours
    run(100, "second")
    assert shown.column("recent", "colour") == [OTHER_GROUPS, *colours[1:], colours[0]]
    assert re.findall(r"</i>(.*?)</span>", shown.html("stream-labels")) == ["second"]
    figure._trigger_event(Reset(figure))
    assert shown.column("detail", "colour") == []


def test_an_engine_that_is_idle_is_not_marked_for_what_failed_there() -> None:
    paused = replace(engine(1), uuid="other", paused=True)
    html = words.engines(status_with(engines=[replace(engine(0), failed=2), paused]))
    assert 'tr class="dim"><td>0</td>' in html
    assert '<td class="number bad">2</td>' in html
    assert 'tr class="warn"><td>1</td><td>is being interrupted' in html
    away = replace(engine(2), unreachable=NOW)
    assert 'tr class="bad"><td>2</td><td>cannot be reached' in words.engines(
        status_with(engines=[away])
    )


@pytest.mark.parametrize("high", [100, 190, 400])
def test_words_have_room_above_tall_layers_and_at_the_right(high: int) -> None:
    shown = Shown()
    labels = ["a label as long as they are", "another long one"]
    shown.play(
        (0, "first", "submitted", labelled("first")),
        *((0, f"t{i}", "submitted", labelled(labels[i % 2], "first")) for i in range(60)),
    )
    figure: Any = shown.document.get_model_by_name("dag")
    wide = 430
    shown.page._dag._resize("inner_width", 0, wide)
    shown.page._dag._resize("inner_height", 0, high)
    x_range, y_range = figure.x_range, figure.y_range
    xs, ys, texts, angles = (shown.column("words", name) for name in ("x", "y", "word", "angle"))
    assert len(texts) == 2
    for x, y, text, angle in zip(xs, ys, texts, angles, strict=True):
        left = (x - x_range.start) / (x_range.end - x_range.start) * wide
        up = (y - y_range.end) / (y_range.start - y_range.end) * high
        length = 6.2 * len(text)
        assert length * math.sin(angle) + 11 <= up + 1 or high == 100  # where there is none
        assert left + length * math.cos(angle) <= wide + 1


@pytest.mark.parametrize(("tasks", "words"), [(12, ["again"] * 12), (20, ["20 again"])])
def test_names_that_would_be_written_over_each_other_stand_above(
    tasks: int, words: list[str]
) -> None:
    shown = Shown()
    shown.play(*((0, f"t{number}", "submitted", labelled("again")) for number in range(tasks)))
    assert shown.column("words", "word") == words


@pytest.mark.parametrize(("high", "shown"), [(500, 32), (220, 16), (100, 7)])
def test_names_of_engines_are_not_written_over_each_other(high: int, shown: int) -> None:
    page = Shown()
    page.watch.live.engines.note([replace(engine(n), uuid=f"e{n}") for n in range(32)])
    page.play()
    figure: Any = page.document.get_model_by_name("stream")
    page.page._stream._resize("inner_height", 0, high)
    names = figure.yaxis[0].major_label_overrides
    assert len(names) == shown
    assert names[0] == "engine 0"


def test_what_a_dead_engine_worked_on_is_marked_as_soon_as_that_is_known() -> None:
    shown = Shown()
    shown.play((0, "a", "assigned", {**labelled("fit"), **on("e1")}), time=3)
    assert shown.column("running", "right") == [milliseconds(START + 3)]
    assert not shown.column("on dead engines", "row")
    died = dies(1, "e1", 4, task="a", label="fit")
    shown.watch.live.note(status_with(dead=[died]), is_latest=True)
    shown.play(time=6)
    assert shown.column("running", "right") == [milliseconds(START + 4)]
    assert shown.column("on dead engines", "right") == [milliseconds(START + 4)]
    [text] = shown.column("on dead engines", "text")
    assert text == "fit on engine 1, gone, its engine died: its answer may still come"
    shown.play((9, "a", "failed", {**on("e1"), "kind": "engine_died"}))
    shown.watch.live.note(status_with(), is_latest=True)
    shown.page._update()
    assert not shown.column("on dead engines", "row")
    assert shown.column("recent", "right") == [milliseconds(START + 4)]


def test_an_engine_that_died_is_in_the_table_while_its_tasks_may_be_answered() -> None:
    html = words.engines(status_with(engines=[engine(0)], dead=[dead(3, label="fit", held=2)]))
    assert "|3|died with fit, which may be answered for 4 s|" in re.sub(r"(<[^>]+>)+", "|", html)
    assert html.index("died with fit") < html.index("idle")


def test_labels_that_need_a_look_come_first() -> None:
    shown = Shown()
    error = {"engine": "e1", "reason": "E: x", "cause": "E", "kind": "raised"}
    shown.play(
        *((0, f"a{i}", "submitted", labelled("fine")) for i in range(3)),
        *((1, f"a{i}", "succeeded", on("e1")) for i in range(3)),
        (1, "b", "submitted", labelled("bad")),
        (1, "b", "failed", error),
        (1, "c", "submitted", labelled("not finished")),
    )
    found = re.findall(r'<td class="label" title="(.*?)"', shown.html("labels"))
    assert found == ["not finished", "bad", "fine"]


def test_while_somebody_has_to_do_something_nobody_says_how_long_it_takes() -> None:
    rates = Rates(60.0, 1.0, 1.0, 0.0)
    status = status_with(succeeded=60, ready=2, rates=rates, engines=[engine(0)])
    assert "about 2 s left" in words.totals(status)
    stuck = replace(status, oldest=[waiting("a", "stranded")], stranded=1)
    assert "left" not in words.totals(stuck)


EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize("write", ["waiting", "labels", "failures", "story", "verdict"])
def test_what_users_write_is_escaped(write: str) -> None:
    shown = Shown()
    error = {"engine": "e1", "reason": EVIL, "cause": EVIL, "kind": "raised"}
    shown.play((0, EVIL, "submitted", labelled(EVIL)), (1, EVIL, "failed", error))
    status = status_with(
        oldest=[waiting(EVIL, "stranded", label=EVIL)], causes={EVIL: 1}, failed={"raised": 1}
    )
    live = shown.watch.live
    writers: dict[str, Callable[[], str]] = {
        "waiting": lambda: words.waiting(status),
        "labels": lambda: words.labels(live, status),
        "failures": lambda: words.failures(live, status),
        "story": lambda: words.story(live, EVIL, None),
        "verdict": lambda: words.verdict(status, EVIL, 1),
    }
    html = writers[write]()
    assert "<img" not in html
    assert "&lt;img src=x" in html


# -- who is asked ------------------------------------------------------------------------


class Somebody:
    """A page that only looks."""

    def __init__(self, chosen: str | None = None) -> None:
        self.chosen = chosen
        self.told = 0

    def tell(self) -> None:
        self.told += 1


def page_of(run: str, mark: str, number: int, more: bool) -> Happenings:
    scheduler = Scheduler()
    scheduler.play((number, f"t{number}", "submitted", labelled("a")))
    return Happenings(START + number, run, mark, False, more, {}, _last(scheduler, number))


def _last(scheduler: Scheduler, number: int) -> list[Any]:
    [task] = scheduler.live.tasks
    return [Happening(START + number, task.msg_id, "submitted", "a")]


def test_what_came_before_an_error_is_not_lost() -> None:
    source = Scripted()
    source.pages = [page_of("r", "m1", 1, more=True)]
    source.error = TimeoutError("it does not answer")
    watch = Watch(source, lambda function: function())
    somebody = Somebody("t1")
    watch.add(somebody)
    answer = watch._ask()
    assert answer is not None
    watch._take(answer)
    assert [task.msg_id for task in watch.live.tasks] == ["t1"]
    assert (watch.error, watch.answers, somebody.told) == ("it does not answer", 0, 1)
    source.pages = [page_of("r", "m2", 2, more=False)]
    answer = watch._ask()
    assert answer is not None
    watch._take(answer)
    assert source.marks == ["", "m1", "m1"]
    assert source.told == ["t1"]
    assert (watch.error, watch.answers) == (None, 1)
    watch.remove(somebody)
    assert watch._ask() is None


def test_what_could_not_be_taken_in_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = Scripted()
    watch = Watch(source, lambda function: function())
    somebody = Somebody()
    watch.add(somebody)

    def turn(*pages: Happenings) -> None:
        source.pages = [*pages]
        answer = watch._ask()
        assert answer is not None
        watch._take(answer)

    def fail(page: Happenings) -> None:
        raise KeyError("what")

    turn(page_of("r", "m1", 1, more=False))
    with monkeypatch.context() as patch:
        patch.setattr(watch.live, "take", fail)
        turn(page_of("r", "m2", 2, more=False))
    assert watch.error is not None
    assert "could not be taken in: 'what'" in watch.error
    assert somebody.told == 2
    assert caplog.records
    turn(page_of("r", "m2", 2, more=False))
    assert source.marks == ["", "m1", "m1"]
    assert [task.msg_id for task in watch.live.tasks] == ["t1", "t2"]
    assert watch.error is None


def test_who_comes_late_has_the_rows_of_engines_in_the_order_of_their_numbers() -> None:
    watch = Watch(Scripted(), lambda function: function())
    engines = [replace(engine(number), uuid=f"e{number}") for number in (7, 2)]
    assigned = Happening(START, "t1", "assigned", engine="e7")
    places = {"e7": Place(7, "e7", None)}
    page = Happenings(START, "r", "m1", True, False, places, [assigned])
    watch._take(Answer(status_with(engines=engines), happenings=[page]))
    assert watch.live.row_names == ["engine 2", "engine 7"]


def test_what_was_asked_for_twice_is_taken_in_once() -> None:
    source = Scripted()
    source.pages = [page_of("r", "m1", 1, more=False), page_of("r", "m1", 1, more=False)]
    watch = Watch(source, lambda function: function())
    watch.add(Somebody())
    answers = [watch._ask(), watch._ask()]  # the thread of the pages was busy
    for answer in answers:
        assert answer is not None
        watch._take(answer)
    assert [task.msg_id for task in watch.live.tasks] == ["t1"]


def test_a_thread_asks_for_who_looks() -> None:
    source = Scripted()
    source.pages = [page_of("r", "m1", 1, more=False)]
    source.error = RuntimeError("no more")
    watch = Watch(source, lambda function: function())
    watch.start()
    try:
        watch.add(Somebody())
        wait_for(lambda: watch.error == "no more", "the second question")
    finally:
        watch.end()
    wait_for(lambda: not watch._asker.is_alive(), "the end of the thread")


def test_what_is_not_known_is_said() -> None:
    scheduler = Scheduler()
    live = scheduler.live
    assert words.notes(live) == ""
    scheduler.play((0, "a", "assigned", on("e1")), missed=True)
    scheduler.play((60, "b", "submitted", labelled("a")), missed=True)
    at = words.clock
    assert words.notes(live) == (
        f"Single tasks are known since {at(START)}; older ones are forgotten; what happened from"
        f" {at(START)} to {at(START + 60)} was missed."
    )
    scheduler.play((61, "b", "assigned"))
    assert "1 happening could not be taken in, the first: assigned of task b" in words.notes(live)
    scheduler.run = "r2"
    scheduler.play(time=70)
    lost = live.tasks[1]
    assert isinstance(lost, LiveTask)
    values: dict[str, Any] = dict.fromkeys(Story.__dataclass_fields__)
    values |= {"msg_id": "b", "state": "unknown", "attempts": [], "chain": [], "details": {}}
    assert "its controller went before it was finished" in words.story(live, "b", Story(**values))
