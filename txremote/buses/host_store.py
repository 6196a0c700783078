"""
The end of the host's bus that publishes and reads: `HostOpener` connects to the process that serves
it, or serves it itself if none does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from txremote.buses.host import (
    LONGEST_MESSAGE,
    HostBus,
    check_owner,
    loaded,
    serve,
)
from txremote.buses.ports import Entry, Given, Id, Joined, Reading, Refused, Store, Unreachable
from txremote.errors import RemoteProtocolError
from txremote.wire import brine


class HostStore(Int32StringReceiver):
    """
    A connection to the process that serves the bus (a `txremote.buses.ports.Store`).

    Args:
        wake: Called with topics that have news.
        lost: Called once, with the reason, when the connection has ended.
    """

    MAX_LENGTH = LONGEST_MESSAGE

    def __init__(self, wake: Callable[[str], object], lost: Callable[[str], object]) -> None:
        self._wake = wake
        self._lost: Callable[[str], object] | None = lost
        self._number = 0
        self._waiting: dict[int, Deferred[Any]] = {}
        self._why = "the process that served it is gone"

    # -- Twisted's side

    def stringReceived(self, string: bytes) -> None:
        """Called with a message."""
        try:
            number, done, value = loaded(string)
            if number == 0:
                self._wake(cast(str, value))
                return
            waiting = self._waiting.pop(cast(int, number))
        except (RemoteProtocolError, KeyError, TypeError, ValueError):
            self._end("what serves it speaks something else")
            return
        if done is True:
            waiting.callback(value)
        else:
            waiting.errback(Failure(Refused(str(value))))

    def lengthLimitExceeded(self, length: int) -> None:
        """Called for a message that is too long."""
        self._end(f"a message of {length} bytes, more than {LONGEST_MESSAGE} (LONGEST_MESSAGE)")

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Called at the end."""
        waiting, self._waiting = self._waiting, {}
        tell, self._lost = self._lost, None
        if tell is not None:
            tell(self._why)
        for each in waiting.values():
            each.errback(Failure(Unreachable(self._why)))

    def _end(self, why: str) -> None:
        self._why = why
        cast(Any, self.transport).abortConnection()

    def _ask(self, name: str, *arguments: object) -> Deferred[Any]:
        if self._lost is None:  # it is closed
            return fail(Unreachable(self._why))
        self._number += 1
        answer: Deferred[Any] = Deferred(lambda _: None)
        self._waiting[self._number] = answer
        cast(Any, self).sendString(brine.dump((self._number, name, *arguments)))
        return answer

    # -- the bus's side

    def join(self, topic: str, known: Id | None) -> Deferred[Joined]:
        """Have ``wake`` called for a topic; tell how it stands."""
        return self._ask("join", topic, known).addCallback(lambda found: Joined(*found))

    def leave(self, topic: str) -> None:
        """Have it called no more."""
        self._ask("leave", topic).addErrback(lambda _: None)

    def publish(self, topic: str, events: Sequence[Given]) -> Deferred[Id]:
        """Add events."""
        return self._ask("publish", topic, tuple(map(tuple, events)))

    def read(self, topics: Sequence[tuple[str, Id]]) -> Deferred[Reading]:
        """Return the next events of topics."""

        def read(found: Any) -> Reading:
            entries, anew = found
            return Reading([Entry(*entry) for entry in entries], frozenset(anew))

        return self._ask("read", tuple(topics)).addCallback(read)

    def retained(self, topic: str, after: bytes) -> Deferred[Sequence[Entry]]:
        """Return last events of keys."""
        asking = self._ask("retained", topic, after)
        return asking.addCallback(lambda found: [Entry(*entry) for entry in found])

    def close(self) -> None:
        """Close it."""
        self._lost = None
        cast(Any, self.transport).loseConnection()


class _StoreFactory(Factory):
    noisy = False

    def __init__(self, make: Callable[[], HostStore]) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> HostStore:
        return self._make()


class HostOpener:
    """
    Opens a store at the process that serves the host's bus (a `txremote.buses.ports.Opener`).

    Args:
        reactor: The loop; one of `txremote.aio` as well.
        path: The bus's socket.
    """

    def __init__(self, reactor: Any, path: str) -> None:
        self.name = f"the host's bus at {path}"
        self._reactor = reactor
        self._path = path
        self._host: HostBus | None = None  # while this process serves it

    def open(self, wake: Callable[[str], object], lost: Callable[[str], object]) -> Deferred[Store]:
        """Connect to it. It is served first, if nobody does."""
        return ensureDeferred(self._open(_StoreFactory(lambda: HostStore(wake, lost))))

    async def _open(self, factory: _StoreFactory) -> Store:
        try:
            return await self._connect(factory)
        except (ConnectError, OSError):
            if self._host is not None:
                raise
            self._host = serve(self._path, self._reactor)
            if self._host is None:
                raise
        return await self._connect(factory)

    async def _connect(self, factory: _StoreFactory) -> Store:
        check_owner(self._path)
        endpoint: Any = UNIXClientEndpoint(self._reactor, self._path)
        adapted = getattr(self._reactor, "adapted", None)  # of a loop that is no reactor
        if adapted is not None:
            endpoint = adapted(endpoint)
        store: Store = await endpoint.connect(factory)
        return store

    def close(self) -> Deferred[None]:
        """Stop serving it, if this process does."""
        host, self._host = self._host, None
        return succeed(None) if host is None else host.stop()
