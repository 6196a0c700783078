"""
Slices of Arrow's tables and arrays in jobs and results: only the rows that they show travel.

Pickle takes the whole columns along that a slice is a view of: eight megabytes for ten rows of a
million. Arrow's own stream has the rows alone. So a slice goes as a stream where that saves much,
and all else of Arrow's as Arrow pickles it, which copies nothing.
"""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

from txremote.work.buffers import LEAST

if TYPE_CHECKING:
    import pyarrow as pa

#: What the pickle of anything of Arrow's has in it.
MARK = b"pyarrow"


def slice_form(found: object) -> Any:
    """Return how a slice that shows little of its memory is made anew, or NotImplemented."""
    if type(found).__module__ != "pyarrow.lib":
        return NotImplemented
    pa = sys.modules["pyarrow"]
    if not isinstance(found, (pa.Table, pa.RecordBatch, pa.ChunkedArray, pa.Array)):
        return NotImplemented
    try:
        if found.get_total_buffer_size() - found.nbytes < LEAST:
            return NotImplemented
        return _load, _stream(found)
    except pa.ArrowException:  # a type that Arrow's streams do not have
        return NotImplemented


def _stream(found: Any) -> tuple[pickle.PickleBuffer, str]:
    import pyarrow as pa

    shape = "table" if isinstance(found, pa.Table) else "batch"
    if isinstance(found, pa.ChunkedArray):
        found, shape = pa.table({"": found}), "chunks"
    elif isinstance(found, pa.Array):
        found, shape = pa.record_batch([found], names=[""]), "array"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, found.schema) as writer:
        writer.write(found)
    return pickle.PickleBuffer(sink.getvalue()), shape


def _load(stream: Any, shape: str) -> pa.Table | pa.RecordBatch | pa.Array:
    import pyarrow as pa

    with pa.ipc.open_stream(stream) as reader:
        if shape in ("table", "chunks"):
            table = reader.read_all()
            return table if shape == "table" else table.column(0)
        batch = reader.read_next_batch()
        return batch if shape == "batch" else batch.column(0)
