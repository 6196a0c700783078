"""
Making blocking connections (``rpyc.utils.factory``).

Each function connects, finds out what the peer speaks, fetches its root, and
calls the service's ``on_connect`` with the connection.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from txremote.blocking.channel import PipeChannel, SocketChannel, TLSChannel
from txremote.blocking.connection import BlockingConnection, drive
from txremote.blocking.defaults import config_of_script
from txremote.blocking.refused import refused
from txremote.blocking.streams import (
    CONNECT_TIMEOUT,
    Channel,
    PipeStream,
    Stream,
    open_socket,
    own_descriptor,
)
from txremote.config import ConnectionConfig
from txremote.errors import AsyncResultTimeout, ConnectionLost
from txremote.refs.threadguard import refuse_in_reactor
from txremote.service import VoidService, check_service, config_of, instantiate
from txremote.wire.messages import dialect_named

Config = ConnectionConfig | Mapping[str, Any] | None

#: Seconds that a server has to answer in the dialect of RPyC 6, before it is
#: asked in that of RPyC 5 as well, on a second connection.
PATIENCE = 1.0


def _establish(
    dial: Callable[[], Any], service: Any, config: Config, *, once: bool = False
) -> BlockingConnection:
    """
    Connect, and find out what the peer speaks (see `txremote.net.connect`).

    Args:
        dial: Gives a connected channel.
        service: What this side offers.
        config: Its switches.
        once: Whether ``dial`` cannot be called again.
    """
    refuse_in_reactor()
    switches = config_of(check_service(service), config_of_script(config))

    def speak(dialect: str) -> BlockingConnection:
        tongue = dialect_named(dialect, switches.bind_threads)
        return drive(dial(), instantiate(service), switches, tongue)

    conn = speak("6")
    other: BlockingConnection | None = None
    try:
        if once:
            _introduce(conn, CONNECT_TIMEOUT)
        elif not _introduced(conn, PATIENCE):
            other = speak(conn.protocol.other_dialect or "5")
            if conn.protocol.other_dialect is not None:  # it said so, and hung up
                conn, other = other, None
                _introduce(conn, CONNECT_TIMEOUT)
            elif _introduced(other, PATIENCE):
                # a thread pool of RPyC 5 logs what it cannot read, and waits for more
                conn, other = other, conn
            else:
                _introduce(conn, CONNECT_TIMEOUT)
        conn._runner.introduced()
    except BaseException:
        conn._pump.close()
        raise
    finally:
        if other is not None:
            other._pump.close()
    return conn


def _introduce(conn: BlockingConnection, timeout: float) -> None:
    conn._ask(conn.protocol.introduce, timeout)


def _introduced(conn: BlockingConnection, timeout: float) -> bool:
    """
    Tell whether the peer answers within some seconds.

    Raises:
        ConnectionLost: it hung up without a word that this side understands.
    """
    try:
        _introduce(conn, timeout)
    except AsyncResultTimeout:
        return False
    except ConnectionLost:
        if conn.protocol.other_dialect is None:
            raise
        return False
    return True


def connect(
    host: str,
    port: int,
    service: Any = VoidService,
    config: Config = None,
    ipv6: bool = False,
    keepalive: bool | int = False,
) -> BlockingConnection:
    """
    Connect to a server over TCP (``rpyc.connect``).

    Args:
        host: Its name or address.
        port: Its port.
        service: What this side offers, a class or an instance.
        config: Switches.
        ipv6: Whether to connect by IPv6.
        keepalive: Whether TCP shall look after an idle connection, or after how
            many seconds.

    Raises:
        OSError: it cannot be reached.
        EOFError: it hung up, or speaks another protocol.
        AsyncResultTimeout: it did not answer within `CONNECT_TIMEOUT` seconds.
    """
    return _establish(lambda: SocketChannel(_dial(host, port, ipv6, keepalive)), service, config)


def _dial(host: str, port: int, ipv6: bool, keepalive: bool | int) -> socket.socket:
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    return open_socket(host, port, family=family, timeout=CONNECT_TIMEOUT, keepalive=keepalive)


def unix_connect(
    path: str, service: Any = VoidService, config: Config = None
) -> BlockingConnection:
    """Connect to a server over a UNIX socket (``rpyc.utils.factory.unix_connect``)."""

    def dial() -> SocketChannel:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise
        return SocketChannel(sock)

    return _establish(dial, service, config)


def ssl_connect(
    host: str,
    port: int,
    keyfile: str | None = None,
    certfile: str | None = None,
    ca_certs: str | None = None,
    cert_reqs: ssl.VerifyMode | None = None,
    ssl_version: Any = None,
    ciphers: str | None = None,
    service: Any = VoidService,
    config: Config = None,
    ipv6: bool = False,
    keepalive: bool | int = False,
    verify_mode: ssl.VerifyMode | None = None,
) -> BlockingConnection:
    """
    Connect to a server over TLS (``rpyc.ssl_connect``).

    As with RPyC the server's certificate is checked where ``ca_certs`` is given
    or ``cert_reqs`` asks for it, and not otherwise.
    """
    context = ssl.SSLContext(ssl_version or ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    wanted = cert_reqs if cert_reqs is not None else verify_mode
    if wanted is None:
        wanted = ssl.CERT_REQUIRED if ca_certs else ssl.CERT_NONE
    context.verify_mode = wanted
    if certfile is not None:
        context.load_cert_chain(certfile, keyfile)
    if ca_certs is not None:
        context.load_verify_locations(ca_certs)
    if ciphers is not None:
        context.set_ciphers(ciphers)

    def dial() -> TLSChannel:
        plain = _dial(host, port, ipv6, keepalive)
        try:
            return TLSChannel(context.wrap_socket(plain, server_hostname=host))
        except BaseException:
            plain.close()
            raise

    return _establish(dial, service, config)


def connect_channel(
    channel: Channel, service: Any = VoidService, config: Config = None
) -> BlockingConnection:
    """
    Make a connection over a channel (``rpyc.connect_channel``), such as one over a
    socket that a program has connected, or accepted, itself.

    Nothing is sent or awaited, unless the service's ``on_connect`` does so: either end
    may be the one that speaks first, in the dialect of RPyC 6.

    Args:
        channel: A `Channel`; the connection's from now on.
        service: What this side offers, a class or an instance.
        config: Switches.

    Raises:
        TypeError: it is no such channel.
        Exception: what ``on_connect`` raised; the connection is closed then.
    """
    refuse_in_reactor()
    conn = BlockingConnection(service, channel, config)
    try:
        conn._runner.introduced()
    except BaseException:
        conn.close()
        raise
    return conn


def connect_stream(
    stream: Stream, service: Any = VoidService, config: Config = None
) -> BlockingConnection:
    """
    Make a connection over a `SocketStream` or a `PipeStream` (``rpyc.connect_stream``);
    see `connect_channel`.
    """
    return connect_channel(Channel(stream), service, config)


def connect_stdpipes(service: Any = VoidService, config: Config = None) -> BlockingConnection:
    """
    Make a connection over the standard streams (``rpyc.connect_stdpipes``). What the
    program prints goes to standard error then.
    """
    return connect_stream(PipeStream.from_std(), service, config)


def connect_pipes(
    input: Any,  # noqa: A002
    output: Any,
    service: Any = VoidService,
    config: Config = None,
) -> BlockingConnection:
    """
    Connect over two file objects or descriptors, which are the connection's from
    now on.

    Raises:
        EOFError: the other side hung up, or speaks another protocol.
    """
    pipes = own_descriptor(input), own_descriptor(output)
    return _establish(lambda: PipeChannel(*pipes), service, config, once=True)


def connect_subproc(
    args: Sequence[str], service: Any = VoidService, config: Config = None
) -> BlockingConnection:
    """
    Start a process that serves on its standard streams, and connect to it.

    Args:
        args: The command, such as
            ``[sys.executable, "-m", "txremote.blocking.utils.stdio", "pkg.mod.Service"]``.
        service: What this side offers.
        config: Switches.

    Returns:
        The connection, with the `subprocess.Popen` as its ``proc``.
    """
    process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        conn = connect_pipes(process.stdout, process.stdin, service, config)
    except BaseException:
        process.kill()
        process.wait()
        raise
    conn.proc = process  # type: ignore[attr-defined]
    return conn


NO_REGISTRY = "there is no registry here yet: tell clients the address, and connect(host, port)"

discover = refused("discover", NO_REGISTRY)
list_services = refused("list_services", NO_REGISTRY)
connect_by_service = refused("connect_by_service", NO_REGISTRY)
ssh_connect = refused(
    "ssh_connect", "open the tunnel with 'ssh -L' and connect() to its local port"
)
connect_multiprocess = refused(
    "connect_multiprocess",
    "a fork shares what it should not: start a command with connect_subproc(), or use a pool "
    "of processes (txremote.run_async)",
)


class DiscoveryError(Exception):
    """RPyC's: no registry knows the service."""


class ForbiddenError(Exception):
    """RPyC's: a registry does not list its services."""


def accept(channel: Any, service: Any, config: Config = None) -> BlockingConnection:
    """Return the accepting side of a connection; its user calls ``serve_all()``."""
    switches = config_of(check_service(service), config_of_script(config))
    return drive(channel, instantiate(service), switches, None)


def connect_thread(
    service: Any = VoidService,
    config: Config = None,
    remote_service: Any = VoidService,
    remote_config: Config = None,
) -> BlockingConnection:
    """
    Serve in a new thread of this process, and connect to that.

    Args:
        service: What this side offers.
        config: Its switches.
        remote_service: What the thread offers.
        remote_config: Its switches.
    """
    here, there = socket.socketpair()
    remote = accept(SocketChannel(there), remote_service, remote_config)
    threading.Thread(target=remote.serve_all, name="txremote server", daemon=True).start()
    return _establish(lambda: SocketChannel(here), service, config, once=True)
