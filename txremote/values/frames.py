"""
pandas' DataFrame and Series as values: Arrow's stream, and what Arrow does not know beside it.

The stream has the levels of the index and then the columns, without names; the labels of the
columns are an index, too, with a stream of its own. An index is one of:

===================================== ====================================================
``("range", start, stop, step, name)`` `pandas.RangeIndex`
``("index", name, dtype, freq)``       all with one level; ``freq`` is None or such as ``"D"``
``("multi", names, dtypes)``           `pandas.MultiIndex`
===================================== ====================================================

with dtypes as `txremote.values.frame_columns` has them. pandas' own metadata, a JSON text in
Arrow's schema, is not used: it would be a peer's word for pandas to look up.

A frame that arrives has memory of its own and is writable. A program that has not imported pandas
has no use for a frame, and pandas is not imported for a peer; pyarrow is, when one comes or goes.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Final

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.values.frame_columns import Dtype, Loading, as_index, dump_column
from txremote.values.tables import dump_table, load_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

#: Most rows of a frame without columns: they take no bytes.
MOST_ROWS: Final = 1 << 26

_FREQUENCY: Final = re.compile(r"-?[0-9]{0,9}[A-Za-z]{1,6}(-[A-Z]{3})?")

FramePayload = tuple[memoryview, tuple[Dtype, ...], Dtype, memoryview, Dtype, dict[object, object]]
SeriesPayload = tuple[memoryview, Dtype, Dtype, object, dict[object, object]]


def dump_frame(frame: pd.DataFrame) -> FramePayload:
    """
    Return a frame's columns, their dtypes, the index, the labels with their index, and ``attrs``.

    Raises:
        NotSendable: a column or an index would change on the way.
    """
    _need_arrow(NotSendable)
    _check_flags(frame)
    index, arrays = _dump_index(frame.index)
    labels, label_arrays = _dump_index(frame.columns)
    dtypes: list[Dtype] = []
    for place, label in enumerate(frame.columns):
        dtype, array = dump_column(frame.iloc[:, place], label)
        dtypes.append(dtype)
        arrays.append(array)
    return _stream(arrays), tuple(dtypes), index, _stream(label_arrays), labels, dict(frame.attrs)


def load_frame(payload: tuple[object, ...]) -> pd.DataFrame:
    """
    Return the frame of what `dump_frame` gives.

    Raises:
        RemoteProtocolError: it is nothing that `dump_frame` gives, or pyarrow is missing.
    """
    _need_arrow(RemoteProtocolError)
    import pandas as pd

    stream, dtypes, index, label_stream, labels, attrs = payload
    loading = Loading()
    try:
        if type(dtypes) is not tuple or type(attrs) is not dict:
            raise RemoteProtocolError("a frame of pandas' without its dtypes")
        columns = _load_index(labels, load_table(_bytes(label_stream)), loading, 0)
        table = load_table(_bytes(stream))
        rows = _load_index(index, table, loading, len(dtypes))
        parts = _load_columns(dtypes, table, loading)
        if len(columns) != len(parts):
            raise RemoteProtocolError("a frame of pandas' with a label for each column")
        made = {place: _as_series(part, rows) for place, part in enumerate(parts)}
        frame = pd.DataFrame(made, index=rows, copy=False)
        frame.columns = columns
        frame.attrs.update(attrs)
    except (ValueError, TypeError, ArithmeticError, LookupError) as problem:
        raise RemoteProtocolError(f"no frame of pandas': {problem}"[:300]) from None
    return frame


def dump_series(series: pd.Series) -> SeriesPayload:
    """Return a series' values, their dtype, index and name, and ``attrs``; see `dump_frame`."""
    _need_arrow(NotSendable)
    _check_flags(series)
    index, arrays = _dump_index(series.index)
    dtype, array = dump_column(series, series.name)
    return _stream([*arrays, array]), dtype, index, series.name, dict(series.attrs)


def load_series(payload: tuple[object, ...]) -> pd.Series:
    """Return the series of what `dump_series` gives; see `load_frame`."""
    _need_arrow(RemoteProtocolError)
    stream, dtype, index, name, attrs = payload
    loading = Loading()
    try:
        if type(attrs) is not dict:
            raise RemoteProtocolError("a series of pandas' without its attrs")
        table = load_table(_bytes(stream))
        rows = _load_index(index, table, loading, 1)
        [values] = _load_columns((dtype,), table, loading)
        series = _as_series(values, rows)
        series.name = name
        series.attrs.update(attrs)
    except (ValueError, TypeError, ArithmeticError, LookupError) as problem:
        raise RemoteProtocolError(f"no series of pandas': {problem}"[:300]) from None
    return series


# --- parts --------------------------------------------------------------------


def _need_arrow(error: type[NotSendable] | type[RemoteProtocolError]) -> None:
    try:
        import_module("pyarrow")
    except ImportError:
        text = "what pandas has travels through pyarrow: install it (txremote's extra 'arrow')"
        if error is RemoteProtocolError:
            raise RemoteProtocolError(text, "pyarrow") from None
        raise NotSendable(text) from None


def _check_flags(data: pd.DataFrame | pd.Series) -> None:
    if not data.flags.allows_duplicate_labels:
        raise NotSendable(
            "pandas data with allows_duplicate_labels=False, which would be lost: send "
            "data.set_flags(allows_duplicate_labels=True)"
        )


def _stream(arrays: Sequence[pa.Array]) -> memoryview:
    import pyarrow as pa

    # a batch, for a table without rows would be none, and lose its categories
    return dump_table(pa.record_batch(arrays, [str(place) for place in range(len(arrays))]))


def _bytes(stream: object) -> bytes | memoryview:
    if not isinstance(stream, bytes | memoryview):
        raise RemoteProtocolError("pandas data without its stream")
    return stream


def _load_columns(dtypes: tuple[object, ...], table: pa.Table, loading: Loading) -> list[object]:
    """Return the last columns of a table."""
    first = table.num_columns - len(dtypes)
    return [loading.column(dtype, table.column(place)) for place, dtype in enumerate(dtypes, first)]


def _as_series(values: object, rows: pd.Index) -> pd.Series:
    """Return a column with its dtype: pandas would make another of objects."""
    import pandas as pd

    return pd.Series(values, index=rows, dtype=getattr(values, "dtype", None), copy=False)


# --- indexes ------------------------------------------------------------------


def _dump_index(index: pd.Index) -> tuple[Dtype, list[pa.Array]]:
    import pandas as pd

    if type(index) is pd.RangeIndex:
        return ("range", index.start, index.stop, index.step, index.name), []
    if type(index) is pd.MultiIndex:
        levels = [
            dump_column(index.get_level_values(level), name)
            for level, name in enumerate(index.names)
        ]
        dtypes = tuple(dtype for dtype, _array in levels)
        return ("multi", tuple(index.names), dtypes), [array for _dtype, array in levels]
    dtype, array = dump_column(index, index.name)
    return ("index", index.name, dtype, _dump_frequency(index)), [array]


def _dump_frequency(index: pd.Index) -> str | None:
    import pandas as pd

    if getattr(index, "freq", None) is None:
        return None
    text: str = index.freqstr
    if not _FREQUENCY.fullmatch(text) or pd.tseries.frequencies.to_offset(text) != index.freq:
        raise NotSendable(
            f"an index of a frequency that would be lost ({text[:60]}): set index.freq to None"
        )
    return text


def _load_index(described: object, table: pa.Table, loading: Loading, others: int) -> pd.Index:
    """Return the index that the first columns of a table are; ``others`` follow."""
    import pandas as pd

    levels = table.num_columns - others
    match described:
        case ("range", int(start), int(stop), int(step), name) if levels == 0:
            index = pd.RangeIndex(start, stop, step, name=name)
            if len(index) != table.num_rows and (others or len(index) > MOST_ROWS):
                raise RemoteProtocolError(f"an index of {len(index)} rows for {table.num_rows}")
            return index
        case ("index", name, dtype, None | str() as frequency) if levels == 1:
            index = as_index(loading.column(dtype, table.column(0))).rename(name)
            return index if frequency is None else _with_frequency(index, frequency)
        case ("multi", tuple(names), tuple(dtypes)) if levels == len(dtypes) == len(names) > 0:
            parts = [as_index(loading.column(dtypes[i], table.column(i))) for i in range(levels)]
            return pd.MultiIndex.from_arrays(parts, names=names)
    raise RemoteProtocolError("an unknown index of pandas'")


def _with_frequency(index: pd.Index, frequency: str) -> pd.Index:
    import pandas as pd

    if not _FREQUENCY.fullmatch(frequency) or not hasattr(index, "freq"):
        raise RemoteProtocolError("an index of no known frequency")
    index.freq = pd.tseries.frequencies.to_offset(frequency)
    return index
