"""
RPyC's ``rpyc.utils.factory``, by its names.
"""

from txremote.blocking.factory import (
    DiscoveryError,
    ForbiddenError,
    connect,
    connect_by_service,
    connect_channel,
    connect_multiprocess,
    connect_pipes,
    connect_stdpipes,
    connect_stream,
    connect_subproc,
    connect_thread,
    discover,
    list_services,
    ssh_connect,
    ssl_connect,
    unix_connect,
)

__all__ = [
    "DiscoveryError",
    "ForbiddenError",
    "connect",
    "connect_by_service",
    "connect_channel",
    "connect_multiprocess",
    "connect_pipes",
    "connect_stdpipes",
    "connect_stream",
    "connect_subproc",
    "connect_thread",
    "discover",
    "list_services",
    "ssh_connect",
    "ssl_connect",
    "unix_connect",
]
