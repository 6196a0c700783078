"""numpy's arrays and scalars: what arrives is what was sent, or a sentence says why not."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import examples
from tests.values.dtypes import DTYPES, NESTED, POINT
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.values.arrays import MOST_OF_EMPTY, dump_array, dump_scalar, load_array, load_scalar

np = pytest.importorskip("numpy", reason="numpy is not installed (extra numpy)")


def there_and_back(array: Any) -> Any:
    head, data = dump_array(array)
    return load_array(head, bytes(data))


def check_same(arrived: Any, sent: Any) -> None:
    assert type(arrived) is np.ndarray
    assert arrived.dtype == sent.dtype
    assert arrived.dtype.isalignedstruct == sent.dtype.isalignedstruct
    assert arrived.shape == sent.shape
    assert arrived.tobytes() == sent.tobytes()
    assert arrived.flags.writeable
    assert arrived.flags.aligned
    assert not np.shares_memory(arrived, sent)


def filled(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return an array whose bytes are all different from 0, within what a str may hold."""
    array = np.zeros(shape, dtype)
    if array.size:
        raw = array.reshape(-1).view("u1")
        raw[:] = np.arange(len(raw)) % 2 if _has_text_or_bool(array.dtype) else 1
        if not _has_text_or_bool(array.dtype):
            raw[:] = np.arange(len(raw)) % 251
    return array


def _has_text_or_bool(dtype: Any) -> bool:
    return dtype.names is not None or dtype.kind in "bU" or dtype.subdtype is not None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0,), (3, 0, 2)], ids=str)
def test_arrays_of_every_plain_dtype_arrive_as_they_were(dtype: Any, shape: Any) -> None:
    array = np.zeros(shape, dtype)
    if _has_text_or_bool(array.dtype):
        if array.dtype.kind == "b":
            array[...] = True
        elif array.dtype.kind == "U":
            array[...] = "aß"
        check_same(there_and_back(array), array)
    else:
        check_same(there_and_back(filled(shape, dtype)), filled(shape, dtype))


def test_structured_values_arrive_field_by_field() -> None:
    array = np.zeros(2, NESTED)
    array["point"]["name"] = ["abc", "\U0001f600"]
    array["point"]["x"] = [float("nan"), -0.0]
    array["flags"][1] = True
    array["at"] = np.datetime64("NaT")
    check_same(there_and_back(array), array)


def test_a_fortran_array_keeps_its_order() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    arrived = there_and_back(array)
    check_same(arrived, array)
    assert arrived.flags.f_contiguous
    assert not arrived.flags.c_contiguous


@pytest.mark.parametrize(
    "take",
    [
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a[:, 1:3],
        lambda a: a.transpose(1, 0, 2),
        lambda a: np.broadcast_to(a[0], (5, 4, 5)),
    ],
    ids=["every second", "reversed", "columns", "axes exchanged", "broadcast"],
)
def test_a_view_with_strides_arrives_contiguous(take: Any) -> None:
    array = take(np.arange(60.0).reshape(3, 4, 5))
    arrived = there_and_back(array)
    check_same(arrived, array)
    assert arrived.flags.c_contiguous


def test_the_bytes_go_out_as_they_lie() -> None:
    for array in (np.arange(12.0).reshape(3, 4), np.asfortranarray(np.ones((3, 4)))):
        _head, data = dump_array(array)
        assert data.format == "B"
        assert len(data) == array.nbytes
        assert np.shares_memory(np.frombuffer(data, "u1"), array)


def test_a_read_only_array_arrives_writable() -> None:
    array = np.arange(3)
    array.flags.writeable = False
    there_and_back(array)[0] = 5
    assert array[0] == 0


def test_bits_are_kept() -> None:
    bits = np.array([0x7FF8000000000001, 0xFFF4000000000123, 1 << 63], "<u8")
    assert there_and_back(bits.view("<f8")).view("<u8").tolist() == bits.tolist()


@given(st.data())
@settings(max_examples=examples(60), deadline=None)
def test_any_array_of_numbers_arrives_as_it_was(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["<i2", ">f4", "<c16", "|u1", "<M8[s]"]))
    shape = data.draw(st.lists(st.integers(0, 4), max_size=4).map(tuple))
    order = data.draw(st.sampled_from("CF"))
    array = np.asarray(filled(shape, dtype), order=order)
    steps = tuple(slice(None, None, data.draw(st.sampled_from([1, 1, 2, -1]))) for _ in shape)
    taken = array[(..., *steps)]
    check_same(there_and_back(taken), taken)


# --- refused when they are sent ---------------------------------------------------


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (lambda: np.array([1, "x", None], object), "Python objects"),
        (lambda: np.zeros(2, [("a", "i4"), ("b", object)]), "Python objects"),
        (lambda: np.zeros(2, np.dtype("i4", metadata={"unit": "m"})), "metadata"),
        (lambda: np.zeros(2, [(("title", "a"), "i4")]), "titles"),
        (lambda: np.zeros(2, np.dtype((np.record, [("a", "i4")]))), "numpy.record"),
        (lambda: np.zeros(2, "V0"), "no bytes"),
        (
            lambda: np.zeros(
                2, {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2], "itemsize": 4}
            ),
            "overlap",
        ),
        (lambda: np.matrix([[1]]), "numpy.asarray"),
        (lambda: np.ma.masked_array([1], [True]), "numpy.asarray"),
        (lambda: np.empty((0, MOST_OF_EMPTY + 1), "u1"), "empty"),
    ],
)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_an_array_that_would_change_is_refused_in_a_sentence(array: Any, says: str) -> None:
    with pytest.raises(NotSendable, match=says):
        dump_array(array())


@pytest.mark.skipif(not hasattr(np, "dtypes"), reason="this numpy has no StringDType")
def test_strings_of_any_length_are_refused_with_what_to_do() -> None:
    kind = getattr(np.dtypes, "StringDType", None)
    if kind is None:
        pytest.skip("this numpy has no StringDType")
    with pytest.raises(NotSendable, match="tolist"):
        dump_array(np.array(["a", "bcd"], dtype=kind()))


# --- refused when they come -------------------------------------------------------

EIGHT = bytes(8)


@pytest.mark.parametrize(
    ("head", "data"),
    [
        (("<f8", (2,), "C"), EIGHT),  # larger than its bytes
        (("<f8", (), "C"), EIGHT * 2),
        (("<f8", (0,), "C"), EIGHT),
        (("<f8", (2**62, 4), "C"), b""),
        (("<f8", (2**40, 2**40), "C"), EIGHT),
        (("<f8", (-1, -1), "C"), EIGHT),
        (("<f8", (True,), "C"), EIGHT),
        (("<f8", [1], "C"), EIGHT),
        (("<f8", (1.0,), "C"), EIGHT),
        (("<f8", (1,) * 65, "C"), EIGHT),
        (("<f8", (0, 2**40), "C"), b""),
        (("<f8", (1,), "A"), EIGHT),
        (("<f8", (1,)), EIGHT),
        (("|O", (1,), "C"), EIGHT),
        (("O", (1,), "C"), EIGHT),
        (("<i4,<i4", (1,), "C"), EIGHT),
        (("f8", (1,), "C"), EIGHT),
        (("<f8\n", (1,), "C"), EIGHT),
        (("<f7", (1,), "C"), bytes(7)),
        (("|V0", (2**62,), "C"), b""),
        (("<U0", (1,), "C"), b""),
        (("|S9999999999", (1,), "C"), b""),
        (("<M8[9999999999s]", (1,), "C"), EIGHT),
        (("<f8:63", (1,), "C"), EIGHT),
        (("<f16:7", (1,), "C"), bytes(16)),
        (("<f16", (1,), "C"), bytes(16)),
        ((("<f8", (2**40,)), (1,), "C"), EIGHT),
        ((("<f8", (1,) * 99), (1,), "C"), EIGHT),
        (((("a",), ("|O",), (0,), 8, False), (1,), "C"), EIGHT),
        (((("a",), ("<f8",), (4,), 8, False), (1,), "C"), EIGHT),
        (((("a",), ("<f8",), (-8,), 8, False), (1,), "C"), EIGHT),
        (((("a",), ("<f8",), (2**70,), 8, False), (1,), "C"), EIGHT),
        (((("a",), ("<f8",), (0,), 2**70, False), (1,), "C"), EIGHT),
        (((("a", "a"), ("<i4", "<i4"), (0, 4), 8, False), (1,), "C"), EIGHT),
        (((("a", "b"), ("<i4", "<i4"), (0, 2), 8, False), (1,), "C"), EIGHT),
        (((("a",), (), (0,), 8, False), (1,), "C"), EIGHT),
        ((((1,), ("<f8",), (0,), 8, False), (1,), "C"), EIGHT),
        (((("a",), ("<f8",), (0,), 8, 0), (1,), "C"), EIGHT),
        ((None, (1,), "C"), EIGHT),
        (((1, 2, 3), (1,), "C"), EIGHT),
        (("<U2", (1,), "C"), b"\xff" * 8),
        (((("a",), ("<U2",), (0,), 8, False), (1,), "C"), b"\xff" * 8),
        (((("a",), (("<U1", (2,)),), (0,), 8, False), (1,), "C"), b"\xff" * 8),
    ],
    ids=repr,
)
def test_a_head_that_lies_is_one_error(head: Any, data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        load_array(head, data)


def test_structures_nest_only_so_deep() -> None:
    described: Any = "<f8"
    for _ in range(20):
        described = (("a",), (described,), (0,), 8, False)
    with pytest.raises(RemoteProtocolError, match="deeper"):
        load_array((described, (1,), "C"), EIGHT)


def test_a_bool_is_one_or_zero_whatever_byte_came() -> None:
    assert load_array(("|b1", (3,), "C"), b"\x00\x02\xff").view("u1").tolist() == [0, 1, 1]
    head, _data = dump_array(np.zeros(2, [("a", "?", (2,)), ("b", "i1")]))
    arrived = load_array(head, b"\x02\x00\xff\xff\x05\x05")
    assert arrived.tobytes() == b"\x01\x00\xff\x01\x01\x05"


# --- scalars ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "scalar",
    [
        *(np.float64(-0.0), np.float32(1.5), np.float16("nan"), np.longdouble("0.1")),
        *(np.int8(-1), np.uint64(2**64 - 1), np.bool_(True), np.complex64(1 + 2j)),
        *(np.str_("a\0"), np.str_(""), np.bytes_(b"a\0\0"), np.bytes_(b"")),
        *(np.datetime64("2026-01-02T03:04:05.678"), np.timedelta64(3, "D"), np.datetime64("NaT")),
        *(np.void(b"abc"), np.ones((), POINT)[()]),
    ],
    ids=repr,
)
def test_a_scalar_arrives_as_what_it_was(scalar: Any) -> None:
    arrived: Any = load_scalar(*dump_scalar(scalar))
    assert type(arrived) is type(scalar)
    assert arrived.dtype == scalar.dtype
    assert arrived.tobytes() == scalar.tobytes()


@pytest.mark.parametrize(
    ("described", "data"),
    [("<f8", b""), ("<f8", "x"), ("str", b"x"), ("bytes", "x"), ("|O", EIGHT), ("<U0", b"")],
    ids=repr,
)
def test_a_scalar_that_is_none_is_one_error(described: Any, data: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        load_scalar(described, data)


# --- without numpy ----------------------------------------------------------------


def test_a_program_that_has_not_imported_numpy_is_told_to() -> None:
    code = (
        "import sys\n"
        "from txremote.errors import RemoteProtocolError\n"
        "from txremote.values.arrays import load_array\n"
        "try:\n"
        "    load_array(('<f8', (1,), 'C'), bytes(8))\n"
        "except RemoteProtocolError as error:\n"
        "    assert 'import numpy' in str(error) and error.limit is not None, error\n"
        "    assert 'numpy' not in sys.modules\n"
        "    print('told')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "told\n", done.stderr
