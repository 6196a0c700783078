"""pandas' frames and series: labels, dtypes and values arrive as they were, or are refused."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Any

import pytest

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.values.frames import dump_frame, dump_series, load_frame, load_series

pd = pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra arrow)")
np = pytest.importorskip("numpy")

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
OBJECTS = pd.Series(["a", None, "c"], dtype=object)

COLUMNS = {
    "int": pd.Series([1, 2, 3], dtype="int8"),
    "float": pd.Series([1.5, float("nan"), -0.0]),
    "bool": pd.Series([True, False, True]),
    "at": pd.Series(pd.to_datetime(["2026-01-02", None, "2026-01-04"])),
    "took": pd.Series(pd.to_timedelta([1, None, 3], unit="s")),
    "zoned": pd.Series(pd.date_range("2026-03-28", periods=3, tz=BERLIN)),
    "utc": pd.Series(pd.date_range("2026-03-28", periods=3, tz=datetime.UTC)),
    "Int64": pd.Series([1, None, 3], dtype="Int64"),
    "Float32": pd.Series([1, None, 3], dtype="Float32"),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "string": pd.Series(["a", None, "\U0001f600"], dtype="string[python]"),
    "arrow string": pd.Series(["a", None, ""], dtype="string[pyarrow]"),
    "default str": pd.Series(["a", "b", "c"]),
    "none": OBJECTS,
    "nan": pd.Series(["a", float("nan"), "c"], dtype=object),
    "kind": pd.Series(pd.Categorical(["a", None, "b"], ["b", "a", "z"], ordered=True)),
    "numbers": pd.Series(pd.Categorical([3, 1, 3])),
    "empty": pd.Series([None] * 3, dtype=object),
}


def frame_back(frame: Any) -> Any:
    stream, dtypes, index, label_stream, labels, attrs = dump_frame(frame)
    return load_frame((bytes(stream), dtypes, index, bytes(label_stream), labels, attrs))


def series_back(series: Any) -> Any:
    stream, *others = dump_series(series)
    return load_series((bytes(stream), *others))


def check_frame(frame: Any) -> Any:
    arrived = frame_back(frame)
    assert type(arrived) is pd.DataFrame
    pd.testing.assert_frame_equal(arrived, frame, check_exact=True, check_freq=True)
    assert list(arrived.dtypes) == list(frame.dtypes)
    assert type(arrived.index) is type(frame.index)
    assert type(arrived.columns) is type(frame.columns)
    return arrived


@pytest.mark.parametrize("name", COLUMNS)
def test_a_series_of_each_dtype_arrives_as_it_was(name: str) -> None:
    series = COLUMNS[name].rename(name)
    arrived = series_back(series)
    pd.testing.assert_series_equal(arrived, series, check_exact=True)
    assert arrived.dtype == series.dtype
    assert [type(each) for each in arrived] == [type(each) for each in series]


def test_a_frame_of_many_dtypes_arrives_as_it_was() -> None:
    frame = pd.DataFrame(COLUMNS)
    frame.attrs["unit"] = "m"
    arrived = check_frame(frame)
    assert arrived.attrs == {"unit": "m"}
    check_frame(frame.iloc[1:])
    check_frame(frame.iloc[:0])


def test_bits_of_floats_are_kept() -> None:
    bits = np.array([0x7FF8000000000001, 1 << 63], "<u8")
    arrived = series_back(pd.Series(bits.view("<f8")))
    assert arrived.to_numpy().view("<u8").tolist() == bits.tolist()


def test_what_arrives_can_be_written_to() -> None:
    arrived = check_frame(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}))
    arrived.loc[0, "a"] = 5.0
    arrived["a"].to_numpy(copy=True)[0] = 1
    arrived.loc[0, "b"] = "z"
    assert arrived.iloc[0].tolist() == [5.0, "z"]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=range(3)),
        pd.DataFrame({"a": []}),
        pd.DataFrame([[1, 2], [3, 4]]),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": [1]}, index=["x"]),
        pd.DataFrame({"a": [1, 2]}, index=pd.Index([1.5, 2.5], name="n")),
        pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(5, 9, 2, name="r")),
        pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2026-01-01", periods=2, name="d")),
        pd.DataFrame({"a": [1, 2]}, index=pd.to_timedelta([1, 5], unit="s")),
        pd.DataFrame({"a": [1, 2]}, index=pd.CategoricalIndex(["x", "y"])),
        pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2026-01-01", periods=2, tz=BERLIN)),
        pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_product([["x"], [1, 2]])),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)])),
        pd.DataFrame([[1, 2]], columns=pd.date_range("2026-01-01", periods=2, freq="W-MON")),
    ],
    ids=lambda frame: f"{type(frame.index).__name__} {type(frame.columns).__name__} {frame.shape}",
)
def test_every_kind_of_index_arrives_as_it_was(frame: Any) -> None:
    check_frame(frame)


# --- refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ([object()], "astype"),
        ([1, "x"], "astype"),
        ([1, 2], "astype"),
        (["x", None, float("nan")], "None or NaN"),
        ([b"x"], "astype"),
    ],
    ids=["object", "mixed", "ints", "two kinds of nothing", "bytes"],
)
def test_objects_that_would_change_are_refused(column: list[Any], says: str) -> None:
    with pytest.raises(NotSendable, match=says):
        dump_frame(pd.DataFrame({"a": pd.Series(column, dtype=object)}))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1 + 2j]),
        pd.Series(pd.period_range("2026", periods=1, freq="D")),
        pd.Series(pd.interval_range(0, 1)),
        pd.Series(pd.arrays.SparseArray([0, 1])),
    ],
    ids=["complex", "period", "interval", "sparse"],
)
def test_a_dtype_that_arrow_has_not_is_refused_by_the_columns_name(column: Any) -> None:
    with pytest.raises(NotSendable, match="'price'"):
        dump_frame(pd.DataFrame({"price": column}))


def test_flags_and_frequencies_that_would_be_lost_are_refused() -> None:
    with pytest.raises(NotSendable, match="set_flags"):
        dump_frame(pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False))
    days = pd.date_range(
        "2026-01-01", periods=2, freq=pd.offsets.CustomBusinessDay(holidays=["2026-05-01"])
    )
    with pytest.raises(NotSendable, match="freq"):
        dump_frame(pd.DataFrame({"a": [1, 2]}, index=days))


INT = ("numpy", "<i8")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, b"x"),
        (0, None),
        (1, ()),
        (1, (INT, INT)),
        (1, (("numpy", "<i4"),)),
        (1, (("numpy", "O"),)),
        (1, (("numpy",),)),
        (1, (("nullable", "datetime64[ns, dateutil//etc/passwd]"),)),
        (1, (("nullable", "Int32"),)),
        (1, (("string", "python", "NA"),)),
        (1, (("string", "x", "NA"),)),
        (1, (("zoned", "ns", "Europe/Berlin"),)),
        (1, (("zoned", "ns", BERLIN),)),
        (1, (("category", True, INT),)),
        (1, (("object", "None"),)),
        (1, (["numpy", "<i8"],)),
        (1, None),
        (2, ("range", 0, 3, 1, None)),
        (2, ("range", 0, 2, 0, None)),
        (2, ("range", 0, 2**70, 1, None)),
        (2, ("index", None, INT, None)),
        (2, ("multi", (), ())),
        (2, None),
        (3, b""),
        (4, ("range", 0, 2, 1, None)),
        (4, ("index", [], ("string", "python", "NA"), "D")),
        (5, None),
    ],
    ids=repr,
)
def test_a_frame_that_lies_is_one_error(place: int, value: Any) -> None:
    payload: list[Any] = list(dump_frame(pd.DataFrame({"a": [1, 2]})))
    payload[0] = bytes(payload[0])
    payload[3] = bytes(payload[3])
    load_frame(tuple(payload))
    payload[place] = value
    with pytest.raises(RemoteProtocolError):
        load_frame(tuple(payload))


def test_rows_that_take_no_bytes_are_bounded() -> None:
    payload = list(dump_frame(pd.DataFrame()))
    payload[2] = ("range", 0, 2**40, 1, None)
    with pytest.raises(RemoteProtocolError, match="rows"):
        load_frame(tuple(payload))


def test_python_objects_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("txremote.values.frame_columns.MOST_OBJECTS", 5)
    frame_back(pd.DataFrame({"a": OBJECTS}))
    with pytest.raises(RemoteProtocolError, match="max_items"):
        frame_back(pd.DataFrame({"a": OBJECTS, "b": OBJECTS}))
