"""
The interfaces: whoever says that it implements one does.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IService
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import IRealm
from twisted.cred.strcred import ICheckerFactory
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IPushProducer,
    IReactorFDSet,
    IReactorFromThreads,
    IReactorInThreads,
    IReactorProcess,
    IReactorTime,
    IReadDescriptor,
    IResolutionReceiver,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
    ITransport,
)
from twisted.internet.task import Clock
from twisted.logger import ILogObserver
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyClass, verifyObject

import txremote
from txremote import AsyncResult, IAsyncResult, IRemoteService, Service, VoidService, exposed
from txremote.aio.descriptors import Descriptors
from txremote.aio.endpoints import _Endpoint
from txremote.aio.loop import AsyncioLoop
from txremote.aio.ports import TLSServerEndpoint
from txremote.aio.transport import ConnectionTransport
from txremote.blocking.authentication import AuthenticatingPort
from txremote.blocking.channel_io import PumpTransport
from txremote.buses.host import _Served
from txremote.console.client import ConsoleClient, ConsoleLimits
from txremote.console.terminal import TypedAhead
from txremote.contrib.evennia.interfaces import IAccount, ICharacter, IObject, IRoom
from txremote.contrib.evennia.login import AccountChecker, GameRealm
from txremote.contrib.evennia.root import AccountView, CharacterView, ObjectView, RoomView
from txremote.daemon.workers.control import _Connected
from txremote.daemon.workers.relay import Relay
from txremote.interfaces import IPool, IPoolKind
from txremote.monitor.recentlog import RecentLog
from txremote.monitor.web.events import Stream
from txremote.net.client import RemoteClient
from txremote.net.client_endpoint import ClientEndpoint
from txremote.net.login import AnyOf, Password, ServiceRealm
from txremote.net.tls import Credentials, TLSClientEndpoint, _TLSServerEndpoint
from txremote.net.tls_checks import CheckingClient
from txremote.passwords.checker import ScryptChecker, ScryptFactory
from txremote.peer.connection import Connection
from txremote.peer.outbox import Outbox
from txremote.refs.clock import SteadyCall, SteadyClock
from txremote.registry.asking import _Datagram, _Resolution
from txremote.streams.feed import Feed
from txremote.streams.sinks import ConsumerSink
from txremote.testing import MemoryTransport, connected_pair
from txremote.work.dask.pool import DaskPool
from txremote.work.pipes import _Incoming
from txremote.work.pool import PoolService
from txremote.work.processes import ProcessPool
from txremote.work.spec import PoolKind
from txremote.work.threads import ThreadPool


class Calculator(Service):
    """A service as a user writes it."""

    @exposed
    def add(self, a: int, b: int) -> int:
        """Add."""
        return a + b


class Reading:
    """A reactor that takes readers."""

    def addReader(self, reader: object) -> None:
        """Nothing is read."""


def _incoming() -> _Incoming:
    ends = os.pipe()
    made = _Incoming(None, None, None, ends[0])  # type: ignore[arg-type]
    for end in ends:
        os.close(end)
    return made


def _authenticating_port() -> AuthenticatingPort:
    return AuthenticatingPort(  # type: ignore[call-arg]
        Reading(),
        *[None] * 5,
        accepted=int,
        gone=int,  # type: ignore[arg-type]
    )


def _console_client() -> ConsoleClient:
    sessions: Any = ()
    return ConsoleClient(sessions, Clock(), ConsoleLimits(), lambda _client: None)


IMPLEMENTERS = [
    (IAsyncResult, AsyncResult, lambda: AsyncResult(succeed(5))),
    (IRemoteService, Service, Service),
    (IRemoteService, VoidService, VoidService),
    (IRemoteService, Calculator, Calculator),
    (IPushProducer, Outbox, lambda: Outbox(None, None)),
    (IPushProducer, ConsumerSink, lambda: ConsumerSink(Feed(), list, bool)),
    (ITransport, MemoryTransport, MemoryTransport),
    (ITransport, PumpTransport, lambda: PumpTransport(None)),
    (IStreamClientEndpoint, ClientEndpoint, lambda: ClientEndpoint(Deferred, "nowhere")),
    (IService, RemoteClient, lambda: RemoteClient("tcp:127.0.0.1:1")),
    (IPool, PoolService, lambda: PoolService(None, "a pool")),
    (IPool, ThreadPool, lambda: ThreadPool(None)),
    (IPool, ProcessPool, lambda: ProcessPool(None)),
    (IPool, DaskPool, lambda: DaskPool(None, "tcp://127.0.0.1:1")),
    (IPlugin, PoolKind, lambda: PoolKind("threads", "txremote.work.threads.parse")),
    (IPoolKind, PoolKind, lambda: PoolKind("threads", "txremote.work.threads.parse")),
    (IReadDescriptor, _Incoming, _incoming),
    (IReadDescriptor, AuthenticatingPort, _authenticating_port),
    (IHandshakeListener, Connection, lambda: connected_pair().client),
    (IRealm, ServiceRealm, lambda: ServiceRealm(Calculator)),
    (ICredentialsChecker, AnyOf, lambda: AnyOf([])),
    (IUsernamePassword, Password, lambda: Password(b"ann", b"secret")),
    (
        IStreamServerEndpoint,
        _TLSServerEndpoint,
        lambda: _TLSServerEndpoint(None, None, "nowhere", None),
    ),
    (
        IStreamClientEndpoint,
        TLSClientEndpoint,
        lambda: TLSClientEndpoint(None, None, "nowhere", None),
    ),
    (IOpenSSLServerConnectionCreator, Credentials, lambda: Credentials.__new__(Credentials)),
    (IHalfCloseableProtocol, ConsoleClient, _console_client),
    (IPushProducer, ConsoleClient, _console_client),
    (IReadDescriptor, TypedAhead, lambda: TypedAhead(None, 0, None)),
    (IReactorTime, SteadyClock, lambda: SteadyClock(Clock())),
    (IDelayedCall, SteadyCall, lambda: SteadyCall(SteadyClock(Clock()), 1.0, int)),
    (IReactorFDSet, Descriptors, lambda: Descriptors.__new__(Descriptors)),
    (IReactorProcess, Descriptors, lambda: Descriptors.__new__(Descriptors)),
    (IReactorTime, AsyncioLoop, lambda: AsyncioLoop.__new__(AsyncioLoop)),
    (IReactorFromThreads, AsyncioLoop, lambda: AsyncioLoop.__new__(AsyncioLoop)),
    (IReactorInThreads, AsyncioLoop, lambda: AsyncioLoop.__new__(AsyncioLoop)),
    (ITransport, ConnectionTransport, lambda: ConnectionTransport(None, None)),
    (IConsumer, ConnectionTransport, lambda: ConnectionTransport(None, None)),
    (IStreamClientEndpoint, _Endpoint, lambda: _Endpoint(None)),
    (IStreamServerEndpoint, TLSServerEndpoint, lambda: TLSServerEndpoint(None, None)),
    (ICredentialsChecker, AccountChecker, AccountChecker),
    (IRealm, GameRealm, lambda: GameRealm(Service)),
    (ILogObserver, RecentLog, RecentLog),
    (IPushProducer, Stream, lambda: Stream.__new__(Stream)),
    (ICredentialsChecker, ScryptChecker, lambda: ScryptChecker.__new__(ScryptChecker)),
    (ICheckerFactory, ScryptFactory, ScryptFactory),
    (IOpenSSLClientConnectionCreator, CheckingClient, lambda: CheckingClient(None, "localhost")),
    (IObject, ObjectView, lambda: ObjectView(None, None)),
    (IRoom, RoomView, lambda: RoomView(None, None)),
    (ICharacter, CharacterView, lambda: CharacterView(None, None)),
    (IAccount, AccountView, lambda: AccountView(None)),
    (ILogObserver, Relay, lambda: Relay(None)),
    (IStreamClientEndpoint, _Connected, lambda: _Connected.__new__(_Connected)),
    (IPushProducer, _Served, lambda: _Served.__new__(_Served)),
    (IReadDescriptor, _Datagram, lambda: _Datagram.__new__(_Datagram)),
    (IResolutionReceiver, _Resolution, lambda: _Resolution("localhost")),
    (IConsumer, Feed, Feed),
]


@pytest.mark.parametrize(
    ("interface", "implementer", "make"),
    IMPLEMENTERS,
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_implementer_has_what_its_interface_asks_for(
    interface: InterfaceClass, implementer: type, make: Any
) -> None:
    """Methods, their signatures and the attributes, in the class and in an object of it."""
    verifyClass(interface, implementer)
    verifyObject(interface, make())
    assert interface.implementedBy(implementer)


def test_every_implementer_is_verified() -> None:
    """Whatever class of ours has an ``@implementer`` stands in the table above."""
    package = Path(txremote.__file__).parent
    found = {
        node.name
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and getattr(mark.func, "id", None) == "implementer"
    }
    assert found - {kind.__name__ for _interface, kind, _make in IMPLEMENTERS} == set()


def test_any_deferred_can_be_adapted() -> None:
    """``IAsyncResult(deferred)`` shows it as RPyC shows a result."""
    waiting: Deferred[int] = Deferred()
    result = IAsyncResult(waiting)
    assert isinstance(result, AsyncResult)
    assert result.pending
    waiting.callback(5)
    assert result.ready
    assert result.value == 5
    failed = IAsyncResult(Deferred(None))
    assert not failed.ready
    assert IAsyncResult(_failing()).error


def _failing() -> Deferred[Any]:
    failing: Deferred[Any] = Deferred()
    failing.errback(Failure(ValueError("no")))
    return failing


def test_a_result_is_its_own_adapter() -> None:
    """What is one already is given back."""
    result = AsyncResult(succeed(5))
    assert IAsyncResult(result) is result


def test_what_is_neither_cannot_be_adapted() -> None:
    """A plain value is no result that is still to come."""
    with pytest.raises(TypeError, match="Could not adapt"):
        IAsyncResult(5)


def test_a_foreign_service_need_not_say_anything() -> None:
    """RPyC's service shape is enough to be hosted: the two methods, no declaration."""

    class Foreign:
        def on_connect(self, conn: Any) -> None:
            pass

        def on_disconnect(self, conn: Any) -> None:
            pass

    assert not IRemoteService.providedBy(Foreign())
    verifyObject(IRemoteService, Foreign(), tentative=True)
