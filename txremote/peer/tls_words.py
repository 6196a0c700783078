"""
Why TLS has failed, in words, from what OpenSSL or Python's ssl says.

They have words of their own for the same thing, and no sentence. The peer's *alerts* say what it
thinks of this side; the other reasons are this side's own. Nothing here imports OpenSSL.
"""

from __future__ import annotations

import re
from typing import Final

NO_TLS: Final = "the peer speaks no TLS, and here TLS is spoken"
#: The end of a connection while TLS's handshake was under way.
BEFORE_TLS: Final = "the peer hung up before TLS began: does it speak TLS?"
CUT_OFF: Final = "the TLS connection was cut off"

_LIBRARIES = ("OpenSSL", "ssl")

# OpenSSL's alerts about the receiver's certificate: "tlsv13 alert certificate required", "tls alert
# certificate expired", "tlsv1 alert unknown ca"... Python's ssl has them in capitals as well.
_ALERT = re.compile(r"(?:tls|ssl)[\w/]* alert (?P<what>[a-z ]+)")

_OF_CERTIFICATE = {
    "certificate required": "it wants one",
    "certificate expired": "it has expired, or is not yet valid",
    "certificate revoked": "it was revoked",
    "certificate unknown": "it is not accepted",
    "bad certificate": "it is not good",
    "unsupported certificate": "it is of a kind that is not supported",
    "unknown ca": "no authority that is known there has signed it",
    "access denied": "access is denied",
    "decrypt error": "its signature is wrong",
}

_NO_VERSION = "there is no version of TLS that both sides take"
_HTTP = "the peer speaks HTTP, and here TLS is spoken"

_OWN = {
    "wrong version number": NO_TLS,
    "http request": _HTTP,
    "https proxy request": _HTTP,
    "unknown protocol": NO_TLS,
    "packet length too long": NO_TLS,
    "record layer failure": NO_TLS,
    "peer did not return a certificate": "the peer showed no certificate, and one is wanted here",
    "no shared cipher": "there is no cipher that both sides take",
    "unsupported protocol": _NO_VERSION,
    "alert protocol version": _NO_VERSION,
    "alert handshake failure": "the peer takes no cipher of this side's",
    "certificate verify failed": "the peer's certificate was refused",
    "unexpected eof": CUT_OFF,
    "eof occurred": CUT_OFF,
}


def refused_own(error: BaseException | None) -> str | None:
    """Return why the peer has refused this side's certificate, if that is what it says."""
    alert = _ALERT.search(str(error)) if _is_of_tls(error) else None
    return None if alert is None else _OF_CERTIFICATE.get(alert["what"].strip())


def in_words(error: BaseException) -> str | None:
    """Return why a connection with TLS has ended, in words; None if it is no error of TLS."""
    if not _is_of_tls(error):
        return None
    refused = refused_own(error)
    if refused is not None:
        return f"the peer refused this side's certificate: {refused}"
    text = str(error)
    lowered = text.lower()
    for reason, words in _OWN.items():
        if reason in lowered:
            return words
    found = re.search(r"'SSL routines', '\w*', '([^']+)'|\[SSL: \w+\] ([\w ]+)", text)
    return f"TLS failed: {(found[1] or found[2]).strip() if found else text}"


def _is_of_tls(error: BaseException | None) -> bool:
    return type(error).__module__.startswith(_LIBRARIES)
