"""RPyC's ``rpyc.core.async_``, by its names."""

from txremote.errors import AsyncResultTimeout as AsyncResultTimeout
from txremote.refs.asyncresult import AsyncResult as AsyncResult
