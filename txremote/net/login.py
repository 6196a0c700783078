"""
Logging in, by `twisted.cred`.

Where a `twisted.cred.portal.Portal` is served, a connection's root is a `LoginService`. Its
``login(user, password)`` returns the portal's avatar: the user's own root object. Until then
nothing else can be reached.

Guessing is slow, for an address as a whole (`txremote.eventloop.login_throttle`); an attempt
waits for its turn within ``login_timeout``. A failure is answered after its delay, whether the
user exists or not, and also where the checker or the realm has failed: then the log tells
how, and the peer gets a number to look for. After `MOST_FAILURES` a connection is closed; so
is one that cancels an attempt. One attempt of a connection is checked at a time. Passwords
are compared in constant time, and stand in no log, no traceback and no repr.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from contextvars import copy_context
from secrets import token_hex
from typing import Any, NoReturn

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed, Unauthorized, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.eventloop.login_throttle import LoginThrottle, Turn
from txremote.interfaces import IRemoteService
from txremote.levels import Logger
from txremote.peer.connection import Connection
from txremote.peer.context import current_call
from txremote.peer.naming import address_text
from txremote.refs.clock import EventLoop, steady
from txremote.refs.reactorthread import in_reactor
from txremote.refs.sharing import follow
from txremote.service import Service, exposed, instantiate, is_service
from txremote.wire.exceptions import format_traceback

_log = Logger("txremote")

#: How many failures a connection has.
MOST_FAILURES = 3

#: Longest name and password, in bytes of UTF-8.
LONGEST = 1000


@implementer(IUsernamePassword)
class Password:
    """A name and a password, as a checker takes them. Shows neither."""

    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        return "<Password>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a password is not copied")

    def checkPassword(self, password: Any) -> bool:
        """Compare in constant time (`twisted.cred.credentials.IUsernamePassword`)."""
        known = password.encode() if isinstance(password, str) else password
        return hmac.compare_digest(self.password, known)

    def left_out_of(self, text: str) -> str:
        """Return a text without the password, however it is spelled there."""
        word = self.password.decode("utf-8", "surrogatepass")
        for spelled in (word, repr(word)[1:-1], ascii(word)[1:-1], repr(self.password)[2:-1]):
            if spelled:
                text = text.replace(spelled, "[password]")
        return text


@implementer(IRealm)
class ServiceRealm:
    """Gives every user a service: a class is made anew for each login, an instance is shared."""

    def __init__(self, service: object) -> None:
        self.service = service

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: object) -> Any:
        """Return the service (`twisted.cred.portal.IRealm`)."""
        if IRemoteService not in interfaces:
            raise NotImplementedError("this realm has services only")
        return IRemoteService, instantiate(self.service), lambda: None


def portal_for(service: object, checkers: list[ICredentialsChecker]) -> Portal:
    """Return the portal of a service, a class or an instance, that all users have as root."""
    asked = checkers if len(checkers) == 1 else [AnyOf(checkers)]
    return Portal(ServiceRealm(service), asked)


@implementer(ICredentialsChecker)
class AnyOf:
    """
    Asks several checkers in their order, until one knows the user. A `Portal` by itself asks
    only the last of those that take the same credentials.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, checkers: list[ICredentialsChecker]) -> None:
        self._checkers = tuple(checkers)

    def requestAvatarId(self, credentials: object) -> Deferred[Any]:
        """Ask (`twisted.cred.checkers.ICredentialsChecker`)."""
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: object) -> object:
        for checker in self._checkers:
            try:
                return await follow(maybeDeferred(checker.requestAvatarId, credentials))
            except (LoginFailed, Unauthorized):
                continue
        raise UnauthorizedLogin


class LoginService(Service):
    """The root of a peer that has not logged in; ``logged_in`` is called when it has."""

    ALIASES = ("LOGIN",)
    expects_login = True  # within ``login_timeout``

    def __init__(
        self,
        portal: Portal,
        reactor: EventLoop,
        throttle: LoginThrottle,
        logged_in: Callable[[Connection], object],
    ) -> None:
        self._portal = portal
        self._reactor = reactor
        self._throttle = throttle
        self._logged_in = logged_in
        self._failures = 0
        self._busy = False
        self._leave: Callable[[], object] | None = None
        self._avatar: Any = None

    @exposed
    def login(self, user: object, password: object) -> Deferred[Any]:
        """
        Give the user's own root object.

        Raises:
            UnauthorizedLogin: the user or the password is wrong; it does not say which.
            ConnectionRefusedError: too many logins of the address wait.
            RuntimeError: the portal has failed; the log says how, under this one's number.
        """
        connection = current_call().connection
        assert isinstance(connection, Connection)
        if type(user) is not str or type(password) is not str:
            # each is an event in the log, of which nobody may make many
            in_reactor(self._reactor, lambda: self._count(connection))
            raise TypeError("login(user, password) takes two str")
        user = user[: LONGEST + 1]  # it may have to wait, and what is longer is wrong
        # here, so that it is in no frame that a traceback keeps
        credentials = Password(_encoded(user), _encoded(password[: LONGEST + 1]))
        begun: list[Deferred[object]] = []
        answer: Deferred[object] = Deferred(lambda _answer: begun[0].cancel())

        def begin() -> None:
            begun.append(Deferred.fromCoroutine(self._log_in(connection, user, credentials)))
            begun[0].addErrback(_bare).chainDeferred(answer)

        context = copy_context()
        # a threaded service's methods run in a worker thread
        in_reactor(self._reactor, lambda: context.run(begin))
        return answer

    async def _log_in(self, connection: Connection, user: str, credentials: Password) -> object:
        if self._failures >= MOST_FAILURES:
            raise UnauthorizedLogin(f"{MOST_FAILURES} logins failed")
        if self._busy:
            raise UnauthorizedLogin("one login at a time")
        if self._avatar is not None:
            raise UnauthorizedLogin("this connection has logged in")
        self._busy = True
        before = copy_context()
        try:
            avatar, leave = await self._enter(connection, user, credentials)
        except CancelledError:
            if not connection.closed:
                connection.closing.hang_up("a login was cancelled")
            raise
        finally:
            self._busy = False
        if connection.closed:
            _let_go(leave)
            raise UnauthorizedLogin("the connection has ended")
        self._avatar, self._leave = avatar, leave
        where = address_text(connection.peer)
        _log.info("{peer} logged in as {user!r}", peer=where, user=user[:LONGEST])
        # what the checker or the realm has set is there for the calls that come
        assert connection.inbound.variables is not None  # an executor with a loop gives some
        connection.inbound.variables.keep(before, copy_context())
        connection.log_in(user, avatar)
        self._logged_in(connection)
        if is_service(avatar):
            # before the next request, and where the service's methods run
            connection.executor.call_hook(connection, avatar.on_connect)
        return avatar

    async def _enter(
        self, connection: Connection, user: str, credentials: Password
    ) -> tuple[Any, Callable[[], object]]:
        """Wait for this attempt's turn, and ask the portal for the avatar and its logout."""
        address = connection.peer
        try:
            turn = await self._throttle.turn(address, user)
        except ConnectionRefusedError:
            self._count(connection)
            raise
        try:
            [found] = await _unless_cancelled(self._ask(connection, credentials))
        except CancelledError:  # by the peer, or since it has gone
            turn.failed()
            raise
        if isinstance(found, Failure):
            await self._failed(connection, credentials, found, turn)
        self._throttle.logged_in(address, user)
        turn.succeeded()
        avatar, leave = found
        return avatar, leave

    def _ask(self, connection: Connection, credentials: Password) -> Deferred[object]:
        """Return a Deferred of the avatar and its logout."""

        def ask() -> Any:
            if max(len(credentials.username), len(credentials.password)) > LONGEST:
                raise UnauthorizedLogin("longer than any")
            return self._portal.login(credentials, connection, IRemoteService)

        def entered(result: Any) -> Any:
            _interface, avatar, leave = result
            return avatar, leave

        return maybeDeferred(ask).addCallback(entered)

    def _count(self, connection: Connection) -> None:
        self._failures += 1
        if self._failures == MOST_FAILURES:
            # not now: the answer to this one comes first
            steady(self._reactor).callLater(
                0, connection.closing.hang_up, f"{MOST_FAILURES} logins failed"
            )

    async def _failed(
        self, connection: Connection, credentials: Password, failure: Failure, turn: Turn
    ) -> NoReturn:
        peer = address_text(connection.peer)
        user = credentials.username.decode("utf-8", "replace")[:LONGEST]
        told: Exception = UnauthorizedLogin("wrong user or password")
        if failure.check(LoginFailed, Unauthorized):
            _log.warn(
                "{peer} failed to log in as {user!r} ({count} of {most})",
                peer=peer,
                user=user,
                count=self._failures + 1,
                most=MOST_FAILURES,
            )
        else:
            reference = token_hex(4)
            told = RuntimeError(f"login is not possible just now, reference {reference}")
            error: Any = failure.value
            # as text: an error of a database may tell all that it was asked; with what it came
            # of, unless a Deferred has taken that away
            lost = error.__traceback__ is None
            _log.error(
                "{peer} could not log in as {user!r}, reference {reference}\n{traceback}",
                peer=peer,
                user=user,
                reference=reference,
                traceback=credentials.left_out_of(
                    failure.getTraceback() if lost else format_traceback(error)
                ),
            )
        await deferLater(steady(self._reactor), turn.failed())
        self._count(connection)
        raise told

    def on_disconnect(self, conn: object) -> Any:
        """Leave: the portal's logout is called, and the avatar's ``on_disconnect``."""
        if self._leave is None:
            return None
        leave, self._leave = self._leave, None
        in_reactor(self._reactor, lambda: _let_go(leave))  # this may be a lane's thread
        return self._avatar.on_disconnect(conn) if is_service(self._avatar) else None


def _encoded(text: str) -> bytes:
    # half a surrogate pair is in no name or password, and no error that would show it
    return text.encode("utf-8", "surrogatepass")


def _bare(failure: Failure) -> Failure:
    """Return a refusal without its traceback and causes: it is for strangers."""
    if not failure.check(UnauthorizedLogin, ConnectionRefusedError, RuntimeError):
        return failure
    error: Any = failure.value
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return Failure(error)


def _let_go(leave: Callable[[], object]) -> None:
    """Call a portal's logout; what it raises is logged."""
    left = follow(maybeDeferred(leave))
    left.addErrback(lambda failure: _log.failure("a logout failed", failure))


def _unless_cancelled(entering: Deferred[Any]) -> Deferred[Any]:
    """
    Return a Deferred of what a portal gives, which may be a Failure, in a list: the portal's own
    CancelledError is not the peer's. An avatar that comes after a cancellation leaves at once.
    """
    outcome: Deferred[object] = Deferred()

    def entered(result: Any) -> None:
        if not outcome.called:
            outcome.callback([result])
        elif not isinstance(result, Failure):
            _let_go(result[1])

    entering.addBoth(entered)
    return outcome
