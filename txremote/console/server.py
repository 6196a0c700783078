"""
The line console for many clients: `ConsoleService`, and the factory of its clients.

A console asks for no password, and every client may run its commands. So it listens where only
this machine's users come (loopback, or a UNIX socket, which only the account's own processes may
use unless its ``mode=`` says otherwise) or where TLS asks each client for a certificate, and
refuses to listen anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from twisted.application.service import Service as TwistedService
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from txremote.console import DEFAULT_ENDPOINT
from txremote.console.client import ConsoleClient, ConsoleLimits, Encoder
from txremote.console.containers import Container, container_from
from txremote.console.dialogue import PROMPT, Sessions
from txremote.console.tasks import TaskManager
from txremote.eventloop.stop_order import stop_order
from txremote.levels import Logger
from txremote.net.tls import asks_for_certificates
from txremote.net.unixsockets import server_endpoint, take_port
from txremote.peer.connection import is_local
from txremote.peer.naming import address_text
from txremote.refs.clock import steady
from txremote.tasks.keeper import DRAIN
from txremote.work.loops import loop_here

_log = Logger("txremote")

REFUSAL: Final = (
    "every client of a console may run its commands, so it listens only on loopback "
    "(interface=127.0.0.1), on a UNIX socket (unix:PATH), or with TLS that requires "
    "client certificates"
)

# Seconds that clients have to read the last words when the console stops.
_LAST_WORDS: Final = 1.0


def containers_by_name(containers: Iterable[object]) -> dict[str, Container]:
    """Return containers by name, numbered where it is taken. ContainerError, ValueError: none."""
    found: dict[str, Container] = {}
    for each in containers:
        container = container_from(each)
        name, number = container.name, 1
        while name in found:
            number += 1
            name = f"{container.name}{number}"
        found[name] = container
    if not found:
        raise ValueError("a console needs at least one container of commands")
    return found


class ConsoleFactory(Factory):
    """Makes the protocols of a console's clients."""

    noisy = False

    def __init__(
        self,
        manager: TaskManager,
        containers: Mapping[str, Container],
        reactor: IReactorTime,
        limits: ConsoleLimits | None = None,
        prompt: str = PROMPT,
    ) -> None:
        self._prompt = prompt
        self._manager = manager
        self._containers = containers
        self._clock: IReactorTime = steady(reactor)
        self._limits = limits or ConsoleLimits()
        self._encode = Encoder()
        self.clients: set[ConsoleClient] = set()
        self._came: dict[ConsoleClient, tuple[str, float]] = {}  # who, and when
        self._waiting: list[Deferred[None]] = []  # until there are no clients

    def logPrefix(self) -> str:
        """Return its name for Twisted's log."""
        return "txremote console"

    def buildProtocol(self, addr: IAddress | None) -> ConsoleClient:
        """Make the protocol of a new client."""
        owner = address_text(addr)
        sessions = Sessions(self._manager, self._containers, owner, self._prompt)
        client = ConsoleClient(
            sessions, self._clock, self._limits, self._client_ended, self._encode
        )
        client.factory = self
        self.clients.add(client)
        self._came[client] = owner, self._clock.seconds()
        _log.info("{who} has opened the console", who=owner)
        return client

    def _client_ended(self, client: ConsoleClient) -> None:
        self.clients.discard(client)
        who, since = self._came.pop(client)
        seconds = round(self._clock.seconds() - since, 3)
        _log.info("{who} has left the console after {seconds:.1f} s", who=who, seconds=seconds)
        if not self.clients:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)

    async def close_all(self) -> None:
        """Say good-bye to all clients, and drop after a second those that do not read it."""
        if not self.clients:
            return
        for client in list(self.clients):
            client.dismiss("the console stops")
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        late = self._clock.callLater(_LAST_WORDS, self._drop_all)
        await waiting
        if late.active():
            late.cancel()

    def _drop_all(self) -> None:
        for client in list(self.clients):
            client.drop()


async def listen_safely(endpoint: IStreamServerEndpoint, factory: ConsoleFactory) -> IListeningPort:
    """Listen on an endpoint. ValueError if strangers could connect to it."""
    port = await take_port(endpoint, factory, private=True)
    if is_local(port.getHost()) or asks_for_certificates(endpoint):
        return port
    port.stopListening()  # at once: no client has been accepted yet, and none will be
    raise ValueError(REFUSAL)


class ConsoleService(TwistedService):
    """
    A console, and its tasks, as a service of Twisted's.

    Args:
        containers: Containers of commands: classes, instances, modules... A client
            begins with the first, and changes with ``.use NAME``.
        endpoints: Server endpoints, or their descriptions, to listen on.
        manager: The `TaskManager`, perhaps shared with others; its own if None. It is
            stopped with the console.
        limits: The limits of each client.
        drain: Seconds that tasks have to end in when it stops.
        reactor: The reactor; the running one if None.
        name: The beginning of the prompt, if there is one container; plac's ``i`` if empty.

    Attributes:
        manager: The `TaskManager`.
        containers: The containers by name.
        ports: Where it listens: a list of `IListeningPort`.

    Raises:
        ContainerError: one of the containers is none.
        ValueError: there is no container, or a description is none.
    """

    def __init__(
        self,
        *containers: object,
        endpoints: Iterable[str | IStreamServerEndpoint] = (DEFAULT_ENDPOINT,),
        manager: TaskManager | None = None,
        limits: ConsoleLimits | None = None,
        drain: float = DRAIN,
        reactor: Any = None,
        name: str = "",
    ) -> None:
        if reactor is None:
            reactor = loop_here("ConsoleService")
        self.containers = containers_by_name(containers)
        self.manager = TaskManager(reactor=reactor) if manager is None else manager
        self.ports: list[IListeningPort] = []
        self._endpoints: list[tuple[str, IStreamServerEndpoint]] = [
            (each, server_endpoint(reactor, each)) if isinstance(each, str) else (repr(each), each)
            for each in endpoints
        ]
        prompt = f"{name}> " if name else PROMPT
        self._factory = ConsoleFactory(self.manager, self.containers, reactor, limits, prompt)
        self._drain = drain
        self._listening: list[Deferred[None]] = []
        self._starting = False

    def privilegedStartService(self) -> None:
        """Take the ports while twistd has its privileges. ValueError: strangers could connect."""
        failed: list[Failure] = []
        self._starting = True
        for what, endpoint in self._endpoints:
            taking = Deferred.fromCoroutine(listen_safely(endpoint, self._factory))
            taken = taking.addCallback(self._port_taken, what)
            self._listening.append(taken.addErrback(self._not_taken, what, failed))
        self._starting = False
        if failed:
            failed[0].raiseException()

    def startService(self) -> None:
        """Remember the tasks of before; take the ports, unless `privilegedStartService` has."""
        self.manager.restore()
        super().startService()  # type: ignore[no-untyped-call]
        if not self._listening:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        """
        Give the ports back, end the tasks, and close the connections.

        Fires when that is done, a second after ``drain`` at the latest.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        stopping = Deferred.fromCoroutine(self._stop())
        stop_order.keep_for(stopping)  # its tasks may use pools, and clients, until they end
        return stopping

    async def _stop(self) -> None:
        for taking in self._listening:
            taking.cancel()
        self._listening = []
        ports, self.ports = self.ports, []
        await DeferredList([d for port in ports if (d := port.stopListening()) is not None])
        await self.manager.stop(self._drain)
        await self._factory.close_all()

    def _port_taken(self, port: IListeningPort, what: str) -> None:
        self.ports.append(port)
        host = port.getHost()
        where = str(host)
        if isinstance(host, (IPv4Address, IPv6Address)):
            where = f"{host.host}:{host.port}"
        _log.info("txremote console on {where} ({what})", where=where, what=what)

    def _not_taken(self, failure: Failure, what: str, failed: list[Failure]) -> None:
        failed.append(failure)
        if not (self._starting or failure.check(CancelledError)):  # too late to raise it
            _log.failure("the console cannot listen on {what}", failure, what=what)
