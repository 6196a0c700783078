"""
How one object of a stock peer is copied, by its kind.

A container is read by its iterator, a mapping by its keys or pairs, a value of Python's own from
its ``repr``, and another object by those of its attributes that an annotation names.
"""

from __future__ import annotations

import builtins
import collections
import re
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from typing import SupportsIndex, cast

from txremote.refs.copy_steps import EmptiedNode, IteratedNode, Node
from txremote.refs.reprs import TOLD, read_repr
from txremote.refs.wanted import Parts, Place, Wanted, wrong
from txremote.wire import consts
from txremote.wire.naming import with_article
from txremote.wire.plain import ATOMS

# Hashes of a set's items or a dict's keys that may coincide: see `txremote.wire.brine`.
_MOST_COLLISIONS = 16


class _Anything:
    """All that can be copied without more being known of it; other objects stay references."""

    def parts(self, class_name: str) -> Parts | None:
        return _ALL_PARTS if class_name in _KINDS or class_name == "builtins.tuple" else None


ANYTHING: Wanted = _Anything()
_ALL_PARTS = Parts(ANYTHING, ANYTHING)


class _List(IteratedNode):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        return values


class _TupleByReference(IteratedNode):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        return tuple(values)


class _Deque(EmptiedNode):
    __slots__ = ()

    pattern = re.compile(r"deque\(\[\](?:, maxlen=(\d{1,18}))?\)")

    def make(self, values: list[object]) -> object:
        return deque(values, None if self._shown is None else int(self._shown))


class _Array(EmptiedNode):
    __slots__ = ()

    pattern = re.compile(r"array\('(\w)'\)")

    def make(self, values: list[object]) -> object:
        return array(cast(str, self._shown), cast(list[int], values))


class _Bytearray(IteratedNode):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        return bytearray(cast(list[SupportsIndex], values))


class _Set(IteratedNode):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        _check_hashes(values)
        return set(values)


class _Frozenset(IteratedNode):
    __slots__ = ()

    def make(self, values: list[object]) -> object:
        _check_hashes(values)
        return frozenset(values)


class _Mapping(IteratedNode):
    """
    A mapping: the cells are its keys and values in turn.

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
        return MAPPINGS[self.class_name](zip(keys, values[1::2], strict=True))


MAPPINGS: dict[str, Callable[[Iterable[tuple[object, object]]], object]] = {
    "builtins.dict": dict,
    "builtins.frozendict": getattr(builtins, "frozendict", dict),  # CPython 3.15
    "builtins.mappingproxy": dict,
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": dict,
    "collections.Counter": lambda pairs: collections.Counter(dict(pairs)),
}


class _Told(Node):
    """An object that is read from its repr."""

    __slots__ = ()

    def begin(self) -> None:
        self._ask(consts.HANDLE_REPR, taken=self._read)

    def _read(self, text: object) -> None:
        try:
            self.cells.append(read_repr(self.class_name, text))
        except ValueError as problem:
            raise wrong(
                self.place, f"{with_article(self.class_name)} that is no such: {problem}"
            ) from problem

    def make(self, values: list[object]) -> object:
        return values[0]


class _Object(Node):
    """An object that is read by its attributes."""

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
            f"the peer does not open this attribute of its {self.class_name}: let a client connect "
            "with config={'allow_public_attrs': True}, a server serve with "
            "protocol_config={'allow_public_attrs': True}, or name the attribute "
            f"exposed_{name}; for an argument, a client may pass a dict of the fields"
        )

    def make(self, values: list[object]) -> object:
        found = dict(zip(self._found, values, strict=True))
        in_order = {name: found[name] for name in self.parts.fields or () if name in found}
        return self.parts.make(in_order)


class _Member(_Object):
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


ITERATED: dict[str, type[Node]] = {
    "builtins.list": _List,
    "builtins.set": _Set,
    "builtins.frozenset": _Frozenset,
    "builtins.tuple": _TupleByReference,
    "builtins.bytearray": _Bytearray,
    "collections.deque": _Deque,
    "array.array": _Array,
    "builtins.dict_keys": _List,
    "builtins.dict_values": _List,
    "builtins.dict_items": _List,
}

_KINDS: dict[str, type[Node]] = {
    **ITERATED,
    **dict.fromkeys(MAPPINGS, _Mapping),
    **dict.fromkeys(TOLD, _Told),
}


def kind_of(class_name: str, parts: Parts) -> type[Node]:
    """Return how the objects of a class are copied."""
    if parts.is_member:
        return _Member
    if parts.is_row and class_name not in MAPPINGS:
        return _TupleByReference
    return _KINDS.get(class_name, _Object)
