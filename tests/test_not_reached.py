"""
One sentence for each way in which a command does not reach its server. That all ways to connect
lead to the same one is tested in ``test_reaching.py``, with real servers.
"""

from __future__ import annotations

import errno
import socket

import pytest
from twisted.internet import error as twisted_errors

from txremote.errors import AsyncResultTimeout, ConnectionLost
from txremote.not_reached import why_not_connected, why_not_logged_in
from txremote.servername import server_name

PLAIN, TLS = server_name("host:1"), server_name("tls:host:1")


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        (
            [
                ConnectionRefusedError(errno.ECONNREFUSED, "x"),
                twisted_errors.ConnectionRefusedError(111),
            ],
            "the connection was refused: no server listens there",
        ),
        (
            [OSError(errno.ENETUNREACH, "x"), twisted_errors.ConnectError(errno.ENETUNREACH)],
            "Network is unreachable",
        ),
        (
            [TimeoutError("x"), AsyncResultTimeout("x"), twisted_errors.TimeoutError()],
            "no answer within 3 s",
        ),
        ([socket.gaierror(-2, "x"), twisted_errors.DNSLookupError("x")], "there is no such host"),
        (
            [ConnectionLost("x"), ConnectionResetError(errno.ECONNRESET, "x"), EOFError()],
            "it hung up before it answered: is it a server of RPyC's, without TLS?",
        ),
        ([FileNotFoundError(errno.ENOENT, "x", "/ca.pem")], "No such file or directory: /ca.pem"),
        ([LookupError("as it is")], "as it is"),
        ([LookupError()], "LookupError()"),
    ],
)
def test_what_was_raised_does_not_matter(errors: list[Exception], sentence: str) -> None:
    """Twisted's classes and Python's have one sentence."""
    assert {why_not_connected(error, PLAIN, 3) for error in errors} == {sentence}


def test_a_name_without_tls_is_told_nothing_of_certificates() -> None:
    """A server's own words are not taken for TLS's."""
    said = ConnectionLost("the peer broke the protocol: it says 'certificate verify failed'")
    assert why_not_connected(said, PLAIN, 3) == str(said)
    assert why_not_connected(said, TLS, 3) != str(said)


def test_an_attribute_error_within_a_login_is_no_missing_login() -> None:
    """Only of the name itself."""
    inside = AttributeError("'NoneType' object has no attribute 'find'")
    assert (
        why_not_logged_in(inside, "ann", 3)
        == f"the login of 'ann' failed: AttributeError: {inside}"
    )
