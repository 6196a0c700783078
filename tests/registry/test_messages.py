"""RPyC's messages: what stock RPyC writes is read, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from rpyc.core import brine as stock

from txremote.errors import RemoteProtocolError
from txremote.registry import messages
from txremote.registry.messages import List, Query, Register, Request, Unregister

REQUESTS = [
    (Query("Shop"), ("RPYC", "QUERY", ("Shop",))),
    (Register(("Shop", "Till"), 18861), ("RPYC", "REGISTER", (("Shop", "Till"), 18861))),
    (Unregister(18861), ("RPYC", "UNREGISTER", (18861,))),
    (List(None), ("RPYC", "LIST", ((None,),))),
    (List("10.0.0.7"), ("RPYC", "LIST", (("10.0.0.7",),))),
]


@pytest.mark.parametrize(("request_", "written"), REQUESTS)
def test_requests_are_rpycs(request_: Request, written: tuple[object, ...]) -> None:
    """Byte for byte, and they are read back."""
    assert messages.encoded(request_) == stock.dump(written)
    assert messages.request_of(stock.dump(written)) == request_
    assert messages.is_whole(stock.dump(written))
    assert not messages.is_whole(stock.dump(written)[:-1])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("RPYC", "not \\(magic, command, arguments\\)"),
        (("HTTP", "QUERY", ("x",)), "does not begin with 'RPYC'"),
        (("RPYC", "QUERY", ()), "no command 'QUERY' with these"),
        (("RPYC", "__class__", ()), "no command '__class__'"),
        (("RPYC", "QUERY", ("",)), "a name is a text of 1 to 204"),
        (("RPYC", "QUERY", ("x" * 205,)), "a name is a text of 1 to 204"),
        (("RPYC", "QUERY", ("\N{LATIN SMALL LETTER SHARP S}" * 103,)), "a name is a text of 1 to"),
        (("RPYC", "REGISTER", ((), 1)), "0 names"),
        (("RPYC", "REGISTER", (("x",) * 129, 1)), "129 names: 1 to 128"),
        (("RPYC", "REGISTER", ((b"x",), 1)), "a name is a text"),
        (("RPYC", "REGISTER", ("x", 1)), "no command 'REGISTER' with these"),
        (("RPYC", "REGISTER", (("x",), 0)), "a port is a number"),
        (("RPYC", "REGISTER", (("x",), True)), "a port is a number"),
        (("RPYC", "REGISTER", (("x",), "/a/path")), "a port is a number"),
        (("RPYC", "LIST", ((1,),)), "no command 'LIST' with these"),
        (("RPYC", "QUERY", (b"x" * 2000,)), "bytes, more than 1500"),
    ],
)
def test_what_is_no_request_says_why(value: object, sentence: str) -> None:
    """Whatever stands at any place of it."""
    with pytest.raises(RemoteProtocolError, match=sentence):
        messages.request_of(stock.dump(value))


@given(st.binary(max_size=1600))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No other exception comes out, of requests and of answers."""
    for read in (messages.request_of, messages.addresses_of, messages.names_of):
        try:
            read(data)
        except RemoteProtocolError:
            pass
    assert messages.is_ok(data) is (data == stock.dump("OK"))


def test_answers_are_checked() -> None:
    """Servers on UNIX sockets, which RPyC enters with a path, are left out, and so are strangers'
    entries that are none: they hide no other."""
    answer = stock.dump((("10.0.0.7", 18861), ("10.0.0.7", "/a/path"), ("10.0.0.8", 70000), 7))
    assert messages.addresses_of(answer) == (("10.0.0.7", 18861),)
    for wrong in (None, ("x",), (("", 1),), (("x", 70000),), ((1, 2),)):
        with pytest.raises(RemoteProtocolError):
            messages.addresses_of(stock.dump(wrong))
    assert messages.names_of(stock.dump(None)) is None
    assert messages.names_of(stock.dump(("A", "x" * 400, "B"))) == ("A", "B")
    with pytest.raises(RemoteProtocolError):
        messages.names_of(stock.dump((1,)))


def test_a_request_that_no_registry_reads_is_not_sent() -> None:
    """It would be cut."""
    with pytest.raises(ValueError, match="a registry reads 1500: use fewer names"):
        messages.encoded(Register(("x" * 100,) * 20, 1))
