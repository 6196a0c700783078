"""
Making blocking connections (``rpyc.utils.factory``).

Each finds the dialect of the peer, fetches its root, and calls the service's ``on_connect``.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from txremote.blocking.channel import ByteChannel, PipeChannel, SocketChannel, TLSChannel
from txremote.blocking.connection import BlockingConnection, drive
from txremote.blocking.defaults import config_of_script
from txremote.blocking.dialler import dialler
from txremote.blocking.refused import refused
from txremote.blocking.sockets import CONNECT_TIMEOUT, begin_tls, load_certificates, open_socket
from txremote.blocking.streams import (
    Channel,
    File,
    PipeStream,
    SocketStream,
    Stream,
    own_descriptor,
)
from txremote.config import ConnectionConfig
from txremote.errors import AsyncResultTimeout
from txremote.peer.dialling import (
    KEEP,
    OPEN,
    WAIT,
    Outcome,
    Step,
    dialling_steps,
    outcome_of,
    unanswered,
)
from txremote.refs.threadguard import refuse_in_reactor
from txremote.registry.dialled import check_no_registry
from txremote.servername import ServerName, server_name
from txremote.service import VoidService, check_service, config_of, instantiate
from txremote.wire.messages import dialect_named

Config = ConnectionConfig | Mapping[str, object] | None


def _establish(
    dial: Callable[[], ByteChannel],
    service: object,
    config: Config,
    dialect: str = "auto",
    timeout: float | None = None,
) -> BlockingConnection:
    """
    Connect, and find the dialect of the peer (see `txremote.peer.dialling`), which has some
    seconds to answer. Where ``dial`` cannot be called again, ``dialect`` is the only one to try.
    """
    refuse_in_reactor()
    switches = config_of(check_service(service), config_of_script(config))

    def open_connection(dialect: str) -> BlockingConnection:
        chosen = dialect_named(dialect, switches.bind_threads)
        return drive(dial(), instantiate(service), switches, chosen)

    seconds = CONNECT_TIMEOUT if timeout is None else timeout
    return _Dialling(open_connection, seconds).run(dialect)


class _Dialling:
    """Carries out the steps of `txremote.peer.dialling` in this thread."""

    def __init__(
        self, open_connection: Callable[[str], BlockingConnection], timeout: float
    ) -> None:
        self._open_connection = open_connection
        self._deadline = time.monotonic() + timeout
        self._connections: dict[str, BlockingConnection] = {}
        self._errors: dict[str, Exception] = {}

    def run(self, dialect: str) -> BlockingConnection:
        """Take all steps, and return the connection that is kept."""
        steps = dialling_steps(dialect)
        step = next(steps)
        while True:
            try:
                outcome = self._take(step)
            except BaseException as error:  # a time-out, or Ctrl-C: the steps close what is open
                step = steps.throw(error)
                continue
            if step.action == KEEP:
                steps.close()
                return self._connections[step.dialect]
            step = steps.send(outcome)

    def _take(self, step: Step) -> Outcome | None:
        dialect = step.dialect
        if step.action == OPEN:
            try:
                self._connections[dialect] = self._open_connection(dialect)
            except Exception as error:
                self._errors[dialect] = error
        elif step.action == WAIT:
            return self._wait(dialect, step.seconds)
        elif step.action == KEEP:
            self._connections[dialect]._executor.introduced()
        elif dialect in self._connections:
            self._connections[dialect]._pump.close()
        return None

    def _wait(self, dialect: str, seconds: float | None) -> Outcome | None:
        if dialect in self._errors:
            return Outcome(dialect, self._errors[dialect])
        conn = self._connections[dialect]
        left = max(0.0, self._deadline - time.monotonic())
        timeout = left if seconds is None else min(seconds, left)
        try:
            conn._wait_for_answer(timeout, conn.protocol.introduce)
        except AsyncResultTimeout:
            if timeout == left:  # the server's time is over, and not the attempt's alone
                raise
            return None
        except Exception as error:
            tls = isinstance(conn._pump.io.channel, TLSChannel)
            return outcome_of(dialect, unanswered(error, tls), conn.protocol.other_dialect)
        return Outcome(dialect, is_txremote=bool(conn.protocol.features))


def connect(
    host: str,
    port: int | None = None,
    service: object = VoidService,
    config: Config = None,
    ipv6: bool = False,
    keepalive: bool | int = False,
    registry: str | None = None,
) -> BlockingConnection:
    """
    Connect to a server over TCP (``rpyc.connect``), or, without a port, by its name.

    Args:
        host: The server's name or address; without a port the way that every command names a
            server, such as ``"localhost:18861"`` or ``"tls:HOST:PORT"``: see
            `txremote.servername`.
        port: 1 to 65535.
        service: This side's service, a class or an instance.
        keepalive: Whether TCP's keepalive is on, or its seconds.
        registry: The URL of the registry that ``"registry:NAME"`` is looked up in; None: that of
            ``$TXREMOTE_REGISTRY``.

    Raises:
        OSError: it cannot be reached; `NotServed` or `RegistryUnreachable` where a registry was
            asked.
        EOFError: it hung up, or speaks another protocol.
        AsyncResultTimeout: it did not answer within `CONNECT_TIMEOUT` seconds.
        ValueError: there is no port, and ``host`` names no server.
    """
    if port is None:
        return connect_named(
            server_name(host), service, config, keepalive=keepalive, registry=registry
        )
    check_no_registry(registry, host)
    return _establish(lambda: SocketChannel(_dial(host, port, ipv6, keepalive)), service, config)


def connect_named(
    name: ServerName,
    service: object = VoidService,
    config: Config = None,
    *,
    timeout: float = CONNECT_TIMEOUT,
    keepalive: bool | int = False,
    registry: str | None = None,
    sticky_key: str | None = None,
) -> BlockingConnection:
    """
    Connect to a server by its name; ``timeout`` is in seconds, ``registry`` the URL of the one that
    a ``registry:`` name is looked up in, and ``sticky_key`` chooses among its places. Raises as
    `connect` does.
    """

    def connect_to(place: ServerName, seconds: float) -> BlockingConnection:
        dial = dialler(place, seconds, keepalive)
        return _establish(dial, service, config, timeout=seconds)

    if name.kind == "registry":
        # not before it is used: a worker process of a pool, which imports this, is to begin soon
        finding = import_module("txremote.blocking.finding")
        found: BlockingConnection = finding.connect_found(
            name, registry, connect_to, timeout, sticky_key
        )
        return found
    check_no_registry(registry, name.text)
    return connect_to(name, timeout)


def _dial(host: str, port: int, ipv6: bool, keepalive: bool | int) -> socket.socket:
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    return open_socket(host, port, family=family, timeout=CONNECT_TIMEOUT, keepalive=keepalive)


def unix_connect(
    path: str, service: object = VoidService, config: Config = None
) -> BlockingConnection:
    """Connect to a server over a UNIX socket (``rpyc.utils.factory.unix_connect``)."""
    return _establish(
        lambda: SocketChannel(SocketStream.unix_connect(path, timeout=None).sock), service, config
    )


def ssl_connect(
    host: str,
    port: int,
    keyfile: str | None = None,
    certfile: str | None = None,
    ca_certs: str | None = None,
    cert_reqs: ssl.VerifyMode | None = None,
    ssl_version: int | None = None,
    ciphers: str | None = None,
    service: object = VoidService,
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
    load_certificates(context, certfile, keyfile, ca_certs, ciphers)

    def dial() -> TLSChannel:
        plain = _dial(host, port, ipv6, keepalive)
        return TLSChannel(begin_tls(context, plain, host))

    return _establish(dial, service, config)


def connect_channel(
    channel: Channel, service: object = VoidService, config: Config = None
) -> BlockingConnection:
    """
    Make a connection over a channel (``rpyc.connect_channel``), such as one over a
    socket that a program has connected, or accepted, itself. It owns the channel.

    Nothing is sent or awaited, unless the service's ``on_connect`` does so: either end
    may be the one that speaks first, in the dialect of RPyC 6. The connection is closed
    if ``on_connect`` raises.

    Raises:
        TypeError: It is no `Channel`.
        Exception: Any that ``on_connect`` raised.
    """
    refuse_in_reactor()
    conn = BlockingConnection(service, channel, config)
    try:
        conn._executor.introduced()
    except BaseException:
        conn.close()
        raise
    return conn


def connect_stream(
    stream: Stream, service: object = VoidService, config: Config = None
) -> BlockingConnection:
    """Make a connection over a `SocketStream` or a `PipeStream`; see `connect_channel`."""
    return connect_channel(Channel(stream), service, config)


def connect_stdpipes(service: object = VoidService, config: Config = None) -> BlockingConnection:
    """Connect over the standard streams; the program's own output goes to standard error."""
    return connect_stream(PipeStream.from_std(), service, config)


def connect_pipes(
    input: File,  # noqa: A002
    output: File,
    service: object = VoidService,
    config: Config = None,
) -> BlockingConnection:
    """
    Connect over two file objects or descriptors, which the connection owns from now on.
    Raises EOFError if the other side hung up, or speaks another protocol.
    """
    pipes = own_descriptor(input), own_descriptor(output)
    return _establish(lambda: PipeChannel(*pipes), service, config, dialect="6")


def connect_subproc(
    args: Sequence[str], service: object = VoidService, config: Config = None
) -> BlockingConnection:
    """
    Start a process that serves on its standard streams, and connect to it. The connection
    has the `subprocess.Popen` as its ``proc``.

    Args:
        args: The command, such as
            ``[sys.executable, "-m", "txremote.blocking.utils.stdio", "pkg.mod.Service"]``.
    """
    process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    try:
        conn = connect_pipes(process.stdout, process.stdin, service, config)
    except BaseException:
        process.kill()
        process.wait()
        raise
    conn.proc = process  # type: ignore[attr-defined]
    return conn


_TUNNEL = "open the tunnel with 'ssh -L' and connect() to its local port"
ssh_connect = refused("ssh_connect", _TUNNEL)
connect_multiprocess = refused(
    "connect_multiprocess",
    "a fork shares what it should not: start a command with connect_subproc(), or use a pool "
    "of processes (txremote.run_async)",
)


def accept(channel: ByteChannel, service: object, config: Config = None) -> BlockingConnection:
    """Return the accepting side of a connection; its user calls ``serve_all()``."""
    switches = config_of(check_service(service), config_of_script(config))
    return drive(channel, instantiate(service), switches, None)


def connect_thread(
    service: object = VoidService,
    config: Config = None,
    remote_service: object = VoidService,
    remote_config: Config = None,
) -> BlockingConnection:
    """Serve ``remote_service`` in a new thread of this process, and connect to that."""
    here, there = socket.socketpair()
    remote = accept(SocketChannel(there), remote_service, remote_config)
    threading.Thread(target=remote.serve_all, name="txremote server", daemon=True).start()
    return _establish(lambda: SocketChannel(here), service, config, dialect="6")
