"""
Arrow's tables and record batches as values: a stream of Arrow's own IPC format.

The stream carries no extension types and is not compressed. Writing it copies the table once, and
only the rows that a slice shows. On the way in the stream is copied once, to where Arrow wants its
memory, so that a table keeps no frame alive; its columns are views of that copy.

Arrow trusts a stream in what costs no bytes, so that is looked at first:

* An extension type runs code of whoever has registered it, as soon as a schema is read. So the
  schema's message is searched for the key that marks them.
* Compressed buffers inflate without a limit; deltas of dictionaries are joined to what has come
  before, again and again. The heads of all messages are read for these, which are FlatBuffers that
  Arrow has verified.
* Views of strings and of lists, runs and unions can name the same bytes many times, and nulls take
  none: the former are refused, the latter counted.

The rest is read, and then Arrow's full validation has the last word: offsets, UTF-8, bounds.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

#: Longest head of a schema, in bytes, and most columns of all batches together.
LONGEST_SCHEMA: Final = 4 << 20
MOST_COLUMNS: Final = 200_000
#: Most values that may take no bytes, such as those of a column of nulls.
MOST_WEIGHTLESS: Final = DEFAULT_LIMITS.max_items

_EXTENSION: Final = b"ARROW:extension"

_TYPES: Final = (
    *("NA", "BOOL", "UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "UINT64", "INT64"),
    *("HALF_FLOAT", "FLOAT", "DOUBLE", "DECIMAL32", "DECIMAL64", "DECIMAL128", "DECIMAL256"),
    *("DATE32", "DATE64", "TIMESTAMP", "TIME32", "TIME64", "DURATION"),
    *("INTERVAL_MONTH_DAY_NANO", "BINARY", "STRING", "LARGE_BINARY", "LARGE_STRING"),
    *("FIXED_SIZE_BINARY", "LIST", "LARGE_LIST", "MAP", "FIXED_SIZE_LIST", "STRUCT", "DICTIONARY"),
)


def dump_table(table: pa.Table | pa.RecordBatch) -> memoryview:
    """
    Return a table or a record batch as a stream.

    Raises:
        NotSendable: it has a column of a type that does not travel.
    """
    import pyarrow as pa

    schema = table.schema
    columns = check_schema(schema, NotSendable)
    if any(_EXTENSION in key for key in _metadata_keys(schema)):
        raise NotSendable("an Arrow table whose metadata speaks of extension types: drop them")
    is_table = isinstance(table, pa.Table)
    if is_table and sum(c.num_chunks for c in table.columns) * columns > MOST_COLUMNS:
        table = table.combine_chunks()
    _check_weightless(table, NotSendable)
    sink = pa.BufferOutputStream()
    try:
        if is_table:
            table = table.unify_dictionaries()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write(table)
    except pa.ArrowException as problem:
        raise NotSendable(f"an Arrow table that cannot be written: {problem}"[:300]) from None
    return memoryview(sink.getvalue()).cast("B")


def load_table(data: bytes | memoryview) -> pa.Table:
    """
    Return the table of a stream, which is copied.

    Raises:
        RemoteProtocolError: it is no stream that `dump_table` may give.
    """
    import pyarrow as pa

    copy = pa.allocate_buffer(len(data))
    if len(data):
        memoryview(copy).cast("B")[:] = data
    try:
        _check_messages(copy)
        with pa.ipc.open_stream(copy) as reader:
            check_schema(reader.schema, RemoteProtocolError)
            table = reader.read_all()
        _check_weightless(table, RemoteProtocolError)
        table.validate(full=True)
    except RemoteProtocolError:
        raise
    except (pa.ArrowException, struct.error, ValueError, TypeError, OSError, LookupError) as why:
        raise RemoteProtocolError(f"no table of Arrow's: {why}"[:300]) from None
    return table


def load_batch(data: bytes | memoryview) -> pa.RecordBatch:
    """Return the record batch of a stream that has one. Raises as `load_table` does."""
    batches = load_table(data).to_batches()
    if len(batches) != 1:
        raise RemoteProtocolError(f"a record batch of Arrow's in {len(batches)} batches")
    return batches[0]


# --- types --------------------------------------------------------------------


def check_schema(schema: pa.Schema, error: type[Exception]) -> int:
    """Return how many columns there are, with those within others; raise for a wrong type."""
    import pyarrow as pa

    allowed = {getattr(pa.lib, f"Type_{name}", None) for name in _TYPES}
    for field in schema:
        str(field.type)  # ValueError where a name within, or a zone, is no UTF-8
    return sum(_check_type(field.type, field.name, allowed, error) for field in schema)


def _check_type(
    kind: pa.DataType, name: str, allowed: set[int | None], error: type[Exception]
) -> int:
    import pyarrow as pa

    if kind.id not in allowed:
        raise error(
            f"an Arrow column of type {str(kind)[:60]} ({name[:60]!r}): extension types, unions, "
            "views and runs do not travel; cast it to another one first"
        )
    inner = [kind.field(i).type for i in range(kind.num_fields)]
    if pa.types.is_dictionary(kind):
        inner.append(kind.value_type)
    return 1 + sum(_check_type(each, name, allowed, error) for each in inner)


def _metadata_keys(schema: pa.Schema) -> Iterator[bytes]:
    yield from schema.metadata or ()
    for field in schema:
        yield from field.metadata or ()


# --- what takes no bytes ------------------------------------------------------


def _check_weightless(table: pa.Table | pa.RecordBatch, error: type[Exception]) -> None:
    import pyarrow as pa

    count = 0 if table.num_columns else table.num_rows
    for column in table.columns:
        if _may_be_weightless(column.type):
            chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
            count += sum(map(_weightless, chunks))
    if count > MOST_WEIGHTLESS:
        raise error(
            f"an Arrow table of more than {MOST_WEIGHTLESS} nulls in columns that have nothing "
            "else (option max_items): give the columns another type"
        )


def _is_weightless(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return (
        pa.types.is_null(kind)
        or (pa.types.is_fixed_size_binary(kind) and not kind.byte_width)
        or (pa.types.is_fixed_size_list(kind) and not kind.list_size)
        or (pa.types.is_struct(kind) and not kind.num_fields)
    )


def _may_be_weightless(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if _is_weightless(kind):
        return True
    if pa.types.is_dictionary(kind):
        return _may_be_weightless(kind.value_type)
    return any(_may_be_weightless(kind.field(i).type) for i in range(kind.num_fields))


def _weightless(array: pa.Array) -> int:
    """Return how many of the values of an array, and of those within it, take no bytes."""
    import pyarrow as pa

    kind = array.type
    if _is_weightless(kind):
        return len(array)
    if pa.types.is_dictionary(kind):
        return _weightless(array.dictionary)
    if pa.types.is_struct(kind):
        return sum(_weightless(array.field(i)) for i in range(kind.num_fields))
    if pa.types.is_map(kind):
        return _weightless(array.keys) + _weightless(array.items)
    if kind.num_fields:
        return _weightless(array.values)
    return 0


# --- messages -----------------------------------------------------------------


def _check_messages(stream: pa.Buffer) -> None:
    """Read the heads of a stream's messages, for what Arrow would take without a limit."""
    import pyarrow as pa

    messages = iter(pa.ipc.MessageReader.open_stream(stream))
    first = next(messages, None)
    if first is None or first.type != "schema" or first.metadata.size > LONGEST_SCHEMA:
        raise RemoteProtocolError(
            "an Arrow stream that does not begin with a schema, or a long one"
        )
    if _EXTENSION in first.metadata.to_pybytes():
        raise RemoteProtocolError("an Arrow schema with extension types")
    columns = check_schema(pa.ipc.read_schema(first), RemoteProtocolError)
    known: set[int] = set()
    batches = 0
    for message in messages:
        head = message.metadata.to_pybytes()
        batch = _table_at(head, _slot(head, _root(head), _HEADER))
        if message.type == "dictionary":
            at = _slot(head, batch, _ID)
            number = struct.unpack_from("<q", head, at)[0] if at else 0
            delta = _slot(head, batch, _IS_DELTA)
            if number in known or (delta and head[delta]):
                raise RemoteProtocolError("an Arrow dictionary in parts")
            known.add(number)
            batch = _table_at(head, _slot(head, batch, _DATA))
        elif message.type != "record batch":
            raise RemoteProtocolError(f"an Arrow message of type {message.type}")
        else:
            batches += 1
        if batches > 1 and batches * max(columns, 1) > MOST_COLUMNS:
            raise RemoteProtocolError(f"an Arrow stream of {columns} columns in too many batches")
        if _slot(head, batch, _COMPRESSION):
            raise RemoteProtocolError("compressed Arrow data, which could inflate without a limit")


# Places of fields in the tables of Arrow's Message.fbs.
_HEADER: Final = 2
_ID, _DATA, _IS_DELTA = 0, 1, 2
_COMPRESSION: Final = 3


def _root(head: bytes) -> int:
    return int(struct.unpack_from("<I", head, 0)[0])


def _slot(head: bytes, table: int, number: int) -> int:
    """Return where a field of a FlatBuffers table is, 0 if it is absent."""
    fields = table - struct.unpack_from("<i", head, table)[0]
    place = 4 + 2 * number
    if place + 2 > struct.unpack_from("<H", head, fields)[0]:
        return 0
    offset = int(struct.unpack_from("<H", head, fields + place)[0])
    return table + offset if offset else 0


def _table_at(head: bytes, place: int) -> int:
    if not place:
        raise RemoteProtocolError("an Arrow message without its head")
    return int(place + struct.unpack_from("<I", head, place)[0])
