"""
RPyC's names for scripts, prompts and worker threads: ``import txremote.blocking
as rpyc``, and the code of RPyC's tutorials runs.

No reactor is needed or started: a script's own threads drive the connection
(`txremote.blocking.pump`). Only `ThreadedServer` runs a reactor, until it is
closed.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from txremote.blocking import classic
from txremote.blocking.background import BgServingThread
from txremote.blocking.connection import BlockingConnection
from txremote.blocking.connection import BlockingConnection as Connection
from txremote.blocking.factory import (
    connect,
    connect_channel,
    connect_pipes,
    connect_stdpipes,
    connect_stream,
    connect_subproc,
    connect_thread,
    ssl_connect,
    unix_connect,
)
from txremote.blocking.services import Service, VoidService, service
from txremote.blocking.streams import Channel, PipeStream, SocketStream
from txremote.classic import ClassicService, MasterService, SlaveService
from txremote.errors import AsyncResultTimeout, GenericException
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.buffiter import buffiter
from txremote.refs.helpers import async_, timed
from txremote.refs.netref import BaseNetref
from txremote.service import exposed, restricted, threaded

if TYPE_CHECKING:
    from txremote.blocking.utils.server import ThreadedServer

# what RPyC's programs of Python 2 call it; a keyword now, so only by getattr
globals()["async"] = async_

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
    "PipeStream",
    "Service",
    "SlaveService",
    "SocketStream",
    "ThreadedServer",
    "VoidService",
    "async_",
    "buffiter",
    "classic",
    "connect",
    "connect_channel",
    "connect_pipes",
    "connect_stdpipes",
    "connect_stream",
    "connect_subproc",
    "connect_thread",
    "exposed",
    "restricted",
    "service",
    "ssl_connect",
    "threaded",
    "timed",
    "unix_connect",
]


def __getattr__(name: str) -> object:
    if name != "ThreadedServer":  # the one that needs a reactor: nobody else waits for that
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = import_module("txremote.blocking.utils.server").ThreadedServer
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), "ThreadedServer"})
