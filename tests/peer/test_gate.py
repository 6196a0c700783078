"""
The gate as a whole: every handler, driven with every kind of object and of name,
reaches nothing that was not declared.

Every object here carries *tripwires*: attributes that nobody declared, which
write down that they were touched, and hold a secret. After each request there
must be none touched, no secret in what was sent, and nothing handed out that
must not be.
"""

from __future__ import annotations

import collections
import functools
import itertools
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface, implementer

from tests.examples import examples
from tests.peer.pairs import Local, RawPeer, Remote, answer_of
from txremote import Service, expose, exposed, restricted, threaded
from txremote.peer.handlers import HANDLERS
from txremote.wire.consts import (
    HANDLE_BUFFITER,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CLOSE,
    HANDLE_CMP,
    HANDLE_CTXEXIT,
    HANDLE_DELATTR,
    HANDLE_GETATTR,
    HANDLE_INSPECT,
    HANDLE_INSTANCECHECK,
    HANDLE_OLDSLICING,
    HANDLE_SETATTR,
    MSG_REQUEST,
)

SECRET = "the-combination-of-the-safe"


class Tripwire:
    """An attribute that nobody declared."""

    def __init__(self, name: str, reached: list[str]) -> None:
        self._name = name
        self._reached = reached

    def _trip(self, how: str) -> None:
        caller = sys._getframe(2).f_code
        self._reached.append(f"{self._name} was {how} by {caller.co_filename}:{caller.co_name}")

    def __get__(self, instance: Any, owner: Any) -> Any:
        self._trip("read")
        return SECRET

    def __set__(self, instance: Any, value: Any) -> None:
        self._trip("set")

    def __delete__(self, instance: Any) -> None:
        self._trip("deleted")


# Nobody declares these, and no switch short of classic mode opens them.
PRIVATE = [
    *("_private", "__mangled", "__array__", "__conform__", "__adapt__", "__await__", "__fspath__"),
    *("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__copy__", "__deepcopy__"),
    *("__getnewargs__", "__getnewargs_ex__", "__missing__", "__reversed__", "__bytes__"),
    *("__instancecheck__", "__subclasscheck__", "__wrapped__", "__fields__", "__array_struct__"),
    *("__array_interface__", "__buffer__", "__get_password__"),
]
# Nobody declares these either, but with *public* every such name is open.
PUBLIC = ["hidden", "secret", "cr_frame", "gi_frame", "f_globals", "tb_frame", "func", "mro"]

# Open on any object that has them, but for one that is exposed by an interface.
OPERATORS = [
    *("__call__", "__len__", "__iter__", "__next__", "__getitem__", "__setitem__", "__enter__"),
    *("__exit__", "__lt__", "__add__", "__bool__", "__int__", "__contains__", "next"),
]

# Names of Python's own that lead from an object to the rest of the program.
DOORS = [
    *("__class__", "__dict__", "__globals__", "__func__", "__self__", "__code__", "__closure__"),
    *("__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__init__", "__new__"),
    *("__subclasses__", "__bases__", "__mro__", "__call__", "__builtins__", "__module__"),
    *("__traceback__", "__context__", "__cause__", "__init_subclass__", "__subclasshook__"),
    *("gi_code", "gi_yieldfrom", "ag_frame", "f_back", "f_locals", "tb_next", "co_code"),
    *("__providedBy__", "__provides__", "__implemented__", "__exposed__", "_rpyc_getattr"),
    *("__slots__", "__weakref__", "__annotations__", "__defaults__", "__kwdefaults__"),
]
OPEN = [
    *("value", "exposed_value", "get", "marked", "itself", "size", "press", "shown", "Point"),
    *("__iter__", "__next__", "__len__", "__getitem__", "__enter__", "__exit__", "__eq__"),
    *("__repr__", "__hash__", "__format__", "__doc__", "__add__", "__contains__", "__setitem__"),
    *("append", "pop", "send", "throw", "close", "copy", "items", "update", "get_service_name"),
]
NAMES = [*PRIVATE, *PUBLIC, *DOORS, *OPEN, *OPERATORS]


class IButton(Interface):
    """Opened to peers."""

    size = Attribute("Its size.")

    def press(times: int = 1) -> int:
        """Press it."""


class IInside(Interface):
    """Not opened."""

    def hidden() -> str:
        """Nothing for peers."""


expose(IButton)


class World:
    """
    One object of every kind, made anew for each try, with tripwires all over.

    Args:
        public: Whether public names count as declared.
    """

    def __init__(self, public: bool) -> None:
        self.reached: list[str] = []
        wires = {name: Tripwire(name, self.reached) for name in PRIVATE}
        exact = {**wires, **{name: Tripwire(name, self.reached) for name in PUBLIC}}
        loose = wires if public else exact

        class Thing:
            exposed_value = 7

            def exposed_get(self, *args: Any, **kwargs: Any) -> int:
                return len(args) + len(kwargs)

            @exposed
            def marked(self) -> str:
                return "marked"

            @exposed
            def itself(self) -> Any:
                return self

            def __len__(self) -> int:
                return 2

            def __getitem__(self, key: Any) -> Any:
                return self

            def __eq__(self, other: object) -> bool:
                return False

            def __hash__(self) -> int:
                return 3

            def __add__(self, other: Any) -> Any:
                return self

        @exposed
        class Point:
            exposed_x = 1

            def __init__(self, *args: Any) -> None:
                pass

            @classmethod
            def exposed_make(cls) -> Any:
                return cls()

        class Undeclared:
            exposed_value = 1

        class Manager:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *args: Any) -> bool:
                return True

        class Chooser:
            def _rpyc_getattr(self, name: str) -> Any:
                if name == "shown":
                    return 1
                raise AttributeError("this is not for you")

            def _rpyc_setattr(self, name: str, value: Any) -> None:
                raise AttributeError("nor is this")

            def _rpyc_delattr(self, name: str) -> None:
                raise AttributeError("nor is this")

        @implementer(IButton, IInside)
        class Button:
            size = 3
            exposed_value = 5

            def press(self, times: int = 1) -> int:
                return times

            @exposed
            @threaded
            def marked(self) -> int:
                return 1

        for kind in (Thing, Point, Undeclared, Manager):
            for name, wire in loose.items():
                setattr(kind, name, wire)
        for name, wire in exact.items():
            setattr(Button, name, wire)
            setattr(Chooser, name, wire)
        for name in OPERATORS:  # an interface that does not declare them does not have them
            setattr(Button, name, Tripwire(name, self.reached))

        class Hosted(Service):
            exposed_Point = Point
            exposed_Undeclared = Undeclared

            def exposed_reply(self, value: Any) -> Any:
                return value

        self.declared_classes = {Point, Undeclared}
        self.service = Hosted()
        for name, wire in loose.items():
            setattr(Hosted, name, wire)
        self.kinds = self._kinds(Thing(), Point(), Button(), Chooser(), Manager())
        self.forbidden = self._forbidden(Manager)
        self.service.exposed_all = lambda: tuple(self.kinds.values())
        for name, refused in self.forbidden.items():
            setattr(self.service, f"exposed_{name}", lambda it=refused: it)

    def _kinds(self, thing: Any, point: Any, button: Any, chooser: Any, manager: Any) -> Any:
        def function(*args: Any) -> str:
            return "called"

        def numbers() -> Iterator[int]:
            hidden = SECRET
            yield from range(len(hidden))

        async def stream() -> Any:
            yield 1

        return {
            "thing": thing,
            "point": point,
            "class": type(point),
            "interface": button,
            "chooser": chooser,
            "manager": manager,
            "restricted": restricted(thing, {"exposed_value"}, ()),
            "list": [1, thing],
            "dict": {"a": thing},
            "set": {thing},
            "deque": collections.deque([thing]),
            "frozenset": frozenset({thing}),
            "bytearray": bytearray(b"abc"),
            "range": range(3),
            "keys": {"a": 1}.keys(),
            "iterator": iter([thing]),
            "map": map(str, [1]),
            "count": itertools.count(),
            "generator": numbers(),
            "async generator": stream(),
            "function": function,
            "lambda": lambda: None,
            "method": thing.exposed_get,
            "builtin": len,
            "builtin method": [].append,
            "partial": functools.partial(len),
            "exception": _raised(),
            "value class": int,
            "exception class": KeyError,
            "threaded": threaded(function),
            "property": property(lambda _self: SECRET),
            "proxy": types.MappingProxyType({"a": 1}),
        }

    def _forbidden(self, undeclared: Any) -> dict[str, Any]:
        return {
            "module": sys,
            "frame": sys._getframe(),
            "code": World.__init__.__code__,
            "traceback": _raised().__traceback__,
            "undeclared": undeclared,
            "metaclass": type,
            "base": object,
        }

    def check(self, exports: Any) -> None:
        """Check that nothing was handed out that must not be."""
        for export in exports:
            target = export.target
            assert not any(target is it for it in self.forbidden.values()), target
            assert not isinstance(
                target, (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType)
            )
            if isinstance(target, type):
                assert (
                    target in self.declared_classes
                    or target.__module__ in ("builtins", "collections")
                    or issubclass(target, BaseException)
                ), target


def _raised() -> BaseException:
    try:
        raise ValueError("x")
    except ValueError as error:
        return error


class Prober:
    """A peer that holds an object of every kind."""

    def __init__(self, **config: Any) -> None:
        self.world = World(bool(config.get("allow_public_attrs")))
        # not on this machine, so that no traceback is told
        self.peer = RawPeer(self.world.service, compress=False, **config)
        root = self.peer.root()
        found = self.peer.ask(HANDLE_CALLATTR, root, "all", (), ())
        self.held: dict[str, Local] = {"service": root}
        for kind, reference in zip(self.world.kinds, found, strict=True):
            assert isinstance(reference, Local), (kind, reference)
            self.held[kind] = reference
        self.more: list[Local] = []

    def ask(self, handler: int, *args: Any) -> None:
        """Send a request, whatever comes of it, and look at what has."""
        number = self.peer.send_request(handler, *args)
        sent = b"".join(self.peer.transport.written)
        for answer in self.peer.received():
            if answer[0] != MSG_REQUEST and answer[1] == number:
                self._keep(answer_of(*answer))
        assert self.world.reached == []
        assert SECRET.encode() not in sent
        assert not self.peer.ended

    def _keep(self, value: Any) -> None:
        if isinstance(value, Local):
            self.more.append(value)
        elif type(value) is tuple:
            for item in value:
                self._keep(item)

    def end(self) -> None:
        """Look at what was handed out, and hang up."""
        self.world.check(self.peer.connection._tables.exports)
        self.peer.connection.connectionLost(Failure(ConnectionDone()))


CONFIGS: dict[str, dict[str, Any]] = {
    "exposed only": {},
    "writable": {"allow_setattr": True, "allow_delattr": True},
    "public": {"allow_public_attrs": True, "allow_setattr": True, "allow_delattr": True},
}


def attempts(obj: Local, name: Any) -> Iterator[tuple[Any, ...]]:
    """Give every way there is to bring a name to an object."""
    yield HANDLE_GETATTR, obj, name
    yield HANDLE_DELATTR, obj, name
    yield HANDLE_SETATTR, obj, name, 1
    yield HANDLE_CALLATTR, obj, name, (), ()
    yield HANDLE_CALLATTR, obj, name, (obj,), (("hidden", obj),)
    yield HANDLE_CALLPATH, obj, (name, name), (), ()
    yield HANDLE_CALLPATH, obj, ("itself", name), None, ()
    yield HANDLE_CMP, obj, obj, name
    yield HANDLE_CMP, obj, name, "__eq__"
    yield HANDLE_OLDSLICING, obj, name, name, 0, None, ()
    yield HANDLE_OLDSLICING, obj, "nothing", name, 0, 1, (obj,)
    yield HANDLE_CALL, obj, (name,), ()
    yield HANDLE_CALL, obj, (), ((name, 1),)
    yield HANDLE_CTXEXIT, obj, name
    yield HANDLE_BUFFITER, obj, 2


# Of the other kinds the switch for public names changes nothing, or opens all there is.
EXACT = ["service", "thing", "class", "interface", "chooser", "restricted", "generator", "function"]


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        *(("writable", kind) for kind in ["service", *World(False).kinds]),
        *(("public", kind) for kind in EXACT),
    ],
)
def test_no_name_by_any_handler_reaches_what_nobody_declared(config: str, kind: str) -> None:
    """Every way to bring a name to an object, with every name there is."""
    prober = Prober(**CONFIGS[config])
    for name in (*PRIVATE, *PUBLIC, *DOORS, *OPERATORS):
        for attempt in attempts(prober.held[kind], name):
            prober.ask(*attempt)
    prober.end()


@pytest.mark.parametrize("config", CONFIGS)
def test_modules_frames_and_undeclared_classes_are_not_handed_out(config: str) -> None:
    """Returned by an exposed method by accident, they are refused with a reason."""
    prober = Prober(**CONFIGS[config])
    for name in prober.world.forbidden:
        answer = prober.peer.ask(HANDLE_CALLATTR, prober.held["service"], name, (), ())
        assert "NotSendable" in answer.name, (name, answer)
        assert "@exposed" in answer.text or "classic mode" in answer.text
        prober.ask(HANDLE_CALLATTR, prober.held["service"], name, (), ())


# -- anything at all


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.just(1 << 70),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.just(...),
    st.just(NotImplemented),
    st.just(slice(0, 1)),
    st.just(frozenset({1})),
)
SOME_NAME = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(NAMES).map(str.encode),
    st.sampled_from(NAMES).map(lambda name: f"exposed_{name}"),
    st.sampled_from(NAMES).map(lambda name: name + "\x00"),
    st.sampled_from(NAMES).map(str.upper),
    st.text(max_size=8),
)


def values(prober: Prober) -> st.SearchStrategy[Any]:
    """Return anything that a peer can send."""
    references = [*prober.held.values(), *prober.more[-20:]]
    leaves = st.one_of(
        st.sampled_from(references),
        st.sampled_from(references).map(lambda it: it.pack),
        SOME_NAME,
        PLAIN,
        st.sampled_from([Remote(("builtins.type", 7, 0)), Remote(("builtins.ValueError", 8, 0))]),
    )
    return st.one_of(leaves, st.recursive(leaves, lambda it: st.lists(it, max_size=3).map(tuple)))


def arguments(prober: Prober, handler: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return arguments that a handler may take, and others."""
    references = [*prober.held.values(), *prober.more[-20:]]
    obj = st.sampled_from(references)
    anything = values(prober)
    args = st.lists(anything, max_size=2).map(tuple)
    named = st.lists(st.tuples(SOME_NAME, anything), max_size=2).map(tuple)
    shapes: dict[int, st.SearchStrategy[tuple[Any, ...]]] = {
        HANDLE_GETATTR: st.tuples(obj, SOME_NAME),
        HANDLE_DELATTR: st.tuples(obj, SOME_NAME),
        HANDLE_SETATTR: st.tuples(obj, SOME_NAME, anything),
        HANDLE_CALL: st.tuples(obj, args, named),
        HANDLE_CALLATTR: st.tuples(obj, SOME_NAME, args, named),
        HANDLE_CALLPATH: st.tuples(
            obj, st.lists(SOME_NAME, max_size=3).map(tuple), st.one_of(st.none(), args), named
        ),
        HANDLE_CMP: st.tuples(obj, anything, SOME_NAME),
        HANDLE_INSPECT: st.tuples(obj.map(lambda it: it.pack)),
        HANDLE_BUFFITER: st.tuples(obj, st.integers(-1, 5)),
        HANDLE_OLDSLICING: st.tuples(obj, SOME_NAME, SOME_NAME, anything, anything, args),
        HANDLE_CTXEXIT: st.tuples(obj, anything),
        HANDLE_INSTANCECHECK: st.tuples(obj, obj.map(lambda it: it.pack)),
    }
    shaped = shapes.get(handler, st.tuples(obj))
    return st.one_of(shaped, shaped, st.lists(anything, max_size=6).map(tuple))


@settings(max_examples=examples(50), deadline=None)
@given(data=st.data())
def test_nothing_undeclared_is_reached_by_any_requests(data: st.DataObject) -> None:
    """Whatever a peer sends, in whatever order, with what it was given before."""
    prober = Prober(**CONFIGS[data.draw(st.sampled_from(sorted(CONFIGS)), "config")])
    for _ in range(data.draw(st.integers(1, 12), "how many")):
        handler = data.draw(st.sampled_from(sorted({*HANDLERS} - {HANDLE_CLOSE})), "handler")
        prober.ask(handler, *data.draw(arguments(prober, handler), "arguments"))
        prober.world.check(prober.peer.connection._tables.exports)
    prober.end()


def test_the_tripwires_work() -> None:
    """In classic mode, which opens everything, they are touched: the tests above see."""
    prober = Prober(access="classic")
    for name in ("_private", "hidden", "__reduce_ex__"):
        with pytest.raises(AssertionError):
            prober.ask(HANDLE_GETATTR, prober.held["thing"], name)
    assert [text.split()[0] for text in prober.world.reached] == [
        "_private",
        "hidden",
        "__reduce_ex__",
    ]
