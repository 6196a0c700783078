"""
Calling: `connect`.

RPyC never negotiates its version, so a client has to find its server's. It asks
for the root in the dialect of RPyC 6. A server of RPyC 5 answers that with a
good-bye in its own dialect and hangs up; the client dials once more and speaks
that. RPyC 5's thread pool server says nothing at all, so after a while a second
connection asks in RPyC 5's dialect, and whoever answers first is kept. A txremote
server answers in whatever it is asked in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from txremote.config import ConnectionConfig, make_config
from txremote.errors import ConnectionLost
from txremote.net.runner import LaneRunner, ReactorRunner
from txremote.net.tls import client_from_string, refused_certificate
from txremote.net.transport import is_tls, prepare
from txremote.net.workers import WorkerPool
from txremote.peer.connection import Connection
from txremote.peer.imports import ReleaseSweeper
from txremote.refs.clock import steady
from txremote.service import VoidService, check_service, config_of, instantiate, is_threaded
from txremote.wire.messages import dialect_named


class _DialingFactory(Factory):
    """Makes the one connection of a dialled call."""

    noisy = False

    def __init__(self, reactor: Any, service: Any, config: ConnectionConfig, dialect: str) -> None:
        self._reactor = reactor
        self._service = service
        self._config = config
        self._dialect = dialect

    def buildProtocol(self, addr: Any) -> Connection:
        """Make it."""
        workers = WorkerPool(max_threads=self._config.max_threads)
        return Connection(
            instantiate(self._service),
            runner=(LaneRunner if is_threaded(self._service) else ReactorRunner)(
                self._reactor, workers
            ),
            config=self._config,
            dialect=dialect_named(self._dialect, self._config.bind_threads),
            clock=steady(self._reactor),
            sweeper=_sweeper_of(self._reactor),
            prepare=prepare,
        )


def _sweeper_of(reactor: Any) -> ReleaseSweeper:
    """
    Return what all dialled connections of a reactor share: with a timer each, ten
    thousand that do nothing would keep a processor busy. The reactor itself has it, so
    that it is as many as there are reactors and ends with its own.
    """
    found: ReleaseSweeper | None = getattr(reactor, "_txremote_sweeper", None)
    if found is None:
        found = reactor._txremote_sweeper = ReleaseSweeper(steady(reactor))
    return found


#: Seconds that ``dialect="auto"`` gives a server to answer in the dialect of RPyC
#: 6, before it asks in that of RPyC 5 as well, on a second connection.
PATIENCE = 1.0


@dataclass(frozen=True)
class _Call:
    """What is dialled, and with what."""

    endpoint: IStreamClientEndpoint
    reactor: Any
    service: Any
    config: ConnectionConfig

    async def dial(self, dialect: str) -> Connection:
        """Connect, and speak one dialect."""
        connection = await self.open(dialect)
        return await _introduced(connection)

    async def open(self, dialect: str) -> Connection:
        """Connect, and say nothing yet."""
        factory = _DialingFactory(self.reactor, self.service, self.config, dialect)
        connection = await self.endpoint.connect(factory)
        assert isinstance(connection, Connection)
        return connection

    async def find(self) -> Connection:
        """Connect, and find out what the server speaks."""
        connection = await self.open("6")
        answer = Deferred.fromCoroutine(_introduced(connection))
        try:
            soon = await _within(answer, self.reactor, PATIENCE)
        except ConnectionLost:
            if connection.other_dialect is None:
                raise
            return await self.dial(connection.other_dialect)
        except CancelledError:
            answer.addErrback(lambda _failure: None)
            answer.cancel()
            raise
        if soon is not None:
            return soon
        # Not a word: a thread pool of RPyC 5 logs what it cannot read and waits
        # for more. It may as well be a busy server of RPyC 6.
        return await _first_of(answer, Deferred.fromCoroutine(self.dial("5")))


async def _introduced(connection: Connection) -> Connection:
    try:
        return await connection.introduce(separately=is_tls(connection.transport))
    except BaseException as error:  # a time-out or a cancellation included: leave nothing open
        transport: Any = connection.transport
        transport.abortConnection()
        if isinstance(error, ConnectionLost) and connection.closed:
            ended = await connection.when_disconnected()
            refused = refused_certificate(ended)
            if refused is not None:
                raise ConnectionLost(
                    f"the server refused this client's certificate: {refused}"
                ) from ended
        raise


def _within(
    deferred: Deferred[Connection], reactor: Any, seconds: float
) -> Deferred[Connection | None]:
    """
    Return a Deferred that takes another's result if it comes within some
    seconds. If not it fires with None, and the other keeps its result.
    """
    timer: Any = None
    soon: Deferred[Connection | None] = Deferred(lambda _soon: timer.cancel())

    def fired(result: Any) -> Any:
        if soon.called:
            return result
        timer.cancel()
        soon.callback(result)
        return None

    timer = steady(reactor).callLater(seconds, soon.callback, None)
    deferred.addBoth(fired)
    return soon


def _first_of(first: Deferred[Connection], second: Deferred[Connection]) -> Deferred[Connection]:
    """
    Return a Deferred of the first that succeeds; the other is cancelled. If none
    does, it fails as the first did.
    """
    both = (first, second)
    failures: dict[int, Failure] = {}

    def cancelled(_found: Deferred[Connection]) -> None:
        for one in both:
            one.cancel()

    found: Deferred[Connection] = Deferred(cancelled)

    def succeeded(connection: Connection, index: int) -> None:
        if found.called:
            transport: Any = connection.transport
            transport.abortConnection()
        else:
            found.callback(connection)
            both[1 - index].cancel()

    def failed(failure: Failure, index: int) -> None:
        failures[index] = failure
        if len(failures) == 2 and not found.called:
            found.errback(failures[0])

    for index, one in enumerate(both):
        one.addCallbacks(succeeded, failed, (index,), {}, (index,))
    return found


def connect(
    endpoint: str | IStreamClientEndpoint,
    *,
    service: Any = None,
    config: ConnectionConfig | Mapping[str, Any] | None = None,
    dialect: str = "auto",
    timeout: float | None = 30,
    reactor: Any = None,
) -> Deferred[Connection]:
    """
    Connect to a server. To be called in the reactor's thread.

    Args:
        endpoint: A client endpoint, or its description as
            `twisted.internet.endpoints.clientFromString` takes it, such as
            ``"tcp:127.0.0.1:18861"``.
        service: What this side offers, a `Service` class or an instance; nothing
            if None.
        config: Switches, as a `ConnectionConfig` or a mapping.
        dialect: What to speak: ``"6"`` or ``"5"``, the major version of the
            RPyC at the other end, or ``"auto"`` to find out.
        timeout: Seconds until the connection is there and its root fetched.
        reactor: The reactor; the running one if None.

    Returns:
        A Deferred of a `Connection` whose ``root`` is the peer's service. It
        fails with the endpoint's own error, with `ConnectionLost` where the
        peer hangs up or is no RPyC, with TimeoutError.

    Raises:
        TypeError: the service is none, or a switch is not known.
        ValueError: the description or the dialect is none.
    """
    if reactor is None:
        from twisted.internet import reactor
    if dialect not in ("auto", "5", "6"):
        raise ValueError(f"no dialect {dialect!r}: it is 'auto', '6' or '5'")
    service = VoidService if service is None else service
    check_service(service)
    switches = config_of(service, make_config(config))
    where: Any = client_from_string(reactor, endpoint) if isinstance(endpoint, str) else endpoint
    call = _Call(where, reactor, service, switches)
    dialling = Deferred.fromCoroutine(call.find() if dialect == "auto" else call.dial(dialect))
    if timeout is not None:
        given = timeout

        def timed_out(result: Any, _timeout: float) -> Any:
            # an endpoint that was still connecting fails with an error of its own
            if isinstance(result, Failure):
                raise TimeoutError(f"no RPyC answer from {endpoint} within {given:g} s")
            return result

        dialling.addTimeout(timeout, steady(reactor), timed_out)
    return dialling
