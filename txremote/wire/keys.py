"""
Keys: the encodings of id packs, by which references are known.

An id pack is ``(name, class id, instance id)``. It is used as its *encoding*, called the
reference's key: both ends encode a pack the same way, so a table by key finds an object
without decoding its pack. A key is measured in place and cut out.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol

from txremote.errors import RemoteProtocolError
from txremote.wire import consts, tags
from txremote.wire.brine import Budget, dump, load_value, truncated, uncounted_budget
from txremote.wire.consts import IdPack
from txremote.wire.limits import DEFAULT_LIMITS

#: What a boxed reference begins with: the pair's tag, and the label.
LOCAL_REF_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_LOCAL_REF])
REMOTE_REF_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_REMOTE_REF])
#: What the result of a call begins with that is still to come.
PROMISE_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_PROMISE])


class References(Protocol):
    """The objects that a connection's keys stand for, counted as they come and go."""

    def box_reference(self, value: object) -> bytes:
        """Return the boxed reference to a value, and count it as handed out."""

    def unbox_local(self, key: bytes) -> object:
        """Return the object of ours that a key stands for."""

    def refuse(self, problem: Exception) -> None:
        """Note why a value cannot be built: its call gets that error, and what it has None."""

    def unbox_remote(self, key: bytes) -> object:
        """Return the reference to the peer's object, and count it; `RemoteProtocolError`."""


class ReferencesWithin(References, Protocol):
    """The same within one extended value that is unboxed."""

    def received(self, value: object, size: int) -> object:
        """Return what stands for the value, of so many bytes, in its message."""


class BoxedReferences(References, Protocol):
    """The same in a whole message."""

    def takes_values(self) -> bool:
        """Tell whether the peer knows extended values."""

    def most_items(self) -> int:
        """Return how many items one extended value may have that is sent."""

    def received(self, value: object, size: int) -> object:
        """Return what stands for an extended value that has no references in it."""

    def within(self) -> ReferencesWithin:
        """Begin an extended value that is unboxed."""

    def unbox_promise(self, number: int) -> object:
        """Return what stands for the result of the call of a number."""


def unbox_promise(
    data: bytes, pos: int, budget: Budget, references: BoxedReferences
) -> tuple[object, int]:
    """Decode what stands behind label PROMISE; return it, and where it ends."""
    number, end = load_value(data, pos, 1, budget)
    if type(number) is not int:
        raise RemoteProtocolError(f"a promise that is no call's number at byte {pos}")
    return references.unbox_promise(number), end


def key_of_boxed(boxed: bytes) -> bytes:
    """Return the key in a boxed reference."""
    return boxed[len(REMOTE_REF_HEAD) :]


def _int_end(data: bytes, pos: int) -> int:
    tag = data[pos]
    if 0x20 <= tag <= 0xEF:  # INT_FIRST, INT_LAST
        return pos + 1
    if tag == 0x16:  # TAG_INT_L1: tag, length, text
        return pos + 2 + data[pos + 1]
    raise RemoteProtocolError(f"an id that is no plain int at byte {pos}")


def key_end(data: bytes, pos: int) -> int:
    """
    Return where the id pack at ``pos`` ends, without decoding it.

    Each reference of a message is measured by this, so nearly all id packs are measured in
    place: a str of up to 255 bytes, and two ints.
    """
    if data[pos] != 0x12:  # TAG_TUPLE_3
        raise _no_key(data, pos)
    if data[pos + 1] != 0x08:  # TAG_STR
        raise _no_name(data, pos)
    tag = data[pos + 2]
    if tag == 0x0E:  # TAG_BYTES_L1: three tags and the length stand before the text
        end = pos + 4 + data[pos + 3]
    elif 0x0A <= tag <= 0x0D:  # TAG_BYTES_1, TAG_BYTES_4: three tags before it
        end = pos + 3 + (tag - 0x09)  # BYTES_BEFORE
    else:  # rpyc names are module.Class: never empty, never 256 bytes long
        raise RemoteProtocolError(f"a name of a strange length in an id pack at byte {pos + 2}")
    tag = data[end]
    if tag == 0x16:  # TAG_INT_L1: tag, length, text
        end += 2 + data[end + 1]
    else:
        end = end + 1 if 0x20 <= tag <= 0xEF else _int_end(data, end)  # INT_FIRST, INT_LAST
    tag = data[end]
    return end + 1 if 0x20 <= tag <= 0xEF else _int_end(data, end)  # INT_FIRST, INT_LAST


_OLD_RPYC = (
    "the peer is an RPyC before 4.1, or a port of one, whose references RPyC 5 and 6 do not "
    "understand: let it have rpyc 4.1 or later, or txremote"
)


def _no_name(data: bytes, pos: int) -> RemoteProtocolError:
    # before RPyC 4.1 it was (id, class name, module name)
    tag = data[pos + 1]
    is_int = tag == tags.TAG_INT_L1 or tags.INT_FIRST <= tag <= tags.INT_LAST
    if is_int and data[_int_end(data, pos + 1)] == tags.TAG_STR:
        return RemoteProtocolError(_OLD_RPYC)
    return RemoteProtocolError(f"an id pack without a name at byte {pos + 1}")


def _no_key(data: bytes, pos: int) -> RemoteProtocolError:
    """
    Return the error for what is no id pack. RPyC's forks write a fourth item: rpyc-ng
    the kind of object (1 a module, 2 a class, 3 an instance), rpyc-async whether it is a
    coroutine function (0 or 1).
    """
    if data[pos] == tags.TAG_TUPLE_4:
        first_three = bytes([tags.TAG_TUPLE_3]) + data[pos + 1 : pos + 600]
        fourth = data[pos + key_end(first_three, 0)] - tags.INT_ZERO
        is_async = fourth == 0 or (fourth == 1 and b"builtins." in data[pos : pos + 14])
        if is_async or fourth in (1, 2, 3):
            return RemoteProtocolError(
                f"the peer is {'rpyc-async' if is_async else 'rpyc-ng'}, a fork of RPyC whose "
                f"references RPyC itself does not understand (at byte {pos}): let both ends "
                "have txremote or rpyc"
            )
    return RemoteProtocolError(f"an id pack that is no 3-tuple at byte {pos}")


def load_key(key: bytes) -> IdPack:
    """Decode a key. Raises as `check_pack` does."""
    try:
        return check_pack(load_value(key, 0, 2, uncounted_budget(DEFAULT_LIMITS))[0])
    except (IndexError, struct.error):
        raise truncated(key) from None


def check_pack(pack: object) -> IdPack:
    """Return the value if it is an id pack, else raise `RemoteProtocolError`."""
    if type(pack) is str:  # an RPyC before 4.1 asks about what it takes for the id
        raise RemoteProtocolError(_OLD_RPYC)
    if (
        type(pack) is tuple
        and len(pack) == 3
        and type(pack[0]) is str
        and type(pack[1]) is int
        and type(pack[2]) is int
    ):
        return pack
    raise RemoteProtocolError("an id pack is (name, class id, instance id)")


def key_of(pack: IdPack) -> bytes:
    """Return the key of an id pack: its encoding."""
    return dump(pack)
