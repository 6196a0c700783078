"""
The dtypes of numpy's arrays as plain tuples, and back.

A simple dtype is its string, such as ``"<f8"`` or ``">M8[25us]"``; a field that is an array is
``(dtype, shape)``; a structured dtype is ``(names, dtypes, offsets, itemsize, aligned)``, for its
padding is part of it. A long double's string ends with the number of its mantissa's bits, since
two machines may mean different numbers by the same 16 bytes.

Only plain data has a description. Objects, and what another package has registered with numpy,
are refused in a sentence, and so is all that a description would lose in silence: titles,
metadata, `numpy.record`. Fields that overlap are refused, too: checking the values of a thousand
fields that are all the same byte would take a thousand times as long as its array.

numpy is never imported here: a program that has not done so has no arrays.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeGuard, TypeVar

from txremote.errors import NotSendable, RemoteProtocolError

if TYPE_CHECKING:
    import numpy as np

    Dtype = np.dtype[np.generic]

T = TypeVar("T")

# numpy itself takes far more for a dtype: classes, lists, comma-separated texts, and "O".
_SIMPLE: Final = re.compile(
    r"[<>|][biufcSUV][0-9]{1,10}(:[0-9]{1,3})?"
    r"|[<>][mM]8(\[[0-9]{0,10}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?"
)
# How deep structures may nest within each other.
_DEEPEST: Final = 16
# How many axes an array may have: numpy's own bound, from 2.0 on.
MOST_AXES: Final = 64

_LONGEST_DOUBLE: Final = {"f": 8, "c": 16}


def check_numpy() -> None:
    """
    See that this program has imported numpy.

    Raises:
        RemoteProtocolError: it has not, and the peer has sent an array all the same.
    """
    if sys.modules.get("numpy") is None:
        raise RemoteProtocolError(
            "the peer sent a numpy array or scalar, and this program does not use numpy: let it "
            "import numpy before it makes the call, or have the peer send a list (.tolist())",
            "import numpy",
        )


def describe_dtype(dtype: Dtype) -> object:
    """
    Return a dtype as strings, ints and tuples.

    Raises:
        NotSendable: it is no plain data, or a description would lose a part of it.
    """
    return _describe(dtype, _DEEPEST)


def _describe(dtype: Dtype, depth: int) -> object:
    if dtype.hasobject:
        raise NotSendable(
            f"a numpy dtype with Python objects ({_text(dtype)}): an array of objects has no "
            "bytes that could be sent; send it as a list (.tolist()), or give it a dtype of "
            "numbers, strings or dates (.astype)"
        )
    if dtype.metadata:
        raise NotSendable(
            f"a numpy dtype with metadata ({_text(dtype)}), which would be lost: send the "
            "array with a dtype that has none (.astype)"
        )
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return (_describe(base, depth), tuple(map(int, shape)))
    if dtype.names is None:
        return _describe_simple(dtype)
    import numpy as np

    if dtype.type is not np.void:
        raise NotSendable(
            "an array of numpy.record, which is a class and no plain data: send its fields "
            "(array.view(numpy.dtype(list(array.dtype.descr))))"
        )
    if depth <= 0:
        raise NotSendable(f"a numpy dtype that nests deeper than {_DEEPEST}")
    assert dtype.fields is not None
    fields = [dtype.fields[name] for name in dtype.names]
    if any(len(field) > 2 for field in fields):
        raise NotSendable(
            f"a numpy dtype with titles ({_text(dtype)}), which would be lost: leave them"
        )
    inner = tuple(_describe(field[0], depth - 1) for field in fields)
    offsets = tuple(int(field[1]) for field in fields)
    if _overlap(offsets, [field[0].itemsize for field in fields]):
        raise NotSendable(
            f"a numpy dtype whose fields overlap ({_text(dtype)}): send the fields alone"
        )
    return (dtype.names, inner, offsets, int(dtype.itemsize), bool(dtype.isalignedstruct))


def _describe_simple(dtype: Dtype) -> str:
    import numpy as np

    text = dtype.str
    plain = _SIMPLE.fullmatch(text) is not None
    try:
        plain = plain and np.dtype(text) == dtype and np.dtype(text).type is dtype.type
    except TypeError:
        plain = False
    if not plain:
        raise NotSendable(
            f"a numpy dtype that is no plain data of numpy's own ({_text(dtype)}): give the array "
            "another one first (.astype, or .view for its bytes)"
        )
    if dtype.itemsize > _LONGEST_DOUBLE.get(dtype.kind, dtype.itemsize):
        text += f":{np.finfo(np.longdouble).nmant}"
    return text


def parse_dtype(described: object) -> Dtype:
    """
    Return the dtype of a description.

    Raises:
        RemoteProtocolError: it is none that `describe_dtype` gives, or no dtype of this
            machine's numpy.
    """
    check_numpy()
    try:
        return _parse(described, _DEEPEST)
    except (TypeError, ValueError, OverflowError, MemoryError) as problem:
        raise RemoteProtocolError(f"no dtype of numpy's: {problem}"[:200]) from None


def _parse(described: object, depth: int) -> Dtype:
    import numpy as np

    if type(described) is str:
        return _parse_simple(described)
    if type(described) is not tuple or len(described) not in (2, 5):
        raise RemoteProtocolError("a dtype of numpy's is a str or a tuple")
    if depth <= 0:
        raise RemoteProtocolError(f"a dtype of numpy's that nests deeper than {_DEEPEST}")
    if len(described) == 2:
        return np.dtype((_parse(described[0], depth - 1), check_shape(described[1])))
    names, inner, offsets, itemsize, aligned = described
    if not (
        _all_of(names, str)
        and type(inner) is tuple
        and _all_of(offsets, int)
        and len(names) == len(inner) == len(offsets)
        and type(itemsize) is int
        and type(aligned) is bool
    ):
        raise RemoteProtocolError("a structured dtype has names, dtypes, offsets and a size")
    formats = [_parse(each, depth - 1) for each in inner]
    if _overlap(offsets, [each.itemsize for each in formats]):
        raise RemoteProtocolError("a dtype of numpy's whose fields overlap")
    return np.dtype(
        {
            "names": list(names),
            "formats": formats,
            "offsets": list(offsets),
            "itemsize": itemsize,
        },
        align=aligned,
    )


def _parse_simple(text: str) -> Dtype:
    import numpy as np

    found = _SIMPLE.fullmatch(text)
    if found is None:
        raise RemoteProtocolError(f"no dtype of plain data: {text[:40]!r}")
    name, _, bits = text.partition(":")
    dtype: Dtype = np.dtype(name)
    if dtype.str != name:
        raise RemoteProtocolError(f"no dtype of numpy's: {text[:40]!r}")
    is_long = dtype.itemsize > _LONGEST_DOUBLE.get(dtype.kind, dtype.itemsize)
    if bits != (str(np.finfo(np.longdouble).nmant) if is_long else ""):
        raise RemoteProtocolError(
            f"a long double of another kind of machine ({text[:40]}): have the peer send "
            "float64 (.astype)",
            "dtype",
        )
    return dtype


def check_shape(shape: object) -> tuple[int, ...]:
    """Return the value if it is a shape, else raise `RemoteProtocolError`."""
    if not _all_of(shape, int) or len(shape) > MOST_AXES or any(n < 0 for n in shape):
        raise RemoteProtocolError(f"a shape is a tuple of at most {MOST_AXES} sizes")
    return shape


def _all_of(values: object, kind: type[T]) -> TypeGuard[tuple[T, ...]]:
    return type(values) is tuple and all(type(each) is kind for each in values)


def _overlap(offsets: Sequence[int], sizes: Sequence[int]) -> bool:
    end = 0
    for offset, size in sorted(zip(offsets, sizes, strict=True)):
        if size and offset < end:
            return True
        end = max(end, offset + size)
    return False


def _text(dtype: Dtype) -> str:
    text = str(dtype)
    return text if len(text) <= 100 else text[:97] + "..."
