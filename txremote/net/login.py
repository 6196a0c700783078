"""
Logging in: who a peer is, by `twisted.cred`.

Where a `twisted.cred.portal.Portal` is served, a connection's root is a
`LoginService`, which has one method::

    root = await conn.root.login("ann", "secret")

What that returns is the portal's avatar: the user's own root object. A stock RPyC
client does the same. Until then nothing else can be reached.

Guessing is slow. A failure is answered no earlier than `FAILURE_DELAY` seconds
after it was asked, whether the user exists or not; each further one from that
address takes twice as long, up to a bound, and after `MOST_FAILURES` a connection
is closed; so is one that cancels an attempt, for that would be a fast guess. One
attempt of a connection is looked at at a time. Passwords are
compared in constant time, and stand in no log, no traceback and no repr.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.interfaces import IRemoteService
from txremote.peer.calls import Clock
from txremote.peer.context import current_call
from txremote.refs.asyncresult import in_reactor
from txremote.service import Service, exposed, instantiate, is_service

_log = Logger("txremote")

#: Seconds that the first failure of an address takes, and how many doublings
#: that may come to.
FAILURE_DELAY = 1.0
MOST_DOUBLINGS = 5

#: How many failures a connection has.
MOST_FAILURES = 3

#: Seconds after which an address's failures are forgotten, and how many addresses
#: are remembered.
FORGOTTEN_AFTER = 300.0
MOST_REMEMBERED = 10_000

#: Longest name and password, in characters.
LONGEST = 1000


@implementer(IUsernamePassword)
class Password:
    """
    A name and a password, as a checker takes them. Shows neither.

    Attributes:
        username: The name, in bytes.
        password: The password, in bytes; for checkers that hash it.
    """

    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        return "<Password>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a password is not copied")

    def checkPassword(self, password: Any) -> bool:
        """
        Compare in constant time (`twisted.cred.credentials.IUsernamePassword`).
        """
        known = password.encode() if isinstance(password, str) else bytes(password)
        return hmac.compare_digest(self.password, known)


@implementer(IRealm)
class ServiceRealm:
    """
    Gives every user a service: a class is made anew for each login, an instance
    is shared.

    Args:
        service: The class, or the instance.
    """

    def __init__(self, service: Any) -> None:
        self.service = service

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """
        Return the service (`twisted.cred.portal.IRealm`).
        """
        if IRemoteService not in interfaces:
            raise NotImplementedError("this realm has services only")
        return IRemoteService, instantiate(self.service), lambda: None


def portal_for(service: Any, checkers: list[ICredentialsChecker]) -> Portal:
    """
    Return the portal of a service whose users all see the same kind of root.

    Args:
        service: A service class, or an instance.
        checkers: Who knows the passwords, as ``--auth`` or
            `twisted.cred.strcred.makeChecker` makes them.
    """
    return Portal(ServiceRealm(service), checkers)


class Guesses:
    """
    Counts the failures of each address, for a listener.

    Args:
        clock: Where time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: OrderedDict[Any, tuple[int, float]] = OrderedDict()

    def failed(self, address: Any) -> float:
        """
        Count a failure.

        Returns:
            How many seconds its answer shall take.
        """
        now = self._clock.seconds()
        host = getattr(address, "host", None)
        count, last = self._counts.pop(host, (0, now))
        if now - last > FORGOTTEN_AFTER:
            count = 0
        self._counts[host] = (count + 1, now)
        if len(self._counts) > MOST_REMEMBERED:
            self._counts.popitem(last=False)
        return FAILURE_DELAY * float(2 ** min(count, MOST_DOUBLINGS))


class LoginService(Service):
    """
    What a peer sees that has not logged in.

    Args:
        portal: Who decides.
        reactor: Where delays come from.
        guesses: Counts failures.
        logged_in: Called with the connection, once it is somebody's.
    """

    ALIASES = ("LOGIN",)
    expects_login = True  # within ``login_timeout``

    def __init__(
        self,
        portal: Portal,
        reactor: Any,
        guesses: Guesses,
        logged_in: Callable[[Any], object],
    ) -> None:
        self._portal = portal
        self._reactor = reactor
        self._guesses = guesses
        self._logged_in = logged_in
        self._failures = 0
        self._busy = False
        self._leave: Callable[[], object] | None = None
        self._avatar: Any = None

    @exposed
    async def login(self, user: Any, password: Any) -> Any:
        """
        Give the user's own root object.

        Raises:
            UnauthorizedLogin: the user or the password is wrong; it does not say
                which.
        """
        connection = current_call().connection
        if type(user) is not str or type(password) is not str:
            raise TypeError("login(user, password) takes two str")
        if self._busy:
            raise UnauthorizedLogin("one login at a time")
        if self._avatar is not None:
            raise UnauthorizedLogin("this connection has logged in")
        self._busy = True
        started = self._reactor.seconds()
        avatar: Any
        try:
            credentials = Password(*(text[:LONGEST].encode() for text in (user, password)))
            del password  # not in a frame that a traceback keeps
            try:
                _interface, avatar, leave = await _unless_cancelled(
                    self._portal.login(credentials, connection, IRemoteService)
                )
            except LoginFailed:
                await self._failed(connection, user, started)
            if connection.closed:
                leave()
                raise UnauthorizedLogin("the connection has ended")
            self._leave = leave
            self._avatar = avatar
        except CancelledError:
            if not connection.closed:
                connection.hang_up("a login was cancelled")
            raise
        finally:
            self._busy = False
        _log.info("{peer} logged in as {user!r}", peer=_peer(connection), user=user[:LONGEST])
        connection.log_in(user, avatar)
        self._logged_in(connection)
        if is_service(avatar):
            # before the next request, and where the service's methods run
            connection.runner.hook(connection, avatar.on_connect)
        return avatar

    async def _failed(self, connection: Any, user: str, started: float) -> NoReturn:
        self._failures += 1
        _log.warn(
            "{peer} failed to log in as {user!r} ({count} of {most})",
            peer=_peer(connection),
            user=user[:LONGEST],
            count=self._failures,
            most=MOST_FAILURES,
        )
        delay = self._guesses.failed(_peer(connection))
        await deferLater(self._reactor, max(0.0, started + delay - self._reactor.seconds()))
        if self._failures >= MOST_FAILURES:
            connection.hang_up(f"{MOST_FAILURES} logins failed")
        raise UnauthorizedLogin("wrong user or password")

    def on_disconnect(self, conn: Any) -> Any:
        """
        Leave: the portal's logout is called, and the avatar's ``on_disconnect``.
        """
        if self._leave is None:
            return None
        leave, self._leave = self._leave, None
        in_reactor(self._reactor, leave)  # this may be a lane's thread
        return self._avatar.on_disconnect(conn) if is_service(self._avatar) else None


def _unless_cancelled(entering: Deferred[Any]) -> Deferred[Any]:
    """
    Return a Deferred of what a portal gives; an avatar that comes when that has
    been cancelled leaves at once.
    """
    outcome: Deferred[Any] = Deferred()

    def entered(result: Any) -> None:
        if not outcome.called:
            outcome.callback(result)
        elif not isinstance(result, Failure):
            result[2]()

    entering.addBoth(entered)
    return outcome


def _peer(connection: Any) -> Any:
    transport: Any = connection.transport
    return transport.getPeer() if transport is not None else None
