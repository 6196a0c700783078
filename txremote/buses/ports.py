"""
`Store`: the keeper of a bus's events, a Redis or a process of the host.

It keeps the last events of each topic in one order, and gives each an `Id`, which only grows: the
time in milliseconds, and a number within it. A reader says after which one. Besides it keeps the
last event of each key, for topics that want it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from twisted.internet.defer import Deferred

from txremote.topics.ports import LONGEST_EVENT

#: An event's place among those of its topic: milliseconds, and a number within them.
Id: TypeAlias = tuple[int, int]

#: Before all events.
START: Final[Id] = (0, 0)

#: Longest event of a bus in bytes, with its key and its number. Longer ones are not read.
LONGEST: Final = LONGEST_EVENT + (8 << 10)

#: Bytes that are read, or published, at once: as many events as fit, and one at least.
AT_ONCE: Final = 1 << 20

#: Keys of a topic whose last events are kept.
MOST_RETAINED: Final = 1000


class Refused(Exception):
    """A store understands what it is asked and does not do it; its text says why."""


class BegunAnew(Exception):
    """A store has lost what it kept since a topic has joined: it is to be joined again."""


class Unreachable(Exception):
    """A store is not there, or does not answer."""


class Joined(NamedTuple):
    """
    How a topic stands when it joins.

    Attributes:
        oldest: The first event that is kept; `START` if none is.
        newest: The last one.
        since: Events that are published from now on have this or a higher id.
        known: Whether the event that was asked for is still kept.
        generation: Another one whenever the store has lost what it kept.
    """

    oldest: Id
    newest: Id
    since: Id
    known: bool
    generation: str


class Entry(NamedTuple):
    """
    One kept event.

    Attributes:
        topic: The number of the topic among those that were asked for.
        id: Its place.
        data: The bytes that were published, or None if they are more than `LONGEST`.
        size: Its length in bytes.
        key: Where it is kept as the last one of a key: that.
    """

    topic: int
    id: Id
    data: bytes | None
    size: int
    key: bytes = b""


class Given(NamedTuple):
    """
    One event that is published.

    Attributes:
        data: It, as it will be read.
        retain: The key whose last event it is; None if that is not kept.
        first: The id that it had before the store has forgotten it; None if it is new.
    """

    data: bytes
    retain: bytes | None
    first: Id | None


class Reading(NamedTuple):
    """
    The events that were read.

    Attributes:
        entries: In order for each topic.
        begun_anew: The topics of which the store has lost what it kept: they are to be joined
            again.
        refused: The topics that cannot be read, and why.
    """

    entries: Sequence[Entry]
    begun_anew: frozenset[int] = frozenset()
    refused: Sequence[tuple[int, str]] = ()


class Store(Protocol):
    """
    A live connection to something that keeps events. All of it is for its loop's thread.

    A method's Deferred fails with `Refused` where only this is not done, with `BegunAnew` if the
    topic is to be joined again, and in any other way if the connection is of no use any more.
    """

    def join(self, topic: str, known: Id | None) -> Deferred[Joined]:
        """Have ``wake`` called for a topic's events; tell how it stands, and if one is kept."""

    def leave(self, topic: str) -> None:
        """Have ``wake`` called for it no more."""

    def publish(self, topic: str, events: Sequence[Given]) -> Deferred[Id]:
        """Add events, all or none, and return the id of the last."""

    def read(self, topics: Sequence[tuple[str, Id]]) -> Deferred[Reading]:
        """Return the next events of topics after ids: some of them, or none if there are none."""

    def retained(self, topic: str, after: bytes) -> Deferred[Sequence[Entry]]:
        """Return some of the last events of keys, by key, after one; none when all are read."""

    def close(self) -> None:
        """Close it. ``lost`` is not called any more."""


class Opener(Protocol):
    """
    Opens a `Store`.

    Attributes:
        name: Its kind and place, for people: "the Redis at HOST:PORT"; no password is in it.
    """

    name: str

    def open(self, wake: Callable[[str], object], lost: Callable[[str], object]) -> Deferred[Store]:
        """
        Open one. Fails if it is not there, or lets nobody in.

        Args:
            wake: Called with a topic that has been joined when it has new events; once for many.
            lost: Called once, with the reason, when it is of no use any more.
        """

    def close(self) -> Deferred[None]:
        """End: no store is opened any more. Fires when all connections are closed."""
