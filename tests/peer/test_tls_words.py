"""
Why TLS has failed, in words, whichever library says it.
"""

from __future__ import annotations

import ssl

import pytest
from OpenSSL.SSL import Error

from txremote.peer.tls_words import NO_TLS, in_words, refused_own

HTTP = "the peer speaks HTTP, and here TLS is spoken"


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        ("tlsv13 alert certificate required", "it wants one"),
        ("tlsv1 alert unknown ca", "no authority that is known there has signed it"),
        ("sslv3 alert bad certificate", "it is not good"),
        ("ssl/tls alert certificate expired", "it has expired, or is not yet valid"),
        ("sslv3 alert handshake failure", None),  # of ciphers, perhaps
        ("certificate verify failed", None),  # that is our own word about the server's
    ],
)
def test_which_end_of_a_connection_is_a_refused_certificate(
    reason: str, refused: str | None
) -> None:
    """Whatever the peer says of ours, in the words of any OpenSSL; nothing else."""
    error = Error([("SSL routines", "", reason)])
    assert refused_own(error) == refused
    assert refused_own(EOFError(str(error))) is None
    assert refused_own(None) is None
    if refused is not None:
        assert in_words(error) == f"the peer refused this side's certificate: {refused}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Error([("SSL routines", "", "wrong version number")]), NO_TLS),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), NO_TLS),
        (
            Error([("SSL routines", "", "http request")]),
            HTTP,
        ),
        (
            Error([("SSL routines", "", "peer did not return a certificate")]),
            "the peer showed no certificate, and one is wanted here",
        ),
        (ssl.SSLError(1, "[SSL: NO_SUCH_THING] a new thing (_ssl.c:1)"), "TLS failed: a new thing"),
        (Error([("SSL routines", "", "a new thing")]), "TLS failed: a new thing"),
        (Error(), "TLS failed: "),
        (OSError("wrong version number"), None),
    ],
)
def test_what_openssl_and_python_say_is_one_sentence(error: Exception, words: str | None) -> None:
    """And what is not known is told as it is."""
    assert in_words(error) == words
