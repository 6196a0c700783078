"""Arrow's tables: what arrives is what was sent, and a stream that would grow is refused."""

from __future__ import annotations

import datetime
import decimal
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import examples
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.values import tables
from txremote.values.tables import dump_table, load_batch, load_table

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra arrow)")

DAY = datetime.date(2026, 1, 2)
TABLE = pa.table(
    {
        "int": pa.array([1, None, 3], pa.int16()),
        "float": [1.5, float("nan"), -0.0],
        "text": ["a", None, "\U0001f600"],
        "bool": [True, False, None],
        "day": pa.array([DAY, None, DAY]),
        "at": pa.array([0, 1, None], pa.timestamp("ns", tz="Europe/Berlin")),
        "price": pa.array([decimal.Decimal("1.25"), None, None]),
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
        "list": [[1, 2], None, []],
        "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}],
        "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int8())),
        "fixed": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int8(), 2)),
        "nothing": pa.nulls(3),
    },
    metadata={"who": "us"},
)


def stream(table: Any, **options: Any) -> bytes:
    """Return a table as pyarrow writes it, with options that we do not use."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write(table)
    return bytes(sink.getvalue())


def test_a_table_of_many_types_arrives_as_it_was() -> None:
    arrived = load_table(dump_table(TABLE))
    assert type(arrived) is pa.Table
    assert arrived.schema.equals(TABLE.schema, check_metadata=True)
    assert arrived.drop_columns(["float"]) == TABLE.drop_columns(["float"])
    assert [struct.pack("d", x) for x in arrived["float"].to_pylist()] == [
        struct.pack("d", x) for x in TABLE["float"].to_pylist()
    ]


def test_a_record_batch_arrives_as_one() -> None:
    batch = TABLE.select(["int", "kind"]).to_batches()[0]
    arrived = load_batch(dump_table(batch))
    assert type(arrived) is pa.RecordBatch
    assert arrived == batch
    with pytest.raises(RemoteProtocolError, match="2 batches"):
        load_batch(dump_table(pa.concat_tables([TABLE, TABLE])))


@pytest.mark.parametrize("table", [pa.table({}), TABLE.slice(0, 0), pa.table({"a": []})])
def test_an_empty_table_arrives_empty(table: Any) -> None:
    assert load_table(dump_table(table)).equals(table)


def test_a_slice_takes_its_rows_alone() -> None:
    table = pa.table({"a": range(100_000)})
    data = dump_table(table.slice(5, 10))
    assert len(data) < 1000
    assert load_table(data) == table.slice(5, 10)


def test_many_chunks_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_COLUMNS", 20)
    one = pa.table({"a": [1], "b": ["x"]})
    table = pa.concat_tables([one] * 50)
    assert load_table(dump_table(table)) == table
    with pytest.raises(RemoteProtocolError, match="too many batches"):
        load_table(stream(table))


def test_dictionaries_of_chunks_are_made_one() -> None:
    chunks = [pa.array([text]).dictionary_encode() for text in ("a", "b", "a")]
    table = pa.table({"kind": pa.chunked_array(chunks)})
    assert load_table(dump_table(table))["kind"].to_pylist() == ["a", "b", "a"]


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(), st.text()), max_size=20))
@settings(max_examples=examples(30), deadline=None)
def test_any_rows_arrive_as_they_were(rows: list[tuple[int, float, str]]) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    types = (pa.int64(), pa.float64(), pa.string())
    try:
        arrays = [pa.array(c, t) for c, t in zip(columns, types, strict=True)]
    except UnicodeEncodeError:
        return
    table = pa.table(arrays, ["a", "b", "c"])
    assert bytes(dump_table(load_table(dump_table(table)))) == bytes(dump_table(table))


# --- refused ----------------------------------------------------------------------


def extension() -> Any:
    storage = pa.array([b"1" * 16])
    kind = getattr(pa, "uuid", None)
    if kind is None:
        pytest.skip("this pyarrow has no extension types of its own")
    return pa.ExtensionArray.from_storage(kind(), storage.cast(pa.binary(16)))


@pytest.mark.parametrize(
    "column",
    [
        extension,
        lambda: pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
        lambda: pa.RunEndEncodedArray.from_arrays([5], ["x"]),
        lambda: pa.array(["x"], pa.string_view()),
        lambda: pa.array([["x"]], pa.list_(pa.binary_view())),
    ],
    ids=["extension", "union", "runs", "views", "views within"],
)
def test_types_that_run_code_or_grow_are_refused_both_ways(column: Callable[[], Any]) -> None:
    try:
        table = pa.table({"a": column()})
    except AttributeError:
        pytest.skip("this pyarrow has no such type")
    with pytest.raises(NotSendable, match=r"extension|cast"):
        dump_table(table)
    with pytest.raises(RemoteProtocolError, match=r"extension|cast"):
        load_table(stream(table))


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_buffers_are_refused_before_they_inflate(codec: str) -> None:
    with pytest.raises(RemoteProtocolError, match="compressed"):
        load_table(stream(pa.table({"a": [0] * 1000}), compression=codec))
    kinds = pa.array(["x" * 100] * 1000).dictionary_encode()
    with pytest.raises(RemoteProtocolError, match="compressed"):
        load_table(stream(pa.table({"a": kinds}), compression=codec))


@pytest.mark.parametrize("deltas", [False, True])
def test_dictionaries_in_parts_are_refused(deltas: bool) -> None:
    first = pa.array(["a"]).dictionary_encode()
    second = pa.DictionaryArray.from_arrays(pa.array([1], pa.int32()), ["a", "b"])
    table = pa.table({"kind": pa.chunked_array([first, second])})
    with pytest.raises(RemoteProtocolError, match="dictionary in parts"):
        load_table(stream(table, emit_dictionary_deltas=deltas))


@pytest.mark.parametrize(
    "make",
    [
        lambda n: pa.table({"a": pa.nulls(n)}),
        lambda n: pa.table({"a": pa.StructArray.from_arrays([pa.nulls(n)], ["x"])}),
        lambda n: pa.table({"a": pa.ListArray.from_arrays([0, n], pa.nulls(n))}),
        lambda n: pa.table({"a": pa.FixedSizeListArray.from_arrays(pa.nulls(n), n)}),
        lambda n: pa.table({"a": pa.nulls(n // 2), "b": pa.nulls(n // 2)}),
    ],
    ids=["nulls", "struct", "list", "fixed list", "columns"],
)
def test_nulls_that_take_no_bytes_are_counted(make: Callable[[int], Any]) -> None:
    most = tables.MOST_WEIGHTLESS
    small = make(most)
    assert load_table(dump_table(small)).equals(small)
    large = make(most + 2)
    with pytest.raises(NotSendable, match="max_items"):
        dump_table(large)
    with pytest.raises(RemoteProtocolError, match="max_items"):
        load_table(stream(large))


def test_a_stream_that_is_cut_or_changed_is_one_error_or_a_valid_table() -> None:
    data = stream(TABLE)
    for size in range(0, len(data), 7):
        try:
            load_table(data[:size]).validate(full=True)
        except RemoteProtocolError:
            continue
    for place in range(0, len(data), 3):
        changed = bytearray(data)
        changed[place] ^= 0xFF
        try:
            load_table(bytes(changed)).validate(full=True)
        except RemoteProtocolError:
            continue


def test_offsets_and_text_are_validated() -> None:
    text = pa.StringArray.from_buffers(
        2, pa.py_buffer(struct.pack("<3i", 0, 100, 5)), pa.py_buffer(b"hello")
    )
    with pytest.raises(RemoteProtocolError):
        load_table(stream_of(text))
    text = pa.StringArray.from_buffers(
        1, pa.py_buffer(struct.pack("<2i", 0, 2)), pa.py_buffer(b"\xff\xff")
    )
    with pytest.raises(RemoteProtocolError, match="UTF"):
        load_table(stream_of(text))


def stream_of(array: Any) -> bytes:
    return stream(pa.table({"a": array}))
