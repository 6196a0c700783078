"""
The tags of brine: the first byte of each value, and what stands behind it.

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
TAG_STR: Final = 0x08  # a bytes value, UTF-8
TAG_BYTES_1: Final = 0x0A  # one byte; the next two tags are for 2 and 3 bytes
TAG_BYTES_4: Final = 0x0D
TAG_BYTES_L1: Final = 0x0E  # L1: a length or count of 1 byte, L4: one of 4 bytes, big-endian
TAG_BYTES_L4: Final = 0x0F
TAG_TUPLE_1: Final = 0x10
TAG_TUPLE_2: Final = 0x11
TAG_TUPLE_3: Final = 0x12
TAG_TUPLE_4: Final = 0x13
TAG_TUPLE_L1: Final = 0x14
TAG_TUPLE_L4: Final = 0x15
TAG_INT_L1: Final = 0x16  # decimal text
TAG_INT_L4: Final = 0x17
TAG_FLOAT: Final = 0x18  # 8 bytes, big-endian
TAG_SLICE: Final = 0x19  # a 3-tuple
TAG_FROZENSET: Final = 0x1A  # a tuple
TAG_COMPLEX: Final = 0x1B  # two floats, 16 bytes

# Ours, in extended values only (`txremote.wire.values`).
TAG_LOCAL_REF: Final = 0x07  # an id pack: an object of the receiver's
TAG_REMOTE_REF: Final = 0x09  # an id pack: an object of the sender's
TAG_LIST: Final = 0x1C  # as a tuple
TAG_DICT: Final = 0x1D  # as a tuple: key, value, key, value
TAG_SET: Final = 0x1E  # as a tuple
TAG_RECORD: Final = 0x1F  # kind, name, tuple of field names; then the values of the fields
TAG_SAME_SHAPE: Final = 0xF0  # the number of a shape; then the values of the fields
TAG_OTHER: Final = 0xF1  # a code, and one value as the code says
TAG_SHARED: Final = 0xF2  # the number of a container that was complete before

#: The ints that are one byte, ``tag - INT_ZERO``: -48 (`INT_FIRST`) to 159 (`INT_LAST`).
INT_FIRST: Final = 0x20
INT_ZERO: Final = 0x50
INT_LAST: Final = 0xEF

#: ``tag - BYTES_BEFORE`` is the length of a bytes value of up to four, and ``tag - TUPLE_BEFORE``
#: that of a tuple.
BYTES_BEFORE: Final = TAG_BYTES_1 - 1
TUPLE_BEFORE: Final = TAG_TUPLE_1 - 1
