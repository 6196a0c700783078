"""
`BlockingConnection`: what a script holds (``rpyc.core.protocol.Connection``).
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred

from txremote.blocking.pump import Pump
from txremote.blocking.runner import ScriptRunner
from txremote.peer.config import ConnectionConfig
from txremote.peer.connection import Connection
from txremote.peer.outbox import Writing
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.face import BlockingFace
from txremote.wire.messages import Dialect


class BlockingConnection(BlockingFace):
    """
    A connection driven by the threads that use it, however many.

    Incoming calls are served while a thread waits for an answer, polls, serves,
    or is a `BgServingThread`.

    Args:
        protocol: The `Connection`.
        runner: Its runner, which knows the pump that drives it.
    """

    def __init__(self, protocol: Connection, runner: ScriptRunner) -> None:
        super().__init__(protocol)
        self._runner = runner
        self._pump = runner.pump
        # straight to the pump: a call within a call within a call uses the stack
        self._ask = runner.pump.call  # type: ignore[method-assign]

    def _begin(self, send: Callable[[], Deferred[Any]]) -> AsyncResult:
        pump = self._pump
        with pump.lock:
            result = AsyncResult(send(), self._runner)
        pump.carrier.flush()
        return result

    def fileno(self) -> int:
        """
        Return the descriptor that is readable when there is something to serve.
        """
        return int(self._pump.carrier.channel.fileno())

    def serve(self, timeout: float | None = 1, wait_for_lock: bool = True) -> bool:
        """
        Serve one request or answer.

        Args:
            timeout: Seconds to wait for one; None for ever.
            wait_for_lock: RPyC's; has no effect, for threads take turns here.

        Returns:
            Whether there was one.

        Raises:
            EOFError: the connection has ended.
            WouldBlockReactor: this is the thread of a running reactor.
        """
        return self._pump.serve(timeout)

    def poll(self, timeout: float | None = 0) -> bool:
        """
        Serve one request or answer if it comes in time. See `serve`.
        """
        return self._pump.serve(timeout)

    def poll_all(self, timeout: float = 0) -> bool:
        """
        Serve everything that comes within some seconds.

        Returns:
            Whether there was anything. The end of the connection is no error.
        """
        deadline = monotonic() + timeout
        served = False
        try:
            while True:
                if self._pump.serve(max(0.0, deadline - monotonic())):
                    served = True
                elif monotonic() >= deadline:
                    return served
        except EOFError:
            return served

    def serve_all(self) -> None:
        """
        Serve until the connection ends.
        """
        try:
            while True:  # also what came before the end and has not run yet
                self._pump.serve(None)
        except EOFError:
            return
        finally:
            self.close()

    def close(self) -> None:
        """
        Say good-bye and close. Calls that still wait end with EOFError.
        """
        self._pump.close()

    def __enter__(self) -> BlockingConnection:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<BlockingConnection to {self._pump.carrier.transport.getPeer()} ({state})>"


def drive(
    channel: Any, service: Any, config: ConnectionConfig, dialect: Dialect | None
) -> BlockingConnection:
    """
    Start a connection over a channel.

    Args:
        channel: A connected one.
        service: What this side offers.
        config: The switches.
        dialect: What to speak; None for the accepting side. The connecting side
            calls ``introduced()`` of the runner once it knows the peer.
    """
    pump = Pump(channel)
    runner = ScriptRunner(
        pump, lambda runner, protocol: BlockingConnection(protocol, runner), dialect is not None
    )
    writing = Writing(acknowledge=getattr(channel, "acknowledge", None))
    protocol = Connection(
        service,
        runner=runner,
        config=config,
        dialect=dialect,
        prepare=lambda _transport: writing,
    )
    pump.attach(protocol)
    face: BlockingConnection = protocol.face
    return face
