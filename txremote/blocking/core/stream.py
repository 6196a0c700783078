"""
RPyC's ``rpyc.core.stream``, by its names.
"""

from txremote.blocking.refused import refused
from txremote.blocking.streams import CHUNK as STREAM_CHUNK
from txremote.blocking.streams import PipeStream, SocketStream, Stream

__all__ = [
    "STREAM_CHUNK",
    "NamedPipeStream",
    "PipeStream",
    "SocketStream",
    "Stream",
    "TunneledSocketStream",
    "Win32PipeStream",
]

_WINDOWS = "named pipes are Windows': connect over TCP on loopback"

TunneledSocketStream = refused(
    "TunneledSocketStream", "open the tunnel with 'ssh -L' and connect to its local port"
)
Win32PipeStream = refused("Win32PipeStream", _WINDOWS)
NamedPipeStream = refused("NamedPipeStream", _WINDOWS)
