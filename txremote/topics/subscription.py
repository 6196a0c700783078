"""
`Subscription`: what `Topic.subscribe` gives.

A peer holds it by reference, and reads it in a loop: its first step sends SUBSCRIBE, and from then
on the events are pushed (`txremote.peer.event_flows`). A program reads one of its own topics by
``async for``. When nobody holds a subscription any more it has ended, unless it is of a callback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn, Protocol, TypeVar

from txremote.gate.exposure import EXPOSED_MARK
from txremote.topics.event import Form
from txremote.topics.sinks import LocalReader
from txremote.topics.subscriber import Subscriber
from txremote.wire.messages import Dialect

F = TypeVar("F", bound=Callable[..., Any])


def open_to_peers(function: F) -> F:
    """Mark a method as `txremote.exposed` does, which is of a room below."""
    setattr(function, EXPOSED_MARK, "exposed_")
    return function


class HasChannels(Protocol):
    """The topic of a subscription."""

    name: str

    def form(self, dialect: Dialect, channel: int, compress: bool) -> Form:
        """Return how events are written."""

    def channel(self, place: int) -> int:
        """Return the channel of a connection's first subscription, its second..."""


class Subscription:
    """
    One subscription of a topic. Made by `Topic.subscribe`.

    ``async for`` and ``anext`` read the events of one without a callback, in the loop that it was
    made in. One task waits for an event at a time.
    """

    __slots__ = ("__weakref__", "_holds", "_reader", "_subscriber", "topic")

    # how a reference to one is known, wherever this module is
    __module__ = "txremote"

    def __init__(self, subscriber: Subscriber, topic: HasChannels, holds: bool) -> None:
        self._subscriber = subscriber
        self.topic = topic
        self._holds = holds  # whether it ends with this object
        self._reader: LocalReader | None = None

    def __del__(self) -> None:
        if self._holds:
            self._subscriber.abandon()

    @property
    @open_to_peers
    def missed(self) -> int:
        """How many events its subscriber did not get, as far as that is known."""
        return self._subscriber.waiting.dropped + self._subscriber.missed_elsewhere

    @open_to_peers
    def close(self) -> None:
        """End it: no more events come. From any thread."""
        self._subscriber.close()

    @property
    def subscriber(self) -> Subscriber:
        """Its part on the topic's side."""
        return self._subscriber

    @open_to_peers
    def __iter__(self) -> NoReturn:
        raise TypeError(
            "the events of a topic are pushed, and a stock RPyC only pulls: give subscribe() a "
            "callback, or read them by a txremote; and in the topic's own program use 'async for'"
        )

    __next__ = __iter__

    def __aiter__(self) -> Subscription:
        self._begun()
        return self

    async def __anext__(self) -> Any:
        reader = self._begun()
        del self  # a traceback, which may live on, does not keep the subscription
        event = reader.next_event()
        try:
            return await event
        except asyncio.CancelledError:
            reader.put_back(event)
            raise

    def _begun(self) -> LocalReader:
        """Return what reads it in this program, which the first loop or step begins."""
        if self._reader is None:
            if self._subscriber.sink is not None:
                raise RuntimeError("the subscription is read by a peer, or has a callback")
            self._reader = LocalReader(self._subscriber)
            self._subscriber.start(self._reader)
        return self._reader

    async def aclose(self) -> None:
        """End it, as `close` does."""
        self._subscriber.close()

    def __repr__(self) -> str:
        subscriber = self._subscriber
        state = "ended" if subscriber.over else f"{subscriber.delivered} events delivered"
        return f"<Subscription ({state})>"
