"""Values that have rows, as tables."""

import re
from collections import namedtuple
from dataclasses import dataclass, field

import attrs
import msgspec
import numpy as np
import pyarrow as pa
import pytest

from txremote.notebook.tables import MOST_COLUMNS, MOST_ROWS, table_of
from txremote.wire.record import Record


@dataclass
class Plain:
    name: str
    count: int
    secret: str = field(default="s3cret", repr=False)


@attrs.define
class Attrs:
    name: str
    count: int


class Struct(msgspec.Struct):
    name: str
    count: int


Named = namedtuple("Named", "name count")


def cells(html):
    """Return the rows of a table, as lists of texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]


@pytest.mark.parametrize(
    "make",
    [
        *(Plain, Attrs, Struct, Named),
        lambda name, count: Record("Item", name=name, count=count),
        lambda name, count: {"name": name, "count": count},
    ],
)
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_one_kind_of_rows_is_a_table(make, kind):
    """Its columns are the fields; one that is not to be shown is not."""
    found = table_of(kind([make("tea", 3), make("ice", 1)]))
    assert cells(found) == [["name", "count"], ["tea", "3"], ["ice", "1"]]


@pytest.mark.parametrize(
    "make", [Plain, Attrs, Struct, lambda n, c: Record("Plain", name=n, count=c)]
)
def test_one_object_is_a_table_of_its_fields(make):
    """A field in each row, below the name of the class."""
    (kind, _empty), *rows = cells(table_of(make("tea", 3)))
    assert kind == make("", 0).__class__.__name__.replace("Record", "Plain")
    assert rows == [["name", "tea"], ["count", "3"]]


def test_rows_of_different_fields_have_all_columns():
    """A field that a row has not is empty."""
    assert cells(table_of([{"a": 1}, {"b": 2}])) == [["a", "b"], ["1", ""], ["", "2"]]


@pytest.mark.parametrize(
    "value",
    [
        *([], [1, 2], [{}], ["a"], [{1: 2}], [{"a": 1}, 2], [Record("A", x=1), Record("B", x=1)]),
        *({"a": 1}, "text", Plain, object(), np.zeros((2, 2, 2))),
        *(np.array(5), np.zeros(0), [Record("A", x=1), {"x": 1}]),
    ],
)
def test_what_has_no_rows_is_left_to_ipython(value):
    """Also what has rows of two kinds."""
    assert table_of(value) is None


def test_large_tables_are_cut_and_say_so():
    """In rows, in columns and in characters."""
    row = {f"c{n}": "x" * 10_000 for n in range(500)}
    html = table_of([row] * 100_000)
    assert len(html) < 60 * MOST_ROWS * MOST_COLUMNS * 10
    assert len(cells(html)) == MOST_ROWS + 1
    assert {len(each) for each in cells(html)} == {MOST_COLUMNS}
    assert "50 of 100,000 rows, 20 of " in html
    assert "50 of 200 fields" in table_of(Record("R", **{f"f{n}": n for n in range(200)}))


def test_a_hostile_list_is_not_looked_at_as_a_whole():
    """The items that are not shown may be anything."""

    class Row(dict):
        def __iter__(self):
            raise AssertionError("it is looked at")

    assert table_of([{"a": 1}] * MOST_ROWS + [Row()]) is not None


@pytest.mark.parametrize(
    ("array", "rows", "caption"),
    [
        (np.array([1.5, 2.0]), [["", "0"], ["0", "1.5"], ["1", "2.0"]], "float64, 2"),
        (np.array([[1, 2]]), [["", "0", "1"], ["0", "1", "2"]], "int64, 1 x 2"),
    ],
)
def test_arrays_of_numpy(array, rows, caption):
    """Of one dimension and of two, with their type and shape."""
    found = table_of(array)
    assert cells(found) == rows
    assert f"<div>{caption}</div>" in found


def test_a_large_array_is_cut():
    """And nothing of it is copied but what is shown."""
    found = cells(table_of(np.broadcast_to(np.float64(1), (10**9, 10**6))))
    assert (len(found), len(found[0])) == (MOST_ROWS + 1, MOST_COLUMNS + 1)


def test_tables_of_arrow():
    """Tables and record batches."""
    columns = {"name": ["tea"] * 100, "count": [3] * 100}
    for value in (pa.table(columns), pa.RecordBatch.from_pydict(columns)):
        found = table_of(value)
        assert cells(found)[:2] == [["name", "count"], ["tea", "3"]]
        assert "50 of 100 rows" in found


def test_texts_are_escaped():
    """Names of fields and of classes, and values."""
    evil = "<script>"
    found = table_of([{evil: evil}]) + table_of(pa.table({evil: [evil]}))
    assert evil not in found
    assert found.count("&lt;script&gt;") == 4
