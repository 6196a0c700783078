"""Annotations of numpy's, Arrow's and pandas' classes: what they take, and what they refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import txremote.values.libraries  # noqa: F401  adds what is tested here
from txremote.errors import WrongValue
from txremote.values.compiling import value_type

np = pytest.importorskip("numpy", reason="numpy is not installed (extra numpy)")
npt = pytest.importorskip("numpy.typing")

FLOATS = np.arange(6.0).reshape(2, 3)


def compiled(annotation: Any) -> Any:
    found = value_type(annotation)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("annotation", "array"),
    [
        (np.ndarray, FLOATS),
        (np.ndarray, np.array("x")),
        (npt.NDArray[Any], FLOATS),
        (npt.NDArray[np.float64], FLOATS),
        (npt.NDArray[np.float64], FLOATS.astype(">f8")),
        (npt.NDArray[np.floating], FLOATS.astype("f4")),
        (npt.NDArray[np.generic], FLOATS),
        (np.ndarray[tuple[int, int], np.dtype[np.float64]], FLOATS),
        (np.ndarray[tuple[int, ...], np.dtype[np.float64]], FLOATS),
        (np.ndarray[Any, np.dtype[np.float64]], FLOATS),
    ],
)
def test_an_array_that_is_as_annotated_is_the_value(annotation: Any, array: Any) -> None:
    assert compiled(annotation).convert(array, "a") is array
    compiled(annotation).check(array, "a")


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (np.ndarray, [1.0], "a: expected ndarray, got a list of 1"),
        (np.ndarray, np.float64(1), "expected ndarray"),
        (npt.NDArray[np.float64], FLOATS.astype("f4"), r"NDArray\[float64\].* dtype float32 and"),
        (npt.NDArray[np.integer], FLOATS, r"expected NDArray\[integer\]"),
        (np.ndarray[tuple[int], np.dtype[np.float64]], FLOATS, r"of 1 axes.* shape \(2, 3\)"),
        (np.ndarray, np.ma.masked_array([1]), "expected ndarray"),
        (np.float64, "1.5", "expected float64, got str '1.5'"),
        (np.float64, 1, "expected float64"),
        (np.float64, np.float32(1.5), "expected float64"),
        (float, np.float64(1.5), "expected float"),
    ],
)
def test_another_is_refused_with_what_it_is(annotation: Any, value: Any, says: str) -> None:
    with pytest.raises(WrongValue, match=says):
        compiled(annotation).convert(value, "a")
    with pytest.raises(WrongValue, match=says):
        compiled(annotation).check(value, "a")


def test_scalars_and_arrays_within_others_are_found_by_their_path() -> None:
    @dataclass
    class Sample:
        values: npt.NDArray[np.float64]
        weight: np.floating | None = None

    kind = compiled(list[Sample])
    kind.check([Sample(FLOATS, np.float32(1))], "samples")
    with pytest.raises(WrongValue, match=r"samples\[1\]\.values"):
        kind.check([Sample(FLOATS), Sample(FLOATS.astype(int))], "samples")


def test_what_is_no_value_of_numpys_is_a_reference() -> None:
    for annotation in (np.dtype, np.matrix, np.random.Generator, np.ufunc):
        assert value_type(annotation) is None


def test_tables_and_frames_are_value_types() -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra arrow)")
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    for value in (pa.table({}), pa.record_batch([], []), pd.DataFrame(), pd.Series([1])):
        assert compiled(type(value)).convert(value, "a") is value
        with pytest.raises(WrongValue, match=type(value).__name__):
            compiled(type(value)).convert([], "a")
    for annotation in (pa.Schema, pa.Array, pd.Timestamp, pd.Index):
        assert value_type(annotation) is None
