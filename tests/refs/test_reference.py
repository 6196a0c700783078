"""
`RemoteReference` and its paths: what looks at an object, what calls it, and that
the two are never confused.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from twisted.internet.defer import Deferred, inlineCallbacks
from zope.interface import Interface, providedBy

from tests.peer.pairs import Outcome, Wire, pair_with_stock_client, pair_with_stock_server
from txremote import (
    DeadReferenceError,
    NotSendable,
    RemotePath,
    RemoteReference,
    Service,
    exposed,
    get_remote,
    len_remote,
)
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import (
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CTXEXIT,
    HANDLE_DEL,
    HANDLE_GETATTR,
)


class Leaf:
    def __init__(self) -> None:
        self.entered = 0
        self.left_with: Any = None
        self.exposed_value = 7

    @exposed
    def twice(self, number: int, plus: int = 0) -> int:
        return number * 2 + plus

    @exposed
    def me(self) -> Any:
        return self

    def __enter__(self) -> Any:
        self.entered += 1
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        self.left_with = (kind, error, traceback)
        return kind is ValueError

    def hidden(self) -> None:
        """Not exposed."""


class Branch:
    def __init__(self) -> None:
        self.exposed_leaf = Leaf()
        self.exposed_name = "oak"


class Tree(Service):
    exposed_pi = 3.14

    def __init__(self) -> None:
        self.exposed_branch = Branch()
        self.exposed_players = ["ann", "bob"]
        self.calls: list[Any] = []

    @exposed
    def add(self, a: int, b: int = 10) -> int:
        self.calls.append((a, b))
        return a + b

    @exposed
    def numbers(self) -> list[int]:
        return list(range(5))

    @exposed
    def ages(self) -> dict[str, int]:
        return {"ann": 30}

    @exposed
    def same(self, thing: Any) -> Any:
        return thing

    @exposed
    def keep(self, thing: Any) -> None:
        self.kept = thing

    @exposed
    def apply(self, function: Any, *args: Any) -> Any:
        return function(*args)

    @exposed
    def greeter(self) -> Any:
        return lambda name: f"hello {name}"

    @exposed
    class Point:
        def __init__(self, x: int) -> None:
            self.exposed_x = x


@pytest.fixture
def pair() -> Pair:
    return connected_pair(server_root=Tree)


def in_coroutine(pair: Pair, function: Any) -> Any:
    """Run a coroutine function against the pair and return what it returns."""
    return pair.result(Deferred.fromCoroutine(function()))


# --- looking sends nothing --------------------------------------------------------


def test_reading_names_sends_nothing(pair: Pair) -> None:
    wire = Wire(pair.client)
    path = pair.client.root.branch.leaf.twice
    assert type(path) is RemotePath
    assert type(pair.client.root.nothing_of_that_name.at_all) is RemotePath
    pair.pump()
    assert wire.bytes == 0


@pytest.mark.parametrize(
    "look",
    [
        repr,
        str,
        hash,
        bool,
        callable,
        dir,
        lambda it: it == it,
        lambda it: it != 3,
        lambda it: it in (1, it),
        lambda it: isinstance(it, (int, RemoteReference, Deferred)),
        lambda it: hasattr(it, "__conform__"),
        lambda it: getattr(it, "_private", None),
        lambda it: providedBy(it),
        lambda it: Interface(it, None),
        lambda it: {it: 1}[it],
        lambda it: f"{it}",
    ],
)
@pytest.mark.parametrize("path", [False, True])
def test_looking_at_it_never_touches_the_network(pair: Pair, look: Any, path: bool) -> None:
    wire = Wire(pair.client)
    look(pair.client.root.branch if path else pair.client.root)
    pair.pump()
    assert wire.bytes == 0


def test_a_reference_is_true_callable_hashable_and_equal_to_itself_alone(pair: Pair) -> None:
    root = pair.client.root
    other = pair.result(root.numbers())
    assert root
    assert callable(root)
    assert root == root
    assert root != other
    assert len({root, other, root}) == 2
    assert isinstance(root, RemoteReference)
    assert not isinstance(root, Deferred)


def test_its_repr_says_what_it_refers_to(pair: Pair) -> None:
    numbers = pair.result(pair.client.root.numbers())
    assert repr(numbers).startswith("<RemoteReference to a builtins.list (id ")
    point = pair.result(get_remote(pair.client.root, "Point"))
    assert "RemoteReference to the class" in repr(point)
    assert "Point" in repr(point)
    assert repr(numbers.append) == f"<RemotePath append of {numbers!r}>"
    assert repr(pair.client.root.a.b).startswith("<RemotePath a.b of <RemoteReference")


def test_it_goes_through_a_callback_chain_as_any_object_does(pair: Pair) -> None:
    wire = Wire(pair.client)
    numbers = pair.result(pair.client.root.numbers().addCallback(lambda it: it))
    assert type(numbers) is RemoteReference
    assert wire.requests == [HANDLE_CALLATTR]


# --- calling ----------------------------------------------------------------------


def test_calling_a_method_is_one_request(pair: Pair) -> None:
    wire = Wire(pair.client)
    answer = pair.client.root.add(2, 3)
    assert isinstance(answer, Deferred)
    assert pair.result(answer) == 5
    assert wire.requests == [HANDLE_CALLATTR]


def test_arguments_may_be_named(pair: Pair) -> None:
    assert pair.result(pair.client.root.add(2)) == 12
    assert pair.result(pair.client.root.add(2, b=5)) == 7
    assert pair.result(pair.client.root.add(b=5, a=1)) == 6


def test_calling_an_object_is_one_request(pair: Pair) -> None:
    greet = pair.result(pair.client.root.greeter())
    wire = Wire(pair.client)
    assert pair.result(greet("ann")) == "hello ann"
    assert wire.requests == [HANDLE_CALL]


def test_a_call_can_be_awaited_yielded_and_given_callbacks(pair: Pair) -> None:
    root = pair.client.root

    async def awaits() -> Any:
        return await root.add(1, 1)

    @inlineCallbacks
    def yields() -> Any:
        answer = yield root.add(2, 2)
        return answer

    assert in_coroutine(pair, awaits) == 2
    assert pair.result(yields()) == 4
    assert pair.result(root.add(3, 3).addCallback(str)) == "6"


def test_a_long_path_is_one_request_to_a_txremote(pair: Pair) -> None:
    wire = Wire(pair.client)
    assert pair.result(pair.client.root.branch.leaf.twice(4, plus=1)) == 9
    assert wire.requests == [HANDLE_CALLPATH]


def test_a_long_path_is_read_in_one_request_from_a_txremote(pair: Pair) -> None:
    wire = Wire(pair.client)

    async def read() -> Any:
        return await pair.client.root.branch.leaf.value

    assert in_coroutine(pair, read) == 7
    assert wire.requests == [HANDLE_CALLPATH]


def test_a_stock_server_gets_a_long_path_step_by_step() -> None:
    pair: Any = pair_with_stock_server(Tree)
    wire = Wire(pair.client)
    assert pair.result(pair.client.root.branch.leaf.twice(4, plus=1)) == 9
    steps = [handler for handler in wire.requests if handler != HANDLE_DEL]
    assert steps == [HANDLE_GETATTR, HANDLE_GETATTR, HANDLE_CALLATTR]
    assert pair.asked == []

    async def read() -> Any:
        return await pair.client.root.branch.leaf.value

    assert in_coroutine(pair, read) == 7
    assert pair.asked == []


def test_a_path_through_a_plain_value_goes_on_here_with_a_stock_server() -> None:
    pair = pair_with_stock_server(Tree)
    assert pair.result(pair.client.root.branch.name.upper()) == "OAK"


def test_each_step_of_a_path_is_asked_of_the_policy(pair: Pair) -> None:
    with pytest.raises(AttributeError, match="hidden"):
        pair.result(pair.client.root.branch.leaf.hidden())
    with pytest.raises(AttributeError, match="calls"):
        pair.result(pair.client.root.calls.append(1))


def test_call_remote_reaches_any_name(pair: Pair) -> None:
    numbers = pair.result(pair.client.root.numbers())
    assert pair.result(numbers.callRemote("__len__")) == 5
    assert pair.result(pair.client.root.callRemote("add", 1, b=2)) == 3
    assert pair.result(pair.client.root.branch.callRemote("__eq__", 3)) is NotImplemented


def test_call_remote_on_a_path(pair: Pair) -> None:
    wire = Wire(pair.client)
    assert pair.result(pair.client.root.players.callRemote("__len__")) == 2
    assert wire.requests == [HANDLE_CALLPATH]


def test_a_nested_class_that_is_exposed_can_be_called(pair: Pair) -> None:
    point = pair.result(pair.client.root.Point(3))
    assert pair.result(get_remote(point, "x")) == 3


def test_a_name_that_utf8_cannot_carry_fails_the_call_and_not_the_caller(pair: Pair) -> None:
    for call in (
        lambda: pair.client.root.callRemote("\ud800"),
        lambda: get_remote(pair.client.root, "\ud800"),
        lambda: pair.client.root.branch.callRemote("\ud800"),
    ):
        with pytest.raises(NotSendable):
            pair.result(call())


def test_made_up_names_do_not_pile_up(pair: Pair) -> None:
    root = pair.client.root
    for number in range(300):
        root.callRemote(f"name_{number}").addErrback(lambda _failure: None)
    root.callRemote("x" * 100_000).addErrback(lambda _failure: None)
    pair.pump()
    assert len(root._call_prefixes) <= 100
    assert max(map(len, root._call_prefixes.values())) < 2000


# --- awaiting ---------------------------------------------------------------------


def test_awaiting_a_path_reads_it(pair: Pair) -> None:
    wire = Wire(pair.client)

    async def read() -> Any:
        return await pair.client.root.pi

    assert in_coroutine(pair, read) == 3.14
    assert wire.requests == [HANDLE_GETATTR]


def test_awaiting_a_reference_gives_itself_and_sends_nothing(pair: Pair) -> None:
    wire = Wire(pair.client)

    async def read() -> Any:
        return await pair.client.root

    assert in_coroutine(pair, read) is pair.client.root
    assert wire.bytes == 0


def test_awaiting_a_name_that_is_not_exposed_fails(pair: Pair) -> None:
    async def read() -> Any:
        return await pair.client.root.calls

    with pytest.raises(AttributeError, match="'calls'"):
        in_coroutine(pair, read)


# --- private names stay here ------------------------------------------------------


@pytest.mark.parametrize("name", ["_x", "__conform__", "__wrapped__", "_ipython_display_"])
@pytest.mark.parametrize("path", [False, True])
def test_names_that_start_with_an_underscore_never_travel(
    pair: Pair, name: str, path: bool
) -> None:
    wire = Wire(pair.client)
    target = pair.client.root.branch if path else pair.client.root
    with pytest.raises(AttributeError, match="callRemote"):
        getattr(target, name)
    pair.pump()
    assert wire.bytes == 0


# --- keys -------------------------------------------------------------------------


def test_a_key_gives_a_deferred(pair: Pair) -> None:
    wire = Wire(pair.client)
    numbers = pair.result(pair.client.root.numbers())
    assert pair.result(numbers[2]) == 2
    assert pair.result(numbers[-1]) == 4
    sliced = pair.result(numbers[1:3])
    assert pair.result(len_remote(sliced)) == 2
    assert pair.result(pair.client.root.players[0]) == "ann"
    assert pair.result(pair.result(pair.client.root.ages())["ann"]) == 30
    assert wire.requests[:2] == [HANDLE_CALLATTR, HANDLE_CALLATTR]


def test_a_key_that_is_not_there_fails_as_it_does_at_home(pair: Pair) -> None:
    with pytest.raises(IndexError):
        pair.result(pair.client.root.players[9])
    with pytest.raises(KeyError):
        pair.result(pair.result(pair.client.root.ages())["bob"])


def test_what_takes_a_mapping_or_an_iterable_refuses_a_reference(pair: Pair) -> None:
    """``dict(x)`` calls ``x.keys()``: the Deferred of that must not be iterated for ever."""
    ages = pair.result(pair.client.root.ages())
    for attempt in (
        lambda: dict(ages),
        lambda: {}.update(ages),
        lambda: {**ages},
        lambda: dict(**ages),
        lambda: dict(pair.client.root.branch),
        lambda: list(ages),
        lambda: list(ages.keys()),  # an await was forgotten
        lambda: [item + 1 for item in pair.client.root.ages()],
        lambda: set(ages),
        lambda: print(*ages),
    ):
        with pytest.raises(TypeError):
            attempt()
    pair.pump()


def test_the_same_holds_for_a_root_that_is_still_to_be_fetched() -> None:
    pair = connected_pair(client_root=Tree)
    for _ in range(2):
        for attempt in (lambda: dict(pair.server.root), lambda: list(pair.server.root.ages())):
            with pytest.raises(TypeError):
                attempt()
        pair.result(pair.server.fetch_root())


# --- what syntax cannot do --------------------------------------------------------


@pytest.mark.parametrize("path", [False, True])
@pytest.mark.parametrize(
    ("attempt", "advice"),
    [
        (lambda it: list(it), "async for"),
        (lambda it: [x + 1 for x in it], "async for"),
        (lambda it: 3 in it, "async for"),
        (lambda it: 3 in it, "__contains__"),
        (lambda it: len(it), "len_remote"),
        (lambda it: it.__setitem__(0, 1), "__setitem__"),
        (lambda it: it.__delitem__(0), "__delitem__"),
        (lambda it: pickle.dumps(it), "pickled"),
        (lambda it: copy.copy(it), "pickled"),
        (lambda it: copy.deepcopy(it), "pickled"),
    ],
)
def test_syntax_that_cannot_wait_says_what_to_write_instead(
    pair: Pair, attempt: Any, advice: str, path: bool
) -> None:
    wire = Wire(pair.client)
    target = pair.client.root.players if path else pair.result(pair.client.root.numbers())
    before = wire.bytes
    with pytest.raises(TypeError, match=advice):
        attempt(target)
    pair.pump()
    assert wire.bytes == before


@pytest.mark.parametrize("path", [False, True])
def test_an_assignment_is_refused_and_names_set_remote(pair: Pair, path: bool) -> None:
    target = pair.client.root.branch if path else pair.client.root
    with pytest.raises(AttributeError, match="set_remote"):
        target.name = "elm"
    with pytest.raises(AttributeError, match="set_remote"):
        target._count_ = 1
    with pytest.raises(AttributeError, match="del_remote"):
        del target.name


# --- iteration and contexts -------------------------------------------------------


def test_async_with_enters_and_leaves(pair: Pair) -> None:
    leaf = pair.server.service.exposed_branch.exposed_leaf
    reference = pair.result(get_remote(pair.client.root.branch, "leaf"))
    wire = Wire(pair.client)

    async def use() -> Any:
        async with reference as entered:
            assert leaf.entered == 1
            assert leaf.left_with is None
            return entered

    assert in_coroutine(pair, use) is reference
    assert leaf.left_with == (None, None, None)
    assert wire.requests == [HANDLE_CALLATTR, HANDLE_CTXEXIT]


def test_async_with_hands_the_exception_to_the_peers_exit(pair: Pair) -> None:
    leaf = pair.server.service.exposed_branch.exposed_leaf
    reference = pair.result(get_remote(pair.client.root.branch, "leaf"))

    async def swallowed() -> str:
        async with reference:
            raise ValueError("never mind")
        return "went on"

    async def passed_on() -> None:
        async with reference:
            raise OSError("disk")

    assert in_coroutine(pair, swallowed) == "went on"
    kind, error, traceback = leaf.left_with
    assert kind is ValueError
    assert type(error) is ValueError
    assert error.args == ("never mind",)
    assert traceback is None
    with pytest.raises(OSError, match="disk"):
        in_coroutine(pair, passed_on)
    assert leaf.left_with[0] is OSError


def test_a_context_is_left_with_an_exception_class_that_the_peer_does_not_know(
    pair: Pair,
) -> None:
    leaf = pair.server.service.exposed_branch.exposed_leaf
    reference = pair.result(get_remote(pair.client.root.branch, "leaf"))

    class OnlyHere(Exception):
        """Known to the client alone."""

    async def use() -> None:
        async with reference:
            raise OnlyHere("x")

    with pytest.raises(OnlyHere):
        in_coroutine(pair, use)
    assert leaf.left_with[0].__name__.endswith("OnlyHere")
    assert isinstance(leaf.left_with[1], leaf.left_with[0])


# --- identity ---------------------------------------------------------------------


def test_the_same_object_is_the_same_reference(pair: Pair) -> None:
    root = pair.client.root
    first = pair.result(get_remote(root, "branch"))
    second = pair.result(get_remote(root, "branch"))
    assert first is second
    leaf = pair.result(first.leaf.me())
    assert leaf is pair.result(leaf.me())
    assert leaf is pair.result(get_remote(first, "leaf"))


def test_a_reference_sent_back_is_the_object_itself(pair: Pair) -> None:
    branch = pair.result(get_remote(pair.client.root, "branch"))
    assert pair.result(pair.client.root.same(branch)) is branch
    assert pair.result(pair.client.root.keep(branch)) is None
    assert pair.server.service.kept is pair.server.service.exposed_branch


def test_our_own_object_comes_back_as_itself(pair: Pair) -> None:
    mine = [1, 2]
    assert pair.result(pair.client.root.same(mine)) is mine


def test_a_local_callable_goes_by_reference_and_is_called_back(pair: Pair) -> None:
    heard: list[Any] = []

    def on_event(*args: Any) -> str:
        heard.append(args)
        return "thanks"

    assert pair.result(pair.client.root.apply(on_event, 1, "two")) == "thanks"
    assert heard == [(1, "two")]


# --- the end ----------------------------------------------------------------------


def test_after_the_connection_every_call_fails_with_dead_reference_error(pair: Pair) -> None:
    root = pair.client.root
    pair.lose()
    for call in (
        lambda: root.add(1, 2),
        lambda: root.branch.leaf.twice(1),
        lambda: root[0],
        lambda: get_remote(root, "pi"),
        lambda: root.callRemote("__len__"),
    ):
        error = Outcome(call()).error
        assert isinstance(error, DeadReferenceError)
        assert isinstance(error, EOFError)
    assert repr(root)


# --- the accepting side's root ----------------------------------------------------


def test_the_accepting_sides_root_is_fetched_at_its_first_use() -> None:
    class Caller(Service):
        exposed_name = "the client"

        @exposed
        def twice(self, number: int) -> int:
            return 2 * number

    pair = connected_pair(client_root=Caller)
    wire = Wire(pair.server)
    late = pair.server.root
    assert repr(late) == "<RemotePath (root) of the peer's root>"
    assert wire.bytes == 0
    assert pair.result(late.twice(4)) == 8

    async def read() -> Any:
        return await late.name

    async def itself() -> Any:
        return await late

    assert in_coroutine(pair, read) == "the client"
    root = in_coroutine(pair, itself)
    assert type(root) is RemoteReference
    assert pair.server.root is root


def test_the_accepting_side_may_call_a_stock_clients_root() -> None:
    class Caller(Service):
        @exposed
        def twice(self, number: int) -> int:
            return 2 * number

    pair: Any = pair_with_stock_client(client_root=Caller)
    assert pair.result(pair.server.root.twice(4)) == 8
    assert pair.asked == []
