"""
Every exception txremote raises, in one tree.

::

    Exception
    ├── TxRemoteError
    │   ├── RemoteProtocolError        the peer sent what the protocol does not allow
    │   │   └── PingError (ValueError)      the answer to a ping is not what was sent
    │   ├── NotSendable (ValueError)   a value this side cannot write
    │   ├── WrongValue (TypeError)          a value that is not as an annotation declares it
    │   ├── DeadReferenceError (EOFError)   a reference whose connection has ended
    │   ├── ServerStopping (RuntimeError)   a call of a server that is about to stop
    │   ├── WrongThread (RuntimeError)
    │   ├── WrongProcess (RuntimeError)     what belongs to the parent of a forked process
    │   ├── WouldBlockReactor (RuntimeError)
    │   ├── PoolStopped (RuntimeError)      a pool that does not run, or has ended
    │   ├── PoolFull (RuntimeError)         a pool whose queue takes no more
    │   ├── WorkerDied (RuntimeError)       a job whose process or thread was lost
    │   ├── NotPicklable (TypeError)        a job or a result that cannot go by value
    │   ├── JobTimeout (TimeoutError)       a job that took longer than it was given
    │   ├── LimitExceeded (RuntimeError)    a limited source met one of its limits
    │   ├── SourceFailed (RuntimeError)     a limited source raised an error
    │   │   └── SourceRefused                   a limited source has what it may not have
    │   ├── NoSandbox (RuntimeError)        a limited source needs a sandbox, and there is none
    │   ├── RegistryUnreachable (ConnectionError)   a registry that does not answer
    │   ├── RegistryRefused (RuntimeError)  a registry does not do what it was asked
    │   ├── NotServed (ConnectionError)     a registry names no place that can be reached
    │   ├── SubscriberTooSlow (RuntimeError)   a subscription that its topic has ended
    │   ├── ContainerError (TypeError)      no container of commands, or none that can be made
    │   └── UsageError (ValueError)         a command line that its command does not take
    ├── ConnectionLost (twisted.internet.error.ConnectionLost, EOFError)
    │   └── CallCut                    a call that a server has cut, since it stops
    ├── AsyncResultTimeout (TimeoutError)
    ├── RemoteStopIteration (StopAsyncIteration)
    └── GenericException               an exception class this side does not know

Two things are kept apart. *This call failed*: the Deferred of one request gets any of these, or the
remote exception itself. *This connection is finished*: `RemoteProtocolError` of a kind that leaves
no way to go on, and every call that was waiting ends with `ConnectionLost`.
"""

from __future__ import annotations

from twisted.internet import error as _twisted_error


class TxRemoteError(Exception):
    """The base of what txremote itself raises."""


class RemoteProtocolError(TxRemoteError):
    """
    The peer sent bytes or values that the protocol does not allow.

    The message says what was wrong and, where a limit was met, names the option that raises it. It
    is the only exception that input of a peer can cause inside a connection.

    Attributes:
        limit: The option whose bound was met, or None. Where it is set the
            stream is still in step, so only the call is lost.
    """

    def __init__(self, message: str, limit: str | None = None) -> None:
        super().__init__(message)
        self.limit = limit


class PingError(RemoteProtocolError, ValueError):
    """The answer to a ping is not what was sent (``rpyc.core.protocol.PingError``)."""


class NotSendable(TxRemoteError, ValueError):
    """A value cannot be written: nested too deep, too long, not encodable."""


class WrongValue(TxRemoteError, TypeError):
    """
    An argument or a result is not what its annotation declares.

    The message begins with the path: ``items[3].price: expected Decimal, got str 'x'``.
    """


class DeadReferenceError(TxRemoteError, EOFError):
    """
    A call on a reference whose connection has ended.

    The name is that of `twisted.spread.pb.DeadReferenceError`. It is an
    `EOFError` too, since that is what RPyC's programs catch.
    """


class ServerStopping(TxRemoteError, RuntimeError):
    """The other side is about to stop, and begins nothing new."""


class WrongThread(TxRemoteError, RuntimeError):
    """A remote reference was called outside its connection's thread."""


class WrongProcess(TxRemoteError, RuntimeError):
    """A connection or a pool was used in a process that `os.fork` has made of its own."""


class WouldBlockReactor(TxRemoteError, RuntimeError):
    """Waiting for a result would block the thread that has to fetch it."""


class PoolStopped(TxRemoteError, RuntimeError):
    """A pool does not run: it was not started, or was stopped under the job."""


class PoolFull(TxRemoteError, RuntimeError):
    """A pool's queue holds as many jobs as it may. The message names the option."""


class WorkerDied(TxRemoteError, RuntimeError):
    """
    The worker that ran a job ended in the middle of it. The message says how.

    The job may have done a part of its work. It is not run again.
    """


class NotPicklable(TxRemoteError, TypeError):
    """A value cannot be sent to another process, or be made out there. The message names it."""


class JobTimeout(TxRemoteError, TimeoutError):
    """A job took longer than it was given, and was ended where it could be."""


class LimitExceeded(TxRemoteError, RuntimeError):
    """
    A limited source met one of its limits, and was ended.

    Attributes:
        limit: The argument of `txremote.limited_exec` that set it: ``timeout``, ``memory``,
            ``output``, ``calls``, ``message``; or ``recursion``, which is Python's.
        value: That limit.
        printed: The text that the source had printed.
    """

    def __init__(self, message: str, limit: str = "", value: float = 0, printed: str = "") -> None:
        super().__init__(message)
        self.limit = limit
        self.value = value
        self.printed = printed


class SourceFailed(TxRemoteError, RuntimeError):
    """
    A limited source raised an error that it did not handle.

    Attributes:
        error: The name of the error's class.
        line: The line of the source, or 0.
        printed: The text that the source had printed.
    """

    def __init__(self, message: str, error: str = "", line: int = 0, printed: str = "") -> None:
        super().__init__(message)
        self.error = error
        self.line = line
        self.printed = printed


class SourceRefused(SourceFailed):
    """A limited source is no Python, or says or names what it may not. The message tells all."""


class NoSandbox(TxRemoteError, RuntimeError):
    """A limited source is to run in a sandbox, and there is no bubblewrap that works."""


class RegistryUnreachable(TxRemoteError, ConnectionError):
    """A registry did not answer in its time. The message has its address."""


class RegistryRefused(TxRemoteError, RuntimeError):
    """A registry has answered that it does not do what it was asked. The message says why."""


class NotServed(TxRemoteError, ConnectionError):
    """A registry names no place of a service, or none that can be reached. The message says which
    ones were tried, and why it was in vain."""


class SubscriberTooSlow(TxRemoteError, RuntimeError):
    """Events of a topic waited too long for their subscriber, whose subscription has ended."""


class ContainerError(TxRemoteError, TypeError):
    """Something is no container of commands, or its class does not take these arguments."""


class UsageError(TxRemoteError, ValueError):
    """
    A command line is not what its command takes. The message is plac's, with the usage.

    Attributes:
        is_shown: That the output of its task has the message already.
    """

    is_shown = True


class ConnectionLost(_twisted_error.ConnectionLost, EOFError):
    """
    The connection ended while a call was waiting for its answer.

    It is Twisted's `ConnectionLost` for programs that trap that, and an
    `EOFError` for programs written for RPyC.
    """

    def __str__(self) -> str:
        # Twisted's would begin "Connection to the other side was lost in a non-clean fashion"
        return ": ".join(str(part) for part in self.args) or "the connection was lost"


class CallCut(ConnectionLost):
    """
    A call that had begun was cut by its server, which is about to stop and waits no longer.

    As with a lost connection nobody knows how far the call came, so whoever made it must not just
    repeat it. (`ServerStopping` is the error of a call that was not begun.)
    """


class AsyncResultTimeout(TimeoutError):
    """A result did not arrive within its time (RPyC's `AsyncResultTimeout`)."""


class RemoteStopIteration(StopAsyncIteration):
    """
    A remote ``__next__`` had nothing left.

    A plain `StopIteration` cannot come out of an ``await`` or a generator: it
    would read as "returned None". The blocking facet turns it back.
    """


class GenericException(Exception):
    """
    Stands in for a remote exception whose class is not known here.

    Subclasses are made as they arrive, named ``module.Class`` as the peer
    names them (RPyC's `rpyc.core.vinegar.GenericException`).
    """
