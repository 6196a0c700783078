"""
Describing an object never touches what a client has left in it: a transparent reference
that stands in a class is a request to its owner when anything is asked of it, and who
describes is the reactor's thread, for every other client.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from zope.interface import Interface, implementer

from tests.peer.pairs import Outcome
from txremote import Service, expose, exposed, threaded
from txremote.config import ConnectionConfig
from txremote.gate.access import AccessPolicy
from txremote.peer.exports import ExportTable
from txremote.refs.netref import BaseNetref, NetrefMethod
from txremote.refs.netref_class import builtin_methods, netref_class
from txremote.testing import connected_pair
from txremote.wire.consts import HANDLE_DIR, HANDLE_HASH, HANDLE_INSPECT, HANDLE_REPR


class Touched(BaseException):
    """What a tripwire raises."""


class Wire:
    """The connection of references that are not to be asked for anything."""

    def __init__(self) -> None:
        self.touched: list[Any] = []

    def _touch(self, *args: Any) -> Any:
        self.touched.append(args)
        raise Touched("a request was made")

    sync_request = sync_call = obtain = _touch


class Reference:
    _pack = ("tests.Thing", 1, 2)
    _connection = None


def tripwire(wire: Wire, name: str, is_class: bool = False) -> Any:
    """Return a transparent reference to an object, or a class, of a name."""
    pack = (name, 1, 0 if is_class else 2)
    methods: Any = builtin_methods(pack)
    if methods is None:
        special = ("__get__", "__call__", "__bool__", "__len__", "__iter__", "__eq__", "__hash__")
        methods = [(method, "text") for method in (*special, "__contains__", "__set_name__", "go")]
    made: Any = netref_class(pack, methods, listed_are_methods=True)
    return made(wire, Reference())


#: What a client may leave: its list, its function, its object, its class, its method.
LEFT: dict[str, Callable[[Wire], Any]] = {
    "a list": lambda wire: tripwire(wire, "builtins.list"),
    "a function": lambda wire: tripwire(wire, "builtins.function"),
    "an object": lambda wire: tripwire(wire, "tests.Thing"),
    "a class": lambda wire: tripwire(wire, "tests.Thing", True),
    "a type": lambda wire: tripwire(wire, "builtins.type", True),
    "a property": lambda wire: tripwire(wire, "builtins.property"),
    "a method": lambda wire: NetrefMethod(tripwire(wire, "tests.Thing"), "go"),
}


def _with_attribute(name: str) -> Callable[[Any], Any]:
    def make(left: Any) -> Any:
        class Holder:
            def exposed_work(self) -> None:
                pass

            def public(self) -> None:
                """Say what it is."""

        setattr(Holder, name, left)
        return Holder()

    return make


def _in_base(left: Any) -> Any:
    class Base:
        pass

    class Holder(Base):
        def exposed_work(self) -> None:
            pass

    Base.exposed_work = Base.work = left  # type: ignore[attr-defined]
    return Holder()


def _in_metaclass(left: Any) -> Any:
    class Meta(type):
        exposed_latest = latest = left

    class Holder(metaclass=Meta):
        exposed_x = left

    return Holder()


def _wrapped(wrap: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def make(left: Any) -> Any:
        class Holder:
            pass

        Holder.exposed_latest = Holder.latest = wrap(left)  # type: ignore[attr-defined]
        return Holder()

    return make


def _function_with(name: str) -> Callable[[Any], Any]:
    def make(left: Any) -> Any:
        class Holder:
            @exposed
            def work(self, given: Any = left) -> None:
                pass

            @exposed
            @threaded
            def elsewhere(self) -> None:
                pass

            def exposed_old(self) -> None:
                pass

        for method in (Holder.work, Holder.exposed_old, Holder.__dict__["elsewhere"]):
            setattr(method, name, left)
        return Holder()

    return make


def _by_itself(left: Any) -> Any:
    class Holder:
        def exposed_work(self) -> None:
            pass

    made = Holder()
    made.exposed_latest = made.work = made.latest = left  # type: ignore[attr-defined]
    return made


def _by_interface(left: Any) -> Any:
    class IHolder(Interface):
        def work() -> None: ...

    expose(IHolder)

    @implementer(IHolder)
    class Holder:
        latest = left

        def work(self) -> None:
            pass

    return Holder()


#: Where it may be left: functions of it that give the object that has it.
PLACES: dict[str, Callable[[Any], Any]] = {
    **{
        f"a class's {name}": _with_attribute(name)
        for name in (
            "latest exposed_latest public exposed_work __doc__ __module__ __call__ __iter__ "
            "__len__ __enter__ __getitem__ __add__ __wrapped__ __signature__ __annotations__ "
            "__exposed__ __providedBy__x __conform__ __slots__ __isabstractmethod__ "
            "__all__ expects_login __reduce__ __index__ __next__ __aiter__ __await__"
        ).split()
    },
    **{
        f"a function's {name}": _function_with(name)
        for name in "__doc__ note __module__ __wrapped__ __signature__ __exposed__".split()
    },
    "a base class": _in_base,
    "a metaclass": _in_metaclass,
    "the object": _by_itself,
    "a class with an interface": _by_interface,
    "a property": _wrapped(property),
    "a cached property": _wrapped(functools.cached_property),
    "a static method": _wrapped(staticmethod),
    "a class method": _wrapped(classmethod),
    "a partial method": _wrapped(functools.partialmethod),
    "a partial": _wrapped(functools.partial),
    "a threaded method": _wrapped(threaded),
    "a list": _wrapped(lambda left: [left]),
}

SWITCHES: list[dict[str, Any]] = [
    {},
    {"allow_public_attrs": True},
    {"allow_all_attrs": True, "allow_setattr": True},
]


def _holders(wire: Wire) -> Iterator[tuple[str, Any]]:
    for what, make in LEFT.items():
        for place, hold in PLACES.items():
            left = make(wire)
            try:
                holder = hold(left)
            except (Touched, TypeError, AttributeError):  # Python itself refuses, or asks
                wire.touched.clear()
                continue
            yield f"{what} in {place}", holder


@pytest.mark.parametrize("switches", SWITCHES)
def test_whatever_stands_in_a_class_its_objects_are_described(switches: dict[str, Any]) -> None:
    wire = Wire()
    policy = AccessPolicy(ConnectionConfig(**switches))
    tried = 0
    for what, holder in _holders(wire):
        exports = ExportTable(100, policy=policy)
        exports.hand_out(holder)
        policy.methods(holder)
        if not switches.get("allow_all_attrs"):
            policy.names(holder)
            for name in ("nothing", "exposed_nothing", "_hidden"):
                with pytest.raises(AttributeError):
                    policy.get(holder, name)
        policy.methods(type(holder))
        if switches.get("allow_all_attrs"):
            exports.hand_out(type(holder))
        elif what.split(" in ")[1] != "a class's __exposed__":
            with pytest.raises(Exception, match="is not exposed"):
                exports.hand_out(type(holder))
        assert not wire.touched, what
        tried += 1
    assert tried > 250


def test_a_service_is_served_whatever_its_clients_have_left_in_it() -> None:
    """To every other client, as if nothing stood there."""
    for what, make in LEFT.items():
        wire = Wire()

        class Shared(Service):
            latest: Any = None

            @exposed
            def ping(self) -> str:
                return "pong"

        Shared.latest = Shared.exposed_latest = make(wire)  # type: ignore[attr-defined]
        pair = connected_pair(server_root=Shared)
        root = pair.client.root
        assert pair.result(root.ping()) == "pong", what
        for handler, args in (
            (HANDLE_INSPECT, (root._pack,)),
            (HANDLE_DIR, (root,)),
            (HANDLE_REPR, (root,)),
            (HANDLE_HASH, (root,)),
        ):
            outcome = Outcome(pair.client.request(handler, *args))
            pair.pump()
            assert outcome.value is not None
        assert not wire.touched, what


def test_the_tripwires_are_what_clients_leave() -> None:
    wire = Wire()
    for make in LEFT.values():
        left = make(wire)
        assert issubclass(type(left), (BaseNetref, NetrefMethod))
        with pytest.raises(Touched):
            repr(left)
        with pytest.raises(Touched):
            left.__dict__


def test_docstrings_are_those_that_inspect_finds() -> None:
    """Of a method's base, too, where it says nothing itself."""
    policy = AccessPolicy(ConnectionConfig(allow_public_attrs=True))
    found = dict(policy.methods(Derived()))
    assert found == {
        **{name: None for name in found if name.startswith("__")},
        "said": "Say it.\n\nAt length.",
        "inherited": "Of the base.",
        "silent": None,
        "odd": None,
        "static": "Static.",
        "lately": "In a thread.",
    }


class Base:
    def inherited(self) -> None:
        """Of the base."""

    def silent(self) -> None:
        pass

    odd = 5


class Derived(Base):
    def said(self) -> None:
        """
        Say it.

        At length.
        """

    def inherited(self) -> None:
        pass

    def silent(self) -> None:
        pass

    def odd(self) -> None:  # type: ignore[override]
        pass

    @staticmethod
    def static() -> None:
        """Static."""

    @threaded
    def lately(self) -> None:
        """In a thread."""
