"""
Functions of classes: they work on objects of their class, and go round nothing.

The search asks every way there is to read a function from a class, of every kind of
function, and calls it with every kind of object.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from zope.interface import Interface, classImplements, directlyProvides

from tests.peer.pairs import Local, RawPeer
from txremote import ConnectionConfig, Service, expose, exposed, threaded
from txremote.gate.access import AccessPolicy
from txremote.gate.unbound import ClassFunctions, is_of_peer
from txremote.wire.consts import (
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CTXEXIT,
    HANDLE_GETATTR,
    HANDLE_OLDSLICING,
)

SECRET = "the-combination-of-the-safe"


def given(kind: type, name: str) -> Any:
    """Return what a class gives where every object may be read."""
    return ClassFunctions(getattr).given(kind, name, getattr(kind, name))


class Point:
    def __init__(self, value: int = 0) -> None:
        self._value = value

    def get(self, *args: Any) -> Any:
        """Give the value."""
        return self._value, *args

    @staticmethod
    def apart(other: Any) -> Any:
        return other

    @classmethod
    def make(cls, other: Any) -> Any:
        return cls, other

    @property
    def value(self) -> int:
        return self._value

    threaded_static = threaded(staticmethod(apart))
    constant = 3
    Other = dict
    length = len


class Derived(Point):
    pass


class Overriding(Point):
    def get(self, *args: Any) -> Any:
        return "overridden"


class Vault:
    def __init__(self) -> None:
        self._value = SECRET

    def value_of(self) -> str:
        return self._value


def test_objects_of_the_class_and_of_its_subclasses_are_taken() -> None:
    """As Python takes them."""
    get = given(Point, "get")
    assert get(Point(1)) == (1,)
    assert get(Derived(2), 3) == (2, 3)
    assert get(self=Point(4)) == (4,)
    assert (get.__name__, get.__doc__) == ("get", "Give the value.")


def test_other_objects_are_refused_by_place_and_by_name() -> None:
    """The sentence says what a function needs that is for others too."""
    get = given(Point, "get")
    sentence = "Point.get is for objects of Point, not for one of Vault .* @staticmethod"
    for args, kwargs in (
        ((Vault(),), {}),
        ((), {"self": Vault()}),
        ((), {"other": Vault()}),
        (((Vault(),),), {}),
    ):
        with pytest.raises(TypeError, match=sentence if not args or args[0] is Vault else "Point"):
            get(*args, **kwargs)
    with pytest.raises(TypeError, match="missing 1 required"):
        get()
    assert get(Point(1), Vault)[1] is Vault  # an argument as any other


def test_an_override_is_not_gone_round() -> None:
    """Neither a class's nor an object's own."""
    get = given(Point, "get")
    with pytest.raises(TypeError, match="Overriding overrides get: call it on the object itself"):
        get(Overriding())
    own: Any = Point()
    own.get = lambda: "its own"
    with pytest.raises(TypeError, match="overrides get"):
        get(own)

    class Guarded(dict[str, int]):
        def __getitem__(self, key: str) -> int:
            raise KeyError(key)

    with pytest.raises(TypeError, match="Guarded overrides __getitem__"):
        given(dict, "__getitem__")(Guarded(a=1), "a")
    assert given(dict, "__getitem__")({"a": 1}, "a") == 1
    assert given(dict, "__len__")(Guarded(a=1)) == 1


def test_what_the_peer_may_not_read_of_the_object_it_may_not_read_by_the_class() -> None:
    """The object is asked for the name as the peer would."""

    def read(obj: Any, name: str) -> None:
        raise AttributeError(f"no {name}")

    with pytest.raises(AttributeError, match="no get"):
        ClassFunctions(read).given(Point, "get", Point.get)(Point())


def test_values_are_the_peers_own() -> None:
    """A class may be a place for functions that know of no object, as with RPyC."""

    class Sums:
        def add(a: int, b: int) -> int:  # type: ignore[misc]
            return a + b

    assert given(Sums, "add")(3, 4) == 7
    assert is_of_peer((1, ("a", None)))
    assert is_of_peer(frozenset({1}))
    for ours in (Vault(), Vault, [], (1, []), frozenset({Vault()})):
        assert not is_of_peer(ours)


def test_what_takes_no_object_is_given_as_it_is() -> None:
    """Static and class methods, classes, values, and what is no descriptor."""
    vault = Vault()
    assert given(Point, "apart")(vault) is vault
    assert given(Point, "make")(vault) == (Point, vault)
    assert given(Derived, "make")(vault) == (Derived, vault)
    assert given(Point, "threaded_static").function(vault) is vault
    assert given(Point, "Other") is dict
    assert given(Point, "length") is len
    assert given(Point, "constant") == 3
    assert given(Point, "value") is Point.value
    assert given(dict, "fromkeys")([vault]) == {vault: None}
    assert given(Point, "mro")() == [Point, object]  # of the metaclass


def test_a_function_that_is_read_twice_is_the_same() -> None:
    """Until the class has another one."""

    class Late:
        def get(self) -> int:
            return 1

    functions = ClassFunctions(getattr)
    first = functions.given(Late, "get", Late.get)
    assert functions.given(Late, "get", Late.get) is first
    Late.get = lambda self: 2  # type: ignore[method-assign]
    again = functions.given(Late, "get", Late.get)
    assert again is not first
    assert again(Late()) == 2


def test_classes_made_anew_do_not_pile_up() -> None:
    """What is kept is bounded."""
    functions = ClassFunctions(getattr)
    for _ in range(1500):
        kind = type("Fresh", (Point,), {})
        functions.given(kind, "get", kind.get)
    assert len(functions._known) <= 1000


def test_an_operator_of_a_class_costs_no_more_than_one_of_an_object() -> None:
    """``list.__mul__(items, 10**9)`` makes as many items."""
    with pytest.raises(ValueError, match="more than 1000000 items by one call"):
        given(list, "__mul__")([1], 10**9)
    with pytest.raises(ValueError, match="bits by one call"):
        given(int, "__pow__")(10, 10**9)
    with pytest.raises(ValueError, match="more than 1000000 items by one call"):
        given(dict, "fromkeys")(itertools.count())
    assert given(list, "__mul__")([1], 3) == [1, 1, 1]


def test_classic_mode_gives_pythons_own_function() -> None:
    """It opens everything on purpose."""
    assert AccessPolicy(ConnectionConfig.preset("classic")).get(Point, "get") is Point.get


# -- the search


class IOpen(Interface):
    """Opened; it declares nothing of what the classes below have."""

    def hello() -> str:
        """Nothing of them."""


expose(IOpen)


def peek(self: Any, *_args: Any) -> Any:
    """Read what is private in its own class."""
    return self._value


def index(self: Any, key: Any) -> Any:
    """Do the same, and end where it is iterated over."""
    if type(key) is int:
        raise IndexError(key)
    return self._value


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Descriptor:
    """A decorator written as a class."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.function if instance is None else functools.partial(self.function, instance)


def functions() -> dict[str, Any]:
    """Return every kind of class attribute that works on an object."""
    return {
        "function": lambda self, *_: self._value,
        "wrapped": _wrapped(peek),
        "cached": functools.lru_cache(peek),
        "single": functools.singledispatchmethod(peek),
        "dispatch": functools.singledispatch(peek),
        "partial": functools.partialmethod(peek, 1),
        "threaded": threaded(peek),
        "marked": exposed(peek),
        "descriptor": Descriptor(peek),
        "property": property(peek),
        "cached_property": functools.cached_property(peek),
        "operator": dict.__getitem__,
        "view": dict.items,
        "representation": dict.__or__,
    }


class Shop:
    """A service with classes that have every kind of function, and objects of all kinds."""

    def __init__(self) -> None:
        body = {f"exposed_{name}": it for name, it in functions().items()}
        body |= {f"public_{name}": it for name, it in functions().items()}
        special = {"__enter__": peek, "__exit__": peek, "__getitem__": index, "__add__": peek}

        def init(self: Any, *args: Any) -> None:
            self._value = SECRET

        plain = type("Plain", (), {**body, **special, "__init__": init})
        self.classes = {"Plain": plain, "dict": dict}
        hidden = type("Hidden", (), {"__init__": init})

        class Guarded(dict[str, str]):
            """Overrides what the peer can reach by itself."""

            def __getitem__(self, key: str) -> str:
                raise KeyError(key)

            __iter__ = __or__ = __ror__ = items = values = get = pop = None  # type: ignore
            popitem = setdefault = copy = None  # type: ignore

            def __repr__(self) -> str:
                return "Guarded"

        shut = {f"exposed_{name}": None for name in functions()}
        shut |= {f"public_{name}": None for name in functions()}
        overriding = type("Overriding", (plain,), {**shut, **dict.fromkeys(special)})
        narrowed = plain()
        directlyProvides(narrowed, IOpen)
        implementing = type("Implementing", (plain,), {})
        classImplements(implementing, IOpen)
        choosing = type("Choosing", (plain,), {"_rpyc_getattr": _refuse})
        self.objects = {
            "hidden": hidden(),
            "guarded": Guarded(private=SECRET),
            "overriding": overriding(),
            "narrowed": narrowed,
            "implementing": implementing(),
            "choosing": choosing(),
        }
        self.service = Service()
        service: Any = self.service
        for name, kind in self.classes.items():
            setattr(service, f"exposed_{name}", kind)
        service.exposed_item = plain()
        service.exposed_item._value = "its own"
        service.exposed_objects = lambda: tuple(self.objects.values())


def _refuse(_self: Any, name: str) -> Any:
    raise AttributeError(name)


PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "exposed": ("exposed_", {}),
    "public": ("public_", {"allow_public_attrs": True}),
}
#: What a descriptor that was read leads to, by names that are public.
INNER = ["fget", "fset", "func", "function", "dispatcher", "args", "registry", "dispatch"]
NAMES = [
    *("__getitem__", "__or__", "__ror__", "__enter__", "__exit__", "__add__", "__iter__", "get"),
    *("items", "values", "copy", "pop", "popitem", "setdefault", "fromkeys", "update"),
]


def readings(cls: Local, name: str, obj: Local) -> Iterator[tuple[Any, ...]]:
    """Give every request that has a function of a class work on an object."""
    for args in ((obj,), (obj, "private"), (obj, obj)):
        yield HANDLE_CALLATTR, cls, name, args, ()
    yield HANDLE_CALLPATH, cls, (name,), (obj,), ()
    for inner in INNER:
        yield HANDLE_CALLPATH, cls, (name, inner), (obj,), ()
    yield HANDLE_CALLATTR, cls, name, (), (("self", obj),)
    yield HANDLE_CALLPATH, cls, (name,), (), (("self", obj),)
    yield HANDLE_OLDSLICING, cls, name, name, obj, None, (obj,)
    yield HANDLE_CTXEXIT, cls, obj


@pytest.mark.parametrize("preset", PRESETS)
def test_no_function_of_a_class_tells_what_an_object_hides(preset: str) -> None:
    """However it is read, and however it is called."""
    shop = Shop()
    prefix, config = PRESETS[preset]
    peer = RawPeer(shop.service, compress=False, **config)
    root = peer.root()
    objects = peer.ask(HANDLE_CALLATTR, root, "objects", (), ())
    tried = 0

    def ask(*request: Any) -> Any:
        nonlocal tried
        tried += 1
        answer = peer.ask(*request)
        assert SECRET not in repr(answer), request
        return answer

    for kind in (*shop.classes, "item"):
        cls = peer.ask(HANDLE_GETATTR, root, kind)
        for obj in objects:
            for name in (*NAMES, *(prefix + name for name in functions())):
                for request in readings(cls, name, obj):
                    ask(*request)
                for function in _functions(ask, cls, name):
                    for args in ((obj,), (obj, "private")):
                        ask(HANDLE_CALL, function, args, ())
                    ask(HANDLE_CALL, function, (), (("self", obj),))
    print(f"{tried} requests")
    assert tried > 10_000


def _functions(ask: Any, cls: Local, name: str) -> Iterator[Local]:
    """Give what reading a name of a class gives, and what that leads to."""
    found = ask(HANDLE_GETATTR, cls, name)
    if isinstance(found, Local):
        yield found
        for inner in INNER:
            more = ask(HANDLE_GETATTR, found, inner)
            if isinstance(more, Local):
                yield more


def test_the_search_sees_what_it_looks_for() -> None:
    """In classic mode, where functions of classes are Python's own."""
    shop = Shop()
    peer = RawPeer(shop.service, compress=False, access="classic")
    root = peer.root()
    (hidden, *_) = peer.ask(HANDLE_CALLATTR, root, "exposed_objects", (), ())
    cls = peer.ask(HANDLE_GETATTR, root, "exposed_Plain")
    assert peer.ask(HANDLE_CALLATTR, cls, "exposed_function", (hidden,), ()) == SECRET
