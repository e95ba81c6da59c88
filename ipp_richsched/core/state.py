"""All that the scheduler knows, each thing in one place."""

from __future__ import annotations

from collections import deque

from .causes import Causes
from .deadlines import Deadlines, Entry
from .durations import Durations
from .engines.engine import Attempt, Engine
from .engines.pool import EnginePool
from .events import CancelRequested
from .graph import DependencyGraph, News
from .history import History
from .rates import Rates
from .ready.critical_path import CriticalPath
from .ready.fairness import FairQueue
from .ready.order import Order
from .ready.queue import ReadyQueue
from .settings import Settings
from .story import Story
from .tallies import Tallies
from .task import Stranding, Task
from .values import Values


class Cancellation:
    """A request that is being worked off.

    Attributes
    ----------
    event : CancelRequested
        What a client asked for.
    ids : list of str
        The tasks that have still to be looked at, the first of them at the end.
    early : set of str
        Those of them that are cancelled already, since an engine was about to get them.
    cancelled, running, interrupted, finished, unknown : list of str
        What became of the others: see `CancelDone`.
    """

    __slots__ = (
        "cancelled",
        "early",
        "event",
        "finished",
        "ids",
        "interrupted",
        "running",
        "unknown",
    )

    def __init__(self, event: CancelRequested) -> None:
        self.event = event
        self.ids = [*reversed(event.msg_ids)]
        self.early: set[str] = set()
        self.cancelled: list[str] = []
        self.running: list[str] = []
        self.interrupted: list[str] = []
        self.finished: list[str] = []
        self.unknown: list[str] = []


class StrandedTasks(dict[str, Stranding]):
    """Tasks that no registered engine runs, though all are asked, by msg_id.

    Attributes
    ----------
    asked : set of str
        Those of them that an engine has at the moment, which is asked again.
    """

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def end(self, msg_id: str) -> None:
        """A task is stranded no more, if it was: an engine has taken it, or one came that may."""
        self.pop(msg_id, None)
        self.asked.discard(msg_id)


class Backlog:
    """Work that events have entailed and that is not done yet.

    Attributes
    ----------
    news : deque of News
        What dependents have still to be told.
    reviews : deque of Task
        Tasks to be looked at again, since an engine that concerns them has come or died.
    unplaced : list of Task
        Ready ones that have been neither offered to an engine nor queued.
    loans : list of tuple
        Priorities, and the msg_ids of tasks that must have no lower one.
    cancellations : deque of Cancellation
        Requests of clients that want tasks back.
    """

    __slots__ = ("cancellations", "loans", "news", "reviews", "unplaced")

    def __init__(self) -> None:
        self.news: deque[News] = deque()
        self.reviews: deque[Task] = deque()
        self.unplaced: list[Task] = []
        self.loans: list[tuple[int, list[str]]] = []
        self.cancellations: deque[Cancellation] = deque()

    def __bool__(self) -> bool:
        return bool(self.news or self.reviews or self.unplaced or self.loans or self.cancellations)


class State:
    """The collections of the core.

    Attributes
    ----------
    settings : Settings
        What the user has set.
    pool : EnginePool
        The registered engines.
    dead : dict of Engine to None
        Those that died with attempts, whose grace has not ended; the first to die first.
    tasks : dict of str to Task
        Those that are not finished, by msg_id.
    wanted_back : dict of str to Cancellation
        What clients want back and was not looked at yet, by msg_id.
    unwanted : dict of str to bytes
        The clients that wanted tasks back while an engine had them, by msg_id: these tasks are not
        retried, and are taken back if the engine gives them back.
    stranded : StrandedTasks
        Tasks that no registered engine runs.
    abandoned : dict of str to Attempt
        Those that hold their engines though their tasks are answered, by msg_id.
    order : Order
        What gives tasks their ranks.
    queue : ReadyQueue or FairQueue
        Ready tasks that have no engine.
    shares : FairQueue or None
        The queue, if clients take turns: it has to know what they use.
    paths : CriticalPath or None
        What keeps the tasks in the order of their paths, if that is theirs.
    graph : DependencyGraph
        Who waits for whom.
    deadlines : Deadlines
        What is due, and when.
    history : History
        The outcomes of finished tasks.
    causes : Causes
        Why tasks failed of late.
    alarm : Entry or None
        While tasks wait and no engine is registered: when that is said again.
    backlog : Backlog
        The work that is left of earlier events.
    values : Values
        Which values of tasks are arguments of others, and where they are.
    story : Story
        What happened to tasks of late.
    tallies : Tallies
        How many tasks there are of each kind, and in each state.
    rates : Rates
        How fast they come and end.
    durations : Durations or None
        How long they queue and run, if somebody wants to know.
    """

    def __init__(
        self, settings: Settings, pool: EnginePool, durations: Durations | None = None
    ) -> None:
        self.settings = settings
        self.pool = pool
        self.dead: dict[Engine, None] = {}
        self.tasks: dict[str, Task] = {}
        self.wanted_back: dict[str, Cancellation] = {}
        self.unwanted: dict[str, bytes] = {}
        self.stranded = StrandedTasks()
        self.abandoned: dict[str, Attempt] = {}
        self.order = Order(settings.aging, settings.order == "critical-path")
        self.shares = FairQueue(pool.engines, self.order) if settings.fair else None
        self.queue = ReadyQueue(pool.engines) if self.shares is None else self.shares
        self.paths = None
        if settings.order == "critical-path":
            self.paths = CriticalPath(self.tasks, self.queue, self.order)
        self.graph = DependencyGraph()
        self.deadlines = Deadlines()
        self.history = History()
        self.causes = Causes()
        self.alarm: Entry | None = None
        self.backlog = Backlog()
        self.values = Values(
            settings.values_size_limit, self.deadlines, self.backlog.news, self.backlog.reviews
        )
        self.story = Story()
        self.tallies = Tallies()
        self.rates = Rates()
        self.durations = durations

    @property
    def busy(self) -> bool:
        """Whether there is work left of the events so far, for `TimePassed` to go on with."""
        return bool(self.backlog or self.pool.roomy)
