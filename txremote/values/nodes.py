"""
`ValueType`: an annotation, compiled, and the work that all kinds of it share.

A value type converts whole *columns*: `ValueType.many` takes the values that stand at one place of
many objects, such as the prices of a thousand items, and gives as many converted ones. The values
of a column are looked at together, by C's speed: their types as a set, their constraints by one
``msgspec.convert``. A list of a thousand records is five columns then, and no loop of Python's.

`msgspec` alone would hand a str over for bytes, an object of the wanted class unlooked at, a
subclass as another type, a rounded int for a float: so types are compared exactly before it is
asked about what a type leaves open.

``many`` is a generator that yields between slices of a long column, so that a reactor may do other
things. It raises `Mismatch` for a column with something wrong in it. Which value that was is found
afterwards, by halving columns, and told with its path by `WrongValue`.

The same walk checks what is ours already, such as a result: `Work.checking` is True then, values
have to be of the declared classes, and nothing is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final, NamedTuple

from txremote.errors import WrongValue
from txremote.values.texts import shown
from txremote.wire.slices import Steps, in_one_go

#: How many values of a column are converted at a time.
SLICE: Final = 5_000

#: What `ValueType.quick` returns where a value needs a column.
SLOW: Final = object()

# How deep a wrong value is searched for: each level takes as long as converting what is in it.
_DEEPEST: Final = 40
_TOO_DEEP = "it is nested too deep, or holds itself"


class Mismatch(Exception):
    """
    A column has a value that is not as declared.

    Attributes:
        detail: A sentence's end, or "" where it is the value as a whole that is wrong.
    """

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class Work:
    """
    One conversion, or one check, that is under way.

    Attributes:
        checking: Whether values are ours, and only looked at.
        known: By value type: what was made of a part that came before, by its `id`, for shared
            parts stay shared.
        kept: Parts whose `id` must stay theirs until the work is done.
    """

    __slots__ = ("_checker", "checking", "kept", "known")

    def __init__(self, checking: bool) -> None:
        self.checking = checking
        self.known: dict[ValueType, dict[int, object]] = {}
        self.kept: list[object] = []
        self._checker: Work | None = None

    def checker(self) -> Work:
        """Return the work that checks objects of ours, which the peer handed back."""
        if self.checking:
            return self
        if self._checker is None:
            self._checker = Work(checking=True)
        return self._checker


class Part(NamedTuple):
    """Values of one type inside a value, for the search for a wrong one."""

    value_type: ValueType
    column: Sequence[object]
    step: Callable[[int], str]  # what the path of the value at a place of the column ends with


class ValueType:
    """
    An annotation that says "a value": what may come for it, and what becomes of it.

    Attributes:
        kind: The kind of value: "leaf", "list", "tuple", "dict", "set", "record", "enum", "union".
        text: The annotation as a reader would write it.
    """

    __slots__ = ("text",)

    kind: ClassVar[str]

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.text}>"

    def convert(self, raw: object, path: str = "value") -> object:
        """
        Return what came from a peer, as the declared type.

        Args:
            raw: As the codec, or copying from a stock peer, gives it. It is not changed.
            path: Its name in errors.

        Raises:
            WrongValue: It is not as declared. The sentence names the path.
        """
        done = self.quick(raw, checking=False)
        return in_one_go(self.convert_in_slices(raw, path)) if done is SLOW else done

    def convert_in_slices(self, raw: object, path: str = "value") -> Steps[object]:
        """Do what `convert` does, as a generator that yields after each slice of work."""
        return (yield from _judged(self, raw, path, checking=False))

    def check(self, value: object, path: str = "value") -> None:
        """
        Look at a value of ours, in depth, which is to leave as the declared type.

        Raises:
            WrongValue: It is not as declared. The sentence names the path.
        """
        if self.quick(value, checking=True) is SLOW:
            in_one_go(_judged(self, value, path, checking=True))

    def quick(self, raw: object, checking: bool) -> object:
        """
        Convert or check a single small value that is right, or return `SLOW`.

        Most calls have a number or a small dict, which takes longer as a column of one.
        """
        return SLOW

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Return the values of a column converted, in their order; Mismatch if one is wrong."""
        raise NotImplementedError

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Tell by a value's type alone whether it may be meant for this type, as a union asks."""
        raise NotImplementedError

    def parts(self, raw: object, checking: bool) -> Iterable[Part]:
        """Return the values inside a value, as far as its shape is right."""
        return ()


class SharedType(ValueType):
    """A type whose values have an identity: a part that comes twice is converted once."""

    __slots__ = ()

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert what is new in the column."""
        known = work.known.get(self)
        if known is None:
            known = work.known[self] = {}
        new = dict(zip(map(id, column), column, strict=True))
        if not known.keys().isdisjoint(new):
            new = {key: part for key, part in new.items() if key not in known}
        work.kept.append(new)
        fresh = column if len(new) == len(column) else [*new.values()]
        if work.checking:
            known.update(new)  # now, so that a cycle ends here
        if fresh:
            made = yield from self.fresh(fresh, work)
            if not work.checking:
                pairs = zip(new, made, strict=True)
                if known.keys().isdisjoint(new):
                    known.update(pairs)
                    if fresh is column:
                        return made
                else:  # what was met within its own column was finished there first
                    for key, part in pairs:
                        known.setdefault(key, part)
        return [known[id(part)] for part in column]

    def fresh(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert a column without a part that comes twice."""
        raise NotImplementedError


def in_slices(
    value_type: ValueType | None, column: Sequence[object], work: Work
) -> Steps[Sequence[object]]:
    """
    Convert a column of any length. Without a value type it is passed through as it is.

    A function that returns a generator: one of its own would nest a frame more at each level of a
    value, and Python's frames are limited.
    """
    if value_type is None:
        return as_it_is(column)
    if len(column) <= SLICE:
        return value_type.many(column, work)
    return _in_slices(value_type, column, work)


def as_it_is(column: Sequence[object]) -> Steps[Sequence[object]]:
    """Return a column after no work."""
    return column
    yield


def _in_slices(
    value_type: ValueType, column: Sequence[object], work: Work
) -> Steps[Sequence[object]]:
    done: list[object] = []
    for start in range(0, len(column), SLICE):
        done += yield from value_type.many(column[start : start + SLICE], work)
        yield
    return done


def _judged(value_type: ValueType, raw: object, path: str, checking: bool) -> Steps[object]:
    try:
        column = yield from value_type.many((raw,), Work(checking))
        return column[0]
    except Mismatch:
        pass
    except RecursionError:
        raise WrongValue(f"{path}: {_TOO_DEEP}") from None
    raise (yield from explained(value_type, raw, path, checking))


def explained(value_type: ValueType, raw: object, path: str, checking: bool) -> Steps[WrongValue]:
    """Return the error for a value that is wrong: of the first wrong value inside it."""
    inside, levels = True, 0
    while inside and levels < _DEEPEST:
        inside, levels = False, levels + 1
        for part in value_type.parts(raw, checking):
            index = yield from _first_wrong(part, checking)
            if index is not None:
                value_type, raw = part.value_type, part.column[index]
                path += part.step(index)
                inside = True
                break
    if inside:
        return WrongValue(f"{path}: something is wrong within {value_type.text}, further inside")
    mismatch = (yield from _tried(value_type, (raw,), checking)) or Mismatch()
    detail = mismatch.detail or f"expected {value_type.text}, got {shown(raw)}"
    return WrongValue(f"{path}: {detail}")


def _tried(
    value_type: ValueType, column: Sequence[object], checking: bool
) -> Steps[Mismatch | None]:
    try:
        yield from in_slices(value_type, column, Work(checking))
    except Mismatch as mismatch:
        return mismatch
    return None


def _first_wrong(part: Part, checking: bool) -> Steps[int | None]:
    column = part.column
    if not (yield from _tried(part.value_type, column, checking)):
        return None
    low, high = 0, len(column)
    while high - low > 1:  # something between them is wrong, nothing before the lower one is
        middle = (low + high) // 2
        if (yield from _tried(part.value_type, column[low:middle], checking)):
            high = middle
        else:
            low = middle
    return low
