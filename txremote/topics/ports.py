"""
The seam between a topic and its bus, which joins the topics of several processes.

A topic that is on a bus has one `BusLink`, which it publishes through, and gives the bus one
`BusListener`, which takes what other processes publish under the same name. Values cross it as
bytes (`txremote.topics.encoding`), so a bus needs to know nothing of what it carries.

All of it is called in the thread of the topic's loop, and nothing of it blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

#: Longest event that goes by a bus, in bytes as `txremote.topics.encoding` writes it.
LONGEST_EVENT: Final = 8 << 20


class BusLink(Protocol):
    """A topic's way out to other processes."""

    def publish(self, key: str | None, payload: bytes) -> None:
        """
        Give an event to the topics of this name in other processes. Never blocks or raises: what
        cannot be published is counted, and the others are told of it as missed.

        Args:
            key: The event's key.
            payload: The event, as `txremote.topics.encoding.encode_event` has written it.
        """

    def close(self) -> None:
        """Leave the bus: nothing is received after it."""


class BusListener(Protocol):
    """Takes the events of other processes for a topic."""

    def received(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        """
        Take an event. Each comes once, those of one publisher in its order, and none of this
        topic's own. Never raises: a payload that is no event is logged and counted as missed.

        Args:
            key: The event's key.
            payload: The bytes that the publisher gave to its `BusLink`, or somebody else's.
            origin: The publisher's id.
            number: The event's, among its publisher's.
        """

    def overtaken(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        """
        Take an event like `received`, which is not the last one of its key: everybody else has it
        before one that this topic has had already.
        """

    def retained(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        """
        Take the last event of a key, published before this topic joined. It is given to those who
        subscribe and ask for the last ones, and to nobody else; one that was `received` is newer.
        """

    def missed(self, count: int | None, why: str) -> None:
        """
        Tell the subscribers that events of others did not come.

        Args:
            count: How many; None where nobody can tell.
            why: A sentence without a full stop.
        """

    def state(self, connected: bool, why: str) -> None:
        """Note whether the bus is there; ``why`` is empty or a sentence without a full stop."""


#: Joins a topic, by its name, to a bus.
Join: TypeAlias = Callable[[str, BusListener], BusLink]
