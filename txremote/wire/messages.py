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

So dialects differ in the few bytes before the sequence number only. With ``bind_threads`` a
reply carries ``(0, the asking thread's id)``. Our own requests carry ``(0, 0)``, which a
stock peer gives to any thread that is free.

The arguments of a request are ``(handler number, boxed arguments)``, those of a reply a
boxed value, those of an exception a plain one (`txremote.wire.exceptions`).
`txremote.wire.decoder` reads them.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from txremote.errors import PingError, RemoteProtocolError
from txremote.wire import consts
from txremote.wire.boxing import TUPLE_HEAD, VALUE_HEAD, box_name
from txremote.wire.brine import Budget, dump, dump_int, load_value, truncated, tuple_head
from txremote.wire.consts import MSG_EXCEPTION, MSG_REPLY, MSG_REQUEST
from txremote.wire.keys import LOCAL_REF_HEAD
from txremote.wire.tags import INT_ZERO, TAG_TUPLE_2, TAG_TUPLE_3

_PAIR: Final = bytes([TAG_TUPLE_2])
_IDS = struct.Struct("!QQ")
_UNBOUND: Final = bytes(16)

#: What a PING carries that has nothing else to say (``rpyc.core.protocol.Connection.ping``).
PING_DATA: Final = "abcdefghijklmnopqrstuvwxyz" * 20


def check_echo(sent: object, echo: object) -> None:
    """Raise `PingError` if the answer to a PING is not what was sent."""
    if echo != sent:
        raise PingError("the answer to a ping is not what was sent")


class Dialect(NamedTuple):
    """The bytes before the sequence number, in an RPyC's way of writing messages."""

    name: str  # "6" or "5", the major version of that RPyC
    bound: bool  # whether two thread ids come first
    request: bytes
    reply: bytes  # without thread ids
    exception: bytes  # likewise


def _dialect(name: str, bound: bool) -> Dialect:
    # version 6: the kind as a raw byte, then a 2-tuple; version 5: a 3-tuple
    # whose first item is the kind, an int that is one byte in brine
    heads = {
        kind: (bytes([kind, TAG_TUPLE_2]) if name == "6" else bytes([TAG_TUPLE_3, INT_ZERO + kind]))
        for kind in (MSG_REQUEST, MSG_REPLY, MSG_EXCEPTION)
    }
    request = _UNBOUND + heads[MSG_REQUEST] if bound else heads[MSG_REQUEST]
    return Dialect(name, bound, request, heads[MSG_REPLY], heads[MSG_EXCEPTION])


DIALECT_6: Final = _dialect("6", False)
DIALECT_5: Final = _dialect("5", False)
DIALECT_6_BOUND: Final = _dialect("6", True)
DIALECT_5_BOUND: Final = _dialect("5", True)

_DIALECTS = {(d.name, d.bound): d for d in (DIALECT_6, DIALECT_5, DIALECT_6_BOUND, DIALECT_5_BOUND)}


def dialect_named(name: str, bound: bool = False) -> Dialect:
    """
    Return the dialect of an RPyC version, ``"6"`` or ``"5"``, else raise `ValueError`.

    ``bound`` says whether the peer runs with ``RPYC_BIND_THREADS=true``.
    """
    try:
        return _DIALECTS[name, bound]
    except KeyError:
        raise ValueError(f"no dialect {name!r}: it is '6' or '5'") from None


def sniff(payload: bytes) -> Dialect:
    """Tell the dialect of a peer's first payload, or raise `RemoteProtocolError`."""
    bound = len(payload) > 16 and payload[0] == 0  # a thread id's first byte is 0
    first = payload[16] if bound else payload[0] if payload else None
    if first in (MSG_REQUEST, MSG_REPLY, MSG_EXCEPTION):
        return DIALECT_6_BOUND if bound else DIALECT_6
    if first == TAG_TUPLE_3:
        return DIALECT_5_BOUND if bound else DIALECT_5
    raise RemoteProtocolError(
        "the first bytes are no RPyC message "
        f"({payload[:8].hex(' ') or 'an empty frame'}): does the peer speak RPyC 5 or 6?"
    )


def open_envelope(data: bytes, dialect: Dialect, budget: Budget) -> tuple[int, int, int, int]:
    """
    Read a message up to its arguments.

    Returns:
        Its kind, one of the ``MSG_`` numbers; the request's number; where the arguments
        start; and the id of the asking thread, 0 outside ``bind_threads``.

    Raises:
        RemoteProtocolError: it is none in this dialect.
    """
    try:
        if (  # nearly all messages, in one go
            dialect is DIALECT_6
            and data[1] == 0x11  # TAG_TUPLE_2
            and data[2] == 0x16  # TAG_INT_L1: tag, length, text
            and 0 < data[0] < 4
        ):
            end = 4 + data[3]
            digits = data[4:end]
            if len(digits) < 19 and digits.isdigit():
                return data[0], int(digits), end, 0
        pos = 0
        sender = 0
        if dialect.bound:
            sender = _IDS.unpack_from(data)[0]
            pos = _IDS.size
        if dialect.name == "6":
            kind = data[pos]
            if data[pos + 1] != TAG_TUPLE_2:
                raise RemoteProtocolError(f"no (seq, args) pair at byte {pos + 1}")
        elif data[pos] == TAG_TUPLE_3:
            kind = data[pos + 1] - INT_ZERO
        else:
            raise RemoteProtocolError(f"no (kind, seq, args) tuple at byte {pos}")
        if not MSG_REQUEST <= kind <= MSG_EXCEPTION:
            raise RemoteProtocolError(f"unknown message kind {kind}")
        seq, end = load_value(data, pos + 2, 1, budget)
    except (IndexError, struct.error):
        raise truncated(data) from None
    if type(seq) is not int:
        raise RemoteProtocolError(f"a sequence number that is no int at byte {pos + 2}")
    return kind, seq, end, sender


def open_request(data: bytes, pos: int, budget: Budget) -> tuple[int, int]:
    """
    Return a request's handler number, and where the boxed arguments start.

    Raises:
        RemoteProtocolError: there is none.
        IndexError, struct.error: the payload ended before that.
    """
    if data[pos] != TAG_TUPLE_2:
        raise RemoteProtocolError(f"no (handler, args) pair at byte {pos}")
    handler, end = load_value(data, pos + 1, 1, budget)
    if type(handler) is not int:
        raise RemoteProtocolError(f"a handler that is no int at byte {pos + 1}")
    return handler, end


def pushed_number(data: bytes, pos: int, budget: Budget) -> tuple[int, int] | None:
    """
    Return the handler and the first argument of an ITEMS, which is the stream's number, or of
    an EVENTS, which is its channel; None of another request.
    """
    try:
        handler, at = open_request(data, pos, budget)
        if handler not in (consts.HANDLE_ITEMS, consts.HANDLE_EVENTS):
            return None
        # the pair of a number and the items stands in brine, or is boxed
        at += 3 if data[at : at + 2] == VALUE_HEAD else 5
        number, _end = load_value(data, at, 1, budget)
    except (RemoteProtocolError, IndexError, struct.error):
        return None
    return (handler, number) if type(number) is int else None


def request_head(handler: int) -> bytes:
    """Return what stands before the boxed arguments of a request, behind its number."""
    return _PAIR + dump_int(handler)


_TRACE_HEAD: Final = request_head(consts.HANDLE_TRACE) + VALUE_HEAD


def call_head(key: bytes, names: tuple[str, ...]) -> bytes:
    """
    Return what stands between a call's number and its arguments: the handler, the key of the
    object, and the names that lead from there to what is called.

    Raises:
        NotSendable: a name cannot be encoded.
    """
    return head_of_call(LOCAL_REF_HEAD + key, names)


def head_of_call(target: bytes, names: tuple[str, ...]) -> bytes:
    """Do as `call_head`, for a boxed object."""
    # each is followed by the arguments and the named ones
    if not names:
        return request_head(consts.HANDLE_CALL) + TUPLE_HEAD + tuple_head(3) + target
    if len(names) == 1:
        name = box_name(names[0])
        return request_head(consts.HANDLE_CALLATTR) + TUPLE_HEAD + tuple_head(4) + target + name
    path = VALUE_HEAD + dump(names)
    return request_head(consts.HANDLE_CALLPATH) + TUPLE_HEAD + tuple_head(4) + target + path


def head_of_read(target: bytes, name: str) -> bytes:
    """Return the GETATTR of a name of a boxed object, behind its number."""
    return (
        request_head(consts.HANDLE_GETATTR) + TUPLE_HEAD + tuple_head(2) + target + box_name(name)
    )


def del_request(key: bytes, count: int) -> bytes:
    """Return the DEL that gives back a reference to the peer's object, behind its number."""
    head = request_head(consts.HANDLE_DEL) + TUPLE_HEAD + tuple_head(2)
    return head + LOCAL_REF_HEAD + key + VALUE_HEAD + dump(count)


def trace_request(number: int, traceparent: str, tracestate: str) -> bytes:
    """Return the TRACE that tells of the trace of the request of a number, behind its own."""
    context = (number, traceparent, tracestate) if tracestate else (number, traceparent)
    return _TRACE_HEAD + dump(context)


def reply_head(dialect: Dialect, kind: int, seq: int, sender: int = 0) -> bytes:
    """Return what stands before the arguments of a reply or an exception."""
    head = (dialect.reply if kind == MSG_REPLY else dialect.exception) + dump_int(seq)
    return _IDS.pack(0, sender) + head if dialect.bound else head


def peek(head: bytes, dialect: Dialect | None, budget: Budget) -> tuple[int, int, int, int] | None:
    """Read the envelope of a message of which only the start is there, if it is long enough."""
    try:
        return open_envelope(head, dialect or sniff(head), budget)
    except RemoteProtocolError:
        return None
