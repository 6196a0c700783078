"""
Slices of Arrow's tables in jobs: the rows that they show arrive, and no others travel.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from tests.work import jobs
from tests.work.child_processes import running_pool
from txremote.work.buffers import Buffers
from txremote.work.pickling import dump_job, dump_result, load_result

pa = pytest.importorskip("pyarrow")

ROWS = 1_000_000


def sent(value: Any) -> tuple[Any, int]:
    """Return a value as it arrives, and how many bytes of it travel."""
    buffers = Buffers()
    payload, references = dump_result(value, "job", buffers)
    back = load_result(payload, references, "job", buffers)
    return back, len(payload) + sum(view.nbytes for view in buffers)


def table() -> Any:
    numbers = pa.array(range(ROWS))
    names = pa.array(["name"] * ROWS).dictionary_encode()
    return pa.table({"number": numbers, "name": names}).replace_schema_metadata({"by": "hand"})


@pytest.mark.parametrize("rows", [10, 0])
def test_a_slice_goes_alone(rows: int) -> None:
    """Of a table, a batch, a column, an array; within other values, and in a frame of pandas."""
    whole = table()
    batch = whole.to_batches()[0]
    for value in (whole, batch, whole.column(0), batch.column(0), batch.column(1)):
        part = value.slice(5, rows)
        back, size = sent({"in": [part]})
        assert size < 10_000
        assert type(back["in"][0]) is type(part)
        assert back["in"][0].equals(part)
    back, size = sent(lambda: whole.slice(5, rows))  # with the whole table, by cloudpickle
    assert size > 8 * ROWS
    part = whole.slice(5, rows)
    back, size = sent((lambda: part, part))
    assert size < 10_000
    assert back[0]().equals(part)
    assert back[0]().schema.metadata == {b"by": b"hand"}


def test_all_else_goes_as_it_lies() -> None:
    """A whole table, and a slice that is most of one."""
    whole = table()
    for value in (whole, whole.slice(1)):
        back, size = sent(value)
        assert back.equals(value)
        assert size >= value.nbytes
    kept = pa.array([{"a": 1}] * 100_000)
    assert sent(kept)[0].equals(kept)


def test_a_frame_with_a_column_of_arrow() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"name": pandas.array(["name"] * ROWS, dtype="string[pyarrow]")})
    back, size = sent(frame[5:15])
    assert size < 10_000
    assert back["name"].tolist() == ["name"] * 10


def test_without_buffers_of_their_own_slices_go_as_arrow_has_them() -> None:
    """A worker of Dask's has no txremote to load them with."""
    part = table().slice(5, 10)
    payload, _references = dump_job(jobs.same, (part,), {}, "job")
    assert b"txremote.work" not in payload


@pytest_twisted.ensureDeferred
async def test_slices_in_a_real_process() -> None:
    part = table().slice(5, 10)
    async with running_pool() as pool:
        assert (await pool.submit(jobs.same, (part,))).equals(part)
        assert (await pool.submit(lambda whole: whole.slice(5, 10), (table(),))).equals(part)
