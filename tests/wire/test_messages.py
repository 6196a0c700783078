"""
Messages: three dialects told apart and written as RPyC 6, RPyC 5 and
``RPYC_BIND_THREADS`` write them.

RPyC 6 is held against the installed one. RPyC 5 differs in how the three parts
of a message are put together, which is one line here (`five`).
"""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rpyc.core import brine as stock_brine, consts as stock_consts

from tests.examples import examples
from tests.wire.stock import stock_end, written_payload
from txremote.errors import RemoteProtocolError
from txremote.wire.brine import Budget, dump, load_value
from txremote.wire.consts import MSG_EXCEPTION, MSG_REPLY, MSG_REQUEST
from txremote.wire.keys import key_of
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.messages import (
    DIALECT_5,
    DIALECT_5_BOUND,
    DIALECT_6,
    DIALECT_6_BOUND,
    Dialect,
    call_head,
    del_request,
    dialect_named,
    open_envelope,
    open_request,
    peek,
    reply_head,
    request_head,
    sniff,
)

ALL = [DIALECT_6, DIALECT_5, DIALECT_6_BOUND, DIALECT_5_BOUND]
KINDS = [MSG_REQUEST, MSG_REPLY, MSG_EXCEPTION]
SEQS = [0, 1, 159, 160, 255, 2**31, 2**70]

each_dialect = pytest.mark.parametrize(
    "dialect", ALL, ids=lambda d: d.name + ("-bound" if d.bound else "")
)
each_kind = pytest.mark.parametrize("kind", KINDS)


def six(kind: int, seq: Any, args: Any) -> bytes:
    """Return a message as RPyC 6 lays it out (protocol.py, `_send`)."""
    return bytes([kind]) + stock_brine.dump((seq, args))


def five(kind: int, seq: Any, args: Any) -> bytes:
    """Return a message as RPyC 5 lays it out (5.3.1 protocol.py, `_send`)."""
    return stock_brine.dump((kind, seq, args))


def message(dialect: Dialect, kind: int, seq: Any, args: Any, sender: int = 7) -> bytes:
    """Return a message in any dialect, made by RPyC's own brine."""
    made = (six if dialect.name == "6" else five)(kind, seq, args)
    return struct.pack("!QQ", sender, 9) + made if dialect.bound else made


def budget(size: int = 0) -> Budget:
    """Return an allowance of the default size."""
    return Budget(DEFAULT_LIMITS, size)


# --- telling the dialect ----------------------------------------------------------


@each_dialect
@each_kind
@pytest.mark.parametrize("seq", SEQS)
def test_the_first_message_tells_its_dialect(dialect: Dialect, kind: int, seq: int) -> None:
    """Whatever kind of message comes first, its dialect is known."""
    assert sniff(message(dialect, kind, seq, (1, ()))) == dialect


def test_stock_rpyc_6_is_told() -> None:
    """The first request of the installed RPyC is of dialect 6, bound or not."""
    assert stock_consts.MSG_REQUEST == MSG_REQUEST
    for bound in (False, True):
        with stock_end(bind_threads=bound) as end:
            end._send(stock_consts.MSG_REQUEST, 0, (stock_consts.HANDLE_GETROOT, (1, ())))
            assert sniff(written_payload(end)) == dialect_named("6", bound)


def test_a_bound_peer_with_any_thread_id_is_told() -> None:
    """A thread id's first byte is 0 on every real machine, whatever the rest is."""
    for sender in (0, 1, 2**40, 2**56 - 1):
        assert sniff(message(DIALECT_6_BOUND, 1, 0, None, sender)) == DIALECT_6_BOUND


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        b"\x00" * 16,
        b"\x00" * 17,
        b"\x04\x11\x50\x00",
        b"\x11\x50\x00",
        b"\x13\x51\x50\x00\x00",
        b"GET / HTTP/1.1",
        b"\x16\x03\x01\x02\x00",
        b"\xff" * 40,
    ],
)
def test_what_is_no_dialect_is_refused_with_a_hint(payload: bytes) -> None:
    """The error shows the first bytes, and asks what the peer speaks."""
    with pytest.raises(RemoteProtocolError, match="does the peer speak RPyC 5 or 6") as caught:
        sniff(payload)
    assert (payload[:8].hex(" ") or "an empty frame") in str(caught.value)


def test_dialects_by_name() -> None:
    """What a user may write for ``dialect=``, and what not."""
    assert dialect_named("6") is DIALECT_6
    assert dialect_named("5") is DIALECT_5
    assert dialect_named("6", bound=True) is DIALECT_6_BOUND
    assert dialect_named("5", bound=True) is DIALECT_5_BOUND
    for name in ("7", "", "auto"):
        with pytest.raises(ValueError, match="it is '6' or '5'"):
            dialect_named(name)


# --- reading ----------------------------------------------------------------------


@each_dialect
@each_kind
@pytest.mark.parametrize("seq", SEQS)
def test_a_message_is_opened(dialect: Dialect, kind: int, seq: int) -> None:
    """Kind, number, the asking thread and where the arguments start."""
    data = message(dialect, kind, seq, ("args", 1))
    found_kind, found_seq, pos, sender = open_envelope(data, dialect, budget())
    assert (found_kind, found_seq) == (kind, seq)
    assert sender == (7 if dialect.bound else 0)
    assert data[pos:] == stock_brine.dump(("args", 1))
    assert load_value(data, pos, 10, budget())[0] == ("args", 1)


@each_dialect
@pytest.mark.parametrize("kind", [0, 4, 5, 100])
def test_an_unknown_kind_is_refused(dialect: Dialect, kind: int) -> None:
    """Only requests, replies and exceptions are messages."""
    with pytest.raises(RemoteProtocolError, match=f"unknown message kind {kind}"):
        open_envelope(message(dialect, kind, 1, ()), dialect, budget())


@each_dialect
@pytest.mark.parametrize("seq", [None, True, "1", b"1", 1.0, (1,), ()])
def test_a_number_that_is_no_int_is_refused(dialect: Dialect, seq: Any) -> None:
    """A message whose number is anything else could never be answered."""
    with pytest.raises(RemoteProtocolError):
        open_envelope(message(dialect, 1, seq, ()), dialect, budget())


@pytest.mark.parametrize("dialect", [DIALECT_6, DIALECT_6_BOUND], ids=["6", "6-bound"])
@pytest.mark.parametrize("args", [1, (1,), (1, 2, 3), "ab", None])
def test_in_dialect_6_the_rest_is_a_pair(dialect: Dialect, args: Any) -> None:
    """Anything but ``(seq, args)`` behind the kind is refused."""
    data = b"\x01" + dump(args)
    with pytest.raises(RemoteProtocolError, match=r"\(seq, args\) pair"):
        open_envelope(bytes(16) + data if dialect.bound else data, dialect, budget())


@pytest.mark.parametrize("first", [b"\x01", b"\x11\x51", b"\x13\x51", b"\x00"])
def test_in_dialect_5_all_is_a_triple(first: bytes) -> None:
    """Anything but ``(kind, seq, args)`` is refused, a message of RPyC 6 too."""
    with pytest.raises(RemoteProtocolError, match=r"\(kind, seq, args\) tuple"):
        open_envelope(first + b"\x51" * 5, DIALECT_5, budget())


@pytest.mark.parametrize("kind", [None, "1", b"\x01", 1.0, 200, -1, (1,)])
def test_in_dialect_5_a_kind_of_any_other_type_is_refused(kind: Any) -> None:
    """The kind is an int of one byte; brine's other tags never pass for one."""
    with pytest.raises(RemoteProtocolError, match="unknown message kind"):
        open_envelope(five(kind, 1, ()), DIALECT_5, budget())


@each_dialect
def test_a_message_cut_within_its_envelope_is_refused(dialect: Dialect) -> None:
    """Cut before its arguments it cannot be opened, or says that they start past its end."""
    data = message(dialect, 1, 12345, ("args", 1))
    for end in range(len(data) - len(dump(("args", 1)))):
        try:
            _kind, _seq, pos, _sender = open_envelope(data[:end], dialect, budget())
        except RemoteProtocolError:
            continue
        assert pos > end


@pytest.mark.parametrize("handler", [0, 1, 20, 64, 67, 159, 160, 1000, -1, -49])
def test_a_request_names_its_handler(handler: int) -> None:
    """Any int is read; whether there is such a handler is not decided here."""
    data = b"??" + stock_brine.dump((handler, (1, ())))
    found, pos = open_request(data, 2, budget())
    assert found == handler
    assert data[pos:] == stock_brine.dump((1, ()))


@pytest.mark.parametrize("args", [1, (1,), (1, 2, 3), "ab", None])
def test_a_request_is_a_pair(args: Any) -> None:
    """Anything but ``(handler, args)`` is refused, with its place."""
    with pytest.raises(RemoteProtocolError, match=r"\(handler, args\) pair at byte 0"):
        open_request(dump(args), 0, budget())


@pytest.mark.parametrize("handler", [None, True, "3", b"3", 3.0])
def test_a_handler_that_is_no_int_is_refused(handler: Any) -> None:
    """RPyC would look up anything that hashes."""
    with pytest.raises(RemoteProtocolError, match="handler that is no int at byte 1"):
        open_request(dump((handler, ())), 0, budget())


def test_a_long_number_meets_the_limit_by_name() -> None:
    """An int of many digits cannot hide in the envelope either."""
    data = six(1, 10**50, ())
    with pytest.raises(RemoteProtocolError, match="max_int_digits"):
        open_envelope(data, DIALECT_6, Budget(Limits(max_int_digits=20), len(data)))


# --- writing ----------------------------------------------------------------------


@each_dialect
@pytest.mark.parametrize("seq", SEQS)
def test_a_reply_is_addressed_to_whoever_asked(dialect: Dialect, seq: int) -> None:
    """Replies and exceptions are RPyC's bytes; bound ones carry (0, the sender's id)."""
    for kind in (MSG_REPLY, MSG_EXCEPTION):
        head = reply_head(dialect, kind, seq, sender=77 if dialect.bound else 0)
        whole = (six if dialect.name == "6" else five)(kind, seq, ("args",))
        ids = struct.pack("!QQ", 0, 77) if dialect.bound else b""
        assert head + dump(("args",)) == ids + whole


@each_dialect
def test_a_request_is_what_stock_rpyc_writes(dialect: Dialect) -> None:
    """Our requests, bound ones to no thread in particular."""
    ours = dialect.request + dump(5) + dump((3, (1, ())))
    assert ours == (bytes(16) if dialect.bound else b"") + (
        six(1, 5, (3, (1, ()))) if dialect.name == "6" else five(1, 5, (3, (1, ())))
    )
    assert sniff(ours) == dialect


def test_the_installed_rpyc_writes_the_same_messages() -> None:
    """Requests, replies and exceptions, held against RPyC's own connection."""
    with stock_end() as end:
        for kind, head in (
            (MSG_REQUEST, DIALECT_6.request + dump(300)),
            (MSG_REPLY, reply_head(DIALECT_6, MSG_REPLY, 300)),
            (MSG_EXCEPTION, reply_head(DIALECT_6, MSG_EXCEPTION, 300)),
        ):
            end._send(kind, 300, ("any", "args"))
            assert written_payload(end) == head + dump(("any", "args"))


@each_dialect
@each_kind
def test_what_is_written_is_read(dialect: Dialect, kind: int) -> None:
    """Heads are opened by the other end, and the asking thread's id comes back to it."""
    if kind == MSG_REQUEST:
        data = dialect.request + dump(6) + dump(None)
    else:
        data = reply_head(dialect, kind, 6, 5) + dump(None)
    found_kind, seq, pos, _sender = open_envelope(data, dialect, budget())
    assert (found_kind, seq) == (kind, 6)
    assert load_value(data, pos, 1, budget())[0] is None


def test_the_head_of_a_call_says_what_is_called() -> None:
    """With the arguments behind it, it is the request that RPyC writes."""
    pack = ("shop.Shop", 5, 1)
    local = (3, pack)
    behind = dump((1, "args")) + dump((1, ()))
    for names, handler, path in (
        ((), 7, ()),
        (("sell",), 8, ((1, "sell"),)),
        (("till", "sell"), 66, ((1, ("till", "sell")),)),
    ):
        whole = dump((handler, (2, (local, *path, (1, "args"), (1, ())))))
        assert call_head(key_of(pack), names) + behind == whole


def test_a_del_gives_a_number_of_references_back() -> None:
    """It is the request that RPyC writes."""
    pack = ("shop.Shop", 5, 1)
    assert del_request(key_of(pack), 300) == dump((15, (2, ((3, pack), (1, 300)))))


def test_the_head_of_a_request_is_its_handler() -> None:
    """Whatever its number."""
    for handler in (1, 20, 64, 200):
        assert request_head(handler) + dump((1, ())) == dump((handler, (1, ())))


# --- the start of a message that was dropped -----------------------------------


@each_dialect
@each_kind
def test_the_start_of_a_long_message_tells_whose_it_is(dialect: Dialect, kind: int) -> None:
    """64 bytes are enough to answer a message that was too long to be read."""
    head = message(dialect, kind, 2**40, (8, "x" * 1000))[:64]
    for known in (dialect, None):
        found = peek(head, known, budget())
        assert found is not None
        assert found[:2] == (kind, 2**40)


@pytest.mark.parametrize("head", [b"", b"\x01", b"\x00" * 12, b"nonsense", b"\x12\x51"])
def test_a_start_that_tells_nothing_is_none(head: bytes) -> None:
    """No error: the caller gives up the connection."""
    for known in (*ALL, None):
        assert peek(head, known, budget()) is None


@settings(deadline=None, max_examples=examples(200))
@given(st.sampled_from([b"", *(d.request for d in ALL)]), st.binary(max_size=40))
def test_random_starts_raise_nothing(before: bytes, rest: bytes) -> None:
    """Whatever stands there, sniffing gives a dialect or the one error, peeking never fails."""
    data = before + rest
    for known in (*ALL, None):
        peek(data, known, budget(len(data)))
    try:
        dialect = sniff(data)
    except RemoteProtocolError:
        return
    assert dialect in ALL
