"""RPyC's ``rpyc.utils.factory``, by its names."""

from txremote.blocking.discovery import (
    DiscoveryError as DiscoveryError,
    ForbiddenError as ForbiddenError,
    connect_by_service as connect_by_service,
    discover as discover,
    list_services as list_services,
)
from txremote.blocking.factory import (
    connect as connect,
    connect_channel as connect_channel,
    connect_multiprocess as connect_multiprocess,
    connect_pipes as connect_pipes,
    connect_stdpipes as connect_stdpipes,
    connect_stream as connect_stream,
    connect_subproc as connect_subproc,
    connect_thread as connect_thread,
    ssh_connect as ssh_connect,
    ssl_connect as ssl_connect,
    unix_connect as unix_connect,
)
