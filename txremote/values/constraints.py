"""
Constraints in ``Annotated``: `msgspec.Meta`, and those of the package annotated-types.

msgspec checks what it knows for the type. Bounds of other types, such as a `Decimal` or a `date`,
bounds of more than 64 bits, and predicates are tested here. None is exempt from all of them, so
``Annotated[int | None, Ge(0)]`` means what it says. Anything else in an ``Annotated`` is for
others, and passed over.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from typing import Annotated, Any, Final

from txremote.values.containers import ContainerType
from txremote.values.leaves import Constrained, Leaf, import_msgspec
from txremote.values.nodes import ValueType

Test = tuple[Callable[[Any], object], str]

_BOUNDS: Final = {
    "gt": (operator.gt, ">"),
    "ge": (operator.ge, ">="),
    "lt": (operator.lt, "<"),
    "le": (operator.le, "<="),
}
_NAMES: Final = (*_BOUNDS, "multiple_of", "min_length", "max_length", "pattern", "tz")
_NATIVE: Final[dict[type, object]] = {
    **{each: each for each in (int, float, str, bytes, list, set, frozenset, dict)},
    tuple: tuple[Any, ...],
}


def constrained(inner: ValueType, metadata: Iterable[object]) -> ValueType:
    """Return a value type with the constraints of an ``Annotated`` added, if it has any."""
    native: Any = None
    tests: list[Test] = []
    for name, wanted in _found(metadata):
        meta = None if name == "test" else _meta(inner, name, wanted)
        if meta is not None:
            native = Annotated[native or _base(inner), meta]
        else:
            tests.append(wanted if name == "test" else _test(inner, name, wanted))
    if native is None and not tests:
        return inner
    return Constrained(inner, native, tests)


def _found(metadata: Iterable[object]) -> Iterator[tuple[str, Any]]:
    """Give the names and values of the constraints in an ``Annotated``."""
    for meta in metadata:
        package = type(meta).__module__.partition(".")[0]
        if package not in ("msgspec", "annotated_types"):
            continue
        if hasattr(meta, "__is_annotated_types_grouped_metadata__"):
            parts: Any = meta
            yield from _found(parts)
        elif hasattr(meta, "func"):
            name = getattr(meta.func, "__name__", "its predicate")
            yield "test", (meta.func, f"for which {name} is true")
        else:
            for name in _NAMES:
                wanted = getattr(meta, name, None)
                naive = name == "tz" and package == "annotated_types" and hasattr(meta, name)
                if wanted is not None or naive:
                    yield name, wanted


def _base(inner: ValueType) -> Any:
    exact: Iterable[type] = inner.exact if isinstance(inner, (Leaf, ContainerType)) else ()
    kinds = [*exact]
    return _NATIVE.get(kinds[0]) if len(kinds) == 1 else None


def _meta(inner: ValueType, name: str, wanted: object) -> object:
    """Return msgspec's form of a constraint, or None where it has none for the type."""
    base = _base(inner)
    if base is None or name == "tz":
        return None
    msgspec = import_msgspec()
    try:
        meta: object = msgspec.Meta(**{name: wanted})
        native: Any = Annotated[base, meta]
        msgspec.convert([], list[native])
    except (TypeError, ValueError):
        return None
    return meta


def _test(inner: ValueType, name: str, wanted: Any) -> Test:
    """Return a test of our own for a constraint."""
    if name in _BOUNDS:
        compare, sign = _BOUNDS[name]
        return _unless_none(lambda value: compare(value, wanted)), f"{sign} {wanted}"
    if name == "multiple_of":
        return _unless_none(lambda value: value % wanted == 0), f"that is a multiple of {wanted}"
    if name == "min_length":
        return _unless_none(lambda value: len(value) >= wanted), f"of length >= {wanted}"
    if name == "max_length":
        return _unless_none(lambda value: len(value) <= wanted), f"of length <= {wanted}"
    if name == "pattern":
        found = re.compile(wanted)
        return _unless_none(found.search), f"matching {wanted!r}"
    return _zone_test(wanted)


def _zone_test(wanted: Any) -> Test:
    if wanted is None or wanted is False:
        return _unless_none(lambda value: value.tzinfo is None), "without a timezone"
    if wanted is True or wanted is Ellipsis:
        return _unless_none(lambda value: value.tzinfo is not None), "with a timezone"
    if isinstance(wanted, tzinfo):
        return _unless_none(lambda value: value.tzinfo == wanted), f"in {wanted}"
    return _unless_none(lambda value: str(value.tzinfo) == wanted), f"in {wanted}"


def _unless_none(test: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: value is None or test(value)
