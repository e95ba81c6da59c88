"""What happened since somebody asked last: in pages, from one mark to the next."""

from __future__ import annotations

from collections import deque
from unittest import mock

import pytest

from ipp_richsched.core import happenings, story
from ipp_richsched.core.failures import Cause, Failure, TaskError
from ipp_richsched.core.flags import RichFlags
from ipp_richsched.core.happenings import Happening, Page
from ipp_richsched.core.reasons import UnreachableDependency
from ipp_richsched.core.story import (
    AGAIN,
    ASSIGNED,
    FAILED,
    READY,
    SUBMITTED,
    SUCCEEDED,
    End,
    Mark,
)

from .driver import Driver


def ask(driver: Driver, mark: Mark = Mark()) -> Page:  # noqa: B008  # it cannot be changed
    return driver.core.happenings(mark)


def told(page: Page) -> list[tuple[str, str]]:
    return [(happening.msg_id, happening.what) for happening in page.happenings]


def find(page: Page, msg_id: str, what: str) -> Happening:
    [found] = [each for each in page.happenings if (each.msg_id, each.what) == (msg_id, what)]
    return found


def test_what_happened_is_told_once_and_in_order() -> None:
    driver = Driver("a")
    driver.submit("t")
    page = ask(driver)
    assert told(page) == [("t", SUBMITTED), ("t", READY), ("t", ASSIGNED)]
    assert not page.missed
    assert not page.more
    assert find(page, "t", ASSIGNED).detail == b"a"
    driver.wait(1.0)
    driver.reply("a", "t")
    page = ask(driver, page.mark)
    assert told(page) == [("t", SUCCEEDED)]
    assert page.happenings[0].when == driver.now
    again = ask(driver, page.mark)
    assert again == Page([], page.mark, False, False)


def test_what_happens_at_the_same_time_is_told_once() -> None:
    driver = Driver()
    driver.submit("first")
    page = ask(driver)
    driver.submit("second")
    page = ask(driver, page.mark)
    assert told(page) == [("second", SUBMITTED), ("second", READY)]
    driver.submit("third")
    assert told(ask(driver, page.mark)) == [("third", SUBMITTED), ("third", READY)]


def test_nothing_has_happened_yet() -> None:
    assert ask(Driver("a")) == Page([], Mark(), False, False)


def test_many_come_in_pages() -> None:
    driver = Driver("a")
    for number in range(7):
        driver.submit(f"t{number}")
        driver.wait(number % 2)
    whole = ask(driver)
    with mock.patch.object(happenings, "PAGE", 4):
        pages = [ask(driver)]
        while pages[-1].more:
            pages.append(ask(driver, pages[-1].mark))
    assert [len(page.happenings) for page in pages] == [4, 4, 4, 3]
    assert [each for page in pages for each in page.happenings] == whole.happenings
    assert pages[-1].mark == whole.mark


def forgetful(driver: Driver, lines: int) -> None:
    driver.core.state.story._lines = deque(maxlen=lines)
    driver.core.state.story.note = driver.core.state.story._lines.append
    driver.core._lifecycle._note = driver.core.state.story.note


def test_it_is_said_that_some_are_forgotten() -> None:
    driver = Driver()
    forgetful(driver, 5)
    driver.submit("t0")
    mark = ask(driver).mark
    assert not ask(driver).missed
    driver.wait(1.0)
    driver.submit("t1")
    assert not ask(driver, mark).missed
    driver.wait(1.0)
    driver.submit("t2")
    driver.submit("t3")
    page = ask(driver, mark)
    assert page.missed
    assert told(page)[:2] == [("t1", READY), ("t2", SUBMITTED)]
    assert not ask(driver, page.mark).missed


def test_of_a_task_whose_submission_is_forgotten_what_comes_next_tells_what_it_is() -> None:
    driver = Driver("a")
    forgetful(driver, 5)
    driver.submit("first")
    driver.submit("join", after=["first"], label="join", priority=2, cost=4.0)
    driver.submit("old", label="fit")
    driver.wait(1.0)
    driver.submit("new", label="fit")
    driver.wait(1.0)
    driver.reply("a", "first")
    page = ask(driver)
    assert ("join", SUBMITTED) not in told(page)
    found = find(page, "join", READY)
    assert (found.rich, found.parents) == (RichFlags(2, cost=4.0, label="join"), ("first",))
    # the engine is told with it
    assert find(page, "join", ASSIGNED).detail == b"a"
    assert find(page, "join", ASSIGNED).rich == found.rich
    # what has finished is no longer known
    assert find(page, "first", SUCCEEDED).rich is None


def test_of_a_task_that_came_back_nobody_knows_whether_its_submission_is_forgotten() -> None:
    driver = Driver("a")
    driver.submit("t", retries=5, label="fit")
    driver.wait(1.0)
    driver.reply("a", "t", status="error")
    assert find(ask(driver), "t", AGAIN).rich is None  # nothing is forgotten yet
    forgetful(driver, 2)
    for _ in range(2):
        driver.wait(1.0)
        driver.reply("a", "t", status="error")
        page = ask(driver)
        assert told(page) == [("t", ASSIGNED), ("t", AGAIN)]
        assert [each.rich for each in page.happenings] == [RichFlags(label="fit")] * 2


def test_what_is_remembered_is_told_once() -> None:
    driver = Driver("a")
    driver.submit("t", label="fit")
    page = ask(driver)
    assert [each.rich is not None for each in page.happenings] == [True, False, False]


def test_of_a_moment_that_is_half_forgotten_nothing_is_told_twice() -> None:
    driver = Driver()
    forgetful(driver, 5)
    driver.submit("t0")
    driver.submit("t1")
    page = ask(driver)
    driver.submit("t2")
    later = ask(driver, page.mark)
    assert later.missed
    assert {each.msg_id for each in later.happenings} <= {"t2"}


def test_a_submission_tells_what_was_asked_for_and_what_it_depends_on() -> None:
    driver = Driver("a")
    driver.submit("first")
    driver.submit("second")
    flags = RichFlags(priority=3, cost=5.0, label="fit", arguments=("second",))
    after, follow = ["first", "second"], ["first"]
    driver.submit("t", after=after, follow=follow, **flags._asdict())
    found = find(ask(driver), "t", SUBMITTED)
    assert found.rich == flags
    assert (found.parents, found.parents_more) == (("first", "second"), 0)
    driver.reply("a", "first")
    driver.reply("a", "second", status="error")
    assert find(ask(driver), "t", FAILED)
    assert find(ask(driver), "t", SUBMITTED).parents == ("first", "second")
    assert find(ask(driver), "first", SUBMITTED).parents == ()


def test_many_dependencies_are_known_until_the_task_has_finished() -> None:
    driver = Driver("a")
    names = [f"t{number}" for number in range(story.KEPT + 1)]
    for name in names:
        driver.submit(name)
    driver.submit("join", after=names)
    assert find(ask(driver), "join", SUBMITTED).parents == (*names,)
    with mock.patch.object(happenings, "PARENTS", 10):
        found = find(ask(driver), "join", SUBMITTED)
    assert (len(found.parents), found.parents_more) == (10, len(names) - 10)
    for name in names:
        driver.reply("a", name)
    driver.reply("a", "join")
    page = ask(driver)
    assert find(page, "join", SUCCEEDED)
    assert find(page, "join", SUBMITTED).parents == ()


def test_a_page_has_so_many_dependencies_and_no_more() -> None:
    driver = Driver()
    driver.submit("first")
    for number in range(6):
        driver.submit(f"t{number}", after=["first"])
    with mock.patch.object(happenings, "IDS", 2):
        page = ask(driver)
    assert told(page)[-1] == ("t1", SUBMITTED)
    assert page.more


def test_a_failure_tells_why_and_with_what_it_began() -> None:
    driver = Driver("a")
    driver.submit("raises", retries=1)
    driver.submit("next", after=["raises"])
    driver.reply("a", "raises", status="error", error=TaskError("ValueError", "bad"))
    again = find(ask(driver), "raises", AGAIN)
    assert isinstance(again.detail, tuple)
    assert (again.detail[0], again.cause) == (End.FAILED, None)
    driver.wait(60.0)
    driver.reply("a", "raises", status="error", error=TaskError("ValueError", "bad"))
    page = ask(driver)
    error = TaskError("ValueError", "bad")
    failed = find(page, "raises", FAILED)
    assert failed.detail == (b"a", error, True)
    assert failed.cause == Cause("raises", error)
    failed = find(page, "next", FAILED)
    assert isinstance(failed.detail, tuple)
    assert failed.detail[0] is None
    assert isinstance(failed.detail[1], UnreachableDependency)
    assert failed.detail[2] is False  # no engine ever had it
    assert failed.cause == Cause("raises", error)
    driver.reject("bad", "'after' is 3")
    assert find(ask(driver), "bad", FAILED).cause == Cause("bad", failure=Failure.INVALID_METADATA)


def test_a_task_that_was_sent_in_vain_only_never_ran() -> None:
    driver = Driver("a")
    driver.submit("t", timeout=0.01)
    driver.unreachable("a", "t")
    driver.wait(0.01)
    detail = find(ask(driver), "t", FAILED).detail
    assert isinstance(detail, tuple)
    assert detail[2] is False


@pytest.mark.parametrize("ids", [0, 1, story.KEPT, story.KEPT + 1])
def test_the_story_of_a_task_is_the_same_with_and_without_dependencies(ids: int) -> None:
    driver = Driver("a")
    names = [f"t{number}" for number in range(ids)]
    for name in names:
        driver.submit(name)
    driver.submit("t", after=names, priority=2, label="fit")
    tale = driver.why("t")
    assert (tale.is_whole, tale.priority, tale.label) == (True, 2, "fit")
    for name in names:
        driver.reply("a", name)
    driver.reply("a", "t")
    tale = driver.why("t")
    assert (tale.is_whole, tale.priority, tale.label) == (True, 2, "fit")
    assert driver.core.story("t")[0].endswith(" submitted")
