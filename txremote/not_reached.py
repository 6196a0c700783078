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

from txremote.errors import AsyncResultTimeout, ConnectionLost, NotServed, RegistryUnreachable
from txremote.eventloop.login_refusals import in_words
from txremote.peer.tls_words import BEFORE_TLS, CUT_OFF, NO_TLS, in_words as tls_in_words
from txremote.servername import ServerName
from txremote.wire.framing import SPOKE_TLS

_TIMEOUTS = (TimeoutError, AsyncResultTimeout, twisted_errors.TimeoutError)
_NO_HOST = (socket.gaierror, twisted_errors.DNSLookupError, twisted_errors.UnknownHostError)

# the sentences of txremote.eventloop.certificates
_CERTIFICATE = re.compile(r"(?:an authority of )?the server's certificate \(.*")
_REFUSED = re.compile(r"refused this (?:side|client)'s certificate: ([^\[(]*)")
_UNTRUSTED = re.compile(r"certificate verify failed")


class NotReached(Exception):
    """A server was not reached; the text is a whole sentence, for the user."""


def why_not_connected(error: Exception, name: ServerName, timeout: float) -> str:
    """Return why there is no connection to a server, in words that are no class's own."""
    if isinstance(error, NotServed | RegistryUnreachable):
        return str(error)
    texts = f"{error} {error.__cause__ or ''}"
    if name.kind in ("tls", "ssl") and not isinstance(error, _TIMEOUTS):
        tls = _why_no_tls(error, texts, name)
        if tls is not None:
            return tls
    if isinstance(error, _NO_HOST):
        return "there is no such host"
    if isinstance(error, _TIMEOUTS):
        return f"no answer within {timeout:g} s"
    if SPOKE_TLS in texts:
        return f"the server speaks TLS: tls:{name.host}:{name.port}"
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


def _why_no_tls(error: Exception, texts: str, name: ServerName) -> str | None:
    certificate = _CERTIFICATE.search(str(error))
    if certificate is not None:
        sentence = certificate[0].strip()
        if "not trusted" in sentence:
            return f"{sentence}; --ca FILE names an authority"
        other_host = ", not " in sentence
        return f"{sentence}; tls:...:hostname=NAME says for whom" if other_host else sentence
    if _UNTRUSTED.search(texts):
        return (
            "the server's certificate is not trusted: it has expired, or no authority that is "
            "known has signed it (--ca FILE names one)"
        )
    refused = _REFUSED.search(texts)
    if refused is not None:
        if name.options.keys().isdisjoint({"cert", "certificate", "certKey"}):
            return "the server wants a certificate of its clients: --cert FILE"
        return f"the server refused this client's certificate: {refused[1].strip()}"
    if NO_TLS in texts:
        return "there is no TLS at this server: leave out tls:"
    if BEFORE_TLS in texts or CUT_OFF in texts:
        return _hung_up(name)
    return tls_in_words(error)


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
