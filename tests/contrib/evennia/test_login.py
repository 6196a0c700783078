"""
What needs which permission. Logins themselves are tried in `test_plugin`, in a game.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from txremote import Service, exposed, threaded
from txremote.contrib.evennia.login import needs
from txremote.testing import connected_pair


class Account:
    """As far as `needs` knows an account of Evennia's."""

    cache: ClassVar[dict[int, Account]] = {}

    def __init__(self, *permissions: str, name: str = "ann", is_active: bool = True) -> None:
        self.permissions = permissions
        self.key = name
        self.is_active = is_active
        self.locks = self
        self.pk: int | None = len(self.cache)
        self.cache[self.pk] = self

    @classmethod
    def get_cached_instance(cls, number: int) -> Account:
        """Evennia's idmapper."""
        return cls.cache[number]

    def is_banned(self, *, username: str, ip: str) -> bool:
        """Evennia asks the list of ``ban``."""
        return username == "bob"

    def check_permstring(self, permission: str) -> bool:
        """Evennia's own has the hierarchy of permissions."""
        return permission in self.permissions

    def check_lockstring(self, account: Account, lock: str) -> bool:
        """Evennia's lock handler."""
        return account is self and lock == "remote:perm(Herald) or false()"


class Guarded(Service):
    """Methods for some."""

    @exposed
    @needs("Builder")
    def build(self, what: str) -> str:
        """For builders."""
        return f"built {what}"

    @needs("perm(Herald) or false()")
    @exposed
    async def proclaim(self) -> str:
        """For those who pass a lock."""
        return "proclaimed"


def as_account(account: object) -> Any:
    """Return a pair whose client has logged in."""
    pair: Any = connected_pair(server_root=Guarded)
    pair.server.log_in("ann", SimpleNamespace(account=account))
    return pair


def test_those_who_have_the_permission_or_pass_the_lock_may() -> None:
    """Signatures, coroutines and the order of decorators are as without it."""
    pair = as_account(Account("Builder"))
    assert pair.result(pair.client.root.build("a wall")) == "built a wall"
    assert pair.result(pair.client.root.proclaim()) == "proclaimed"


@pytest.mark.parametrize(
    ("account", "why"),
    [
        (Account("Player"), r"build\(\) needs Builder"),
        (None, "only for those who have logged in"),
        (Account("Builder", is_active=False), "this account is no more"),
        (Account("Builder", name="bob"), "this account or its address is banned"),
    ],
)
def test_others_are_refused_at_each_call(account: object, why: str) -> None:
    """Also those who were banned or made inactive after they had logged in."""
    pair = as_account(account)
    with pytest.raises(PermissionError, match=why):
        pair.result(pair.client.root.build("a wall"))


def test_an_account_is_asked_as_it_is_now() -> None:
    """Evennia has another object of it where it has emptied its cache, and none of a deleted."""
    account = Account("Builder")
    pair = as_account(account)
    assert account.pk is not None
    account.cache[account.pk] = Account("Player")
    with pytest.raises(PermissionError, match="needs Builder"):
        pair.result(pair.client.root.build("a wall"))
    account.pk = None
    with pytest.raises(PermissionError, match="this account is no more"):
        pair.result(pair.client.root.build("a wall"))


def test_needs_is_written_where_it_can_work() -> None:
    """Above what is no function it would guard nothing."""
    with pytest.raises(TypeError, match="a permission, or the functions"):
        needs("")
    with pytest.raises(TypeError, match="below @threaded"):
        needs("Builder")(threaded(lambda self: None))
