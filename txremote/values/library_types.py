"""
Annotations of numpy's, Arrow's and pandas' classes as value types.

``np.ndarray`` is an array of any dtype, ``NDArray[np.float64]`` one of that dtype in either byte
order, ``NDArray[np.floating]`` one of several, and ``np.ndarray[tuple[int, int], ...]`` says how
many axes it has. No array is converted: one of another dtype is refused, for a copy of another
dtype may be rounded.

A scalar travels as its dtype and bytes, and arrives as Python's value or as a `Record`
(`txremote.values.scalars`). Where its class is declared, it is made of these again.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

from txremote.values.compiling import register_package
from txremote.values.leaves import InstanceType
from txremote.values.nodes import Mismatch, ValueType, Work
from txremote.values.scalars import scalar_of
from txremote.values.texts import shown
from txremote.wire.slices import Steps


class ArrayType(InstanceType):
    """Arrays of numpy; the error tells an array's dtype and shape."""

    __slots__ = ()

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Ask for each."""
        for part in column:
            if not self.test(part):
                raise Mismatch(f"expected {self.text}, got {_shown(part)}")
        return column
        yield


def _shown(part: object) -> str:
    numpy = sys.modules["numpy"]
    if type(part) is not numpy.ndarray:
        return shown(part)
    array: Any = part
    return f"an array of dtype {str(array.dtype)[:60]} and shape {array.shape}"


class ScalarType(InstanceType):
    """Scalars of numpy, of a class or any class derived from it."""

    __slots__ = ("cls",)

    def __init__(self, cls: type) -> None:
        super().__init__(cls.__name__, lambda value: isinstance(value, cls))
        self.cls = cls

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Make each of what has arrived for it."""
        if work.checking:
            return (yield from super().many(column, work))
        made = [part if self.test(part) else scalar_of(part, self.cls) for part in column]
        if not all(map(self.test, made)):
            raise Mismatch
        return made

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Ask for it, or make it."""
        if self.test(raw) or exactly or checking:
            return self.test(raw)
        return self.test(scalar_of(raw, self.cls))


def compile_numpy(annotation: Any) -> ValueType | None:
    """Return the value type of an array or of a scalar, or None for what is neither."""
    numpy = sys.modules["numpy"]
    cls = typing.get_origin(annotation) or annotation
    if cls is numpy.ndarray:
        return _array_type(typing.get_args(annotation))
    if isinstance(cls, type) and issubclass(cls, numpy.generic):
        return ScalarType(cls)
    return None


def _array_type(arguments: tuple[Any, ...]) -> ValueType:
    numpy = sys.modules["numpy"]
    shape, dtype = (*arguments, None, None)[:2]
    wanted: Any = (*typing.get_args(dtype), None)[0]
    if isinstance(wanted, typing.TypeVar):
        wanted = wanted.__bound__
    scalar: type = numpy.generic
    if isinstance(wanted, type) and issubclass(wanted, numpy.generic):
        scalar = wanted
    axes = typing.get_args(shape) if typing.get_origin(shape) is tuple else (...,)
    count = None if ... in axes else len(axes)

    def test(value: Any) -> bool:
        return bool(
            type(value) is numpy.ndarray
            and issubclass(value.dtype.type, scalar)
            and (count is None or value.ndim == count)
        )

    text = "ndarray" if scalar is numpy.generic else f"NDArray[{scalar.__name__}]"
    return ArrayType(text if count is None else f"{text} of {count} axes", test)


def _exactly(*names: str) -> Callable[[object], ValueType | None]:
    """Return what takes the classes of these names, in any module of their package."""

    def compile_class(annotation: object) -> ValueType | None:
        cls = annotation
        if not isinstance(cls, type) or cls.__name__ not in names:
            return None
        package = sys.modules[cls.__module__.partition(".")[0]]
        found: object = getattr(package, cls.__name__, None)
        if found is not cls:
            return None
        return InstanceType(cls.__name__, lambda value: type(value) is found)

    return compile_class


register_package("numpy", compile_numpy)
register_package("pyarrow", _exactly("Table", "RecordBatch"))
register_package("pandas", _exactly("DataFrame", "Series"))
