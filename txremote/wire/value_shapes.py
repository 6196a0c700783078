"""
How the values of a class travel inside an extended value, found once for each class.

The common builtins are encoded in place (`txremote.wire.values`). For all else the encoder
asks `plan_of` with the exact class. A subclass of a value type is never taken for it: its
values would arrive as something else, so they are refused, in a sentence that names
``register_value``. Anything else goes by reference.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final

from txremote.errors import NotSendable
from txremote.wire.naming import class_name, full_name
from txremote.wire.record import (
    KIND_ENUM,
    KIND_NAMEDTUPLE,
    KIND_OBJECT,
    Record,
    Shape,
    check_fields,
)
from txremote.wire.value_kinds import DUMPERS, LOADERS, VALUE_BASES, plugged_dumper

#: How a value travels.
RECORD: Final = 0
OTHER: Final = 1
RECEIVED: Final = 2  # a `Record`
REFERENCE: Final = 3

# Classes come and go, so when there are many plans all are dropped.
_MOST_PLANS: Final = 2_000

_attributes_of: Final = type.__dict__["__dict__"].__get__


class Plan:
    """
    How the values of one class travel.

    Attributes:
        how: `RECORD`, `OTHER`, `RECEIVED` or `REFERENCE`.
        get: The values of a record's fields, or the payload of another kind.
        shape: That of a record, or None.
        code: That of another kind, or -1.
        is_shared: Whether one value that stands at two places arrives as one.
        has_equality: Whether equal values arrive as equal ones; those of other classes are
            refused in sets and as keys.
        cost: The items that a value of another kind counts as, beside its own.
    """

    __slots__ = ("code", "cost", "get", "has_equality", "how", "is_shared", "shape")

    def __init__(
        self,
        how: int,
        get: Callable[[object], Iterable[object]],
        *,
        shape: Shape | None = None,
        code: int = -1,
        is_shared: bool = True,
        has_equality: bool = True,
        cost: int = 0,
    ) -> None:
        self.how = how
        self.get = get
        self.shape = shape
        self.code = code
        self.is_shared = is_shared
        self.has_equality = has_equality
        self.cost = cost


def _nothing(value: object) -> Iterable[object]:
    return ()


def _record_values(value: object) -> Iterable[object]:
    assert isinstance(value, Record)
    return value.__dict__.values()


_REFERENCE: Final = Plan(REFERENCE, _nothing, is_shared=False)
_RECEIVED: Final = Plan(RECEIVED, _record_values)

_plans: Final[dict[type, Plan]] = {}
_registered: Final[dict[type, Plan]] = {}


def plan_of(kind: type) -> Plan:
    """
    Return how the values of a class travel.

    Raises:
        NotSendable: they are values, but cannot be kept.
    """
    found = _plans.get(kind)
    if found is None:
        found = _new_plan(kind)
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[kind] = found
    return found


def is_value_class(kind: type) -> bool:
    """Tell whether values of a class travel as values, or are refused because they cannot."""
    try:
        return plan_of(kind).how != REFERENCE
    except NotSendable:
        return True


def plan_registered(kind: type, plan: Plan) -> None:
    """Let the values of a class travel by this plan from now on."""
    _registered[kind] = plan
    _plans.clear()


def _new_plan(kind: type) -> Plan:
    if kind in _registered:
        return _registered[kind]
    if kind is Record:
        return _RECEIVED
    dumper = DUMPERS.get(kind) or plugged_dumper(kind)
    if dumper is not None:
        loader = LOADERS[dumper.code]
        shared, cost = loader.is_shared, loader.cost
        return Plan(OTHER, dumper.dump, code=dumper.code, is_shared=shared, cost=cost)
    if issubclass(kind, enum.Enum):
        return Plan(RECORD, _enum_name, shape=_shape(KIND_ENUM, kind, ("name",)))
    names = _namedtuple_fields(kind)
    if names is not None:
        return Plan(RECORD, _namedtuple_items, shape=_shape(KIND_NAMEDTUPLE, kind, names))
    for base in VALUE_BASES:
        if issubclass(kind, base):
            raise NotSendable(
                f"a {full_name(kind)} is a subclass of {class_name(base)}, and would arrive as "
                f"something else: send a {class_name(base)}, or declare the class by register_value"
            )
    names = _field_names(kind)
    if names is None:
        return _REFERENCE
    return Plan(
        *(RECORD, _fields_getter(names)),
        shape=_shape(KIND_OBJECT, kind, names),
        has_equality=_has_equality(kind),
    )


def _has_equality(kind: type) -> bool:
    config = getattr(kind, "__struct_config__", None)
    if config is not None:  # a Struct has an __eq__ in any case
        return bool(config.eq)
    own: object = kind.__eq__
    return own is not object.__eq__


def _shape(kind_of_record: int, kind: type, names: tuple[str, ...]) -> Shape:
    try:
        check_fields(class_name(kind), names)
    except ValueError as problem:
        raise NotSendable(f"a {full_name(kind)} cannot be sent as a value: {problem}") from None
    return Shape(kind_of_record, class_name(kind), names)


def _field_names(kind: type) -> tuple[str, ...] | None:
    """Return the names of a dataclass's, attrs class's or Struct's fields; None for others."""
    own = _attributes_of(kind)
    if "__dataclass_fields__" in own:
        return tuple(field.name for field in dataclasses.fields(kind))
    if "__attrs_attrs__" in own:
        return tuple(field.name for field in own["__attrs_attrs__"])
    msgspec = sys.modules.get("msgspec")
    if msgspec is not None:
        if issubclass(kind, msgspec.Struct):
            return tuple(kind.__struct_fields__)  # type: ignore[attr-defined]
        if kind is type(msgspec.UNSET):
            raise NotSendable("a field of a Struct is UNSET: give it a value before it is sent")
    for base in kind.__mro__:
        if not {"__dataclass_fields__", "__attrs_attrs__"}.isdisjoint(_attributes_of(base)):
            raise NotSendable(
                f"a {full_name(kind)} is a subclass of {class_name(base)} and no dataclass or "
                "attrs class itself, so what it adds would be lost: decorate it too, or declare "
                "it by register_value"
            )
    return None


def _fields_getter(names: tuple[str, ...]) -> Callable[[object], Iterable[object]]:
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return _nothing
    get = attrgetter(names[0])
    return lambda value: (get(value),)


def _namedtuple_fields(kind: type) -> tuple[str, ...] | None:
    names = getattr(kind, "_fields", None) if issubclass(kind, tuple) else None
    if type(names) is tuple and all(type(name) is str for name in names):
        return names
    return None


def _namedtuple_items(value: object) -> Iterable[object]:
    assert isinstance(value, tuple)
    if getattr(value, "__dict__", None):
        raise NotSendable(
            f"a {full_name(type(value))} with attributes beside its items would lose them: "
            "declare it by register_value"
        )
    items = tuple.__getitem__(value, slice(None))
    if len(items) != len(_namedtuple_fields(type(value)) or ()):
        raise NotSendable(f"a {full_name(type(value))} has not an item for each of its fields")
    return items


def _enum_name(value: object) -> Iterable[object]:
    assert isinstance(value, enum.Enum)
    kind = type(value)
    name: str | None = value._name_
    if kind.__members__.get(name or "") is value:
        return (name,)
    if not isinstance(value, enum.Flag):
        raise NotSendable(f"a {full_name(kind)} that is no member of it: {name!r:.100}")
    found = type(value)(0)
    for bit in value:
        found |= bit
    if found != value:
        raise NotSendable(f"a {full_name(kind)} has bits that no member names")
    return ("|".join(str(bit._name_) for bit in value),)
