"""`BlockingConnection`: what a script holds (``rpyc.core.protocol.Connection``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec

from twisted.internet.interfaces import IAddress

from txremote.blocking.channel import ByteChannel
from txremote.blocking.channel_io import PumpTransport
from txremote.blocking.defaults import config_of_script
from txremote.blocking.executor import ScriptExecutor
from txremote.blocking.pump import Pump
from txremote.blocking.streams import Channel, Stream, byte_channel_of
from txremote.config import ConnectionConfig
from txremote.peer.connection import Connection
from txremote.peer.outbox import Writing
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.blocking_view import BlockingView
from txremote.refs.ports import Answer
from txremote.refs.reading import IncomingStream
from txremote.service import Service, check_service, config_of, instantiate
from txremote.wire.messages import Dialect, dialect_named

if TYPE_CHECKING:  # it comes with the extra tls
    from cryptography.x509 import Certificate

P = ParamSpec("P")


class BlockingConnection(BlockingView):
    """
    A connection driven by the threads that use it, however many.

    Incoming calls are served while a thread waits for an answer, polls, serves,
    or is a `BgServingThread`.

    `txremote.blocking.connect` and its kin make one. Made by hand, over a channel that
    the program has, either end may speak first, in the dialect of RPyC 6; a peer that
    speaks first is answered in its own. ``on_connect`` is called by `connect_channel`, as
    it is in RPyC, and not by the constructor.

    Args:
        root: The service that this side offers, class or instance.
        channel: A `Channel`, or the stream in it; owned by the connection from now on.

    Raises:
        TypeError: the root is no service, or the channel none.
    """

    protocol: Connection

    def __init__(
        self,
        root: object,
        channel: Channel | Stream,
        config: ConnectionConfig | Mapping[str, object] | None = None,
    ) -> None:
        switches = config_of(check_service(root), config_of_script(config))
        self._dialect: Dialect | None = dialect_named("6", switches.bind_threads)
        self._begin(byte_channel_of(channel), instantiate(root), switches, connecting=True)
        self._wait_for_answer = self._speak_and_wait  # type: ignore[method-assign]

    def _begin(
        self,
        channel: ByteChannel,
        service: Service,
        config: ConnectionConfig,
        dialect: Dialect | None = None,
        *,
        connecting: bool,
    ) -> None:
        """Make the parts that drive the connection, for both ways to make it."""
        pump = Pump(channel)
        acknowledge = channel.acknowledge
        writing = Writing(
            now=PumpTransport.write,
            acknowledge=None if acknowledge is None else lambda _transport: acknowledge(),
            read=lambda _transport, long: channel.read_long(long),
        )
        protocol = Connection(
            service,
            executor=ScriptExecutor(pump, self._driven_by, connecting),
            config=config,
            dialect=dialect,
            prepare=lambda _transport: writing,
        )
        pump.attach(protocol)
        protocol.view  # noqa: B018  # made now: callers hold it already

    def _driven_by(self, executor: ScriptExecutor, protocol: Connection) -> BlockingConnection:
        super().__init__(protocol)
        self._executor = executor
        self._pump = executor.pump
        # straight to the pump: a call within a call within a call uses the stack
        self._wait_for_answer = executor.pump.call  # type: ignore[method-assign]
        return self

    def _speak_and_wait(
        self, timeout: float | None, send: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs
    ) -> Any:
        self._speak_first()
        return self._pump.call(timeout, send, *args, **kwargs)

    def _speak_first(self) -> None:
        """Choose the dialect, unless the peer has done so."""
        self._pump.check_process()
        with self._pump.lock:
            if self._dialect is not None:
                self.protocol.outbox.speak_first(self._dialect)
                self._dialect = None
        self._wait_for_answer = self._pump.call  # type: ignore[method-assign]

    def _start(self, send: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> AsyncResult:
        pump = self._pump
        pump.check_process()
        if self._dialect is not None:
            self._speak_first()
        with pump.lock:
            sent = send(*args, **kwargs)
            cancel = partial(self._executor.submit, sent.cancel)
            result = AsyncResult(sent, self._executor.driver, cancel)
        pump.io.flush()
        return result

    def leave_stream(self, incoming: IncomingStream) -> None:
        """Leave a stream now, or when the connection is used next."""
        pump = self._pump
        # The loop was left, or this is the garbage collector in the middle of anything: so no lock
        # is waited for, and none is entered twice.
        if pump.entered or not pump.lock.acquire(blocking=False):
            incoming.leave()
            return
        try:
            incoming.leave_now()
        finally:
            pump.lock.release()
        pump.io.flush_soon()

    @property
    def peer_x509(self) -> Certificate | None:
        """
        The server's certificate on a TLS connection, as cryptography has it, else None. Raises
        ImportError without the extra ``tls``.
        """
        return self.protocol.peer_x509

    def fileno(self) -> int:
        """
        Return the descriptor that is readable when there is something to serve. Raises
        EOFError when the connection has ended, as RPyC's, which ends a ``select`` of it.
        """
        number = int(self._pump.io.channel.fileno())
        if number < 0:
            raise EOFError(f"the connection has ended: {self._pump.connection.why_ended}")
        return number

    def serve(self, timeout: float | None = 1, wait_for_lock: bool = True) -> bool:
        """
        Serve one request or answer, and tell whether one came within ``timeout`` seconds;
        None waits for ever. ``wait_for_lock`` is RPyC's, and has no effect.

        Raises:
            EOFError: the connection has ended.
            WouldBlockReactor: this is the thread of a running reactor.
        """
        return self._pump.serve(timeout)

    def poll(self, timeout: float | None = 0) -> bool:
        """Serve one request or answer if it comes in time. See `serve`."""
        return self._pump.serve(timeout)

    def poll_all(self, timeout: float = 0) -> bool:
        """
        Serve everything that comes within some seconds, and tell whether there was anything.
        The end of the connection is no error.
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
        """Serve until the connection ends."""
        try:
            while True:  # also what came before the end and has not run yet
                self._pump.serve(None)
        except EOFError:
            return
        finally:
            self.close()

    def close(self) -> None:
        """
        Call ``before_closed``, say good-bye and close. Calls that still wait end with
        EOFError.
        """
        try:
            self._before_closed()
        finally:  # Ctrl-C
            self._pump.close()

    def __enter__(self) -> BlockingConnection:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<BlockingConnection to {self.peer_address} ({state})>"

    @property
    def peer_address(self) -> IAddress:
        """The peer's address."""
        return self._pump.io.transport.getPeer()


def drive(
    channel: ByteChannel, service: Service, config: ConnectionConfig, dialect: Dialect | None
) -> BlockingConnection:
    """
    Start a connection over a channel. The accepting side has no dialect; the connecting side
    calls ``introduced()`` of the executor once it knows the peer.
    """
    conn = BlockingConnection.__new__(BlockingConnection)
    conn._dialect = None
    conn._begin(channel, service, config, dialect, connecting=dialect is not None)
    return conn
