"""
Records: what a value of a class arrives as, before anything is known of that class.

A dataclass, an attrs class, a Struct, a namedtuple and a member of an enum travel as the name
of their class and their fields. The decoder builds no class but `Record`: an annotation
converts it to the class that it names (`txremote.values`), and where there is none the record
is the value.

A record is a constant: it has the fields as attributes, and may be an item of a set or a key
of a dict where its fields may. No field hides one of its methods from this room, and none of
its own names hides a field: names with two underscores at both ends are no fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn

from txremote.wire.naming import is_a

#: What a record was at its sender.
KIND_OBJECT: Final = 0  # a dataclass, an attrs class, a Struct
KIND_NAMEDTUPLE: Final = 1
KIND_ENUM: Final = 2  # one field, "name"; members of a Flag are joined by "|", and none is ""
KIND_OTHER: Final = 3  # a value that this side cannot build: an array without numpy

KINDS: Final = ("object", "namedtuple", "enum", "other")


class Shape:
    """The kind, the class's name and the field names that records have in common."""

    __slots__ = ("fields", "kind", "name")

    def __init__(self, kind: int, name: str, fields: tuple[str, ...]) -> None:
        self.kind = kind
        self.name = name
        self.fields = fields


_new: Final = object.__new__


class Record:
    """
    A value of a class that this side has not declared: attributes, equality, ``repr``.

    Args:
        name: The name of the class.
        fields: Its fields.

    Raises:
        ValueError: a name is no identifier, or has two underscores at both ends.
    """

    __slots__ = ("__dict__", "__record__")

    __record__: Shape

    def __init__(self, name: str, /, **fields: object) -> None:
        names = tuple(fields)
        check_fields(name, names)
        _set_shape(self, Shape(KIND_OBJECT, name, names))
        _set_fields(self, fields)

    def asdict(self) -> dict[str, object]:
        """Return the fields by name, in order; records within stay records."""
        return dict(self.__dict__)

    def __eq__(self, other: object) -> bool:
        if type(other) is not Record:
            return NotImplemented
        mine, its = self.__record__, other.__record__
        if mine is not its and (mine.name, mine.kind, mine.fields) != (
            its.name,
            its.kind,
            its.fields,
        ):
            return False
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.__record__.name, *self.__dict__.values()))

    def __repr__(self) -> str:
        shape = self.__record__
        if shape.kind == KIND_ENUM:
            return f"<Record {shape.name}.{self.__dict__.get('name')}>"
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"Record({shape.name!r}{', ' if fields else ''}{fields})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Record is a constant: build another to change {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Record is a constant: build another to be without {name!r}")

    def __reduce__(self) -> tuple[object, ...]:
        shape = self.__record__
        return make_record, (shape.kind, shape.name, dict(self.__dict__))


# what __setattr__ does not let through, at the speed of C
_set_shape: Final = Record.__dict__["__record__"].__set__
_set_fields: Final = Record.__dict__["__dict__"].__set__


def build_record(shape: Shape, fields: dict[str, object]) -> Record:
    """Return a record of a shape, with a dict of its fields in their order, which it keeps."""
    record = _new(Record)
    _set_shape(record, shape)
    _set_fields(record, fields)
    return record


def make_record(kind: int, name: str, fields: Mapping[str, object]) -> Record:
    """Return a record of any kind. Raises as `Record` does."""
    names = tuple(fields)
    check_fields(name, names)
    return build_record(Shape(kind, name, names), dict(fields))


def check_fields(name: str, fields: tuple[str, ...]) -> None:
    """Raise ValueError if these names are not the names of a class and of different fields."""
    for each in (name, *fields):
        if not each.isidentifier():
            raise ValueError(f"{each[:100]!r} is no name of a class or field")
    for each in fields:
        if each.startswith("__") and each.endswith("__"):
            raise ValueError(f"{each[:100]!r} is no field: it has two underscores at both ends")
    if len(set(fields)) != len(fields):
        raise ValueError(f"{name[:100]} has two fields of one name")


def is_record(value: object) -> bool:
    """Tell whether a value is a record."""
    return is_a(value, Record)


def record_name(record: Record) -> str:
    """Return the name of the class that a record was of at its sender."""
    return record.__record__.name


def record_kind(record: Record) -> int:
    """Return what a record was: `KIND_OBJECT` and the others."""
    return record.__record__.kind


def record_fields(record: Record) -> dict[str, object]:
    """Return the fields of a record by name, in order: its own dictionary, not to be changed."""
    return record.__dict__
