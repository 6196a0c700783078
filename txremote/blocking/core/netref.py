"""RPyC's ``rpyc.core.netref``, by its names, and its two ways to send a request by number."""

from __future__ import annotations

from typing import Any

from txremote.refs.asyncresult import AsyncResult
from txremote.refs.netref import BaseNetref

__all__ = ["BaseNetref", "asyncreq", "syncreq"]


def syncreq(proxy: BaseNetref, handler: int, *args: object) -> Any:
    """
    Send a request for a netref by its number, one of the ``HANDLE_`` of ``consts``, and wait
    for the answer, ``sync_request_timeout`` seconds at most.

    Raises:
        AsyncResultTimeout: There is no answer within that time.
        EOFError: The connection has ended.
    """
    return proxy.____conn__.sync_request(handler, proxy, *args)


def asyncreq(proxy: BaseNetref, handler: int, *args: object) -> AsyncResult:
    """Send a request for a netref by its number; see `syncreq`."""
    return proxy.____conn__.async_request(handler, proxy, *args)
