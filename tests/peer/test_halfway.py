"""
A path gives what its steps give when they are awaited one by one, whatever it goes
through: values, objects of the caller's own, Deferreds, objects of a third peer's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, succeed

from tests.net.servers import endpoint_of, served
from tests.peer.pairs import (
    Outcome,
    RawPeer,
    RemoteError,
    Wire,
    pair_with_stock_server,
)
from txremote import Service, connect, exposed, get_remote
from txremote.peer.halfway import Halfway, further, go_on
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import (
    FEATURE_HALFWAY,
    FEATURES,
    HANDLE_CALLPATH,
    HANDLE_GETATTR,
    HANDLE_HALFWAY,
    HANDLE_HELLO,
    MSG_REQUEST,
)

VALUES = [
    *(None, True, 0, 5, -(1 << 70), 2.5, 1 + 2j, "tea", "", b"tea", (), (1, "a", (2,))),
    *(frozenset({1, 2}), slice(1, 5), ..., NotImplemented),
]


class Item:
    """Goes by reference."""

    exposed_name = "item"

    def __init__(self) -> None:
        self.exposed_self = self

    def exposed_double(self, text: str) -> str:
        return text * 2


class Promises:
    """Attributes that are there later."""

    def __init__(self) -> None:
        self.waiting: Deferred[Any] = Deferred()
        self.exposed_later = self.waiting
        self.item = Item()

    @property
    def exposed_text(self) -> Any:
        return succeed("tea")

    @property
    def exposed_item(self) -> Any:
        return succeed(self.item)

    @property
    def exposed_coroutine(self) -> Any:
        async def find() -> Any:
            return await succeed(self.item)

        return find()


class Shop(Service):
    """Something of everything, one name deep and two."""

    def __init__(self) -> None:
        self.exposed_item = item = Item()
        self.exposed_pair = (item, "x", 3)
        self.exposed_sets = frozenset({item})
        self.exposed_list = [1, 2]
        self.exposed_promises = Promises()
        self.exposed_inner = self
        self.exposed_title = "tea"
        self.exposed_class_ = int
        self.exposed_guest: Any = None
        self.secret = "secret"
        for number, value in enumerate(VALUES):
            setattr(self, f"exposed_value{number}", value)

    @exposed
    def never(self) -> Deferred[Any]:
        return Deferred()

    @exposed
    def take(self, guest: Any) -> None:
        self.exposed_guest = guest


class Guest:
    """An object of the client's, of which its server may use nothing."""

    name = "guest"

    def add(self, a: int, b: int) -> int:
        return a + b

    async def later(self) -> str:
        return await succeed("later")


class Middle(Service):
    """Passes on what a third peer has."""

    def __init__(self, shop: Any) -> None:
        self.exposed_shop = shop


def _without_halfway() -> Pair:
    pair = connected_pair(server_root=Shop())
    pair.client.features -= {FEATURE_HALFWAY}
    return pair


class Chain:
    """A client, a server in the middle, and whose the objects are."""

    def __init__(self, far: Pair) -> None:
        self.far = far
        self.near = connected_pair(server_root=Middle(far.client.root))

    def result(self, deferred: Any) -> Any:
        outcome = Outcome(deferred)
        for _ in range(40):
            self.near.pump()
            self.far.pump()
        assert outcome.fired
        return outcome.value


KINDS = ["txremote", "stock", "no halfway", "a third txremote", "a third stock"]


def read(path: Any) -> Deferred[Any]:
    """Await a path."""

    async def awaited() -> Any:
        return await path

    return Deferred.fromCoroutine(awaited())


def _root(kind: str) -> tuple[Callable[[Any], Any], Any]:
    if kind == "txremote":
        pair = connected_pair(server_root=Shop())
    elif kind == "stock":
        pair = pair_with_stock_server(Shop())
    elif kind == "no halfway":
        pair = _without_halfway()
    else:
        far = connected_pair(server_root=Shop()) if "tx" in kind else pair_with_stock_server(Shop())
        chain = Chain(far)
        return chain.result, chain.result(read(chain.near.client.root.shop))
    return pair.result, pair.client.root


def _tried(result: Callable[[Any], Any], start: Callable[[], Any]) -> Any:
    try:
        return result(start())
    except Exception as error:
        return type(error)


async def _stepwise(found: Any, names: tuple[str, ...], args: tuple[Any, ...] | None) -> Any:
    for name in names:
        found = await found if isinstance(found, Deferred) else found
        found = getattr(found, name)
        if type(found).__name__ == "RemotePath" and (args is None or name is not names[-1]):
            found = await found
    if args is not None:
        found = found(*args)
    return await found if inspect.isawaitable(found) else found


def _attributes(value: Any) -> list[tuple[str, tuple[Any, ...] | None]]:
    tries: list[tuple[str, tuple[Any, ...] | None]] = [("no_such_name", None), ("no_such_name", ())]
    for name in dir(value):
        if not name.startswith("_"):
            tries += [(name, args) for args in (None, (), (1,), ("a",), (b"a",), ((1,),))]
    return tries


def _same(one: Any, other: Any) -> bool:
    if callable(one) and not isinstance(one, type):  # a method of a value
        return getattr(one, "__name__", 1) == getattr(other, "__name__", 2)
    return type(one) is type(other) and repr(one) == repr(other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_through_a_value_gives_what_its_steps_give(kind: str) -> None:
    result, root = _root(kind)
    tried = 0
    for number, value in enumerate(VALUES):
        for attribute, args in _attributes(value):
            names = (
                ("inner", f"value{number}", attribute)
                if number % 2
                else (
                    f"value{number}",
                    attribute,
                )
            )
            found = _tried(result, lambda names=names, args=args: root._call(names, args, {}))
            stepwise = _tried(
                result,
                lambda names=names, args=args: Deferred.fromCoroutine(_stepwise(root, names, args)),
            )
            assert _same(found, stepwise), (names, args, found, stepwise)
            tried += 1
    assert tried > 1200


@pytest.mark.parametrize("kind", KINDS)
def test_paths_through_everything_else_do_too(kind: str) -> None:
    result, root = _root(kind)
    (item,) = (
        result(root.sets.callRemote("__iter__").addCallback(lambda it: it.callRemote("__next__"))),
    )
    for names, args, wanted in [
        (("pair", "count"), ("x",), 1),
        (("pair", "index"), (item,), 0),
        (("pair", "__getitem__"), (2,), 3),
        (("pair", "__len__"), (), 3),
        (("inner", "pair", "__getitem__"), (0,), item),
        (("promises", "text", "upper"), (), "TEA"),
        (("promises", "item", "name"), None, "item"),
        (("promises", "item", "self", "double"), ("ab",), "abab"),
        (("promises", "coroutine", "name", "upper"), (), "ITEM"),
        (("item", "name", "upper"), (), "ITEM"),
        (("item", "self", "self", "name", "__len__"), (), 4),
        (("title", "join"), (("a", "b"),), "ateab"),
        (("title", "startswith"), ("t",), True),
        (("value5", "is_integer"), (), False),
        (("value6", "real", "is_integer"), (), True),
        (("value3", "real", "numerator", "bit_length"), (), 3),
    ]:
        assert result(root._call(names, args, {})) == wanted, names
    assert result(root.item.name.encode(encoding="ascii")) == b"item"
    assert result(root.pair[1]) == "x"
    assert result(get_remote(root.item.name, "upper"))() == "ITEM"


def _collected(path: Any) -> Deferred[Any]:
    async def collect() -> list[Any]:
        return [item async for item in path]

    return Deferred.fromCoroutine(collect())


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_iterated(kind: str) -> None:
    result, root = _root(kind)
    assert result(_collected(root.title)) == ["t", "e", "a"]
    assert result(_collected(root.pair))[1:] == ["x", 3]
    assert result(_collected(root.list)) == [1, 2]
    with pytest.raises(AttributeError, match="__iter__"):
        result(_collected(root.value3))


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_path_through_an_object_of_the_callers_own_goes_on_there(kind: str) -> None:
    result, root = _root(kind)
    guest = Guest()
    result(root.take(guest))
    assert result(read(root.guest)) is guest
    assert result(read(root.guest.name)) == "guest"
    assert result(root.guest.name.upper()) == "GUEST"
    assert result(root.inner.guest.add(2, b=3)) == 5
    assert result(root.guest.later()) == "later"


def test_such_a_path_is_one_request() -> None:
    pair = connected_pair(server_root=Shop())
    asked, answered = Wire(pair.client), Wire(pair.server)
    table = {ord("t"): "s"}
    assert pair.result(pair.client.root.inner.title.translate(table)) == "sea"
    assert asked.requests == [HANDLE_CALLPATH]
    assert answered.requests[0] == HANDLE_HALFWAY


def test_cancelling_ends_what_goes_on_after_a_promise() -> None:
    root = Shop()
    pair = connected_pair(server_root=root)
    outcome = Outcome(read(pair.client.root.promises.later.self.name))
    pair.pump()
    assert not outcome.fired
    root.exposed_promises.waiting.callback(root.exposed_item)
    pair.pump()
    assert outcome.value == "item"

    class Slow(Service):
        exposed_waiting: Deferred[Any] = Deferred()
        cancelled = False

        @property
        def exposed_first(self) -> Any:
            return succeed(self)

        @exposed
        def later(self) -> Any:
            return Deferred(lambda _deferred: setattr(Slow, "cancelled", True))

    pair = connected_pair(server_root=Slow)
    deferred = pair.client.root.first.later()
    outcome = Outcome(deferred)
    pair.pump()
    deferred.cancel()
    pair.pump()
    assert outcome.fired
    assert Slow.cancelled


def test_a_path_that_is_lost_halfway_fails_once() -> None:
    pair = connected_pair(server_root=Shop())
    outcome = Outcome(read(pair.client.root.promises.later.name))
    pair.pump()
    pair.lose()
    assert len(outcome.results) == 1
    assert isinstance(outcome.error, EOFError)


class Threaded(Service):
    """A service that meets its clients' objects as netrefs."""

    threaded_service = True
    exposed_title = "tea"
    exposed_guest: Any = None
    exposed_pair: Any = None

    @exposed
    def take(self, guest: Any) -> None:
        self.exposed_guest = guest
        self.exposed_pair = (guest, 1)


@pytest_twisted.ensureDeferred
async def test_a_threaded_service_leaves_paths_at_the_same_places() -> None:
    async with served(Threaded()) as port:
        conn, other = await connect(endpoint_of(port)), await connect(endpoint_of(port))
        guest = Guest()
        await conn.root.take(guest)
        assert await conn.root.title.upper() == "TEA"
        assert await conn.root.guest is guest
        assert await conn.root.guest.name == "guest"
        assert await conn.root.guest.name.upper() == "GUEST"
        assert await conn.root.pair.index(guest) == 0
        assert await conn.root.pair[1] == 1
        # to another client it is a third peer's, whose gate stands before it
        await conn.root.take(Item())
        assert await other.root.guest.name.upper() == "ITEM"
        assert await other.root.guest.self.self.double("a") == "aa"
        first = await other.root.pair[0]
        assert await first.name.upper() == "ITEM"
        await conn.close()
        await other.close()


# --- nobody else's names are looked up here ---------------------------------------


@pytest.mark.parametrize("stock", [False, True])
def test_the_server_in_the_middle_looks_up_nothing_of_a_value(stock: bool) -> None:
    far = pair_with_stock_server(Shop()) if stock else connected_pair(server_root=Shop())
    peer = RawPeer(Middle(far.client.root))
    shop = peer.ask(HANDLE_GETATTR, peer.root(), "shop")

    def ask(names: tuple[str, ...], args: Any) -> list[Any]:
        peer.send_request(HANDLE_CALLPATH, shop, names, args, ())
        far.pump()
        return peer.received()

    ways = [
        (("title", "__class__", "__base__", "__subclasses__"), ()),
        (("title", "__class__"), None),
        (("title", "upper"), ()),
    ]
    for names, args in ways:
        ((_kind, _number, answer),) = ask(names, args)
        assert answer[0][1] == "TypeError"
        assert "ends at a str" in answer[1][0]
    peer.ask(HANDLE_HELLO, 1, FEATURES)
    for names, args in ways:
        ((kind, _number, (handler, _boxed)),) = ask(names, args)
        assert (kind, handler) == (MSG_REQUEST, HANDLE_HALFWAY)


def test_a_peer_that_does_not_know_it_is_refused_as_at_a_reference() -> None:
    peer = RawPeer(Shop())
    found = peer.ask(HANDLE_CALLPATH, peer.root(), ("title", "upper"), (), ())
    assert found == RemoteError("TypeError", "a path ends at a str, which is no reference")
    refused = peer.ask(HANDLE_CALLPATH, peer.root(), ("secret", "upper"), (), ())
    assert refused.name == "AttributeError"


def test_halfway_is_believed_only_about_a_place_on_a_path_that_is_under_way() -> None:
    pair = connected_pair(server_root=Shop())
    peer = pair.server.outbound

    def tell(*args: Any) -> Any:
        return pair.result(peer.request(HANDLE_HALFWAY, args))

    assert tell(10_000, 1, "x") is None  # nobody waits for that one
    plain: Any = pair.client.root.never()
    path: Any = pair.client.root.promises.later.name.upper()
    number = path._number
    for bad in (0, -1, 4, 5, 1 << 70):
        with pytest.raises(ValueError, match="no path that can be left"):
            tell(number, bad, "x")
    with pytest.raises(ValueError, match="no path that can be left"):
        tell(plain._number, 1, "x")
    for wrong in (("x", 1, 2), (number, None, 2), (number, True, 2), (number, 1)):
        with pytest.raises(TypeError):
            tell(*wrong)
    assert not plain.called
    assert not path.called


def test_going_on() -> None:
    assert go_on(Halfway(1, "tea"), ("title", "upper"), (), {}, None) == "TEA"
    assert go_on(Halfway(1, 2 + 1j), ("number", "real"), None, {}, None) == 2.0
    left = further(Halfway(1, "tea"), 2)
    assert (left.position, left.value) == (3, "tea")
    assert further("tea", 2) == "tea"
