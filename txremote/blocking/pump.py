"""
The pump: drives a `Connection` with whatever threads happen to wait on it.

There is no thread of its own and no reactor. A thread that waits, for an answer
or for work, goes round: it runs an item of the `Inbox` if there is one; else it
becomes the reader if nobody is, and has the `ChannelIO` fetch bytes, which the
connection decodes into items; else it sleeps until there is something for it.
What is due by its time (`Timers`) it calls as it comes by.

The locks of all these parts, and what each guards:

=====================  =========================================================
``lock``               the connection's state and the order of what is written
``io.reading``    the role of the reader
``io.sending``    the role of the sender
``inbox.taking``       that an item and the waiter it completes change as one
``io._closing``   that one thread at a time looks whether to close the channel
``timers._lock``       the heap of timed calls
``_draining``          the role of who runs what is left at the end
=====================  =========================================================

None but the last is held while a request, a callback or a hook runs. A role is
only ever tried for: who does not get it sleeps, or leaves the work to who has it.
So roles have no place in an order, and who has one may wait for any of the others.
Within ``lock`` a thread may wait for ``timers._lock`` only, and within the small
three, ``taking``, ``_closing`` and ``timers._lock``, for none.

Garbage collection may run in the middle of any of this. All it does is to append
to a queue (`txremote.peer.imports`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from txremote.blocking.channel_io import ChannelIO
from txremote.blocking.inbox import Answer, Inbox, PendingAnswer
from txremote.blocking.timers import Timers
from txremote.errors import AsyncResultTimeout
from txremote.peer.closing import CLOSE_TIMEOUT
from txremote.refs import forks
from txremote.refs.asyncresult import value_of
from txremote.refs.driver import here
from txremote.refs.threadguard import check_stack, refuse_in_reactor


class Pump:
    """
    Makes calls on one connection and serves it, without a reactor.

    Any thread may use it, but the one of a running reactor.

    Args:
        channel: Where the bytes go.

    Attributes:
        lock: Held by whoever touches the connection.
        inbox: What has arrived, and who waits for it.
        io: What sends and reads.
        timers: What is to be called at its time.
        connection: The connection that is driven, once there is one.
        home: The process that it belongs to.
    """

    def __init__(self, channel: Any) -> None:
        self.lock = threading.RLock()
        self.inbox = Inbox()
        self.io = ChannelIO(channel, self.lock, self.inbox)
        self.timers = Timers()
        self.connection: Any = None
        self._draining = threading.Lock()
        self.home = forks.here

    def attach(self, connection: Any) -> None:
        """Start to drive a connection."""
        self.connection = connection
        self.io.attach(connection)

    def check_process(self) -> None:
        """
        Raises:
            WrongProcess: this one was forked of the connection's.
        """
        if self.home is not forks.here:
            raise forks.wrong_process(self.home)

    # -- calling

    def call(self, send: Callable[[], Deferred[Any]], timeout: float | None) -> Any:
        """
        Send a request, and serve until its answer is there.

        Args:
            send: Sends it; called under the lock.
            timeout: Seconds, or None for ever.

        Returns:
            The answer, with references.

        Raises:
            AsyncResultTimeout: there was none in time. The call is given up.
            WouldBlockReactor: this is the thread of a running reactor.
            Exception: what the call raised.
        """
        self.check_process()
        refuse_in_reactor()
        check_stack()
        waiter = PendingAnswer()
        items = self.inbox.items
        deadline = None if timeout is None else monotonic() + timeout

        def arrived(result: Any) -> None:
            # behind the peer's requests that came before the answer
            items.append(Answer(waiter, result))

        with self.lock:
            deferred = send()
            deferred.addBoth(arrived)
        self.io.flush(deadline)
        if not self.run_until(waiter, deadline):
            with self.lock:
                deferred.cancel()
            self.io.flush(monotonic())
            raise AsyncResultTimeout(f"no answer within {timeout:g} s")
        return value_of(waiter.value)

    # -- serving

    def serve(self, timeout: float | None) -> bool:
        """
        Run one item: a request of the peer's, or an answer of ours.

        Args:
            timeout: How many seconds to wait for one; None for ever.

        Returns:
            Whether there was one.

        Raises:
            EOFError: the connection has ended.
        """
        self.check_process()
        refuse_in_reactor()
        deadline = None if timeout is None else monotonic() + timeout
        waiter = PendingAnswer()
        try:
            while not self._run_one():
                if not self._get_more(waiter, deadline) and self._nothing_left():
                    if self.connection.closed:
                        raise EOFError(f"the connection has ended: {self.connection.why_ended}")
                    return False
            return True
        finally:  # whoever woke this thread relied on it
            self.inbox.wake_one()

    def run_until(self, waiter: PendingAnswer, deadline: float | None) -> bool:
        """
        Serve until a waiter is done.

        Args:
            waiter: What completes it is an item, or another thread.
            deadline: On the monotonic clock, or None.

        Returns:
            Whether it is done; False if the deadline came first.
        """
        inbox = self.inbox
        while not waiter.done:
            item = inbox.take()
            if item is not None:
                item()
                self.check_process()
            elif not self._get_more(waiter, deadline) and self._nothing_left():
                break
        if self.connection.closed:
            self.drain()  # so that the service hears of the end now
        if inbox.sleeping:
            inbox.wake_one()
        return waiter.done

    def _nothing_left(self) -> bool:
        """Tell whether the queue is empty, and is not just being filled."""
        with self.lock:  # held while the end of the connection is told to all
            return not self.inbox.items

    def _run_one(self) -> bool:
        item = self.inbox.take()
        if item is None:
            return False
        item()
        return True

    def _get_more(self, waiter: PendingAnswer, deadline: float | None) -> bool:
        """
        Read, or sleep while another thread does.

        Returns:
            Whether to go on; False if the deadline has come.
        """
        inbox, io, timers = self.inbox, self.io, self.timers
        if timers.heap:
            timers.call_due()
        if self.connection.outbound.has_released:
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
                    if self.connection.closed:
                        return False
                    io.read(timers.time_left(deadline))
                finally:
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

    def submit(self, function: Callable[[], Any]) -> None:
        """
        Call a function that touches the connection, and send what it has written.

        Any thread, a reactor's too: it never waits for the peer.
        """
        within = self.entered
        with self.lock:
            function()
        if not within:  # else whoever has the lock sends when they have given it back
            self.io.flush_soon()

    @property
    def entered(self) -> bool:
        """Whether this thread has the lock."""
        return self.lock._is_owned()  # type: ignore[attr-defined, no-any-return]  # as Condition does

    def interruptible(self) -> None:
        """Allow `interrupt` to end the wait of a reader."""
        self.io.channel.interruptible()

    def interrupt(self, waiter: PendingAnswer) -> None:
        """Complete a waiter from another thread."""
        if self.home is not forks.here:  # where that thread is not
            return
        waiter.interrupted = True
        self.inbox.complete(waiter, None)
        self.io.channel.interrupt()

    # -- ending

    def close(self) -> None:
        """
        Say good-bye, send what is unsent for `CLOSE_TIMEOUT` seconds at most,
        and close. In a forked process only its own descriptors are closed.
        """
        if self.home is not forks.here:
            self.connection.closed = True
            self.io.channel.leave()
            return
        with self.lock:
            if not self.connection.closed:
                # nobody hears it by this Deferred: there may be no thread to
                self.connection.leave().addErrback(lambda _failure: None)
        self.io.flush(monotonic() + CLOSE_TIMEOUT)
        self.io.lost(ConnectionDone())
        self.drain()

    def drain(self) -> None:
        """Run what is left when the connection has ended."""
        if self._draining.acquire(blocking=False):  # else it is being done
            try:
                while self._run_one():  # what was waiting hears of the end
                    continue
            finally:
                self._draining.release()
