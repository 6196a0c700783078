"""
`AsyncioLoop`: an asyncio loop in the shape of a Twisted reactor.

It has as much of a reactor as `txremote.net`, and the endpoints of Twisted that it uses, ask
for. So all that is not a transport is the same code with asyncio as with a reactor: dialling,
logging in, limits, draining, connecting again. No reactor is imported or installed by it.

A loop has one, which it keeps itself, and which ends with it (`txremote.aio.ending`): connections
that are still open are closed, so that each call ends, and no socket is left.
"""

# ruff: noqa: A002  (Twisted's interfaces name an argument "callable")

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, TypeVar

from twisted.internet import interfaces
from twisted.internet._resolver import GAIResolver
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHostnameResolver, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from txremote.aio.descriptors import Descriptors
from txremote.aio.endpoints import without_reactor
from txremote.aio.logs import log_to_logging
from txremote.aio.ports import TCPPort, UNIXPort, accepting
from txremote.aio.timedcall import TimedCall
from txremote.aio.transport import ConnectionTransport
from txremote.net.unixsockets import adopt
from txremote.peer.variables import program_context

T = TypeVar("T")
P = TypeVar("P", TCPPort, UNIXPort)

#: Seconds that connections have to send what is unsent when the loop ends.
LAST_SECONDS = 1.0


class _Opens:
    """Listening, as Twisted's endpoints ask a reactor for it; and connecting."""

    @property
    def _whole(self) -> Any:
        return self  # with all that `AsyncioLoop` adds

    def connectTCP(self, *_args: object, **_keywords: object) -> NoReturn:
        """Refuse it, to an endpoint that `adapted` does not know. Raises NotImplementedError."""
        raise NotImplementedError(
            "this endpoint asks for Twisted's own way of connecting, which a loop of asyncio's has "
            "not: name the server as HOST:PORT, or connect a socket yourself and give it as sock="
        )

    connectUNIX = connectSSL = connectTCP

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> TCPPort:
        """Serve a factory on a TCP port (`IReactorTCP`)."""
        return _started(TCPPort(port, accepting(factory), backlog, interface, self))

    def listenUNIX(
        self,
        address: Any,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> UNIXPort:
        """Serve a factory on a UNIX socket (`IReactorUNIX`)."""
        return _started(UNIXPort(address, accepting(factory), backlog, mode, self, wantPID))

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        """Serve a factory on a duplicate of a listening socket (`IReactorSocket`)."""
        if addressFamily == socket.AF_UNIX:
            return adopt(self._whole, fileDescriptor, factory)
        make: Any = TCPPort._fromListeningDescriptor
        port: TCPPort = make(self, fileDescriptor, addressFamily, accepting(factory))
        return _started(port)

    def unix_port(self, descriptor: int, factory: Any) -> Any:
        """Return a port on a duplicate of a listening UNIX socket, which is to be started."""
        make: Any = UNIXPort._fromListeningDescriptor
        return make(self, descriptor, accepting(factory))

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> TCPPort:
        """Serve a factory by TLS (`IReactorSSL`)."""
        from twisted.protocols.tls import TLSMemoryBIOFactory

        wrapped: Any = TLSMemoryBIOFactory(contextFactory, False, factory, clock=self._whole)
        return self.listenTCP(port, wrapped, backlog, interface)

    def adapted(self, endpoint: IStreamClientEndpoint) -> IStreamClientEndpoint:
        """Return an endpoint that does the same and installs no reactor."""
        found: IStreamClientEndpoint = without_reactor(self._whole, endpoint)
        return found


# The last of them is what `HostnameEndpoint` wants to see of a reactor when it is made.
@implementer(
    interfaces.IReactorTime,
    interfaces.IReactorFromThreads,
    interfaces.IReactorInThreads,
    interfaces.IReactorPluggableNameResolver,
)
class AsyncioLoop(Descriptors, _Opens):
    """
    The running asyncio loop, for code that wants a reactor. Made by `current`.

    Attributes:
        loop: The asyncio loop.
        io_thread: The thread that it runs in.
        transports: Those that are open.
        ports: Those that listen.
    """

    #: Twisted does not know its thread, and may have a reactor in another.
    has_own_thread = True

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._cut_off = False
        self.transports: set[ConnectionTransport] = set()
        self.ports: set[TCPPort | UNIXPort] = set()
        self.nameResolver: IHostnameResolver = GAIResolver(self._whole)
        self._threads: ThreadPool | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._context = program_context()
        log_to_logging()
        # the first of them: pools stop when connections have been told to end
        self.addSystemEventTrigger("before", "shutdown", self._close_all)

    @classmethod
    def current(cls) -> AsyncioLoop:
        """
        Return that of the running loop.

        Raises:
            RuntimeError: no asyncio loop runs in this thread.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "no asyncio loop runs in this thread: call this in a coroutine, or in a function "
                "that one calls (FastAPI runs each `def` of yours in another thread; use async def)"
            ) from None
        found: AsyncioLoop | None = getattr(loop, "_txremote_loop", None)
        if found is None:
            found = cls(loop)
            loop._txremote_loop = found  # type: ignore[attr-defined]
        found.io_thread = threading.get_ident()
        return found

    @property
    def running(self) -> bool:
        """Whether the loop runs; never in a process that was forked of the loop's."""
        return not self._cut_off and self.loop.is_running()

    @running.setter
    def running(self, running: bool) -> None:
        self._cut_off = not running  # by `txremote.refs.forks`

    # -- time and threads

    def seconds(self) -> float:
        """Return the time of the loop, in seconds."""
        return self.loop.time()

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> TimedCall:
        """Call a function some seconds from now."""
        call = partial(callable, *args, **kwargs) if args or kwargs else callable
        return TimedCall(self.loop, delay, call)

    def getDelayedCalls(self) -> list[TimedCall]:
        """Return nothing: asyncio does not tell."""
        return []

    def callFromThread(
        self, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> None:
        """Call a function in the loop's thread, from any; nothing happens if the loop is closed."""
        call = partial(callable, **kwargs) if kwargs else callable
        with suppress(RuntimeError):  # it is closed, and nobody waits for this any more
            # not in the context of a worker thread's work
            self.loop.call_soon_threadsafe(call, *args, context=self._context.copy())

    def getThreadPool(self) -> ThreadPool:
        """Return the loop's threads, which begin when the first is needed."""
        if self._threads is None:
            self._threads = ThreadPool(0, 10, "txremote.aio")
            # they do not keep the process alive
            self._threads.threadFactory = partial(threading.Thread, daemon=True)  # type: ignore[assignment]
            self._threads.start()
            self.addSystemEventTrigger("after", "shutdown", _end_threads, self._threads)
        return self._threads

    def callInThread(
        self, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> None:
        """Call a function in one of the loop's threads."""
        self.getThreadPool().callInThread(callable, *args, **kwargs)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Have endpoints of Twisted's find names by another resolver; return the one until now."""
        before, self.nameResolver = self.nameResolver, resolver
        return before

    # -- its life

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine in a task, which is kept until it has ended."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def deferred_of(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Run a coroutine in a task; cancelling the Deferred of its result cancels it."""
        result: Deferred[T] = Deferred(lambda _result: cancel())

        def ended(task: asyncio.Task[T]) -> None:
            error = CancelledError() if task.cancelled() else task.exception()
            if result.called:  # it was cancelled
                return
            if error is None:
                result.callback(task.result())
            else:
                result.errback(Failure(error))

        def cancel() -> None:
            task.cancel()

        task = self.spawn(coroutine)
        task.add_done_callback(ended)
        return result

    async def _close_all(self) -> None:
        """
        Close ports and connections at the loop's end. Of a loop that is just closed no more than
        the first turn is made.
        """
        for port in list(self.ports):
            port.stopListening()
        for transport in list(self.transports):
            transport.loseConnection()
        end = self.seconds() + LAST_SECONDS
        await deferLater(self, 0)
        while self.transports and self.seconds() < end:
            await deferLater(self, 0.01)
        for transport in list(self.transports):
            transport.abortConnection()
        await deferLater(self, 0.001)


def _started(port: P) -> P:
    port.startListening()
    return port


def _end_threads(threads: ThreadPool) -> None:
    """Have threads end, each when it has nothing to do. The loop does not wait for that."""
    threading.Thread(target=threads.stop, name="txremote.aio stop", daemon=True).start()
