"""RPyC's ``rpyc.core``, by its names."""

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.core import (
    async_ as async_,
    brine as brine,
    channel as channel,
    consts as consts,
    netref as netref,
    protocol as protocol,
    service as service,
    stream as stream,
    vinegar as vinegar,
)
from txremote.blocking.core.stream import TunneledSocketStream as TunneledSocketStream
from txremote.blocking.defaults import DEFAULT_CONFIG as DEFAULT_CONFIG
from txremote.blocking.services import Service as Service, VoidService as VoidService
from txremote.blocking.streams import (
    Channel as Channel,
    PipeStream as PipeStream,
    SocketStream as SocketStream,
)
from txremote.classic import (
    ClassicService as ClassicService,
    MasterService as MasterService,
    SlaveService as SlaveService,
)
from txremote.errors import (
    AsyncResultTimeout as AsyncResultTimeout,
    GenericException as GenericException,
)
from txremote.refs.asyncresult import AsyncResult as AsyncResult
from txremote.refs.netref import BaseNetref as BaseNetref

Connection = BlockingConnection
