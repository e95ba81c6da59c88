"""What all pages show: asked for once, however many look, and not at all when nobody does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...client.happenings import Happenings
from ...client.status import Status
from ...client.why import Story
from ..asker import Asker
from ..live.model import Live
from ..live.tasks import LiveTask

_LOG = logging.getLogger(__name__)

PAGES = 21
"""So many pages of happenings are asked for at a time: more than the scheduler remembers."""


_FRESH, _STALE = 0.5, 10.0
"""For so many seconds a critical path is good enough, of few tasks and of many."""


class Source(Protocol):
    """Who is asked; each question may take long, and raise whatever went wrong."""

    def status(self) -> Status:
        """How things stand."""

    def happenings(self, mark: str) -> Happenings:
        """What happened since a mark."""

    def stories(self, msg_ids: Sequence[str]) -> list[Story]:
        """The stories of some tasks."""


class Page(Protocol):
    """What somebody looks at."""

    chosen: str | None
    """The task whose story is to be told."""

    def tell(self) -> None:
        """There is something new."""


@dataclass
class Answer:
    """What came of asking once.

    Attributes
    ----------
    status : Status or None
        How things stand, if that is known.
    mark : str
        Behind which mark they were asked for.
    happenings : list of Happenings
        What happened since, as far as it came.
    stories : list of Story
        Those of the chosen tasks.
    error : str or None
        Why some of that is missing, in one line.
    """

    status: Status | None = None
    mark: str = ""
    happenings: list[Happenings] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)
    error: str | None = None


class Watch:
    """What is known, for all pages.

    All but the questions themselves happens in the thread of the pages.

    Parameters
    ----------
    source : Source
        Who is asked.
    post : callable
        Has a function called in the thread of the pages.

    Attributes
    ----------
    live : Live
        What happened to tasks.
    status : Status or None
        How things stood the last time that this was known.
    stories : dict of str to Story
        The stories of the chosen tasks.
    error : str or None
        Why nothing newer is known.
    answers : int
        How many answers there were.
    """

    def __init__(self, source: Source, post: Callable[[Callable[[], Any]], Any]) -> None:
        self.live = Live()
        self.status: Status | None = None
        self.stories: dict[str, Story] = {}
        self.error: str | None = None
        self.answers = 0
        self._answered_at = 0.0
        self._source = source
        self._pages: list[Page] = []
        self._mark = ""
        self._critical: list[LiveTask] = []
        self._found_at = 0.0
        self._found_since: float | None = None
        self._asker = Asker[Answer](
            self._ask,
            lambda error: Answer(error=error),
            lambda answer: post(lambda: self._take(answer)),
        )

    def start(self) -> None:
        """Begin to ask, whenever somebody looks."""
        self._asker.start()

    def end(self) -> None:
        """Ask no more."""
        self._asker.end()

    def add(self, page: Page) -> None:
        """Somebody looks."""
        self._pages.append(page)
        self._asker.ask_now()

    def remove(self, page: Page) -> None:
        """Somebody looks no more."""
        self._pages.remove(page)
        if not self._pages:
            self.live.look_away()

    def ask_now(self) -> None:
        """Ask without waiting until it is time."""
        self._asker.ask_now()

    @property
    def age(self) -> float:
        """How many seconds ago there was an answer, if there was one."""
        return time.monotonic() - self._answered_at if self.answers else 0.0

    def critical_path(self) -> list[LiveTask]:
        """The critical path: of many tasks as it was a few seconds ago, since it takes a while."""
        graph, now = self.live.graph, time.monotonic()
        is_old = now - self._found_at >= (_FRESH if graph.is_few else _STALE)
        if is_old or self._found_since != graph.since:
            self._critical = graph.critical_path()
            self._found_at, self._found_since = now, graph.since
        return self._critical

    # -- in the thread of the asker ----------------------------------------------------

    def _ask(self) -> Answer | None:
        pages = list(self._pages)
        if not pages:
            return None
        answer = Answer(mark=self._mark)
        mark = answer.mark
        try:
            answer.status = self._source.status()
            for _ in range(PAGES):
                answer.happenings.append(page := self._source.happenings(mark))
                mark = page.mark
                if not page.more:
                    break
            chosen = sorted({page.chosen for page in pages if page.chosen is not None})
            if chosen:
                answer.stories = self._source.stories(chosen)
        except Exception as error:  # what has come before it is taken in all the same
            answer.error = _in_one_line(error)
        return answer

    # -- in the thread of the pages ----------------------------------------------------

    def _take(self, answer: Answer) -> None:
        self.error = answer.error
        if answer.status is not None:
            self.status = answer.status
        try:
            self._take_happenings(answer)
        except Exception as error:
            self.error = f"what happened could not be taken in: {_in_one_line(error)}"
            _LOG.exception("what happened could not be taken in")
        for story in answer.stories:
            self.stories[story.msg_id] = story
        if self.error is None:
            self.answers += 1
            self._answered_at = time.monotonic()
        if answer.happenings and answer.happenings[-1].more:
            self._asker.ask_now()
        for each in self._pages:
            each.tell()

    def _take_happenings(self, answer: Answer) -> None:
        if answer.mark != self._mark:
            return  # they were asked for once more before those of the last answer were taken in
        if answer.status is not None and not self.live.row_names:
            # so that rows are in order
            self.live.engines.note(answer.status.engines, answer.status.dead)
        for page in answer.happenings:
            self.live.take(page)
            self._mark = page.mark  # not before: what was not taken in is asked for again
        if answer.status is not None:
            is_more = bool(answer.happenings) and answer.happenings[-1].more
            self.live.note(answer.status, answer.error is None and not is_more)


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{error}".split()) or type(error).__name__
