"""
Logging in by ``root.login(user, password)``, and being refused.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred import error as cred
from twisted.internet.defer import Deferred

import txremote
from txremote import exposed
from txremote.net.client_login import log_in
from txremote.testing import connected_pair


class Mine(txremote.Service):
    """What a user has after the login."""

    @exposed
    def whose(self) -> str:
        return "yours"


class Gate(txremote.Service):
    """A root that can only log in; ``answer`` decides how that ends."""

    answer: Any = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    @exposed
    def login(self, user: str, password: str) -> Any:
        self.asked.append((user, password))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class AuthenticationError(Exception):
    """Called as RPyC's is."""


def logged_in(answer: Any, **config: Any) -> Any:
    """Log in at a server that gives a certain answer; return the pair."""
    gate = Gate()
    gate.answer = answer
    pair = connected_pair(server_root=gate, client_config=config)
    pair.result(Deferred.fromCoroutine(log_in(pair.client, "ann", "s3cret")))
    assert gate.asked == [("ann", "s3cret")]
    return pair


def test_the_users_own_root_takes_the_place_of_the_servers():
    """What login() returned is the connection's root from then on."""
    pair = logged_in(Mine())
    assert pair.result(pair.client.root.whose()) == "yours"


@pytest.mark.parametrize("answer", [None, True, 7])
def test_a_login_that_gives_nothing_leaves_the_root(answer):
    """Some servers only note who it is."""
    pair = logged_in(answer)
    with pytest.raises(AttributeError):
        pair.result(pair.client.root.whose())


@pytest.mark.parametrize("known", [False, True], ids=["unknown class", "known class"])
@pytest.mark.parametrize(
    "answer",
    [
        cred.UnauthorizedLogin("wrong password"),
        cred.LoginFailed("wrong password"),
        cred.LoginDenied("wrong password"),
        cred.UnhandledCredentials("wrong password"),
        AuthenticationError("wrong password"),
        PermissionError("wrong password"),
        False,
    ],
    ids=repr,
)
def test_a_refusal_is_told_by_its_class(answer, known):
    """
    However it is rebuilt here, it becomes Twisted's UnauthorizedLogin, with the
    user's name in it and not the password.
    """
    with pytest.raises(cred.UnauthorizedLogin, match="login of 'ann' was refused") as caught:
        logged_in(answer, instantiate_custom_exceptions=known)
    assert "s3cret" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    if answer is not False:
        assert "wrong password" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        ValueError("no database"),
        KeyError("LoginFailed"),
        # what a server of ours says where the password may be right
        ConnectionRefusedError("too many logins at once from this address"),
        RuntimeError("login is not possible just now, reference 1f3a9c02"),
    ],
    ids=repr,
)
def test_another_error_is_no_refusal(answer):
    """It is raised as it came, and a `RemoteClient` tries again."""
    with pytest.raises(type(answer)):
        logged_in(answer)


def test_a_server_without_login_is_no_refusal():
    """But an AttributeError that names what is missing."""
    pair = connected_pair(server_root=Mine())
    with pytest.raises(AttributeError, match="login"):
        pair.result(Deferred.fromCoroutine(log_in(pair.client, "ann", "s3cret")))


class Valued(txremote.Service, values=True):
    """What a user has whose annotations are read."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @exposed
    def total(self, numbers: list[int]) -> int:
        self.seen.append(numbers)
        return sum(numbers)


def test_the_annotations_of_the_user_s_root_are_known_after_the_login():
    """Its arguments leave as values at once."""
    pair = logged_in(Valued())
    root = pair.client.root
    assert set(root._call_prefixes.plans) == {("total",)}
    assert pair.result(root.total([1, 2])) == 3
    assert pair.server._tables.imported == 0
