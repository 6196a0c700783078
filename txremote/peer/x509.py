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
    as_bytes: Any = getattr(transport, "peer_certificate_bytes", None)  # of Python's ssl
    if as_bytes is not None:
        found: bytes | None = as_bytes()
        if not found:
            return None
        from cryptography.x509 import load_der_x509_certificate

        return load_der_x509_certificate(found)
    fetch: Any = getattr(transport, "getPeerCertificate", None)
    certificate: Any = None if fetch is None else fetch()
    if certificate is None:
        return None
    found_there: Certificate = certificate.to_cryptography()
    return found_there
