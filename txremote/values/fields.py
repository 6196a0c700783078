"""
The fields of a class, as dataclasses, attrs, msgspec, `NamedTuple` and `TypedDict` record them.

None of these packages is imported: a class bears the marks of the one that made it.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from txremote.values.annotations import annotations_of, resolved
from txremote.values.leaves import import_msgspec
from txremote.values.records import Field


def kind_of(cls: type) -> str | None:
    """Return "record", "namedtuple" or "typeddict" for a class of fields, None for others."""
    if typing.is_typeddict(cls):
        return "typeddict"
    if issubclass(cls, tuple):
        names = getattr(cls, "_fields", None)
        return "namedtuple" if isinstance(names, tuple) else None
    if "__attrs_attrs__" in cls.__dict__ or is_struct(cls):
        return "record"
    # a plain class that derives from a dataclass has none of its own
    if "__dataclass_fields__" not in cls.__dict__:
        return None
    marks: Mapping[str, Any] = cls.__dict__["__dataclass_fields__"]
    has_init_only = any(mark._field_type is _INIT_ONLY for mark in marks.values())
    return None if has_init_only else "record"


_INIT_ONLY: Any = getattr(dataclasses, "_FIELD_INITVAR")  # noqa: B009


def is_struct(cls: type) -> bool:
    """Tell whether a class is a `msgspec.Struct`."""
    return hasattr(cls, "__struct_fields__") and "msgspec" in sys.modules


def fields_of(cls: type) -> tuple[Field, ...]:
    """Return the fields of a class of fields, in order."""
    if typing.is_typeddict(cls):
        return _of_typeddict(cls)
    if issubclass(cls, tuple):
        return _of_namedtuple(cls)
    if "__attrs_attrs__" in cls.__dict__:
        return _of_attrs(cls)
    if is_struct(cls):
        return _of_struct(cls)
    missing = dataclasses.MISSING
    marked: Any = cls
    return tuple(
        Field(
            each.name,
            each.name if each.init else None,
            each.kw_only is True,
            bool(each.init and each.default is missing and each.default_factory is missing),
        )
        for each in dataclasses.fields(marked)
    )


def _of_typeddict(cls: Any) -> tuple[Field, ...]:
    marks: dict[object, bool] = {typing.Required: True, typing.NotRequired: False}
    names = sorted([*cls.__required_keys__, *cls.__optional_keys__])
    hints = hints_of(cls, names)
    # where the annotations are strings, Python has not seen their marks
    return tuple(
        Field(name, name, True, marks.get(typing.get_origin(hint), name in cls.__required_keys__))
        for name, hint in {**hints, **{name: hints.get(name) for name in names}}.items()
    )


def _of_namedtuple(cls: Any) -> tuple[Field, ...]:
    defaults = cls._field_defaults
    return tuple(Field(name, name, False, name not in defaults) for name in cls._fields)


def _of_attrs(cls: Any) -> tuple[Field, ...]:
    nothing = sys.modules["attr"].NOTHING
    return tuple(
        Field(
            each.name,
            (getattr(each, "alias", None) or each.name.lstrip("_")) if each.init else None,
            each.kw_only is True,
            each.init and each.default is nothing,
        )
        for each in cls.__attrs_attrs__
    )


def _of_struct(cls: Any) -> tuple[Field, ...]:
    import_msgspec()
    structs: Any = sys.modules["msgspec"].structs
    return tuple(
        Field(each.name, each.name, each.name not in cls.__match_args__, each.required)
        for each in structs.fields(cls)
    )


def hints_of(cls: type, names: Iterable[str]) -> dict[str, object]:
    """Return the annotations of a class's fields, evaluated; without those that cannot be."""
    wanted = dict.fromkeys(names)
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        found.update(resolved(base, annotations_of(base), cls, wanted))
    return found
