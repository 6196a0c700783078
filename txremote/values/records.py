"""
Value types of classes with fields: dataclasses, attrs, Structs, named tuples, `TypedDict`.

They arrive as records that bear the name of the class, or, from a stock peer, as dicts; each
field is one column. A field that is not declared, or one that is missing and has no default, is
an error, and so is a record of another name. The class is built here and nowhere else, by its
constructor: a ``__post_init__`` or a validator that raises ValueError or TypeError refuses it.

An object of the class itself is one of ours, which the peer hands back: it is looked at, and
stays the object that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from txremote.values.leaves import Leaf
from txremote.values.nodes import SLOW, Mismatch, Part, SharedType, ValueType, Work, in_slices
from txremote.values.texts import shortened, shown
from txremote.wire.record import KIND_NAMEDTUPLE, KIND_OBJECT, Record, Shape
from txremote.wire.slices import Steps

T = TypeVar("T")

_shape_of: Final = attrgetter("__record__")
_fields_of: Final = attrgetter("__dict__")


class Field(NamedTuple):
    """
    One field of a class.

    Attributes:
        name: As an attribute, which it is in a record, too.
        argument: Its name for the constructor, or None where it is set afterwards.
        by_name: Whether the constructor takes it by name only.
        required: Whether the class has no default for it.
    """

    name: str
    argument: str | None
    by_name: bool
    required: bool


class RecordType(SharedType):
    """
    A class whose objects are records on the way.

    Attributes:
        cls: The class, or the `TypedDict`.
        fields: Its fields, in order.
        types: By field: its value type, or None where it is a reference.
    """

    __slots__ = (
        *("__weakref__", "_exact", "_simple", "cls", "fields", "kind", "name", "record_kind"),
        "types",
    )

    kind: str  # type: ignore[misc]

    def __init__(self, text: str, kind: str, cls: Callable[..., object]) -> None:
        super().__init__(text)
        self.kind = kind  # "record", "namedtuple" or "typeddict"
        self.cls = cls
        self.name: str = cls.__name__
        self.record_kind = KIND_NAMEDTUPLE if kind == "namedtuple" else KIND_OBJECT
        self.fields: tuple[Field, ...] = ()
        self.types: dict[str, ValueType | None] = {}
        self._simple: tuple[str, ...] | None = None  # the names of fields that are all leaves
        self._exact: tuple[frozenset[type], ...] = ()  # and their types

    def declare(self, fields: Sequence[Field], types: Iterable[ValueType | None]) -> None:
        """Take the fields of the class, which may be of this type, and their types."""
        self.fields = tuple(fields)
        self.types.update(zip((field.name for field in fields), types, strict=True))
        exact = tuple(each.exact for each in self.types.values() if type(each) is Leaf)
        is_called = all(field.argument and not field.by_name for field in fields)
        if is_called and len(exact) == len(fields):
            self._simple, self._exact = tuple(self.types), exact

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Go by the class, or the name of a record."""
        kind = type(raw)
        if self.kind == "typeddict":
            return kind is dict
        if kind is self.cls:
            return True
        if checking:
            return False
        if kind is Record:
            return self._is_ours(_shape_of(raw))
        if exactly:
            return False
        if kind is dict and isinstance(raw, dict):
            return self._fits(raw)
        if kind is tuple and isinstance(raw, tuple):
            return self.kind == "namedtuple" and len(raw) == len(self.types)
        return False

    def _is_ours(self, shape: Shape) -> bool:
        return shape.name == self.name and shape.kind == self.record_kind

    def _fits(self, names: Iterable[object]) -> bool:
        names = frozenset(names)
        required = {field.name for field in self.fields if field.required}
        return required <= names <= self.types.keys()

    def quick(self, raw: object, checking: bool) -> object:
        """Build one object whose fields are all there, and leaves."""
        if checking or type(raw) is not Record:
            return SLOW
        shape: Shape = _shape_of(raw)
        if shape.fields != self._simple or not self._is_ours(shape):
            return SLOW
        values = _fields_of(raw).values()
        for value, exact in zip(values, self._exact, strict=True):
            if type(value) not in exact:
                return SLOW
        try:
            return self.cls(*values)
        except (ValueError, TypeError):
            return SLOW  # a column tells it

    def fresh(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert a column whose parts are all of one kind, or each kind by itself."""
        kinds = set(map(type, column))
        if len(kinds) == 1:
            return self._of_one_kind(kinds.pop(), column, work)
        return self._each_apart(map(type, column), column, partial(self._of_one_kind, work=work))

    def _each_apart(
        self,
        marks: Iterable[T],
        column: Sequence[Any],
        convert: Callable[[T, Sequence[Any]], Steps[Sequence[object]]],
    ) -> Steps[Sequence[object]]:
        """Convert the parts of each mark as a column of their own."""
        places: dict[T, list[int]] = {}
        for place, mark in enumerate(marks):
            places.setdefault(mark, []).append(place)
        made: dict[int, object] = {}
        for mark, group in places.items():
            found = yield from convert(mark, [column[place] for place in group])
            made.update(zip(group, found, strict=True))
        return [made[place] for place in range(len(column))]

    # These return the generator of another one: see `in_slices`.

    def _of_one_kind(
        self, kind: type, column: Sequence[object], work: Work
    ) -> Steps[Sequence[object]]:
        if kind is self.cls and self.kind != "typeddict":
            return self._check(column, work.checker())
        if kind is dict:
            if work.checking and self.kind != "typeddict":
                raise Mismatch
            dicts: Iterable[Any] = column
            shapes = {tuple(part) for part in dicts}
        elif work.checking:
            raise Mismatch
        elif kind is Record:
            found = set(map(_shape_of, column))
            if not all(map(self._is_ours, found)):
                raise Mismatch
            shapes = {shape.fields for shape in found}
            dicts = map(_fields_of, column)
        elif kind is tuple and self.kind == "namedtuple":
            dicts = [self._named(part) for part in column]
            shapes = {tuple(self.types)}
        else:
            raise Mismatch
        return self._from_dicts([*dicts], shapes, work)

    def _from_dicts(
        self, dicts: Sequence[Mapping[str, object]], shapes: set[tuple[str, ...]], work: Work
    ) -> Steps[Sequence[object]]:
        every = set(map(frozenset, shapes))
        for names in every:
            self._refuse(names)
        if len(every) == 1:
            return self._build(every.pop(), dicts, work)
        # some were sent without a field that has a default
        return self._each_apart(map(frozenset, dicts), dicts, partial(self._build, work=work))

    def _refuse(self, names: frozenset[object]) -> None:
        """Raise Mismatch, which names the field, where these are not the fields of the class."""
        for name in names:
            if name not in self.types:
                raise Mismatch(f"{self.name} has no field {_quoted(name)}")
        for field in self.fields:
            if field.required and field.name not in names:
                raise Mismatch(f"field {field.name!r} of {self.name} is missing")

    def _build(
        self, names: frozenset[object], dicts: Sequence[Mapping[str, object]], work: Work
    ) -> Steps[Sequence[object]]:
        fields = [field for field in self.fields if field.name in names]
        columns = []
        for field in fields:
            column = [*map(itemgetter(field.name), dicts)]
            columns.append((yield from in_slices(self.types[field.name], column, work)))
        if work.checking:
            return dicts
        if self.kind == "typeddict":
            # in the order in which they came
            orders = [list(each) for each in dicts]
            rows = zip(*columns, strict=True) if columns else repeat((), len(dicts))
            found = [dict(zip((f.name for f in fields), row, strict=True)) for row in rows]
            return [
                {name: each[name] for name in order}
                for order, each in zip(orders, found, strict=True)
            ]
        try:
            return self._constructed(fields, columns, len(dicts))
        except (ValueError, TypeError) as problem:
            raise Mismatch(f"{self.name} refuses its fields: {shortened(str(problem))}") from None

    def _constructed(
        self, fields: Sequence[Field], columns: Sequence[Sequence[object]], count: int
    ) -> list[object]:
        cls = self.cls
        positional: list[Sequence[object]] = []
        named: dict[str, Sequence[object]] = {}
        later: list[tuple[str, Sequence[object]]] = []
        skipped = len(fields) < len(self.fields)
        for field, column in zip(fields, columns, strict=True):
            if field.argument is None:
                later.append((field.name, column))
            elif field.by_name or skipped:
                named[field.argument] = column
            else:
                positional.append(column)
        if not positional and not named:
            made = [cls() for _ in range(count)]
        elif not named:
            made = [*map(cls, *positional)]
        else:
            rows = zip(*positional, strict=True) if positional else repeat((), count)
            words = zip(*named.values(), strict=True)
            made = [
                cls(*row, **dict(zip(named, word, strict=True)))
                for row, word in zip(rows, words, strict=True)
            ]
        for name, column in later:
            for each, value in zip(made, column, strict=True):
                object.__setattr__(each, name, value)
        return made

    def _check(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        for field in self.fields:
            value_type = self.types[field.name]
            try:
                values = [*map(attrgetter(field.name), column)]
            except AttributeError:
                raise Mismatch(f"{self.name} without its field {field.name!r}") from None
            if value_type is not None:
                yield from in_slices(value_type, values, work)
        return column

    def parts(self, raw: object, checking: bool) -> Iterable[Part]:
        """Return the fields, if no field is unknown and none is missing."""
        if not self.accepts(raw, False, checking):
            return
        kind = type(raw)
        if kind is self.cls and self.kind != "typeddict":
            values: Mapping[str, object] = {
                name: getattr(raw, name) for name in self.types if hasattr(raw, name)
            }
        else:
            values = self._named(raw)
        for name, value_type in self.types.items():
            if value_type is not None and name in values:
                yield _part(value_type, values[name], self.kind, name)

    def _named(self, raw: object) -> Mapping[str, object]:
        if type(raw) is Record:
            found: Mapping[str, object] = _fields_of(raw)
            return found
        if isinstance(raw, Mapping):
            return raw
        if not isinstance(raw, tuple) or len(raw) != len(self.types):
            raise Mismatch(f"expected {self.text}, got {shown(raw)}")
        return dict(zip(self.types, raw, strict=True))


def _quoted(name: object) -> str:
    return shortened(repr(name[:100])) if isinstance(name, str) else shown(name)


def _part(value_type: ValueType, value: object, kind: str, name: str) -> Part:
    step = f"[{name!r}]" if kind == "typeddict" else f".{name}"
    return Part(value_type, (value,), lambda _: step)
