"""
`Incoming`: gives a topic the events that others publish on its bus, once and in order.

As a topic joins it learns where the bus stands, and reads on from there: nothing that was published
before comes as new. The last event of each key is fetched besides. One of those may be newer than
where reading begins; until reading has come to it, events of its key are older, and are left out.

After each loss of the bus reading goes on from where it was, or from the start if the bus has lost
what it kept; then its publishers give it their last events again, and the numbers tell which of
them have been read, and which did not come.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from txremote.buses.doubles import Seen
from txremote.buses.envelope import Event, unseal
from txremote.buses.outgoing import Outgoing
from txremote.buses.ports import LONGEST, START, Entry, Id, Joined
from txremote.errors import RemoteProtocolError
from txremote.levels import Logger
from txremote.topics.ports import BusListener

log = Logger("txremote.bus")

#: Takes the last events of keys, all at once.
TakeRetained: TypeAlias = Callable[[list[Entry]], None]


class Incoming:
    """
    The reading side of one topic on a bus.

    Args:
        topic: The topic's name, for the log.
        bus: The bus's, for people.
        listener: Takes the events.
        outgoing: What the topic itself publishes; that does not come back.

    Attributes:
        position: The last event that was read; None before it has joined.
        since: Where it joined first: what was published before does not concern it.
        closed: Whether the topic has left: it is told nothing any more.
    """

    def __init__(self, topic: str, bus: str, listener: BusListener, outgoing: Outgoing) -> None:
        self.position: Id | None = None
        self.since: Id = START
        self.closed = False
        self._topic = topic
        self._bus = bus
        self._listener = listener
        self._outgoing = outgoing
        self._last = outgoing.last
        self._generation = ""
        self._seen = Seen(START)
        self._newer: dict[str | None, Id] = {}  # last events of keys that are still to be read
        self._refused = 0  # entries that were no events

    def join(self, joined: Joined) -> TakeRetained | None:
        """
        Note where the bus stands, the first time or after a loss.

        Returns:
            Takes the last events of keys, if they are kept, before reading begins; None if
            there is no need for them.
        """
        position, generation = self.position, self._generation
        self._generation = joined.generation
        if position is None:
            self.position = joined.newest
            self.since = joined.since
            self._seen = Seen(joined.since)
            return self._take_retained
        if joined.generation != generation or joined.newest < position:
            self.position = START
            self._newer = {}
            self._seen.begin_anew()
            self._last.begin_anew()
            self._lost_some()
            return None
        if joined.oldest > position:
            if position > START:
                self._lost_some()
            # a last event may be kept where those around it have been dropped
            return partial(self._take_dropped, position, joined.oldest)
        return None

    def _lost_some(self) -> None:
        self._missed(None, f"{self._bus} lost some of what it kept, or had no room for it")

    def _take_retained(self, found: list[Entry]) -> None:
        """Take the last events of keys, of before this topic joined."""
        for entry in found:
            event = self._unsealed(entry)
            if event is not None and event.payload is not None and not self.closed:
                if entry.id > (self.position or START):
                    self._newer[event.key] = entry.id
                self._last.note(event.key, entry.id)
                self._listener.retained(event.key, event.payload, event.origin, event.number)

    def _take_dropped(self, position: Id, oldest: Id, found: list[Entry]) -> None:
        """Take the last events of keys that the bus has otherwise dropped while we were away."""
        for entry in sorted(found, key=lambda each: each.id):
            if position < entry.id < oldest:
                self.take(entry)

    def take(self, entry: Entry) -> None:
        """Take the next event that was read, and give it to the topic if it is new."""
        self.position = entry.id
        event = self._unsealed(entry)
        if event is not None and event.origin == self._outgoing.origin:
            self._outgoing.read(event, entry.id)
            return
        if event is None or self.closed:
            return
        missed = self._seen.take(event, entry.id)
        if missed is None:
            return
        if missed:
            self._missed(missed, f"{self._bus} had no room for them, or lost them")
        if self._newer and entry.id <= self._newer.get(event.key, START):
            if entry.id == self._newer[event.key]:
                del self._newer[event.key]
            return
        if event.payload is None:
            self._missed(1, "its publisher could not give it to the bus")
            return
        overtaken = self._last.is_overtaken(event, entry.id)
        give = self._listener.overtaken if overtaken else self._listener.received
        give(event.key, event.payload, event.origin, event.number)

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
                topic=self._topic,
                bus=self._bus,
                number=self._refused,
                why=why,
            )
        self._missed(1, why)

    def _missed(self, count: int | None, why: str) -> None:
        if not self.closed:
            self._listener.missed(count, why)
