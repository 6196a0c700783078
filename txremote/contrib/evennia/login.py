"""
Logging in with the game's accounts, and what needs which permission.

`AccountChecker` is a checker of `twisted.cred`: name and password are those of the game's
``connect`` command, and so are Evennia's rules, all of ``Account.authenticate``: banned names and
addresses are refused, and failures count against the address in Evennia's own throttle, beside
txremote's (`txremote.net.login`). Hashing a password takes a third of a second by design, so it is
done in a thread, and the game goes on. The account itself is read in the reactor's thread: Evennia
keeps one object for each account, and no other thread is to make it.

A login makes no session of the game's: the account does not appear in ``who`` by it, and its
login hooks are not called. ``boot`` does not end it. An account that is deleted or made
inactive loses what it has from the next call on, and one that is banned within a second.

`needs` stands above a method that only some accounts may call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from txremote.contrib.evennia.ports import Account, Thing
from txremote.gate.threaded import ThreadedMethod
from txremote.interfaces import IRemoteService
from txremote.peer.context import current_call
from txremote.service import instantiate

P = ParamSpec("P")
T = TypeVar("T")
Row = TypeVar("Row", Account, Thing)


@implementer(ICredentialsChecker)
class AccountChecker:
    """
    Checks a name and a password as the game does; gives the account's number in the database.

    For a portal of your own: ``Portal(realm, [AccountChecker()])``. For the reactor's thread.
    """

    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Check them (`twisted.cred.checkers.ICredentialsChecker`).

        Returns:
            A Deferred of the account's id; UnauthorizedLogin where Evennia refuses them.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> int:
        from django.db import close_old_connections
        from evennia.accounts.models import AccountDB
        from evennia.utils.utils import class_from_module

        name = _text(credentials.username)
        password = _text(credentials.password)
        # here, so that the thread finds it in Evennia's cache, and makes no second object of it
        known = AccountDB.objects.get_account_from_name(name)
        if known is not None and not known.is_active:
            raise UnauthorizedLogin
        account_class = class_from_module(settings_of().BASE_ACCOUNT_TYPECLASS)
        account_id = await deferToThread(
            _authenticate,
            account_class.authenticate,
            name,
            password,
            _address(),
            close_old_connections,
        )
        if account_id is None:
            raise UnauthorizedLogin
        return account_id


def settings_of() -> Any:
    """Return Django's settings. For where Django may not be set up yet when this is imported."""
    from django.conf import settings

    return settings


def _authenticate(
    authenticate: Callable[..., tuple[Account | None, object]],
    name: str,
    password: str,
    address: str,
    close: Callable[[], object],
) -> int | None:
    """Do as Evennia's login does, in a thread; the errors are for its log alone."""
    try:
        account, _errors = authenticate(name, password, ip=address)
        return None if account is None else account.pk
    finally:
        close()  # of this thread: the database may have been restarted when it is asked again


def _address() -> str:
    """Return the address of the client that logs in, which Evennia's bans and throttle go by."""
    try:
        peer = current_call().peer
    except RuntimeError:  # the checker is used by another program's portal
        return ""
    return str(getattr(peer, "host", None) or "127.0.0.1")  # a UNIX socket: this machine


def _text(given: bytes | str) -> str:
    return given.decode("utf-8", "surrogatepass") if isinstance(given, bytes) else given


@implementer(IRealm)
class GameRealm:
    """
    Gives each account a root: an object of a class, made anew for each login.

    Args:
        service: The class, a `txremote.Service`; an instance of it is shared by all. A class is
            called without arguments, and ``account`` is set on what it gives.
    """

    def __init__(self, service: Any) -> None:
        self.service = service

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: object) -> Any:
        """Return the root of an account (`twisted.cred.portal.IRealm`)."""
        from evennia.accounts.models import AccountDB

        if IRemoteService not in interfaces:
            raise NotImplementedError("this realm has services only")
        account = AccountDB.objects.filter(pk=avatarId).first()
        if account is None or not account.is_active:
            raise UnauthorizedLogin
        root = instantiate(self.service)
        if isinstance(self.service, type):
            root.account = account
        return IRemoteService, root, lambda: None


def game_portal(service: Any) -> Portal:
    """Return a portal to a service for those who have an account in the game."""
    return Portal(GameRealm(service), [AccountChecker()])


def account_of_call() -> Account:
    """
    Return the account whose client has made the call that is being answered.

    Raises:
        PermissionError: nobody has logged in, or the account is no more.
    """
    account = getattr(current_call().avatar, "account", None)
    if account is None:
        raise PermissionError("only for those who have logged in")
    return still_there(account)


def still_there(account: Account) -> Account:
    """
    Return an account as it is now.

    Raises:
        PermissionError: it was deleted, banned or made inactive.
    """
    own = as_it_is(account)
    if own is None or not own.is_active:
        raise PermissionError("this account is no more")
    if _bans.has(own, _address()):
        raise PermissionError("this account or its address is banned")
    return own


class _Bans:
    """The bans, as the database has had them within a second: to ask it takes long."""

    def __init__(self) -> None:
        self._until = 0.0
        self._known: dict[tuple[str, str], bool] = {}

    def has(self, account: Account, address: str) -> bool:
        """Tell whether an account's name or an address is banned."""
        now = time.monotonic()
        if now >= self._until:
            self._until = now + 1.0
            self._known = {}
        asked = account.key, address
        if asked not in self._known:
            self._known[asked] = account.is_banned(username=account.key, ip=address)
        return self._known[asked]


_bans = _Bans()


def is_there(account: Account) -> bool:
    """Tell whether an account is as `still_there` has it, outside of its calls."""
    own = as_it_is(account)
    return own is not None and own.is_active and not _bans.has(own, "")


def as_it_is(found: Row) -> Row | None:
    """
    Return the Server's own object of a row, or None: it was deleted.

    Evennia empties its cache now and then, and makes another object of the row afterwards. The one
    before it stays as it was then.
    """
    if found.pk is None:
        return None
    model: Any = type(found)
    own: Row | None = model.get_cached_instance(found.pk)
    return model._base_manager.filter(pk=found.pk).first() if own is None else own


def may(account: Account, permission: str) -> bool:
    """
    Tell whether an account has a permission, or passes a lock.

    Args:
        account: The account.
        permission: A permission, such as ``"Builder"``, which higher ones include; or the
            functions of a lock string, such as ``"perm(Builder) or tag(herald)"``.
    """
    if "(" in permission:
        return bool(account.locks.check_lockstring(account, f"remote:{permission}"))
    return bool(account.check_permstring(permission))


def needs(permission: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """
    Let only accounts with a permission call an exposed method::

        @exposed
        @needs("Builder")
        def weather(self, text: str) -> None: ...

    It is asked at each call, so a permission that is taken away is gone at once. Superusers may
    do everything. It goes with ``async def``, generators and plain methods; below `threaded`.

    Args:
        permission: As for `may`.

    Raises (the method does):
        PermissionError: the caller's account lacks it, or nobody has logged in.
    """
    if not isinstance(permission, str) or not permission.strip():
        raise TypeError('needs("Builder"): a permission, or the functions of a lock string')

    def guarded(method: Callable[P, T]) -> Callable[P, T]:
        if not callable(method) or isinstance(method, ThreadedMethod):
            raise TypeError("@needs stands directly above a def, below @threaded and @exposed")

        @wraps(method)
        def ask_first(*args: P.args, **kwargs: P.kwargs) -> T:
            if not may(account_of_call(), permission):
                raise PermissionError(f"{method.__name__}() needs {permission}")
            return method(*args, **kwargs)

        return ask_first

    return guarded
