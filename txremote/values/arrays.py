"""
numpy's arrays and scalars as values.

An array is a head, ``(dtype, shape, order)``, and its bytes in one piece. On the way out the bytes
are the array's own memory, a `memoryview` that is copied once, into the frame, when the message is
made: so a later change of the array is no change of what was sent, whatever writes the frame. Only
an array that lies neither in C nor in Fortran order is made contiguous before. On the way in they
are copied once, out of the frame, into an array that is the receiver's own: it can be written to,
is aligned, and holds no frame alive. (numpy asks for huge pages, so that copy takes a quarter of
the time that the frame itself took.)

Everything that a head says is compared with the bytes that are there before memory is taken.
Bytes that are no value of their dtype are mended or refused, since numpy relies on them: a bool
other than 0 counts as True, and a str holds code points that there are.

Only `numpy.ndarray` itself and the scalars of numpy's own classes are values. A subclass, such
as a matrix or a masked array, would lose what makes it one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.values.array_dtypes import check_numpy, check_shape, describe_dtype, parse_dtype

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]

#: How many elements the other axes of an empty array may have: it takes no bytes, and whoever
#: sums it up along the empty axis would take as much memory as it says.
MOST_OF_EMPTY: Final = 1 << 26

_LAST_CODE_POINT: Final = 0x10FFFF

Head = tuple[object, tuple[int, ...], str]


def dump_array(array: Array) -> tuple[Head, memoryview]:
    """
    Return an array's head, and its bytes as they lie in memory.

    Raises:
        NotSendable: it is no plain data, or of a subclass.
    """
    import numpy as np

    if type(array) is not np.ndarray:
        raise NotSendable(
            f"a {type(array).__name__} is a subclass of numpy.ndarray, and would arrive without "
            "what makes it one: send numpy.asarray(...) of it"
        )
    dtype = array.dtype
    described = describe_dtype(dtype)
    _check_size(array.shape, dtype.itemsize, NotSendable)
    flags = array.flags
    order = "C"
    if not flags.c_contiguous:
        if flags.f_contiguous:
            order = "F"
        else:
            array = np.ascontiguousarray(array)
    return (described, array.shape, order), _bytes_of(array, order).data


def load_array(head: object, data: bytes | memoryview) -> Array:
    """
    Return the array of a head and its bytes, which are copied.

    Raises:
        RemoteProtocolError: the head is none, or says another size than the bytes have; or
            this program has not imported numpy.
    """
    check_numpy()
    import numpy as np

    if type(head) is not tuple or len(head) != 3 or head[2] not in ("C", "F"):
        raise RemoteProtocolError("the head of a numpy array is (dtype, shape, order)")
    described, said, order = head
    shape = check_shape(said)
    dtype = parse_dtype(described)
    _check_size(shape, dtype.itemsize, RemoteProtocolError)
    size = math.prod(shape) * dtype.itemsize
    if size != len(data):
        raise RemoteProtocolError(
            f"a numpy array of {size} bytes by its shape and dtype, and of {len(data)} in fact"
        )
    try:
        array: Array = np.empty(shape, dtype, order=order)
    except (ValueError, TypeError) as problem:  # more axes than this numpy knows
        raise RemoteProtocolError(f"no numpy array: {problem}"[:200]) from None
    if size:
        _bytes_of(array, order)[:] = np.frombuffer(data, np.uint8)
        _settle(array)
    return array


def dump_scalar(scalar: np.generic) -> tuple[object, object]:
    """Return a scalar's dtype and bytes, or a str or bytes itself. Raises as `dump_array` does."""
    import numpy as np

    if isinstance(scalar, np.str_):  # as an array it would lose the zeros at its end
        return "str", str.__str__(scalar)
    if isinstance(scalar, np.bytes_):
        return "bytes", bytes(scalar)
    described = describe_dtype(scalar.dtype)
    _check_size((), scalar.dtype.itemsize, NotSendable)
    return described, scalar.tobytes()


def load_scalar(described: object, data: object) -> object:
    """Return the scalar of what `dump_scalar` gives. Raises as `load_array` does."""
    check_numpy()
    import numpy as np

    if described == "str" and type(data) is str:
        return np.str_(data)
    if not isinstance(data, bytes | memoryview):
        raise RemoteProtocolError("a numpy scalar without its bytes")
    if described == "bytes":
        return np.bytes_(bytes(data))
    return load_array((described, (), "C"), data)[()]


def _bytes_of(array: Array, order: str) -> npt.NDArray[np.uint8]:
    """Return a view of the bytes of an array that lies in an order."""
    import numpy as np

    return (array if order == "C" else array.T).reshape(-1).view(np.uint8)


def _check_size(shape: tuple[int, ...], itemsize: int, error: type[Exception]) -> None:
    """Refuse an array that says that it is large, and takes no bytes."""
    if not itemsize:
        raise error("a numpy array whose items have no bytes")
    if 0 in shape and math.prod(n for n in shape if n) > MOST_OF_EMPTY:
        raise error(
            f"an empty numpy array of shape {shape}: the other axes of one may have "
            f"{MOST_OF_EMPTY} elements together"
        )


def _settle(array: Array) -> None:
    """Make each bool 0 or 1, and refuse a str that is none."""
    import numpy as np

    dtype = array.dtype
    if dtype.names is not None:
        for field in (dtype.fields or {}).values():
            _settle(array.getfield(field[0], field[1]))
    elif dtype.kind == "b":
        raw = array.view(np.uint8)
        np.minimum(raw, np.uint8(1), out=raw)
    elif dtype.kind == "U" and array.size and dtype.itemsize:
        codes = array[..., np.newaxis].view(np.dtype("u4").newbyteorder(dtype.byteorder))
        if int(codes.max()) > _LAST_CODE_POINT:
            raise RemoteProtocolError("a numpy array of str with a code point that there is not")
