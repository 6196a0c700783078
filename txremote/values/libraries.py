"""
The values of numpy, Arrow and pandas, in the wire's table of kinds.

To import this module is to add them; none of the three is imported by that. A class is asked
about by the name of its module, so a program that has such an object has imported its library. A
value that comes to a program without the library is kept as a `Record` with its parts as bytes: a
program in between passes that record on.

==== ============================ ==============================================
code value                        payload
==== ============================ ==============================================
64   `numpy.ndarray`              dtype, shape, order, bytes
65   scalars of `numpy`           dtype, bytes; or ``"str"`` or ``"bytes"`` and it
66   `pyarrow.Table`              stream
67   `pyarrow.RecordBatch`        stream
68   `pandas.DataFrame`           stream, dtypes, index, label stream, labels, attrs
69   `pandas.Series`              stream, dtype, index, name, attrs
==== ============================ ==============================================
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import txremote.values.library_types  # noqa: F401  their annotations are value types
from txremote.errors import NotSendable
from txremote.values.arrays import dump_array, dump_scalar, load_array
from txremote.values.frames import dump_frame, dump_series, load_frame, load_series
from txremote.values.scalars import plain
from txremote.values.tables import dump_table, load_batch, load_table
from txremote.wire.naming import full_name
from txremote.wire.record import KIND_OTHER, Shape, build_record
from txremote.wire.value_kinds import Dumper, Loader, Payload, plug
from txremote.wire.value_origins import noted

ARRAY: Final = 64
SCALAR: Final = 65
TABLE: Final = 66
BATCH: Final = 67
FRAME: Final = 68
SERIES: Final = 69


def _dump_array(array: Any) -> Payload:
    head, data = dump_array(array)
    return (*head, data)


def _dump_scalar(scalar: Any) -> Payload:
    return dump_scalar(scalar)


def _dump_stream(table: Any) -> Payload:
    return (dump_table(table),)


_ARRAY: Final = Dumper(ARRAY, _dump_array)
_SCALAR: Final = Dumper(SCALAR, _dump_scalar)


def _find_numpy(kind: type) -> Dumper | None:
    numpy = sys.modules["numpy"]
    if kind is numpy.ndarray:
        return _ARRAY
    if issubclass(kind, numpy.generic):
        return _SCALAR
    if issubclass(kind, numpy.ndarray):
        raise NotSendable(
            f"a {full_name(kind)} is a subclass of numpy.ndarray, and would arrive without what "
            "makes it one: send numpy.asarray(...) of it, or declare it by register_value"
        )
    return None


def _find_arrow(kind: type) -> Dumper | None:
    arrow = sys.modules["pyarrow"]
    if kind is arrow.Table:
        return Dumper(TABLE, _dump_stream)
    return Dumper(BATCH, _dump_stream) if kind is arrow.RecordBatch else None


def _find_pandas(kind: type) -> Dumper | None:
    pandas = sys.modules["pandas"]
    if kind is pandas.DataFrame:
        return Dumper(FRAME, dump_frame)
    return Dumper(SERIES, dump_series) if kind is pandas.Series else None


def _loader(
    library: str,
    name: str,
    fields: str,
    load: Callable[[Payload], object],
    cost: int,
    is_shared: bool = True,
) -> Loader:
    """Return a loader that builds values where their library is, and else keeps their parts."""
    names = tuple(fields.split())
    shape = Shape(KIND_OTHER, name, names)

    def load_if_here(payload: Payload) -> object:
        if library in sys.modules:
            return noted(load(payload)) if is_shared else load(payload)
        parts = [bytes(part) if type(part) is memoryview else part for part in payload]
        return build_record(shape, dict(zip(names, parts, strict=True)))

    return Loader(name, names, load_if_here, is_shared, takes_views=True, cost=cost)


def _view(data: object) -> memoryview:
    if type(data) is not memoryview:
        raise ValueError("a value of a library without its bytes")
    return data


plug(
    ("numpy",),
    _find_numpy,
    {
        ARRAY: _loader(
            *("numpy", "ndarray", "dtype shape order data"),
            lambda parts: load_array(parts[:3], _view(parts[3])),
            cost=4,
        ),
        SCALAR: _loader(
            "numpy", "scalar", "dtype data", lambda parts: plain(*parts), 2, is_shared=False
        ),
    },
)
# a table of nothing is some thousand bytes of a stream
plug(
    ("pyarrow",),
    _find_arrow,
    {
        TABLE: _loader("pyarrow", "Table", "stream", lambda parts: load_table(_view(parts[0])), 50),
        BATCH: _loader(
            "pyarrow", "RecordBatch", "stream", lambda parts: load_batch(_view(parts[0])), 50
        ),
    },
)
plug(
    ("pandas",),
    _find_pandas,
    {
        FRAME: _loader(
            "pandas", "DataFrame", "stream dtypes index label_stream labels attrs", load_frame, 100
        ),
        SERIES: _loader("pandas", "Series", "stream dtype index name attrs", load_series, 100),
    },
)
