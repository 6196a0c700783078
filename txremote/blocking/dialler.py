"""Dialling a server by its name (`txremote.servername`): a connected socket, perhaps with TLS."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable

from txremote.blocking.channel import ByteChannel, SocketChannel, TLSChannel
from txremote.blocking.sockets import CONNECT_TIMEOUT, begin_tls, load_certificates, open_socket
from txremote.blocking.streams import SocketStream
from txremote.servername import OTHER, ServerName, unknown_kind


def dialler(
    name: ServerName, timeout: float = CONNECT_TIMEOUT, keepalive: bool | int = False
) -> Callable[[], ByteChannel]:
    """
    Return a function that connects to a server, whenever it is called, in any thread.

    Args:
        name: The server's. Its own ``timeout=`` is shorter than the argument, or does not count.
        timeout: Seconds that connecting, and again TLS's handshake, may take.
        keepalive: Whether TCP's is on, or its seconds.

    Raises:
        ValueError: A name that scripts cannot follow, or a file that is not what it should be.
        OSError: A file cannot be read; from the function: the server cannot be reached, and
            `ssl.SSLError` where TLS fails.
    """
    options = name.options
    seconds = min(timeout, float(options.get("timeout", timeout)))
    if name.kind == OTHER:
        raise unknown_kind(name.text)
    if name.kind == "registry":
        raise ValueError(f"{name.text} is no single place: connect() takes it")
    if name.kind == "unix":
        return lambda: SocketChannel(SocketStream.unix_connect(name.path, timeout=seconds).sock)
    for option in ("bindAddress", "endpoint"):
        if option in options:
            raise ValueError(f"{name.text}: a script has no option {option}=")

    def dial() -> socket.socket:
        family = socket.AF_UNSPEC
        return open_socket(
            name.host, name.port, family=family, timeout=seconds, keepalive=keepalive
        )

    if name.kind == "tcp":
        return lambda: SocketChannel(dial())
    context = tls_context_of(name)

    def dial_tls() -> TLSChannel:
        return TLSChannel(begin_tls(context, dial(), options.get("hostname", name.host)))

    return dial_tls


def tls_context_of(name: ServerName) -> ssl.SSLContext:
    """
    Return the context of a ``tls:`` or ``ssl:`` name, which checks what Twisted's endpoint of that
    name checks. Raises ValueError or OSError for its files.
    """
    options = name.options
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it checks certificate and name
    folder = options.get("caCertsDir") or options.get("trustRoots")
    if name.kind == "ssl" and "hostname" not in options:
        context.check_hostname = False
        if folder is None:
            context.verify_mode = ssl.CERT_NONE
    authority = options.get("ca")
    cert = options.get("cert") or options.get("certificate") or options.get("certKey")
    key = options.get("key") or options.get("privateKey")
    for file in filter(None, (authority, cert, key)):
        with open(file, "rb"):  # or an error of ssl's would not name it
            pass
    try:
        load_certificates(context, cert, key, authority, None)
        for file in _certificates_in(folder) if folder else []:
            context.load_verify_locations(file)
    except ssl.SSLError as problem:
        files = ", ".join(filter(None, (authority, cert, key, folder)))
        raise ValueError(f"{files}: not what TLS needs: {problem}") from None
    if authority is None and folder is None:
        context.load_default_certs()
    return context


def _certificates_in(folder: str) -> list[str]:
    """Return the files of a folder that Twisted takes for authorities."""
    names = [each for each in sorted(os.listdir(folder)) if each.lower().endswith(".pem")]
    return [os.path.join(folder, each) for each in names]
