"""
`ReconnectingClient`: a script's connection that comes back.

A thread, the `Keeper`, dials, logs in, calls ``on_connect``, and then waits until the connection
has ended; it dials again after a time that grows with each failure. Calls are made in the threads
that make them, as on any connection of a script (`txremote.blocking.pump`): each first looks
for the live connection, and waits while there is none.

Nothing is sent twice: a call that is in flight when its connection ends fails with
`ConnectionLost`; one that waits for a connection has not been sent, and fails with
`DeadReferenceError` if none comes in time.

A connection that the keeper does not serve is read only by the threads that wait on it. So before
a call what has arrived is served, the news of the connection's end included. No thread waits for
a pump with ``_changed`` held; the end of a connection is told of with its pump's lock held, so that
one is taken first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any

from twisted.cred.error import UnauthorizedLogin

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.live_root import LateCall, LiveRoot
from txremote.errors import ConnectionLost, DeadReferenceError, ServerStopping
from txremote.eventloop.client_status import ClientStatus
from txremote.levels import Logger
from txremote.peer.closing import CLOSE_TIMEOUT
from txremote.refs import forks
from txremote.refs.clock import at_most
from txremote.refs.reactorthread import is_in_reactor
from txremote.refs.threadguard import refuse_in_reactor

_log = Logger("txremote")

STOPPING = "the server is stopping"


class Clock:
    """The time of a client, and its waiting. A test has another one."""

    def seconds(self) -> float:
        """Return the monotonic time."""
        return monotonic()

    def wait(self, changed: threading.Condition, seconds: float | None) -> None:
        """Wait until something has changed, for some seconds at most."""
        changed.wait(at_most(seconds))


class ReconnectingClient:
    """
    A script's connection that comes back; `txremote.blocking.reconnecting` makes one. Any thread
    may use it.

    Attributes:
        root: The server's root, on whichever connection is live when it is used. A call of one
            of its methods waits while there is none. Results of calls belong to their
            connection, and are dead after it.
    """

    root: Any

    def __init__(
        self,
        dial: Callable[[], BlockingConnection],
        name: str,
        wait_timeout: float | None,
        clock: Clock,
    ) -> None:
        self._dial = dial
        self._name = name
        self._wait_timeout = wait_timeout
        self._clock = clock
        self._home = forks.here
        self._changed = threading.Condition()  # for all that follows
        self._status = ClientStatus("connecting", "started")
        self._next_try: float | None = None  # on the clock
        self._live: BlockingConnection | None = None
        self._latest: BlockingConnection | None = None  # of those that were live
        self._served = False  # whether the keeper serves the live one
        self._open: set[BlockingConnection] = set()
        self._closed = False
        self._refused: UnauthorizedLogin | None = None
        self._calls: dict[LateCall, float | None] = {}  # that wait, and until when
        self._keeper: threading.Thread | None = None
        self.root = LiveRoot(self)

    def __repr__(self) -> str:
        return f"<ReconnectingClient of {self._name} ({self._status.state})>"

    def __enter__(self) -> ReconnectingClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def status(self) -> ClientStatus:
        """How it is doing now."""
        with self._changed:
            if self._next_try is None:
                return self._status
            left = max(0.0, self._next_try - self._clock.seconds())
            return replace(self._status, next_try=left)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def connected(self) -> BlockingConnection:
        """
        Return the live connection, or wait for the next one.

        Returns:
            A connection, logged in and with ``on_connect`` done.

        Raises:
            DeadReferenceError: There was none within ``wait_timeout``, or it is closed.
            UnauthorizedLogin: The login was refused.
            WouldBlockReactor: There is none, and this is the thread of a running reactor.
        """
        conn = self._usable()
        if conn is not None:
            return conn
        refuse_in_reactor()
        if threading.current_thread() is self._keeper:
            raise DeadReferenceError(
                f"not sent: this is the thread that connects to {self._name}; in on_connect, "
                "call on the connection that it is given"
            )
        deadline = self._deadline()
        with self._changed:
            while self._live is None:
                error = self._why_not(deadline)
                if error is not None:
                    raise error from self._status.error
                self._clock.wait(self._changed, self._left(deadline))
            return self._live

    def close(self) -> None:
        """
        Close the connection and try no more. Calls in flight fail, with EOFError, and so do
        those that wait. An `on_connect` that is just running is waited for, for 5 seconds at most.
        """
        with self._changed:
            self._closed = True
            self._live = None
            self._note("stopped", "stopped by close()")
            connections = list(self._open)
        for conn in connections:
            conn.close()
        self._fail_calls()
        keeper = self._keeper
        if keeper is not None and keeper is not threading.current_thread():
            keeper.join(CLOSE_TIMEOUT)

    # -- for its root

    def seconds(self) -> float:
        """Return the monotonic time."""
        return self._clock.seconds()

    def latest(self) -> BlockingConnection:
        """Return the last connection, live or not; wait for the first."""
        return self._latest or self.connected()

    def begin(self, call: LateCall) -> None:
        """Have a call sent as soon as there is a connection, or fail if none comes in time."""
        conn = self._usable()
        if conn is None:
            with self._changed:
                conn = self._live
                if conn is None:
                    self._calls[call] = self._deadline()
        if conn is not None:
            call.decide(conn)
            call.begin()
        else:
            self._fail_calls()

    def wait_to_begin(self, call: LateCall, timeout: float | None) -> None:
        """Wait until it is decided what becomes of a call, for some seconds at most."""
        until = None if timeout is None else self._clock.seconds() + timeout
        with self._changed:
            while call in self._calls and self._why_not(self._calls[call]) is None:
                if until is not None and self._clock.seconds() >= until:
                    return
                times = [time for time in (self._calls[call], until) if time is not None]
                self._clock.wait(self._changed, self._left(min(times, default=None)))
        self._fail_calls()

    def _fail_calls(self) -> None:
        """Fail the calls that need wait no longer."""
        failed: list[LateCall] = []
        with self._changed:
            for call, deadline in list(self._calls.items()):
                error = self._why_not(deadline)
                if error is not None:
                    del self._calls[call]
                    call.decide(error)
                    failed.append(call)
            if failed:
                self._changed.notify_all()
        for call in failed:
            call.begin()

    def _usable(self) -> BlockingConnection | None:
        """Return the connection that a call can be sent on, if there is one."""
        conn = self._live
        if conn is None:
            if self._home is not forks.here:
                raise forks.wrong_process(self._home, "client")
            return None
        if not self._served and not is_in_reactor():
            with suppress(EOFError):
                while conn._pump.serve(0):  # what has come may be the end of it
                    continue
        return self._live

    def _deadline(self) -> float | None:
        return None if self._wait_timeout is None else self._clock.seconds() + self._wait_timeout

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else max(0.0, deadline - self._clock.seconds())

    def _why_not(self, deadline: float | None) -> Exception | None:
        """Return why a call can wait no longer for a connection, or None."""
        if self._refused is not None:
            return UnauthorizedLogin(*self._refused.args)
        if self._closed:
            return DeadReferenceError(f"not sent: the client of {self._name} is closed")
        if deadline is not None and self._clock.seconds() >= deadline:
            status = self.status
            return DeadReferenceError(
                f"not sent: no connection to {self._name} within {self._wait_timeout:g} s "
                f"(option wait_timeout); {status}"
            )
        return None

    # -- for its keeper

    def _note(
        self,
        state: str,
        happened: str,
        error: BaseException | None = None,
        tries: int | None = None,
    ) -> None:
        """Note how it is doing, and wake whoever waits for news. With ``_changed`` held."""
        if self._closed and state != "stopped":
            return
        self._next_try = None
        self._status = ClientStatus(
            state, happened, error, self._status.tries if tries is None else tries
        )
        self._changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise DeadReferenceError(f"the client of {self._name} is closed")

    def _went_live(self, conn: BlockingConnection, served: bool) -> None:
        with self._changed:
            self._check_open()
            # told of its end from now on; what came before, these have noted
            if conn.closed:
                raise ConnectionLost(conn.protocol.why_ended)
            if conn.protocol.peer_stopping:
                raise ServerStopping(STOPPING)
            self._live = self._latest = conn
            self._served = served
            self._note("connected", f"reached {self._name}")
            calls = list(self._calls)
            for call in calls:
                call.decide(conn)
            self._calls.clear()
        _log.info("{client!r}: {happened}", client=self, happened=self._status.happened)
        for call in calls:
            call.begin()

    def _left_behind(
        self, conn: BlockingConnection, happened: str, error: BaseException | None
    ) -> None:
        """Note that no new call is to be sent on a connection."""
        with self._changed:
            if self._live is not conn:
                return
            self._live = None
            self._note("connecting", happened, error, tries=0)
        if not self._closed:
            _log.warn("{client!r}: {happened}", client=self, happened=happened)
