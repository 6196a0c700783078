"""
Classic mode from a script (``rpyc.classic``): a server of `SlaveService`, such as
``twistd txremote --classic``, lets the script use its modules.

The script itself offers nothing to the server. RPyC's own ``classic.connect`` opens the
client to the server as well; pass ``service=ClassicService`` for that. Data of the server is
unpickled only by ``obtain(..., unpickle=True)``, or on a connection with ``allow_pickle``.
"""

from __future__ import annotations

import inspect
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol

from txremote.blocking import factory
from txremote.blocking.connection import BlockingConnection
from txremote.blocking.refused import refused
from txremote.blocking.streams import Channel, File, Stream
from txremote.classic import (
    DEFAULT_PORT,
    NO_TELEPORT,
    ClassicService,
    MasterService,
    ModuleNamespace,
    SlaveService,
    install,
)
from txremote.refs.netref import is_base_netref
from txremote.service import restricted


class ClassicConnection(Protocol):
    """A connection to a classic server, with the names that `install` gives it."""

    modules: Any
    builtins: Any
    namespace: Any
    execute: Any


DEFAULT_SERVER_PORT = DEFAULT_PORT
DEFAULT_SERVER_SSL_PORT = 18821

#: Bytes in each round trip of an upload or a download.
CHUNK = 64000

_STREAM_NAMES = frozenset(
    """
    read readline readlines write writelines flush isatty fileno close closed
    encoding errors newlines name mode readable writable seekable line_buffering
    """.split()
)


def connect(
    host: str,
    port: int = DEFAULT_SERVER_PORT,
    ipv6: bool = False,
    keepalive: bool | int = False,
    service: object = MasterService,
    config: factory.Config = None,
) -> BlockingConnection:
    """
    Connect to a classic server over TCP.

    Args:
        keepalive: Whether TCP's keepalive is on, or its seconds.
        service: A service for the server to use, such as `ClassicService`; none by default.
        config: Options, such as ``{"sync_request_timeout": 300}``. RPyC's function
            takes none.

    Raises:
        OSError, EOFError: the server cannot be reached, or speaks no RPyC.
        AttributeError: it does not serve classic mode.
    """
    return factory.connect(host, port, service, config, ipv6=ipv6, keepalive=keepalive)


def connect_channel(
    channel: Channel, service: object = MasterService, config: factory.Config = None
) -> BlockingConnection:
    """Connect to a classic server over a channel; see `factory.connect_channel`."""
    return factory.connect_channel(channel, service, config)


def connect_stream(
    stream: Stream, service: object = MasterService, config: factory.Config = None
) -> BlockingConnection:
    """Connect to a classic server over a stream."""
    return factory.connect_stream(stream, service, config)


def connect_pipes(
    input: File,  # noqa: A002
    output: File,
    service: object = MasterService,
    config: factory.Config = None,
) -> BlockingConnection:
    """Connect to a classic server over two files or descriptors."""
    return factory.connect_pipes(input, output, service, config)


def connect_stdpipes(
    service: object = MasterService, config: factory.Config = None
) -> BlockingConnection:
    """Connect to a classic server over the standard streams."""
    return factory.connect_stdpipes(service, config)


def unix_connect(
    path: str, service: object = MasterService, config: factory.Config = None
) -> BlockingConnection:
    """Connect to a classic server over a UNIX socket."""
    return factory.unix_connect(path, service, config)


def ssl_connect(
    host: str, port: int = DEFAULT_SERVER_SSL_PORT, service: object = MasterService, **options: Any
) -> BlockingConnection:
    """Connect to a classic server over TLS; options as of `factory.ssl_connect`."""
    return factory.ssl_connect(host, port, service=service, **options)


def connect_thread(
    service: object = MasterService, config: factory.Config = None
) -> BlockingConnection:
    """Serve classic mode in a thread of this process, and connect to it."""
    return factory.connect_thread(service, config, remote_service=SlaveService)


def connect_subproc(
    server_file: str | None = None, service: object = None, config: factory.Config = None
) -> BlockingConnection:
    """
    Start a process that serves classic mode on its standard streams.

    Args:
        server_file: The path of RPyC's ``rpyc_classic.py``, to run that. None
            runs txremote's own.
        service: A service for the process to use. None is an empty one, or, for RPyC's
            script, which needs it on its standard streams, `ClassicService`.
    """
    if service is None:
        service = MasterService if server_file is None else ClassicService
    if server_file is not None:
        args = [sys.executable, "-u", server_file, "-q", "-m", "stdio"]
    else:
        args = [sys.executable, "-m", "txremote.blocking.utils.stdio", "--classic"]
    return factory.connect_subproc(args, service, config)


def obtain(proxy: object, unpickle: bool | None = None) -> Any:
    """
    Return a copy of a remote value, by value. Anything but a netref is returned as it is.

    Args:
        unpickle: Whether the peer may send a pickle, which can run any code
            here. Else builtin containers are copied item by item. None for the
            connection's ``allow_pickle``.

    Raises:
        TypeError: it cannot be copied without unpickling.
        ValueError: the peer does not allow pickles (its ``allow_pickle``).
    """
    if not is_base_netref(proxy):
        return proxy
    return proxy.____conn__.obtain(proxy, unpickle)


def deliver(conn: ClassicConnection, localobj: object) -> Any:
    """
    Recreate a local object at the peer, by value, and return the netref of that: the *peer*
    unpickles our data, which in classic mode runs our code anyway.
    """
    return conn.modules["pickle"].loads(pickle.dumps(localobj))


teleport_function = refused("teleport_function", NO_TELEPORT)
pm = refused("pm", "the text of the exception has the traceback, and debugging starts there")
ssh_connect = factory.ssh_connect
connect_multiprocess = factory.connect_multiprocess

Filter = Callable[[str], object] | None


def upload(
    conn: ClassicConnection,
    localpath: str,
    remotepath: str,
    filter: Filter = None,  # noqa: A002
    ignore_invalid: bool = False,
    chunk_size: int = CHUNK,
) -> None:
    """
    Copy a file, or a folder and its contents, to the peer.

    Args:
        conn: A classic connection.
        localpath: The file or folder.
        remotepath: Its path there.
        filter: Called with each name; a false result leaves the file out.
        ignore_invalid: Whether to skip a path that is neither file nor folder, instead
            of raising ValueError.
        chunk_size: Bytes in each round trip.
    """
    if os.path.isdir(localpath):
        if not conn.modules["os.path"].isdir(remotepath):
            conn.modules.os.makedirs(remotepath)
        join = conn.modules["os.path"].join
        for name in os.listdir(localpath):
            if filter is None or filter(name):
                local = os.path.join(localpath, name)
                upload(conn, local, join(remotepath, name), filter, True, chunk_size)
    elif os.path.isfile(localpath):
        with open(localpath, "rb") as source, conn.builtins.open(remotepath, "wb") as target:
            while data := source.read(chunk_size):
                target.write(data)
    elif not ignore_invalid:
        raise ValueError(f"cannot upload {localpath!r}")


def download(
    conn: ClassicConnection,
    remotepath: str,
    localpath: str,
    filter: Filter = None,  # noqa: A002
    ignore_invalid: bool = False,
    chunk_size: int = CHUNK,
) -> None:
    """
    Copy a file, or a folder and its contents, from the peer; see `upload`. A name that would
    leave ``localpath`` is refused with a ValueError.
    """
    remote_path = conn.modules["os.path"]
    if remote_path.isdir(remotepath):
        os.makedirs(localpath, exist_ok=True)
        for name in conn.modules.os.listdir(remotepath):
            if os.path.basename(name) != name or name in ("", ".", ".."):
                raise ValueError(f"the peer named a file {name!r}")
            if filter is None or filter(name):
                local = os.path.join(localpath, name)
                remote = remote_path.join(remotepath, name)
                download(conn, remote, local, filter, True, chunk_size)
    elif remote_path.isfile(remotepath):
        with conn.builtins.open(remotepath, "rb") as source, open(localpath, "wb") as target:
            while data := source.read(chunk_size):
                target.write(data)
    elif not ignore_invalid:
        raise ValueError(f"cannot download {remotepath!r}")


upload_file = upload_dir = upload
download_file = download_dir = download


def upload_package(
    conn: ClassicConnection,
    module: ModuleType,
    remotepath: str | None = None,
    chunk_size: int = CHUNK,
) -> None:
    """
    Copy the folder that a module, or a package, is in (``rpyc.classic.upload_package``): to
    a folder of the module's name beside the peer's installed packages if no path is given.

    Raises:
        TypeError: The module has no file.
    """
    if remotepath is None:
        site = conn.modules.sysconfig.get_path("purelib")
        remotepath = conn.modules["os.path"].join(site, module.__name__)
    folder = os.path.dirname(os.path.abspath(inspect.getfile(module)))
    upload(conn, folder, remotepath, chunk_size=chunk_size)


upload_module = upload_package


def interact(conn: ClassicConnection, namespace: dict[str, object] | None = None) -> None:
    """
    Run a prompt at the peer, with this side's input and output (``rpyc.classic.interact``).
    It has the names of ``namespace``, and ``conn``.
    """
    with redirected_stdio(conn):
        conn.execute(_PROMPT)
        # the peer may see that there is a connection, and use nothing of it
        shown = restricted(conn, ())
        conn.namespace["_txremote_prompt"]({**(namespace or {}), "conn": shown})


_PROMPT = """
def _txremote_prompt(names):
    import code
    code.interact(local=dict(names))
"""


class MockClassicConnection:
    """Looks like a classic connection, and runs everything in this process."""

    def __init__(self) -> None:
        self.root = SlaveService()
        install(self)


@contextmanager
def redirected_stdio(conn: ClassicConnection) -> Iterator[None]:
    """Connect the peer's standard streams to this side's, of which it gets a restricted view."""
    remote = conn.modules.sys
    names = ("stdin", "stdout", "stderr")
    kept = [getattr(remote, name) for name in names]
    try:
        for name in names:
            setattr(remote, name, restricted(getattr(sys, name), _STREAM_NAMES, ()))
        yield
    finally:
        for name, stream in zip(names, kept, strict=True):
            setattr(remote, name, stream)


__all__ = [
    "DEFAULT_SERVER_PORT",
    "DEFAULT_SERVER_SSL_PORT",
    "ClassicService",
    "MasterService",
    "MockClassicConnection",
    "ModuleNamespace",
    "SlaveService",
    "connect",
    "connect_channel",
    "connect_pipes",
    "connect_stdpipes",
    "connect_stream",
    "connect_subproc",
    "connect_thread",
    "deliver",
    "download",
    "download_dir",
    "download_file",
    "interact",
    "obtain",
    "redirected_stdio",
    "ssl_connect",
    "unix_connect",
    "upload",
    "upload_dir",
    "upload_file",
    "upload_module",
    "upload_package",
]
