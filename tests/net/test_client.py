"""
`RemoteClient`: it comes back, nothing is sent twice, every call ends once.

First in memory, with a fake clock; then servers in processes of their own, killed
and started again.
"""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given, settings, strategies as st
from twisted.application.internet import backoffPolicy
from twisted.application.service import MultiService
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import defer
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, fail, gatherResults, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock, LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from zope.interface import implementer

import txremote
from tests.drivers import of_a_reactor
from tests.examples import examples
from tests.net.certificates import DAY, Authority
from tests.net.clockwork import advance
from tests.net.servers import LOOPBACK, Desk, endpoint_of, served, until
from tests.peer.pairs import Outcome, logged
from tests.processes import Program, Twistd
from txremote import (
    AsyncResultTimeout,
    Connection,
    ConnectionLost,
    DeadReferenceError,
    RemoteClient,
    RemoteReference,
    WrongThread,
    async_,
    current_call,
    exposed,
    get_remote,
    timed,
)
from txremote.config import make_config
from txremote.net.tls import tls_client, tls_server
from txremote.peer.immediate import ImmediateExecutor
from txremote.peer.imports import ReleaseSweeper
from txremote.service import instantiate
from txremote.testing import MemoryTransport, Pair

#: 2, 4, 8, 10, 10... seconds, and always the same quarter of one on top.
POLICY = backoffPolicy(initialDelay=1, factor=2, maxDelay=10, jitter=lambda: 0.25)


class Till(txremote.Service):
    """What is behind another name."""

    @exposed
    def count(self, amount: int) -> int:
        """Give it back."""
        return amount


class Shop(txremote.Service):
    """A server's root; an instance is shared, and outlives its connections."""

    exposed_pi = 3.14

    def __init__(self) -> None:
        self.exposed_till = Till()
        self.ran: list[Any] = []
        self.waiting: list[Deferred[Any]] = []
        self.cancelled: list[Deferred[Any]] = []
        self.listeners: list[Any] = []
        self.logins: list[Any] = []
        self.refusal: Exception | None = None

    @exposed
    def note(self, what: Any) -> Any:
        """Note that this call ran."""
        self.ran.append(what)
        return what

    @exposed
    def wait(self, what: Any) -> Deferred[Any]:
        """Note it, and do not answer."""
        self.ran.append(what)
        self.waiting.append(Deferred(self.cancelled.append))
        return self.waiting[-1]

    @exposed
    def left(self) -> float | None:
        """Tell how long the caller waits."""
        return current_call().time_left()

    @exposed
    def things(self) -> list[int]:
        """Something that goes by reference."""
        return [1, 2, 3]

    @exposed
    def subscribe(self, listener: Any) -> None:
        """Tell a client of events."""
        self.listeners.append(listener)

    @exposed
    def login(self, user: str, password: str) -> Any:
        """Let users in, each to a desk of his own."""
        self.logins.append((user, password))
        if self.refusal is not None:
            raise self.refusal
        return Account(user)


class Account(txremote.Service):
    """What is a user's own."""

    def __init__(self, user: str) -> None:
        self._user = user

    @exposed
    def whose(self) -> str:
        """Whose it is."""
        return self._user


@implementer(IStreamClientEndpoint)
class World:
    """
    A server in memory that can go and come, a client of it, and their time.

    Attributes:
        clock: The time.
        shop: The server's root.
        up: Whether the server can be reached.
        dialled: When it was tried.
        pairs: Every connection there was.
    """

    def __init__(self, up: bool = True, **options: Any) -> None:
        self.clock = Clock()
        self.shop = Shop()
        self.up = up
        self.silent = False
        self.dialled: list[float] = []
        self.pairs: list[Pair] = []
        self.client = RemoteClient(
            self, reactor=self.clock, **{"dialect": "6", "retry_policy": POLICY, **options}
        )

    def __repr__(self) -> str:
        return "the world"

    def connect(self, protocolFactory: Any) -> Any:
        self.dialled.append(self.clock.seconds())
        if self.silent:
            return Deferred()
        if not self.up:
            return fail(ConnectionRefusedError("nobody there"))
        client = protocolFactory.buildProtocol(UNIXAddress("memory"))
        server = Connection(
            instantiate(self.shop),
            executor=ImmediateExecutor(self.clock),
            config=make_config(None),
            clock=self.clock,
            sweeper=ReleaseSweeper(self.clock),
        )
        server.makeConnection(MemoryTransport())
        client.makeConnection(MemoryTransport())
        self.pairs.append(Pair(client, server, self.clock))
        return succeed(client)

    def settle(self) -> None:
        """Let happen what happens without any time going by."""
        for _ in range(10):
            self.clock.advance(0)
            for pair in self.pairs:
                pair.pump()

    def advance(self, seconds: float) -> None:
        """Let time go by, with what is due in it happening when it is due."""
        advance(self.clock, seconds, self.settle)

    def start(self) -> World:
        self.client.startService()
        self.settle()
        return self

    def lose(self, up: bool = True) -> None:
        """Break the connection; the server can be reached then, or cannot."""
        self.up = up
        self.pairs[-1].lose()
        self.settle()

    def result(self, deferred: Deferred[Any]) -> Any:
        outcome = Outcome(deferred)
        self.settle()
        return outcome.value

    def end(self) -> None:
        """Stop the client; nothing is left of it."""
        outcome = Outcome(self.client.stopService())
        self.settle()
        assert outcome.value is None
        assert all(pair.client.closed for pair in self.pairs)
        assert self.clock.getDelayedCalls() == []
        assert self.client.status.state == "stopped"


def started(**options: Any) -> World:
    """Return a world whose client is connected."""
    world = World(**options).start()
    assert world.client.status.state == "connected"
    return world


# -- as a service


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"endpoint": "nonsense"}, ValueError, "nonsense"),
        ({"dialect": "7"}, ValueError, "'auto', '6' or '5'"),
        ({"timeout": 0}, ValueError, "timeout is a positive"),
        ({"wait_timeout": -1}, ValueError, "wait_timeout is a positive"),
        ({"service": dict}, TypeError, "dict is no service"),
        ({"config": {"sync_request_timeot": 3}}, TypeError, "sync_request_timeout"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(arguments, error, words):
    """When the client is made, by an exception that names it, and not at each try."""
    with pytest.raises(error, match=words):
        RemoteClient(**{"endpoint": "tcp:127.0.0.1:1", "reactor": Clock(), **arguments})


def test_it_is_a_part_of_an_application():
    """It starts and stops with the service that it belongs to."""
    world = World()
    application = MultiService()
    world.client.setServiceParent(application)
    assert world.dialled == []
    application.startService()
    world.settle()
    assert world.result(world.client.root.note(1)) == 1
    stopping = Outcome(application.stopService())
    world.settle()
    assert stopping.fired
    assert world.pairs[0].client.closed
    assert world.clock.getDelayedCalls() == []


def test_its_status_tells_the_story():
    """What happened last, how many tries there were, when the next one is."""
    world = World(up=False)
    client = world.client
    assert str(client.status) == "stopped: not started yet"
    client.startService()
    assert str(client.status) == "connecting: started"
    world.settle()
    assert isinstance(client.status.error, ConnectionRefusedError)
    assert (client.status.state, client.status.tries) == ("waiting", 1)
    assert client.status.next_try == 2.25
    world.advance(1)
    assert client.status.next_try == 1.25
    assert str(client.status) == (
        "waiting: no connection: ConnectionRefusedError: Connection was refused by other side: "
        "nobody there., after 1 try, next try in 1.2 s"
    )
    world.silent = True
    world.advance(1.25)
    assert (client.status.state, client.status.tries) == ("connecting", 2)
    assert "refused" in client.status.happened
    world.silent, world.up = False, True
    world.advance(30)  # until the silent one is given up
    world.advance(4.25)
    assert str(client.status) == "connected: reached the world, after 3 tries"
    assert client.status.error is None
    assert repr(client) == "<RemoteClient of the world (connected)>"
    world.lose()
    assert isinstance(client.status.error, Exception)
    assert (client.status.state, client.status.tries) == ("waiting", 0)
    assert client.status.happened.startswith("lost: ")
    world.end()
    assert str(client.status) == "stopped: stopped by stopService()"
    with pytest.raises(AttributeError):
        client.status.state = "connected"


# -- when it tries


def test_each_failure_doubles_the_wait_up_to_a_bound():
    """The waits are the policy's; a success starts them anew."""
    world = World(up=False).start()
    world.advance(40)
    waits = [later - earlier for earlier, later in pairwise(world.dialled)]
    assert waits == [2.25, 4.25, 8.25, 10.25, 10.25]
    world.up = True
    world.advance(10.25)
    assert world.client.status.state == "connected"
    world.lose(up=False)
    assert world.client.status.next_try == 2.25
    world.end()


def test_the_usual_policy_is_twisteds():
    """A second and a half, and up to one more at random, after the first failure."""
    waits = set()
    for _ in range(5):
        world = World(up=False, retry_policy=None).start()
        waits.add(world.client.status.next_try)
        world.end()
    assert len(waits) == 5
    assert all(1.5 <= wait < 2.5 for wait in waits)


def test_the_usual_waits_are_bounded_however_long_the_server_is_away():
    """Half as long again each time, up to a minute, and a second at random on top."""
    world = World(up=False, retry_policy=None).start()
    for failures in range(1, 40):
        least = min(1.5**failures, 60)
        wait = world.client.status.next_try
        assert least <= wait < least + 1
        world.advance(wait)
    assert len(world.dialled) == 40
    world.end()


@pytest.mark.parametrize("wrong", [lambda _failures: 1 / 0, lambda _failures: -1.0, lambda _: None])
def test_a_policy_that_fails_is_not_the_end(wrong):
    """The usual one takes its place, and the log says so."""
    with logged() as log:
        world = World(up=False, retry_policy=wrong).start()
    assert "the retry_policy of <RemoteClient of the world" in log.text()
    assert 1.5 <= world.client.status.next_try < 2.5
    world.up = True
    world.advance(2.5)
    assert world.client.status.state == "connected"
    world.end()


def test_a_server_that_drops_everybody_is_not_dialled_in_a_circle():
    """Between two connections there is always a wait."""
    world = started()
    for _ in range(10):
        world.lose()
        world.advance(2.25)
    waits = [later - earlier for earlier, later in pairwise(world.dialled)]
    assert waits == [2.25] * 10
    world.end()


def test_a_server_that_never_answers_is_given_up_and_tried_again():
    """Each try has its time-out."""
    world = World(timeout=5)
    world.silent = True
    world.start()
    world.advance(5)
    assert isinstance(world.client.status.error, TimeoutError)
    assert "no RPyC answer" in world.client.status.happened
    world.advance(2.25)
    assert world.dialled == [0, 7.25]
    world.end()


# -- whenConnected


def test_who_waits_for_a_connection_has_the_next_one():
    """Before the start, while trying, and at once when there is one."""
    world = World(up=False)
    before = Outcome(world.client.whenConnected())
    world.start()
    during = Outcome(world.client.whenConnected())
    assert not before.fired
    world.up = True
    world.advance(2.25)
    now = Outcome(world.client.whenConnected())
    assert before.value is during.value is now.value
    assert isinstance(now.value, Connection)
    assert world.result(now.value.root.note(1)) == 1
    world.lose()
    other = Outcome(world.client.whenConnected())
    assert not other.fired
    world.advance(2.25)
    assert other.value is not now.value
    world.end()


def test_who_waits_may_give_up_after_some_failures():
    """With the error of the try, as from `ClientService`."""
    world = World(up=False)
    outcomes = [Outcome(world.client.whenConnected(failAfterFailures=n)) for n in (1, 2, 3)]
    world.start()
    assert [outcome.fired for outcome in outcomes] == [True, False, False]
    world.advance(2.25)
    assert [outcome.fired for outcome in outcomes] == [True, True, False]
    assert isinstance(outcomes[1].error, ConnectionRefusedError)
    world.up = True
    world.advance(4.25)
    assert isinstance(outcomes[2].value, Connection)
    world.end()


def test_who_waits_may_change_his_mind():
    """Cancelled, it is forgotten; the client goes on, and others have the connection."""
    world = World(up=False).start()
    first, second = (world.client.whenConnected() for _ in range(2))
    outcomes = [Outcome(first), Outcome(second)]
    first.cancel()
    assert isinstance(outcomes[0].error, CancelledError)
    assert len(world.client._waiters) == 1
    world.up = True
    world.advance(2.25)
    assert isinstance(outcomes[1].value, Connection)
    assert len(outcomes[0].results) == 1
    world.end()


# -- calls


def test_paths_lead_to_whichever_connection_is_live():
    """The same path is called before and after; references of before are dead."""
    world = started()
    root, note, things = world.client.root, world.client.root.note, world.client.root.things
    count = root.till.count
    assert world.result(count(10)) == 10
    assert world.client.root is root
    assert world.result(note(1)) == 1
    old = world.result(things())
    plain_root = world.result(Deferred.fromCoroutine(_awaited(root)))
    assert isinstance(plain_root, RemoteReference)
    world.lose()
    world.advance(2.25)
    assert world.result(note(2)) == 2
    assert world.result(count(20)) == 20
    assert world.result(get_remote(root, "pi")) == 3.14
    assert world.result(Deferred.fromCoroutine(_awaited(root.pi))) == 3.14
    for dead in (old.append, plain_root.note):
        with pytest.raises(DeadReferenceError):
            world.result(dead(4))
    assert world.result(world.result(things())[2]) == 3
    assert "root of the world" in repr(note)
    world.end()


async def _awaited(path: Any) -> Any:
    return await path


def test_a_call_in_flight_fails_once_and_is_not_repeated():
    """With ConnectionLost; the server has seen it once."""
    world = started()
    flying = Outcome(world.client.root.wait("in flight"))
    world.settle()
    assert world.shop.ran == ["in flight"]
    world.lose()
    assert isinstance(flying.error, ConnectionLost)
    world.advance(2.25)
    assert world.result(world.client.root.note("next")) == "next"
    assert world.shop.ran == ["in flight", "next"]
    assert len(flying.results) == 1
    world.end()


def test_a_call_waits_for_the_next_connection():
    """It is sent when there is one, once, and in the order of the calls."""
    world = World(up=False)
    root = world.client.root
    early = Outcome(root.note(1))  # before the start even
    world.start()
    calls = [early, *(Outcome(root.note(number)) for number in (2, 3))]
    assert not any(call.fired for call in calls)
    world.up = True
    world.advance(2.25)
    assert [call.value for call in calls] == [1, 2, 3] == world.shop.ran
    world.end()


@pytest.mark.parametrize("state", ["not started", "waiting", "connecting"])
def test_a_call_does_not_wait_for_ever(state):
    """It fails with a sentence that says how things stand, and is never sent."""
    world = World(up=False, wait_timeout=2)
    world.silent = state == "connecting"
    if state != "not started":
        world.start()
    call = Outcome(world.client.root.note("late"))
    world.advance(1)
    assert not call.fired
    world.advance(1)
    assert isinstance(call.error, DeadReferenceError)
    assert isinstance(call.error, EOFError)
    text = str(call.error)
    assert "not sent: no connection to the world within 2 s (option wait_timeout)" in text
    if state == "waiting":
        assert "waiting: no connection: ConnectionRefusedError" in text
        assert isinstance(call.error.__cause__, ConnectionRefusedError)
    else:
        assert {"not started": "not started yet", "connecting": "connecting"}[state] in text
    world.silent, world.up = False, True
    world.start()
    world.advance(60)
    assert world.result(world.client.root.note("sent")) == "sent"
    assert world.shop.ran == ["sent"]
    world.end()


def test_a_call_may_wait_for_ever():
    """With wait_timeout=None; no timer runs for it."""
    world = World(up=False, wait_timeout=None, retry_policy=lambda _failures: 1000)
    world.start()
    calls = [Outcome(world.client.root.note(number)) for number in range(3)]
    assert len(world.clock.getDelayedCalls()) == 1
    world.advance(999)
    assert not calls[0].fired
    world.up = True
    world.advance(1)
    assert [call.value for call in calls] == [0, 1, 2]
    world.end()


def test_a_call_that_waits_can_be_cancelled():
    """It is never sent, and nothing is kept of it."""
    world = World(up=False).start()
    timers = len(world.clock.getDelayedCalls())
    for _ in range(100):
        call = world.client.root.note("cancelled")
        outcome = Outcome(call)
        call.cancel()
        assert isinstance(outcome.error, CancelledError)
    assert len(world.clock.getDelayedCalls()) == timers
    assert len(world.client._waiters) == 0
    world.up = True
    world.advance(2.25)
    assert world.shop.ran == []
    world.end()


def test_a_call_that_was_sent_can_be_cancelled():
    """Whether it has waited or not, the peer's side of it is cancelled too."""
    world = World(up=False).start()
    first = world.client.root.wait("waited")
    world.up = True
    world.advance(2.25)
    second = world.client.root.wait("did not")
    world.settle()
    assert world.shop.ran == ["waited", "did not"]
    for call in (first, second):
        outcome = Outcome(call)
        call.cancel()
        world.settle()
        assert isinstance(outcome.error, CancelledError)
    assert world.shop.cancelled == world.shop.waiting
    world.end()


def test_time_outs_hold_on_each_connection():
    """
    Of a call, of a method by `timed`, and of the connection: what runs at the server is
    told of it where that is known, and cancelled.
    """
    world = started(config={"request_timeout": 20})
    root = world.client.root
    left, wait = timed(root.left, 7.5), timed(root.wait, 7.5)
    for life in range(2):
        assert world.result(root.left()) == 20
        assert world.result(left().deferred) == 7.5
        assert world.result(timed(root.left, 30)().deferred) == 30  # the connection's gives way
        one, two = Outcome(wait("timed").deferred), Outcome(root.wait("connection"))
        three = Outcome(root.wait("call").addTimeout(5, world.clock))
        for seconds, ended in ((5, [three]), (2.5, [one, three]), (12.5, [one, two, three])):
            world.advance(seconds)
            assert [each for each in (one, two, three) if each.fired] == ended
            assert len(world.shop.cancelled) == 3 * life + len(ended)
        assert isinstance(one.error, AsyncResultTimeout)
        assert isinstance(two.error, AsyncResultTimeout)
        assert "option request_timeout" in str(two.error)
        assert isinstance(three.error, defer.TimeoutError)
        world.lose()
        world.advance(2.25)
    world.end()


def test_the_time_that_a_call_has_waited_counts():
    """The server is told what is left of it; a call whose time is over is not sent."""
    world = World(up=False).start()
    soon = timed(world.client.root.left, 7.5)()
    late = timed(world.client.root.note, 2)("late")
    world.up = True
    world.advance(2.25)
    assert soon.value == 5.25
    assert late.expired
    assert world.shop.ran == []
    world.end()


def test_a_call_after_the_goodbye_waits():
    """A connection that is being closed is none any more, though its end is to come."""
    world = started()
    world.client.whenConnected().addCallback(lambda connection: connection.close())
    call = Outcome(world.client.root.note(1))
    waiting = Outcome(world.client.whenConnected())
    world.settle()
    assert not call.fired
    assert isinstance(world.client.status.error, ConnectionDone)
    world.advance(2.25)
    assert call.value == 1
    assert not waiting.value.closed
    world.end()


def test_a_call_made_when_the_loss_is_told_waits():
    """Whoever is told of the loss may call at once; it is the next connection's."""
    world = started()
    calls = []
    connection = world.result(world.client.whenConnected())
    flying = world.client.root.wait("in flight")
    flying.addErrback(lambda _failure: calls.append(Outcome(world.client.root.note("a"))))
    connection.when_disconnected().addCallback(
        lambda _ended: calls.append(Outcome(world.client.root.note("b")))
    )
    world.settle()
    world.lose()
    assert [call.fired for call in calls] == [False, False]
    world.advance(2.25)
    assert [call.value for call in calls] == ["a", "b"]
    world.end()


@pytest.mark.parametrize("up", [False, True])
def test_a_path_is_no_endless_list(up):
    """dict() and the like of a path end in a TypeError, connected or not."""
    world = World(up=up).start()
    for wrong in (dict, list, tuple):
        with pytest.raises(TypeError):
            wrong(world.client.root.things)
    world.end()


# -- the end


STATES = ["not started", "dialling", "waiting", "preparing", "connected", "refused"]


def brought_into(state: str) -> World:
    """Return a world whose client is in a state."""

    def hook(_connection: Any) -> Any:
        return {"preparing": lambda: Deferred(), "refused": lambda: fail(UnauthorizedLogin("no"))}[
            state
        ]()

    options = {"on_connect": hook} if state in ("preparing", "refused") else {}
    world = World(up=state != "waiting", **options)
    world.silent = state == "dialling"
    if state != "not started":
        with logged():
            world.start()
    return world


@pytest.mark.parametrize("state", STATES)
def test_it_can_be_stopped_in_any_state(state):
    """
    Connections are closed, nothing is left of timers, all who wait are told; and
    it can be started again.
    """
    world = brought_into(state)
    call = Outcome(world.client.root.wait("call"))
    waiting = Outcome(world.client.whenConnected())
    world.settle()
    world.end()
    if state == "connected":
        assert isinstance(call.error, ConnectionLost)  # it was in flight
        assert isinstance(waiting.value, Connection)
    elif state == "refused":
        assert isinstance(call.error, UnauthorizedLogin)
    else:
        assert isinstance(call.error, DeadReferenceError)
        assert "not sent: the client of the world is stopped" in str(call.error)
        assert isinstance(waiting.error, CancelledError)
    assert isinstance(Outcome(world.client.whenConnected()).error, CancelledError)
    with pytest.raises(DeadReferenceError, match="stopped"):
        world.result(world.client.root.note(1))
    world.end()  # once more does no harm
    ran = list(world.shop.ran)
    world.up, world.silent, world.client._manner.on_connect = True, False, None
    world.start()
    assert world.client.status.state == "connected"
    assert world.result(world.client.root.note("again")) == "again"
    assert world.shop.ran == [*ran, "again"]
    world.end()


@pytest.mark.parametrize("state", STATES)
def test_it_can_be_started_again_before_it_has_stopped(state):
    """It connects anew when the old connection is gone."""
    world = brought_into(state)
    stopping = Outcome(world.client.stopService())
    world.up, world.silent, world.client._manner.on_connect = True, False, None
    world.client.startService()
    world.client.startService()  # twice is as good
    world.advance(5)
    assert stopping.fired
    assert world.client.status.state == "connected"
    assert world.result(world.client.root.note(1)) == 1
    assert sum(not pair.client.closed for pair in world.pairs) == 1
    world.end()


@pytest.mark.parametrize(
    "where",
    [
        *("connected", "failed", "refused", "on_connect", "on_connect, later"),
        *("in flight", "told of the loss"),
    ],
)
def test_it_can_be_stopped_from_anywhere(where):
    """In a callback of its own, whatever it is about to do."""
    stopping: list[Outcome] = []

    def stop(_result: object = None) -> None:
        stopping.append(Outcome(world.client.stopService()))

    async def hook(connection: Connection) -> None:
        if where == "on_connect, later":
            await connection.root.note(1)
        if where.startswith("on_connect"):
            stop()
            await connection.when_disconnected()
        if where == "refused":
            raise UnauthorizedLogin("no")

    world = World(up=where != "failed", on_connect=hook)
    waiter = world.client.whenConnected(failAfterFailures=1)
    waiter.addErrback(lambda _failure: None)
    if where in ("connected", "failed", "refused"):
        waiter.addBoth(stop)
    world.start()
    if where in ("in flight", "told of the loss"):
        if where == "in flight":
            world.client.root.wait(1).addErrback(stop)
        else:
            connection = world.result(world.client.whenConnected())
            connection.when_disconnected().addCallback(stop)
        world.settle()
        world.lose()
    assert len(stopping) == 1
    assert stopping[0].value is None
    assert world.clock.getDelayedCalls() == []
    assert all(pair.client.closed for pair in world.pairs)
    assert len(world.dialled) == 1
    world.end()


# -- login


def test_it_logs_in_on_each_connection():
    """And what the login gives is the root, of the client and of its connection."""
    seen = []
    world = started(login=("ann", "s3cret"), on_connect=lambda conn: seen.append(conn.root))
    for _ in range(3):
        assert world.result(world.client.root.whose()) == "ann"
        connection = world.result(world.client.whenConnected())
        assert world.result(connection.root.whose()) == "ann"
        assert seen[-1] is connection.root
        world.lose()
        world.advance(2.25)
    assert world.shop.logins == [("ann", "s3cret")] * 4
    world.end()


def test_refused_credentials_are_not_tried_again():
    """
    All who wait are told at once, and whoever comes later; the password is in no
    text. A new start tries again.
    """
    with logged() as log:
        world = World(login=("ann", "s3cret"))
        world.shop.refusal = UnauthorizedLogin("wrong password")
        waiting = Outcome(world.client.whenConnected())
        call = Outcome(world.client.root.whose())
        world.start()
        late = Outcome(world.client.whenConnected())
        late_call = Outcome(world.client.root.whose())
        for outcome in (waiting, call, late, late_call):
            assert isinstance(outcome.error, UnauthorizedLogin)
            assert "login of 'ann' was refused" in str(outcome.error)
            assert "wrong password" in str(outcome.error)
        world.advance(1000)
        assert world.clock.getDelayedCalls() == []
    assert len(world.dialled) == len(world.shop.logins) == 1
    assert world.pairs[0].client.closed
    assert world.client.running
    status = world.client.status
    assert (status.state, status.next_try) == ("refused", None)
    for text in (log.text(), str(status), repr(status), repr(world.client), str(call.error)):
        assert "s3cret" not in text
    assert "login of 'ann' was refused" in log.text()
    world.end()
    world.shop.refusal = None
    world.start()
    assert world.result(world.client.root.whose()) == "ann"
    world.end()


def test_credentials_may_be_refused_later():
    """When the password was changed while the client was away."""
    world = started(login=("ann", "s3cret"))
    world.shop.refusal = UnauthorizedLogin("wrong password")
    world.lose()
    call = Outcome(world.client.root.whose())
    world.advance(2.25)
    assert isinstance(call.error, UnauthorizedLogin)
    world.advance(100)
    assert len(world.dialled) == 2
    world.end()


def test_a_login_that_fails_otherwise_is_tried_again():
    """A server whose user database is away is a server that is away."""
    world = World(login=("ann", "s3cret"))
    world.shop.refusal = ValueError("no database")
    world.start()
    assert "connected, but: ValueError: no database" in str(world.client.status)
    assert world.pairs[0].client.closed
    world.shop.refusal = None
    world.advance(2.25)
    assert world.result(world.client.root.whose()) == "ann"
    world.end()


# -- on_connect


@pytest.mark.parametrize("kind", ["function", "coroutine", "Deferred"])
def test_subscriptions_are_made_anew_on_each_connection(kind):
    """Before anybody else has the connection; each event comes once."""
    events: list[Any] = []
    order: list[str] = []

    async def coroutine(connection: Connection) -> None:
        await connection.root.subscribe(events.append)
        order.append("subscribed")

    def function(connection: Connection) -> Any:
        done = Deferred.fromCoroutine(coroutine(connection))
        return done if kind == "Deferred" else None

    hook = coroutine if kind == "coroutine" else function
    world = World(on_connect=hook)
    world.client.whenConnected().addCallback(lambda _connection: order.append("connected"))
    world.start()
    if kind != "function":
        assert order == ["subscribed", "connected"]
    for number in range(3):
        assert len(world.shop.listeners) == number + 1
        for listener in world.shop.listeners:
            listener(number).addErrback(lambda failure: failure.trap(DeadReferenceError))
        world.settle()
        world.lose()
        world.advance(2.25)
    assert events == [0, 1, 2]
    world.end()


def test_a_call_waits_until_on_connect_is_done():
    """So that it finds what that has set up."""
    gate: Deferred[None] = Deferred()
    world = World(on_connect=lambda _connection: gate).start()
    call = Outcome(world.client.root.note(1))
    world.settle()
    assert (world.client.status.state, world.shop.ran) == ("connecting", [])
    gate.callback(None)
    world.settle()
    assert call.value == 1
    world.end()


def test_an_on_connect_that_fails_is_tried_again():
    """
    The connection is closed, the wait is the policy's, and the log has the
    traceback.
    """
    failures = [ValueError("not yet"), ValueError("not yet")]

    def hook(_connection: Connection) -> None:
        if failures:
            raise failures.pop()

    with logged() as log:
        world = World(on_connect=hook).start()
        assert world.pairs[0].client.closed
        assert "connected, but: ValueError: not yet" in str(world.client.status)
        assert "raise failures.pop()" in log.text()
        world.advance(2.25)
        world.advance(4.25)
    assert world.dialled == [0, 2.25, 6.5]
    assert world.client.status.state == "connected"
    world.end()


def test_an_on_connect_that_takes_too_long_is_given_up():
    """It is cancelled after the time-out, and the connection closed."""
    cancelled: list[Any] = []
    world = World(timeout=5, on_connect=lambda _connection: Deferred(cancelled.append)).start()
    world.advance(5)
    assert "TimeoutError: login and on_connect took longer than 5 s" in str(world.client.status)
    assert len(cancelled) == 1
    assert world.pairs[0].client.closed
    world.advance(2.25)
    assert len(world.dialled) == 2
    world.end()


@pytest.mark.parametrize("then", ["stays", "waits for that", "succeeds", "closes it"])
def test_a_connection_that_is_lost_during_on_connect(then):
    """Is a failed try, whatever the hook goes on to do."""
    gates: list[Deferred[None]] = []

    async def hook(connection: Connection) -> None:
        gates.append(Deferred())
        while then == "stays":
            try:
                await gates[-1]
                return
            except Exception:  # of the kind that users write
                gates.append(Deferred())
        if then == "closes it":
            connection.close()
        elif then == "waits for that":
            await connection.when_disconnected()
        else:
            try:
                await connection.root.wait(1)
            except ConnectionLost:
                return

    world = World(on_connect=hook).start()
    if then != "closes it":
        assert world.client.status.state == "connecting"
        world.lose()
    assert world.client.status.state == "waiting"
    assert "ConnectionLost" in world.client.status.happened
    world.advance(2.25)
    assert len(world.pairs) == 2
    world.client._manner.on_connect = None
    world.lose()
    world.advance(4.25)
    assert world.client.status.state == "connected"
    world.end()


# -- whatever happens


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["note", "wait", "up", "down", "lose", "silent", "cancel", "answer"]),
        st.sampled_from([0.0, 0.5, 2.25, 31.0]),
    ),
    max_size=40,
)


@settings(max_examples=examples(40), deadline=None)
@given(STEPS)
def test_every_call_ends_once_and_runs_at_most_once(steps):
    """Whatever comes in whatever order."""
    world = World()
    world.client.startService()
    calls: list[Deferred[Any]] = []
    outcomes: list[Outcome] = []
    for step in steps:
        if step in ("note", "wait"):
            calls.append(getattr(world.client.root, step)(len(calls)))
            outcomes.append(Outcome(calls[-1]))
        elif step == "cancel" and calls:
            calls[len(steps) % len(calls)].cancel()
        elif step == "answer":
            for running in world.shop.waiting:
                if not running.called:
                    running.callback("answered")
        elif step == "lose" and world.pairs:
            world.pairs[-1].lose()
        elif step in ("up", "down", "silent"):
            world.up, world.silent = step == "up", step == "silent"
        elif isinstance(step, float):
            world.advance(step)
    world.end()
    assert all(len(outcome.results) == 1 for outcome in outcomes)
    assert len(world.shop.ran) == len(set(world.shop.ran))
    for number, outcome in enumerate(outcomes):
        if not isinstance(outcome.results[0], txremote.Connection | str | int):
            error = outcome.error
            assert isinstance(error, ConnectionLost | DeadReferenceError | CancelledError)
            if isinstance(error, DeadReferenceError):
                assert number not in world.shop.ran
        else:
            assert number in world.shop.ran


# -- a server that stops in order


def test_it_leaves_a_server_that_stops():
    """The call in flight ends on the old connection, the next is sent on the next one."""
    world = World().start()
    flying = Outcome(world.client.root.wait("old"))
    world.settle()
    world.pairs[0].server.closing.drain("the server is stopping")
    world.settle()
    assert "the server is stopping, next try in" in str(world.client.status)
    new = Outcome(world.client.root.note("new"))
    world.advance(2.25)
    assert new.value == "new"
    assert not flying.fired
    assert not world.pairs[0].client.closed
    world.shop.waiting[0].callback("answered")
    world.settle()
    assert flying.value == "answered"
    assert world.pairs[0].client.closed
    world.advance(60)
    assert world.client.status.state == "connected"
    assert (len(world.dialled), world.shop.ran) == (2, ["old", "new"])
    world.end()


def test_a_server_that_stops_during_on_connect_is_a_failed_try():
    """Nobody has had the connection yet; it is closed, and dialled again."""
    gates: list[Deferred[None]] = []

    async def hook(connection: Connection) -> None:
        if not gates:
            Outcome(connection.root.wait("has the server drain"))
        gates.append(Deferred())
        await gates[-1]

    world = World(on_connect=hook).start()
    world.pairs[0].server.closing.drain("the server is stopping")
    world.settle()
    gates[0].callback(None)
    world.settle()
    assert "connected, but: ServerStopping" in str(world.client.status)
    assert world.pairs[0].client.closed
    world.advance(2.25)
    gates[1].callback(None)
    world.settle()
    assert world.client.status.state == "connected"
    world.end()


@pytest_twisted.ensureDeferred
async def test_a_server_that_drains_is_left_for_its_successor():
    """Over TCP, on one port: each call is answered once, and runs once."""
    from twisted.internet import reactor

    shop = Shop()
    port = await txremote.listen("tcp:0:interface=127.0.0.1", shop)
    number = port.getHost().port
    client = RemoteClient(f"tcp:127.0.0.1:{number}", retry_policy=SOON)
    client.startService()
    flying = client.root.wait("old")
    while not shop.waiting:
        await deferLater(reactor, 0.001)
    stopping = port.stopListening()
    factory = port.factory
    drained = factory.finish_all(30)
    await stopping
    while client.status.state == "connected":
        await deferLater(reactor, 0.001)
    successor = await txremote.listen(f"tcp:{number}:interface=127.0.0.1", shop)
    assert await client.root.note("new") == "new"
    assert not drained.called
    shop.waiting[0].callback("answered")
    assert await flying == "answered"
    await drained
    assert await client.root.note("last") == "last"
    assert shop.ran == ["old", "new", "last"]
    await client.stopService()
    await successor.stopListening()


# -- with sockets


#: Fast, for tests that wait for real.
SOON = backoffPolicy(initialDelay=0.02, factor=1.5, maxDelay=0.1, jitter=lambda: 0.0)


@pytest_twisted.ensureDeferred
async def test_its_calls_are_for_the_reactors_thread():
    """WrongThread elsewhere, connected or not; async_ may be used anywhere."""
    async with served(Desk) as port:
        client = RemoteClient(endpoint_of(port))
        with pytest.raises(WrongThread, match="async_"):
            await deferToThread(lambda: client.root.same(1))
        result = await deferToThread(lambda: async_(client.root.same)(2))  # it waits, too
        client.startService()
        assert await result == 2
        with pytest.raises(WrongThread):
            await deferToThread(lambda: client.root.same(1))
        assert await deferToThread(lambda: async_(client.root.same)(3).value) == 3
        await client.stopService()


@of_a_reactor
@pytest_twisted.ensureDeferred
async def test_it_leaves_nothing_in_the_reactor():
    """
    Stopped while a silent server is dialled, or with calls that wait: no timer, no
    socket.
    """
    from twisted.internet import reactor

    async def is_clean() -> bool:
        await deferLater(reactor, 0)
        return set(reactor.getDelayedCalls()) <= timers and set(reactor.getReaders()) <= readers

    timers, readers = set(reactor.getDelayedCalls()), set(reactor.getReaders())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = RemoteClient(f"tcp:127.0.0.1:{silent.getsockname()[1]}")
        client.startService()
        call = Outcome(client.root.note(1))
        await until(lambda: set(reactor.getReaders()) > readers)
        await client.stopService()
        assert isinstance(call.error, DeadReferenceError)
        assert await is_clean()
    client.startService()
    await until(lambda: client.status.state == "waiting")
    await client.stopService()
    assert await is_clean()


@contextmanager
def ended_at_last(programs: list[Any]) -> Iterator[None]:
    """Kill whatever was started, however the test ends."""
    try:
        yield
    finally:
        for program in programs:
            program.kill()


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_killed_and_comes_back(tmp_path):
    """
    The client is back within its back-off; each call ends once, none was done
    twice, and each event came once.
    """
    from twisted.internet import reactor

    book = tmp_path / "book"
    env = {**os.environ, "OFFICE_BOOK": str(book)}
    endings: dict[int, list[Any]] = {}
    events: list[tuple[int, int]] = []
    attempts: list[float] = []

    def policy(failures: int) -> float:
        attempts.append(SOON(failures))
        return attempts[-1]

    def call(name: str = "job") -> None:
        ended = endings.setdefault(len(endings), [])
        getattr(client.root, name)(len(endings) - 1).addBoth(ended.append)

    def heard(*event: int) -> None:
        events.append(event)

    async def hear_of_life(life: int) -> None:
        def are_heard() -> bool:
            numbers = list(Counter(pid for pid, _number in events).values())
            return len(numbers) == life and numbers[-1] > 10

        await until(are_heard)

    servers: list[Twistd] = []
    with ended_at_last(servers):
        servers.append(await deferToThread(Twistd, "tests.net.killed_service.Office", env=env))
        client = RemoteClient(
            servers[0].endpoint,
            login=("ann", "s3cret"),
            on_connect=lambda connection: connection.root.subscribe(heard),
            retry_policy=policy,
        )
        client.startService()
        calling = LoopingCall(call)
        calling.start(0.002)
        for life in (1, 2):
            await hear_of_life(life)
            call("linger")
            await deferToThread(servers[-1].kill)
            await until(lambda: client.status.state != "connected")
            connecting = client.whenConnected()
            again = partial(
                Twistd,
                "tests.net.killed_service.Office",
                listen=f"tcp:{servers[0].port}:interface=127.0.0.1",
                env=env,
            )
            servers.append(await deferToThread(again))
            up = reactor.seconds()
            await connecting
            # 0.1 at most, and what a busy machine takes to connect and to log in
            assert reactor.seconds() - up < 0.1 + 5
            assert max(attempts) <= 0.1
        await hear_of_life(3)
        calling.stop()
        await until(lambda: all(endings.values()))
        await client.stopService()

    assert all(len(ended) == 1 for ended in endings.values())
    done = [int(line) for line in book.read_text().split()]
    assert len(done) == len(set(done))
    lost = [number for number, [ended] in endings.items() if ended != number]
    for number in lost:
        assert isinstance(endings[number][0].value, ConnectionLost)
    assert set(endings) - set(done) <= set(lost)
    assert done
    assert len(lost) >= 2  # one a life, and those that were made while no server was there
    for life in {pid for pid, _number in events}:
        numbers = [number for pid, number in events if pid == life]
        assert numbers == sorted(set(numbers))
        assert len(numbers) > 10


@pytest.mark.parametrize("which", ["none", "another's", "namesake's", "expired"])
@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
@pytest_twisted.ensureDeferred
async def test_a_certificate_that_is_refused_is_not_tried_again(tmp_path, which):
    """It is as with a wrong password: all who wait are told why, and a new start tries again."""
    (tmp_path / "other").mkdir()
    authority = Authority(tmp_path)
    cert = {
        "none": lambda: None,
        "another's": lambda: Authority(tmp_path / "other", "another").issue("ann"),
        "namesake's": lambda: Authority(tmp_path / "other").issue("ann"),
        "expired": lambda: authority.issue("ann", -DAY),
    }[which]()
    server = tls_server(LOOPBACK, authority.issue("server"), ca=authority.path)
    async with served(Desk, server) as port:
        where = f"tcp:127.0.0.1:{port.getHost().port}"
        with pytest.raises(ConnectionLost, match="refused this client's certificate"):
            await txremote.connect(tls_client(where, ca=authority.path, cert=cert))
        client = RemoteClient(tls_client(where, ca=authority.path, cert=cert))
        for _start in range(2):
            client.startService()
            waiting, call = client.whenConnected(), client.root.same(1)
            for refused in (waiting, call, client.whenConnected()):
                with pytest.raises(UnauthorizedLogin, match="refused this client's certificate"):
                    await refused
            assert (client.status.state, client.status.tries) == ("refused", 1)
            assert client.status.next_try is None
            await client.stopService()
        good = RemoteClient(tls_client(where, ca=authority.path, cert=authority.issue("bob")))
        good.startService()
        assert await good.root.same(1) == 1
        await good.stopService()


STOCK = """
import sys
import rpyc
from rpyc.utils.server import ThreadedServer

class Account(rpyc.Service):
    @property
    def exposed_self(self):
        return self
    def exposed_whose(self):
        return "ann"

class Gate(rpyc.Service):
    exposed_done = []
    def exposed_login(self, user, password):
        if password != "s3cret":
            raise PermissionError("wrong password")
        return Account()

server = ThreadedServer(Gate, hostname="127.0.0.1", port=int(sys.argv[1]))
server._listen()
print("port", server.port, flush=True)
server.start()
"""


@pytest.mark.parametrize("version", ["6", "5"])
@pytest_twisted.ensureDeferred
async def test_a_stock_server_that_is_killed_and_comes_back(version, request):
    """
    An RPyC server of either version, its dialect found out each time; a wrong
    password is told at once.
    """
    folder = {"PYTHONPATH": str(request.getfixturevalue("rpyc5"))} if version == "5" else {}

    def serve(port: int) -> Any:
        words = [sys.executable, "-c", STOCK, str(port)]
        program = Program(*words, env={**os.environ, **folder})
        programs.append(program)
        return int(program.wait_for(r"port (\d+)")[1])

    programs: list[Program] = []
    with ended_at_last(programs):
        port = await deferToThread(serve, 0)
        where = f"tcp:127.0.0.1:{port}"
        client = RemoteClient(where, login=("ann", "s3cret"), retry_policy=SOON)
        client.startService()
        assert await client.root.whose() == "ann"
        root = await client.root
        for _ in range(2):
            connection = await client.whenConnected()
            assert not connection.is_txremote
            flying = Outcome(client.root.whose())
            await deferToThread(programs[-1].kill)
            await connection.when_disconnected()
            assert isinstance(flying.results[0], str) or isinstance(flying.error, ConnectionLost)
            with pytest.raises(DeadReferenceError):
                await root.whose()
            late = client.root.whose()
            await deferToThread(serve, port)
            assert await late == "ann"
            assert await client.root.self.self.whose() == "ann"  # step by step
        wrong = RemoteClient(where, login=("ann", "s4cret"), retry_policy=SOON)
        wrong.startService()
        with pytest.raises(UnauthorizedLogin, match="PermissionError: wrong password"):
            await wrong.whenConnected()
        await gatherResults([client.stopService(), wrong.stopService()])
