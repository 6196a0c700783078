"""
RPyC's names for scripts, prompts and worker threads: ``import txremote.blocking
as rpyc``, and the code of RPyC's tutorials runs.

No reactor is needed or started: a script's own threads drive the connection
(`txremote.blocking.pump`). Only `ThreadedServer` runs a reactor, until it is
closed.

``authentication``  authenticators: which clients a `ThreadedServer` serves
``auto_register``  a server's entry in a registry, kept by a thread beside it
``background``  `BgServingThread`: serves a connection while the script does other things
``channel``  byte channels for a plain thread: a socket, TLS over a socket, a pair of pipes
``channel_io``  bytes between a connection and its channel, in the threads of the program
``classic``  classic mode: a server lets a script use its modules
``connection``  `BlockingConnection`: what a script holds
``defaults``  the default options of a script's connections
``dialler``  dialling a server by its name
``discovery``  finding servers by the names of their services
``driver``  how a script waits, and which thread may send requests
``executor``  `ScriptExecutor`: where the peer's requests run in a script
``factory``  making blocking connections
``finding``  `connect("registry:NAME")`: a registry is asked by the thread that waits
``inbox``  the inbox: what has arrived and has not been run, and the threads that sleep beside it
``into``  `stream_into`: a stream of the peer's, written to a file
``keeper``  the thread that makes the connections of a client that reconnects
``live_root``  the root of a client that reconnects, as a netref
``private_reactor``  a reactor for a server of a program that has none
``pump``  the pump: drives a `Connection` with the threads that wait on it
``reconnect``  making a client that reconnects: `reconnecting`
``reconnecting_client``  a script's connection that comes back
``registrars``  clients of RPyC's registry
``registry_servers``  RPyC's registry servers
``refused``  RPyC's names that are not supported
``services``  services as RPyC's programs write them: their methods may block
``sockets``  sockets of a script: connected, with their options, and the context for TLS over one
``streams``  RPyC's ``SocketStream``, ``PipeStream`` and ``Channel``
``timers``  timed calls without a reactor, made by the threads that wait or poll
``version``  the version of RPyC whose names and behaviour these are, as programs ask for it
"""

from importlib import import_module
from typing import TYPE_CHECKING

from txremote.importing import lazy_names

if TYPE_CHECKING:
    from txremote.blocking import classic, core, lib, utils
    from txremote.blocking.background import BgServingThread
    from txremote.blocking.connection import BlockingConnection, BlockingConnection as Connection
    from txremote.blocking.core.stream import TunneledSocketStream as TunneledSocketStream
    from txremote.blocking.discovery import connect_by_service, discover, list_services
    from txremote.blocking.factory import (
        connect,
        connect_channel,
        connect_pipes,
        connect_stdpipes,
        connect_stream,
        connect_subproc,
        connect_thread,
        ssh_connect as ssh_connect,
        ssl_connect,
        unix_connect,
    )
    from txremote.blocking.into import stream_into
    from txremote.blocking.lib import setup_logger, spawn
    from txremote.blocking.reconnect import reconnecting
    from txremote.blocking.reconnecting_client import ReconnectingClient
    from txremote.blocking.services import Service, VoidService, service
    from txremote.blocking.streams import Channel, PipeStream, SocketStream
    from txremote.blocking.utils.server import OneShotServer, ThreadedServer, ThreadPoolServer
    from txremote.blocking.version import __version__ as __version__
    from txremote.classic import ClassicService, MasterService, SlaveService
    from txremote.errors import AsyncResultTimeout, GenericException
    from txremote.refs.asyncresult import AsyncResult
    from txremote.refs.by_hand import fetch_here as fetch, value
    from txremote.refs.helpers import async_, timed
    from txremote.refs.iteration import buffiter
    from txremote.refs.netref import BaseNetref
    from txremote.service import exposed, restricted, threaded
    from txremote.views.scripts import typed

__all__ = [
    "AsyncResult",
    "AsyncResultTimeout",
    "BaseNetref",
    "BgServingThread",
    "BlockingConnection",
    "Channel",
    "ClassicService",
    "Connection",
    "GenericException",
    "MasterService",
    "OneShotServer",
    "PipeStream",
    "ReconnectingClient",
    "Service",
    "SlaveService",
    "SocketStream",
    "ThreadPoolServer",
    "ThreadedServer",
    "VoidService",
    "async_",
    "buffiter",
    "classic",
    "connect",
    "connect_by_service",
    "connect_channel",
    "connect_pipes",
    "connect_stdpipes",
    "connect_stream",
    "connect_subproc",
    "connect_thread",
    "core",
    "discover",
    "exposed",
    "fetch",
    "lib",
    "list_services",
    "reconnecting",
    "restricted",
    "service",
    "setup_logger",
    "spawn",
    "ssl_connect",
    "stream",
    "stream_into",
    "threaded",
    "timed",
    "typed",
    "unix_connect",
    "utils",
    "value",
]


# Modules, and the names that they give to this one when they are used first: a program pays for
# what it uses, and one that does not connect, such as with ``--help``, for next to nothing.
_NAMES = {
    "txremote.blocking.background": "BgServingThread",
    "txremote.blocking.connection": "BlockingConnection",
    "txremote.blocking.core.stream": "TunneledSocketStream",
    "txremote.blocking.discovery": "connect_by_service discover list_services",
    "txremote.blocking.factory": (
        "connect connect_channel connect_pipes connect_stdpipes connect_stream connect_subproc "
        "connect_thread ssh_connect ssl_connect unix_connect"
    ),
    "txremote.blocking.lib": "setup_logger spawn",
    "txremote.blocking.into": "stream_into",
    "txremote.blocking.reconnect": "reconnecting",
    "txremote.blocking.reconnecting_client": "ReconnectingClient",
    "txremote.blocking.services": "Service VoidService service",
    "txremote.blocking.streams": "Channel PipeStream SocketStream",
    "txremote.blocking.utils.server": (
        "ForkingServer OneShotServer ThreadPoolServer ThreadedServer"
    ),
    "txremote.blocking.version": "__version__",
    "txremote.classic": "ClassicService MasterService SlaveService",
    "txremote.errors": "AsyncResultTimeout GenericException",
    "txremote.refs.asyncresult": "AsyncResult",
    "txremote.refs.by_hand": "value",
    "txremote.refs.helpers": "async_ timed",
    "txremote.refs.iteration": "buffiter",
    "txremote.refs.netref": "BaseNetref",
    "txremote.service": "exposed restricted threaded",
    "txremote.streams.source": "stream",
    "txremote.views.scripts": "typed",
}
_LAZY = {name: module for module, names in _NAMES.items() for name in names.split()}
_LAZY |= {
    "Connection": "txremote.blocking.connection:BlockingConnection",
    "async": "txremote.refs.helpers:async_",  # in RPyC's programs of Python 2; a keyword now
    "fetch": "txremote.refs.by_hand:fetch_here",
}
_MODULES = frozenset({"classic", "core", "lib", "utils"})  # of RPyC's, which import much of it
_lazy, _names = lazy_names(__name__, _LAZY)


def __getattr__(name: str) -> object:
    return import_module(f"{__name__}.{name}") if name in _MODULES else _lazy(name)


def __dir__() -> list[str]:
    return sorted({*_names(), *_MODULES})
