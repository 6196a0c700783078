"""
`BlockingView`: arguments become what can travel, answers become netrefs.
"""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

import txremote.blocking as rpyc
from tests.blocking.script_threads import linked, scripted
from txremote import RemoteReference
from txremote.errors import RemoteStopIteration
from txremote.refs.asyncresult import stop_iteration
from txremote.refs.blocking_view import BlockingView
from txremote.refs.netref import BaseNetref
from txremote.wire.consts import HANDLE_GETATTR, HANDLE_PING


@rpyc.exposed
class Thing:
    pass


class Shop(rpyc.Service):
    """Hands out things."""

    def exposed_make(self, source: str) -> Any:
        return eval(source)

    def exposed_types(self, *args: Any, **kwargs: Any) -> Any:
        return tuple(type(arg).__name__ for arg in args), tuple(
            (name, type(value).__name__) for name, value in kwargs.items()
        )

    def exposed_slow(self) -> None:
        threading.Event().wait(0.3)


class Deaf:
    """As much of a connection as asking takes; answers what it is told to."""

    closed = False
    features: frozenset[str] = frozenset()
    transport = None

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []
        self.outbound = self

    def request_with_default_timeout(self, handler: int, args: tuple[Any, ...]) -> Deferred[Any]:
        self.asked.append((handler, args))
        return succeed(self.answer)

    request_received = request_with_default_timeout


class View(BlockingView):
    """One that waits for nothing."""

    _timeout = None

    def _wait_for_answer(self, timeout: float | None, send: Any, *args: Any, **kwargs: Any) -> Any:
        found: list[Any] = []
        send(*args, **kwargs).addBoth(found.append)
        return found[0]


# --- what goes out and what comes in ------------------------------------------------


@scripted
def test_a_netref_travels_as_the_object_it_stands_for() -> None:
    """As an argument, by name, and deep in tuples."""
    with linked(Shop) as conn:
        items = conn.root.make("[1]")
        kinds = conn.root.types(items, (1, (items,)), x=items, y=(items, 2))
        assert kinds == (("list", "tuple"), (("x", "list"), ("y", "tuple")))
        assert conn.root.types(conn.root.make)[0][0] == "method"


def test_values_are_passed_on_as_they_are() -> None:
    """The same tuple too, if there is no netref in it."""
    view = View(Deaf(None))
    for value in (None, 5, "x", b"x", 1.5, 2j, True, (1, (2, "x")), (), [1], {1: 2}, Thing()):
        assert view.from_netrefs(value) is value or view.from_netrefs(value) == value
        assert view.to_netrefs(value) is value or view.to_netrefs(value) == value


@scripted
def test_references_in_answers_are_netrefs_also_in_tuples() -> None:
    with linked(Shop) as conn:
        one, (two, three), four = conn.root.make("([], ({}, 3), Thing())")
        assert isinstance(one, BaseNetref)
        assert isinstance(two, BaseNetref)
        assert isinstance(four, BaseNetref)
        assert three == 3
        assert type(four.____ref__) is RemoteReference
        assert conn.from_netrefs((one, (two,))) == (one.____ref__, (two.____ref__,))
        assert conn.to_netrefs(one.____ref__) is one


@scripted
def test_a_reference_of_another_connection_is_a_netref_of_that() -> None:
    with linked(Shop) as one, linked(Shop) as two:
        items = two.root.make("[5]")
        assert one.to_netrefs(items.____ref__).____conn__ is two
        assert one.root.types(items) == (("builtins.list",), ())


@scripted
def test_an_object_may_go_through_one_peer_to_another() -> None:
    """Passed to the second, it is used there through us; ours comes back as itself."""

    class User(Shop):
        def exposed_use(self, items: Any) -> Any:
            items.append(7)
            return items, items[0], len(items)

    with linked(Shop) as one, linked(User) as two:
        items = one.root.make("[5]")
        same, first, count = two.root.use(items)
        assert same is items
        assert (first, count) == (5, 2)
        assert two.root.use(one.root.make("[1, 2]"))[1:] == (1, 3)


@scripted
def test_what_goes_through_keeps_its_class() -> None:
    """A list is a list and a function a function, however many went before."""

    class User(Shop):
        def exposed_describe(self, thing: Any) -> Any:
            return isinstance(thing, list), callable(thing), repr(thing)

        def exposed_call(self, function: Any, *args: Any) -> Any:
            return function(*args)

        def exposed_check(self, thing: Any, kind: Any) -> bool:
            return isinstance(thing, kind)

    with linked(Shop) as one, linked(User) as two:
        make = one.root.make
        assert two.root.describe(make("[1, {}]")) == (True, False, "[1, {}]")
        assert two.root.call(make("lambda a: a + 1"), 4) == 5
        assert two.root.describe(make("{1, 2}"))[:2] == (False, False)
        assert two.root.call(make("Thing")) is not None
        assert two.root.call(make, "5") == 5
        thing, kind = make("Thing()"), make("Thing")
        assert two.root.check(thing, kind) is True
        assert two.root.check(make("[]"), kind) is False
        assert two.root.check(5, kind) is False


@scripted
def test_paths_lead_through_a_peer_to_the_next() -> None:
    """CALLPATH, which only the reactor facet sends, meets a netref on its way."""

    class Friend(rpyc.Service):
        exposed_inner = Thing()

        def exposed_make(self, source: str) -> Any:
            return eval(source)

    class Middle(rpyc.Service):
        def __init__(self, friend: Any) -> None:
            self.exposed_friend = friend

    with linked(Friend) as far:
        with linked(Middle(far.root)) as near:
            root = near.root.____ref__

            def ask(names: tuple[str, ...], args: Any) -> Any:
                return near._wait_for_answer(20, near.protocol.outbound.call, root, names, args, {})

            assert ask(("friend", "make"), ("6 * 7",)) == 42
            assert near.to_netrefs(ask(("friend", "inner"), None)) is not None
            with pytest.raises(AttributeError):
                ask(("friend", "____conn__"), None)
            with pytest.raises(AttributeError):
                ask(("friend", "____ref__", "x"), ())


# --- time ---------------------------------------------------------------------------


@scripted
def test_a_call_waits_as_long_as_the_switch_says() -> None:
    with linked(Shop, config={"sync_request_timeout": 0.05}) as conn:
        with pytest.raises(rpyc.AsyncResultTimeout, match="no answer within"):
            conn.root.slow()
    with linked(Shop, config={"sync_request_timeout": None}) as conn:
        assert conn.root.slow() is None


def test_a_ping_that_brings_something_else_is_a_valueerror() -> None:
    view = View(Deaf("something else"))
    with pytest.raises(ValueError, match="is not what was sent"):
        view.ping()
    view.ping("something else")
    assert [handler for handler, _args in view.protocol.asked] == [HANDLE_PING] * 2
    view.sync_request(HANDLE_GETATTR, 5, "name")
    assert view.protocol.asked[-1] == (HANDLE_GETATTR, (5, "name"))


# --- classes ------------------------------------------------------------------------


def netref_of(view: BlockingView, *pack: Any) -> Any:
    hold: Any = lambda reference, key, pack: None  # noqa: E731
    return view.to_netrefs(RemoteReference(view.protocol, b"", pack, hold))  # type: ignore[arg-type]


def view_of(*, is_txremote: bool) -> Any:
    peer = Deaf((("__len__", None),))
    peer.is_txremote = is_txremote  # type: ignore[attr-defined]
    view: Any = View(peer)
    peer.view = view  # type: ignore[attr-defined]
    return view


def test_a_stock_peers_class_is_known_while_one_of_its_objects_is_here() -> None:
    """Its id is an address, where it may make another class when it has freed this."""
    view = view_of(is_txremote=False)
    first, second = netref_of(view, "m.Row", 7, 1), netref_of(view, "m.Row", 7, 2)
    assert type(first) is type(second)
    assert len(view.protocol.asked) == 1
    del first
    assert type(netref_of(view, "m.Row", 7, 3)) is type(second)
    assert type(netref_of(view, "m.Other", 7, 4)) is not type(second)
    asked = len(view.protocol.asked)
    del second
    view.protocol.answer = (("__getitem__", None),)
    third = netref_of(view, "m.Row", 7, 4)
    assert len(view.protocol.asked) == asked + 1
    assert hasattr(type(third), "__getitem__")
    assert not hasattr(type(third), "__len__")


def test_a_txremotes_class_is_asked_about_once() -> None:
    view = view_of(is_txremote=True)
    for number in range(1, 4):
        netref_of(view, "m.Row", 7, number)
    netref_of(view, "m.Row", 7, 0)  # the class itself
    assert len(view.protocol.asked) == 2


def test_builtin_types_are_asked_about_never() -> None:
    view = view_of(is_txremote=False)
    for number in range(1, 4):
        netref_of(view, "builtins.list", number, 7)
    assert view.protocol.asked == []


def test_classes_that_a_peer_makes_anew_do_not_pile_up(monkeypatch: Any) -> None:
    monkeypatch.setattr("txremote.refs.blocking_view._MOST_CLASSES", 5)
    for is_txremote in (True, False):
        view = view_of(is_txremote=is_txremote)
        for number in range(1, 20):
            netref_of(view, "m.Row", number, 1)
        assert len(view._classes) + len(view._passing) <= 5


# --- the rest -----------------------------------------------------------------------


def test_the_end_of_an_iteration_is_raised_as_pythons_own() -> None:
    assert type(stop_iteration(RemoteStopIteration(5))) is StopIteration
    assert stop_iteration(RemoteStopIteration(5)).args == (5,)
    other = KeyError("x")
    assert stop_iteration(other) is other


@scripted
def test_a_base_view_knows_neither_how_to_wait_nor_how_to_begin() -> None:
    view = BlockingView(Deaf(None))
    for method in (view._wait_for_answer, view._start):
        with pytest.raises(NotImplementedError):
            method(*([None] if method == view._wait_for_answer else []), lambda: succeed(1))  # type: ignore


@scripted
def test_a_netrefs_pickle_is_what_its_peer_makes_of_it() -> None:
    allowed = {"allow_pickle": True}
    with linked(Shop, config=allowed, remote_config=allowed) as conn:
        assert pickle.loads(pickle.dumps((1, conn.root.make("{1: 2}")))) == (1, {1: 2})
