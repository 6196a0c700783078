"""
Messages: payloads to requests, replies and exceptions, in three dialects.

RPyC never negotiates. Its dialects are told apart by the first byte of a
payload:

========== ================== ================================================
first byte dialect            layout
========== ================== ================================================
01 02 03   RPyC 6             message kind, then brine of ``(seq, args)``
12         RPyC 5             brine of ``(kind, seq, args)``
00         bind_threads       two 8-byte thread ids (the sender's, the
                              receiver's), then either of the above
========== ================== ================================================

So a dialect differs from another in the few bytes before the sequence number,
and nowhere else: encoding looks them up, decoding steps over them. With
``bind_threads`` a reply is addressed to the thread that asked: it carries
``(0, the asking thread's id)``. Our own requests carry ``(0, 0)``, which a
stock peer gives to any thread that is free.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

from txremote.errors import RemoteProtocolError
from txremote.wire.brine import Budget, dump_int, load_value, truncated
from txremote.wire.consts import MSG_EXCEPTION, MSG_REPLY, MSG_REQUEST

_IDS = struct.Struct("!QQ")
_UNBOUND: Final = bytes(16)


class Dialect(NamedTuple):
    """
    What stands before the sequence number.

    Attributes:
        name: ``"6"`` or ``"5"``, the major version of the RPyC that speaks it.
        bound: Whether two thread ids come first.
        request: The bytes before the sequence number of a request.
        reply: The same of a reply, without thread ids.
        exception: The same of an exception, without thread ids.
    """

    name: str
    bound: bool
    request: bytes
    reply: bytes
    exception: bytes


def _dialect(name: str, bound: bool) -> Dialect:
    # version 6: the kind as a raw byte, then a 2-tuple; version 5: a 3-tuple
    # whose first item is the kind, an int that is one byte in brine
    heads = {
        kind: bytes([kind, 0x11]) if name == "6" else bytes([0x12, 0x50 + kind])
        for kind in (MSG_REQUEST, MSG_REPLY, MSG_EXCEPTION)
    }
    request = heads[MSG_REQUEST]
    return Dialect(
        name,
        bound,
        _UNBOUND + request if bound else request,
        heads[MSG_REPLY],
        heads[MSG_EXCEPTION],
    )


DIALECT_6: Final = _dialect("6", False)
DIALECT_5: Final = _dialect("5", False)
DIALECT_6_BOUND: Final = _dialect("6", True)
DIALECT_5_BOUND: Final = _dialect("5", True)

_DIALECTS = {(d.name, d.bound): d for d in (DIALECT_6, DIALECT_5, DIALECT_6_BOUND, DIALECT_5_BOUND)}


def dialect_named(name: str, bound: bool = False) -> Dialect:
    """
    Return the dialect of an RPyC version.

    Args:
        name: ``"6"`` or ``"5"``.
        bound: Whether the peer runs with ``RPYC_BIND_THREADS=true``.

    Raises:
        ValueError: there is no such dialect.
    """
    try:
        return _DIALECTS[name, bound]
    except KeyError:
        raise ValueError(f"no dialect {name!r}: it is '6' or '5'") from None


def sniff(payload: bytes) -> Dialect:
    """
    Tell the dialect of the first payload that came from a peer.

    Raises:
        RemoteProtocolError: no dialect starts like this.
    """
    bound = payload[:1] == b"\x00" and len(payload) > 16
    first = payload[16] if bound else payload[0] if payload else None
    if first in (MSG_REQUEST, MSG_REPLY, MSG_EXCEPTION):
        return DIALECT_6_BOUND if bound else DIALECT_6
    if first == 0x12:
        return DIALECT_5_BOUND if bound else DIALECT_5
    raise RemoteProtocolError(
        "the first bytes are no RPyC message "
        f"({payload[:8].hex(' ') or 'an empty frame'}): does the peer speak RPyC 5 or 6?"
    )


def open_envelope(data: bytes, dialect: Dialect, budget: Budget) -> tuple[int, int, int, int]:
    """
    Read a message up to its arguments.

    Returns:
        Its kind, one of the ``MSG_`` numbers; the request's number, by which its
        answer is found; where the arguments start; and the id of the asking
        thread, 0 outside ``bind_threads``.

    Raises:
        RemoteProtocolError: it is none in this dialect.
        IndexError, struct.error: the payload ended before its arguments.
    """
    if dialect is DIALECT_6 and data[1] == 0x11 and data[2] == 0x16 and 0 < data[0] < 4:
        end = 4 + data[3]  # the common case, in one go
        digits = data[4:end]
        if len(digits) < 19 and digits.isdigit():
            return data[0], int(digits), end, 0
    pos = 0
    sender = 0
    if dialect.bound:
        sender = _IDS.unpack_from(data)[0]
        pos = 16
    if dialect.name == "6":
        kind = data[pos]
        if data[pos + 1] != 0x11:
            raise RemoteProtocolError(f"no (seq, args) pair at byte {pos + 1}")
    elif data[pos] == 0x12:
        kind = data[pos + 1] - 0x50
    else:
        raise RemoteProtocolError(f"no (kind, seq, args) tuple at byte {pos}")
    if not MSG_REQUEST <= kind <= MSG_EXCEPTION:
        raise RemoteProtocolError(f"unknown message kind {kind}")
    seq, end = load_value(data, pos + 2, 1, budget)
    if type(seq) is not int:
        raise RemoteProtocolError(f"a sequence number that is no int at byte {pos + 2}")
    return kind, seq, end, sender


def open_request(data: bytes, pos: int, budget: Budget) -> tuple[int, int]:
    """
    Read a request's handler number.

    Args:
        data: The payload.
        pos: Where the envelope says that the arguments start.
        budget: The payload's allowance.

    Returns:
        The number, and where the boxed arguments start.

    Raises:
        RemoteProtocolError: there is none.
    """
    if data[pos] != 0x11:
        raise RemoteProtocolError(f"no (handler, args) pair at byte {pos}")
    tag = data[pos + 1]
    if 0x50 <= tag <= 0xEF:  # the common case: a small int, one byte
        return tag - 0x50, pos + 2
    handler, end = load_value(data, pos + 1, 1, budget)
    if type(handler) is not int:
        raise RemoteProtocolError(f"a handler that is no int at byte {pos + 1}")
    return handler, end


def reply_head(dialect: Dialect, kind: int, seq: int, sender: int = 0) -> bytes:
    """Return what stands before the arguments of a reply or an exception."""
    head = (dialect.reply if kind == MSG_REPLY else dialect.exception) + dump_int(seq)
    return _IDS.pack(0, sender) + head if dialect.bound else head


def peek(head: bytes, dialect: Dialect | None, budget: Budget) -> tuple[int, int, int, int] | None:
    """
    Read what `open_envelope` reads of a message of which only the start is there.

    Returns:
        None if it cannot be told.
    """
    try:
        return open_envelope(head, dialect or sniff(head), budget)
    except (RemoteProtocolError, IndexError, struct.error):
        return None


def load_plain(data: bytes, pos: int, depth: int, budget: Budget) -> Any:
    """
    Decode the brined value that fills the rest of a payload.

    Raises:
        RemoteProtocolError: it does not.
    """
    value, end = load_value(data, pos, depth, budget)
    check_end(data, end)
    return value


def check_end(data: bytes, end: int) -> None:
    """
    Check that a message ends where its payload does.

    Raises:
        RemoteProtocolError: it ends before or behind.
    """
    if end > len(data):
        raise truncated(data)
    if end < len(data):
        raise RemoteProtocolError(f"{len(data) - end} bytes behind the message, from byte {end}")
