"""
Objects and exceptions that make trouble when somebody looks at them, and services that
give them away by every way there is.

Not a test file.
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed

from txremote import Service, exposed, threaded

#: What a class's code raises: an error, and what `except Exception` lets pass. (Tried
#: with GeneratorExit, CancelledError, AttributeError, RecursionError and StopIteration, too.)
RAISED: list[type[BaseException]] = [RuntimeError, KeyboardInterrupt]

_LOOKED_AT = ("__class__", "__dict__", "__providedBy__", "__provides__", "__conform__", "args")
_CALLED = ("__repr__", "__str__", "__dir__", "__hash__", "__bool__", "__len__", "__format__")
_OF_ERRORS = ("__traceback__", "__cause__", "__context__", "__notes__", "__suppress_context__")
_OF_A_CLASS = ("__module__", "__name__", "__mro__", "__doc__", "__flags__")


def _raising(error: type[BaseException]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise error("as it was made to")

    return method


def _classes(bases: tuple[type, ...]) -> Iterator[tuple[str, Callable[[], type]]]:
    """Give classes that make trouble, by what is wrong with them."""
    names = (*_LOOKED_AT, *(_OF_ERRORS if issubclass(bases[0], BaseException) else ()))
    for error in RAISED:
        raising = _raising(error)
        for name in names:
            yield (
                f"{name} raises {error.__name__}",
                lambda name=name, raising=raising: type("Bad", bases, {name: property(raising)}),
            )
        for name in _CALLED:
            yield (
                f"{name}() raises {error.__name__}",
                lambda name=name, raising=raising: type("Bad", bases, {name: raising}),
            )
        yield (
            f"every attribute raises {error.__name__}",
            lambda raising=raising: type("Bad", bases, {"__getattribute__": raising}),
        )
        yield (
            f"what is not there raises {error.__name__}",
            lambda raising=raising: type("Bad", bases, {"__getattr__": raising}),
        )
        for name in _OF_A_CLASS:
            meta = type("Meta", (type,), {name: property(raising)})
            yield (
                f"the class's {name} raises {error.__name__}",
                lambda meta=meta: meta("B", bases, {}),
            )
        meta = type("Meta", (type,), {"__getattribute__": raising})
        yield f"all of the class raises {error.__name__}", lambda meta=meta: meta("B", bases, {})
        meta = type("Meta", (type,), {"__hash__": raising, "__eq__": raising})
        yield f"the class's hash raises {error.__name__}", lambda meta=meta: meta("B", bases, {})
        inner = type("Inner", (), {"__class__": property(raising), "__doc__": property(raising)})
        yield (
            f"an attribute of the class raises {error.__name__}",
            lambda inner=inner: type("Bad", bases, {"exposed_x": inner(), "__call__": inner()}),
        )
    yield "no module", lambda: eval("type('Bad', bases, {})", {"type": type, "bases": bases})
    yield "a module that is no text", lambda: type("Bad", bases, {"__module__": 5})
    yield "a module that is an object", lambda: type("Bad", bases, {"__module__": object()})
    yield "a long name", lambda: type("Bad" * 1000, bases, {})
    yield "an empty name", lambda: type("", bases, {})

    class Text(str):
        __str__ = __format__ = __getitem__ = encode = _raising(RuntimeError)  # type: ignore[assignment]

    yield "a name that raises", lambda: type(Text("Bad"), bases, {})
    yield "a repr that is no str", lambda: type("Bad", bases, {"__repr__": lambda self: 5})
    yield "a repr that raises when cut", lambda: type("B", bases, {"__repr__": lambda s: Text("x")})
    yield "a str that raises when cut", lambda: type("B", bases, {"__str__": lambda s: Text("x")})
    yield "a repr without end", lambda: type("B", bases, {"__repr__": lambda self: repr(self)})
    yield "a class that is another's", lambda: type("B", bases, {"__class__": Deferred})


def _module() -> Any:
    kind = type("Odd", (types.ModuleType,), {"__getattribute__": _raising(RuntimeError)})
    return kind("odd")


def _deep() -> Any:
    value: Any = ()
    for _ in range(5000):
        value = (value,)
    return value


_VALUES: dict[str, Callable[[], Any]] = {
    "an odd module": _module,
    "a deep tuple": _deep,
    "a huge int": lambda: 10**10_000,
    "a surrogate": lambda: "\ud800",
    "a Deferred in a tuple": lambda: (Deferred(),),
    "an odd class": lambda: type("Meta", (type,), {"__module__": property(_raising(OSError))})(
        "exposed_odd", (), {}
    ),
    "a frame": lambda: sys._getframe(),
}

#: Makers of objects, by what is wrong with them.
OBJECTS: dict[str, Callable[[], Any]] = {
    **{what: lambda make=make: make()() for what, make in _classes((object,))},
    **_VALUES,
}

#: Makers of exceptions, by what is wrong with them.
ERRORS: dict[str, Callable[[], BaseException]] = {
    **{what: lambda make=make: make()("x") for what, make in _classes((Exception,))},
    **{
        f"among the arguments: {what}": lambda make=make: ValueError(make())
        for what, make in OBJECTS.items()
    },
}


class Zoo(Service):
    """
    Gives objects and raises exceptions, each in many ways.

    Attributes:
        gate: What the ways that take time wait for.
    """

    def __init__(self) -> None:
        self.gate: Deferred[None] = Deferred()

    def _make(self, what: str, kind: str) -> Any:
        if kind == "object":
            return OBJECTS[what]()
        raise ERRORS[what]()

    def _later(self) -> Deferred[None]:
        mine: Deferred[None] = Deferred()
        self.gate.addCallback(lambda _none: mine.callback(None))
        return mine

    @exposed
    def plainly(self, what: str, kind: str) -> Any:
        return self._make(what, kind)

    @exposed
    def in_a_tuple(self, what: str, kind: str) -> Any:
        return (1, (self._make(what, kind), "x"), [])

    @exposed
    async def by_a_coroutine(self, what: str, kind: str) -> Any:
        return self._make(what, kind)

    @exposed
    async def by_a_late_coroutine(self, what: str, kind: str) -> Any:
        await self._later()
        return self._make(what, kind)

    @exposed
    @threaded
    def by_a_thread(self, what: str, kind: str) -> Any:
        return self._make(what, kind)

    @exposed
    def by_a_generator(self, what: str, kind: str) -> Any:
        yield 1
        yield self._make(what, kind)

    @exposed
    async def by_an_async_generator(self, what: str, kind: str) -> AsyncIterator[Any]:
        yield 1
        yield self._make(what, kind)

    # Where Twisted itself looks at what passes. An exception that it cannot look at,
    # and an object whose class cannot be hashed, stop its chain of callbacks for good:
    # these are not tried.

    @exposed
    def by_a_deferred(self, what: str, kind: str) -> Any:
        if kind == "object":
            return succeed(self._make(what, kind))
        return fail(ERRORS[what]())

    @exposed
    def by_a_late_deferred(self, what: str, kind: str) -> Any:
        return self._later().addCallback(lambda _none: self._make(what, kind))

    @exposed
    @inlineCallbacks
    def by_late_inline_callbacks(self, what: str, kind: str) -> Any:
        yield self._later()
        return self._make(what, kind)


#: The ways that a call can be answered in.
WAYS = [name for name, found in vars(Zoo).items() if not name.startswith("_")]
#: Those in which a Deferred of the method's own passes what it gives.
BY_TWISTED = [name for name in WAYS if "deferred" in name or "inline" in name]


def is_tried(way: str, what: str, kind: str) -> bool:
    """Tell whether Twisted lets a thing of the zoo pass."""
    unhashable = "the class's hash" in what or "all of the class" in what
    return way not in BY_TWISTED or (kind == "object" and not unhashable)
