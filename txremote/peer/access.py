"""
The gate: what a peer may do with an object of ours.

Every handler that touches an object asks here first, a comparison, a context
exit and a hash included: RPyC's two security advisories were about handlers
that went around its gate. The rules, in the order in which they are asked:

1. Only a *reference* can be worked on. A value that the peer sent along, say a
   str on which it wants ``__mod__``, is no object of ours.
2. A type with ``_rpyc_getattr`` (or ``_rpyc_setattr``, ``_rpyc_delattr``)
   decides for itself, as in RPyC; `restricted` is built on that.
3. The kind of access must be switched on (``allow_getattr``...).
4. Builtin containers, iterators and generators have a fixed table of names.
5. Otherwise a name is reachable if it is exposed, by the prefix or by
   `exposed`, if it is one of the safe operators, or if a switch opens more.

What reads as a leak is closed here too: the default repr and hash of an object
are made of its export number, and no repr carries a memory address.
"""

from __future__ import annotations

import collections
import inspect
import itertools
import types
from collections.abc import Iterator
from typing import Any

from txremote.peer.config import ConnectionConfig
from txremote.wire.brine import dumpable
from txremote.wire.exceptions import without_addresses

COMPARISONS = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})

# The mark that `exposed` leaves; RPyC's own decorator leaves the same.
EXPOSED_MARK = "__exposed__"

_BY_VALUE = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        tuple,
        type(Ellipsis),
        type(NotImplemented),
    }
)

# These go by reference where they hold something that brine does not carry.
_MAYBE_BY_VALUE = frozenset({frozenset, slice})


def _public(kind: type, *without: str) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if not name.startswith("_") and name not in without)


_ITERATORS = [
    iter([]),
    reversed([]),
    iter(()),
    iter(""),
    iter(b""),
    iter(bytearray()),
    iter({}),
    iter({}.values()),
    iter({}.items()),
    reversed({}),
    reversed({}.values()),
    reversed({}.items()),
    iter(set()),
    iter(range(0)),
    iter(range(1 << 70)),
    iter(collections.deque()),
    reversed(collections.deque()),
    zip(),
    map(str, ()),
    filter(None, ()),
    enumerate(()),
    itertools.chain(),
    itertools.islice((), 0),
    itertools.count(),
    itertools.cycle(()),
    itertools.repeat(0),
]

# No other public name of these types is reachable, whatever the switches for
# public names say: gi_frame leads to every global of the program.
_CLOSED: dict[type, frozenset[str]] = {
    types.GeneratorType: frozenset({"send", "throw", "close"}),
    types.AsyncGeneratorType: frozenset({"__aiter__", "__anext__", "asend", "athrow", "aclose"}),
    types.CoroutineType: frozenset(),
    types.FrameType: frozenset(),
    types.TracebackType: frozenset(),
    types.CodeType: frozenset(),
    **{type(iterator): frozenset() for iterator in _ITERATORS},
}

_CONTAINERS: dict[type, frozenset[str]] = {
    list: _public(list),
    dict: _public(dict),
    set: _public(set),
    frozenset: _public(frozenset),
    collections.deque: _public(collections.deque),
    bytearray: _public(bytearray),
    collections.OrderedDict: _public(collections.OrderedDict),
    # whose factory is no method, and may be anything
    collections.defaultdict: _public(collections.defaultdict, "default_factory"),
    collections.Counter: _public(collections.Counter),
    type({}.keys()): _public(type({}.keys()), "mapping"),
    type({}.values()): _public(type({}.values()), "mapping"),
    type({}.items()): _public(type({}.items()), "mapping"),
    range: _public(range),
}

# b"%r" % (object,) would print an address
_DENIED = frozenset({"__mod__", "__rmod__"})

#: Most items or bytes that a repetition or a padding may make for a peer.
MOST_MADE = 1_000_000
_REPEATS = frozenset({"__mul__", "__rmul__", "__imul__"})
_PADS = frozenset({"ljust", "rjust", "center", "zfill"})
_SEARCHES = frozenset({"count", "index", "__contains__"})
#: Names of methods that `AccessPolicy.measured` looks after.
COSTLY = _REPEATS | _PADS | _SEARCHES

_LONGEST_TOLD = 100  # characters of a name that an error repeats

# Classes may be made anew for every call, so what is kept about them is bounded.
_MOST_REMEMBERED = 1000

_ADDRESS_HASHES = frozenset(
    {
        object.__hash__,
        types.MethodType.__hash__,
        types.BuiltinFunctionType.__hash__,
        types.MethodWrapperType.__hash__,
    }
)


def is_exposed(value: Any) -> bool:
    """
    Tell whether a class attribute, as it stands in ``__dict__``, is marked.
    """
    # In __dict__, for neither a subclass nor an instance of a class that has the
    # mark is meant by it.
    if EXPOSED_MARK in getattr(value, "__dict__", ()):
        return True
    kind = type(value)
    if issubclass(kind, property):
        return value.fget is not None and is_exposed(value.fget)
    if kind is staticmethod or kind is classmethod:
        return is_exposed(value.__func__)
    return False


def _is_class(obj: Any) -> bool:
    # isinstance() would read __class__, which a transparent proxy may fetch
    return issubclass(type(obj), type)


def _static(obj: Any, name: str) -> Any:
    """
    Return what a name is bound to in an object's class, without running code.
    """
    if _is_class(obj):
        for base in obj.__mro__:
            if name in base.__dict__:
                return base.__dict__[name]
    for base in type(obj).__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


class AccessPolicy:
    """
    Decides what a peer may reach. One serves all connections of a listener.

    Args:
        config: The switches.
    """

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._prefix = config.exposed_prefix if config.allow_exposed_attrs else ""
        self._safe = config.safe_attrs if config.allow_safe_attrs else frozenset()
        self._methods: dict[type, dict[str, str]] = {}

    # -- attributes

    def get(self, obj: Any, name: Any) -> Any:
        """
        Read an attribute for the peer.

        Raises:
            AttributeError: it is not there, or not for the peer.
            TypeError: the name is no str, or the object no reference.
        """
        name = self._asked(obj, name)
        kind = type(obj)
        known = self._methods.get(kind)
        if known is not None and name in known:
            return getattr(obj, known[name])
        override = getattr(kind, "_rpyc_getattr", None)
        if override is not None:
            return override(obj, name)
        reachable = self._reachable(obj, name, self._config.allow_getattr, "getattr")
        self._remember(kind, name, reachable)
        return getattr(obj, reachable)

    def _remember(self, kind: type, name: str, reachable: str) -> None:
        """
        Keep the verdict on a method that a class defines: no object of it can
        change that. Names that a peer makes up are never kept.
        """
        if issubclass(kind, type):
            return  # what was found may be the class's own, and not the metaclass's
        for base in kind.__mro__:
            if reachable in base.__dict__:
                if type(base.__dict__[reachable]) is types.FunctionType:
                    if len(self._methods) >= _MOST_REMEMBERED:
                        self._methods.clear()
                    self._methods.setdefault(kind, {})[name] = reachable
                return

    def set(self, obj: Any, name: Any, value: Any) -> None:
        """
        Set an attribute for the peer. Raises as `get` does.
        """
        name = self._asked(obj, name)
        override = getattr(type(obj), "_rpyc_setattr", None)
        if override is not None:
            override(obj, name, value)
        else:
            setattr(obj, self._reachable(obj, name, self._config.allow_setattr, "setattr"), value)

    def delete(self, obj: Any, name: Any) -> None:
        """
        Delete an attribute for the peer. Raises as `get` does.
        """
        name = self._asked(obj, name)
        override = getattr(type(obj), "_rpyc_delattr", None)
        if override is not None:
            override(obj, name)
        else:
            delattr(obj, self._reachable(obj, name, self._config.allow_delattr, "delattr"))

    def _asked(self, obj: Any, name: Any) -> str:
        self.check_reference(obj)
        if type(name) is str:
            return name
        if type(name) is bytes:
            try:
                return name.decode()
            except UnicodeDecodeError:
                raise AttributeError(f"a name that is no UTF-8: {name!r}") from None
        raise TypeError(f"an attribute's name is a str, not {type(name).__name__}")

    def check_reference(self, obj: Any) -> None:
        """
        Check that the object is one of ours, not a value that was sent along.

        Raises:
            TypeError: it is a value.
        """
        kind = type(obj)
        if kind in _BY_VALUE or (kind in _MAYBE_BY_VALUE and dumpable(obj)):
            raise TypeError(f"a {type(obj).__name__} by value is no reference to an object here")

    def _plain(self, obj: Any, name: str) -> bool:
        """
        Tell whether a name is reachable as it stands.
        """
        config = self._config
        if config.allow_all_attrs:
            return True
        kind = type(obj)
        if name in _DENIED and issubclass(kind, (bytes, bytearray, str)):
            return False
        if name in self._safe:
            return True
        closed = _CLOSED.get(kind)
        if closed is not None:
            return name in closed
        table = _CONTAINERS.get(kind)
        if table is not None and name in table:
            return True
        if config.allow_public_attrs and not name.startswith("_"):
            return True
        if self._prefix:
            return name.startswith(self._prefix) or is_exposed(_static(obj, name))
        return False

    def _reachable(self, obj: Any, name: str, allowed: bool, switch: str) -> str:
        """
        Return the attribute that a name asked for stands for (rpyc 6.0.2
        ``Connection._check_attr``).
        """
        if not allowed:
            raise AttributeError(f"cannot access {name!r}: allow_{switch} is off")
        plain = self._plain(obj, name)
        prefix = self._prefix
        if not prefix:
            if plain:
                return name
            raise self._refusal(obj, name)
        prefixed = prefix + name
        has_prefixed = _static(obj, prefixed) is not None or hasattr(obj, prefixed)
        if plain and not has_prefixed:
            if name.startswith(prefix):
                # exposed_add, where the method is add and has the mark
                short = name[len(prefix) :]
                if _static(obj, name) is None and is_exposed(_static(obj, short)):
                    return short
            return name
        if has_prefixed:
            return name if plain and hasattr(obj, name) else prefixed
        raise self._refusal(obj, name)

    def _refusal(self, obj: Any, name: str) -> AttributeError:
        kind = obj.__name__ if _is_class(obj) else type(obj).__name__
        if len(name) > _LONGEST_TOLD:
            return AttributeError(f"cannot access a name of {len(name)} characters of {kind}")
        if not name.startswith("_") and self._prefix and type(obj) not in _CLOSED:
            if any(is_exposed(base.__dict__.get(name)) for base in type(obj).__mro__):
                return AttributeError(
                    f"cannot access {name!r}: {kind} overrides an exposed {name} without "
                    "exposing it (mark it with @exposed as well)"
                )
            return AttributeError(
                f"cannot access {name!r}: {kind} exposes no such name "
                f"(mark it with @exposed or call it {self._prefix}{name})"
            )
        return AttributeError(f"cannot access {name!r} of {kind}")

    def measured(self, obj: Any, name: Any, method: Any) -> Any:
        """
        Return a method of a builtin container that takes a number so that a peer
        cannot ask for more than `MOST_MADE` items with it, or a search of a range.
        """
        kind = type(obj)
        if self._config.allow_all_attrs:
            return method
        if kind is range:

            def search(item: Any) -> Any:
                # of anything but an int, a range of any length is searched
                if type(item) is not int:
                    raise TypeError("a range is asked for ints")
                return method(item)

            return search
        if kind not in _CONTAINERS or name in _SEARCHES:
            return method
        repeats = name in _REPEATS

        def make(number: Any, *args: Any) -> Any:
            if type(number) is int and number * (len(obj) if repeats else 1) > MOST_MADE:
                raise ValueError(f"more than {MOST_MADE} items by one call")
            return method(number, *args)

        return make

    # -- everything else

    def callable(self, obj: Any) -> Any:
        """
        Return the object if the peer may call it.

        A function, method or class was handed to the peer to be called; what
        is not callable says so itself.

        Raises:
            TypeError: it is no reference, or not callable.
        """
        self.check_reference(obj)
        if not callable(obj):
            raise TypeError(f"{type(obj).__name__!r} object is not callable")
        return obj

    def comparison(self, obj: Any, operator: Any) -> Any:
        """
        Return the comparison function of an object's type.

        Raises:
            AttributeError: it is not one of the six, or operators are off.
            TypeError: the object is no reference.
        """
        self.check_reference(obj)
        if type(operator) is bytes:
            operator = operator.decode("ascii", "replace")
        if operator not in COMPARISONS:
            raise AttributeError(f"cannot compare by {operator!r}: it is no comparison")
        if operator not in self._safe and not self._config.allow_all_attrs:
            raise AttributeError(f"cannot compare by {operator!r}: it is no safe operator here")
        return getattr(type(obj), operator)

    def repr(self, obj: Any, number: int, render: Any = repr) -> str:
        """
        Return an object's repr, or its str, without a memory address.

        Args:
            obj: The object.
            number: Its export number, shown where its address would be.
            render: `repr` or `str`.
        """
        self.check_reference(obj)
        kind = type(obj)
        default: Any = object
        if kind.__repr__ is default.__repr__ and (
            render is repr or kind.__str__ is default.__str__
        ):
            return f"<{kind.__module__}.{kind.__qualname__} object #{number}>"
        return without_addresses(render(obj))

    def format(self, obj: Any, number: int, spec: Any = "") -> str:
        """
        Return an object's ``format()``, without a memory address. See `repr`.
        """
        default: Any = object
        if type(obj).__format__ is default.__format__ and spec == "":
            return self.repr(obj, number, str)
        self.check_reference(obj)
        return without_addresses(format(obj, spec))

    def hash(self, obj: Any, number: int) -> int:
        """
        Return an object's hash; for one that is made of its address, one that
        is made of its export number.

        Raises:
            TypeError: it cannot be hashed.
        """
        self.check_reference(obj)
        if type(obj).__hash__ in _ADDRESS_HASHES:
            return hash((number, "txremote"))
        return hash(obj)

    def names(self, obj: Any) -> tuple[str, ...]:
        """
        Return the names that `get` would find: what ``dir()`` shows the peer.
        """
        self.check_reference(obj)
        if self._config.allow_all_attrs:
            return tuple(dir(obj))
        found = set()
        prefix = self._prefix
        for name in dir(obj):
            if self._plain(obj, name):
                found.add(name)
                if prefix and name.startswith(prefix):
                    found.add(name[len(prefix) :])
        return tuple(sorted(found))

    def methods(self, obj: Any) -> tuple[tuple[str, str | None], ...]:
        """
        Return the methods of an object with their docstrings.

        Every special method that syntax needs is listed, else a stock proxy
        could not be called or iterated; for a class its metaclass's too.
        """
        self.check_reference(obj)
        found: dict[str, str | None] = {}
        for name, value in _routines(obj):
            if name == "__call__" or (
                name.startswith("__") and name in self._safe and self._plain(obj, name)
            ):
                found[name] = None
            elif self._plain(obj, name):
                found[name] = inspect.getdoc(value)
        return tuple(found.items())


def _routines(obj: Any) -> Iterator[tuple[str, Any]]:
    """
    Give the routines that an object's class and, for a class, the metaclass and
    the class itself define.
    """
    bases = list(reversed(type(obj).__mro__))
    if _is_class(obj):
        bases += reversed(obj.__mro__)
    attributes: dict[str, Any] = {}
    for base in bases:
        attributes.update(base.__dict__)
    for name, value in attributes.items():
        if isinstance(value, (staticmethod, classmethod)) or inspect.isroutine(value):
            yield name, value
