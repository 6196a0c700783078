"""The zope interfaces of txremote; those of pools are in `txremote.pool_interfaces`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

from txremote.importing import lazy_names

if TYPE_CHECKING:
    from txremote.pool_interfaces import IPool, IPoolKind

__all__ = ["IAsyncResult", "IPool", "IPoolKind", "IRemoteService"]

# An IPool is an IService, and that part of Twisted takes its time to be imported.
__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("IPool", "IPoolKind"), "txremote.pool_interfaces")
)


class IAsyncResult(Interface):
    """
    A result that is still to come, as RPyC's `AsyncResult` shows it.

    ``IAsyncResult(deferred)`` adapts any Deferred.
    """

    ready = Attribute("Whether there is a value or an exception. A bool.")
    error = Attribute("Whether there is an exception. A bool.")
    expired = Attribute("Whether the time set by set_expiry ran out first. A bool.")
    value = Attribute("The value; waits for it, and raises the exception that the call raised.")
    deferred = Attribute("A new Deferred that fires with the result.")

    def wait() -> None:
        """Wait until there is a result. Raises AsyncResultTimeout on expiry."""

    def add_callback(func):  # type: ignore[no-untyped-def]
        """Call ``func(result)`` when there is one, at once if there is already."""

    def set_expiry(seconds):  # type: ignore[no-untyped-def]
        """Expire that many seconds from now, or never with None."""


class IRemoteService(Interface):
    """
    A service that can be hosted: RPyC's shape of one.

    Any object with these methods will do, an unmodified ``rpyc.Service`` included. A
    class is instantiated for each connection, an instance is shared.
    """

    def on_connect(conn):  # type: ignore[no-untyped-def]
        """Called when a connection is made, before its first request."""

    def on_disconnect(conn):  # type: ignore[no-untyped-def]
        """Called when a connection has ended; nothing can be sent any more."""
