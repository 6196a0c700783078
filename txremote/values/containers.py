"""
Value types of containers: their items are one column, whatever container they are in.

A list and a tuple are taken for each other, and so are a set and a frozenset; a list never becomes
a set. The containers are new: the sender's are copied.
"""

from __future__ import annotations

import builtins
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, TypeVar

from txremote.values.leaves import Leaf
from txremote.values.nodes import (
    SLICE,
    SLOW,
    Mismatch,
    Part,
    SharedType,
    ValueType,
    Work,
    in_slices,
)
from txremote.values.texts import shown
from txremote.wire.slices import Steps

Items = Collection[object]
T = TypeVar("T")

#: The classes of values that are mappings; the last is there where Python has it.
MAPPINGS: Final[tuple[type, ...]] = (
    *(dict, OrderedDict, Counter, defaultdict),
    *filter(None, (getattr(builtins, "frozendict", None),)),
)

#: By class: what is taken for it besides.
_TAKEN: Final[dict[type, tuple[type, ...]]] = {
    list: (tuple,),
    tuple: (list,),
    set: (frozenset,),
    frozenset: (set,),
    deque: (),
    dict: (),
    OrderedDict: (dict,),
    Counter: (dict,),
}


class ContainerType(SharedType):
    """
    The base of what is made of one class of containers, or keeps the one that came.

    Attributes:
        made: The class that comes out, or None where it is the one that came.
        exact: The classes that need no change.
        taken: Those that are taken as well.
    """

    __slots__ = ("exact", "made", "taken")

    def __init__(self, text: str, made: type | None, exact: Iterable[type]) -> None:
        super().__init__(text)
        self.made = made
        self.exact = frozenset(exact)
        self.taken = self.exact.union(*(_TAKEN.get(each, ()) for each in self.exact))

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Go by the exact class."""
        return type(raw) in (self.exact if exactly or checking else self.taken)

    def shape(self, column: Sequence[object], work: Work) -> None:
        """Raise Mismatch unless all of a column are containers of a class that is taken."""
        if not set(map(type, column)) <= (self.exact if work.checking else self.taken):
            raise Mismatch


class SequenceType(ContainerType):
    """``list[T]``, ``tuple[T, ...]``, ``deque[T]``, ``set[T]``, ``Sequence[T]`` and so on."""

    __slots__ = ("item", "kind")

    kind: str  # type: ignore[misc]

    def __init__(
        self,
        text: str,
        kind: str,
        made: type | None,
        exact: Iterable[type],
        item: ValueType | None,
    ) -> None:
        super().__init__(text, made, exact)
        self.kind = kind
        self.item = item

    def quick(self, raw: object, checking: bool) -> object:
        """Copy a short list of leaves."""
        if type(raw) is not list or self.made is not list or len(raw) > SLICE:
            return SLOW
        if not _leaves(self.item, raw):
            return SLOW
        return raw if checking else [*raw]

    def fresh(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert the items of all of them as one column."""
        self.shape(column, work)
        items: Sequence[object] = [*chain.from_iterable(_items(column))]
        found = yield from in_slices(self.item, items, work)
        if work.checking:
            return column
        if len(column) == 1 and type(found) is list:
            return [self._made(part, found) for part in _items(column)]
        rest = iter(found)
        return [self._made(part, [*islice(rest, len(part))]) for part in _items(column)]

    def _made(self, part: Items, items: list[object]) -> object:
        made = self.made or type(part)
        if made is list:
            return items
        if made is deque:
            return deque(items, part.maxlen if isinstance(part, deque) else None)
        whole = _hashed(made, items) if made in (set, frozenset) else made(items)
        if len(whole) != len(items):
            raise Mismatch(f"two items of the {made.__name__} became equal")
        return whole

    def parts(self, raw: object, checking: bool) -> Iterable[Part]:
        """Return the items."""
        if self.item is None or not self.accepts(raw, False, checking):
            return
        items = [*next(_items((raw,)))]
        if type(raw) in (set, frozenset):
            yield Part(self.item, items, lambda index: f"{{{shown(items[index])}}}")
        else:
            yield Part(self.item, items, lambda index: f"[{index}]")


class TupleType(ContainerType):
    """``tuple[A, B]``: a type for each place."""

    __slots__ = ("items",)

    kind = "tuple"

    def __init__(self, text: str, items: Sequence[ValueType | None]) -> None:
        super().__init__(text, tuple, (tuple,))
        self.items = tuple(items)

    def fresh(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert each place as a column of its own."""
        self.shape(column, work)
        if set(map(len, _items(column))) != {len(self.items)}:
            count = len(next(_items(column)))
            raise Mismatch(f"expected {self.text}, got {count} items")
        columns = []
        for item, places in zip(self.items, zip(*_items(column), strict=True), strict=True):
            columns.append((yield from in_slices(item, places, work)))
        if work.checking or not columns:
            return column if work.checking else [()] * len(column)
        return [*zip(*columns, strict=True)]

    def parts(self, raw: object, checking: bool) -> Iterable[Part]:
        """Return each item."""
        if not self.accepts(raw, False, checking):
            return
        values = [*next(_items((raw,)))]
        if len(values) == len(self.items):
            for place, item in enumerate(self.items):
                if item is not None:
                    yield Part(item, (values[place],), lambda _, place=place: f"[{place}]")  # type: ignore[misc]


class DictType(ContainerType):
    """``dict[K, V]``, ``Mapping[K, V]``, `OrderedDict`, `Counter`."""

    __slots__ = ("key", "value")

    kind = "dict"

    def __init__(
        self,
        text: str,
        made: type | None,
        exact: Iterable[type],
        key: ValueType | None,
        value: ValueType | None,
    ) -> None:
        super().__init__(text, made, exact)
        self.key = key
        self.value = value

    def quick(self, raw: object, checking: bool) -> object:
        """Copy a small dict of leaves."""
        if type(raw) is not dict or self.made is not dict or len(raw) > SLICE:
            return SLOW
        if _leaves(self.key, raw) and _leaves(self.value, raw.values()):
            return raw if checking else {**raw}
        return SLOW

    def fresh(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert all keys as one column, and all values as another."""
        self.shape(column, work)
        parts = [*_mappings(column)]
        keys: list[object] = [*chain.from_iterable(parts)]
        found_keys = iter((yield from in_slices(self.key, keys, work)))
        values: list[object] = [*chain.from_iterable(part.values() for part in parts)]
        found_values = iter((yield from in_slices(self.value, values, work)))
        if work.checking:
            return column
        done = []
        for part in parts:
            size = len(part)
            pairs = zip(islice(found_keys, size), islice(found_values, size), strict=True)
            whole = _hashed(_as_dict, pairs)
            if len(whole) != size:
                raise Mismatch("two keys became equal")
            done.append(_like(part, self.made or type(part), whole))
        return done

    def parts(self, raw: object, checking: bool) -> Iterable[Part]:
        """Return the keys, then the values."""
        if not self.accepts(raw, False, checking):
            return
        whole = next(_mappings((raw,)))
        keys = [*whole]
        if self.key is not None:
            yield Part(self.key, keys, lambda index: f" key {shown(keys[index])}")
        if self.value is not None:
            yield Part(self.value, [*whole.values()], lambda index: f"[{_bare(keys[index])}]")


def _leaves(value_type: ValueType | None, items: Iterable[object]) -> bool:
    return value_type is None or (
        type(value_type) is Leaf and value_type.exact.issuperset(map(type, items))
    )


def _like(
    part: Mapping[object, object], made: type, whole: dict[object, object]
) -> Mapping[object, object]:
    if isinstance(part, defaultdict):
        return defaultdict(part.default_factory, whole)
    found: Mapping[object, object] = whole if made is dict else made(whole)
    return found


def _bare(key: object) -> str:
    text = shown(key)
    return text.partition(" ")[2] if type(key) in (str, bytes, int, float, bool) else text


def _hashed(make: Callable[[Iterable[object]], T], items: Iterable[object]) -> T:
    try:
        return make(items)
    except TypeError as problem:
        raise Mismatch(str(problem)) from None


def _as_dict(pairs: Iterable[object]) -> dict[object, object]:
    items: Iterable[Any] = pairs
    return dict(items)


def _items(column: Sequence[object]) -> Iterator[Items]:
    """Give the containers of a column, whose types were looked at before."""
    for part in column:
        assert isinstance(part, Collection)
        yield part


def _mappings(column: Sequence[object]) -> Iterator[Mapping[object, object]]:
    for part in column:
        assert isinstance(part, Mapping)
        yield part
