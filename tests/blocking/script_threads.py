"""
What the tests of blocking code share. Not a test file.

Under pytest-twisted a test's body is the reactor's thread, where blocking calls
are refused. So whatever blocks runs in threads of its own, each with a deadline:
a deadlock fails its test, with the stacks of all threads, and hangs nothing.
"""

from __future__ import annotations

import functools
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

import txremote.blocking as rpyc
from txremote.blocking.channel import SocketChannel
from txremote.blocking.connection import BlockingConnection
from txremote.blocking.factory import _establish, accept
from txremote.eventloop.worker_pool import WorkerPool
from txremote.wire.brine import Budget
from txremote.wire.consts import MSG_REQUEST
from txremote.wire.framing import FrameReader
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.messages import dialect_named, open_envelope, open_request

#: Seconds after which something that takes much less has hung.
DEADLINE = 60.0


def stacks() -> str:
    """Return where every thread of this process is."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"--- {names.get(ident, ident)}\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
    )


class Script:
    """
    A function that runs in a thread of its own.

    Args:
        function: What is run.
        *args: Its arguments.
    """

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._result: Any = None
        self._work = functools.partial(function, *args)
        self._thread = threading.Thread(target=self._run, name="script", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException:  # for whoever asks
            self._result = Failure()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def result(self, timeout: float = DEADLINE) -> Any:
        """
        Return what it returned, or raise what it raised.

        Raises:
            AssertionError: it has not ended in time.
        """
        self._thread.join(timeout)
        assert not self.runs, f"it hangs:\n{stacks()}"
        if isinstance(self._result, Failure):
            self._result.raiseException()
        return self._result


def gather(*functions: Callable[[], Any], timeout: float = DEADLINE) -> list[Any]:
    """Run functions at the same time, each in a thread; return what they return."""
    end = time.monotonic() + timeout
    scripts = [Script(function) for function in functions]
    return [script.result(max(0.1, end - time.monotonic())) for script in scripts]


def scripted(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a thread that is not the reactor's, with a deadline."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        Script(functools.partial(test, *args, **kwargs)).result(2 * DEADLINE)

    return run


def run_script(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
    """
    Run a function in a thread while the tests' reactor goes on.

    Returns:
        A Deferred of what it returns, which fails past the deadline.
    """
    from twisted.internet import reactor

    done: Deferred[Any] = Deferred()

    def run() -> None:
        try:
            result = function(*args)
        except BaseException:  # for whoever awaits it
            result = Failure()
        reactor.callFromThread(finish, result)

    def finish(result: Any) -> None:
        if not watchdog.called:
            watchdog.cancel()
            done.callback(result)

    def hangs() -> None:
        done.errback(AssertionError(f"it hangs:\n{stacks()}"))

    watchdog = reactor.callLater(2 * DEADLINE, hangs)
    threading.Thread(target=run, name="script", daemon=True).start()
    return done


def wait_until(condition: Callable[[], Any]) -> None:
    """
    Wait, in a script, until a condition holds.

    Raises:
        AssertionError: it does not within `DEADLINE`.
    """
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"it did not come about:\n{stacks()}"
        time.sleep(0.001)


@contextmanager
def linked(
    remote_service: Any = rpyc.VoidService,
    service: Any = rpyc.VoidService,
    config: Any = None,
    remote_config: Any = None,
) -> Iterator[BlockingConnection]:
    """Give a connection to a service in another thread, without any reactor."""
    conn = rpyc.connect_thread(service, config, remote_service, remote_config)
    try:
        yield conn
    finally:
        conn.close()


@contextmanager
def by_hand(
    remote_service: Any, service: Any = rpyc.VoidService
) -> Iterator[tuple[BlockingConnection, BlockingConnection]]:
    """Give both ends of a connection; nobody serves the second."""
    here, there = socket.socketpair()
    remote = accept(SocketChannel(there), remote_service)
    serving = rpyc.BgServingThread(remote)
    conn = _establish(lambda: SocketChannel(here), service, None)
    known = conn.root  # its methods are asked for now
    serving.stop()
    try:
        yield conn, remote
    finally:
        del known
        conn.close()
        remote.close()


@contextmanager
def serving(
    service: Any, *, slots: int | None = None, **options: Any
) -> Iterator[rpyc.ThreadedServer]:
    """
    Give a `ThreadedServer` that serves, in a thread, with a reactor of its own.

    Args:
        service: Its service.
        slots: The size of its pool of worker threads.
        **options: The server's.
    """
    server = rpyc.ThreadedServer(service, **options)
    if slots is not None:
        server._factory._workers = WorkerPool(slots=slots)
    running = Script(server.start)
    try:
        yield server
    finally:
        server.close()
        running.result()


def client(server: rpyc.ThreadedServer, **options: Any) -> BlockingConnection:
    """Connect to a server of `serving`."""
    return rpyc.connect(server.host, server.port, **options)


class Tap:
    """
    Notes which requests a blocking connection sends.

    Attributes:
        handlers: The handler number of each request, in order.
    """

    def __init__(self, conn: BlockingConnection) -> None:
        self.handlers: list[int] = []
        self._reader = FrameReader(DEFAULT_LIMITS)
        transport: Any = conn._pump.io.transport
        write = transport.write

        def tapped(data: bytes) -> None:
            self._note(data)
            write(data)

        transport.write = tapped

    def _note(self, data: bytes) -> None:
        dialect = dialect_named("6", False)
        for payload in self._reader.feed(data):
            assert type(payload) is bytes
            budget = Budget(DEFAULT_LIMITS, len(payload))
            kind, _number, pos, _sender = open_envelope(payload, dialect, budget)
            if kind == MSG_REQUEST:
                self.handlers.append(open_request(payload, pos, budget)[0])

    def taken(self) -> list[int]:
        """Return what was sent since the last time."""
        sent, self.handlers[:] = list(self.handlers), []
        return sent


@contextmanager
def eager_switching() -> Iterator[None]:
    """Have Python switch threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
