"""
Every zope Interface of txremote.
"""

from __future__ import annotations

from twisted.application.service import IService
from zope.interface import Attribute, Interface


class IAsyncResult(Interface):
    """
    A result that is still to come, as RPyC's `AsyncResult` shows it.

    ``IAsyncResult(deferred)`` adapts any Deferred.
    """

    ready = Attribute("Whether there is a value or an exception. A bool.")
    error = Attribute("Whether there is an exception. A bool.")
    expired = Attribute("Whether the time set by set_expiry ran out first. A bool.")
    value = Attribute("The value; waits for it, and raises what the call raised.")
    deferred = Attribute("A new Deferred that fires with the result.")

    def wait() -> None:
        """Wait until there is a result. Raises AsyncResultTimeout on expiry."""

    def add_callback(func):  # type: ignore[no-untyped-def]
        """Call ``func(result)`` when there is one, at once if there is already."""

    def set_expiry(seconds):  # type: ignore[no-untyped-def]
        """Expire that many seconds from now, or never with None."""


class IRemoteService(Interface):
    """
    What can be hosted: RPyC's service shape.

    Any object that has it will do, an unmodified ``rpyc.Service`` included. A
    class is instantiated for each connection, an instance is shared.
    """

    def on_connect(conn):  # type: ignore[no-untyped-def]
        """Called when a connection is made, before its first request."""

    def on_disconnect(conn):  # type: ignore[no-untyped-def]
        """Called when a connection has ended; nothing can be sent any more."""


class IPool(IService):
    """
    Somewhere else where a callable can run: threads, processes, a cluster.

    All methods are for the reactor's thread.
    """

    kind = Attribute("What it is made of: its prefix in a description, such as 'processes'.")
    description = Attribute("The pool as `pool_from_string` takes it, for messages.")
    by_value = Attribute("Whether arguments and results are copied: whether jobs run elsewhere.")

    def start():  # type: ignore[no-untyped-def]
        """
        Start it. A Deferred that fires when the first workers are ready; jobs
        may be submitted at once.
        """

    def stop():  # type: ignore[no-untyped-def]
        """
        Stop it: what is queued or runs fails with PoolStopped, and what can be
        ended is. A Deferred that fires when nothing is left.
        """

    def submit(function, args=(), kwargs=None, timeout=None, name=None):  # type: ignore[no-untyped-def]
        """
        Run ``function(*args, **kwargs)`` in the pool, once.

        ``timeout`` is in seconds, from the job's start and not from its
        submission; ``name`` is for the log, the function's own if None. Always
        returns a Deferred: of the result, or failing with what the function
        raised, `PoolFull`, `PoolStopped`, `WorkerDied`, `NotPicklable`,
        `JobTimeout`, `ConnectionLost` of a cluster. Cancelling it takes a queued
        job out of the queue and ends one that runs, where the pool can.
        """

    def statistics():  # type: ignore[no-untyped-def]
        """Return the pool's `PoolStatistics` of this moment."""


class IPoolKind(Interface):
    """A kind of pool, found by Twisted's plugin system (`twisted.plugin.IPlugin`)."""

    prefix = Attribute("What a description of this kind begins with, such as 'threads'.")

    def parse(reactor, words, options):  # type: ignore[no-untyped-def]
        """
        Make a pool, not yet started, of a description's parts: of
        ``processes:4:recycle=500`` the words ``("4",)`` and the options
        ``{"recycle": "500"}``; all are str. Raises ValueError with a sentence.
        """
