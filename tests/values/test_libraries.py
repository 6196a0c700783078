"""numpy's, Arrow's and pandas' values within extended values, and where no library is."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import txremote.values.libraries  # noqa: F401  adds what is tested here
from tests.values.dtypes import DTYPES
from tests.wire.extended import References, decoded, encoded, sent
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.values import dump_extended

np = pytest.importorskip("numpy", reason="numpy is not installed (extra numpy)")


def test_an_array_among_others_arrives_once() -> None:
    array = np.arange(6.0).reshape(2, 3)
    first, second, other = sent([array, array, {"a": array.T}])
    assert first is second
    assert first.tolist() == array.tolist()
    assert other["a"].flags.f_contiguous
    assert first.flags.writeable


def test_scalars_arrive_as_pythons_values_and_may_be_keys() -> None:
    value = {np.float64(1.5): np.int8(3), "s": np.str_("x\0"), "b": np.bool_(True)}
    arrived = sent(value)
    assert [type(each) for each in arrived.values()] == [int, str, bool]
    assert type(next(iter(arrived))) is float
    assert arrived == {1.5: 3, "s": "x\0", "b": True}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_passes_the_codec(dtype: Any) -> None:
    array = np.zeros((2, 3), dtype)
    arrived = sent([array])[0]
    assert arrived.dtype == array.dtype
    assert arrived.tobytes() == array.tobytes()


def test_the_bytes_of_an_array_are_a_chunk_of_their_own() -> None:
    array = np.arange(1000.0)
    out: Any = []
    dump_extended(out, array, References())
    [view] = [chunk for chunk in out if type(chunk) is memoryview]
    assert np.shares_memory(np.frombuffer(view, "u1"), array)


def test_subclasses_of_numpys_own_are_refused_with_what_to_do() -> None:
    for array in (np.ma.masked_array([1], [True]), np.rec.array([(1,)], dtype=[("a", "i4")])):
        with pytest.raises(NotSendable, match="asarray"):
            sent([array])


def test_what_is_no_value_of_numpys_goes_by_reference() -> None:
    references = References()
    sent([np.dtype("f8"), np.sin], references)
    assert len(references.sent) == 2


def test_cut_arrays_are_one_error() -> None:
    data = encoded([np.arange(3.0), np.float64(1.5)])
    for size in range(len(data)):
        with pytest.raises((RemoteProtocolError, IndexError)):
            decoded(data[:size])


def test_changed_arrays_are_one_error_or_an_array() -> None:
    data = encoded([np.zeros((2, 3), [("a", "<f8"), ("b", "U3")]), np.int16(1)])
    for place in range(len(data)):
        for bits in (0xFF, 0x01, 0x80):
            changed = bytearray(data)
            changed[place] ^= bits
            try:
                decoded(bytes(changed))
            except (RemoteProtocolError, IndexError):
                continue


def test_arrow_and_pandas_pass_the_codec() -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra arrow)")
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pa.table({"a": [1, None], "b": ["x", "y"]})
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=pd.Index([5, 6], name="n"))
    frame.attrs["array"] = [1]
    arrived = sent([table, table.to_batches()[0], frame, frame["b"]])
    assert arrived[0] == table
    assert arrived[1] == table.to_batches()[0]
    pd.testing.assert_frame_equal(arrived[2], frame)
    assert arrived[2].attrs == {"array": [1]}
    pd.testing.assert_series_equal(arrived[3], frame["b"])


def test_a_program_without_the_library_keeps_the_parts_and_imports_nothing() -> None:
    code = (
        "import sys\n"
        "import txremote.values.libraries\n"
        "from tests.wire.extended import decoded, encoded\n"
        f"data = {encoded([np.arange(2.0), np.float64(1)])!r}\n"
        "array, scalar = decoded(data)\n"
        "print(array.dtype, array.shape, array.order, len(array.data), scalar.dtype)\n"
        "assert encoded([array, scalar]) == data\n"
        "assert not {'numpy', 'pyarrow', 'pandas'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "<f8 (2,) C 16 <f8\n", done.stderr
