"""
RPyC's ``rpyc.core``, by its names.
"""

from txremote.blocking.connection import BlockingConnection as Connection
from txremote.blocking.defaults import DEFAULT_CONFIG
from txremote.blocking.services import Service, VoidService
from txremote.blocking.streams import Channel, PipeStream, SocketStream
from txremote.classic import ClassicService, MasterService, SlaveService
from txremote.errors import AsyncResultTimeout, GenericException
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.netref import BaseNetref

from . import async_, brine, channel, consts, netref, protocol, stream, vinegar
from . import service as service
from .stream import TunneledSocketStream

__all__ = [
    "DEFAULT_CONFIG",
    "AsyncResult",
    "AsyncResultTimeout",
    "BaseNetref",
    "Channel",
    "ClassicService",
    "Connection",
    "GenericException",
    "MasterService",
    "PipeStream",
    "Service",
    "SlaveService",
    "SocketStream",
    "TunneledSocketStream",
    "VoidService",
    "async_",
    "brine",
    "channel",
    "consts",
    "netref",
    "protocol",
    "stream",
    "vinegar",
]
