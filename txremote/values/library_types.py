"""
Annotations of numpy's, Arrow's and pandas' classes as value types.

``np.ndarray`` is an array of any dtype, ``NDArray[np.float64]`` one of that dtype in either byte
order, ``NDArray[np.floating]`` one of several, and ``np.ndarray[tuple[int, int], ...]`` says how
many axes it has. A scalar's class is the class itself: a float is no ``np.float64``. Nothing is
converted: an array of another dtype is refused, for a copy of another dtype may be rounded.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

from txremote.values.compiling import register_package
from txremote.values.leaves import InstanceType
from txremote.values.nodes import Mismatch, ValueType, Work
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


def compile_numpy(annotation: Any) -> ValueType | None:
    """Return the value type of an array or of a scalar, or None for what is neither."""
    numpy = sys.modules["numpy"]
    cls = typing.get_origin(annotation) or annotation
    if cls is numpy.ndarray:
        return _array_type(typing.get_args(annotation))
    if isinstance(cls, type) and issubclass(cls, numpy.generic):
        return InstanceType(cls.__name__, lambda value: isinstance(value, cls))
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
