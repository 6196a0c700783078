"""
RPyC's ``rpyc.core.async_``, by its names.
"""

from txremote.errors import AsyncResultTimeout
from txremote.refs.asyncresult import AsyncResult

__all__ = ["AsyncResult", "AsyncResultTimeout"]
