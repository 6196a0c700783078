"""
numpy's scalars as they arrive, and where their classes are declared.

A scalar has the methods of an array, those that write files among them, and takes no weak
reference by which it could be known later that a peer has sent it (see
`txremote.wire.value_origins`). So it arrives as Python's equal value, or as a `Record` of its
dtype and bytes where Python has none; and is made where its class is declared.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from txremote.errors import RemoteProtocolError
from txremote.values.arrays import load_scalar
from txremote.wire.record import (
    KIND_OTHER,
    Record,
    Shape,
    build_record,
    record_fields,
    record_kind,
    record_name,
)

_SHAPE: Final = Shape(KIND_OTHER, "scalar", ("dtype", "data"))

#: By the type of what arrives: the names of numpy's usual class for it, and of that class's family.
_USUAL: Final[dict[type, tuple[str, str]]] = {
    bool: ("bool_", "bool_"),
    int: ("int64", "integer"),
    float: ("float64", "floating"),
    complex: ("complex128", "complexfloating"),
    str: ("str_", "str_"),
    bytes: ("bytes_", "bytes_"),
}


def plain(described: object, data: object) -> object:
    """Return a scalar's value in Python, or a record of it. Raises as `load_scalar` does."""
    scalar: Any = load_scalar(described, data)
    if isinstance(scalar, str):
        return str.__str__(scalar)
    if isinstance(scalar, bytes):
        return bytes(scalar)
    kind, size = scalar.dtype.kind, scalar.dtype.itemsize
    if kind in "biu" or (kind == "f" and size <= 8) or (kind == "c" and size <= 16):
        value: object = scalar.item()
        return value
    content = bytes(data) if isinstance(data, memoryview) else data
    return build_record(_SHAPE, {"dtype": described, "data": content})


def scalar_of(raw: object, cls: type) -> object:
    """Return the scalar, of a class or one derived from it, of what `plain` gives; or ``raw``."""
    if isinstance(raw, Record):
        if record_kind(raw) != KIND_OTHER or record_name(raw) != _SHAPE.name:
            return raw
        fields = record_fields(raw)
        try:
            return load_scalar(fields.get("dtype"), fields.get("data"))
        except RemoteProtocolError:  # it is none
            return raw
    if type(raw) not in _USUAL:
        return raw
    numpy: Any = sys.modules["numpy"]
    usual, family = (getattr(numpy, name) for name in _USUAL[type(raw)])
    if issubclass(usual, cls):
        kinds = (usual, numpy.uint64) if issubclass(numpy.uint64, cls) else (usual,)
    elif cls is numpy.unsignedinteger and type(raw) is int:
        kinds = (numpy.uint64,)
    elif issubclass(cls, family) and not issubclass(cls, numpy.timedelta64):
        kinds = (cls,)
    else:
        return raw
    for kind in kinds:
        found = _made(kind, raw)
        if found is not None:
            return found
    return raw


def _made(kind: Any, raw: object) -> object | None:
    """Return a scalar that is equal to a value, or None where a class has none."""
    numpy: Any = sys.modules["numpy"]
    try:
        with numpy.errstate(all="ignore"):
            found = kind(raw)
        back = found.item()
    except (OverflowError, TypeError, ValueError):  # too long; or the class is an abstract one
        return None
    if isinstance(raw, (str, bytes)):
        return found if len(found) == len(raw) else None
    # NaN is no number that is equal to itself
    return found if back == raw or (back != back and raw != raw) else None  # noqa: PLR0124
