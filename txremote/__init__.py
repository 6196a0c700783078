"""
Remote objects for Twisted that speak RPyC's wire.

Serve objects with `listen`, call them with `connect`. Every remote call is a
Deferred. Any RPyC program can be at the other end.
"""

from typing import TYPE_CHECKING

from txremote.importing import lazy_names

if TYPE_CHECKING:
    from txremote.classic import ClassicService, MasterService, SlaveService
    from txremote.config import ConnectionConfig
    from txremote.console.server import ConsoleService as ConsoleService
    from txremote.console.task_service import TaskService as TaskService
    from txremote.console.tasks import TaskManager as TaskManager
    from txremote.errors import (
        AsyncResultTimeout,
        CallCut,
        ConnectionLost,
        ContainerError,
        DeadReferenceError,
        GenericException,
        JobTimeout,
        LimitExceeded,
        NoSandbox,
        NotPicklable,
        NotSendable,
        NotServed,
        PingError,
        PoolFull,
        PoolStopped,
        RegistryRefused,
        RegistryUnreachable,
        RemoteProtocolError,
        RemoteStopIteration,
        ServerStopping,
        SourceFailed,
        SourceRefused,
        SubscriberTooSlow,
        TxRemoteError,
        UsageError,
        WorkerDied,
        WouldBlockReactor,
        WrongProcess,
        WrongThread,
        WrongValue,
    )
    from txremote.eventloop.client_status import ClientStatus
    from txremote.interfaces import IAsyncResult, IRemoteService
    from txremote.net.client import RemoteClient
    from txremote.net.connect import connect
    from txremote.net.listen import listen
    from txremote.net.server_service import ServerService
    from txremote.peer.connection import Connection
    from txremote.peer.context import current_call
    from txremote.peer.into import stream_into
    from txremote.refs.asyncresult import AsyncResult
    from txremote.refs.by_hand import fetch, value
    from txremote.refs.helpers import async_, timed
    from txremote.refs.operations import (
        del_remote,
        dir_remote,
        get_remote,
        len_remote,
        repr_remote,
        set_remote,
        signature_remote,
        str_remote,
    )
    from txremote.refs.reference import RemotePath, RemoteReference
    from txremote.service import Service, VoidService, expose, exposed, restricted, threaded
    from txremote.streams.source import Stream, stream
    from txremote.tasks.stepping import Progress
    from txremote.tasks.task import Task
    from txremote.topics.subscription import Subscription
    from txremote.topics.topic import Topic, TopicStats
    from txremote.values.registry import register_value
    from txremote.views.reactor import typed
    from txremote.wire.record import Record
    from txremote.work.limited.execution import limited_exec
    from txremote.work.live import live
    from txremote.work.offload import offloaded
    from txremote.work.run import run_async

__version__ = "0.2.0"

# Modules, and the names that they give to this one when they are used first: a program pays for
# what it uses, and a worker process of a pool begins soon. The console's need plac, an extra, so
# they are not in ``__all__``; the last two of the notebook are IPython's, which looks for them.
_NAMES = {
    "txremote.classic": "ClassicService MasterService SlaveService",
    "txremote.config": "ConnectionConfig",
    "txremote.console.server": "ConsoleService",
    "txremote.console.task_service": "TaskService",
    "txremote.console.tasks": "TaskManager",
    "txremote.errors": (
        "AsyncResultTimeout CallCut ConnectionLost ContainerError DeadReferenceError "
        "GenericException JobTimeout LimitExceeded NoSandbox NotPicklable NotSendable "
        "NotServed PingError PoolFull PoolStopped RegistryRefused RegistryUnreachable "
        "RemoteProtocolError RemoteStopIteration ServerStopping SourceFailed SourceRefused "
        "SubscriberTooSlow TxRemoteError UsageError WorkerDied WouldBlockReactor "
        "WrongProcess WrongThread WrongValue"
    ),
    "txremote.eventloop.client_status": "ClientStatus",
    "txremote.interfaces": "IAsyncResult IRemoteService",
    "txremote.net.client": "RemoteClient",
    "txremote.net.connect": "connect",
    "txremote.net.listen": "listen",
    "txremote.net.server_service": "ServerService",
    "txremote.notebook": "load_ipython_extension unload_ipython_extension",
    "txremote.peer.connection": "Connection",
    "txremote.peer.context": "current_call",
    "txremote.peer.into": "stream_into",
    "txremote.refs.asyncresult": "AsyncResult",
    "txremote.refs.by_hand": "fetch value",
    "txremote.refs.helpers": "async_ timed",
    "txremote.refs.operations": (
        "del_remote dir_remote get_remote len_remote repr_remote set_remote signature_remote "
        "str_remote"
    ),
    "txremote.refs.reference": "RemotePath RemoteReference",
    "txremote.service": "Service VoidService expose exposed restricted threaded",
    "txremote.streams.source": "Stream stream",
    "txremote.topics.subscription": "Subscription",
    "txremote.topics.topic": "Topic TopicStats",
    "txremote.tasks.stepping": "Progress",
    "txremote.tasks.task": "Task",
    "txremote.values.registry": "register_value",
    "txremote.views.reactor": "typed",
    "txremote.wire.record": "Record",
    "txremote.work.limited.execution": "limited_exec",
    "txremote.work.live": "live",
    "txremote.work.offload": "offloaded",
    "txremote.work.run": "run_async",
}
_LAZY = {name: module for module, names in _NAMES.items() for name in names.split()}
_LAZY["errors"] = "txremote.errors:"

__all__ = [
    "AsyncResult",
    "AsyncResultTimeout",
    "CallCut",
    "ClassicService",
    "ClientStatus",
    "Connection",
    "ConnectionConfig",
    "ConnectionLost",
    "ContainerError",
    "DeadReferenceError",
    "GenericException",
    "IAsyncResult",
    "IRemoteService",
    "JobTimeout",
    "LimitExceeded",
    "MasterService",
    "NoSandbox",
    "NotPicklable",
    "NotSendable",
    "NotServed",
    "PingError",
    "PoolFull",
    "PoolStopped",
    "Progress",
    "Record",
    "RegistryRefused",
    "RegistryUnreachable",
    "RemoteClient",
    "RemotePath",
    "RemoteProtocolError",
    "RemoteReference",
    "RemoteStopIteration",
    "ServerService",
    "ServerStopping",
    "Service",
    "SlaveService",
    "SourceFailed",
    "SourceRefused",
    "Stream",
    "SubscriberTooSlow",
    "Subscription",
    "Task",
    "Topic",
    "TopicStats",
    "TxRemoteError",
    "UsageError",
    "VoidService",
    "WorkerDied",
    "WouldBlockReactor",
    "WrongProcess",
    "WrongThread",
    "WrongValue",
    "async_",
    "connect",
    "current_call",
    "del_remote",
    "dir_remote",
    "expose",
    "exposed",
    "fetch",
    "get_remote",
    "len_remote",
    "limited_exec",
    "listen",
    "live",
    "offloaded",
    "register_value",
    "repr_remote",
    "restricted",
    "run_async",
    "set_remote",
    "signature_remote",
    "str_remote",
    "stream",
    "stream_into",
    "threaded",
    "timed",
    "typed",
    "value",
]


__getattr__, __dir__ = lazy_names(__name__, _LAZY)
