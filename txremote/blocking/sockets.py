"""Sockets of a script: connected, with their options, and the context for TLS over one."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from txremote.eventloop.tcp import KEEPALIVE_IDLE

#: Seconds that connecting may take.
CONNECT_TIMEOUT = 30.0


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
    given time-out. ``keepalive`` is whether TCP's is on, or its seconds. Raises OSError.
    """
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
