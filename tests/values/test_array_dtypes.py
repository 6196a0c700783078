"""Dtypes as plain tuples: none is lost or changed, and none that is no plain data is made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.values.dtypes import DTYPES, NESTED, PADDED
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.values.array_dtypes import check_shape, describe_dtype, parse_dtype
from txremote.wire.brine import dumpable

np = pytest.importorskip("numpy", reason="numpy is not installed (extra numpy)")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_plain_dtype_is_described_in_what_brine_carries(dtype: Any) -> None:
    described = describe_dtype(np.dtype(dtype))
    assert dumpable(described)
    parsed = parse_dtype(described)
    assert parsed == np.dtype(dtype)
    assert parsed.isalignedstruct == np.dtype(dtype).isalignedstruct


def test_the_description_of_simple_dtypes_is_their_string() -> None:
    assert describe_dtype(np.dtype("<f8")) == "<f8"
    assert describe_dtype(np.dtype(">M8[25us]")) == ">M8[25us]"
    assert describe_dtype(np.dtype("longdouble")).count(":") == 1  # type: ignore[attr-defined]


def test_padding_is_kept() -> None:
    described: Any = describe_dtype(PADDED)
    assert described == (("a", "b"), ("|i1", "<f8"), (0, 8), 24, False)
    assert describe_dtype(NESTED)[1][1] == ("|b1", (2, 3))  # type: ignore[index]


def test_a_field_of_objects_deep_within_is_found() -> None:
    with pytest.raises(NotSendable, match="Python objects"):
        describe_dtype(np.dtype([("a", [("b", object, (2,))])]))


@pytest.mark.parametrize("text", ["O", "|O8", "float64", "f8,f8", "<f8 ", "", "(2,)f8", "<M8[x]"])
def test_a_text_that_numpy_would_understand_differently_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_dtype(text)


@pytest.mark.parametrize("shape", [None, [1], (1.0,), (True,), (-1,), (1,) * 65], ids=repr)
def test_a_shape_is_a_tuple_of_sizes(shape: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        check_shape(shape)
    assert check_shape(()) == ()
    assert check_shape((0, 3)) == (0, 3)
