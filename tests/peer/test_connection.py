"""
`Connection`: two ends with all their parts, from the first word to the last.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from contextvars import Context
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

import pytest
from twisted.internet import error as twisted_error
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.peer.hosted import PAIRS, Hosted, Thing, a_pair, exported, settle, silent_pair  # noqa: F401
from tests.peer.pairs import (
    Outcome,
    RawPeer,
    Wire,
    make_stock,
    request_payload,
)
from txremote import (
    AsyncResultTimeout,
    ConnectionLost,
    DeadReferenceError,
    RemoteProtocolError,
    Service,
    exposed,
    get_remote,
    len_remote,
    repr_remote,
)
from txremote.config import DEFAULT_CONFIG
from txremote.gate.access import AccessPolicy
from txremote.peer.closing import Closing
from txremote.peer.connection import Connection, is_local
from txremote.peer.exports import ClassNumbers
from txremote.peer.immediate import ImmediateExecutor
from txremote.peer.imports import ReleaseSweeper
from txremote.peer.memory_budget import MemoryBudget
from txremote.peer.outbound import OutboundCalls
from txremote.service import VoidService
from txremote.testing import MemoryTransport, Pair, connected_pair
from txremote.wire.brine import dump
from txremote.wire.consts import (
    HANDLE_DESCRIBE,
    HANDLE_GETROOT,
    HANDLE_INSPECT,
    HANDLE_INSTANCECHECK,
    HANDLE_PING,
)
from txremote.wire.framing import frame


@pytest.mark.parametrize("dialect", ["6", "5"])
@pytest.mark.parametrize("bound", [False, True])
def test_a_server_answers_each_connection_in_the_dialect_it_speaks(
    dialect: str, bound: bool
) -> None:
    service = Hosted()
    for _ in range(2):
        pair = connected_pair(
            client_root=Hosted,
            server_root=service,
            dialect=dialect,
            client_config={"bind_threads": bound},
        )
        assert pair.result(pair.client.root.add(1, 2)) == 3
        assert pair.result(pair.server.root.add(3, 4)) == 7
        with pytest.raises(TypeError):
            pair.result(pair.client.root.add())


def test_a_peer_of_another_dialect_is_told_of_and_remembered() -> None:
    pair = connected_pair(server_root=Hosted, introduce=False)
    pair.client.dataReceived(b"\x00\x00\x00\x05\x00\x12\x52\x50\x00\x00\n")
    assert pair.client.other_dialect == "5"
    assert pair.client.transport.disconnecting


# --- the root ---------------------------------------------------------------------


def test_reading_the_root_sends_nothing(pair: Pair) -> None:
    wires = Wire(pair.client), Wire(pair.server)
    assert pair.client.root is pair.client.root
    assert pair.server.root
    pair.pump()
    assert [wire.bytes for wire in wires] == [0, 0]


def test_the_root_is_fetched_once(pair: Pair) -> None:
    wire = Wire(pair.client)
    assert pair.result(pair.client.fetch_root()) is pair.client.root
    assert wire.bytes == 0
    pair = connected_pair(client_root=Hosted)
    wire = Wire(pair.server)
    for _ in range(3):
        assert pair.result(pair.server.root.add(1, 2)) == 3
    assert wire.requests.count(HANDLE_GETROOT) == 1


# --- counting ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", PAIRS)
def test_an_object_that_was_given_back_is_not_kept_alive(kind: str) -> None:
    """Also if it was called, compared and shown before."""
    pair = PAIRS[kind](server_root=Hosted)
    (thing,) = pair.result(pair.client.root.things(1))
    watch = weakref.ref(pair.server._tables.unbox_local(thing._key))
    for _ in range(3):
        pair.result(thing.callRemote("__eq__", 3))
        pair.result(repr_remote(thing))
        pair.result(get_remote(thing, "number"))
    del thing
    settle(pair)
    gc.collect()
    assert watch() is None


def test_an_argument_is_released_by_whoever_received_it(pair: Pair) -> None:
    mine = [1, 2, 3]
    pair.result(pair.client.root.keep(mine))
    pair.result(pair.client.root.keep(mine))
    assert pair.client._tables.exports.of(mine).count == 2  # type: ignore[union-attr]
    pair.server.service.kept.clear()
    settle(pair)
    assert exported(pair.client) == 0


def test_an_argument_that_nobody_keeps_leaves_with_the_answer(pair: Pair) -> None:
    assert pair.result(pair.client.root.echo([1])) == [1]
    settle(pair)
    assert exported(pair.client) == 0
    assert exported(pair.server) == 0


def test_after_everything_both_tables_are_empty_but_for_the_root(pair: Pair) -> None:
    async def use() -> None:
        root = pair.client.root
        for thing in await root.things(3):
            await thing.number
        players = await root.echo({"a": [1]})
        assert players == {"a": [1]}
        await root.keep(lambda: None)
        await repr_remote(await root.same())

    pair.result(Deferred.fromCoroutine(use()))
    pair.server.service.kept.clear()
    settle(pair)
    assert (exported(pair.server), exported(pair.client)) == (0, 0)
    assert len(pair.client._tables.imports) == 1
    assert len(pair.server._tables.imports) == 0


# --- the connection is lost -------------------------------------------------------


@pytest.mark.parametrize("kind", PAIRS)
def test_a_thousand_waiting_calls_fail_once_each(kind: str) -> None:
    pair = PAIRS[kind](server_root=Hosted)
    calls = [pair.client.root.later() for _ in range(1000)]
    outcomes = [Outcome(call) for call in calls]
    pair.pump()
    pair.lose()
    for outcome in outcomes:
        assert len(outcome.results) == 1
        assert type(outcome.error) is ConnectionLost
        assert isinstance(outcome.error, twisted_error.ConnectionLost)
        assert isinstance(outcome.error, EOFError)
    assert len({id(outcome.error) for outcome in outcomes}) == 1000
    for call in calls:
        call.cancel()
    assert pair.clock.getDelayedCalls() == []


def test_half_of_them_answered_and_some_cancelled_in_errbacks(pair: Pair) -> None:
    calls = [pair.client.root.later() for _ in range(1000)]
    pair.pump()
    for gate in pair.server.service.gates[::2]:
        gate.callback("done")
    later_calls: list[Outcome] = []

    def meanwhile(failure: Any, index: int) -> Any:
        calls[-index - 1].cancel()
        later_calls.append(Outcome(pair.client.root.add(1, 2)))
        return failure

    for index, call in enumerate(calls):
        call.addErrback(meanwhile, index)
    outcomes = [Outcome(call) for call in calls]
    half = b"".join(pair.server.transport.written)
    pair.client.dataReceived(half[: len(half) // 2])
    pair.lose()
    assert all(len(outcome.results) == 1 for outcome in outcomes)
    kinds = [type(outcome.results[0]) for outcome in outcomes]
    assert 0 < kinds.count(str) < 500
    errors = {type(outcome.error) for outcome in outcomes if outcome.results != ["done"]}
    assert errors == {ConnectionLost, CancelledError}
    assert {type(outcome.error) for outcome in later_calls} == {DeadReferenceError}


def test_the_error_says_how_it_ended(pair: Pair) -> None:
    waiting = Outcome(pair.client.root.later())
    pair.pump()
    pair.lose(ConnectionDone())
    assert str(waiting.error) == "the peer closed the connection"
    with pytest.raises(DeadReferenceError, match="the peer closed the connection"):
        pair.result(pair.client.root.add(1, 2))


def test_the_error_tells_an_end_in_mid_message(pair: Pair) -> None:
    waiting = Outcome(pair.client.root.later())
    pair.client.dataReceived(b"\x00\x00\x00\x05\x00\x01")
    pair.lose(ConnectionDone())
    assert "in the middle of a message" in str(waiting.error)


def test_a_call_made_before_the_loss_and_sent_by_nobody_fails_too(pair: Pair) -> None:
    waiting = Outcome(pair.client.root.add(1, 2))
    pair.lose()
    assert type(waiting.error) is ConnectionLost


def test_references_may_die_after_the_end(pair: Pair) -> None:
    things = pair.result(pair.client.root.things(3))
    pair.lose()
    wire = Wire(pair.client)
    del things
    settle(pair)
    assert wire.bytes == 0
    assert len(pair.server._tables.exports) == 0


def test_the_ends_let_go_of_everything(pair: Pair) -> None:
    pair.result(pair.client.root.keep(Thing(1)))
    pair.lose()
    for end in (pair.client, pair.server):
        assert len(end._tables.exports) == 0
        assert len(end._tables.imports) == 0
        assert end.closed


# --- ping -------------------------------------------------------------------------


def test_ping(pair: Pair) -> None:
    assert pair.result(pair.client.ping()) is None
    assert pair.result(pair.server.ping()) is None
    assert pair.result(pair.client.ping(("x", 1))) is None


def test_a_ping_that_is_not_answered_fails_in_its_time(pair: Pair) -> None:
    outcome = Outcome(pair.client.ping(timeout=3))
    pair.client.transport.written.clear()
    pair.advance(2.9)
    assert not outcome.fired
    pair.advance(0.1)
    assert isinstance(outcome.error, AsyncResultTimeout)


def test_a_ping_does_not_wait_for_the_time_out_of_a_call_before_it() -> None:
    pair = silent_pair()
    pair.result(pair.server.fetch_root())
    call = Outcome(pair.server.root.later())
    ping = Outcome(pair.server.ping(timeout=3))
    pair.client.transport.written.clear()
    pair.server.transport.written.clear()
    pair.clock.advance(3)
    assert isinstance(ping.error, AsyncResultTimeout)
    assert not call.fired


def test_a_ping_that_is_answered_otherwise_is_told(pair: Pair) -> None:
    ping = Outcome(pair.client.ping("a"))
    (number,) = pair.client.outbound.pending._waiting
    pair.client.dataReceived(frame(b"\x02" + dump((number, (1, "b")))))
    assert isinstance(ping.error, RemoteProtocolError)


# --- who is local -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "local"),
    [
        (IPv4Address("TCP", "127.0.0.1", 1), True),
        (IPv4Address("TCP", "127.9.9.9", 1), True),
        (IPv4Address("TCP", "10.0.0.1", 1), False),
        (IPv4Address("TCP", "0.0.0.0", 1), False),
        (IPv6Address("TCP", "::1", 1), True),
        (IPv6Address("TCP", "::ffff:127.0.0.1", 1), True),
        (IPv6Address("TCP", "fe80::1", 1), False),
        (UNIXAddress("/tmp/x"), True),
        (UNIXAddress(None), True),
        (HostnameAddress(b"localhost", 1), False),
        (None, False),
        ("127.0.0.1", False),
    ],
)
def test_what_is_on_this_machine(address: Any, local: bool) -> None:
    assert is_local(address) is local


def test_far_peers_get_compressed_frames_and_near_ones_do_not() -> None:
    for address, compressed in ((IPv4Address("TCP", "10.0.0.1", 1), True), (None, False)):
        assert RawPeer(Hosted, address).connection.outbox.compress is compressed


# --- objects of a third peer ------------------------------------------------------


class Exchange(Service):
    """Passes what one client gives to another."""

    def __init__(self) -> None:
        self.exposed_thing: Any = None

    @exposed
    def put(self, thing: Any) -> None:
        self.exposed_thing = thing

    @exposed
    def take(self) -> Any:
        return self.exposed_thing

    @exposed
    def call(self, *args: Any) -> Any:
        return self.exposed_thing(*args)


@exposed
class Given:
    def __init__(self) -> None:
        self.exposed_value = 5
        self.left: Any = None

    def exposed_double(self, number: int, plus: int = 0) -> int:
        return 2 * number + plus

    def exposed_child(self) -> Any:
        return Thing(9)

    def exposed_kind(self) -> Any:
        return Given

    def hidden(self) -> None:
        pass

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: int) -> int:
        if key >= 3:
            raise IndexError(key)
        return key * 10

    def __eq__(self, other: object) -> bool:
        return other == 5

    def __hash__(self) -> int:
        return 4

    def __repr__(self) -> str:
        return "<given>"

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: Any) -> bool:
        self.left = args
        return False


class Between:
    """Two clients of one server, where all three can be looked at."""

    def __init__(self, make: Any = connected_pair) -> None:
        service = Exchange()
        self.clock = Clock()
        self.a = make(server_root=service, clock=self.clock)
        self.b = make(server_root=service, clock=self.clock)

    def pump(self) -> None:
        while self.a.pump() + self.b.pump():
            pass

    def result(self, deferred: Any) -> Any:
        outcome = Outcome(deferred)
        self.pump()
        return outcome.value

    def settle(self) -> None:
        for _ in range(4):
            gc.collect()
            self.clock.advance(0.05)
            self.pump()

    def pass_on(self, thing: Any) -> Any:
        """Have A give a thing to the server, and return what B takes from there."""
        self.result(self.a.client.root.put(thing))
        return self.result(self.b.client.root.take())


@pytest.mark.parametrize("kind", ["txremote", "stock client", "stock server"])
def test_a_callback_passed_through_the_server_is_called_by_another_client(kind: str) -> None:
    between = Between(PAIRS[kind])
    heard: list[Any] = []

    def callback(*args: Any, **kwargs: Any) -> str:
        heard.append((args, kwargs))
        return "thanks"

    taken = between.pass_on(callback)
    assert between.result(taken(1, "two")) == "thanks"
    assert between.result(between.b.client.root.call(3)) == "thanks"
    assert heard == [((1, "two"), {}), ((3,), {})]


def test_an_object_passed_through_can_be_used_in_every_way() -> None:
    between = Between()
    given = Given()
    taken = between.pass_on(given)
    ask = between.result
    assert ask(taken.double(4, plus=1)) == 9
    assert ask(get_remote(taken, "value")) == 5
    assert ask(taken[2]) == 20
    assert ask(len_remote(taken)) == 3
    assert ask(repr_remote(taken)) == "<given>"
    assert ask(taken.callRemote("__eq__", 5)) is True
    child = ask(taken.child())
    assert ask(get_remote(child, "number")) == 9
    assert ask(between.b.client.root.thing.double(5)) == 10  # a path through the server
    with pytest.raises(AttributeError):
        ask(taken.hidden())
    with pytest.raises(IndexError):
        ask(taken[5])


def test_it_can_be_iterated_and_entered() -> None:
    between = Between()
    given = Given()
    taken = between.pass_on(given)

    async def use() -> Any:
        found = []
        async with taken as entered:
            assert entered is taken
            async for item in await between.b.client.root.take():
                found.append(item)
        return found

    listed = between.pass_on(list(range(30)))

    async def collect(iterable: Any) -> Any:
        return [item async for item in iterable]

    assert between.result(Deferred.fromCoroutine(collect(listed))) == list(range(30))
    between.result(between.a.client.root.put([1, 2]))
    assert between.result(Deferred.fromCoroutine(use())) == [1, 2]
    assert given.left == (None, None, None)


def test_isinstance_is_asked_where_both_live() -> None:
    between = Between()
    taken = between.pass_on(Given())
    kind = between.result(taken.kind())
    own = between.result(between.b.client.fetch_root())

    def check(kind: Any, instance: Any) -> Any:
        return between.result(between.b.client.request(HANDLE_INSTANCECHECK, kind, instance._pack))

    assert check(kind, taken) is True
    assert check(kind, own) is False
    assert check(kind, kind) is False


def test_inspect_is_passed_on() -> None:
    between = Between()
    taken = between.pass_on(Given())
    methods = dict(between.result(between.b.client.request(HANDLE_INSPECT, taken._pack)))
    assert "exposed_double" in methods
    assert "hidden" not in methods


def test_describe_is_passed_on_as_inspect_to_an_owner_without_values() -> None:
    """Whoever is between knows more than a stock peer that it stands before."""
    between = Between()
    taken = between.pass_on(Given())

    def ask() -> dict[str, tuple[Any, ...]]:
        told = between.result(between.b.client.request(HANDLE_DESCRIBE, taken._pack))
        return {name: tuple(rest) for name, *rest in told}

    assert len(ask()["exposed_double"]) == 3
    between.a.server.features = frozenset()
    assert len(ask()["exposed_double"]) == 1


def test_it_comes_back_to_its_owner_as_itself() -> None:
    between = Between()
    given = Given()
    between.pass_on(given)
    assert between.result(between.a.client.root.take()) is given


def test_what_was_passed_through_is_given_back_everywhere() -> None:
    between = Between()
    taken = between.pass_on(Given())
    child = between.result(taken.child())
    del taken, child
    between.result(between.a.client.root.put(None))
    between.settle()
    for pair in (between.a, between.b):
        assert (exported(pair.server), exported(pair.client)) == (0, 0)


def test_the_owner_going_away_fails_the_call_and_not_the_connection() -> None:
    between = Between()
    taken = between.pass_on(Given())
    between.a.lose()
    with pytest.raises(EOFError):
        between.result(taken.double(1))
    assert between.result(between.b.client.ping()) is None


def test_made_up_paths_through_the_server_do_not_pile_up_there() -> None:
    between = Between()
    between.pass_on(Given())
    for number in range(300):
        between.b.client.root.callRemote(f"x{number}").addErrback(lambda _failure: None)
        between.b.client.call(
            between.b.client.root, ("thing", f"name_{number}", "y" * 5000), (), {}
        ).addErrback(lambda _failure: None)
    between.pump()
    reference: Any = between.a.server.service.exposed_thing
    assert len(reference._call_prefixes) <= 100
    assert sum(map(len, reference._call_prefixes.values())) < 200_000


def test_a_stock_server_in_the_middle_needs_no_extension() -> None:
    between = Between()
    for pair in (between.a, between.b):
        make_stock(pair.server)
        pair.client.features = frozenset()
    taken = between.pass_on(Given())
    assert between.result(taken.double(4)) == 8


def test_a_peer_that_has_only_come_makes_nothing_that_it_does_not_use() -> None:
    """A listener may have very many of those."""
    peer = RawPeer()
    peer.send_request(HANDLE_GETROOT)
    assert len(peer.received()) == 1
    connection = peer.connection
    held = [*gc.get_referents(connection), *gc.get_referents(connection.tables)]
    parts = {type(part).__name__ for part in held}
    assert parts >= {"Outbox", "InboundCalls", "ExportTable"}
    assert not parts & {"OutboundCalls", "Closing", "ImportTable", "Backpressure"}
    assert not connection.calls
    asked = Outcome(connection.request(HANDLE_PING, b""))
    assert connection.calls is connection.outbound.pending
    assert len(connection.calls) == 1
    connection.connectionLost(Failure(ConnectionDone()))
    assert isinstance(asked.error, ConnectionLost)
    with pytest.raises(AttributeError, match="'Connection' object has no attribute 'nothing'"):
        connection.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", ["outbound", "view", "closing"])
def test_two_threads_that_use_a_part_first_use_the_same(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Else both would count their calls from 0, and one be given the other's answers; or one would
    watch for an end that the other has.
    """
    connection = RawPeer().connection
    found: list[Any] = []
    both = threading.Event()
    threads = [
        threading.Thread(target=lambda: found.append(getattr(connection, part))) for _ in range(2)
    ]

    def makes(make: Any) -> Any:
        begun: list[None] = []

        def made(*args: Any, **options: Any) -> Any:
            begun.append(None)
            if len(begun) == 2:
                both.set()
            elif not threads[1].ident:
                threads[1].start()
                both.wait(0.1)  # for a second one, which is not to come
            return make(*args, **options)

        return made

    monkeypatch.setattr("txremote.peer.connection.OutboundCalls", makes(OutboundCalls))
    monkeypatch.setattr("txremote.peer.connection.Closing", makes(Closing))
    connection.executor.make_view = makes(lambda _connection: object())
    threads[0].start()
    for thread in threads:
        thread.join()
    first, second = found
    assert first is second is getattr(connection, part)
    assert connection.outbound.pending is connection.calls


#: What each client of a listener takes, as long as it has fetched the root and nothing else.
PARTS_OF_AN_IDLE_CONNECTION = """
Connection Receiver FrameReader MessageDecoder Outbox Answers InboundCalls CallLedger
Variables ReferenceTables ExportTable Export ConnectionTimeouts
""".split()


def owned(connection: Connection, other: Connection) -> Counter[str]:
    """Return the types of what is held by one connection and not by another of its listener."""
    kept_out = (type, ModuleType, FunctionType, type(connection.transport))

    def held(root: object) -> dict[int, object]:
        found = {id(root): root}
        new = [root]
        while new:
            for each in gc.get_referents(new.pop()):
                if id(each) not in found and not isinstance(each, kept_out):
                    found[id(each)] = each
                    new.append(each)
        return found

    elsewhere = held(other)
    return Counter(
        type(each).__name__ for key, each in held(connection).items() if key not in elsewhere
    )


def test_a_peer_that_is_idle_holds_few_objects_and_no_container() -> None:
    parts = Context().run(parts_of_an_idle_connection)  # variables of other tests are no part of it
    # each takes some 100 bytes, and an empty container 64
    parts.subtract(dict.fromkeys(PARTS_OF_AN_IDLE_CONNECTION, 1))
    assert not +parts


def parts_of_an_idle_connection() -> Counter[str]:
    """Return what one of two connections owns, by type, each of which has given its root."""
    clock = Clock()
    make = partial(
        Connection,
        VoidService(),
        executor=ImmediateExecutor(clock),
        policy=AccessPolicy(DEFAULT_CONFIG),
        classes=ClassNumbers(),
        clock=clock,
        sweeper=ReleaseSweeper(clock),
    )
    budget = MemoryBudget(10**6, 10**6, lambda _connection: "127.0.0.1")
    one, another = make(), make()
    for connection in (one, another):
        connection.join(budget)
        connection.makeConnection(MemoryTransport())
        connection.dataReceived(frame(request_payload(1, HANDLE_GETROOT)))
        assert len(connection.tables.exports) == 1
    return owned(one, another)
