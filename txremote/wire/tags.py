"""
The tags of brine: the first byte of each value, and what it says.

====== ============================ ====== =====================================
tag    value                        tag    value
====== ============================ ====== =====================================
00     None                         10-13  tuple of 1, 2, 3, 4 items
01     ``b""``                      14     tuple, 1-byte count
02     ``()``                       15     tuple, 4-byte count
03 04  True, False                  16     int as decimal text, 1-byte length
05     NotImplemented               17     int as decimal text, 4-byte length
06     Ellipsis                     18     float, 8 bytes big-endian
08     str: a bytes value, UTF-8    19     slice: a 3-tuple
0a-0d  bytes of length 1, 2, 3, 4   1a     frozenset: a tuple
0e     bytes, 1-byte length         1b     complex: two floats, 16 bytes
0f     bytes, 4-byte length         20-ef  the int ``tag - 0x50``
====== ============================ ====== =====================================

The hot loops of this room write the numbers themselves, since reading a module's name
takes longer than a constant. A comment on the same line then has the names, and a test
holds the two together.
"""

from __future__ import annotations

from typing import Final

TAG_NONE: Final = 0x00
TAG_EMPTY_BYTES: Final = 0x01
TAG_EMPTY_TUPLE: Final = 0x02
TAG_TRUE: Final = 0x03
TAG_FALSE: Final = 0x04
TAG_NOT_IMPLEMENTED: Final = 0x05
TAG_ELLIPSIS: Final = 0x06
TAG_STR: Final = 0x08
TAG_BYTES_1: Final = 0x0A
TAG_BYTES_4: Final = 0x0D
TAG_BYTES_L1: Final = 0x0E
TAG_BYTES_L4: Final = 0x0F
TAG_TUPLE_1: Final = 0x10
TAG_TUPLE_2: Final = 0x11
TAG_TUPLE_3: Final = 0x12
TAG_TUPLE_4: Final = 0x13
TAG_TUPLE_L1: Final = 0x14
TAG_TUPLE_L4: Final = 0x15
TAG_INT_L1: Final = 0x16
TAG_INT_L4: Final = 0x17
TAG_FLOAT: Final = 0x18
TAG_SLICE: Final = 0x19
TAG_FROZENSET: Final = 0x1A
TAG_COMPLEX: Final = 0x1B

#: The ints that are one byte: `INT_FIRST` is -48, `INT_LAST` 159, `INT_ZERO` 0.
INT_FIRST: Final = 0x20
INT_ZERO: Final = 0x50
INT_LAST: Final = 0xEF

#: What stands before the length of a bytes value or tuple of up to four: ``tag - BYTES_BEFORE``
#: bytes, ``tag - TUPLE_BEFORE`` items.
BYTES_BEFORE: Final = TAG_BYTES_1 - 1
TUPLE_BEFORE: Final = TAG_TUPLE_1 - 1
