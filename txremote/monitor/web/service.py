"""
The admin site as a service: it listens from start to stop, where strangers cannot connect.

The port is taken before twistd gives up its privileges, the token's file is made after that, so it
belongs to the user that the server runs as. The site answers until everything else has stopped:
what a drain waits for can be watched.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from twisted.application.service import Service as TwistedService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IReactorCore, IStreamServerEndpoint
from twisted.logger import Logger as TwistedLogger
from twisted.python.failure import Failure

from txremote.levels import Logger
from txremote.monitor.monitor import Monitor
from txremote.monitor.web.guards import Guard
from txremote.monitor.web.site import AdminSite, Exposition
from txremote.monitor.web.tokenfile import TokenFile
from txremote.net.listen import address_of_port, listen_guarded
from txremote.refs.clock import steady

_log = Logger("txremote")
_always = TwistedLogger("txremote")  # whatever the levels are: nothing else names the token's file

#: Why the site does not listen somewhere.
REFUSAL: Final = (
    "the admin site shows who does what: it is served on loopback (interface=127.0.0.1), on a UNIX "
    "socket of mode 0600 (unix:PATH), or with TLS that requires client certificates "
    "(tls:PORT:cert=FILE:ca=FILE)"
)


class AdminService(TwistedService):
    """
    Serves the admin site. For the reactor's thread.

    Args:
        endpoint: Where it listens.
        description: The same, in words.
        token: The token's file; None for a UNIX socket that only this account can use.
        secure: Whether clients speak TLS.
        exposition: Gives the metrics.

    Attributes:
        ports: The port that it listens on, in a list; empty while it does not.
    """

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        description: str,
        monitor: Monitor,
        *,
        token: TokenFile | None,
        secure: bool,
        exposition: Exposition,
        reactor: IReactorCore,
    ) -> None:
        self.description = description
        self.ports: list[IListeningPort] = []
        self._endpoint = endpoint
        self._monitor = monitor
        self._token = token
        self._secure = secure
        nobody = Guard(secrets.token_bytes())  # until the start, when there is a token
        self.site = AdminSite(monitor, nobody, exposition, steady(reactor))
        self._taking: Deferred[None] | None = None

    def privilegedStartService(self) -> None:
        """
        Take the port.

        Raises:
            CannotListenError, OSError: it is taken, or cannot be had.
            ValueError: strangers could connect to it.
        """
        raised: list[Failure] = []
        at_once = True

        def not_taken(failure: Failure) -> None:
            if at_once:
                raised.append(failure)
            else:
                _log.failure(
                    "the admin site cannot listen on {what}", failure, what=self.description
                )

        self._taking = Deferred.fromCoroutine(self._take()).addErrback(not_taken)
        at_once = False
        if raised:
            self._taking = None
            raised[0].raiseException()

    async def _take(self) -> None:
        self.ports.append(await listen_guarded(self._endpoint, self.site, REFUSAL))

    def startService(self) -> None:
        """Make the token, and let those in who know it. Raises BadToken: it cannot be had."""
        if self._taking is None:
            self.privilegedStartService()
        token = None if self._token is None else self._token.take()
        self.site.guard = Guard(token, any_host=token is None or self._secure, secure=self._secure)
        super().startService()  # type: ignore[no-untyped-call]
        _always.info("{where}", where=self._told())

    def _told(self) -> str:
        where = ", ".join(address_of_port(port) for port in self.ports) or self.description
        if not where.startswith("unix:"):
            where = f"http{'s' if self._secure else ''}://{where}/"
        if self._token is None:
            return f"the admin site is on {where}"
        return f"the admin site is on {where}, its token in {self._token.path}"

    def stopService(self) -> Deferred[Any]:
        """Drop everybody and give the port back; fires when that is done."""
        super().stopService()  # type: ignore[no-untyped-call]
        ports, self.ports = self.ports, []
        self.site.streams.end_all()
        self._taking = None
        stopping = [closed for port in ports if (closed := port.stopListening()) is not None]
        self.site.drop_all()
        if self._token is not None:
            self._token.remove()
        return DeferredList(stopping, consumeErrors=True)
