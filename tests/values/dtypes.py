"""Dtypes of plain data, for the tests of arrays and of their dtypes."""

from __future__ import annotations

import pytest

np = pytest.importorskip("numpy", reason="numpy is not installed (extra numpy)")

POINT = np.dtype([("x", "<f8"), ("y", ">i2"), ("name", "<U3")])
PADDED = np.dtype(
    {"names": ["a", "b"], "formats": ["<i1", "<f8"], "offsets": [0, 8], "itemsize": 24}
)
NESTED = np.dtype([("point", POINT), ("flags", "?", (2, 3)), ("at", "<M8[25us]")])
ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)

DTYPES = [
    *("?", "i1", "u1", "<i2", ">i4", "<i8", ">u8", "<f2", "<f4", "<f8", ">f8", "<c8", ">c16"),
    *(
        "S5",
        "<U4",
        ">U2",
        "V7",
        "<M8[ns]",
        ">M8[D]",
        "<M8",
        "<m8[25s]",
        "longdouble",
        "clongdouble",
    ),
    *(POINT, PADDED, NESTED, ALIGNED),
]
