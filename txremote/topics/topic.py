"""
`Topic`: events from one publisher to many subscribers.

``publish`` encodes an event once, and offers it to the subscribers of each place
(`txremote.topics.groups`). None of them holds up another, or the publisher: what one does not
take waits for it, within a bound (`txremote.topics.waiting_events`).

A topic that is on a bus (`txremote.topics.ports`) gives it each event too, and takes those of the
topics of its name elsewhere. Peers reach ``subscribe`` and nothing else: they cannot publish.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from threading import RLock
from typing import Any

from txremote.levels import Logger
from txremote.refs.netref import is_base_netref
from txremote.refs.reference import RemoteReference
from txremote.topics.bus import BusSide, bus_of
from txremote.topics.encoding import MAX_EVENT
from txremote.topics.event import Event, Form, new_event
from txremote.topics.filters import checked_keys, checked_name, checked_prefix
from txremote.topics.groups import Group
from txremote.topics.places import answering, place_here, place_of
from txremote.topics.ports import Join
from txremote.topics.retained import MOST_RETAINED, Retained
from txremote.topics.shares import Shares
from txremote.topics.sinks import LocalCallback, RemoteCallback, teller_of
from txremote.topics.subscriber import Sink, Subscriber
from txremote.topics.subscription import Subscription, open_to_peers
from txremote.topics.waiting_events import POLICIES, Policy, WaitingEvents
from txremote.wire.messages import Dialect

_log = Logger("txremote.topic")

_numbers = count(1)
_channels = count(1)

#: All topics of this process, for those who show them.
topics: weakref.WeakSet[Topic] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class TopicStats:
    """
    The figures of a topic.

    Attributes:
        name: Its name.
        subscribers: How many there are now.
        published: How many events it has had: its own, and those that came by its bus.
        delivered: How many its subscribers have taken, together: one that two have taken counts
            twice.
        dropped: How many it had and a subscriber did not get, together: since that was too slow,
            or since they could not be sent to it.
        lagging: How many subscribers have events that wait for them.
        buffered: How many events wait, together.
        bus: Whether its bus is there, for people: "joined", "away: " and why, or "not joined yet"
            before it is used; empty without a bus.
        missed: How many events of other processes it never had, each counted once; and one each
            time that its bus does not know how many.
        received: How many of those that it has had came by its bus.
    """

    name: str
    subscribers: int
    published: int
    delivered: int
    dropped: int
    lagging: int
    buffered: int
    bus: str
    missed: int = 0
    received: int = 0


class Topic:
    """
    Gives events to all who subscribe, in this process, at peers, and in other processes.

    Args:
        name: For people; on a bus, what its topics in other processes have in common. At most
            1,000 characters.
        buffer: How many events wait for a subscriber that takes none.
        slow: The fate of more: ``"drop-oldest"``, ``"drop-newest"``, ``"latest"`` (only the
            newest of each key waits) or ``"disconnect"`` (its subscription ends with
            `SubscriberTooSlow`).
        retain: Whether those who subscribe get the last event of each key first.
        max_retained: Of how many keys that is kept.
        max_event: Longest event, in bytes as it travels.
        redis: The URL of a Redis, ``redis://HOST``, that joins the topics of this name of all
            processes that name it.
        bus: ``"host"`` joins those of the processes of this host that serve together.

    Raises:
        TypeError: the name is no str.
        ValueError: an argument is out of its range, or a topic on a bus has no name.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        buffer: int = 100,
        slow: Policy = "drop-oldest",
        retain: bool = False,
        max_retained: int = MOST_RETAINED,
        max_event: int = MAX_EVENT,
        redis: str | None = None,
        bus: str | Join | None = None,
    ) -> None:
        sizes = {"buffer": buffer, "max_retained": max_retained, "max_event": max_event}
        for option, given in sizes.items():
            if type(given) is not int or given < 1:
                raise ValueError(f"{option} of a Topic is a positive int, not {given!r}")
        if slow not in POLICIES:
            raise ValueError(f"slow of a Topic is one of {', '.join(POLICIES)}, not {slow!r}")
        make_join = bus_of(redis, bus, retain, max_event)
        if make_join is not None and name is None:
            raise ValueError("a Topic on a bus has a name, which its others know it by")
        self.name = f"topic {next(_numbers)}" if name is None else checked_name(name)
        self.max_event = max_event
        self._buffer = buffer
        self._slow: Policy = slow
        self._retained = Retained(max_retained) if retain else None
        self._lock = RLock()
        self._publishing = RLock()  # while an event is handed to the bus, and kept here
        # a finalizer may end a subscription in the middle of anything: walk a copy
        self._groups: dict[object, Group] = {}
        self._shares = Shares(self.name)
        self._channels: list[int] = []
        self._forms: dict[tuple[Dialect, int, bool], Form] = {}
        self._published = 0
        self._delivered = 0  # by those that are gone
        self._dropped = 0  # likewise
        self._missed = 0
        self._unsendable = 0
        self._closed = False
        self._bus = BusSide(self, make_join) if make_join is not None else None
        topics.add(self)

    def __repr__(self) -> str:
        subscribers = sum(len(group.members) for group in list(self._groups.values()))
        return f"<Topic {self.name!r} with {subscribers} subscribers>"

    # -- publishing

    def publish(self, event: object, key: str | None = None) -> None:
        """
        Give an event to all subscribers that want its key. Never blocks. From any thread: those
        of another thread get it in theirs, and so does a bus.

        Args:
            event: A value, which is not to be changed afterwards: what brine carries, lists, dicts,
                sets, and objects of classes that travel as values. Other objects go by
                reference, but not over a bus, and each subscriber costs an encoding then.
            key: The key that subscribers choose by.

        Raises:
            NotSendable: it cannot be encoded, or is longer than ``max_event``; on a bus also an
                event with references (`HasReferences`).
            TypeError, ValueError: the key is no str, or has more than 1,000 characters.
            RuntimeError: the topic is closed; or it is on a bus, and no loop runs.
            ImportError: what its bus needs is not installed.
        """
        if self._closed:
            raise RuntimeError(f"the topic {self.name!r} is closed")
        made = new_event(key, event, self.max_event, self._bus is not None)
        if self._bus is None:
            self.came(made)
            return
        with self._publishing:  # of two threads' events the last one here is the last there
            self._bus.publish(made)
            groups = self._kept(made)
        _run_all(groups)

    def came(self, event: Event) -> None:
        """Give an event, of this process or another, to the subscribers of this one."""
        _run_all(self._kept(event))

    def _kept(self, event: Event) -> list[Group]:
        """Keep an event as the last one of its key; return the groups that are to be run for it."""
        with self._lock:
            self._published += 1
            if self._retained is not None:
                self._retained.keep(event)
            # those who subscribe from here on have it as the last one, or do not want it
            return self._have(lambda group: group.hand_out(event, Subscriber.offer))

    def came_overtaken(self, event: Event) -> None:
        """Give an event of another process to the subscribers, who have a newer one of its key."""
        with self._lock:
            self._published += 1
            groups = self._have(lambda group: group.hand_out(event, Subscriber.offer_overtaken))
        _run_all(groups)

    def came_before(self, event: Event) -> None:
        """Keep an event of another process from before this one came."""
        with self._lock:
            if self._retained is None or not self._retained.keep_older(event):
                return
            groups = self._have(lambda group: group.hand_out(event, Subscriber.offer_late))
        _run_all(groups)

    def missed(self, count: int | None, why: str) -> None:
        """Tell all subscribers of events that did not come from other processes."""
        with self._lock:
            self._missed += 1 if count is None else count
            groups = self._have(lambda group: group.tell(lambda each: each.missed(count, why)))
        _run_all(groups)

    def close(self) -> None:
        """End all subscriptions, when what waits for each is taken, and leave the bus."""
        with self._lock:
            self._closed = True
            groups = self._have(lambda group: group.tell(Subscriber.finish))
        _run_all(groups)
        if self._bus is not None:
            self._bus.close()

    def _have(self, prepare: Callable[[Group], object]) -> list[Group]:
        """Have each group note what it is to do; return the groups, to be run without the lock."""
        groups = list(self._groups.values())
        for group in groups:
            prepare(group)
        return groups

    # -- subscribing

    @open_to_peers
    def subscribe(
        self,
        callback: Any = None,
        *,
        keys: Any = None,
        prefix: str | None = None,
        retained: bool | None = None,
        missed: Any = None,
    ) -> Subscription:
        """
        Subscribe, from any thread, or from a peer.

        Args:
            callback: Called with each event; without one the subscription is read in a loop.
            keys: Only events of these keys, a str or a tuple of some, and of the prefix.
            prefix: Only events whose keys begin so, and those of ``keys``.
            retained: Whether the last event of each key comes first; None: if the topic has them.
            missed: Called with the count of events that were missed, None where nobody knows
                it, and the reason; before the next event, and each time.

        Returns:
            The subscription, which ends when nobody holds it, unless it has a callback.

        Raises:
            TypeError, ValueError: an argument is none of these.
            RuntimeError: the topic is closed, or the connection has too many subscriptions or keys.
        """
        wanted, beginning = checked_keys(keys), checked_prefix(prefix)
        callback, missed = _function(callback, "callback"), _function(missed, "missed")
        if retained and self._retained is None:
            raise ValueError(f"the topic {self.name!r} retains nothing: Topic(retain=True) does")
        connection = answering.connection()
        is_remote = type(callback) is RemoteReference
        place = place_of(callback._connection.executor) if is_remote else place_here()
        if self._bus is not None:
            self._bus.join()
        waiting = WaitingEvents(self._slow, self._buffer)

        def forget(subscriber: Subscriber) -> None:
            self._forget(subscriber, connection)

        subscriber = Subscriber(place, waiting, wanted, beginning, forget)
        subscriber.wants_last = retained is not False
        subscriber.told = teller_of(missed)
        subscriber.note_unsendable = self._note_unsendable
        group = self._enter(subscriber, connection)
        if callback is not None:
            group.do(lambda: subscriber.start(_sink(callback, subscriber)))
        return Subscription(subscriber, self, callback is None)

    def _enter(self, subscriber: Subscriber, connection: object) -> Group:
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the topic {self.name!r} is closed")
            self._shares.add(connection, subscriber.characters)
            if subscriber.wants_last and self._retained is not None:
                subscriber.waiting.start_with(self._retained.wanted(subscriber.wants))
            place = subscriber.place
            group = self._groups.get(place.key) or Group(place)
            group.members[subscriber] = None
            self._groups[place.key] = group  # again: its last member may just have ended
            return group

    def _forget(self, subscriber: Subscriber, connection: object) -> None:
        with self._lock:
            key = subscriber.place.key
            group = self._groups.get(key)
            if group is None or subscriber not in group.members:
                return
            del group.members[subscriber]
            if not group.members:
                self._groups.pop(key, None)
            self._delivered += subscriber.delivered
            self._dropped += subscriber.waiting.dropped
            self._shares.remove(connection, subscriber.characters)

    def _note_unsendable(self, why: str) -> None:
        """Log that an event could not be sent to a subscriber, though not each time."""
        with self._lock:
            self._unsendable += 1
            total = self._unsendable
        if total & (total - 1) == 0:
            _log.warn(
                "the topic {name!r}: an event could not be sent to a subscriber, the {total}. so "
                "far: {why}",
                name=self.name,
                total=total,
                why=why,
            )

    def channel(self, place: int) -> int:
        """Return the channel of the subscriptions that are a connection's first, second..."""
        with self._lock:
            while len(self._channels) <= place:
                self._channels.append(next(_channels))
            return self._channels[place]

    def form(self, dialect: Dialect, channel: int, compress: bool) -> Form:
        """Return how events are written in a dialect for a channel: one object for all readers."""
        key = (dialect, channel, compress)
        with self._lock:
            form = self._forms.get(key)
            if form is None:
                form = self._forms[key] = Form(dialect, channel, compress)
            return form

    # -- looking at it

    def stats(self) -> TopicStats:
        """Return the figures of this process's part of the topic. From any thread."""
        with self._lock:
            groups = list(self._groups.values())
            members = [member for group in groups for member in list(group.members)]
            return TopicStats(
                name=self.name,
                subscribers=len(members),
                published=self._published,
                delivered=self._delivered + sum(member.delivered for member in members),
                dropped=self._dropped + sum(member.waiting.dropped for member in members),
                lagging=sum(member.lagging for member in members),
                buffered=sum(member.waiting.events for member in members),
                bus=self._bus.described if self._bus is not None else "",
                missed=self._missed,
                received=self._bus.received_count if self._bus is not None else 0,
            )


def _run_all(groups: list[Group]) -> None:
    for group in groups:
        group.run()


def _function(given: Any, name: str) -> Any:
    """Return a callback, a netref's as its reference; TypeError if it is none."""
    if given is None:
        return None
    if is_base_netref(given):
        return given.____ref__
    if type(given) is not RemoteReference and not callable(given):
        raise TypeError(f"{name} is to be called with what comes: {given!r} is no function")
    return given


def _sink(callback: Any, subscriber: Subscriber) -> Sink:
    if type(callback) is RemoteReference:
        return RemoteCallback(callback, subscriber)
    return LocalCallback(callback)
