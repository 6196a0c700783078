"""RPyC's ``rpyc.utils.factory``, by its names."""

from txremote.blocking.factory import (
    DiscoveryError as DiscoveryError,
    ForbiddenError as ForbiddenError,
    connect as connect,
    connect_by_service as connect_by_service,
    connect_channel as connect_channel,
    connect_multiprocess as connect_multiprocess,
    connect_pipes as connect_pipes,
    connect_stdpipes as connect_stdpipes,
    connect_stream as connect_stream,
    connect_subproc as connect_subproc,
    connect_thread as connect_thread,
    discover as discover,
    list_services as list_services,
    ssh_connect as ssh_connect,
    ssl_connect as ssl_connect,
    unix_connect as unix_connect,
)
