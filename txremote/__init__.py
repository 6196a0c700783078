"""
Remote objects for Twisted that speak RPyC's wire.

Serve objects with `listen`, call them with `connect`. Every remote call is a
Deferred. Any RPyC program can be at the other end.
"""

from txremote.classic import ClassicService, MasterService, SlaveService
from txremote.errors import (
    AsyncResultTimeout,
    ConnectionLost,
    DeadReferenceError,
    GenericException,
    NotSendable,
    RemoteProtocolError,
    RemoteStopIteration,
    TxRemoteError,
    WouldBlockReactor,
    WrongThread,
)
from txremote.interfaces import IAsyncResult, IRemoteService
from txremote.net.connect import connect
from txremote.net.listen import listen
from txremote.peer.config import ConnectionConfig
from txremote.peer.connection import Connection
from txremote.peer.context import current_call
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.helpers import async_, timed
from txremote.refs.reference import (
    RemotePath,
    RemoteReference,
    del_remote,
    dir_remote,
    get_remote,
    len_remote,
    repr_remote,
    set_remote,
    str_remote,
)
from txremote.service import Service, VoidService, exposed, threaded

__version__ = "0.1.0"

__all__ = [
    "AsyncResult",
    "AsyncResultTimeout",
    "ClassicService",
    "Connection",
    "ConnectionConfig",
    "ConnectionLost",
    "DeadReferenceError",
    "GenericException",
    "IAsyncResult",
    "IRemoteService",
    "MasterService",
    "NotSendable",
    "RemotePath",
    "RemoteProtocolError",
    "RemoteReference",
    "RemoteStopIteration",
    "Service",
    "SlaveService",
    "TxRemoteError",
    "VoidService",
    "WouldBlockReactor",
    "WrongThread",
    "async_",
    "connect",
    "current_call",
    "del_remote",
    "dir_remote",
    "exposed",
    "get_remote",
    "len_remote",
    "listen",
    "repr_remote",
    "set_remote",
    "str_remote",
    "threaded",
    "timed",
]
