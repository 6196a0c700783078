"""
Netrefs: proxies that behave as what they stand for.
"""

from __future__ import annotations

import collections
import copy
import gc
import operator
import pickle
import traceback
import types
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.interfaces import IReactorTime
from zope.interface import Interface, implementer

import txremote.blocking as rpyc
from tests.blocking.script_threads import Tap, linked, scripted
from txremote.refs.netref import BaseNetref, NetrefMethod
from txremote.wire.consts import (
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CMP,
    HANDLE_CTXEXIT,
    HANDLE_DESCRIBE,
    HANDLE_DIR,
    HANDLE_GETATTR,
    HANDLE_HASH,
    HANDLE_REPR,
    HANDLE_STR,
)

#: What the tests of classic mode use, where every name is open.
OPEN = {
    "allow_all_attrs": True,
    "allow_getattr": True,
    "allow_setattr": True,
    "allow_delattr": True,
}


class Number:
    """Something with every operator."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return self.value == getattr(other, "value", other)

    def __lt__(self, other: Any) -> bool:
        return self.value < other

    def __le__(self, other: Any) -> bool:
        return self.value <= other

    def __gt__(self, other: Any) -> bool:
        return self.value > other

    def __ge__(self, other: Any) -> bool:
        return self.value >= other

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Number({self.value})"

    def __str__(self) -> str:
        return f"number {self.value}"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def __add__(self, other: int) -> int:
        return self.value + other

    def __radd__(self, other: int) -> int:
        return other + self.value + 1000

    def __sub__(self, other: int) -> int:
        return self.value - other

    def __mul__(self, other: int) -> int:
        return self.value * other

    def __truediv__(self, other: int) -> float:
        return self.value / other

    def __floordiv__(self, other: int) -> int:
        return self.value // other

    def __mod__(self, other: int) -> int:
        return self.value % other

    def __divmod__(self, other: int) -> tuple[int, int]:
        return divmod(self.value, other)

    def __pow__(self, other: int) -> int:
        return self.value**other

    def __and__(self, other: int) -> int:
        return self.value & other

    def __or__(self, other: int) -> int:
        return self.value | other

    def __xor__(self, other: int) -> int:
        return self.value ^ other

    def __lshift__(self, other: int) -> int:
        return self.value << other

    def __rshift__(self, other: int) -> int:
        return self.value >> other

    def __neg__(self) -> int:
        return -self.value

    def __pos__(self) -> int:
        return +self.value

    def __abs__(self) -> int:
        return abs(self.value)

    def __invert__(self) -> int:
        return ~self.value

    def __int__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)

    def __index__(self) -> int:
        return self.value

    def __bool__(self) -> bool:
        return self.value != 0

    def __iadd__(self, other: int) -> Number:
        self.value += other
        return self


class Context:
    """A context manager."""

    def __init__(self, swallows: bool = False) -> None:
        self.seen: list[Any] = []
        self.swallows = swallows

    def __enter__(self) -> str:
        self.seen.append("entered")
        return "inside"

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        self.seen.append((kind, repr(error)))
        return self.swallows


class Bare:
    """Nothing but an attribute and some methods."""

    def __init__(self) -> None:
        self.exposed_open = 1
        self.public = 2
        self._private = 3

    def exposed_method(self, *args: Any, **kwargs: Any) -> Any:
        """Say what was given."""
        return args, tuple(kwargs.items())

    def hidden(self) -> None:
        """Not for the peer."""


class IBare(Interface):
    """What nothing provides."""


class ITimed(Interface):
    """What `Timed` provides."""


@implementer(ITimed)
class Timed:
    """What provides an interface."""


class Sub(Bare):
    """A subclass."""


class Array:
    """What numpy would make an array of."""

    def __array__(self, *args: Any) -> Any:
        return [1, 2]

    def __reduce__(self) -> Any:
        return Array, ()


class Shop(rpyc.Service):
    """Hands out all of it."""

    exposed_Bare = Bare
    exposed_Sub = Sub
    exposed_pi = 3.14

    def __init__(self) -> None:
        self._context = Context()
        self._bare = Bare()
        self._items: list[Any] = [1, 2, 3]

    def exposed_number(self, value: int) -> Number:
        return Number(value)

    def exposed_context(self, swallows: bool = False) -> Context:
        self._context = Context(swallows)
        return self._context

    def exposed_seen(self) -> tuple[Any, ...]:
        return tuple(
            entry if type(entry) is str else (getattr(entry[0], "__name__", None), str(entry[1]))
            for entry in self._context.seen
        )

    def exposed_bare(self) -> Bare:
        return self._bare

    def exposed_list(self) -> list[Any]:
        return self._items

    def exposed_make(self, source: str) -> Any:
        return eval(source)

    def exposed_array(self) -> Array:
        return Array()

    def exposed_same(self, value: Any) -> Any:
        return value

    def exposed_gen(self, count: int) -> Iterator[int]:
        yield from range(count)


# --- operators --------------------------------------------------------------------


@scripted
def test_arithmetic() -> None:
    with linked(Shop) as conn:
        seven = conn.root.number(7)
        here = Number(7)
        for name in "add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift".split():
            function = getattr(operator, name)
            assert function(seven, 3) == function(here, 3), name
        assert divmod(seven, 3) == (2, 1)
        assert 5 + seven == 1012
        assert (-seven, +seven, abs(seven), ~seven) == (-7, 7, 7, -8)
        assert (int(seven), float(seven), [0, 1][conn.root.number(1)]) == (7, 7.0, 1)
        assert not conn.root.number(0)
        assert conn.root.number(1)


@scripted
def test_an_operator_in_place_changes_the_remote_object() -> None:
    with linked(Shop) as conn:
        number = same = conn.root.number(7)
        number += 5
        assert number is same
        assert int(same) == 12


@scripted
def test_comparison() -> None:
    with linked(Shop) as conn:
        seven, eight = conn.root.number(7), conn.root.number(8)
        tap = Tap(conn)
        assert seven == 7
        assert seven != 8
        assert seven < 8 <= eight
        assert eight > 7
        assert eight >= 8
        assert seven != eight
        assert seven == conn.root.number(7)
        assert set(tap.taken()) <= {HANDLE_CMP, HANDLE_CALLATTR}
        things = conn.root.bare(), conn.root.make("Bare()")
        assert things[0] == things[0]
        assert things[0] != things[1]
        with pytest.raises(TypeError, match="not supported"):
            _ = things[0] < things[1]


@scripted
def test_len_in_iteration_items_and_slices() -> None:
    with linked(Shop) as conn:
        items = conn.root.list()
        assert len(items) == 3
        assert 2 in items
        assert 5 not in items
        assert list(items) == [1, 2, 3]
        assert [a + b for a, b in zip(items, items, strict=True)] == [2, 4, 6]
        assert items[0] == 1
        assert list(items[1:]) == [2, 3]
        assert list(items[::-1]) == [3, 2, 1]
        items[0] = 9
        items[1:2] = [7, 8]
        del items[-1]
        assert list(items) == [9, 7, 8]
        assert list(reversed(items)) == [8, 7, 9]
        assert items + conn.root.make("[5]") == conn.root.make("[9, 7, 8, 5]")
        first, *rest = items
        assert (first, rest) == (9, [7, 8])
        with pytest.raises(IndexError):
            _ = items[99]
        assert items  # by its length
        items.clear()
        assert not items


@scripted
def test_dicts() -> None:
    with linked(Shop) as conn:
        ages = conn.root.make("{'ann': 5, 'bob': 6}")
        assert ages["ann"] == 5
        assert "bob" in ages
        assert sorted(ages) == ["ann", "bob"]
        assert dict(ages.items()) == {"ann": 5, "bob": 6}
        assert ages.get("cat", 7) == 7
        ages["cat"] = 8
        del ages["ann"]
        assert len(ages) == 2
        assert {**ages} == {"bob": 6, "cat": 8}
        with pytest.raises(KeyError, match="nobody"):
            _ = ages["nobody"]


@scripted
def test_generators_and_iterators() -> None:
    with linked(Shop) as conn:
        generator = conn.root.gen(3)
        assert next(generator) == 0
        assert list(generator) == [1, 2]
        assert list(conn.root.gen(0)) == []
        assert next(conn.root.gen(0), "none") == "none"
        with pytest.raises(StopIteration):
            next(conn.root.gen(0))


@scripted
def test_what_cannot_be_done_with_the_object_cannot_with_its_netref() -> None:
    with linked(Shop) as conn:
        bare = conn.root.bare()
        for attempt in (
            lambda: len(bare),
            lambda: iter(bare),
            lambda: bare[0],
            lambda: bare(),
            lambda: bare + 1,
            lambda: 1 in bare,
            lambda: bare.__enter__(),
        ):
            with pytest.raises((TypeError, AttributeError)):
                attempt()
        with pytest.raises(TypeError):
            with bare:
                pass
        assert not callable(bare)
        assert bare  # as any object is


# --- with -------------------------------------------------------------------------


@scripted
def test_with_enters_and_leaves() -> None:
    with linked(Shop) as conn:
        tap = Tap(conn)
        context = conn.root.context()
        tap.taken()
        with context as inside:
            assert inside == "inside"
        assert tap.taken() == [HANDLE_CALLATTR, HANDLE_CTXEXIT]
        assert conn.root.seen() == ("entered", (None, "None"))


@scripted
@pytest.mark.parametrize("error", [ValueError, KeyError, UnicodeDecodeError])
def test_an_exception_in_with_reaches_exit(error: type[Exception]) -> None:
    made = error("utf-8", b"x", 0, 1, "y") if error is UnicodeDecodeError else error("x")
    with linked(Shop) as conn:
        with pytest.raises(error):
            with conn.root.context():
                raise made
        name = error.__name__
        assert conn.root.seen() == ("entered", (name, repr(made)))
        with conn.root.context(True):
            raise made
        assert conn.root.seen()[1][0] == name


@scripted
def test_an_exception_of_ones_own_in_with_reaches_exit_too() -> None:
    class Mine(Exception):
        pass

    with linked(Shop) as conn:
        with pytest.raises(Mine):
            with conn.root.context():
                raise Mine
        assert "Mine" in conn.root.seen()[1][0]


# --- attributes -------------------------------------------------------------------


@scripted
def test_attributes_are_read_from_the_peer() -> None:
    with linked(Shop) as conn:
        bare = conn.root.bare()
        tap = Tap(conn)
        assert bare.open == bare.exposed_open == 1
        assert conn.root.pi == 3.14
        assert tap.taken() == [HANDLE_GETATTR] * 3


@scripted
def test_names_that_are_not_exposed_are_not_there() -> None:
    with linked(Shop) as conn:
        bare = conn.root.bare()
        for name in ("public", "hidden", "_private", "__dict__", "__globals__", "nothing"):
            assert not hasattr(bare, name), name
            with pytest.raises(AttributeError, match=name):
                getattr(bare, name)
        assert getattr(bare, "public", "default") == "default"


@scripted
def test_an_attribute_error_is_printed_without_asking_the_peer() -> None:
    """Python looks for names like the missing one on the object that an error notes."""
    with linked(Shop, remote_config=OPEN) as conn:
        bare = conn.root.bare()
        tap = Tap(conn)
        for name in ("exposed_oben", "__nothing__"):
            with pytest.raises(AttributeError) as caught:
                getattr(bare, name)
            assert (caught.value.name, caught.value.obj) == (name, None)
            assert "Did you mean" not in "".join(traceback.format_exception(caught.value))
        assert tap.taken() == [HANDLE_GETATTR] * 2


@scripted
@pytest.mark.parametrize("switches", [{}, OPEN], ids=["exposed", "classic"])
def test_a_netref_provides_what_its_class_does_where_this_side_has_that(switches: Any) -> None:
    """Elsewhere nothing, whatever the peer has for the names that zope looks up."""
    with linked(Shop, remote_config=switches) as conn:
        for source in ("Bare()", "len", "[]", "type('Alien', (), {'__module__': 'far'})()"):
            netref = conn.root.make(source)
            assert not IBare.providedBy(netref)
            assert IBare(netref, None) is None
        assert ITimed.providedBy(conn.root.make("Timed()"))


@scripted
def test_attributes_are_set_and_deleted_where_that_is_allowed() -> None:
    switches = {"allow_setattr": True, "allow_delattr": True}
    with linked(Shop, remote_config=switches) as conn:
        bare = conn.root.bare()
        bare.open = 5
        assert bare.open == 5
        del bare.open
        assert not hasattr(bare, "open")
        with pytest.raises(AttributeError):
            bare.public = 5
    with linked(Shop) as conn:
        with pytest.raises(AttributeError, match="allow_setattr is off"):
            conn.root.bare().open = 5
        with pytest.raises(AttributeError, match="allow_delattr is off"):
            del conn.root.bare().open


@scripted
def test_a_name_that_is_both_method_and_attribute_means_what_the_object_says() -> None:
    """The bound proxy calls by name, so what hides a method there is called."""
    with linked(Shop, remote_config=OPEN) as conn:
        bare = conn.root.bare()
        method = bare.exposed_method
        assert method(1) == ((1,), ())
        bare.exposed_method = lambda *args: "hidden"
        assert method(1) == "hidden"


@scripted
def test_a_netref_has_no_attributes_of_its_own() -> None:
    with linked(Shop, remote_config=OPEN) as conn:
        bare = conn.root.bare()
        bare.new = [1]
        assert conn.root.bare().new == [1]
        assert not hasattr(type(bare), "__dict__") or "new" not in type(bare).__dict__


# --- methods ----------------------------------------------------------------------


@scripted
def test_methods_take_arguments_by_position_and_by_name() -> None:
    with linked(Shop) as conn:
        method = conn.root.bare().method
        assert method() == ((), ())
        assert method(1, "a", None) == ((1, "a", None), ())
        assert method(1, b=2, c=(3, 4)) == ((1,), (("b", 2), ("c", (3, 4))))


@scripted
def test_a_bound_proxy_is_local_until_it_is_called() -> None:
    with linked(Shop) as conn:
        bare = conn.root.bare()
        tap = Tap(conn)
        method = bare.method
        assert type(method) is NetrefMethod
        assert callable(method)
        assert method == bare.method
        assert method != bare.exposed_method
        assert method != 5
        assert hash(method) == hash(bare.method)
        assert {method: 1}[bare.method] == 1
        assert tap.taken() == []
        method()
        assert tap.taken() == [HANDLE_CALLATTR]


@scripted
def test_what_else_is_done_with_a_bound_proxy_is_done_with_the_remote_method() -> None:
    with linked(Shop, remote_config=OPEN) as conn:
        method = conn.root.bare().exposed_method
        assert "exposed_method" in repr(method)
        assert method.__name__ == "exposed_method"
        assert method.__doc__.strip() == "Say what was given."
        assert "__call__" in dir(method)
        assert method.____conn__ is conn
        assert method.____id_pack__[0] == "builtins.method"
        assert conn.root.same(method) == method.____fetch__()
        with pytest.raises(TypeError, match="a remote method cannot be pickled"):
            pickle.dumps(method)
        with pytest.raises(AttributeError):
            _ = method.____nothing__


@scripted
def test_a_bound_proxy_keeps_its_object_alive() -> None:
    with linked(Shop) as conn:
        method = conn.root.make("Number(5)").__add__
        gc.collect()
        conn.ping()
        assert method(1) == 6


@scripted
def test_methods_of_builtins_are_known_without_asking() -> None:
    with linked(Shop) as conn:
        items = conn.root.list()
        tap = Tap(conn)
        items.append(4)
        items.extend([5])
        assert items.pop() == 5
        assert items.index(4) == 3
        assert tap.taken() == [HANDLE_CALLATTR] * 4


@scripted
def test_functions_and_classes_are_called() -> None:
    with linked(Shop) as conn:
        function = conn.root.make("lambda a, b=2: a * b")
        assert function(4) == 8
        assert function(4, b=3) == 12
        made = conn.root.Bare()
        assert made.open == 1
        tap = Tap(conn)
        function(1)
        assert tap.taken() == [HANDLE_CALL]


# --- what a netref says of itself ---------------------------------------------------


@scripted
def test_repr_str_hash_format_and_dir_are_the_objects() -> None:
    with linked(Shop) as conn:
        number = conn.root.number(7)
        tap = Tap(conn)
        assert repr(number) == "Number(7)"
        assert str(number) == "number 7"
        assert hash(number) == hash(7)
        assert tap.taken() == [HANDLE_REPR, HANDLE_STR, HANDLE_HASH]
        assert f"{number:03d}" == "007"
        assert f"{number}" == format(7, "")
        assert "exposed_method" in dir(conn.root.bare())
        assert "hidden" not in dir(conn.root.bare())
        assert HANDLE_DIR in tap.taken()
        assert {conn.root.number(7): "x"}[conn.root.number(7)] == "x"
        with pytest.raises(TypeError, match="unhashable"):
            hash(conn.root.list())


@scripted
def test_a_plain_objects_repr_tells_no_address() -> None:
    with linked(Shop) as conn:
        shown = repr(conn.root.bare())
        assert "Bare object" in shown
        assert "0x" not in shown


@scripted
def test_its_class_has_a_repr_of_its_own() -> None:
    with linked(Shop) as conn:
        assert "netref class" in repr(type(conn.root.list()))
        assert "builtins.list" in repr(type(conn.root.list()))


@scripted
def test_docstrings_are_the_objects() -> None:
    with linked(Shop) as conn:
        assert conn.root.list().__doc__ == list.__doc__
        assert conn.root.bare().__doc__ == Bare.__doc__
        assert conn.root.bare().method.__doc__ == Bare.exposed_method.__doc__


@scripted
def test_isinstance_of_builtin_types() -> None:
    with linked(Shop) as conn:
        items = conn.root.list()
        tap = Tap(conn)
        assert isinstance(items, list)
        assert not isinstance(items, dict)
        assert items.__class__ is list
        assert isinstance(items, collections.abc.Sequence)
        assert isinstance(items, BaseNetref)
        assert tap.taken() == []
        assert isinstance(conn.root.make("collections.deque([1])"), collections.deque)
        assert isinstance(conn.root.make("lambda: 1"), types.FunctionType)
        assert isinstance(conn.root.make("dict"), type)
        assert isinstance(conn.root.make("ValueError('x')"), Exception)
    with linked(Shop, remote_config={"allow_all_attrs": True}) as conn:
        assert isinstance(conn.root.make("types"), types.ModuleType)


@scripted
def test_isinstance_of_classes_that_both_sides_have() -> None:
    """A class goes by its name, where a module of that name is loaded here."""
    with linked(Shop) as conn:
        assert isinstance(conn.root.bare(), Bare)
        assert isinstance(conn.root.make("Sub()"), Bare)
        assert not isinstance(conn.root.bare(), Sub)
        assert conn.root.bare().__class__ is Bare


@scripted
def test_isinstance_of_remote_classes() -> None:
    with linked(Shop) as conn:
        bare, sub = conn.root.bare(), conn.root.make("Sub()")
        remote_bare, remote_sub = conn.root.Bare, conn.root.Sub
        assert isinstance(bare, remote_bare)
        assert isinstance(sub, remote_bare)
        assert isinstance(sub, remote_sub)
        assert not isinstance(bare, remote_sub)
        assert not isinstance(remote_bare, remote_bare)
        assert isinstance(Bare(), remote_bare)
        assert not isinstance(5, remote_bare)
        with pytest.raises(TypeError, match="must be a class"):
            isinstance(bare, sub)


@scripted
def test_a_class_that_only_the_peer_has() -> None:
    """Its netrefs are of no class here; looking for one asks the peer, and no harm done."""
    with linked(Shop) as conn:
        alien = conn.root.make("type('Alien', (), {'exposed_x': 1, '__module__': 'far.away'})()")
        assert alien.x == 1
        assert not isinstance(alien, Bare)
        assert issubclass(alien.__class__, BaseNetref)
        assert "far.away.Alien" in repr(type(alien))


# --- identity and references --------------------------------------------------------


@scripted
def test_one_object_is_one_netref_as_long_as_somebody_has_it() -> None:
    with linked(Shop) as conn:
        assert conn.root.list() is conn.root.list()
        assert conn.root.bare() is not conn.root.list()
        items = conn.root.list()
        assert items.____refcount__ >= 1
        assert items.____conn__ is conn
        assert items.____id_pack__[0] == "builtins.list"


@scripted
def test_an_object_of_ones_own_comes_back_as_itself() -> None:
    with linked(Shop) as conn:
        mine = [1, object()]
        assert conn.root.same(mine) is mine
        items = conn.root.list()
        assert conn.root.same(items) is items
        assert conn.root.same((1, (items, mine)))[1] == (items, mine)


@scripted
def test_dropped_netrefs_are_given_back() -> None:
    with linked(Shop) as conn:
        held = [conn.root.make("Bare()") for _ in range(100)]
        assert len(held) == 100
        tap = Tap(conn)
        held.clear()
        gc.collect()
        assert len(conn.root.list()) == 3
        assert len(tap.taken()) == 3  # a release, the list, its length


@scripted
def test_values_stay_values() -> None:
    with linked(Shop) as conn:
        for value in (None, True, 5, 2.5, "x", b"x", (1, (2,)), 3j, frozenset({1}), ..., slice(1)):
            assert conn.root.same(value) == value
            assert type(conn.root.same(value)) is type(value)


@scripted
def test_no_interface_is_looked_for_at_the_peer() -> None:
    """zope's adapters look at an object's ``__providedBy__``, ``__conform__``..."""
    with linked(Shop) as conn:
        bare = conn.root.bare()
        assert IReactorTime(bare, None) is None


# --- copies, pickles, arrays --------------------------------------------------------


@scripted
@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy])
def test_builtin_containers_are_copied_by_value(copying: Any) -> None:
    with linked(Shop) as conn:
        for source in ("[1, [2, 3]]", "{'a': {1, 2}}", "collections.deque([1])", "bytearray(b'x')"):
            copied = copying(conn.root.make(source))
            assert copied == eval(source)
            assert type(copied) is type(eval(source))
        with pytest.raises(TypeError, match="unpickle=True"):
            copying(conn.root.bare())


@scripted
def test_pickling_is_refused_with_a_sentence() -> None:
    with linked(Shop, remote_config={"allow_pickle": True}) as conn:
        with pytest.raises(TypeError, match="if you trust it"):
            pickle.dumps(conn.root.list())


@scripted
def test_pickling_is_done_where_both_sides_allow_it() -> None:
    allowed = {"allow_pickle": True}
    with linked(Shop, config=allowed, remote_config=allowed) as conn:
        assert pickle.loads(pickle.dumps(conn.root.make("[1, {2: 3}]"))) == [1, {2: 3}]
        assert pickle.loads(pickle.dumps(conn.root.number(7), 2)) == Number(7)
    with linked(Shop, config=allowed) as conn:
        with pytest.raises(ValueError, match="pickling is disabled"):
            pickle.dumps(conn.root.list())


@scripted
def test_a_numpy_array_is_refused_instead_of_unpickled() -> None:
    with linked(Shop, remote_config=OPEN) as conn:
        with pytest.raises(TypeError, match="making a numpy array of a remote one"):
            conn.root.array().__array__()
    allowed = {**OPEN, "allow_pickle": True}
    with linked(Shop, config=allowed, remote_config=allowed) as conn:
        assert conn.root.array().__array__() == [1, 2]


@scripted
def test_no_memory_of_a_remote_object_is_offered_to_numpy() -> None:
    """numpy would read it as this process's memory; the names are not even asked for."""
    with linked(Shop, remote_config=OPEN) as conn:
        items = conn.root.list()
        method = items.append
        tap = Tap(conn)
        for name in ("__array_interface__", "__array_struct__"):
            assert not hasattr(items, name)
            assert not hasattr(method, name)
        assert tap.taken() == []


# --- how classes are asked about ---------------------------------------------------


@scripted
def test_a_peer_that_lists_nonsense_is_no_trouble() -> None:
    """INSPECT's answer is the peer's to make up."""
    with linked(Shop) as conn:
        view = conn.root.____conn__
        ask = view._wait_for_answer
        view._wait_for_answer = lambda *_args: 5
        try:
            kind = type(view._netref(conn.root.make.____owner__.____ref__))
        finally:
            view._wait_for_answer = ask
        assert issubclass(kind, BaseNetref)


@scripted
def test_a_class_is_asked_about_once_and_again_for_itself() -> None:
    """Instances and the class have different methods."""
    with linked(Shop) as conn:
        _ = conn.root
        tap = Tap(conn)
        conn.root.bare()
        conn.root.make("Bare()")
        conn.root.Bare
        conn.root.Bare()
        assert tap.taken().count(HANDLE_DESCRIBE) == 2
