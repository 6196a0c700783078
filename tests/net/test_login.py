"""
Logging in: a peer reaches its own root and nothing before that, and guessing is slow.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.checkers import FilePasswordDB, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from tests.peer.tools import Outcome
from txremote import ConnectionConfig, Service, current_call, exposed
from txremote.net.listen import ServingFactory
from txremote.net.login import (
    FAILURE_DELAY,
    MOST_DOUBLINGS,
    MOST_FAILURES,
    MOST_REMEMBERED,
    Guesses,
    Password,
    ServiceRealm,
    portal_for,
)
from txremote.peer.connection import Connection
from txremote.peer.runner import ImmediateRunner
from txremote.testing import MemoryTransport, Pair
from txremote.wire.messages import dialect_named

ADDRESS = IPv4Address("TCP", "127.0.0.9", 1000)


class Home(Service):
    """A user's own root."""

    left: list[str] = []

    def on_connect(self, conn: Any) -> None:
        self.owner = conn.user

    def on_disconnect(self, conn: Any) -> None:
        self.left.append(self.owner)

    @exposed
    def whoami(self) -> str:
        call = current_call()
        assert call.avatar is self
        assert call.user == self.owner
        return self.owner


def checker() -> InMemoryUsernamePasswordDatabaseDontUse:
    """Two users."""
    return InMemoryUsernamePasswordDatabaseDontUse(ann=b"secret", bob=b"hunter2")


class Club:
    """A factory with a portal, a fake clock, and clients in memory."""

    def __init__(self, root: Any = None, **config: Any) -> None:
        self.clock = Clock()
        self.factory = ServingFactory(
            self.clock, root or portal_for(Home, [checker()]), ConnectionConfig(**config)
        )

    def client(self) -> Pair:
        """A client that has been connected, and not logged in."""
        server = self.factory.buildProtocol(ADDRESS)
        assert server is not None
        server.runner = server._inbound._runner = ImmediateRunner(self.clock)
        client = Connection(
            Service(),
            runner=ImmediateRunner(self.clock),
            dialect=dialect_named("6", False),
            clock=self.clock,
        )
        server.makeConnection(MemoryTransport(ADDRESS))
        client.makeConnection(MemoryTransport(ADDRESS))
        pair = Pair(client, server, self.clock)
        pair.result(client.introduce())
        return pair


def later(pair: Pair, outcome: Outcome) -> float:
    """Let the time pass until a call has ended; return how long that took."""
    pair.pump()
    started = pair.clock.seconds()
    for _ in range(1000):
        pair.advance(0.5)
        if outcome.fired:
            return pair.clock.seconds() - started
    raise AssertionError("it never ends")


def test_who_logs_in_gets_a_root_of_his_own() -> None:
    """Each user sees what is his, also by fetching the root again."""
    club = Club()
    ann, bob = club.client(), club.client()
    for pair, user, password in ((ann, "ann", "secret"), (bob, "bob", "hunter2")):
        home = pair.result(pair.client.root.login(user, password))
        assert pair.result(home.whoami()) == user
        pair.client._root = None
        assert pair.result(pair.client.root.whoami()) == user
    Home.left.clear()
    ann.lose()
    assert Home.left == ["ann"]


def test_nothing_is_reached_before() -> None:
    """A stranger has login() and nothing else."""
    pair = Club().client()
    with pytest.raises(AttributeError):
        pair.result(pair.client.root.whoami())
    assert pair.server.avatar is None


@pytest.mark.parametrize("user", ["ann", "nobody"])
def test_wrong_user_and_wrong_password_look_the_same_and_take_the_same(user: str) -> None:
    """The answer says not which, and takes a second either way."""
    pair = Club().client()
    outcome = Outcome(pair.client.root.login(user, "wrong"))
    assert later(pair, outcome) == FAILURE_DELAY
    assert type(outcome.error).__name__ == "twisted.cred.error.UnauthorizedLogin"
    assert str(outcome.error).startswith("wrong user or password")


def test_each_failure_takes_longer_and_the_last_closes() -> None:
    """A connection has three, the address's next connection goes on from there."""
    club = Club()
    pair = club.client()
    took = []
    for _ in range(MOST_FAILURES):
        took.append(later(pair, Outcome(pair.client.root.login("ann", "wrong"))))
    assert took == [1, 2, 4]
    pair.pump()
    assert pair.client.closed
    again = club.client()
    assert later(again, Outcome(again.client.root.login("ann", "wrong"))) == 8
    # who knows the password is not kept waiting
    assert again.result(again.client.root.login("ann", "secret"))


def test_failures_have_an_end_and_are_forgotten() -> None:
    """Neither the delay nor the memory grows for ever."""
    clock = Clock()
    guesses = Guesses(clock)
    for _ in range(100):
        longest = guesses.failed(ADDRESS)
    assert longest == FAILURE_DELAY * 2**MOST_DOUBLINGS
    clock.advance(1000)
    assert guesses.failed(ADDRESS) == FAILURE_DELAY
    for number in range(MOST_REMEMBERED + 100):
        guesses.failed(IPv4Address("TCP", f"host{number}", 1))
    assert len(guesses._counts) == MOST_REMEMBERED


def test_one_attempt_at_a_time_and_one_login() -> None:
    """Guesses are not made side by side, and nobody becomes another."""
    pair = Club().client()
    first = Outcome(pair.client.root.login("ann", "wrong"))
    second = Outcome(pair.client.root.login("ann", "secret"))
    pair.pump()
    assert "one login at a time" in str(second.error)
    later(pair, first)
    pair.result(pair.client.root.login("ann", "secret"))
    with pytest.raises(AttributeError):  # the root is ann's, which has no login
        pair.client._root = None
        pair.result(pair.client.root.login("bob", "hunter2"))


def test_who_does_not_log_in_is_sent_away() -> None:
    """After login_timeout, which the reason names."""
    club = Club(login_timeout=20)
    idle, ann = club.client(), club.client()
    ann.result(ann.client.root.login("ann", "secret"))
    for _ in range(25):
        for pair in (idle, ann):
            pair.pump()
        club.clock.advance(1)
    idle.pump()
    assert idle.client.closed
    assert not ann.client.closed
    assert "option login_timeout" in idle.server.why_ended


def test_only_so_many_may_not_have_logged_in() -> None:
    """Who comes then is told so, and the option."""
    club = Club(max_logins=2)
    club.client()
    ann = club.client()
    with pytest.raises(ConnectionRefusedError, match="option max_logins"):
        club.client()
    ann.result(ann.client.root.login("ann", "secret"))
    club.client()


@pytest.mark.parametrize("arguments", [(), ("ann",), (1, 2), ("ann", None), (b"ann", b"secret")])
def test_other_arguments_are_a_type_error(arguments: tuple[Any, ...]) -> None:
    """login() takes two str."""
    pair = Club().client()
    with pytest.raises(TypeError):
        pair.result(pair.client.root.login(*arguments))


def test_no_password_is_shown() -> None:
    """Not in the log, nor in the errors, nor in a repr."""
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    try:
        pair = Club().client()
        wrong = Outcome(pair.client.root.login("ann", "hush-hush"))
        later(pair, wrong)
        pair.result(pair.client.root.login("ann", "secret"))
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert events
    told = repr(events) + repr(wrong.error) + str(wrong.error)
    assert "hush-hush" not in told
    assert "secret" not in told
    assert repr(Password(b"ann", b"secret")) == "<Password>"


def test_passwords_are_compared_as_twisted_wants_it() -> None:
    """Checkers of Twisted's take it, bytes and str."""
    password = Password(b"ann", b"secret")
    verifyObject(IUsernamePassword, password)
    assert password.checkPassword(b"secret")
    assert password.checkPassword("secret")
    assert not password.checkPassword(b"secreT")


def test_a_file_of_passwords(tmp_path: Any) -> None:
    """Twisted's own checkers serve."""
    file = tmp_path / "passwords"
    file.write_text("ann:secret\n")
    club = Club(portal_for(Home, [FilePasswordDB(str(file))]))
    pair = club.client()
    home = pair.result(pair.client.root.login("ann", "secret"))
    assert pair.result(home.whoami()) == "ann"


def test_the_realm_is_twisteds() -> None:
    """And has services only."""
    realm = ServiceRealm(Home)
    verifyObject(IRealm, realm)
    with pytest.raises(NotImplementedError):
        realm.requestAvatar("ann", None)


@pytest.mark.parametrize("how", ["cancelled", "deadline"])
def test_a_wrong_guess_cannot_be_cut_short(how: str) -> None:
    """Who does not wait for the answer is disconnected, and guesses no faster."""
    club = Club()
    pair = club.client()
    if how == "cancelled":
        guess = pair.client.root.login("ann", "wrong")
        outcome = Outcome(guess)
        pair.pump()
        guess.cancel()
    else:
        club.factory._guesses.failed(ADDRESS)
        club.factory._guesses.failed(ADDRESS)
        outcome = Outcome(pair.client.limited(0.001, pair.client.root.login, "ann", "wrong"))
        pair.pump()
        pair.advance(1.5)
    pair.pump()
    assert outcome.fired
    assert pair.server.closed


def test_a_cancelled_login_that_comes_off_leaves_again() -> None:
    """The portal's logout is called once, when its avatar is there."""
    left = []
    slow: Deferred[Any] = Deferred()

    class Slow(Portal):
        def login(self, *_args: Any) -> Any:
            return slow

    pair = Club(Slow(ServiceRealm(Home))).client()
    call = pair.client.root.login("ann", "secret")
    outcome = Outcome(call)
    pair.pump()
    call.cancel()
    pair.pump()
    assert outcome.fired
    slow.callback((None, Home(), lambda: left.append("ann")))
    assert left == ["ann"]


def test_a_user_that_goes_while_he_logs_in_leaves_nothing() -> None:
    """The portal's logout is called all the same."""
    left = []

    class Realm(ServiceRealm):
        def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
            interface, avatar, _leave = super().requestAvatar(avatarId, mind, *interfaces)
            return interface, avatar, lambda: left.append(avatarId)

    club = Club(Portal(Realm(Home), [checker()]))
    pair = club.client()
    pair.result(pair.client.root.login("ann", "secret"))
    pair.lose()
    assert left == [b"ann"]
