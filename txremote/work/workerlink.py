"""
`WorkerLink`: what a pool's process hears and says, for the process's worker in the parent.

It begins with the plain messages of `txremote.work.plainphase`, and hands its transport to the
connection of a peer when either side needs one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol as Interface

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost
from txremote.peer.connection import Connection
from txremote.work import plainphase


class LinkEvents(Interface):
    """The worker, as its link needs it."""

    def job_loaded(self, number: int) -> None:
        """A job has imported what it needs."""

    def job_returned(self, number: int) -> None:
        """A job is over, and its outcome takes a moment yet."""

    def job_outcome(self, number: int, *reply: Any) -> None:
        """A job that was sent as a plain message has ended."""

    def peer_needed(self) -> None:
        """The process has to be a peer."""

    def link_lost(self) -> None:
        """Nothing more is heard."""

    def nonsense(self, why: str) -> None:
        """The process has written what is no message."""


class NotReady(Exception):
    """A process could not do what it has to do before its first job."""


class WorkerLink(Protocol):
    """
    The protocol on the pipes. For the reactor's thread.

    Args:
        most: Longest payload of a message, in bytes.
        connect: Makes the connection of the peer, when it is needed.
    """

    def __init__(self, events: LinkEvents, most: int, connect: Callable[[], Connection]) -> None:
        self.plain = True  # whether plain messages may be sent
        self.peer: Connection | None = None
        self._events = events
        self._most = most
        self._connect = connect
        self._messages = plainphase.Messages(most)
        self._lost = self._broken = False
        self._ready: Deferred[None] | None = None
        self._switched: Deferred[Connection] | None = None

    def prepare(self, *settings: object) -> Deferred[None]:
        """Send the settings of the process; the Deferred fires when it is ready, or `NotReady`."""
        waiting: Deferred[None] = Deferred()
        if self.send(plainphase.PREPARE, *settings):
            self._ready = waiting
        else:
            waiting.errback(NotReady("its import path is too long"))
        return self._unless_lost(waiting)

    def become_peer(self) -> Deferred[Connection]:
        """Have the process become a peer, once; the Deferred gives the new connection to it."""
        self.send(plainphase.PEER)
        self.plain = False
        self._switched = Deferred()
        return self._unless_lost(self._switched)

    def _unless_lost(self, waiting: Deferred[Any]) -> Deferred[Any]:
        if self._lost:
            self._fail_waiting()
        return waiting

    def send(self, *message: object) -> bool:
        """Send a message; False if it holds more than plain values, or too much."""
        packed = plainphase.pack(message, self._most)
        if packed is None:
            return False
        transport: Any = self.transport
        transport.write(packed)
        return True

    def dataReceived(self, data: bytes) -> None:
        """Take in messages, or what is the peer's."""
        if self.peer is not None:
            self.peer.dataReceived(data)
            return
        if self._broken:
            return
        messages = self._messages
        messages.feed(data)
        try:
            while self.peer is None and (message := messages.next()) is not None:
                self._received(*message)
        except (ValueError, TypeError) as problem:
            self._broken = True  # what comes next may look like messages
            self._events.nonsense(str(problem))

    def _received(self, kind: int, *rest: Any) -> None:
        if kind == plainphase.OUTCOME:
            self._events.job_outcome(*rest)
        elif kind == plainphase.LOADED:
            self._events.job_loaded(*rest)
        elif kind == plainphase.RETURNED:
            self._events.job_returned(*rest)
        elif kind == plainphase.NEED_PEER:
            self._events.peer_needed()
        elif kind == plainphase.PEER:
            self._switch()
        elif self._ready is not None:
            ready, self._ready = self._ready, None
            if kind == plainphase.READY:
                ready.callback(None)
            else:
                ready.errback(NotReady(*rest))

    def _switch(self) -> None:
        switched, self._switched = self._switched, None
        if switched is None:
            raise ValueError("a peer that was not asked for")
        self.peer = peer = self._connect()
        rest = bytes(self._messages.rest)
        self._messages.rest.clear()
        peer.makeConnection(self.transport)  # type: ignore[no-untyped-call]
        switched.callback(peer)
        if rest:
            peer.dataReceived(rest)

    def connectionLost(self, reason: Failure = Failure(ConnectionLost())) -> None:  # noqa: B008
        """Tell those who wait."""
        self._lost = True
        if self.peer is not None:
            self.peer.connectionLost(reason)
        self._fail_waiting()
        self._events.link_lost()

    def _fail_waiting(self) -> None:
        waiting = (self._ready, self._switched)
        self._ready = self._switched = None
        for each in waiting:
            if each is not None:
                each.errback(ConnectionLost("the process has gone"))
