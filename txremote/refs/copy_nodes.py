"""
How one object of a stock peer is copied, by its kind: the steps of `txremote.refs.copying`.

A *node* is an object that is being copied. It asks for its parts, takes in the answers, and makes
the copy when the copies of its parts are there.
"""

from __future__ import annotations

import builtins
import collections
import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import SupportsIndex, TypeGuard, cast

from txremote.errors import RemoteStopIteration
from txremote.refs.iteration import FIRST_CHUNK, GROWTH, LARGEST_CHUNK
from txremote.refs.reference import RemoteReference
from txremote.refs.reprs import TOLD, read_repr
from txremote.refs.wanted import Parts, Place, Request, Wanted, Work, wrong
from txremote.wire import consts
from txremote.wire.plain import ATOMS

_Take = Callable[[tuple[object, ...]], None]

# Most items that a container may have that is read in one request.
_AT_ONCE = 100
# Hashes of a set's items or a dict's keys that may coincide: see `txremote.wire.brine`.
_MOST_COLLISIONS = 16


class _Anything:
    """All that can be copied without more being known of it; other objects stay references."""

    def parts(self, class_name: str) -> Parts | None:
        return _ALL_PARTS if class_name in _KINDS or class_name == "builtins.tuple" else None


ANYTHING: Wanted = _Anything()
_ALL_PARTS = Parts(ANYTHING, ANYTHING)


class Node:
    """One object that is being copied, for all places where it stands."""

    __slots__ = (
        "being_made",
        "cells",
        "height",
        "made",
        "parts",
        "place",
        "reference",
        "size",
        "work",
    )

    def __init__(self, work: Work, reference: RemoteReference, parts: Parts, place: Place) -> None:
        self.work = work
        self.reference = reference
        self.parts = parts
        self.place = place
        self.cells: list[object] = []  # values, and nodes of values
        self.made: object = None
        self.being_made = False
        self.height = 0  # of the copy, once it is made, and how many values are in it
        self.size = 0

    @property
    def class_name(self) -> str:
        """The full name of the object's class, as the peer gives it."""
        return self.reference._pack[0]

    def begin(self) -> None:
        """Ask for the first parts."""
        raise NotImplementedError

    def make(self, values: list[object]) -> object:
        """Return the copy, made of the copies of the cells."""
        raise NotImplementedError

    def _ask(
        self,
        handler: int,
        *args: object,
        taken: Callable[[object], None],
        refused: Callable[[Exception], None] | None = None,
    ) -> None:
        self.work.requests.append(Request(handler, (self.reference, *args), taken, refused))


def is_node(cell: object) -> TypeGuard[Node]:
    """Tell whether a node stands for a value; the value itself is not asked."""
    return issubclass(type(cell), Node)


class TupleNode(Node):
    """A tuple with references in it: it came by value, and needs no request."""

    __slots__ = ()

    def __init__(
        self, work: Work, values: tuple[object, ...], parts: Parts | None, place: Place
    ) -> None:
        self.work = work
        self.place = place
        self.being_made = False
        self.height = 0
        self.size = 0
        self.made = None
        self.cells = [
            work.placed(value, parts.of_item(index) if parts else None, place.at(f"[{index}]"))
            for index, value in enumerate(values)
        ]

    def make(self, values: list[object]) -> object:
        return tuple(values)


class _Iterated(Node):
    """What is read by its iterator."""

    __slots__ = ()

    def begin(self) -> None:
        if self.work.direct:
            self._ask(
                *(consts.HANDLE_BUFFITER, _AT_ONCE),
                taken=self._take_if_all,
                refused=lambda _error: self._iterate(),
            )
        else:
            self._iterate()

    def _take_if_all(self, chunk: object) -> None:
        """Take the first items, which a stock RPyC gives of a container itself."""
        if type(chunk) is tuple and len(chunk) < _AT_ONCE:
            self.take(chunk)
        else:
            self._iterate()  # which begins again

    def _iterate(self) -> None:
        self._ask_iterator(self.reference, self.take)

    def _ask_iterator(self, target: object, take: _Take) -> None:
        def taken(iterator: object) -> None:
            self._next_chunk(iterator, FIRST_CHUNK, take)

        if type(target) is not RemoteReference:
            raise wrong(self.place, "the peer gave nothing that can be iterated over")
        args = (target, "__iter__", (), ())
        self.work.requests.append(Request(consts.HANDLE_CALLATTR, args, taken))

    def _next_chunk(self, iterator: object, count: int, take: _Take) -> None:
        def taken(chunk: object) -> None:
            if type(chunk) is not tuple:
                raise wrong(self.place, "the peer gave no tuple of its items")
            if chunk:
                take(chunk)
                self._next_chunk(iterator, min(count * GROWTH, LARGEST_CHUNK), take)

        def refused(error: Exception) -> None:
            if not isinstance(error, RemoteStopIteration):
                raise error

        if type(iterator) is not RemoteReference:
            raise wrong(self.place, "the peer gave no iterator of it")
        request = Request(consts.HANDLE_BUFFITER, (iterator, count), taken, refused)
        self.work.requests.append(request)

    def take(self, chunk: tuple[object, ...]) -> None:
        """Take in some of the items."""
        self.work.count(len(chunk))
        cells = self.cells
        for item in chunk:
            if type(item) not in ATOMS:
                index = len(cells)
                wanted = self.parts.of_item(index)
                item = self.work.placed(item, wanted, self.place.at(f"[{index}]"))  # noqa: PLW2901
            cells.append(item)


class _List(_Iterated):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        return values


class _TupleByReference(_Iterated):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        return tuple(values)


class _Deque(_Iterated):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        return deque(values)


class _Bytearray(_Iterated):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        return bytearray(cast(list[SupportsIndex], values))


class _Set(_Iterated):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        _check_hashes(values)
        return set(values)


class _Frozenset(_Iterated):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        _check_hashes(values)
        return frozenset(values)


class _Mapping(_Iterated):
    """
    What has keys, and a value for each: the cells are keys and values in turn.

    A few values are asked for one by one. Where there are more, pairs are, which a stock RPyC
    gives if it opens public names.
    """

    __slots__ = ("_items",)

    def _iterate(self) -> None:
        def taken(items: object) -> None:
            self._items = items  # which is held while it is iterated over
            self._ask_iterator(items, self._take_pairs)

        def refused(error: Exception) -> None:
            if not isinstance(error, AttributeError):
                raise error
            self._ask_iterator(self.reference, self.take)

        self._ask(consts.HANDLE_CALLATTR, "items", (), (), taken=taken, refused=refused)

    def _take_pairs(self, chunk: tuple[object, ...]) -> None:
        self.work.count(2 * len(chunk))
        for pair in chunk:
            if type(pair) is not tuple or len(pair) != 2:
                raise wrong(self.place, "the peer gave no pairs of its keys and values")
            key, value = pair
            place = self._place_of(key)
            self.cells.append(self.work.placed(key, self.parts.key, place))
            self.cells.append(self.work.placed(value, self.parts.of_value(key), place))

    def take(self, chunk: tuple[object, ...]) -> None:
        self.work.count(2 * len(chunk))
        for key in chunk:
            place = self._place_of(key)
            self.cells += (self.work.placed(key, self.parts.key, place), None)
            self._ask_value(len(self.cells) - 1, key, place)

    def _place_of(self, key: object) -> Place:
        shown = repr(key) if type(key) in ATOMS else "..."
        return self.place.at(f"[{shown:.50}]")

    def _ask_value(self, index: int, key: object, place: Place) -> None:
        def taken(value: object) -> None:
            self.cells[index] = self.work.placed(value, self.parts.of_value(key), place)

        self._ask(consts.HANDLE_CALLATTR, "__getitem__", (key,), (), taken=taken)

    def make(self, values: list[object]) -> object:
        keys = values[::2]
        _check_hashes(keys)
        return _MAPPINGS[self.class_name](zip(keys, values[1::2], strict=True))


_MAPPINGS: dict[str, Callable[[Iterable[tuple[object, object]]], object]] = {
    "builtins.dict": dict,
    "builtins.frozendict": getattr(builtins, "frozendict", dict),  # CPython 3.15
    "builtins.mappingproxy": dict,
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": dict,
}


class _Told(Node):
    """What is read from its repr."""

    __slots__ = ()

    def begin(self) -> None:
        self._ask(consts.HANDLE_REPR, taken=self._read)

    def _read(self, text: object) -> None:
        try:
            self.cells.append(read_repr(self.class_name, text))
        except ValueError as problem:
            raise wrong(self.place, f"a {self.class_name} that is no such: {problem}") from problem

    def make(self, values: list[object]) -> object:
        return values[0]


class ObjectNode(Node):
    """What is read by its attributes."""

    __slots__ = ("_found",)

    def begin(self) -> None:
        self._found: list[str] = []
        for name in self.parts.fields or ():
            self._ask_field(name)

    def _ask_field(self, name: str) -> None:
        place = self.place.at(f".{name}")

        def taken(value: object) -> None:
            self.work.count(1)
            self._found.append(name)
            wanted = self.parts.of_value(name)
            self.cells.append(self.work.placed(value, wanted, place))

        def refused(error: Exception) -> None:
            if not isinstance(error, AttributeError):
                raise error
            if "cannot access" in str(error):
                raise wrong(place, self._closed(name))
            # it has none, and whether it needs one is known where it is converted

        self._ask(consts.HANDLE_GETATTR, name, taken=taken, refused=refused)

    def _closed(self, name: str) -> str:
        return (
            f"the peer does not open this attribute of its {self.class_name}: let it connect with "
            f"config={{'allow_public_attrs': True}}, name the attribute exposed_{name}, or pass a "
            "dict of the fields"
        )

    def make(self, values: list[object]) -> object:
        found = dict(zip(self._found, values, strict=True))
        in_order = {name: found[name] for name in self.parts.fields or () if name in found}
        return self.parts.make(in_order)


class MemberNode(ObjectNode):
    """A member of an enum: its ``repr`` has its name, and a stock client opens nothing else."""

    __slots__ = ()

    def begin(self) -> None:
        self._found = []
        self._ask(consts.HANDLE_REPR, taken=self._read)

    def _read(self, text: object) -> None:
        short = self.class_name.rpartition(".")[2]
        told = _MEMBER.match(text) if type(text) is str else None
        if told is not None and told["kind"].rpartition(".")[2] == short:
            self.work.count(1)
            self._found.append("name")
            self.cells.append(told["name"])
        else:  # its class has a repr of its own
            super().begin()


# as enum.Enum and enum.Flag have it: <Colour.RED: 1>, <Perm.R|W: 3>
_MEMBER = re.compile(r"<(?P<kind>\w[\w.]*)\.(?P<name>\w+(?:\|\w+)*): ")


def _check_hashes(values: list[object]) -> None:
    if len(values) - len({hash(value) for value in values}) > _MOST_COLLISIONS:
        raise ValueError("too many of its items hash alike")


_KINDS: dict[str, type[Node]] = {
    "builtins.list": _List,
    "builtins.set": _Set,
    "builtins.frozenset": _Frozenset,
    "builtins.tuple": _TupleByReference,
    "builtins.bytearray": _Bytearray,
    "collections.deque": _Deque,
    "builtins.dict_keys": _List,
    "builtins.dict_values": _List,
    "builtins.dict_items": _List,
    **dict.fromkeys(_MAPPINGS, _Mapping),
    **dict.fromkeys(TOLD, _Told),
}


def kind_of(class_name: str, parts: Parts) -> type[Node]:
    """Return how the objects of a class are copied."""
    if parts.is_member:
        return MemberNode
    return _KINDS.get(class_name, ObjectNode)
