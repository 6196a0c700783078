"""
Value types that hold no others: numbers, text, dates, literals, classes with a dump and a load.

A column of them is right where the set of its values' types is. Other rules, such
as a bound, are for msgspec.
"""

from __future__ import annotations

import array
import datetime
import decimal
import fractions
import ipaddress
import math
import pathlib
import re
import typing
import uuid
import zoneinfo
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import Final, Protocol

from txremote.values.nodes import SLOW, Mismatch, Part, ValueType, Work
from txremote.values.texts import shown
from txremote.wire.slices import Steps

Narrow = Callable[[object], object]


class Leaf(ValueType):
    """
    Values of a few exact types.

    Attributes:
        exact: The types.
        widened: Types that are taken too where `widen` keeps the value: an int for a float.
    """

    __slots__ = ("exact", "widen", "widened")

    kind = "leaf"

    def __init__(
        self,
        text: str,
        exact: Collection[type],
        widened: Collection[type] = (),
        widen: Narrow | None = None,
    ) -> None:
        super().__init__(text)
        self.exact = frozenset(exact)
        self.widened = frozenset(widened)
        self.widen = widen

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Compare the types of a column with those that are declared."""
        types = set(map(type, column))
        if not types <= self.exact:
            if self.widen is None or not types <= self.exact | self.widened:
                raise Mismatch
            exact, widen = self.exact, self.widen
            column = [part if type(part) in exact else widen(part) for part in column]
        return column
        yield  # it is a generator as the others are

    def quick(self, raw: object, checking: bool) -> object:
        """Hand through what is of an exact type."""
        return raw if type(raw) in self.exact else SLOW

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Go by the exact type."""
        return type(raw) in (self.exact if exactly else self.exact | self.widened)


class LiteralType(Leaf):
    """`typing.Literal`: some values, each with its type, for ``True`` is no ``1``."""

    __slots__ = ("allowed",)

    def __init__(self, text: str, values: Sequence[object]) -> None:
        super().__init__(text, set(map(type, values)))
        self.allowed = frozenset(zip(map(type, values), values, strict=True))

    def quick(self, raw: object, checking: bool) -> object:
        """Leave it to the column."""
        return SLOW

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Look each up, once its type is known to be harmless."""
        yield from super().many(column, work)
        if not self.allowed.issuperset(zip(map(type, column), column, strict=True)):
            raise Mismatch
        return column


class InstanceType(ValueType):
    """Values that arrive as what they are: of a class with a dump and a load of its own."""

    __slots__ = ("test",)

    kind = "leaf"

    def __init__(self, text: str, test: Callable[[object], bool]) -> None:
        super().__init__(text)
        self.test = test

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Ask for each."""
        if not all(map(self.test, column)):
            raise Mismatch
        return column
        yield

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Ask for it."""
        return self.test(raw)


class Constrained(ValueType):
    """
    A value type with more to say than its types: bounds, lengths, patterns, for msgspec to check.

    Attributes:
        inner: The type without them.
        native: The question to msgspec about it: ``Annotated[int, Meta(ge=0)]``.
        tests: The checks that msgspec has not: pairs of a function and its text.
    """

    __slots__ = ("inner", "native", "tests")

    kind = "constrained"

    def __init__(
        self,
        inner: ValueType,
        native: object,
        tests: Sequence[tuple[Callable[[typing.Any], object], str]],
    ) -> None:
        super().__init__(inner.text)
        self.inner = inner
        self.native = native
        self.tests = tests

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert as the inner type does, then ask msgspec."""
        column = yield from self.inner.many(column, work)
        if self.native is not None:
            msgspec = import_msgspec()
            try:
                # its copy is let go: what it takes for right may come back changed
                msgspec.convert(list(column), list[self.native])  # type: ignore[name-defined]
            except msgspec.ValidationError as problem:
                came = f", got {shown(column[0])}" if len(column) == 1 else ""
                raise Mismatch(f"{_sentence(str(problem), self.text)}{came}") from None
        for test, text in self.tests:
            for part in column:
                if not _passes(test, part):
                    raise Mismatch(f"expected {self.text} {text}, got {shown(part)}")
        return column

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Go by the inner type."""
        return self.inner.accepts(raw, exactly, checking)

    def parts(self, raw: object, checking: bool) -> typing.Iterable[Part]:
        """Return those of the inner type."""
        return self.inner.parts(raw, checking)


def _passes(test: Callable[[typing.Any], object], part: object) -> bool:
    try:
        return bool(test(part))
    except Exception:  # as a comparison of two types, or a predicate of the user's
        return False


def _sentence(problem: str, kind: str) -> str:
    text = problem.partition(" - at")[0]
    for json_name in ("`array`", "`object`"):  # of any container
        text = text.replace(json_name, kind)
    text = text.replace("`", "")
    return text[:1].lower() + text[1:]


class Msgspec(Protocol):
    """The parts of the module that are used."""

    ValidationError: type[Exception]
    Meta: typing.Any

    def convert(self, obj: object, type: typing.Any) -> typing.Any:  # noqa: A002
        """Check and convert."""


def import_msgspec() -> Msgspec:
    """Import msgspec now: a program that declares no values does without it."""
    module: typing.Any = import_module("msgspec")
    found: Msgspec = module
    return found


def as_float(value: object) -> float:
    """Return an int as a float; Mismatch where it would be rounded."""
    assert isinstance(value, int)
    try:
        made = float(value)
    except OverflowError:
        made = math.inf
    if made != value:
        raise Mismatch(f"expected float, which does not hold {shown(value)} exactly")
    return made


def as_complex(value: object) -> complex:
    """Return an int or a float as a complex number; Mismatch where it would be rounded."""
    return complex(value if isinstance(value, float) else as_float(value))


def as_path(value: object) -> pathlib.Path:
    """Return a pure path of this system as one that can be opened."""
    assert isinstance(value, pathlib.PurePath)
    return pathlib.Path(value)


def as_pure_path(value: object) -> pathlib.PurePath:
    """Return a path as one that cannot be opened."""
    windows = isinstance(value, pathlib.WindowsPath)
    assert isinstance(value, pathlib.PurePath)
    return pathlib.PureWindowsPath(value) if windows else pathlib.PurePosixPath(value)


_ALONE: Final = (
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone),
    *(zoneinfo.ZoneInfo, decimal.Decimal, fractions.Fraction, uuid.UUID, array.array, re.Pattern),
    *(ipaddress.IPv4Address, ipaddress.IPv4Network, ipaddress.IPv4Interface),
    *(ipaddress.IPv6Address, ipaddress.IPv6Network, ipaddress.IPv6Interface),
    *(pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath, pathlib.PureWindowsPath),
    *(type(None), bool, int, str, bytes, bytearray, range, slice, type(Ellipsis)),
)
_PATHS: Final = (pathlib.PosixPath, pathlib.WindowsPath)
_PURE: Final = (pathlib.PurePosixPath, pathlib.PureWindowsPath)

#: By annotation: the exact types of what is a value of it, the codec's stdlib types all.
STANDARD: Final[dict[type, tuple[type, ...]]] = {
    **{each: (each,) for each in _ALONE},
    pathlib.Path: _PATHS,
    pathlib.PurePath: _PURE,
    datetime.tzinfo: (datetime.timezone, zoneinfo.ZoneInfo),
}

#: What is taken for those, and made of it: a path of this system travels as a pure one, and only
#: where it is declared does it become one that can open files.
WIDENED: Final[dict[type, tuple[tuple[type, ...], Narrow]]] = {
    **{
        each: ((type(pathlib.PurePath()),), as_path)
        for each in (pathlib.Path, type(pathlib.Path()))
    },
    pathlib.PurePath: (_PATHS, as_pure_path),
}
