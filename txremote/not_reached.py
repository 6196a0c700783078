"""
One sentence for each way in which a command does not reach its server.

Twisted, Python's ssl and pyOpenSSL have exceptions and words of their own for the same thing. A
user should not have to know which of them a command uses, so the sentences are made here, from
whatever was raised.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl

from twisted.cred.error import UnauthorizedLogin
from twisted.internet import error as twisted_errors

from txremote.errors import AsyncResultTimeout, ConnectionLost
from txremote.eventloop.login_refusals import in_words
from txremote.servername import ServerName

_TIMEOUTS = (TimeoutError, AsyncResultTimeout, twisted_errors.TimeoutError)
_NO_HOST = (socket.gaierror, twisted_errors.DNSLookupError, twisted_errors.UnknownHostError)

_MISMATCH = re.compile(r"VerificationError|[Mm]ismatch")
_UNTRUSTED = re.compile(r"certificate verify failed")
# of OpenSSL's alerts, those about the certificate of this side: see txremote.net.tls
_REFUSED = re.compile(
    r"(?:tls|ssl)\w* alert "
    r"(?:(?:bad |unsupported )?certificate[a-z ]*|unknown ca|access denied|decrypt error)"
)
_TLS_FAILED = re.compile(r"\[SSL: \w+\] ([a-z0-9 ]+)|'SSL routines', '\w*', '([^']+)'")
_CUT_OFF = re.compile(r"EOF occurred|unexpected eof")


class NotReached(Exception):
    """A server was not reached; the text is a whole sentence, for the user."""


def why_not_connected(error: Exception, name: ServerName, timeout: float) -> str:
    """Return why there is no connection to a server, in words that are no class's own."""
    texts = f"{error} {error.__cause__ or ''}"
    if name.kind in ("tls", "ssl") and not isinstance(error, _TIMEOUTS):
        tls = _why_no_tls(texts, name)
        if tls is not None:
            return tls
    if isinstance(error, _NO_HOST):
        return "there is no such host"
    if isinstance(error, _TIMEOUTS):
        return f"no answer within {timeout:g} s"
    if isinstance(error, ConnectionLost) and "protocol" in texts:  # and then what it said
        return str(error)
    if isinstance(error, EOFError | ConnectionResetError | BrokenPipeError):
        return _hung_up(name)
    return _in_words_of_the_system(error) or str(error) or repr(error)


def why_not_logged_in(error: Exception, user: str, timeout: float) -> str:
    """Return why a login failed."""
    if isinstance(error, UnauthorizedLogin):
        return str(error)
    if isinstance(error, _TIMEOUTS):
        return f"no answer to the login within {timeout:g} s"
    if isinstance(error, EOFError):
        return "it hung up at the login"
    if isinstance(error, AttributeError) and "'login'" in str(error):
        return "it takes no login: leave out --login"
    return f"the login of {user!r} failed: {in_words(error)}"


def _why_no_tls(texts: str, name: ServerName) -> str | None:
    if _MISMATCH.search(texts):
        wanted = name.options.get("hostname", name.host)
        return f"the server's certificate is not for {wanted} (tls:...:hostname=NAME says for whom)"
    if _UNTRUSTED.search(texts):
        return (
            "the server's certificate is not trusted: it has expired, or no authority that is "
            "known has signed it (--ca FILE names one)"
        )
    refused = _REFUSED.search(texts.replace("_", " "))
    if refused is not None:
        if name.options.keys().isdisjoint({"cert", "certificate", "certKey"}):
            return "the server wants a certificate of its clients: --cert FILE"
        return f"the server refused this client's certificate: {refused[0].strip()}"
    if _CUT_OFF.search(texts):
        return _hung_up(name)
    failed = _TLS_FAILED.search(texts)
    if failed is not None:
        return f"there is no TLS with this server: {(failed[1] or failed[2]).strip()}"
    return None


def _hung_up(name: ServerName) -> str:
    with_tls = "with" if name.kind in ("tls", "ssl") else "without"
    return f"it hung up before it answered: is it a server of RPyC's, {with_tls} TLS?"


def _in_words_of_the_system(error: Exception) -> str | None:
    """Return what an error of the system means, if it is one; a file that is missing is named."""
    number = error.errno if isinstance(error, OSError) else getattr(error, "osError", None)
    if not isinstance(number, int) or isinstance(error, ssl.SSLError):
        return None
    if number == errno.ECONNREFUSED:
        return "the connection was refused: no server listens there"
    words = os.strerror(number)
    file = getattr(error, "filename", None)
    return f"{words}: {file}" if file else words
