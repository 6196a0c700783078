"""
`AccessPolicy`: what a peer may reach of an object, asked directly.

That every handler asks it is shown in ``test_handlers.py``.
"""

from __future__ import annotations

import asyncio
import collections
import functools
import inspect
import itertools
import re
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from zope.interface import Attribute, Interface, implementer

from tests.gate.things import Thing
from txremote import ConnectionConfig, NotSendable, Service, expose, exposed, threaded
from txremote.config import SAFE_ATTRS
from txremote.gate.access import COMPARISONS, AccessPolicy
from txremote.gate.exposure import is_exposed

DEFAULT = AccessPolicy(ConnectionConfig())
PUBLIC = AccessPolicy(ConnectionConfig(allow_public_attrs=True))
ALL = AccessPolicy(ConnectionConfig(allow_all_attrs=True))
POLICIES = {"default": DEFAULT, "public": PUBLIC}

ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


def policy(**switches: Any) -> AccessPolicy:
    return AccessPolicy(ConnectionConfig(**switches))


class Sub(Thing):
    pass


def generator() -> Iterator[int]:
    yield 1


async def coroutine() -> None:
    pass


async def async_generator() -> Any:
    yield 1


def frame() -> Any:
    return inspect.currentframe()


def traceback() -> Any:
    try:
        raise ValueError
    except ValueError as error:
        return error.__traceback__


# --- what is open -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("shown", 1), ("exposed_shown", 1), (b"shown", 1), (b"exposed_shown", 1)],
)
def test_an_exposed_value_is_found_under_both_names_as_str_or_bytes(name: Any, value: Any) -> None:
    assert DEFAULT.get(Thing(), name) == value
    assert DEFAULT.get(Sub(), name) == value


@pytest.mark.parametrize("name", ["method", "exposed_method", "marked", "exposed_marked"])
def test_exposed_methods_are_found_again_and_again(name: str) -> None:
    for thing in (Thing(), Sub(), Thing()):
        assert DEFAULT.get(thing, name)() == name.removeprefix("exposed_")


def test_safe_operators_are_open() -> None:
    assert DEFAULT.get(Thing(), "__len__")() == 5
    assert DEFAULT.get([1, 2], "__getitem__")(0) == 1


def test_operators_can_be_closed() -> None:
    closed = policy(allow_safe_attrs=False)
    with pytest.raises(AttributeError):
        closed.get(Thing(), "__len__")
    with pytest.raises(AttributeError, match="no safe operator"):
        closed.comparison(Thing(), "__eq__")
    assert closed.get(Thing(), "marked")() == "marked"


def test_exposed_names_can_be_closed() -> None:
    closed = policy(allow_exposed_attrs=False)
    for name in ("shown", "exposed_shown", "marked"):
        with pytest.raises(AttributeError):
            closed.get(Thing(), name)
    assert closed.get(Thing(), "__len__")() == 5


def test_public_names_can_be_opened_and_private_ones_stay_closed() -> None:
    assert PUBLIC.get(Thing(), "public") == 2
    assert PUBLIC.get(Thing(), "hidden")() == "hidden"
    with pytest.raises(AttributeError):
        PUBLIC.get(Thing(), "_private")


def test_everything_can_be_opened() -> None:
    assert ALL.get(Thing(), "_private") == 3
    assert ALL.get(Thing(), "__class__") is Thing
    assert ALL.get(generator(), "gi_frame")


def test_an_exposed_name_wins_over_nothing_and_a_plain_public_one_over_it() -> None:
    class Both:
        exposed_x = "exposed"
        x = "plain"

    assert DEFAULT.get(Both(), "x") == "exposed"
    assert PUBLIC.get(Both(), "x") == "plain"
    assert PUBLIC.get(Both(), "exposed_x") == "exposed"


def test_an_instances_own_exposed_attribute_is_found() -> None:
    thing = Thing()
    thing.exposed_late = 9  # type: ignore[attr-defined]
    assert DEFAULT.get(thing, "late") == 9
    with pytest.raises(AttributeError):
        DEFAULT.get(Thing(), "late")


def test_reading_can_be_closed_altogether() -> None:
    with pytest.raises(AttributeError, match="allow_getattr"):
        policy(allow_getattr=False).get(Thing(), "shown")


# --- what is not ------------------------------------------------------------------

OBJECTS: dict[str, Any] = {
    "instance": Thing(),
    "class": Thing,
    "service": Service(),
    "function": generator,
    "lambda": lambda: None,
    "method": Thing().marked,
    "builtin": len,
    "builtin method": [].append,
    "slot wrapper": [].__len__,
    "partial": functools.partial(len),
    "generator": generator(),
    "async generator": async_generator(),
    "frame": frame(),
    "code": generator.__code__,
    "traceback": traceback(),
    "module": sys,
    "exception": ValueError("x"),
    "list": [1],
    "dict": {1: 2},
    "keys": {1: 2}.keys(),
    "list iterator": iter([1]),
    "property": Thing.__dict__.get("x", property()),
    "lock": threading.Lock(),
    "weakref": weakref.ref(Thing),
    "type": type,
    "object": object,
}

SECRETS = [
    "__globals__",
    "__func__",
    "__self__",
    "__dict__",
    "__class__",
    "__bases__",
    "__mro__",
    "__reduce__",
    "__reduce_ex__",
    "__getattribute__",
    "__getattr__",
    "__setattr__",
    "__delattr__",
    "__init__",
    "__new__",
    "__del__",
    "__subclasses__",
    "__init_subclass__",
    "__subclasshook__",
    "__code__",
    "__closure__",
    "__defaults__",
    "__builtins__",
    "__wrapped__",
    "__module__",
    "__loader__",
    "__spec__",
    "__traceback__",
    "__context__",
    "__cause__",
    "__sizeof__",
    "__dir__",
    "__weakref__",
    "__call__",
    "__annotations__",
    "__array__",
    "__conform__",
    "__exposed__",
    "gi_frame",
    "gi_code",
    "gi_yieldfrom",
    "ag_frame",
    "ag_code",
    "cr_frame",
    "cr_code",
    "f_globals",
    "f_locals",
    "f_back",
    "f_builtins",
    "f_code",
    "tb_frame",
    "tb_next",
    "co_code",
    "co_consts",
    "mro",
]


@pytest.mark.parametrize("kind", OBJECTS)
def test_what_leads_out_of_an_object_is_closed_on_every_object(kind: str) -> None:
    for switches in POLICIES.values():
        for name in SECRETS:
            if switches is PUBLIC and name == "mro":
                continue  # a public name, and public names were opened
            with pytest.raises(AttributeError):
                switches.get(OBJECTS[kind], name)
            with pytest.raises(AttributeError):
                switches.get(OBJECTS[kind], name.encode())


@pytest.mark.parametrize("name", ["hidden", "public", "_private", "no_such", "exposed_no_such", ""])
@pytest.mark.parametrize("obj", [Thing(), Sub(), Thing], ids=["instance", "sub", "class"])
def test_what_is_not_exposed_is_closed(obj: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        DEFAULT.get(obj, name)


def test_a_coroutine_is_closed_even_if_public_names_are_open() -> None:
    it = coroutine()
    try:
        for name in ("send", "throw", "close", "cr_frame", "cr_await"):
            with pytest.raises(AttributeError):
                PUBLIC.get(it, name)
    finally:
        it.close()


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(AttributeError, match=r"mark it with @exposed or call it exposed_hidden"):
        DEFAULT.get(Thing(), "hidden")


def test_a_refusal_does_not_tell_whether_the_name_is_there() -> None:
    def refusal(name: str) -> str:
        with pytest.raises(AttributeError) as caught:
            DEFAULT.get(Thing(), name)
        return str(caught.value).replace(name, "?")

    assert refusal("hidden") == refusal("absent")


@pytest.mark.parametrize("name", [3, None, 1.5, ("a",), frozenset(), slice(1), ["shown"], Thing()])
def test_a_name_that_is_no_name_is_refused(name: Any) -> None:
    for attempt in (
        lambda: DEFAULT.get(Thing(), name),
        lambda: DEFAULT.set(Thing(), name, 1),
        lambda: DEFAULT.delete(Thing(), name),
    ):
        with pytest.raises(TypeError, match="name is a str"):
            attempt()


def test_a_name_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(AttributeError, match="no UTF-8"):
        DEFAULT.get(Thing(), b"\xff\xfe")


VALUES = [
    "{0.__class__}",
    b"%r",
    3,
    True,
    1.5,
    1j,
    None,
    (1, 2),
    Ellipsis,
    NotImplemented,
    frozenset({1, "a"}),
    slice(1, 2),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_that_was_sent_along_is_no_object_of_ours(value: Any) -> None:
    for switches in (DEFAULT, PUBLIC, ALL):
        for name in ("format", "__mod__", "__add__", "__len__", "__eq__", "shown"):
            with pytest.raises(TypeError, match="by value"):
                switches.get(value, name)
        with pytest.raises(TypeError, match="by value"):
            switches.comparison(value, "__eq__")


@pytest.mark.parametrize(
    "ask",
    [
        lambda value: ALL.set(value, "x", 1),
        lambda value: ALL.delete(value, "x"),
        lambda value: ALL.callable(value),
        lambda value: ALL.repr(value, 1),
        lambda value: ALL.hash(value, 1),
        lambda value: ALL.names(value),
        lambda value: ALL.methods(value),
        lambda value: ALL.format(value, 1),
    ],
)
def test_nothing_at_all_can_be_asked_of_such_a_value(ask: Any) -> None:
    for value in VALUES:
        with pytest.raises(TypeError, match="by value"):
            ask(value)


def test_a_frozenset_that_cannot_travel_by_value_is_an_object() -> None:
    thing = Thing()
    assert DEFAULT.get(frozenset({thing}), "__contains__")(thing)
    assert DEFAULT.get(frozenset({thing}), "union")


# --- a type that decides for itself -----------------------------------------------


def test_a_type_may_decide_for_itself() -> None:
    class Restricted:
        def __init__(self) -> None:
            self.log: list[Any] = []

        def _rpyc_getattr(self, name: str) -> Any:
            if name == "open":
                return 1
            raise AttributeError(f"no {name} for you")

        def _rpyc_setattr(self, name: str, value: Any) -> None:
            self.log.append((name, value))

        def _rpyc_delattr(self, name: str) -> None:
            self.log.append(name)

        def exposed_hidden(self) -> None:
            pass

    it = Restricted()
    for switches in (DEFAULT, PUBLIC, ALL, policy(allow_getattr=False)):
        for name in ("open", b"open"):
            assert switches.get(it, name) == 1
        for name in ("hidden", "exposed_hidden", "__class__", "__len__", "log"):
            with pytest.raises(AttributeError, match="for you"):
                switches.get(it, name)
    DEFAULT.set(it, "x", 1)
    DEFAULT.delete(it, "x")
    assert it.log == [("x", 1), "x"]


# --- builtin containers -----------------------------------------------------------

CONTAINERS: list[Any] = [
    [1, 2],
    {1: 2},
    {1, 2},
    frozenset({Thing()}),
    collections.deque([1]),
    bytearray(b"abc"),
    collections.OrderedDict(a=1),
    collections.defaultdict(list),
    collections.Counter("aab"),
    {1: 2}.keys(),
    {1: 2}.values(),
    {1: 2}.items(),
    range(3),
]


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda it: type(it).__name__)
def test_every_public_method_of_a_builtin_container_is_open(container: Any) -> None:
    names = [name for name in dir(container) if not name.startswith("_")]
    for name in names:
        # attributes that lead elsewhere, and what allocates as much as it is told
        if name in ("mapping", "default_factory", "resize"):
            with pytest.raises(AttributeError):
                DEFAULT.get(container, name)
        else:
            assert DEFAULT.get(container, name) is not None or name == "maxlen"


def test_a_subclass_of_a_container_exposes_what_it_exposes() -> None:
    class Mine(list[int]):
        def secret(self) -> None:
            pass

    with pytest.raises(AttributeError):
        DEFAULT.get(Mine(), "secret")
    with pytest.raises(AttributeError):
        DEFAULT.get(Mine(), "append")
    assert DEFAULT.get(Mine([1]), "__getitem__")(0) == 1


ITERATORS: list[Any] = [
    iter([1]),
    reversed([1]),
    iter({1: 2}),
    iter({1: 2}.items()),
    iter({1}),
    iter(collections.deque([1])),
    iter(range(3)),
    zip([1], [2], strict=False),
    map(str, [1]),
    filter(None, [1]),
    enumerate([1]),
    itertools.count(),
    itertools.chain([1]),
]


@pytest.mark.parametrize("iterator", ITERATORS, ids=lambda it: type(it).__name__)
def test_iterators_can_be_advanced_and_nothing_else(iterator: Any) -> None:
    assert DEFAULT.get(iterator, "__next__")() is not None
    assert DEFAULT.get(iterator, "__iter__")() is iterator
    for switches in (DEFAULT, PUBLIC):
        for name in ("__reduce__", "__setstate__", "__copy__", "__class__", "from_iterable"):
            with pytest.raises(AttributeError):
                switches.get(iterator, name)


def test_a_generator_can_be_driven_and_leads_nowhere() -> None:
    it = generator()
    for switches in (DEFAULT, PUBLIC):
        for name in ("__iter__", "__next__", "send", "throw", "close"):
            assert switches.get(it, name)
        for name in ("gi_frame", "gi_code", "gi_running", "gi_yieldfrom", "__class__"):
            with pytest.raises(AttributeError):
                switches.get(it, name)


def test_a_bytearrays_percent_is_closed_for_it_would_print_an_address() -> None:
    with pytest.raises(AttributeError):
        DEFAULT.get(bytearray(b"%r"), "__mod__")


# --- calling ----------------------------------------------------------------------


def test_what_was_handed_out_can_be_called_if_it_is_callable() -> None:
    for it in (len, Thing, Thing().hidden, functools.partial(len)):
        assert DEFAULT.callable(it) is it
    with pytest.raises(TypeError, match="'Thing' object is not callable"):
        DEFAULT.callable(Thing())


# --- comparing --------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_the_six_comparisons_are_open(name: str) -> None:
    expected = getattr([1], name)([2])
    assert DEFAULT.comparison([1], name)([1], [2]) is expected
    assert DEFAULT.comparison([1], name.encode())([1], [2]) is expected


def test_no_other_name_is_a_comparison() -> None:
    """RPyC's CVE-2019-16328 was here: a comparison by ``__getattribute__``."""
    odd = ["exposed_method", "marked", "__EQ__", " __eq__", "eq", "", b"__getattribute__"]
    odd += [None, 3, ("__eq__",)]
    for name in (*sorted(SAFE_ATTRS - COMPARISONS), *SECRETS, *odd):
        for switches in (DEFAULT, PUBLIC, ALL):
            with pytest.raises(AttributeError, match="no comparison"):
                switches.comparison(Thing(), name)


# --- what objects look like -------------------------------------------------------


class Shown:
    def __repr__(self) -> str:
        return "<shown>"

    def __str__(self) -> str:
        return "shown as str"

    def __format__(self, spec: str) -> str:
        return f"formatted {spec} at 0x7f0123456789"

    def __hash__(self) -> int:
        return 77


def test_a_repr_of_ones_own_is_shown() -> None:
    assert DEFAULT.repr(Shown(), 4) == "<shown>"
    assert DEFAULT.repr(Shown(), 4, str) == "shown as str"
    assert DEFAULT.format(Shown(), 4, "x") == "formatted x"
    assert DEFAULT.hash(Shown(), 4) == 77
    assert DEFAULT.repr([1, "a"], 4) == "[1, 'a']"


def test_the_default_repr_has_the_export_number_in_place_of_the_address() -> None:
    expected = f"<{Thing.__module__}.Thing object #4>"
    assert DEFAULT.repr(Thing(), 4) == expected
    assert DEFAULT.repr(Thing(), 4, str) == expected
    assert DEFAULT.format(Thing(), 4) == expected


@pytest.mark.parametrize(
    "obj",
    [
        Thing(),
        [Thing()],
        {Thing(): Thing()},
        Thing().hidden,
        generator,
        lambda: None,
        generator(),
        [].append,
        [].__len__,
        iter([]),
        functools.partial(len, Thing()),
        threading.Lock(),
        weakref.ref(OBJECTS["instance"]),
        types.SimpleNamespace(a=Thing()),
        object(),
        frame(),
        traceback(),
        generator.__code__,
        property(),
        staticmethod(generator),
        sys.stdout,
        map(str, ()),
    ],
    ids=lambda it: type(it).__name__,
)
def test_no_repr_tells_an_address(obj: Any) -> None:
    for shown in (
        DEFAULT.repr(obj, 4),
        DEFAULT.repr(obj, 4, str),
        DEFAULT.format(obj, 4),
    ):
        assert not ADDRESS.search(shown), shown


def test_the_default_hash_is_made_of_the_export_number() -> None:
    first, second = Thing(), Thing()
    assert DEFAULT.hash(first, 4) == DEFAULT.hash(second, 4)
    assert DEFAULT.hash(first, 4) != DEFAULT.hash(first, 5)


KEPT = Thing()  # by itself, for weak references to it


@pytest.mark.parametrize(
    "obj",
    [
        *(Thing(), Thing().hidden, [].append, [].__len__, generator, len, object(), Thing),
        *(iter([]), weakref.ref(Thing), weakref.WeakMethod(KEPT.hidden)),
    ],
    ids=lambda target: type(target).__name__,
)
def test_no_default_hash_is_made_of_an_address(obj: Any) -> None:
    assert DEFAULT.hash(obj, 4) == DEFAULT.hash(object(), 4)


def test_what_cannot_be_hashed_says_so() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        DEFAULT.hash([], 4)


# --- dir and inspect --------------------------------------------------------------


def test_dir_lists_what_can_be_read_and_nothing_else() -> None:
    names = DEFAULT.names(Thing())
    assert {"shown", "exposed_shown", "method", "marked", "__len__"} <= set(names)
    assert not {"hidden", "public", "_private", "__class__", "__dict__"} & set(names)
    for name in names:
        DEFAULT.get(Thing(), name)
    assert {"append", "pop"} <= set(DEFAULT.names([]))
    assert "public" in PUBLIC.names(Thing())
    assert "_private" in ALL.names(Thing())


@pytest.mark.parametrize("kind", OBJECTS)
def test_dir_of_anything_lists_only_what_can_be_read(kind: str) -> None:
    for switches in POLICIES.values():
        listed = set(switches.names(OBJECTS[kind]))
        assert not listed & (set(SECRETS) - {"mro"})


def test_inspect_lists_methods_with_their_docstrings() -> None:
    class Documented:
        @exposed
        def add(self) -> None:
            """Add it up."""

        def exposed_quiet(self) -> None:
            pass

        def hidden(self) -> None:
            """Not for peers."""

        exposed_value = 3

    methods = dict(DEFAULT.methods(Documented()))
    assert methods["add"] == "Add it up."
    assert methods["exposed_quiet"] is None
    assert "hidden" not in methods
    assert "exposed_value" not in methods


def test_inspect_lists_nothing_that_may_be_a_value() -> None:
    """A peer would make a method of it, which no value is equal to."""

    class Field:
        def __get__(self, instance: Any, owner: Any = None) -> int:
            return 3

        def __call__(self) -> None: ...

    class Model:
        exposed_cached = functools.cached_property(lambda self: 3)
        exposed_field = Field()
        exposed_static_field = staticmethod(Field())
        exposed_partial = functools.partialmethod(print, 1)
        exposed_single = functools.singledispatchmethod(lambda self: 1)
        exposed_kept = functools.lru_cache(lambda self: 1)
        exposed_threaded = threaded(lambda self: 1)
        exposed_builtin = len

        def exposed_method(self) -> None: ...

        def exposed_hidden(self) -> None: ...

        def exposed_short(self) -> None: ...

    model = Model()
    model.exposed_hidden = None  # type: ignore[assignment,method-assign]
    model.short = 3  # type: ignore[attr-defined]
    listed = {name for name, _doc in PUBLIC.methods(model) if name.startswith("exposed_")}
    called = "builtin kept method partial single static_field threaded"
    assert listed == {f"exposed_{name}" for name in called.split()}


def test_a_class_that_decides_about_its_names_lists_no_methods() -> None:
    class Guarded:
        def _rpyc_getattr(self, name: str) -> int:
            return 3

        def exposed_method(self) -> None: ...

    class Loud:
        def __getattribute__(self, name: str) -> Any:
            return object.__getattribute__(self, name)

        def exposed_method(self) -> None: ...

    for obj in (Guarded(), Loud()):
        assert "exposed_method" not in dict(PUBLIC.methods(obj))


def test_inspect_lists_every_special_method_that_syntax_needs() -> None:
    class Full:
        def __call__(self) -> None: ...
        def __iter__(self) -> Any: ...
        def __next__(self) -> Any: ...
        def __enter__(self) -> Any: ...
        def __exit__(self, *args: Any) -> Any: ...
        def __len__(self) -> int: ...  # type: ignore[empty-body]
        def __getitem__(self, key: Any) -> Any: ...
        def __contains__(self, key: Any) -> Any: ...

    methods = dict(DEFAULT.methods(Full()))
    needed = "__call__ __iter__ __next__ __enter__ __exit__ __len__ __getitem__ __contains__"
    assert set(needed.split()) <= set(methods)
    assert "__call__" in dict(DEFAULT.methods(Full))  # the metaclass's
    assert {"append", "__iter__"} <= set(dict(DEFAULT.methods([])))
    assert "__call__" in dict(DEFAULT.methods(len))
    assert {"__iter__", "__next__", "send"} <= set(dict(DEFAULT.methods(generator())))


@pytest.mark.parametrize("kind", OBJECTS)
def test_inspect_of_anything_lists_nothing_that_is_closed(kind: str) -> None:
    for switches in POLICIES.values():
        listed = set(dict(switches.methods(OBJECTS[kind])))
        assert not listed & (set(SECRETS) - {"__call__", "mro"})


# --- the mark ---------------------------------------------------------------------


def test_the_mark_is_looked_for_where_it_was_set() -> None:
    marked = Thing.__dict__["marked"]
    assert is_exposed(marked, "exposed_")
    assert is_exposed(staticmethod(marked), "exposed_")
    assert is_exposed(classmethod(marked), "exposed_")
    assert is_exposed(property(marked), "exposed_")
    assert not is_exposed(Thing.__dict__["hidden"], "exposed_")
    assert not is_exposed(property(), "exposed_")
    assert not is_exposed(3, "exposed_")
    assert not is_exposed(exposed(type("Open", (), {}))(), "exposed_")


def test_rpycs_own_decorator_leaves_a_mark_that_counts() -> None:
    rpyc = pytest.importorskip("rpyc")

    class Mixed:
        @rpyc.exposed
        def add(self, a: int, b: int) -> int:
            return a + b

    assert DEFAULT.get(Mixed(), "add")(1, 2) == 3


def test_an_event_loops_task_is_closed_as_any_object_is() -> None:
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine())
    try:
        for name in ("get_coro", "get_stack", "cancel", "_coro"):
            with pytest.raises(AttributeError):
                DEFAULT.get(task, name)
        with pytest.raises(AttributeError):
            PUBLIC.get(PUBLIC.get(task, "get_coro")(), "cr_frame")
    finally:
        loop.run_until_complete(task)
        loop.close()


# --- what is handed out -----------------------------------------------------------


@exposed
class Open:
    pass


class exposed_Named:
    pass


@pytest.mark.parametrize(
    "it",
    [
        *(Open, exposed_Named, int, list, KeyError, len, generator, generator(), Thing(), [sys]),
        *(Thing().hidden, lambda: sys, ValueError(), functools.partial(Thing), iter([Thing])),
    ],
)
def test_what_is_declared_or_no_class_is_handed_out(it: Any) -> None:
    """Functions and methods too: they were given to be called."""
    for switches in (DEFAULT, PUBLIC, ALL):
        switches.check_handed_out(it)


@pytest.mark.parametrize("it", [Thing, Sub, type, object, property, AccessPolicy, Service])
def test_a_class_that_nobody_declared_is_not_handed_out(it: type) -> None:
    """Outside of classic mode; the error says what to do."""
    for switches in (DEFAULT, PUBLIC):
        with pytest.raises(NotSendable, match=f"{it.__qualname__} is not exposed: mark it with @e"):
            switches.check_handed_out(it)
    ALL.check_handed_out(it)


@pytest.mark.parametrize("kind", ["frame", "code", "traceback", "module"])
def test_what_leads_to_everything_is_handed_out_in_classic_mode_only(kind: str) -> None:
    """By whatever way it came to be returned."""
    for switches in (DEFAULT, PUBLIC):
        with pytest.raises(NotSendable, match=f"a {kind}.* in classic mode only"):
            switches.check_handed_out(OBJECTS[kind])
    ALL.check_handed_out(OBJECTS[kind])


def test_another_prefix_declares_classes_as_it_declares_names() -> None:
    """And with exposing switched off, none does."""
    with pytest.raises(NotSendable):
        policy(exposed_prefix="remote_").check_handed_out(exposed_Named)
    with pytest.raises(NotSendable):
        policy(allow_exposed_attrs=False).check_handed_out(Open)


# --- an interface -----------------------------------------------------------------


class ICalculator(Interface):
    pi = Attribute("A number.")

    def add(a: Any, b: Any) -> Any:
        """Add two numbers."""

    def __len__() -> int:
        """Tell how many."""


class ICallable(ICalculator):
    def __call__(a: Any) -> Any:
        """Call it."""


expose(ICalculator, ICallable)


@implementer(ICalculator)
class Calculator:
    exposed_secret = 1

    def __init__(self) -> None:
        self.pi = 3.14
        self.history: list[Any] = []

    def add(self, a: Any, b: Any) -> Any:
        self.history.append((a, b))
        return a + b

    @exposed
    def marked(self) -> None: ...

    def __len__(self) -> int:
        return len(self.history)

    def __lt__(self, other: object) -> bool:
        return True

    def __iter__(self) -> Any: ...

    def __call__(self, a: Any) -> Any:
        return a


@implementer(ICallable)
class Called(Calculator):
    pass


WRITABLE = policy(allow_setattr=True, allow_delattr=True)


def test_an_object_is_reached_by_exactly_its_interface() -> None:
    """Whatever else it marks, prefixes or can do."""
    for switches in (DEFAULT, PUBLIC, WRITABLE):
        it = Calculator()
        assert switches.get(it, "add")(1, b=2) == 3
        assert switches.get(it, b"pi") == 3.14
        assert switches.get(it, "__len__")() == 1
        assert switches.names(it) == ("__len__", "add", "pi")
        assert dict(switches.methods(it)) == {
            "add": "Add two numbers.",
            "__len__": "Tell how many.",
            "__iter__": None,  # told of, and refused
        }
        for name in ("marked", "secret", "exposed_secret", "history", "__iter__", "__lt__", "adds"):
            with pytest.raises(AttributeError, match="exposed by ICalculator, which declares no"):
                switches.get(it, name)


def test_a_call_that_does_not_fit_is_refused_before_it_runs() -> None:
    """With a sentence that shows the signature."""
    it = Calculator()
    for args, kwargs in (((), {}), ((1,), {}), ((1, 2, 3), {}), ((1, 2), {"c": 3})):
        with pytest.raises(TypeError, match=r"^ICalculator\.add\(a, b\): "):
            DEFAULT.get(it, "add")(*args, **kwargs)
    assert it.history == []


def test_only_attributes_of_an_interface_are_set_and_only_if_setting_is_on() -> None:
    """Its methods are not, and nor are the names that every object has."""
    it = Calculator()
    with pytest.raises(AttributeError, match="allow_setattr is off"):
        DEFAULT.set(it, "pi", 3)
    WRITABLE.set(it, "pi", 3)
    assert it.pi == 3
    WRITABLE.delete(it, b"pi")
    assert not hasattr(it, "pi")
    for name in ("add", "history", "exposed_secret", "__eq__", "__len__", "__class__"):
        with pytest.raises(AttributeError, match="ICalculator"):
            WRITABLE.set(it, name, 1)
        with pytest.raises(AttributeError, match="ICalculator"):
            WRITABLE.delete(it, name)
    with pytest.raises(AttributeError, match="allow_getattr is off"):
        policy(allow_getattr=False).get(it, "add")


def test_an_object_is_called_if_its_interface_says_so() -> None:
    """As it says it."""
    with pytest.raises(AttributeError, match="'__call__': Calculator is exposed by ICalculator"):
        DEFAULT.callable(Calculator())
    assert DEFAULT.callable(Called())(5) == 5
    with pytest.raises(TypeError, match=r"ICallable\.__call__\(a\)"):
        DEFAULT.callable(Called())()


def test_every_object_can_be_shown_and_told_from_others() -> None:
    """What an interface need not declare; an order it does."""
    it = Calculator()
    assert DEFAULT.comparison(it, "__eq__")(it, it) is True
    assert DEFAULT.comparison(it, "__ne__")(it, it) is False
    with pytest.raises(AttributeError, match="'__lt__': Calculator is exposed by ICalculator"):
        DEFAULT.comparison(it, "__lt__")
    assert DEFAULT.repr(it, 4) == f"<{__name__}.Calculator object #4>"
    assert DEFAULT.get(it, "__repr__")
    with pytest.raises(AttributeError):
        policy(allow_safe_attrs=False).get(it, "__repr__")


def test_classic_mode_and_closed_exposure_do_not_ask_the_interface() -> None:
    """The one opens everything, the other nothing that was exposed."""
    assert ALL.get(Calculator(), "history") == []
    assert ALL.callable(Calculator())(5) == 5
    closed = policy(allow_exposed_attrs=False)
    for name in ("add", "pi", "marked"):
        with pytest.raises(AttributeError):
            closed.get(Calculator(), name)


def test_a_class_of_such_objects_is_no_such_object() -> None:
    """What instances provide opens nothing on the class."""
    for name in ("add", "pi", "__init__"):
        with pytest.raises(AttributeError):
            DEFAULT.get(Calculator, name)
    with pytest.raises(NotSendable):
        DEFAULT.check_handed_out(Calculator)


# --- the policy itself ------------------------------------------------------------


def test_a_policy_never_changes() -> None:
    """Nobody opens more under way."""
    it = policy()
    for name in ("config", "_prefix", "_safe", "other"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(it, name, ConnectionConfig.preset("classic"))
    assert it == policy()
    assert it != PUBLIC


def test_a_comparison_is_not_looked_up_by_an_object_of_the_program() -> None:
    """A reference in the operator's place would be asked for its hash."""

    class Loud:
        def __hash__(self) -> int:
            raise AssertionError("asked")

    with pytest.raises(AttributeError, match="by Loud: it is no comparison"):
        DEFAULT.comparison([], Loud())
