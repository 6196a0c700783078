"""
Logging in: a peer reaches its own root and nothing before that, and guessing is slow.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import (
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.hostile.attacker import Attacker
from tests.peer.pairs import Local, Outcome, RemoteError, logged
from tests.processes import SERVES, Program, script
from txremote import ConnectionConfig, Service, current_call, exposed
from txremote.errors import RemoteProtocolError
from txremote.eventloop.login_throttle import FAILURE_DELAY, MOST_WAITING
from txremote.jsonlog import event_as_json
from txremote.net.listen import ServingFactory
from txremote.net.login import LONGEST, MOST_FAILURES, Password, ServiceRealm, portal_for
from txremote.peer.connection import Connection
from txremote.peer.context import CurrentCall, current
from txremote.peer.immediate import ImmediateExecutor
from txremote.testing import MemoryTransport, Pair
from txremote.wire.consts import HANDLE_CALLATTR, HANDLE_PING
from txremote.wire.limits import LONGEST_OF_STRANGERS, MOST_ITEMS_OF_STRANGERS
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


@implementer(ICredentialsChecker)
class Counting(InMemoryUsernamePasswordDatabaseDontUse):
    """Two users, and who was asked for."""

    def __init__(self) -> None:
        super().__init__(ann=b"secret", bob=b"hunter2")
        self.asked: list[bytes] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append(credentials.password)
        return super().requestAvatarId(credentials)


@implementer(ICredentialsChecker)
class Checker:
    """Does as it is told."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def requestAvatarId(self, credentials: Any) -> Any:
        return self.answer(credentials)


class Club:
    """A factory with a portal, a fake clock, and clients in memory."""

    def __init__(self, root: Any = None, **config: Any) -> None:
        self.clock = Clock()
        self.factory = ServingFactory(
            self.clock, root or portal_for(Home, [checker()]), ConnectionConfig(**config)
        )

    def client(self, address: Any = ADDRESS) -> Pair:
        """A client that has been connected, and not logged in."""
        server = self.factory.buildProtocol(address)
        assert server is not None
        server.executor = ImmediateExecutor(self.clock)
        client = Connection(
            Service(),
            executor=ImmediateExecutor(self.clock),
            dialect=dialect_named("6", False),
            clock=self.clock,
        )
        server.makeConnection(MemoryTransport(address))
        client.makeConnection(MemoryTransport(address))
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


@pytest.mark.parametrize("name, word", [("ann", "secret"), ("cy", "ahoy")])
def test_each_of_several_checkers_may_know_the_user(name: str, word: str) -> None:
    """A repeated --auth adds users to those there are."""
    more = InMemoryUsernamePasswordDatabaseDontUse(cy=b"ahoy")
    pair = Club(portal_for(Home, [checker(), more])).client()
    root = pair.result(pair.client.root.login(name, word))
    assert pair.result(root.whoami()) == name


def test_a_user_whom_no_checker_knows_is_refused() -> None:
    """One refusal, and one failure counted, however many were asked."""
    more = InMemoryUsernamePasswordDatabaseDontUse(cy=b"ahoy")
    pair = Club(portal_for(Home, [checker(), more])).client()
    outcome = Outcome(pair.client.root.login("ann", "ahoy"))
    assert later(pair, outcome) == 1
    assert "wrong user or password" in str(outcome.error)


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


def test_what_a_login_sets_is_its_client_s() -> None:
    """A context variable of the checker or the realm is there for all that comes."""
    name: ContextVar[str] = ContextVar("name", default="nobody")

    class Named(Home):
        def __init__(self) -> None:
            name.set("somebody")

        def on_connect(self, conn: Any) -> None:
            super().on_connect(conn)
            name.set(f"{name.get()}, {self.owner}")

        @exposed
        def named(self) -> str:
            """Tell it."""
            return name.get()

    club = Club(portal_for(Named, [checker()]))
    ann, bob = club.client(), club.client()
    homes = [
        pair.result(pair.client.root.login(user, password))
        for pair, user, password in ((ann, "ann", "secret"), (bob, "bob", "hunter2"))
    ]
    assert ann.result(homes[0].named()) == "somebody, ann"
    assert bob.result(homes[1].named()) == "somebody, bob"
    assert name.get() == "nobody"


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


def test_nothing_is_looked_at_behind_the_last_failure() -> None:
    """What came together with it neither: the right password does not help any more."""
    pair = Club().client()
    for _ in range(MOST_FAILURES - 1):
        later(pair, Outcome(pair.client.root.login("ann", "wrong")))
    root = pair.client.root
    wrong, right = Outcome(root.login(1, 2)), Outcome(root.login("ann", "secret"))
    pair.pump()
    assert isinstance(wrong.error, TypeError)
    assert "logins failed" in str(right.error)
    assert pair.server.avatar is None


def test_who_has_not_logged_in_is_told_what_to_do() -> None:
    """No method of the service is there yet, and to expose it would not help."""
    pair = Club().client()
    with pytest.raises(AttributeError, match=r"log in first, by root.login\(user, password\)"):
        pair.result(pair.client.root.whoami())


def test_half_of_the_places_are_for_other_addresses() -> None:
    """Whoever is there with many connections, again and again, keeps nobody else out."""
    club = Club(max_logins=4)
    for _ in range(2):
        club.client()
    with pytest.raises(ConnectionRefusedError, match="2 connections of this address have not"):
        club.client()
    club.client(IPv4Address("TCP", "127.0.0.8", 1000))


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


def test_one_attempt_at_a_time_and_one_login() -> None:
    """LoginThrottle are not made side by side, and nobody becomes another."""
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
    club = Club(max_logins=4)
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


def test_each_wrong_call_counts_as_a_failure() -> None:
    """A stranger who calls login(1, 2) without end does not fill the log."""
    pair = Club().client()
    for _ in range(MOST_FAILURES):
        pair.client.root.login(1, 2).addErrback(lambda _failure: None)
    pair.pump()
    assert not pair.server.is_closing  # each is answered
    pair.advance(0)
    assert pair.server.is_closing


def test_a_stranger_is_read_no_long_message() -> None:
    """A few bytes that inflate to millions of values would keep everybody waiting."""
    pair = Club().client()
    values = (0,) * (MOST_ITEMS_OF_STRANGERS + 1)
    with pytest.raises(RemoteProtocolError, match="max_frame"):
        pair.result(pair.client.request(HANDLE_PING, b"x" * LONGEST_OF_STRANGERS))
    with pytest.raises(RemoteProtocolError, match="max_items"):
        pair.result(pair.client.request(HANDLE_PING, values))
    home = pair.result(pair.client.root.login("ann", "secret"))
    assert pair.result(pair.client.request(HANDLE_PING, b"x" * LONGEST_OF_STRANGERS))
    assert pair.result(pair.client.request(HANDLE_PING, values)) == values
    assert pair.result(home.whoami()) == "ann"


def test_a_threaded_service_logs_in_by_the_reactor() -> None:
    """Checkers and the lines of who guesses are for the reactor's thread, wherever methods run."""
    asked_in: list[int] = []

    def answer(credentials: Any) -> Any:
        asked_in.append(threading.get_ident())
        return credentials.username

    club = Club(portal_for(Home, [Checker(answer)]))
    scheduled: list[Any] = []
    club.clock.callFromThread = scheduled.append  # type: ignore[attr-defined]
    club.clock.io_thread = threading.get_ident()  # type: ignore[attr-defined]
    pair = club.client()
    with ThreadPoolExecutor(1) as pool:
        context = copy_context()
        context.run(current.set, CurrentCall(pair.server))
        entering = pool.submit(context.run, pair.server.service.login, "ann", "secret").result()
    assert not asked_in
    assert not entering.called
    for call in scheduled:
        call()
    assert asked_in == [threading.get_ident()]
    assert entering.result is pair.server.avatar


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
        for _ in range(2):
            later(pair, Outcome(pair.client.root.login("ann", "wrong")))
        outcome = Outcome(pair.client.root._call(("login",), ("ann", "wrong"), {}, deadline=0.001))
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


@pytest.mark.parametrize("how", ["lost", "cancelled"])
def test_who_does_not_wait_for_a_slow_checker_has_guessed_all_the_same(how: str) -> None:
    """The next of that address waits, for nobody knows whether it was right."""
    slow: list[Deferred[Any]] = []

    def ask(_credentials: Any) -> Any:
        slow.append(Deferred())
        return slow[-1]

    club = Club(portal_for(Home, [Checker(ask)]))
    hasty, patient = club.client(), club.client()
    call = hasty.client.root.login("ann", "wrong")
    Outcome(call)
    hasty.pump()
    if how == "lost":
        hasty.lose()
    else:
        call.cancel()
        hasty.pump()
    assert hasty.server.closed
    outcome = Outcome(patient.client.root.login("ann", "secret"))
    patient.pump()
    assert len(slow) == 1
    patient.advance(FAILURE_DELAY)
    assert len(slow) == 2
    slow[1].callback(b"ann")
    patient.pump()
    assert outcome.value


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


# -- many guesses


def test_a_hundred_connections_guess_no_faster_than_one() -> None:
    """Each waits for its turn, so what is looked at is what the delays allow."""
    counting = Counting()
    club = Club(portal_for(Home, [counting]), login_timeout=None)
    pairs = [club.client() for _ in range(MOST_WAITING + 1)]
    guesses = [Outcome(pair.client.root.login("ann", "wrong")) for pair in pairs]
    for looked_at, seconds in ((1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 32), (8, 32)):
        for pair in pairs:
            pair.pump()
        club.clock.advance(seconds)
        assert len(counting.asked) == looked_at
    other = club.client(IPv4Address("TCP", "127.0.0.10", 1))
    assert other.result(other.client.root.login("ann", "secret"))
    for pair in pairs:
        pair.pump()
    assert [outcome.fired for outcome in guesses] == [True] * 7 + [False] * (len(pairs) - 7)


def test_more_than_may_wait_are_refused() -> None:
    """As where too many connect, for the password may be right; the third time hangs up."""
    club = Club(login_timeout=None)
    for _ in range(MOST_WAITING + 1):
        pair = club.client()
        Outcome(pair.client.root.login("ann", "wrong"))
        pair.pump()
    late = club.client()
    for _ in range(MOST_FAILURES):
        refused = Outcome(late.client.root.login("ann", "secret"))
        late.pump()
        assert isinstance(refused.error, ConnectionRefusedError)
        assert str(refused.error).startswith("too many logins at once from this address")
    late.advance(0)
    late.pump()
    assert late.client.closed
    assert "logins failed" in late.server.why_ended


@pytest.mark.parametrize("how", ["lost", "cancelled", "login_timeout"])
def test_waiting_for_a_turn_ends_with_the_connection(how: str) -> None:
    """It is not looked at, costs nobody anything, and leaves no timer."""
    counting = Counting()
    club = Club(portal_for(Home, [counting]), login_timeout=20)
    for _ in range(5):  # the next is looked at after 16 seconds
        guesser = club.client()
        later(guesser, Outcome(guesser.client.root.login("ann", "wrong")))
        guesser.lose()
    guesser = club.client()
    Outcome(guesser.client.root.login("ann", "wrong"))
    guesser.pump()
    guesser.lose()  # now 32 seconds are left
    asked = len(counting.asked)
    waiting = club.client()
    guess = waiting.client.root.login("ann", "secret")
    outcome = Outcome(guess)
    waiting.pump()
    if how == "lost":
        waiting.lose()
    elif how == "cancelled":
        guess.cancel()
        waiting.pump()
    else:
        waiting.advance(20)
        assert "option login_timeout" in waiting.server.why_ended
    assert outcome.fired
    assert waiting.server.closed
    assert club.clock.getDelayedCalls() == []
    club.clock.advance(32)
    assert len(counting.asked) == asked
    again = club.client()
    assert again.result(again.client.root.login("ann", "secret"))


def test_a_checker_that_never_answers() -> None:
    """The login ends after login_timeout; the next of that address goes on meanwhile."""
    stuck: list[Deferred[Any]] = []

    def ask(credentials: Any) -> Any:
        if credentials.username == b"bob":
            return b"bob"
        stuck.append(Deferred())
        return stuck[-1]

    club = Club(portal_for(Home, [Checker(ask)]), login_timeout=20)
    ann, bob = club.client(), club.client()
    outcome = Outcome(ann.client.root.login("ann", "secret"))
    ann.pump()
    assert bob.result(bob.client.root.login("bob", "hunter2"))
    ann.advance(20)
    assert outcome.fired
    assert "option login_timeout" in ann.server.why_ended
    stuck[0].callback(b"ann")  # too late, and nobody is logged in


# -- what is not the user's fault


def raising(_credentials: Any) -> Any:
    """Fail at once."""
    raise OSError("db.example.com: refused for the user app")


def chained(_credentials: Any) -> Any:
    """Fail because of something."""
    try:
        raise OSError("db.example.com: refused for the user app")
    except OSError as problem:
        raise KeyError("db.example.com") from problem


BROKEN = {
    "raises": raising,
    "raises because of something": chained,
    "fails": lambda _credentials: fail(OSError("db.example.com: refused for the user app")),
    "is cancelled": lambda _credentials: fail(CancelledError("db.example.com")),
    "does not exit": lambda _credentials: fail(SystemExit("db.example.com")),
}


@pytest.mark.parametrize("what", [*BROKEN, "the realm raises", "the realm gives nonsense"])
def test_what_fails_behind_the_login_is_told_to_nobody(what: str) -> None:
    """A number is, under which it is in the log; it takes its time, and is a failure."""

    class Realm(ServiceRealm):
        def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
            if what == "the realm gives nonsense":
                return None
            raise OSError("db.example.com: refused for the user app")

    realm: Any = ServiceRealm(Home) if what in BROKEN else Realm(Home)
    club = Club(Portal(realm, [Checker(BROKEN.get(what, lambda _credentials: b"ann"))]))
    for address in (ADDRESS, IPv4Address("TCP", "198.51.100.9", 5)):
        pair = club.client(address)
        with logged() as log:
            took = []
            for _ in range(2):
                outcome = Outcome(pair.client.root.login("ann", "secret"))
                took.append(later(pair, outcome))
        assert took == [1, 2]
        text = str(outcome.error)
        assert type(outcome.error).__name__ == "RuntimeError"
        assert text.startswith("login is not possible just now, reference ")
        assert "db.example.com" not in text + repr(vars(outcome.error))
        assert "app" not in text
        assert outcome.error.__cause__ is outcome.error.__context__ is None
        reference = text.split("reference ")[1][:8]
        assert f"could not log in as 'ann', reference {reference}" in log.text()
        told = "NoneType" if what == "the realm gives nonsense" else "db.example.com"
        assert told in log.text()
        if what == "raises because of something":
            assert "OSError: db.example.com: refused for the user app" in log.text()
        assert not pair.server.closed


def test_a_wrong_password_comes_without_a_traceback() -> None:
    """Nor does a stranger's cost an error in the log."""
    pair = Club().client(IPv4Address("TCP", "198.51.100.9", 5))
    with logged() as log:
        outcome = Outcome(pair.client.root.login("ann", "wrong"))
        later(pair, outcome)
    assert "login.py" not in str(outcome.error)
    assert "failed to log in as 'ann' (1 of 3)" in log.text()
    assert "Traceback" not in log.text()


@pytest.mark.parametrize("password", ["sesame", "s\0\u00e9same", "it's"])
def test_no_password_is_in_what_the_log_tells_of_a_failure(password: str) -> None:
    """Whatever the text of the checker's error says, in whatever spelling."""

    def ask(credentials: Any) -> Any:
        word = credentials.password
        text = word.decode("utf-8", "replace")
        raise OSError(f"select {word!r}, {text!r}, {text}, {text!a} [{credentials!r}]")

    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    try:
        pair = Club(portal_for(Home, [Checker(ask)])).client()
        outcome = Outcome(pair.client.root.login("ann", password))
        later(pair, outcome)
    finally:
        globalLogPublisher.removeObserver(events.append)
    told = "".join(map(event_as_json, events)) + repr(events) + "".join(map(str, events))
    for each in events:
        told += str(formatEvent(each)) + str(each.get("traceback"))
    assert "[password]" in told
    told += repr(outcome.error) + str(vars(outcome.error))
    for spelled in (password, ascii(password)[1:-1], repr(password)[1:-1]):
        assert spelled not in told
        assert repr(password.encode())[2:-1] not in told


# -- the end


@pytest.mark.parametrize("how", ["raises", "fails later"])
def test_a_logout_that_fails_keeps_nobody(how: str) -> None:
    """The avatar hears of the end all the same, and the log of the error."""
    later_on: Deferred[None] = Deferred()

    def leave() -> Any:
        if how == "raises":
            raise ValueError("cannot leave")
        return later_on

    class Realm(ServiceRealm):
        def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
            return interfaces[0], Home(), leave

    pair = Club(Portal(Realm(Home), [checker()])).client()
    pair.result(pair.client.root.login("ann", "secret"))
    Home.left.clear()
    with logged() as log:
        pair.lose()
        if how == "fails later":
            later_on.errback(ValueError("cannot leave"))
    assert Home.left == ["ann"]
    assert "a logout failed" in log.text()
    assert "cannot leave" in log.text()


# -- odd passwords

ODD = ["p\u00e4ssw\u00f6rt", "nul\0nul", "\0", "", "\U0001f512", "a:b:c", "x" * LONGEST]


@pytest.mark.parametrize("password", ODD)
def test_any_text_may_be_a_password(password: str) -> None:
    """As bytes of UTF-8; with one character more it is wrong."""
    word = password.encode()
    club = Club(portal_for(Home, [InMemoryUsernamePasswordDatabaseDontUse(ann=word)]))
    for wrong in (password + "x", password + "\0"):
        pair = club.client()
        outcome = Outcome(pair.client.root.login("ann", wrong))
        later(pair, outcome)
        assert str(outcome.error).startswith("wrong user or password")
    pair = club.client()
    assert pair.result(pair.client.root.login("ann", password))


@pytest.mark.parametrize("guess", ["nul\0", "line\nbob:hunter2", "\0", "a:b", "p\u00e4ss", ""])
def test_odd_passwords_and_a_file(tmp_path: Any, guess: str) -> None:
    """They are wrong there, as any other."""
    file = tmp_path / "passwords"
    file.write_text("ann:secret\nbob:hunter2\n", "utf-8")
    club = Club(portal_for(Home, [FilePasswordDB(str(file))]))
    for user, password in (("ann", guess), (guess, "secret")):
        pair = club.client()
        outcome = Outcome(pair.client.root.login(user, password))
        later(pair, outcome)
        assert str(outcome.error).startswith("wrong user or password")


# -- a whole server

PLUGIN = """
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import ICheckerFactory
from twisted.internet.defer import Deferred
from twisted.plugin import IPlugin
from zope.interface import implementer

class Checker:
    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials):
        word = credentials.password.decode()
        parameters = {"user": credentials.username, "word": word}
        if credentials.username == b"stuck":
            return Deferred()
        if credentials.username == b"wrong":
            raise UnauthorizedLogin(f"not {word}")
        if credentials.username == b"right":
            return credentials.username
        if credentials.username == b"locals":
            raise OSError("db.example.com")
        try:
            raise KeyError(word)
        except KeyError as problem:
            raise OSError(f"db.example.com: select {parameters}") from problem

@implementer(ICheckerFactory, IPlugin)
class Factory:
    authType = "broken"
    authHelp = "fails"
    argStringFormat = ""
    credentialInterfaces = Checker.credentialInterfaces

    def generateChecker(self, argstring):
        return Checker()

the_factory = Factory()
"""

WORD = "s\u00e9same'\\\"\0x"


def guess(port: int, number: int, user: str) -> tuple[str, Any]:
    """Log in from an address of one's own; return how that ended."""
    with Attacker(port, f"127.0.0.{number}") as one:
        asked = one.send_request(HANDLE_CALLATTR, one.root(), "login", (user, WORD), ())
        while asked not in one._answers:
            if not one.read():
                return user, one.ended
        return user, one.answer(asked)


def test_no_password_is_in_the_log_of_a_server(tmp_path: Path) -> None:
    """As text and as JSON, with --verbose, whatever the checker that --auth names does."""
    folder = tmp_path / "twisted" / "plugins"
    folder.mkdir(parents=True)
    (folder / "broken_checker.py").write_text(PLUGIN, "utf-8")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    users = ("stuck", "wrong", "right", "locals", "text")
    words = ("--service", "tests.services.Depot", "--auth", "broken", "--login-timeout", "2")
    where = ("--listen", "tcp:0:interface=127.0.0.1", "--verbose")
    daemon = (script("twistd"), "--pidfile=", "-n")
    with ExitStack() as stack:
        programs = [
            stack.enter_context(Program(*daemon, *logger, "txremote", *words, *where, env=env))
            for logger in ((), ("--logger", "txremote.jsonlog.observer"))
        ]
        ports = [int(program.wait_for(SERVES)[2]) for program in programs]
        with ThreadPoolExecutor() as pool:
            tries = [(port, number, user) for port in ports for number, user in enumerate(users, 2)]
            ended = list(pool.map(lambda each: guess(*each), tries))
        for program in programs:
            program.wait_for("option login_timeout")
            program.signal(signal.SIGTERM)
            program.finish()
    for user, how in ended:
        if user == "stuck":
            assert how == "closed"
        elif user == "wrong":
            assert how == RemoteError("UnauthorizedLogin", "wrong user or password")
        elif user == "right":
            assert isinstance(how, Local)
        else:
            assert how.name == "RuntimeError"
            reference = how.text.removeprefix("login is not possible just now, reference ")
            assert sum(reference in program.output for program in programs) == 1
    for program in programs:
        assert "db.example.com" in program.output
        assert "KeyError" in program.output
        assert "[password]" in program.output
        assert "same" not in program.output
