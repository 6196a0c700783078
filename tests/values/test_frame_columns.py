"""A column of pandas as one of Arrow: each dtype is tried by `tests.values.test_frames`, too."""

from __future__ import annotations

from typing import Any

import pytest

from txremote.errors import RemoteProtocolError
from txremote.values.frame_columns import Loading, dump_column

pd = pytest.importorskip("pandas", reason="pandas is not installed")
pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra arrow)")


def test_a_dtype_is_a_tuple_with_its_kind() -> None:
    assert dump_column(pd.Series([1], dtype="int32"), "a")[0] == ("numpy", "<i4")
    assert dump_column(pd.Series(["x"], dtype=object), "a")[0] == ("object", "None")
    kind, ordered, inner = dump_column(pd.Series(pd.Categorical([1.5])), "a")[0]
    assert (kind, ordered, inner) == ("category", False, ("numpy", "<f8"))


@pytest.mark.parametrize(
    ("dtype", "column"),
    [
        (("category", False, ("numpy", "<i8")), [None]),
        (("numpy", "<i8"), [1, None]),
        (("nullable", "Int64"), [1.5]),
        (("string", "pyarrow", "NA"), [1]),
        (("object", "x"), ["a"]),
    ],
    ids=repr,
)
def test_a_dtype_that_is_another_columns_is_refused(dtype: Any, column: list[Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        Loading().column(dtype, pa.chunked_array([pa.array(column)]))
