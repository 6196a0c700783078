"""
``ICalculator(reference)``: a remote object by the names of an interface.
"""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.components import registerAdapter
from zope.interface import Attribute, Interface, implementer

from tests.peer.pairs import Wire
from txremote import RemoteReference, Service, async_, exposed, get_remote
from txremote.refs.reference import RemotePath
from txremote.refs.typed import TypedReference
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_CALLATTR, HANDLE_CALLPATH


class IBase(Interface):
    def reset() -> None:
        """Start anew."""


class ICalculator(IBase):
    pi = Attribute("A number.")
    history = Attribute("A list.")

    def add(a: Any, b: Any) -> Any:
        """Add two numbers."""

    def named(name: Any, names: Any = None) -> Any:
        """Take arguments with the names of a path's own."""

    def not_there() -> None:
        """What the server does not have."""

    def __len__() -> int:
        """Tell how many."""


class IOther(Interface):
    def add(a: Any) -> Any:
        """Another add."""


class Calculator(Service):
    exposed_pi = 3.14

    def __init__(self) -> None:
        self.exposed_history: list[Any] = []

    @exposed
    def add(self, a: Any, b: Any) -> Any:
        self.exposed_history.append((a, b))
        return a + b

    @exposed
    def named(self, name: Any, names: Any = None) -> Any:
        return name, names

    @exposed
    def reset(self) -> None:
        self.exposed_history.clear()

    @exposed
    def inner(self) -> Any:
        return Calculator()

    @exposed
    def same(self, value: Any) -> Any:
        return value

    @exposed
    def kind(self, value: Any) -> str:
        return type(value).__name__

    def __len__(self) -> int:
        return len(self.exposed_history)


class Tree(Service):
    def __init__(self) -> None:
        self.exposed_calculator = Calculator()


@pytest.fixture
def pair() -> Pair:
    return connected_pair(server_root=Calculator)


async def value_of(awaitable: Any) -> Any:
    return await awaitable


def test_adapting_sends_nothing(pair: Pair) -> None:
    """A reference and a path, whatever the object at the other end may be."""
    wire = Wire(pair.client)
    for target in (pair.client.root, pair.client.root.inner, pair.server.root):
        typed = ICalculator(target)
        assert ICalculator.providedBy(typed)
        assert IBase.providedBy(typed)
        assert not IOther.providedBy(typed)
        assert ICalculator(typed) is typed
        assert IBase(typed) is typed
        repr(typed)
        dir(typed)
    pair.pump()
    assert wire.bytes == 0


def test_its_methods_are_called_and_its_attributes_read(pair: Pair) -> None:
    """A call is one request and gives a Deferred; an attribute is awaited."""
    calculator = ICalculator(pair.client.root)
    wire = Wire(pair.client)
    assert pair.result(calculator.add(2, 3)) == 5
    assert wire.requests == [HANDLE_CALLATTR]
    assert pair.result(calculator.add(b=2, a=1)) == 3
    assert pair.result(Deferred.fromCoroutine(value_of(calculator.pi))) == 3.14
    assert pair.result(calculator.__len__()) == 2
    assert pair.result(calculator.reset()) is None
    assert pair.result(async_(calculator.add)(1, 1).deferred) == 2


def test_an_argument_may_have_any_name(pair: Pair) -> None:
    """Those that our own methods use for their parameters, too."""
    calculator = ICalculator(pair.client.root)
    assert pair.result(calculator.named(name=1, names=2)) == (1, 2)


def test_a_path_goes_on_where_it_leads(pair: Pair) -> None:
    """The root of a tree: still one request for a call."""
    pair = connected_pair(server_root=Tree)
    calculator = ICalculator(pair.client.root.calculator)
    wire = Wire(pair.client)
    assert pair.result(calculator.add(2, 3)) == 5
    assert wire.requests == [HANDLE_CALLPATH]
    assert type(calculator.history) is RemotePath
    assert pair.result(calculator.history.pop()) == (2, 3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda it: it.add(1), r"ICalculator\.add\(a, b\): missing a required argument: 'b'"),
        (lambda it: it.add(1, 2, 3), r"ICalculator\.add\(a, b\): too many positional"),
        (lambda it: it.add(1, c=2), r"ICalculator\.add\(a, b\): "),
        (lambda it: it.reset(1), r"ICalculator\.reset\(\): too many positional"),
    ],
)
def test_a_call_that_does_not_fit_is_not_sent(pair: Pair, call: Any, sentence: str) -> None:
    """It raises here and now, with the signature."""
    wire = Wire(pair.client)
    with pytest.raises(TypeError, match=sentence):
        call(ICalculator(pair.client.root))
    pair.pump()
    assert wire.bytes == 0


@pytest.mark.parametrize("name", ["same", "inner", "callRemote", "_call", "__call__", "__await__"])
def test_it_has_the_names_of_its_interface_and_no_others(pair: Pair, name: str) -> None:
    """A reference's own are not among them either."""
    with pytest.raises(AttributeError, match=f"ICalculator declares no '{name}'"):
        getattr(ICalculator(pair.client.root), name)


def test_dir_is_the_interface_s(pair: Pair) -> None:
    """And help() shows a method as the interface has it."""
    typed: Any = ICalculator(pair.client.root)
    assert set(dir(typed)) == {"pi", "history", "add", "named", "not_there", "__len__", "reset"}
    assert typed.add.__doc__ == "Add two numbers."
    assert repr(typed).startswith("<ICalculator of <RemoteReference to a ")


def test_what_is_not_exposed_there_is_refused_there(pair: Pair) -> None:
    """The interface is this side's view; the other side's gate stands."""
    with pytest.raises(AttributeError, match="not_there"):
        pair.result(ICalculator(pair.client.root).not_there())


def test_assignments_are_refused_with_what_to_do_instead(pair: Pair) -> None:
    """As a reference's are."""
    typed: Any = ICalculator(pair.client.root)
    with pytest.raises(AttributeError, match=r"await set_remote\(ref, 'pi', value\)"):
        typed.pi = 3
    with pytest.raises(AttributeError, match=r"await del_remote\(ref, 'pi'\)"):
        del typed.pi
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(typed)


def test_as_an_argument_it_is_the_reference(pair: Pair) -> None:
    """The other end gets its own object back, not a proxy of a proxy."""
    inner = pair.result(pair.client.root.inner())
    assert type(inner) is RemoteReference
    assert pair.result(pair.client.root.same(ICalculator(inner))) is inner
    assert pair.result(pair.client.root.kind(ICalculator(inner))) == "Calculator"
    with pytest.raises(ValueError, match="await it first"):
        pair.result(pair.client.root.kind(ICalculator(pair.client.root.inner)))


def test_an_adapter_of_the_program_s_own_comes_first(pair: Pair) -> None:
    """Who has registered one for references gets what it makes."""

    class IMine(Interface):
        pass

    @implementer(IMine)
    class Mine:
        def __init__(self, reference: Any) -> None:
            self.reference = reference

    registerAdapter(Mine, RemoteReference, IMine)
    assert type(IMine(pair.client.root)) is Mine
    assert type(IMine(pair.client.root.inner)) is TypedReference


def test_nothing_else_is_adapted() -> None:
    """What is no reference fails as it always did."""
    for other in (3, object(), Calculator(), [], Calculator):
        assert IReactorTime(other, None) is None
        with pytest.raises(TypeError, match="Could not adapt"):
            ICalculator(other)


def test_a_lost_connection_fails_its_calls(pair: Pair) -> None:
    """As those of the reference."""
    typed = ICalculator(pair.client.root)
    pair.lose()
    with pytest.raises(EOFError):
        pair.result(typed.add(1, 2))
    with pytest.raises(EOFError):
        pair.result(get_remote(typed.history, "x"))
