"""
One topic on a bus: `Channel`, which publishes what its topic gives it, and joins again after each
loss of the bus. The events of others go by `txremote.buses.incoming`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from twisted.python.failure import Failure

from txremote.buses.envelope import Event, seal
from txremote.buses.incoming import Incoming, TakeRetained, log
from txremote.buses.last import Own
from txremote.buses.outgoing import Outgoing
from txremote.buses.ports import LONGEST, MOST_RETAINED, START, Entry, Given, Id, Joined, Store
from txremote.topics.filters import LONGEST_KEY
from txremote.topics.ports import BusListener

# An event's bytes besides its payload and its key.
_ENVELOPE: Final = 256


class ChannelOwner(Protocol):
    """The bus, as much of it as its channels need."""

    @property
    def name(self) -> str:
        """Its name in messages for people."""

    def left(self, channel: Channel, store: Store | None) -> None:
        """Note that a topic is here no more."""

    def failed(self, channel: Channel, store: Store, failure: Failure) -> None:
        """Note that something a topic has asked for was not done."""

    def has_news(self, channel: Channel) -> None:
        """Read for a topic, soon."""


class Channel:
    """
    One topic on a bus (a `txremote.topics.ports.BusLink`). For the loop's thread.

    Args:
        bus: The bus.
        topic: The topic's name.
        listener: Takes the events of others.
        retain: Whether the last event of each key is kept on the bus.

    Attributes:
        incoming: Takes what others publish.
        ready: Whether it has joined the store that the bus has now.
    """

    def __init__(self, bus: ChannelOwner, topic: str, listener: BusListener, retain: bool) -> None:
        self.topic = topic
        self.ready = False
        self._bus = bus
        self._listener = listener
        self._retain = retain
        self._outgoing = Outgoing(retain)
        self.incoming = Incoming(topic, bus.name, listener, self._outgoing)
        self._newest = START  # of what there was as it joined
        self._store: Store | None = None

    @property
    def closed(self) -> bool:
        """Whether the topic has left."""
        return self.incoming.closed

    @property
    def has_more(self) -> bool:
        """Whether the bus has yet to get something that was published."""
        return bool(self._outgoing)

    # -- the topic's side

    def publish(self, key: str | None, payload: bytes) -> None:
        """Give an event to the others; see `txremote.topics.ports.BusLink`."""
        if self.closed:
            return
        problem = _unfit(key, payload)
        if problem:
            log.warn("topic {topic!r}: not given to {bus}: {why}", topic=self.topic,
                     bus=self._bus.name, why=problem)  # fmt: skip
        given_up = self._outgoing.add(None if problem else key, None if problem else payload)
        total = self._outgoing.given_up
        if given_up and total & (total - 1) == 0:
            log.warn(
                "topic {topic!r}: {bus} takes too little: {total} events were given up so far",
                topic=self.topic, bus=self._bus.name, total=total,
            )  # fmt: skip
        self._send()

    def close(self) -> None:
        """Leave the bus, when it has been given what was published."""
        if not self.closed:
            self.incoming.closed = True
            if not (self.ready and self._outgoing):
                self._leave()

    def _leave(self) -> None:
        store, self._store = self._store, None
        self.ready = False
        self._bus.left(self, store)

    # -- the bus's side

    def begin(self, store: Store) -> None:
        """Join a store that the bus has come to have, or that has lost what it kept."""
        self._store = store
        self.ready = False
        self._outgoing.interrupted()
        joining = store.join(self.topic, self._outgoing.acked)
        joining.addCallback(self._joined, store)
        joining.addErrback(self._failed, store)

    def lost(self, why: str) -> None:
        """Note that the bus is not there."""
        was_there = self._store is not None
        self._store = None
        self.ready = False
        self._outgoing.interrupted()
        if self.closed:
            self._bus.left(self, None)
        elif was_there or self.incoming.position is None:
            self._listener.state(False, why)

    def _failed(self, failure: Failure, store: Store) -> None:
        if self._store is store:
            self._bus.failed(self, store, failure)

    def refused(self, why: str) -> None:
        """Note that the store does not do what this topic asks of it."""
        log.warn("topic {topic!r}: {bus} refuses: {why}", topic=self.topic, bus=self._bus.name,
                 why=why)  # fmt: skip
        self.lost(why)

    def _joined(self, joined: Joined, store: Store) -> None:
        if self._store is not store:
            return
        if not joined.known and self._outgoing.acked is not None:
            self._outgoing.forgotten()
        take = self.incoming.join(joined)
        self._newest = joined.newest
        if take is None or not self._retain:
            self._become_ready()
        else:
            self._fetch_retained(store, take, [], b"")

    def _fetch_retained(
        self, store: Store, take: TakeRetained, found: list[Entry], after: bytes
    ) -> None:
        def fetched(entries: Sequence[Entry]) -> None:
            if self._store is not store:
                return
            found.extend(entries)
            if entries and len(found) < MOST_RETAINED:
                self._fetch_retained(store, take, found, entries[-1].key)
            else:
                take(found)
                self._become_ready()

        fetching = store.retained(self.topic, after)
        fetching.addCallback(fetched)
        fetching.addErrback(self._failed, store)

    def _become_ready(self) -> None:
        self.ready = True
        if not self.closed:
            self._listener.state(True, "")
        self._bus.has_news(self)
        self.has_read(False)
        self._send()

    def has_read(self, everything: bool) -> None:
        """
        Note how far the bus was read: what was in doubt and is not among it has not arrived, and is
        sent now.

        Args:
            everything: Whether there was nothing more to be read.
        """
        if not (self.ready and self._outgoing.in_doubt):
            return
        if everything or (self.incoming.position or START) >= self._newest:
            self._outgoing.in_doubt = False
            self._send()

    def _send(self) -> None:
        store = self._store
        if store is None or not self.ready or self._outgoing.in_doubt:
            return
        batch = self._outgoing.batch()
        if batch:
            sending = store.publish(self.topic, [self._given(event) for event in batch])
            sending.addCallback(self._sent, batch, store)
            sending.addErrback(self._failed, store)
        elif self.closed and not self._outgoing:
            self._leave()

    def _given(self, event: Own) -> Given:
        sealed = seal(
            Event(
                self._outgoing.origin,
                event.number,
                self.incoming.since,
                event.first,
                event.key,
                event.payload,
            )
        )
        retain = None
        if self._retain and event.payload is not None:
            retain = b"=" if event.key is None else b"." + event.key.encode()
        return Given(sealed, retain, event.first)

    def _sent(self, last: Id, batch: list[Own], store: Store) -> None:
        if self._store is store:
            self._outgoing.taken(batch, last)
            self._send()


def _unfit(key: str | None, payload: bytes) -> str:
    """Return why an event cannot go by a bus; "" if it can."""
    try:
        length = 0 if key is None else len(key.encode())
    except UnicodeEncodeError:
        return "a key that UTF-8 cannot carry"
    if key is not None and len(key) > LONGEST_KEY:
        return f"a key of {len(key)} characters, more than {LONGEST_KEY} (LONGEST_KEY of a Topic)"
    size = len(payload) + length + _ENVELOPE
    if size > LONGEST:
        return f"an event of {size} bytes, more than {LONGEST} (LONGEST of a bus)"
    return ""
