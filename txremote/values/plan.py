"""
`CallPlan`: how one function's arguments and its result travel, read from its annotations once.

A parameter whose annotation is a value type arrives as a copy of that type; the others are
references, as ever. The plan describes the call as a peer makes it: without ``self``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from txremote.values.containers import SequenceType, TupleType
from txremote.values.leaves import Constrained
from txremote.values.nodes import SLOW, ValueType
from txremote.values.records import RecordType
from txremote.values.unions import UnionType
from txremote.wire.plain import PLAIN
from txremote.wire.record import Record
from txremote.wire.slices import Steps, in_one_go

# A value of these types is no reference, and holds none that would have to be fetched first.
_NO_REFERENCES: Final = PLAIN - {tuple} | {Record}


class Place(NamedTuple):
    """
    An argument, or an item of one that is a tuple.

    Attributes:
        value: The object there.
        value_type: The declared one.
        path: Its name in errors.
        steps: The way to it: an index or a name, then the indices of tuples.
    """

    value: object
    value_type: ValueType
    path: str
    steps: tuple[int | str, ...]


class CallPlan:
    """
    How a function's arguments and result travel.

    Attributes:
        positional: The names of parameters that may be given by position, in order.
        types: By name of a parameter: its value type. The others are references.
        var_positional: The value type of ``*args``, or None.
        var_keyword: That of ``**kwargs``, or None.
        result: The value type of the result, or None.
        item: The value type of the items of an iterator, if the result is one.
        streams: Whether the result is declared to be an iterator, and goes as a stream.
        callbacks: By name of a parameter that is a callable: how that is to be called.
        signature_text: The signature for readers; defaults show as ``...``.
    """

    __slots__ = (
        *(
            "__weakref__",
            "_places",
            "callbacks",
            "item",
            "names",
            "positional",
            "result",
            "signature_text",
        ),
        *("signature_text", "streams", "types", "var_keyword", "var_positional"),
    )

    def __init__(self) -> None:
        self.positional: tuple[str, ...] = ()
        self._places: tuple[ValueType | None, ...] | None = None
        self.names: tuple[str, str] = ("args", "kwargs")  # of *args and **kwargs
        self.types: dict[str, ValueType] = {}
        self.var_positional: ValueType | None = None
        self.var_keyword: ValueType | None = None
        self.result: ValueType | None = None
        self.item: ValueType | None = None
        self.streams = False
        self.callbacks: dict[str, CallPlan] = {}
        self.signature_text = "(...)"

    def __repr__(self) -> str:
        return f"<CallPlan {self.signature_text}>"

    @property
    def has_arguments(self) -> bool:
        """Whether any parameter is a value."""
        return bool(self.types or self.var_positional or self.var_keyword)

    @property
    def is_empty(self) -> bool:
        """Whether all of the call is as without a plan."""
        return not (
            self.has_arguments or self.result or self.item or self.streams or self.callbacks
        )

    def convert(
        self, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """
        Return the arguments of a call from a peer as they are declared.

        Raises:
            WrongValue: One is not. The sentence names its path. Arguments that are missing or
                too many are left to the function.
        """
        return in_one_go(self.convert_in_slices(args, kwargs))

    def quick(
        self, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> tuple[object, ...] | None:
        """
        Return arguments that are all given by position as they are declared, if those that are
        values are all small and right, as those of most calls are; else None.
        """
        places = self._places
        if places is None:
            places = self._places = tuple([self.types.get(name) for name in self.positional])
        if kwargs or len(args) > len(places):
            return None
        done = []
        for value_type, raw in zip(places, args, strict=False):
            made = raw if value_type is None else value_type.quick(raw, checking=False)
            if made is SLOW:
                return None
            done.append(made)
        return tuple(done)

    def convert_in_slices(
        self, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Steps[tuple[tuple[object, ...], dict[str, object]]]:
        """Do what `convert` does, as a generator that yields after each slice of work."""
        done = [*args]
        words = dict(kwargs)
        for key, value_type, path in self._declared(len(args), kwargs):
            raw = args[key] if isinstance(key, int) else kwargs[key]
            made = value_type.quick(raw, checking=False)
            if made is SLOW:
                made = yield from value_type.convert_in_slices(raw, path)
            if isinstance(key, int):
                done[key] = made
            else:
                words[key] = made
        return tuple(done), words

    def check(self, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        """
        Look at arguments of ours before they are sent, as a callback's.

        Raises:
            WrongValue: One is not as declared.
        """
        for key, value_type, path in self._declared(len(args), kwargs):
            value_type.check(args[key] if isinstance(key, int) else kwargs[key], path)

    def check_result(self, result: object) -> None:
        """
        Look at what the function returned, in depth.

        Raises:
            WrongValue: It is not as declared.
        """
        if self.result is not None:
            self.result.check(result, "result")

    def is_value(self, key: int | str) -> bool:
        """Tell whether the argument at a place, or of a name, is declared as a value."""
        return self._type_of(key) is not None

    def _type_of(self, key: int | str) -> ValueType | None:
        if isinstance(key, str):
            return self.types.get(key, None if key in self.positional else self.var_keyword)
        if key < len(self.positional):
            return self.types.get(self.positional[key])
        return self.var_positional

    def _declared(
        self, count: int, kwargs: Mapping[str, object]
    ) -> Iterator[tuple[int | str, ValueType, str]]:
        """Give the places of arguments that are declared as values: key, type, path."""
        for key in range(count):
            value_type = self._type_of(key)
            if value_type is not None:
                named = key < len(self.positional)
                path = (
                    self.positional[key]
                    if named
                    else f"{self.names[0]}[{key - len(self.positional)}]"
                )
                yield key, value_type, path
        for name in kwargs:
            value_type = self._type_of(name)
            if value_type is not None:
                yield name, value_type, name

    def unfetched(
        self,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        is_reference: Callable[[object], bool],
    ) -> list[Place]:
        """
        Return the arguments that came as references where a value is declared.

        Items of tuples are looked at too, since a tuple of RPyC's travels with references in
        it. A union with members that are no values takes a reference as it is.

        Args:
            args: As they came.
            kwargs: As they came.
            is_reference: Tells whether an object is a reference of either facet.
        """
        found: list[Place] = []
        for key, value_type, path in self._declared(len(args), kwargs):
            value = args[key] if isinstance(key, int) else kwargs[key]
            if type(value) not in _NO_REFERENCES:
                _look(Place(value, value_type, path, (key,)), is_reference, found)
        return found

    def describe(self) -> tuple[tuple[str, ...], tuple[str, ...], bool, bool, str]:
        """
        Return what a caller has to know, in brine's types.

        The names of the parameters that may be given by position; those of the parameters that
        are values; whether ``*args`` and ``**kwargs`` are; the signature.
        """
        return (
            self.positional,
            tuple(self.types),
            self.var_positional is not None,
            self.var_keyword is not None,
            self.signature_text,
        )


def fetched(
    args: Sequence[object], kwargs: Mapping[str, object], places: Iterable[tuple[Place, object]]
) -> tuple[tuple[object, ...], dict[str, object]]:
    """
    Return arguments with what was fetched in place of references.

    Args:
        args: As they were given to `CallPlan.unfetched`.
        kwargs: As they were given to `CallPlan.unfetched`.
        places: Those that it returned, each with what was fetched for it.
    """
    done = [*args]
    words = dict(kwargs)
    for place, value in places:
        key, *steps = place.steps
        if isinstance(key, int):
            done[key] = _put(done[key], steps, value)
        else:
            words[key] = _put(words[key], steps, value)
    return tuple(done), words


def _put(whole: object, steps: Sequence[int | str], value: object) -> object:
    if not steps:
        return value
    assert isinstance(whole, tuple)
    items = [*whole]
    step = steps[0]
    assert isinstance(step, int)
    items[step] = _put(items[step], steps[1:], value)
    return tuple(items)


def _look(place: Place, is_reference: Callable[[object], bool], found: list[Place]) -> None:
    value, value_type = place.value, place.value_type
    if type(value) is tuple:
        for index, item in enumerate(value):
            item_type = item_of(value_type, index, len(value))
            if item_type is not None:
                path, steps = f"{place.path}[{index}]", (*place.steps, index)
                _look(Place(item, item_type, path, steps), is_reference, found)
    elif is_reference(value) and not (isinstance(value_type, UnionType) and value_type.passes):
        found.append(place)


def item_of(value_type: ValueType, index: int, count: int) -> ValueType | None:
    """Return the type of an item of a tuple that stands where a value type is declared."""
    while isinstance(value_type, Constrained):
        value_type = value_type.inner
    if isinstance(value_type, TupleType):
        return value_type.items[index] if count == len(value_type.items) else None
    if isinstance(value_type, SequenceType) and value_type.kind == "list":
        return value_type.item
    if isinstance(value_type, RecordType) and value_type.kind == "namedtuple":
        types = [*value_type.types.values()]
        return types[index] if count == len(types) else None
    return None
