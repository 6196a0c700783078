"""
A column of pandas as one of Arrow, and back.

Arrow has fewer dtypes than pandas, and pandas' own way through it changes some: objects become
numbers, NaN becomes None. So what pandas says of a column, its *dtype*, travels beside it as a
tuple, and a column whose values Arrow would change is refused:

============================ ==================================================================
dtype                        the column
============================ ==================================================================
``("numpy", text)``          bools, ints, floats, datetime64 and timedelta64 of numpy's
``("nullable", name)``       ``Int8`` to ``UInt64``, ``Float32``, ``Float64``, ``boolean``
``("string", storage, na)``  `pandas.StringDtype`
``("object", na)``           Python's objects: str, and None or NaN where there is none
``("zoned", unit, zone)``    dates of a time zone, which is a value itself
``("category", ordered, d)`` categories, themselves of dtype ``d``
``("arrow",)``               `pandas.ArrowDtype`
============================ ==================================================================

A peer's dtype is looked up in these lists and never given to pandas as text, for pandas would
open files to find a zone of that name.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import TYPE_CHECKING, Final

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    Array = npt.NDArray[np.generic]

Dtype = tuple[object, ...]

#: Most values of one message that become a Python object each.
MOST_OBJECTS: Final = DEFAULT_LIMITS.max_items

_NUMPY: Final = re.compile(r"[<|](b1|[iu][1248]|f[248]|[mM]8\[(s|ms|us|ns)\])")
_NULLABLE: Final = frozenset(
    {
        *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
        *("Float32", "Float64", "boolean"),
    }
)
_ZONES: Final = (zoneinfo.ZoneInfo, datetime.timezone)


# --- to Arrow -----------------------------------------------------------------


def dump_column(column: pd.Series | pd.Index, name: object) -> tuple[Dtype, pa.Array]:
    """
    Return a column's dtype, and the column as Arrow has it; ``name`` is for errors.

    Raises:
        NotSendable: it would change on the way.
    """
    import numpy as np
    import pyarrow as pa

    try:
        if isinstance(column.dtype, np.dtype):
            if column.dtype.kind == "O":
                return _dump_objects(column, name)
            return _dump_numpy(column.to_numpy(), name)
        return _dump_extension(column, name)
    except (pa.ArrowException, UnicodeEncodeError) as problem:
        raise NotSendable(f"a column {name!r:.60} that Arrow cannot carry: {problem}") from None


def _refused(name: object, dtype: object, what: str) -> NotSendable:
    return NotSendable(f"a pandas column {name!r:.60} of dtype {str(dtype)[:60]}: {what}")


def _dump_numpy(values: Array, name: object) -> tuple[Dtype, pa.Array]:
    import pyarrow as pa

    text = values.dtype.str
    if not _NUMPY.fullmatch(text):
        raise _refused(name, values.dtype, "Arrow has none; give it another (.astype)")
    return ("numpy", text), pa.array(values, from_pandas=False)


def _dump_objects(column: pd.Series | pd.Index, name: object) -> tuple[Dtype, pa.Array]:
    import pyarrow as pa

    values = column.tolist()
    kinds = set(map(type, values))
    missing = kinds - {str}
    if missing == {float}:
        if any(type(value) is float and value == value for value in values):  # noqa: PLR0124
            missing = {object}
        else:
            values = [value if type(value) is str else None for value in values]
    if missing not in (set(), {type(None)}, {float}):
        raise _refused(
            name,
            "object",
            "of Python's objects only str travel, with either None or NaN among them; give it "
            "a dtype (.astype, or .infer_objects)",
        )
    return ("object", "nan" if missing == {float} else "None"), pa.array(values, pa.large_string())


def _dump_extension(column: pd.Series | pd.Index, name: object) -> tuple[Dtype, pa.Array]:
    import pandas as pd
    import pyarrow as pa

    dtype = column.dtype
    if str(dtype) in _NULLABLE:
        return ("nullable", str(dtype)), pa.array(column.array)
    if isinstance(dtype, pd.CategoricalDtype):
        inner, categories = dump_column(column.array.categories, name)
        codes = column.array.codes
        indices = pa.array(codes, mask=codes == -1)
        packed = pa.DictionaryArray.from_arrays(indices, categories, ordered=bool(dtype.ordered))
        return ("category", bool(dtype.ordered), inner), packed
    if isinstance(dtype, pd.DatetimeTZDtype):
        if type(dtype.tz) not in _ZONES:
            what = "its zone is another library's: convert it to a zoneinfo.ZoneInfo (tz_convert)"
            raise _refused(name, dtype, what)
        plain = pd.DatetimeIndex(column).tz_convert("UTC").tz_localize(None)
        return ("zoned", dtype.unit, dtype.tz), _dump_numpy(plain.to_numpy(), name)[1]
    if isinstance(dtype, pd.StringDtype) and dtype.storage in ("python", "pyarrow"):
        missing = "NA" if getattr(dtype, "na_value", pd.NA) is pd.NA else "nan"
        return ("string", dtype.storage, missing), _joined(pa.array(column.array))
    arrow_dtype = getattr(pd, "ArrowDtype", None)
    if arrow_dtype is not None and isinstance(dtype, arrow_dtype):
        return ("arrow",), _joined(pa.array(column.array))
    what = "no column of Arrow's keeps it; give it another (.astype)"
    raise _refused(name, dtype, what)


def _joined(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    if not isinstance(array, pa.ChunkedArray):
        return array
    return array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()


# --- from Arrow ---------------------------------------------------------------


class Loading:
    """Columns on their way to pandas; all of one message count together."""

    def __init__(self) -> None:
        self._objects = MOST_OBJECTS

    def column(self, dtype: object, column: pa.ChunkedArray) -> object:
        """
        Return what pandas makes a column of: an array of numpy's, or of its own.

        Raises:
            RemoteProtocolError: the dtype is none, or not this column's.
        """
        if type(dtype) is not tuple or not dtype or type(dtype[0]) is not str:
            raise RemoteProtocolError("a dtype of pandas' is a tuple with its kind")
        load = _LOADERS.get((dtype[0], len(dtype)))
        if load is None:
            raise RemoteProtocolError(f"an unknown dtype of pandas' ({dtype[0][:40]!r})")
        return load(self, dtype, column)

    def plain(self, dtype: Dtype, column: pa.ChunkedArray) -> object:
        """Load what numpy has."""
        import numpy as np

        if type(dtype[1]) is not str or not _NUMPY.fullmatch(dtype[1]):
            raise RemoteProtocolError("no dtype of numpy's that Arrow has")
        return _as_numpy(np.dtype(dtype[1]), column)

    def nullable(self, dtype: Dtype, column: pa.ChunkedArray) -> object:
        """Load numbers with a mask."""
        import pandas as pd

        if type(dtype[1]) is not str or dtype[1] not in _NULLABLE:
            raise RemoteProtocolError("no nullable dtype of pandas'")
        kind = pd.api.types.pandas_dtype(dtype[1])
        _check_arrow_type(kind.numpy_dtype, column)
        return kind.__from_arrow__(column)

    def string(self, dtype: Dtype, column: pa.ChunkedArray) -> object:
        """Load text."""
        import pandas as pd

        _check_text(column)
        if dtype[1] == "python":
            self._take(len(column))
        elif dtype[1] != "pyarrow":
            raise RemoteProtocolError("a str column of an unknown storage")
        if dtype[2] == "NA":
            return pd.StringDtype(dtype[1]).__from_arrow__(column)
        try:
            kind = pd.StringDtype(dtype[1], na_value=float("nan"))
        except TypeError:
            raise RemoteProtocolError(
                "the peer's pandas has another str than this one: update it, or have the peer "
                "send the columns .astype('string')",
                "pandas",
            ) from None
        return kind.__from_arrow__(column)

    def objects(self, dtype: Dtype, column: pa.ChunkedArray) -> object:
        """Load text as objects."""
        import numpy as np

        _check_text(column)
        self._take(len(column))
        values = np.empty(len(column), object)
        values[:] = column.to_pylist()
        if dtype[1] == "nan":
            values[column.is_null().to_numpy()] = np.nan
        elif dtype[1] != "None":
            raise RemoteProtocolError("a column of objects with None or NaN")
        return values

    def zoned(self, dtype: Dtype, column: pa.ChunkedArray) -> object:
        """Load dates of a zone."""
        import numpy as np
        import pandas as pd

        _kind, unit, zone = dtype
        if unit not in ("s", "ms", "us", "ns") or type(zone) not in _ZONES:
            raise RemoteProtocolError("dates of a zone that this side does not know")
        plain = _as_numpy(np.dtype(f"M8[{unit}]"), column)
        return pd.DatetimeIndex(plain).tz_localize("UTC").tz_convert(zone).array

    def category(self, dtype: Dtype, column: pa.ChunkedArray) -> object:
        """Load categories."""
        import pandas as pd
        import pyarrow as pa

        _kind, ordered, inner = dtype
        if not pa.types.is_dictionary(column.type) or type(ordered) is not bool:
            raise RemoteProtocolError("categories without their dictionary")
        packed = _joined(column)
        categories = self.column(inner, pa.chunked_array([packed.dictionary]))
        codes = packed.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return pd.Categorical.from_codes(codes, as_index(categories), ordered=ordered)

    def arrow(self, _dtype: Dtype, column: pa.ChunkedArray) -> object:
        """Load what stays Arrow's."""
        import pandas as pd

        return pd.arrays.ArrowExtensionArray(column)

    def _take(self, count: int) -> None:
        self._objects -= count
        if self._objects < 0:
            raise RemoteProtocolError(
                f"more than {MOST_OBJECTS} str in a pandas table (option max_items): have the "
                "peer send it in parts, or with columns of Arrow's (.astype('string[pyarrow]'))",
                "max_items",
            )


_LOADERS: Final = {
    ("numpy", 2): Loading.plain,
    ("nullable", 2): Loading.nullable,
    ("string", 3): Loading.string,
    ("object", 2): Loading.objects,
    ("zoned", 3): Loading.zoned,
    ("category", 3): Loading.category,
    ("arrow", 1): Loading.arrow,
}


def as_index(values: object) -> pd.Index:
    """Return a column's values as an index of the same dtype."""
    import pandas as pd

    return pd.Index(values, dtype=getattr(values, "dtype", None), copy=False)


def _as_numpy(dtype: np.dtype[np.generic], column: pa.ChunkedArray) -> Array:
    import numpy as np

    _check_arrow_type(dtype, column)
    if column.null_count and dtype.kind not in "mM":
        raise RemoteProtocolError("a column of numpy's with nulls")
    if not len(column):
        return np.empty(0, dtype)
    return np.array(column.to_numpy(), dtype)  # a copy that can be written to


def _check_arrow_type(dtype: np.dtype[np.generic], column: pa.ChunkedArray) -> None:
    import pyarrow as pa

    if column.type != pa.from_numpy_dtype(dtype):
        raise RemoteProtocolError(f"an Arrow column of type {str(column.type)[:60]} for {dtype}")


def _check_text(column: pa.ChunkedArray) -> None:
    import pyarrow as pa

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise RemoteProtocolError(f"an Arrow column of type {str(column.type)[:60]} for str")
