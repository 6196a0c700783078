"""Sockets of a script: connected, with their options, and the context for TLS over one."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from txremote.eventloop.certificates import why_refused
from txremote.eventloop.tcp import KEEPALIVE_IDLE
from txremote.peer.tls_words import BEFORE_TLS, CUT_OFF, in_words
from txremote.servername import check_port

if TYPE_CHECKING:  # it comes with the extra tls
    from cryptography.x509 import Certificate

#: Seconds that connecting may take.
CONNECT_TIMEOUT = 30.0

# Seconds for a server to show its certificate once more.
_SHOWN_WITHIN = 3.0


def open_socket(
    host: str,
    port: int,
    *,
    family: int = socket.AF_INET,
    socktype: int = socket.SOCK_STREAM,
    proto: int = 0,
    timeout: float | None = CONNECT_TIMEOUT,
    nodelay: bool = True,
    keepalive: bool | int = False,
) -> socket.socket:
    """
    Connect to the first address that answers, and return the socket, which keeps the
    given time-out. ``keepalive`` is whether TCP's is on, or its seconds. Raises OSError, and
    ValueError if the port is none.
    """
    check_port(port)
    problem: OSError | None = None
    found = socket.getaddrinfo(host, port, family, socktype, proto)
    for kind, way, protocol, _name, address in found:
        sock = socket.socket(kind, way, protocol)
        try:
            sock.settimeout(timeout)
            sock.connect(address)
        except OSError as error:
            sock.close()
            problem = error
            continue
        if nodelay:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if keepalive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            idle = KEEPALIVE_IDLE if keepalive is True else int(keepalive)
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), idle)
        return sock
    raise problem or OSError(f"no address for {host!r}")


def begin_tls(context: ssl.SSLContext, plain: socket.socket, hostname: str) -> ssl.SSLSocket:
    """
    Shake hands over a connected socket, which is closed if that fails.

    Raises:
        ssl.SSLError: TLS failed. Behind the text of Python's it says why, in words.
        OSError: The connection has ended, or was silent for too long.
    """
    family, timeout, address = plain.family, plain.gettimeout(), None
    with suppress(OSError):  # it has hung up already
        address = plain.getpeername()
    try:
        return context.wrap_socket(plain, server_hostname=hostname)
    except ssl.SSLCertVerificationError as error:
        with suppress(OSError, ImportError, ValueError):
            shown = _certificate_at(family, address, hostname, timeout)
            whose = "the server's certificate"
            _explain(error, why_refused(shown, error.verify_code, whose, hostname))
        raise
    except ssl.SSLError as error:
        words = in_words(error)
        _explain(error, BEFORE_TLS if words == CUT_OFF else words)
        raise
    except BaseException:
        plain.close()
        raise


def _explain(error: ssl.SSLError, words: str | None) -> None:
    if words is not None:
        error.strerror = f"{error.strerror}: {words}"


def _certificate_at(
    family: int, address: object, hostname: str, timeout: float | None
) -> Certificate:
    """
    Return the certificate that a server shows, to say what is wrong with it: of one that was
    refused Python keeps nothing, so it is asked for once more. Nothing else is sent.
    """
    from cryptography.x509 import load_der_x509_certificate

    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    with socket.socket(family) as plain:
        plain.settimeout(_SHOWN_WITHIN if timeout is None else min(timeout, _SHOWN_WITHIN))
        plain.connect(address)  # type: ignore[arg-type]  # as it was given
        with unchecked.wrap_socket(plain, server_hostname=hostname) as tls:
            return load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


def load_certificates(
    context: ssl.SSLContext,
    certfile: str | None,
    keyfile: str | None,
    ca_certs: str | None,
    ciphers: str | None,
) -> None:
    """Load into a TLS context what is given: paths of PEM files, and OpenSSL's list of ciphers."""
    if certfile is not None:
        context.load_cert_chain(certfile, keyfile)
    if ca_certs is not None:
        context.load_verify_locations(ca_certs)
    if ciphers is not None:
        context.set_ciphers(ciphers)


def tls_context(ssl_kwargs: Mapping[str, Any]) -> tuple[ssl.SSLContext, dict[str, Any]]:
    """Return a client's context for RPyC's ``ssl_kwargs``, and the rest, for ``wrap_socket``."""
    options = dict(ssl_kwargs)
    version = options.pop("ssl_version", None)
    context = ssl.create_default_context() if version is None else ssl.SSLContext(version)
    names = ("certfile", "keyfile", "ca_certs", "ciphers")
    load_certificates(context, *[options.pop(name, None) for name in names])
    context.check_hostname = options.pop("check_hostname", context.check_hostname)
    context.verify_mode = options.pop("cert_reqs", None) or context.verify_mode
    return context, options
