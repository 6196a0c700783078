"""RPyC's ``rpyc.core.stream``, by its names."""

from txremote.blocking.refused import refused
from txremote.blocking.streams import (
    CHUNK,
    PipeStream as PipeStream,
    SocketStream as SocketStream,
    Stream as Stream,
)

STREAM_CHUNK = CHUNK

TunneledSocketStream = refused(
    "TunneledSocketStream", "open the tunnel with 'ssh -L' and connect to its local port"
)
_WINDOWS = "named pipes are Windows': connect over TCP on loopback"
Win32PipeStream = refused("Win32PipeStream", _WINDOWS)
NamedPipeStream = refused("NamedPipeStream", _WINDOWS)
