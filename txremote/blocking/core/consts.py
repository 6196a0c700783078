"""RPyC's ``rpyc.core.consts``, by its names."""

from txremote.blocking.streams import CHUNK as STREAM_CHUNK
from txremote.wire.consts import *  # noqa: F403

__all__ = ["STREAM_CHUNK"]  # and every MSG_, LABEL_, HANDLE_ and EXC_ of the wire
