"""Calling: `connect`. How it finds the dialect of a server: `txremote.peer.dialling`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from txremote.config import ConnectionConfig, make_config, with_values
from txremote.errors import ConnectionLost, DeadReferenceError
from txremote.eventloop.executor import LaneExecutor, LoopExecutor
from txremote.eventloop.reactor import chosen_reactor
from txremote.eventloop.worker_pool import WorkerPool
from txremote.net.found_places import connect_found
from txremote.net.tls import client_endpoint_of
from txremote.net.transport import is_tls, prepare
from txremote.peer.connection import Connection
from txremote.peer.dialling import (
    KEEP,
    OPEN,
    WAIT,
    Outcome,
    Steps,
    dialling_steps,
    outcome_of,
    unanswered,
)
from txremote.peer.imports import ReleaseSweeper
from txremote.peer.tls_words import refused_own
from txremote.refs.awaiting import awaitable
from txremote.refs.clock import EventLoop, Reactor, steady
from txremote.refs.threadguard import LoopGuard
from txremote.registry.dialled import check_no_registry
from txremote.registry.ports import Registry
from txremote.servername import server_name
from txremote.service import VoidService, check_service, config_of, instantiate, is_threaded
from txremote.wire.messages import dialect_named


class _DialingFactory(Factory):
    noisy = False

    def __init__(self, make_connection: Callable[[], Connection]) -> None:
        self._make_connection = make_connection

    def buildProtocol(self, addr: object) -> Connection:
        return self._make_connection()


def _sweeper_of(reactor: Any) -> ReleaseSweeper:
    """
    Return the sweeper of all dialled connections of a reactor, which the reactor keeps.

    With a timer each, ten thousand idle connections would keep a processor busy.
    """
    found: ReleaseSweeper | None = getattr(reactor, "_txremote_sweeper", None)
    if found is None:
        found = reactor._txremote_sweeper = ReleaseSweeper(steady(reactor))
    return found


class _Dialling:
    """Carries out the steps of `txremote.peer.dialling` with a reactor."""

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        reactor: EventLoop,
        service: object,
        config: ConnectionConfig,
    ) -> None:
        self._endpoint = endpoint
        self._reactor = reactor
        self._service = service
        self._config = config
        self._attempts: dict[str, Deferred[None]] = {}
        self._asked: set[str] = set()
        self._answered: dict[str, Connection] = {}
        self._outcomes: deque[Outcome] = deque()
        self._waiting: Deferred[bool] | None = None

    async def run(self, steps: Steps) -> Connection:
        """Take all steps, and return the connection that is kept."""
        step = next(steps)
        while step.action != KEEP:
            outcome = None
            try:
                if step.action == OPEN:
                    self._open(step.dialect)
                elif step.action == WAIT:
                    outcome = await self._wait(step.dialect, step.seconds)
                else:
                    self._close(step.dialect)
            except BaseException as error:  # a time-out or a cancellation: it closes the rest
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
        steps.close()
        return self._answered[step.dialect]

    def _make_connection(self, dialect: str) -> Connection:
        workers = WorkerPool(max_threads=self._config.max_threads)
        executor = LoopExecutor(self._reactor, workers)
        return Connection(
            instantiate(self._service),
            executor=LaneExecutor(executor) if is_threaded(self._service) else executor,
            config=self._config,
            dialect=dialect_named(dialect, self._config.bind_threads),
            clock=steady(self._reactor),
            sweeper=_sweeper_of(self._reactor),
            prepare=prepare,
        )

    def _open(self, dialect: str) -> None:
        self._attempts[dialect] = Deferred.fromCoroutine(self._try(dialect))

    async def _try(self, dialect: str) -> None:
        factory = _DialingFactory(partial(self._make_connection, dialect))
        other = None
        try:
            connection = await self._endpoint.connect(factory)
            assert isinstance(connection, Connection)
            self._asked.add(dialect)
            self._wake()
            try:
                self._answered[dialect] = await _introduced(connection)
            finally:
                other = connection.other_dialect
        except Exception as error:
            self._outcomes.append(outcome_of(dialect, error, other))
        else:
            is_txremote = bool(self._answered[dialect].features)
            self._outcomes.append(Outcome(dialect, is_txremote=is_txremote))
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback(True)

    async def _wait(self, dialect: str, seconds: float | None) -> Outcome | None:
        while not self._outcomes and seconds is not None and dialect not in self._asked:
            await self._something(None)  # it still connects
        while not self._outcomes and await self._something(seconds):
            pass
        return self._outcomes.popleft() if self._outcomes else None

    async def _something(self, seconds: float | None) -> bool:
        """Wait until something has become of an attempt; tell whether it has, in time."""
        waiting: Deferred[bool] = Deferred()
        self._waiting = waiting
        timer = None
        if seconds is not None:
            timer = steady(self._reactor).callLater(seconds, waiting.callback, False)
        try:
            return await waiting
        finally:
            if timer is not None and timer.active():
                timer.cancel()

    def _close(self, dialect: str) -> None:
        self._attempts[dialect].cancel()
        connection = self._answered.get(dialect)
        if connection is not None:
            connection.stream.abortConnection()


async def _introduced(connection: Connection) -> Connection:
    try:
        return await connection.introduce(separately=is_tls(connection.transport))
    except BaseException as error:  # a cancellation included: leave nothing open
        connection.stream.abortConnection()
        early = isinstance(error, DeadReferenceError)  # it ended before anything was asked
        if early or (isinstance(error, ConnectionLost) and connection.closed):
            ended = await connection.when_disconnected()
            refused = refused_own(ended)
            if refused is not None:
                words = f"the server refused this client's certificate: {refused}"
                raise ConnectionLost(words) from ended
            if early:
                error = ConnectionLost(connection.why_ended)
            raise unanswered(error, is_tls(connection.transport)) from ended
        raise


def connect(
    endpoint: str | IStreamClientEndpoint,
    *,
    service: object = None,
    config: ConnectionConfig | Mapping[str, Any] | None = None,
    dialect: str = "auto",
    timeout: float | None = 30,
    values: bool | None = None,
    registry: str | Registry | None = None,
    reactor: Reactor | None = None,
) -> Deferred[Connection]:
    """
    Connect to a server. To be called in the reactor's thread.

    Args:
        endpoint: A client endpoint, or the server's name, such as ``"localhost:18861"``,
            ``"tls:HOST:PORT"`` or any of Twisted's descriptions: see `txremote.servername`.
            ``"registry:NAME"`` is the first of the places that a registry names as NAME's that can
            be reached, the one that says it is least busy before the others.
        service: This side's service, a `Service` class or an instance; nothing
            if None.
        config: Switches, as a `ConnectionConfig` or a mapping.
        dialect: The wire's dialect: ``"6"`` or ``"5"``, the major version of the
            RPyC at the other end, or ``"auto"`` to find out.
        timeout: Seconds until the connection is there and its root fetched.
        values: The switch ``values`` for this side's service, if not None.
        registry: The registry's URL, or a `Registry`; None: that of ``$TXREMOTE_REGISTRY``.
        reactor: The reactor; the running one if None.

    Returns:
        A Deferred of a `Connection` whose ``root`` is the peer's service. It
        fails with the endpoint's own error, with `ConnectionLost` where the
        peer hangs up or is no RPyC, with TimeoutError; with `NotServed` or
        `RegistryUnreachable` where a registry was asked.

    Raises:
        TypeError: the service is none, or a switch is not known.
        ValueError: the description or the dialect is none.
    """
    reactor = chosen_reactor(reactor)
    if dialect not in ("auto", "5", "6"):
        raise ValueError(f"no dialect {dialect!r}: it is 'auto', '6' or '5'")
    service = VoidService if service is None else service
    check_service(service)
    switches = config_of(service, with_values(make_config(config), values))

    def dial(where: IStreamClientEndpoint) -> Coroutine[Any, Any, Connection]:
        return _Dialling(where, reactor, service, switches).run(dialling_steps(dialect))

    named = server_name(endpoint) if isinstance(endpoint, str) else None
    if named is not None and named.kind == "registry":
        way = connect_found(named, registry, dial, timeout, reactor)
    else:
        check_no_registry(registry, endpoint)
        way = dial(client_endpoint_of(reactor, endpoint))
    dialling = Deferred.fromCoroutine(way)
    if timeout is not None:

        def timed_out(result: Any, seconds: float) -> Any:
            # an endpoint that was still connecting fails with an error of its own
            if isinstance(result, Failure):
                raise TimeoutError(f"no RPyC answer from {endpoint} within {seconds:g} s")
            return result

        dialling.addTimeout(timeout, steady(reactor), timed_out)
    return awaitable(dialling, LoopGuard(reactor))
