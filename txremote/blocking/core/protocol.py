"""RPyC's ``rpyc.core.protocol``, by its names."""

from txremote.blocking.connection import BlockingConnection as Connection
from txremote.blocking.defaults import DEFAULT_CONFIG
from txremote.errors import PingError

__all__ = ["DEFAULT_CONFIG", "Connection", "PingError"]
