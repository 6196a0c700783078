"""
The plugin of a game: what ``TXREMOTE`` names runs while the Server runs.

In ``server/conf/settings.py``::

    SERVER_SERVICES_PLUGIN_MODULES.append("txremote.contrib.evennia.plugin")
    TXREMOTE = {"pool": "processes:2", "listen": "tcp:4010:interface=127.0.0.1"}

Without ``TXREMOTE``, or with ``{}``, nothing listens and no process is started. A mistake in it
is said in the game's log, and the game starts without that part. Other machines are served with TLS
only, for passwords are sent.

How it ends. ``evennia reload``, ``reset`` and ``stop`` call ``at_server_stop``, and a second later
the reactor stops. That second is used: no port listens any more, clients are told that the server
stops (a `txremote.RemoteClient` waits for the next one), and calls under way have `DRAIN` seconds.
Then commands and jobs that have not ended fail, which their callers are told while the Portal is
still connected (see `txremote.contrib.evennia.runtime`), and the worker processes are ended. A job
in a thread is left behind, and ends with the process. A signal comes without that second; the same
is done when the services stop then. Where the Server dies at once (``kill -9``), its workers see
the ends of their pipes and end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.python.reflect import namedAny

from txremote.contrib.evennia.log import quieten
from txremote.contrib.evennia.login import game_portal, settings_of
from txremote.contrib.evennia.runtime import runtime
from txremote.contrib.evennia.settings import GameSettings, read_settings, with_setup
from txremote.daemon.addresses import ListenAddress
from txremote.daemon.hosting import let_go_of
from txremote.daemon.ports import port_of
from txremote.errors import PoolStopped
from txremote.interfaces import IPool
from txremote.levels import Logger
from txremote.net.server_service import ServerService
from txremote.refs.clock import steady
from txremote.servername import listening_description
from txremote.service import check_service
from txremote.work.running import running_pools
from txremote.work.spec import pool_from_string
from txremote.work.threads import ThreadPool

if TYPE_CHECKING:  # the console needs plac
    from txremote.console.server import ConsoleService

T = TypeVar("T")

_log = Logger("txremote.game")

#: Seconds that calls under way have when the server stops, of the one that Evennia gives.
DRAIN: Final = 0.5

#: The name of the service among those of Evennia's Server: ``server.getServiceNamed(NAME)``.
NAME: Final = "txremote"


def start_plugin_services(server: Any) -> None:
    """
    Start what the game's settings name, as a part of its Server; Evennia calls this.

    Args:
        server: Evennia's ``EvenniaServerService``.
    """
    quieten()
    settings, problems = read_settings(getattr(settings_of(), "TXREMOTE", None))
    for problem in problems:
        _log.error("{problem}: left out", problem=problem)
    from twisted.internet import reactor

    game = GameServices(settings, reactor)
    game.setServiceParent(server)  # type: ignore[no-untyped-call]
    # beside at_server_startstop.py: it is called a second before the reactor stops
    server.start_stop_modules.append(_Hooks(game))


class _Hooks:
    """Those of the functions of ``AT_SERVER_STARTSTOP_MODULE`` that are ours, for Evennia."""

    def __init__(self, game: GameServices) -> None:
        self._game = game

    def at_server_stop(self) -> None:
        """Begin to stop."""
        self._game.say_goodbye()


class GameServices(MultiService):
    """
    The parts that run in a game server: its pool, its listeners, its console.

    Each part that cannot be started is told in the log, and the others run.

    Attributes:
        pool: The pool, or None.
        servers: The services that listen for clients.
        console: The console's service, or None.
    """

    def __init__(self, settings: GameSettings, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.setName(NAME)  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._stopping: Deferred[None] | None = None
        self.pool = self._part("the pool", lambda: self._make_pool(settings))
        self.servers = self._part("the listener", lambda: self._make_servers(settings)) or []
        self.console = self._part("the console", lambda: self._make_console(settings))

    def _part(self, what: str, make: Callable[[], T]) -> T | None:
        """Make a part, or tell in the log why it cannot be."""
        try:
            return make()
        except Exception as problem:  # any code of the game's, and any mistake in a description
            known = isinstance(problem, (ValueError, TypeError))
            if known:
                _log.error("TXREMOTE: {what} is left out: {problem}", what=what, problem=problem)
            else:
                _log.failure("TXREMOTE: {what} is left out", what=what)
            return None

    def _make_pool(self, settings: GameSettings) -> IPool | None:
        if settings.pool is None:
            return None
        pool = pool_from_string(with_setup(settings.pool), self._reactor)
        pool.preferred = False  # a job of the game's runs in a thread unless it says otherwise
        return pool

    def _make_servers(self, settings: GameSettings) -> list[ServerService]:
        if not settings.listen:
            return []
        for where in settings.listen:
            _check_private(where)
        service = check_service(namedAny(settings.service))
        root = game_portal(service) if settings.login else service
        return [
            ServerService(where, root, config=settings.config, drain=DRAIN, reactor=self._reactor)
            for where in settings.listen
        ]

    def _make_console(self, settings: GameSettings) -> ConsoleService | None:
        if not settings.console:
            return None
        console_service = namedAny("txremote.ConsoleService")  # it needs plac
        console: ConsoleService = console_service(
            *(namedAny(name) for name in settings.containers),
            endpoints=settings.console,
            drain=DRAIN,
            reactor=self._reactor,
        )
        return console

    def privilegedStartService(self) -> None:
        """Do nothing: a port that is taken is told in the log when the parts are started."""

    def startService(self) -> None:
        """Start the parts: the pool first, which calls may use."""
        super().startService()  # type: ignore[no-untyped-call]
        # else a job that sleeps in a thread keeps the old Server until it wakes
        let_go_of(self._reactor.getThreadPool(), 0.1)
        if self.pool is not None:
            self._started("the pool", self.pool.start)
            runtime.pool = self.pool
        for server in self.servers:
            self._started("the listener", server.startService)
        if self.console is not None:
            runtime.console = self.console
            self._started("the console", self.console.startService)

    def _started(self, what: str, start: Callable[[], object]) -> None:
        def failed(failure: Failure) -> None:
            if not (self._stopping is not None and failure.check(PoolStopped)):
                reason = failure.getErrorMessage()
                _log.error("TXREMOTE: {what} did not start: {why}", what=what, why=reason)

        maybeDeferred(start).addErrback(failed)

    def say_goodbye(self) -> Deferred[None]:
        """Begin to stop everything; the Deferred fires when nothing is left."""
        if self._stopping is None:
            self._stopping = Deferred.fromCoroutine(self._stop())
            self._stopping.addErrback(
                lambda failure: _log.failure("txremote did not stop well", failure)
            )
        mine: Deferred[None] = Deferred()
        self._stopping.addCallback(lambda _none: mine.callback(None))
        return mine

    def stopService(self) -> Deferred[None]:
        """Stop everything (`twisted.application.service.IService`)."""
        super().stopService()  # type: ignore[no-untyped-call]
        # Evennia 6.1: a Server that is slow to end connects to the Portal again, which takes it
        # for the next one
        link = getattr(self.parent, "amp_protocol", None)
        if link is not None:
            link.factory.stopTrying()
        return self.say_goodbye()

    async def _stop(self) -> None:
        draining = [server.stopService() for server in self.servers]
        if self.console is not None:
            draining.append(self.console.stopService())
        over: Deferred[None] = deferLater(steady(self._reactor), DRAIN)
        await DeferredList(
            [_logged(DeferredList([_logged(each) for each in draining])), over],
            fireOnOneCallback=True,
        )
        if not over.called:
            over.addErrback(lambda _cancelled: None)
            over.cancel()
        runtime.stop()
        runtime.pool = None
        for threads in running_pools.pools:
            if isinstance(threads, ThreadPool):
                threads.grace = 0.0  # what they do was told to be over
        if self.pool is not None:
            await _logged(self.pool.stop())
        await DeferredList([_logged(each) for each in draining])


def _check_private(where: str) -> None:
    """Refuse (ValueError) to have other machines log in without TLS."""
    address = ListenAddress(listening_description(where), None)
    port_of(address.description)  # or it is said that this is no port
    if address.exposed and address.is_plain:
        raise ValueError(
            f"{where} would have passwords travel in the clear: listen on this machine alone "
            "(interface=127.0.0.1), on a UNIX socket (unix:PATH), or with TLS "
            "(ssl:PORT:privateKey=FILE:certKey=FILE)"
        )


def _logged(ending: Deferred[Any]) -> Deferred[Any]:
    return ending.addErrback(lambda failure: _log.failure("a part did not stop well", failure))
