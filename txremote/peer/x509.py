"""`x509_of`: a peer's certificate as cryptography has it, whichever library speaks TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it comes with the extra tls
    from cryptography.x509 import Certificate


def x509_of(transport: object) -> Certificate | None:
    """
    Return the certificate of a transport's peer; None without TLS, or where it has shown none.

    Raises:
        ImportError: It is TLS of Python's, and there is no cryptography:
            ``pip install 'txremote[tls]'``.
    """
    # first of all, for TLS of Twisted's over asyncio shows what is below it, too
    fetch: Any = getattr(transport, "getPeerCertificate", None)
    certificate: Any = None if fetch is None else fetch()
    if hasattr(certificate, "to_cryptography"):  # pyOpenSSL's
        found: Certificate = certificate.to_cryptography()
        return found
    as_bytes: Any = getattr(transport, "peer_certificate_bytes", None)  # of Python's ssl
    in_der: bytes | None = None if as_bytes is None else as_bytes()
    if not in_der:
        return None
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(in_der)
