"""
An attribute that is read is what RPyC says it is, whatever its class has for it.

What a class has for a name may be a method or any other descriptor, and an object may
have something else by itself. Every kind is looked at over each pair of the libraries.
"""

from __future__ import annotations

import functools
import types
from typing import Any

from tests.blocking.script_threads import scripted
from tests.interop.pairs import Pairs, told
from txremote import exposed


class Field:
    """Like Django's DeferredAttribute: no data descriptor, and the value is the object's."""

    def __init__(self, value: Any = 3) -> None:
        self.value = value

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else self.value


class Missing:
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        raise AttributeError("nothing yet")


class Failing:
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        raise ValueError("broken")


class CalledField(Field):
    """A descriptor that can be called, and gives a value."""

    def __call__(self) -> str:
        return "the descriptor"


class Bound:
    """A decorator's object: called, and bound as a function is."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return functools.partial(self.function, instance)

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)


class Both(Field):
    """A data descriptor."""

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError("as it is")


class Answering:
    """Something to call that is not bound."""

    @exposed
    def __call__(self, *args: Any) -> str:
        return f"called with {len(args)}"


def method(self: Any, *args: Any) -> str:
    """Say what it is."""
    return f"method of {len(args)}"


def _chained() -> Any:
    return classmethod(property(lambda cls: 8))  # type: ignore[arg-type]  # until 3.13


ATTRIBUTES: dict[str, Any] = {
    "function": lambda: method,
    "lambda": lambda: lambda self, *args: 1,
    "builtin": lambda: len,
    "method_descriptor": lambda: object.__sizeof__,
    "wrapper_descriptor": lambda: object.__ne__,
    "bound_method": lambda: "text".upper,
    "static": lambda: staticmethod(lambda *args: len(args)),
    "of_the_class": lambda: classmethod(lambda cls, *args: cls.__name__),
    "of_the_class_a_property": _chained,
    "partialmethod": lambda: functools.partialmethod(method, 1),
    "singledispatchmethod": lambda: functools.singledispatchmethod(method),
    "lru_cache": lambda: functools.lru_cache(method),
    "partial": lambda: functools.partial(len, "four"),
    "bound": lambda: Bound(method),
    "callable": Answering,
    "a_class": lambda: Answering,
    "property": lambda: property(lambda self: 4),
    "cached_property": lambda: functools.cached_property(lambda self: 5),
    "cached_none": lambda: functools.cached_property(lambda self: None),
    "cached_method": lambda: functools.cached_property(lambda self: lambda *args: len(args)),
    "cached_list": lambda: functools.cached_property(lambda self: [1]),
    "field": Field,
    "text": lambda: Field("text"),
    "no_value": lambda: Field(None),
    "called_field": CalledField,
    "static_field": lambda: staticmethod(Field()),  # type: ignore[arg-type]
    "missing": Missing,
    "both": Both,
    "dynamic": lambda: types.DynamicClassAttribute(lambda self: 6),
    "value": lambda: 7,
    "none": lambda: None,
}

#: What an object may have where its class has a method.
HIDING: dict[str, Any] = {
    "value": lambda: 3,
    "none": lambda: None,
    "text": lambda: "text",
    "function": lambda: lambda *args: "its own",
    "list": lambda: [1],
}


def _own(value: Any) -> Any:
    """Return an object that has something by itself for its class's three methods."""
    kind = type("Own", (), {"thing": method, "exposed_thing": method, "exposed_other": method})
    made = kind()
    made.thing = made.exposed_thing = made.other = value  # type: ignore[attr-defined]
    return made


def _with(value: Any) -> Any:
    """Return an object whose class has something under a public and an exposed name."""
    body = {"thing": value(), "exposed_thing": value(), "exposed_other": value(), "other": 9}
    kind = type("Thing", (), body)
    for name, found in body.items():
        if hasattr(found, "__set_name__"):
            found.__set_name__(kind, name)
    return kind()


class Failed:
    thing = exposed_thing = exposed_other = other = Failing()


class Loud:
    """One that decides itself what its names are."""

    def thing(self) -> None:
        """Not what is read."""

    exposed_thing = exposed_other = other = thing

    def __getattribute__(self, name: str) -> Any:
        return 11 if "thing" in name or "other" in name else super().__getattribute__(name)


class Guarded:
    """One that decides it as RPyC lets it."""

    def thing(self) -> None:
        """Not what is read."""

    exposed_thing = exposed_other = other = thing

    def _rpyc_getattr(self, name: str) -> Any:
        return 12


MAKES: dict[str, Any] = {
    **{f"class's {name}": functools.partial(_with, make) for name, make in ATTRIBUTES.items()},
    **{f"own {name}": (lambda make=make: _own(make())) for name, make in HIDING.items()},
    "class's failing": Failed,
    "object of a class that decides": Loud,
    "object of a class that decides for peers": Guarded,
}


def read(obj: Any) -> list[str]:
    """Read and call the names of an object in all ways there are in Python."""
    args = ("a",)
    name = "thing"
    return [
        told(lambda: obj.thing),
        told(lambda: obj.exposed_thing),
        told(lambda: obj.other),
        told(lambda: obj.exposed_other),
        told(lambda: getattr(obj, name)),
        told(lambda: getattr(obj, name, "default")),
        told(lambda: (hasattr(obj, "thing"), hasattr(obj, "nothing"))),
        told(lambda: obj.thing == 3),
        told(lambda: obj.thing is None),
        told(lambda: bool(obj.thing)),
        # RPyC's netrefs of lists can be called, as far as callable() knows
        told(lambda: isinstance(obj.thing, list) or callable(obj.thing)),
        told(lambda: isinstance(obj.thing, (int, str))),
        told(lambda: {3: "x"}.get(obj.thing)),
        told(lambda: [obj.thing, 1][1]),
        told(lambda: obj.thing()),
        told(lambda: obj.exposed_thing()),
        told(lambda: obj.other("a")),
        told(lambda: obj.thing(*args)),
        told(lambda: getattr(obj, name)()),
        told(lambda: obj.nothing()),
    ]


@scripted
def test_every_kind_of_attribute_is_read_as_rpyc_reads_it() -> None:
    """Of a class and of an object alone, over each pair, whosever the object is."""
    wrong, tried = [], 0
    with Pairs(
        MAKES, {"read": lambda obj: tuple(read(obj))}, {"allow_public_attrs": True}
    ) as pairs:
        for make in MAKES:
            for way, seen, wanted in pairs.ways(make, "read"):
                tried += len(wanted)
                if seen != wanted:
                    wrong.append(f"{way}: {seen} where RPyC has {wanted}")
    assert "\n".join(wrong) == ""
    assert tried > 4000
