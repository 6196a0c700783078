"""
For tests of programs and our own: two connected ends in memory, no sockets.

Nothing moves by itself. A call puts bytes into a pipe, `Pair.pump` carries them across until
all is quiet, `Pair.advance` lets the fake clock run::

    from txremote.testing import connected_pair

    def test_add(self):
        pair = connected_pair(server_root=Calculator)
        d = pair.client.root.add(2, 3)
        pair.pump()
        assert self.successResultOf(d) == 5
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.config import ConnectionConfig, make_config
from txremote.peer.connection import Connection
from txremote.peer.immediate import ImmediateExecutor
from txremote.peer.imports import ReleaseSweeper
from txremote.peer.outbox import Writing
from txremote.refs.sharing import follow
from txremote.service import VoidService, check_service, instantiate
from txremote.views import reactor as _views  # noqa: F401  # has interfaces adapt references
from txremote.wire.messages import Dialect, dialect_named

T = TypeVar("T")

# Most turns of `Pair.result`, in which the next items of a stream are sent, say.
_MOST_TURNS: Final = 10_000


@implementer(ITransport)
class MemoryTransport:
    """One end of a pipe in memory. Bytes that were not carried across yet are in ``written``."""

    def __init__(self, address: IAddress | None = None) -> None:
        self._written: deque[bytes] = deque()
        self.disconnecting = False
        self.aborted = False
        self._due: list[Callable[[], object]] = []
        self._address: IAddress = address if address is not None else UNIXAddress("memory")

    def write(self, data: bytes) -> None:
        """Put bytes into the pipe."""
        if not self.disconnecting:
            self._written.append(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Put bytes into the pipe."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close once what was written has been carried across."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Close at once; what was written is lost."""
        self.disconnecting = self.aborted = True
        self._written.clear()

    @property
    def written(self) -> deque[bytes]:
        """The bytes that wait; looking at them begins a turn, so that they are all here."""
        due, self._due = self._due, []
        for function in due:
            function()
        return self._written

    def gather(self, function: Callable[[], object]) -> None:
        """Call a function in the next turn."""
        self._due.append(function)

    def getPeer(self) -> IAddress:
        """Return the address, which both ends have."""
        return self._address

    getHost = getPeer


class Pair:
    """
    Two connections and what is between them. Made by `connected_pair`.

    Attributes:
        client: The connecting end.
        server: The accepting end.
        clock: The fake clock of both.
    """

    def __init__(self, client: Connection, server: Connection, clock: Clock) -> None:
        self.client = client
        self.server = server
        self.clock = clock
        self._open = True

    def pump(self, chunk: int | None = None) -> int:
        """
        Carry bytes across until neither end has more to say.

        Args:
            chunk: The most bytes to carry at a time, to try short reads. None: each write as it is.

        Returns:
            The number of bytes that were carried.
        """
        carried = 0
        while self._open:
            moved = self._carry(self.client, self.server, chunk)
            moved += self._carry(self.server, self.client, chunk)
            carried += moved
            if not moved:
                self._close_if_asked()
                break
        return carried

    def _carry(self, source: Connection, target: Connection, chunk: int | None) -> int:
        transport: Any = source.transport
        moved = 0
        while transport.written:
            data = transport.written.popleft()
            moved += len(data)
            step = chunk or len(data)
            for start in range(0, len(data), step):
                if not target.closed:
                    target.dataReceived(data[start : start + step])
        return moved

    def _close_if_asked(self) -> None:
        ends: list[Any] = [self.client.transport, self.server.transport]
        if any(end.disconnecting for end in ends):
            aborted = any(end.aborted for end in ends)
            self._lose(ConnectionLost() if aborted else ConnectionDone())

    def _lose(self, reason: Exception) -> None:
        if self._open:
            self._open = False
            self.client.connectionLost(Failure(reason))
            self.server.connectionLost(Failure(reason))

    def advance(self, seconds: float) -> None:
        """Let the clock run, and carry across what that brings about."""
        self.clock.advance(seconds)
        self.pump()

    def lose(self, reason: Exception | None = None) -> None:
        """
        Break the connection, with what is in the pipe lost.

        Args:
            reason: How it ended, for both ends; `ConnectionLost` if None.
        """
        self._lose(reason if reason is not None else ConnectionLost())

    def result(self, deferred: Deferred[T]) -> T:
        """
        Pump, run the calls of the clock that are due by now, and return what a Deferred fired
        with.

        Raises:
            AssertionError: it has not fired.
            Exception: what it failed with.
        """
        found: list[Any] = []
        follow(deferred).addBoth(found.append)
        self.pump()
        for _ in range(_MOST_TURNS):
            now = self.clock.seconds()
            if found or not any(call.getTime() <= now for call in self.clock.getDelayedCalls()):
                break
            self.advance(0)
        if not found:
            raise AssertionError(f"no result yet: {deferred!r}")
        if isinstance(found[0], Failure):
            error: Any = found[0].value
            raise error
        return found[0]  # type: ignore[no-any-return]


def connected_pair(
    client_root: object = VoidService,
    server_root: object = VoidService,
    *,
    config: ConnectionConfig | Mapping[str, Any] | None = None,
    client_config: ConnectionConfig | Mapping[str, Any] | None = None,
    server_config: ConnectionConfig | Mapping[str, Any] | None = None,
    dialect: str = "6",
    clock: Clock | None = None,
    introduce: bool = True,
) -> Pair:
    """
    Return two connected ends in memory.

    Args:
        client_root: The connecting end's service, a class or an instance.
        server_root: The accepting end's service.
        config: The switches of both.
        client_config: Those of the connecting end, where they differ.
        server_config: Those of the accepting end.
        dialect: The dialect of the connecting end, ``"6"`` or ``"5"``.
        clock: The fake clock, if one is there already.
        introduce: Whether the root has been fetched and HELLO said when this
            returns; False leaves the pair as two ends that have said nothing.

    Raises:
        TypeError: a root is no service, or a switch is not known.
    """
    clock = clock if clock is not None else Clock()
    client_switches = make_config(client_config if client_config is not None else config)
    server_switches = make_config(server_config if server_config is not None else config)
    dialect_of_client = dialect_named(dialect, client_switches.bind_threads)
    client = _end(client_root, client_switches, clock, dialect_of_client)
    server = _end(server_root, server_switches, clock)
    server.makeConnection(MemoryTransport())  # type: ignore[no-untyped-call]
    client.makeConnection(MemoryTransport())  # type: ignore[no-untyped-call]
    pair = Pair(client, server, clock)
    if introduce:
        pair.result(client.introduce())
    return pair


def _end(
    root: object, config: ConnectionConfig, clock: Clock, dialect: Dialect | None = None
) -> Connection:
    return Connection(
        instantiate(check_service(root)),
        executor=ImmediateExecutor(clock),
        config=config,
        dialect=dialect,
        clock=clock,
        prepare=lambda transport: Writing(gather=transport.gather),
        sweeper=ReleaseSweeper(clock),
    )
