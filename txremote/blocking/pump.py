"""
The pump: drives a `Connection` with the threads that wait on it.

A script has no thread of its own for a connection, and no reactor. A thread that waits, for
an answer or for work, goes round in a loop:

1. It runs the next item of the `Inbox`, if there is one.
2. It calls the timed functions that are due (`Timers`).
3. It becomes the reader if no thread is. The `ChannelIO` then fetches bytes, and the
   connection decodes them into items.
4. Else it sleeps until it is woken, to run something, to read, or for its answer.

The answer to a blocking call is not queued where the thread that calls is the reader and
nothing came before the answer: it ends the loop.

The locks of these parts, and what each guards:

===============  ===============================================================
``lock``         the connection's state and the order of what is written
``io.reading``   the role of the reader
``io.sending``   the role of the sender
``inbox.taking``  that an item and the wait it ends change as one
``io._closing``  that one thread at a time checks whether to close the channel
``timers._lock``  the heap of timed calls
``_draining``    the role of the thread that runs what is left at the end
===============  ===============================================================

None but the last is held while a request, a callback or a hook runs. A role is tried for and
never waited for: a thread that does not get it sleeps, or leaves the work to the thread that
has it. So a thread with a role may wait for any of the others. Within ``lock`` a thread may
wait for ``timers._lock`` only, and within ``taking``, ``_closing`` and ``timers._lock`` for
none.

Garbage collection may run in the middle of any of this. All it does is to append to a queue
(`txremote.peer.imports`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, ParamSpec

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from txremote.blocking.channel import ByteChannel
from txremote.blocking.channel_io import ChannelIO
from txremote.blocking.inbox import Inbox, PendingAnswer
from txremote.blocking.timers import Timers
from txremote.errors import AsyncResultTimeout
from txremote.peer.closing import CLOSE_TIMEOUT
from txremote.peer.connection import Connection
from txremote.peer.lifecycle import CLOSED
from txremote.refs import forks
from txremote.refs.asyncresult import stop_iteration
from txremote.refs.driver import here
from txremote.refs.threadguard import check_blocking_call, refuse_in_reactor

P = ParamSpec("P")


class Pump:
    """Makes calls on one connection and serves it. Any thread but a running reactor's."""

    connection: Connection  # from `attach` on

    def __init__(self, channel: ByteChannel) -> None:
        self.lock = threading.RLock()
        self.inbox = Inbox()
        self.io = ChannelIO(channel, self.lock, self.inbox)
        self.timers = Timers()
        self._draining = threading.Lock()
        self._reader: PendingAnswer | None = None  # of the thread that reads, if it waits
        self.home = forks.here

    def attach(self, connection: Connection) -> None:
        """Start to drive a connection."""
        self.connection = connection
        self._released = connection.outbound.released
        self.io.attach(connection)

    def check_process(self) -> None:
        """Raise `WrongProcess` in a process that was forked of the connection's."""
        if self.home is not forks.here:
            raise forks.wrong_process(self.home)

    # -- calling

    def call(
        self,
        timeout: float | None,
        send: Callable[P, Deferred[Any]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Any:
        """
        Send a request under the lock, serve until its answer is there, and return that, with
        references. After ``timeout`` seconds the call is cancelled.

        Raises:
            AsyncResultTimeout: there was no answer in time.
            WouldBlockReactor: this is the thread of a running reactor.
        """
        if self.home is not forks.here:  # as check_process(), at each call
            self.check_process()
        check_blocking_call()
        waiter = PendingAnswer()
        items = self.inbox.items
        deadline = None if timeout is None else monotonic() + timeout

        def arrived(result: object) -> None:
            waiter.value = result
            if self._reader is waiter and not items:
                waiter.done = True
            else:  # behind the requests that came before the answer
                items.append(waiter)

        with self.lock:
            deferred = send(*args, **kwargs)
            deferred.addBoth(arrived)
        self.io.flush(deadline)
        if not self.run_until(waiter, deadline):
            with self.lock:
                deferred.cancel()
            self.io.flush(monotonic())
            raise AsyncResultTimeout(f"no answer within {timeout:g} s")
        result = waiter.value
        if type(result) is Failure:
            error = result.value
            assert error is not None
            result = waiter.value = None
            try:
                raise stop_iteration(error)
            finally:
                del error  # it has this frame, which is not to have it, and keep the arguments
        return result

    # -- serving

    def serve(self, timeout: float | None) -> bool:
        """Run one request or answer, and tell whether one came in time; EOFError at the end."""
        self.check_process()
        refuse_in_reactor()
        deadline = None if timeout is None else monotonic() + timeout
        waiter = PendingAnswer()
        try:
            while not self._run_one():
                if not self._get_more(waiter, deadline) and self._nothing_left():
                    if self.connection.state is CLOSED:
                        raise EOFError(f"the connection has ended: {self.connection.why_ended}")
                    return False
            return True
        finally:  # this thread may have been woken to read
            self.inbox.wake_one()

    def run_until(self, waiter: PendingAnswer, deadline: float | None) -> bool:
        """Serve until a wait has ended, and tell whether that was before the monotonic deadline."""
        inbox = self.inbox
        while not waiter.done:
            item = inbox.take() if inbox.items else None
            if item is not None:
                item()
                self.check_process()
            elif not self._get_more(waiter, deadline) and self._nothing_left():
                break
        if self.connection.state is CLOSED:
            self.drain()  # the service hears of the end now
        if inbox.sleeping:
            inbox.wake_one()
        return waiter.done

    def _nothing_left(self) -> bool:
        """Tell whether the queue is empty, and is not just being filled."""
        with self.lock:  # held while the end of the connection fails all calls
            return not self.inbox.items

    def _run_one(self) -> bool:
        item = self.inbox.take()
        if item is None:
            return False
        item()
        return True

    def _get_more(self, waiter: PendingAnswer, deadline: float | None) -> bool:
        """Read, or sleep while another thread does. Returns False once the deadline has come."""
        inbox, io, timers = self.inbox, self.io, self.timers
        if timers.heap:
            timers.call_due()
        if self._released.dirty:
            with self.lock:
                self.connection.outbound.flush_released()
            io.flush(deadline, waiter)
        absence = here.absence  # of a server's worker thread
        if absence is not None:
            absence.begin()
        try:
            if io.reading.acquire(blocking=False):
                try:
                    with inbox.taking:
                        if inbox.items or waiter.done:
                            return True
                    if self.connection.state is CLOSED:
                        return False
                    self._reader = waiter
                    if timers.heap:
                        io.read(timers.time_left(deadline))
                    else:
                        io.read(None if deadline is None else deadline - monotonic())
                finally:
                    self._reader = None
                    io.release_role(io.reading)
                if io.transport.out or io.transport.ending is not None:
                    io.flush(deadline, waiter)
            else:
                inbox.sleep(waiter, deadline, io.reading)
        finally:
            if absence is not None:
                absence.end()
        return bool(inbox.items) or deadline is None or monotonic() < deadline

    # -- from another thread

    def submit(self, function: Callable[[], object]) -> None:
        """
        Call a function that touches the connection, and send what it has written, without
        waiting for the peer. Any thread, a reactor's too.
        """
        within = self.entered
        with self.lock:
            function()
        if not within:  # else the code that took the lock sends after releasing it
            self.io.flush_soon()

    @property
    def entered(self) -> bool:
        """Whether this thread has the lock."""
        return self.lock._is_owned()  # type: ignore[attr-defined, no-any-return]  # as Condition does

    def interrupt(self, waiter: PendingAnswer) -> None:
        """End a thread's wait from another thread, once the channel is `interruptible`."""
        if self.home is not forks.here:  # where that thread is not
            return
        waiter.interrupted = True
        self.inbox.complete(waiter)
        self.io.channel.interrupt()

    # -- ending

    def close(self) -> None:
        """
        Say good-bye, send what is unsent for `CLOSE_TIMEOUT` seconds at most,
        and close. In a forked process only its own descriptors are closed.
        """
        if self.home is not forks.here:
            if self.connection.state is not CLOSED:  # without a word: it is the parent's
                self.connection.enter(CLOSED)
            self.io.channel.leave()
            return
        with self.lock:
            if self.connection.state is not CLOSED:
                # not waited for by this Deferred: there may be no thread to fire it
                self.connection.leave().addErrback(lambda _failure: None)
        self.io.flush(monotonic() + CLOSE_TIMEOUT)
        self.io.lost(ConnectionDone())
        self.drain()

    def drain(self) -> None:
        """Run what is left when the connection has ended: calls that wait fail now."""
        if self._draining.acquire(blocking=False):  # else another thread does it
            try:
                while self._run_one():
                    continue
            finally:
                self._draining.release()
