"""
Why TLS with a peer has failed: whose certificate was refused, and for which reason.

OpenSSL's error is "certificate verify failed", and the certificate is gone by then. So each
certificate that is refused is noted when OpenSSL asks about it, as the ``tls_problem`` of the
transport, which the end of the connection is explained by (`txremote.peer.closing`).

A client that speaks no TLS to a server's port gets an alert of TLS's, from which a txremote knows
that TLS is spoken there.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Final

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from txremote.eventloop.certificates import is_for, why_refused
from txremote.peer.tls_words import NO_TLS

# "fatal, unexpected message", as TLS 1.2 and 1.3 have it
_ALERT: Final = b"\x15\x03\x03\x00\x02\x02\x0a"

_HANDSHAKE: Final = 0x16
_WRONG_NAME: Final = 62


@cache
def first_bytes(usual: Any) -> Any:
    """Return a server's TLS transport until its client has said something; then it is the usual."""

    class FirstBytes(usual):  # type: ignore[misc]  # a class of Twisted's, which needs pyOpenSSL
        def dataReceived(self, data: bytes) -> None:
            if type(self) is FirstBytes:  # not later: a transport of asyncio's keeps this method
                self.__class__ = usual
                if data[0] != _HANDSHAKE:
                    self.tls_problem = NO_TLS
                    self.transport.write(_ALERT)
            self.dataReceived(data)

    return FirstBytes


def note_refused(connection: Any, protocol: Any, whose: str, host: str | None = None) -> None:
    """
    Have a refused certificate of the peer's noted as a transport's ``tls_problem``.

    Args:
        connection: OpenSSL's side of the connection; the peer's certificate is asked for.
        protocol: The transport.
        whose: ``the server's certificate``, say.
        host: The name or address that it has to be for; None for a client's.
    """
    connection.set_verify(
        connection.get_verify_mode(), partial(_verify, _Noting(protocol), whose, host)
    )


class _Noting:
    """Notes the first problem, and lets the transport go: OpenSSL's side may outlive it."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def note(self, problem: str) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.tls_problem = problem

    def passed(self) -> None:
        self._protocol = None


def _verify(
    noting: _Noting,
    whose: str,
    host: str | None,
    _connection: object,
    certificate: Any,
    code: int,
    depth: int,
    accepted: int,
) -> bool:
    """Called by OpenSSL for each certificate of a chain, the peer's own last."""
    try:
        if accepted and depth == 0 and host is not None:
            accepted = is_for(certificate.to_cryptography(), host)
            code = _WRONG_NAME
        if not accepted:
            if depth:
                whose = f"an authority of {whose}"
            noting.note(why_refused(certificate.to_cryptography(), code, whose, host or ""))
        elif depth == 0:
            noting.passed()
    except Exception:  # a certificate that cannot be read; it must not be raised through OpenSSL
        noting.note(f"{whose} cannot be read")
        return False
    return bool(accepted)


@implementer(IOpenSSLClientConnectionCreator)
class CheckingClient:
    """Twisted's options of a TLS client, which checks the server, and notes why it is refused."""

    def __init__(self, options: Any, host: str) -> None:
        self._options = options
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: object) -> Any:
        """Return OpenSSL's side of a new connection (`IOpenSSLClientConnectionCreator`)."""
        connection = self._options.clientConnectionForTLS(tlsProtocol)
        note_refused(connection, tlsProtocol, "the server's certificate", self._host)
        return connection
