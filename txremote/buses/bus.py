"""
One connection to a bus for all topics of a loop, which comes back: `Bus`.

It reads for all its topics at once: when the store says that there is something new, and every
`POLL` seconds besides, which shows whether it still answers. A question that it does not answer in
`ANSWER_WITHIN` seconds is a loss like any other: a process that is stopped accepts connections.

Each loss is told in the log once, and so is the end of it. Topics go on meanwhile for those who
subscribe to them in this process.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred, TimeoutError as DeferredTimeout, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from txremote.buses.channel import Channel
from txremote.buses.incoming import log
from txremote.buses.ports import START, BegunAnew, Id, Joined, Opener, Reading, Refused, Store
from txremote.refs.clock import EventLoop, steady
from txremote.topics.ports import BusListener

T = TypeVar("T")

#: Seconds between two readings when nothing new is told.
POLL: Final = 2.0

#: Seconds within which a store answers; else it is as good as lost.
ANSWER_WITHIN: Final = 5.0

#: Seconds that the bus has to take what was published before the loop's end.
LAST_SECONDS: Final = 1.0

#: Seconds until something is asked again that a store has refused.
ASK_AGAIN: Final = 1.0

_pause = backoffPolicy(
    initialDelay=0.02, maxDelay=1.0, factor=1.5, jitter=lambda: random.random() * 0.05
)


class _Timed:
    """A store whose every answer is waited for `ANSWER_WITHIN` seconds."""

    def __init__(self, store: Store, clock: Any) -> None:
        self._store = store
        self._clock = clock
        self.leave = store.leave
        self.close = store.close

    def _timed(self, answer: Deferred[T]) -> Deferred[T]:
        return answer.addTimeout(ANSWER_WITHIN, self._clock)

    def join(self, topic: str, known: Id | None) -> Deferred[Joined]:
        return self._timed(self._store.join(topic, known))

    def publish(self, topic: str, events: Any) -> Deferred[Id]:
        return self._timed(self._store.publish(topic, events))

    def read(self, topics: Any) -> Deferred[Reading]:
        return self._timed(self._store.read(topics))

    def retained(self, topic: str, after: bytes) -> Deferred[Any]:
        return self._timed(self._store.retained(topic, after))


class Bus:
    """
    A bus, for the topics of one loop. For the loop's thread.

    Args:
        reactor: The loop.
        opener: Opens the store.
        ended: Called when its last topic has left.

    Attributes:
        name: Its kind and place, for people.
    """

    def __init__(self, reactor: EventLoop, opener: Opener, ended: Callable[[], object]) -> None:
        self.name = opener.name
        self._opener = opener
        self._clock: Any = steady(reactor)
        self._ended = ended
        self._channels: list[Channel] = []
        self._news: dict[Channel, None] = {}  # in order, each once
        self._store: Store | None = None
        self._reading = False
        self._failures = 0
        self._down_since: float | None = None
        self._timer: IDelayedCall | None = None  # of the next poll, or of the next try
        self._retries: set[IDelayedCall] = set()
        add = getattr(reactor, "addSystemEventTrigger", None)  # a clock has none
        self._trigger = add and add("before", "shutdown", self._shut_down)
        self._remove = getattr(reactor, "removeSystemEventTrigger", None)

    def join(self, topic: str, listener: BusListener, retain: bool) -> Channel:
        """Return a topic's link. It joins as soon as the bus is there."""
        channel = Channel(self, topic, listener, retain)
        self._channels.append(channel)
        if self._store is not None:
            channel.begin(self._store)
        elif len(self._channels) == 1:
            self._open()
        return channel

    def left(self, channel: Channel, store: Store | None) -> None:
        """Note that a topic is here no more."""
        if channel not in self._channels:
            return
        self._channels.remove(channel)
        self._news.pop(channel, None)
        if not self._channels:
            self._close()
        elif store is not None and all(other.topic != channel.topic for other in self._channels):
            store.leave(channel.topic)

    def _close(self) -> Deferred[None]:
        store, self._store = self._store, None
        for call in (self._timer, *self._retries):
            if call is not None and call.active():
                call.cancel()
        self._timer = None
        self._retries.clear()
        if self._trigger and self._remove:
            self._remove(self._trigger)
            self._trigger = None
        if store is not None:
            store.close()
        self._ended()
        return self._opener.close()

    async def _last_words(self) -> None:
        """The loop ends: give the bus what was published, if that does not take long."""
        end = self._clock.seconds() + LAST_SECONDS
        while self._store is not None and self._clock.seconds() < end:
            if not any(channel.has_more for channel in self._channels):
                break
            await deferLater(self._clock, 0.01)
        channels, self._channels = self._channels, []
        for channel in channels:
            channel.lost("the program ends")
        await self._close()

    def _shut_down(self) -> Deferred[None]:
        self._trigger = None
        return ensureDeferred(self._last_words())

    # -- getting there, and losing it

    def _open(self) -> None:
        self._timer = None
        gone: list[str] = []  # why it is lost, if it is lost before it is there

        def lost(why: str) -> None:
            gone.append(why)
            if opened and self._store is opened[0]:
                self._down(why)

        opened: list[Store] = []
        opening = self._opener.open(self._woken, lost)
        opening.addTimeout(ANSWER_WITHIN, self._clock)

        def there(store: Store) -> None:
            timed = _Timed(store, self._clock)
            if not self._channels:
                store.close()
            elif gone:
                self._not_opened(gone[0])
            else:
                opened.append(timed)
                self._up(timed)

        opening.addCallbacks(there, lambda failure: self._not_opened(_why(failure)))
        opening.addErrback(partial(_log_bug, self.name))

    def _not_opened(self, why: str) -> None:
        if self._channels:
            self._down(why)

    def _up(self, store: Store) -> None:
        self._store = store
        self._failures = 0
        if self._down_since is not None:
            log.info("{bus} is there again, after {seconds:.1f} s", bus=self.name,
                     seconds=self._clock.seconds() - self._down_since)  # fmt: skip
            self._down_since = None
        self._timer = self._clock.callLater(POLL, self._poll)
        for channel in list(self._channels):
            channel.begin(store)

    def _down(self, why: str) -> None:
        """The bus is not there: say so once, and try again."""
        store, self._store = self._store, None
        self._reading = False
        self._news.clear()
        if store is not None:
            store.close()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._down_since is None:
            self._down_since = self._clock.seconds()
            log.warn("{bus} is not there, and is tried again: {why}", bus=self.name, why=why)
        for channel in list(self._channels):
            channel.lost(why)
        if self._channels:
            self._failures += 1
            self._timer = self._clock.callLater(_pause(self._failures), self._open)

    def failed(self, channel: Channel, store: Store, failure: Failure) -> None:
        """Note that something a topic has asked for was not done."""
        if failure.check(BegunAnew):
            self._begin_anew(channel, store)
        elif failure.check(Refused):
            self._refused(channel, store, str(failure.value))
        elif self._store is store:
            self._down(_why(failure))

    def _begin_anew(self, channel: Channel, store: Store) -> None:
        """Join topics of a name again: the store has lost what it kept of it."""
        for other in self._channels:
            if other.topic == channel.topic and other.ready and self._store is store:
                other.begin(store)

    def _refused(self, channel: Channel, store: Store, why: str) -> None:
        channel.refused(why)

        def again() -> None:
            self._retries.discard(call)
            if self._store is store and channel in self._channels:
                channel.begin(store)

        call = self._clock.callLater(ASK_AGAIN, again)
        self._retries.add(call)

    # -- reading

    def has_news(self, channel: Channel) -> None:
        """Read for a topic, soon."""
        self._news[channel] = None
        self._read()

    def _woken(self, topic: str) -> None:
        for channel in self._channels:
            if channel.topic == topic:
                self._news[channel] = None
        self._read()

    def _poll(self) -> None:
        self._timer = self._clock.callLater(POLL, self._poll)
        self._news.update(dict.fromkeys(self._channels))
        self._read()

    def _read(self) -> None:
        store = self._store
        if store is None or self._reading:
            return
        channels = [each for each in self._news if each.ready]
        self._news.clear()
        if channels:
            self._reading = True
            asked = [(each.topic, each.incoming.position or START) for each in channels]
            reading = store.read(asked)
            reading.addCallback(self._have_read, channels, store)
            reading.addErrback(self._not_read, store)

    def _have_read(self, found: Reading, channels: list[Channel], store: Store) -> None:
        if self._store is not store:
            return
        self._reading = False
        for number, why in found.refused:
            if channels[number].ready:
                self._refused(channels[number], store, why)
        for number in found.begun_anew:
            self._begin_anew(channels[number], store)
        if found.entries:  # there may be more; another topic is the first to be read now
            self._news.update(dict.fromkeys(channels[1:] + channels[:1]))
        for entry in found.entries:
            channel = channels[entry.topic]
            if channel.ready:
                channel.incoming.take(entry)
        for channel in channels:
            channel.has_read(not found.entries)
        self._read()

    def _not_read(self, failure: Failure, store: Store) -> None:
        if self._store is store:
            self._down(_why(failure))


def _why(failure: Failure) -> str:
    if failure.check(DeferredTimeout):
        return f"it has not answered for {ANSWER_WITHIN:g} s"
    return failure.getErrorMessage() or type(failure.value).__name__


def _log_bug(name: str, failure: Failure) -> None:
    log.failure("a mistake in the bus {name}", failure, name=name)
