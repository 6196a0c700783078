"""
One topic on a bus: `Channel`, which publishes what its topic gives it, and gives it what others
publish.

As it joins it learns where the bus stands, and reads on from there: nothing that was published
before comes as new. The last event of each key is fetched besides. One of those may be newer than
where reading begins; until reading has come to it, events of its key are older, and are left out.

After each loss of the bus it joins again, and reads on from where it was. What the bus has lost
meanwhile its publishers give it again, and the numbers tell what did not come.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from twisted.python.failure import Failure

from txremote.buses.doubles import Seen
from txremote.buses.envelope import LONGEST_KEY, Event, seal, unseal
from txremote.buses.outgoing import Outgoing, Own
from txremote.buses.ports import LONGEST, MOST_RETAINED, START, Entry, Given, Id, Joined, Store
from txremote.errors import RemoteProtocolError
from txremote.levels import Logger
from txremote.topics.ports import BusListener

if TYPE_CHECKING:
    from txremote.buses.bus import Bus

log = Logger("txremote.bus")

# An event's bytes besides its payload and its key.
_ENVELOPE: Final = 256


class Channel:
    """
    One topic on a bus (a `txremote.topics.ports.BusLink`). For the loop's thread.

    Args:
        bus: The bus.
        topic: The topic's name.
        listener: What takes the events of others.
        retain: Whether the last event of each key is kept on the bus.

    Attributes:
        position: The last event that was read; None before it has joined.
        ready: Whether it has joined the store that the bus has now.
        closed: Whether the topic has left.
    """

    def __init__(self, bus: Bus, topic: str, listener: BusListener, retain: bool) -> None:
        self.topic = topic
        self.position: Id | None = None
        self.ready = False
        self.closed = False
        self._bus = bus
        self._listener = listener
        self._retain = retain
        self._origin = os.urandom(8).hex()
        self._outgoing = Outgoing(retain)
        self._store: Store | None = None
        self._generation = ""
        self._seen = Seen(START)
        self._since: Id = START
        self._newer: dict[str | None, Id] = {}  # last events of keys that are still to be read
        self._refused = 0  # entries that were no events

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
            self.closed = True
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
        elif was_there or self.position is None:
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
        take: Callable[[list[Entry]], None] = self._take_retained
        if self.position is None:
            self.position = joined.newest
            self._since = joined.since
            self._seen = Seen(joined.since)
            wanted = self._retain
        elif joined.generation != self._generation or joined.newest < self.position:
            self.position = START
            self._newer = {}
            self._seen.begin_anew()
            wanted = False
            self._lost_what_it_kept()
        else:
            # a last event may be kept where those around it have been dropped
            wanted = self._retain and joined.oldest > self.position
            take = partial(self._take_dropped, self.position, joined.oldest)
            if joined.oldest > self.position > START:
                self._lost_what_it_kept()
        self._generation = joined.generation
        if wanted:
            self._fetch_retained(store, take, [], b"")
        else:
            self._become_ready()

    def _fetch_retained(
        self,
        store: Store,
        take: Callable[[list[Entry]], None],
        found: list[Entry],
        after: bytes,
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

    def _take_retained(self, found: list[Entry]) -> None:
        """Take the last events of keys, of before this topic joined."""
        assert self.position is not None
        for entry in found:
            event = self._unsealed(entry)
            if event is not None and event.payload is not None:
                if entry.id > self.position:
                    self._newer[event.key] = entry.id
                self._listener.retained(event.key, event.payload, event.origin, event.number)

    def _take_dropped(self, position: Id, oldest: Id, found: list[Entry]) -> None:
        """Take the last events of keys that the bus has otherwise dropped while we were away."""
        for entry in sorted(found, key=lambda each: each.id):
            if position < entry.id < oldest:
                self.take(entry)

    def _become_ready(self) -> None:
        self.ready = True
        if not self.closed:
            self._listener.state(True, "")
        self._bus.has_news(self)
        self._send()

    def _send(self) -> None:
        store = self._store
        if store is None or not self.ready:
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
            Event(self._origin, event.number, self._since, event.first, event.key, event.payload)
        )
        retain = None
        if self._retain and event.payload is not None:
            retain = b"=" if event.key is None else b"." + event.key.encode()
        return Given(sealed, retain, event.first)

    def _sent(self, last: Id, batch: list[Own], store: Store) -> None:
        if self._store is store:
            self._outgoing.taken(batch, last)
            self._send()

    # -- what others publish

    def _lost_what_it_kept(self) -> None:
        self._missed(None, f"{self._bus.name} lost some of what it kept, or had no room for it")

    def take(self, entry: Entry) -> None:
        """Take the next event that was read, and give it to the topic if it is new."""
        self.position = entry.id
        event = self._unsealed(entry)
        if event is None or event.origin == self._origin or self.closed:
            return
        missed = self._seen.take(event, entry.id)
        if missed is None:
            return
        if missed:
            self._missed(missed, f"{self._bus.name} had no room for them, or lost them")
        if self._newer and entry.id <= self._newer.get(event.key, START):
            return
        if event.payload is None:
            self._missed(1, "its publisher could not give it to the bus")
        else:
            self._listener.received(event.key, event.payload, event.origin, event.number)

    def _unsealed(self, entry: Entry) -> Event | None:
        try:
            if entry.data is None:
                raise RemoteProtocolError(
                    f"an event of {entry.size} bytes, more than {LONGEST} (LONGEST of a bus)"
                )
            return unseal(entry.data)
        except RemoteProtocolError as problem:
            self._not_an_event(str(problem))
            return None

    def _not_an_event(self, why: str) -> None:
        """Somebody has put something else on the bus: say so, though not each time."""
        self._refused += 1
        if self._refused & (self._refused - 1) == 0:
            log.warn(
                "topic {topic!r}: something on {bus} was not taken, the {number}. so far: {why}",
                topic=self.topic, bus=self._bus.name, number=self._refused, why=why,
            )  # fmt: skip
        self._missed(1, why)

    def _missed(self, count: int | None, why: str) -> None:
        if not self.closed:
            self._listener.missed(count, why)


def _unfit(key: str | None, payload: bytes) -> str:
    """Return why an event cannot go by a bus; "" if it can."""
    length = 0 if key is None else len(key.encode("utf-8", "surrogatepass"))
    if length > LONGEST_KEY:
        return f"a key of {length} bytes, more than {LONGEST_KEY} (LONGEST_KEY of a bus)"
    size = len(payload) + length + _ENVELOPE
    if size > LONGEST:
        return f"an event of {size} bytes, more than {LONGEST} (LONGEST of a bus)"
    return ""
