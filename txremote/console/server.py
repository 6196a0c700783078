"""
The line console for many clients: `ConsoleService`, and the factory of its clients.

Each client has sessions of its own over one `TaskManager`, so all see the same tasks.
Whoever gets at a console may run its commands, and nobody is asked for a password;
so it listens where only this machine's users come (loopback, or a UNIX socket, which
only the account's own processes may use unless its ``mode=`` says otherwise) or where
TLS asks each client for a certificate, and refuses to listen anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from twisted.application.service import Service as TwistedService
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from txremote.console import DEFAULT_ENDPOINT
from txremote.console.client import ConsoleClient, ConsoleLimits
from txremote.console.containers import Container, container_from
from txremote.console.dialogue import Sessions
from txremote.console.tasks import TaskManager
from txremote.net.tls import asks_for_certificates
from txremote.net.unixsockets import server_endpoint, take_port
from txremote.peer.connection import is_local
from txremote.refs.clock import steady
from txremote.tasks.keeper import DRAIN

_log = Logger("txremote")

REFUSAL: Final = (
    "a console lets whoever connects run its commands: it listens on loopback "
    "(interface=127.0.0.1), on a UNIX socket (unix:PATH), or with TLS that requires "
    "client certificates"
)

# Seconds that clients have to read the last words when the console stops.
_LAST_WORDS: Final = 1.0


def containers_by_name(containers: Iterable[Any]) -> dict[str, Container]:
    """
    Return containers by name. Where two have the same one, the second gets a number.

    Args:
        containers: What `container_from` takes.

    Raises:
        ContainerError: one of them is none.
        ValueError: there are none at all.
    """
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
    """
    Makes the connections of a console.

    Args:
        manager: The `TaskManager`.
        containers: Containers by name; see `containers_by_name`.
        reactor: The reactor they live in.
        limits: What each client may use.

    Attributes:
        clients: Those that are connected.
    """

    noisy = False

    def __init__(
        self,
        manager: TaskManager,
        containers: Mapping[str, Container],
        reactor: Any,
        limits: ConsoleLimits | None = None,
    ) -> None:
        self._manager = manager
        self._containers = containers
        self._reactor = reactor
        self._limits = limits or ConsoleLimits()
        self.clients: set[ConsoleClient] = set()
        self._empty: list[Deferred[None]] = []

    def buildProtocol(self, addr: Any) -> ConsoleClient:
        """Make one."""
        sessions = Sessions(self._manager, self._containers)
        client = ConsoleClient(sessions, steady(self._reactor), self._limits, self._client_ended)
        client.factory = self
        self.clients.add(client)
        return client

    def _client_ended(self, client: ConsoleClient) -> None:
        self.clients.discard(client)
        if not self.clients:
            waiting, self._empty = self._empty, []
            for each in waiting:
                each.callback(None)

    async def close_all(self) -> None:
        """Say good-bye to all clients; who does not listen is dropped after a second."""
        if not self.clients:
            return
        for client in list(self.clients):
            client.dismiss("the console stops")
        waiting: Deferred[None] = Deferred()
        self._empty.append(waiting)
        late = steady(self._reactor).callLater(_LAST_WORDS, self._drop_all)
        await waiting
        if late.active():
            late.cancel()

    def _drop_all(self) -> None:
        for client in list(self.clients):
            client.drop()


async def listen_safely(endpoint: IStreamServerEndpoint, factory: ConsoleFactory) -> IListeningPort:
    """
    Listen on an endpoint, unless anybody could come.

    Raises:
        CannotListenError: it is taken.
        ValueError: strangers could connect to it.
    """
    port = await take_port(endpoint, factory, private=True)
    if is_local(port.getHost()) or asks_for_certificates(endpoint):
        return port
    port.stopListening()  # at once: nobody has been accepted yet, and nobody will be
    raise ValueError(REFUSAL)


class ConsoleService(TwistedService):
    """
    A console, and its tasks, as a service of Twisted's.

    Args:
        containers: What the commands are in: classes, instances, modules... A client
            begins with the first, and changes with ``.use NAME``.
        endpoints: Where it listens: server endpoints, or their descriptions.
        manager: The `TaskManager` whose tasks these are, shared with others; its own
            if None. It is stopped with the console.
        limits: What each client may use.
        drain: Seconds that tasks have to end in when it stops.
        reactor: The reactor; the running one if None.

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
        *containers: Any,
        endpoints: Iterable[str | IStreamServerEndpoint] = (DEFAULT_ENDPOINT,),
        manager: TaskManager | None = None,
        limits: ConsoleLimits | None = None,
        drain: float = DRAIN,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self.containers = containers_by_name(containers)
        self.manager = TaskManager(reactor=reactor) if manager is None else manager
        self.ports: list[IListeningPort] = []
        self._endpoints: list[tuple[str, Any]] = [
            (each, server_endpoint(reactor, each)) if isinstance(each, str) else (repr(each), each)
            for each in endpoints
        ]
        self._factory = ConsoleFactory(self.manager, self.containers, reactor, limits)
        self._drain = drain
        self._listening: list[Deferred[Any]] = []
        self._starting = False

    def privilegedStartService(self) -> None:
        """
        Take the ports, before twistd gives up its privileges.

        Raises:
            CannotListenError: one is taken.
            ValueError: strangers could connect to one.
        """
        failed: list[Failure] = []
        self._starting = True
        for what, endpoint in self._endpoints:
            taking = Deferred.fromCoroutine(listen_safely(endpoint, self._factory))
            taking.addCallback(self._port_taken, what)
            taking.addErrback(self._not_taken, what, failed)
            self._listening.append(taking)
        self._starting = False
        if failed:
            failed[0].raiseException()

    def startService(self) -> None:
        """Take the ports, where nobody asked for that before."""
        super().startService()  # type: ignore[no-untyped-call]
        if not self._listening:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        """
        Give the ports back, end the tasks, and part from the clients.

        Returns:
            A Deferred that fires when that is done: a second after ``drain``, at the
            latest.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

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
        host: Any = port.getHost()
        where = f"{host.host}:{host.port}" if hasattr(host, "port") else str(host)
        _log.info("txremote console on {where} ({what})", where=where, what=what)

    def _not_taken(self, failure: Failure, what: str, failed: list[Failure]) -> None:
        failed.append(failure)
        if not (self._starting or failure.check(CancelledError)):  # too late to raise it
            _log.failure("the console cannot listen on {what}", failure, what=what)
