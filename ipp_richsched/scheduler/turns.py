"""The loop of the scheduler: messages in, decisions, messages out.

One turn is a few rounds over the channels.  A round takes the hub's notifications, the engines'
replies and the clients' submissions, a bounded number of each: all are read, then the core
decides on all, then all that it decided is sent.  At the end of a turn the core is told of the
deadlines that have come, and of the time to do what is left.  The sockets are read and written
directly, past their streams: only so a send can report that an engine is not there.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import zmq

from ..core.actions import RefuseTask
from ..core.events import Event, TaskSubmitted, TimePassed
from ..core.machine import SchedulerCore
from ..core.story import CoreError
from ..wire.checks import MessageError, NamelessTaskError
from ..wire.messages import Frames
from ..wire.requests import RequestError
from ..wire.transport import Channel, readable
from .lag import Lag
from .outbox import Outbox

ROUNDS, BATCH, NOTIFICATIONS = 4, 50, 1000
"""How often one turn of the loop serves the channels, and how many messages it takes of each."""

HUB_PAUSE = 0.01
"""Seconds until what the hub has not taken is sent again, if nothing happens before."""


class Channels(NamedTuple):
    """The channels of the scheduler.

    Attributes
    ----------
    clients, engines : Channel
        Where tasks and replies come from, and where they go.
    notifier : Channel
        Where the hub says which engines there are.
    monitor : Channel
        Where the hub hears of each task.
    """

    clients: Channel
    engines: Channel
    notifier: Channel
    monitor: Channel


class Handlers(NamedTuple):
    """What takes in one message: it reads it and feeds the core.

    Attributes
    ----------
    submission, reply, notification : callable
        For a message of a client, an engine, the hub.
    """

    submission: Callable[[Frames], None]
    reply: Callable[[Frames], None]
    notification: Callable[[Frames], None]


class Turns:
    """The loop around a core.

    Parameters
    ----------
    core : SchedulerCore
        What decides.
    channels : Channels
        What is read; it is written to by the outbox.
    outbox : Outbox
        What carries out what the core decides.
    handlers : Handlers
        What takes in a message.
    loop : tornado.ioloop.IOLoop
        What calls back when there is news on a channel, or when it is time.
    clock : callable
        The time in seconds; it never goes back.
    log : logging.Logger
        Where errors go.
    poll : callable
        Which of some channels can be read: see `readable`.

    Attributes
    ----------
    lag : Lag
        How long turns take.
    """

    def __init__(
        self,
        core: SchedulerCore,
        channels: Channels,
        outbox: Outbox,
        handlers: Handlers,
        loop: Any,
        clock: Callable[[], float],
        log: logging.Logger,
        poll: Callable[[Sequence[Channel]], list[Channel]] = readable,
    ) -> None:
        self._core = core
        self._channels = channels
        self._outbox = outbox
        self._handlers = handlers
        self._loop = loop
        self._clock = clock
        self._log = log
        self._poll = poll
        self._sources: list[Channel] = []
        self._stopped: list[Channel] = []  # by a subclass, which alone may have them read again
        self._waits_for_hub = False
        self._hub_alarm: Any = None
        self._events: deque[Event] = deque()  # what has been read, for the core to decide on
        self._deciding = False
        self._turn_is_due = False
        self._alarm: Any = None
        self._alarm_time: float | None = None
        self.lag = Lag()

    def start(self) -> None:
        """Begin to serve all channels."""
        for channel in (self._channels.notifier, self._channels.engines, self._channels.clients):
            self.resume(channel)

    def stop(self, channel: Channel) -> None:
        """No longer read a channel; what comes stays in the queue of its socket."""
        if channel not in self._stopped:
            self._stopped.append(channel)
        self._set_source(channel, False)

    def resume(self, channel: Channel) -> None:
        """Read a channel from now on."""
        if channel in self._stopped:
            self._stopped.remove(channel)
        self._set_source(channel, channel != self._channels.clients or not self._waits_for_hub)

    def _set_source(self, channel: Channel, is_read: bool) -> None:
        if is_read and channel not in self._sources:
            self._sources.append(channel)
            self._loop.add_handler(channel.socket, self.turn, self._loop.READ)
            self._schedule()
        elif not is_read and channel in self._sources:
            self._sources.remove(channel)
            self._loop.remove_handler(channel.socket)

    def feed(self, event: Event) -> None:
        """Have the core decide on an event in this turn, or the next."""
        self._events.append(event)
        if not self._turn_is_due:
            self._schedule()

    def decide(self) -> None:
        """Hand what has been read to the core; what it decides is sent when the turn goes on."""
        if self._deciding:
            return  # a subclass asks or feeds from within: what it fed comes next
        self._deciding = True
        try:
            while self._events:
                self._decide_on(self._events.popleft())
        finally:
            self._deciding = False

    def dispatch(
        self, handle: Callable[[Frames], None], messages: Sequence[Frames], peer: str
    ) -> None:
        """Read each message; no error in one may keep the others from being served."""
        for message in messages:
            try:
                try:
                    handle(message)
                except NamelessTaskError as error:
                    self._outbox.refuse(message, str(error))
                except RequestError as error:
                    self._outbox.refuse_request(message, str(error))
                except MessageError as error:
                    sender = "the hub" if peer == "hub" else f"{peer} {message[0]!r}"
                    self._outbox.dropped(sender, str(error))
            except Exception:
                self._log.exception("task::internal error; please report it")

    # -- one turn ----------------------------------------------------------------------

    def turn(self, *news: Any) -> None:
        """Serve every channel; come back soon if one may have more.

        A socket's descriptor tells only of news, and any use of the socket may consume them,
        a send included: so each is asked for what is left before the turn ends.
        """
        start = self._clock()
        self._turn_is_due = True  # nothing that happens in it need ask for another
        more = True
        try:
            self._respond()
            for _ in range(ROUNDS):
                sources = self._poll(self._sources)
                more = bool(sources)
                if not more:
                    break
                self._serve(sources)
            # Replies that have been read count before deadlines that came meanwhile.
            deadline = self._core.next_deadline()
            if deadline is not None and deadline <= self._clock():
                more = True  # sending can consume the descriptor's news, so poll again
                self._events.append(TimePassed())
                self._respond()
            elif not more:
                self._outbox.hub.send_later()
        finally:
            self._turn_is_due = False
            if self._outbox.hub.has_more and self._hub_alarm is None:
                self._hub_alarm = self._loop.call_later(HUB_PAUSE, self._try_hub_again)
            if more:
                self._schedule()
            else:
                self._set_alarm()
            self.lag.note(start, self._clock())

    def _serve(self, sources: list[Channel]) -> None:
        """Take in what has come, and carry out what it leads to."""
        clients, engines, notifier, _ = self._channels
        on_submission, on_reply, on_notification = self._handlers
        # Taken first and handled last, so that an engine of which a client knows already has been
        # registered here, too.
        submissions = self._take(clients) if clients in sources else []
        if notifier in sources or (submissions and self._poll([notifier])):
            self.dispatch(on_notification, self._take(notifier, NOTIFICATIONS), "hub")
        if engines in sources:
            self.dispatch(on_reply, self._take(engines), "engine")
        self.dispatch(on_submission, submissions, "client")
        self._respond()

    @staticmethod
    def _take(channel: Channel, limit: int = BATCH) -> list[Frames]:
        """The messages that have come, up to a limit."""
        messages: list[Frames] = []
        receive = channel.receive
        try:
            while len(messages) < limit:
                messages.append(receive())
        except zmq.Again:
            pass
        return messages

    def _respond(self) -> None:
        """Have the core decide on what has been read, and send what it decides."""
        self.decide()
        while not_sent := self._outbox.flush():
            self._events.extend(not_sent)
            self.decide()
        if self._outbox.hub.is_behind != self._waits_for_hub:
            self._waits_for_hub = not self._waits_for_hub
            clients = self._channels.clients
            self._set_source(clients, not self._waits_for_hub and clients not in self._stopped)

    def _decide_on(self, event: Event) -> None:
        try:
            actions = self._core.handle(event, now=self._clock())
        except Exception as error:
            self._log.exception("task::internal error; please report it")
            actions = error.actions if isinstance(error, CoreError) else []
        if isinstance(event, TaskSubmitted):
            refused = bool(actions) and isinstance(actions[0], RefuseTask)
            if not refused:  # or else it is no task for the hub
                self._outbox.tell_hub(b"intask", event.message)
        for action in actions:
            self._outbox.put(action)

    # -- when the next turn comes ------------------------------------------------------

    def _schedule(self) -> None:
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.add_callback(self.turn)

    def _set_alarm(self) -> None:
        """Have the core's next deadline, and only that, wake the loop."""
        deadline = self._core.next_deadline()
        if deadline == self._alarm_time:
            return
        if self._alarm is not None:
            self._loop.remove_timeout(self._alarm)
            self._alarm = None
        self._alarm_time = deadline
        if deadline is not None:
            delay = max(0.0, deadline - self._clock())
            self._alarm = self._loop.call_later(delay, self._wake)

    def _wake(self) -> None:
        self._alarm = self._alarm_time = None
        self.turn()

    def _try_hub_again(self) -> None:
        self._hub_alarm = None
        self.turn()
