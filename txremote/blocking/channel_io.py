"""
The carrier: takes bytes from a connection to its channel and back.

It is no thread. Two *roles* say which thread may be in the channel: one reads and
one sends at a time, and a role is only ever tried for, never waited for. Whoever
finds the sender at work leaves its bytes in `PumpTransport.out`, and relies on
this: a role that was given back is followed by a look at what came meanwhile.

Sending never waits for ever. While the socket is full the sender also reads, if
nobody else does: two peers that send each other much at once must both get on.

The end comes here too, from the channel, or from the connection by the transport's
``ending``. The connection and every sleeper are told at once. The descriptors are
closed when nobody is in the channel any more, by the last to leave.

Which locks there are, and their order, is in `txremote.blocking.pump`.
"""

from __future__ import annotations

import ssl
import threading
from collections import deque
from time import monotonic
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.error import ConnectionLost as TwistedConnectionLost
from twisted.internet.interfaces import ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.blocking.inbox import Inbox, PendingAnswer


@implementer(ITransport)
class PumpTransport:
    """
    What a `Connection` writes to: bytes gather here and the carrier sends them.

    Attributes:
        out: What is unsent.
        ending: Why the connection is to end when all is sent, once it is.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.out: deque[bytes | memoryview] = deque()
        self.ending: Exception | None = None

    def write(self, data: bytes) -> None:
        """Have bytes sent."""
        self.out.append(data)

    def writeSequence(self, data: Any) -> None:
        """Have bytes sent."""
        self.out.extend(data)

    def loseConnection(self) -> None:
        """Close when everything is sent."""
        self.ending = self.ending or ConnectionDone()

    def abortConnection(self) -> None:
        """Close at once."""
        self.out.clear()
        self.ending = ConnectionAborted()

    def getPeer(self) -> Any:
        """Return the peer's address."""
        return self._channel.peer

    def getHost(self) -> Any:
        """Return this end's address."""
        return self._channel.host


class ChannelIO:
    """
    Carries the bytes of one connection, in whatever thread has the role for it.

    Args:
        channel: Where the bytes go.
        lock: Held by whoever touches the connection.
        inbox: Who sleeps there is woken when a role is given back, and at the end.

    Attributes:
        channel: The channel.
        transport: What the connection writes to.
        connection: The connection, once there is one.
        reading: The role of the reader.
        sending: The role of the sender.
    """

    def __init__(self, channel: Any, lock: threading.RLock, inbox: Inbox) -> None:
        self.channel = channel
        self.transport = PumpTransport(channel)
        self.connection: Any = None
        self.reading = threading.Lock()
        self.sending = threading.Lock()
        self._lock = lock
        self._inbox = inbox
        self._closing = threading.Lock()

    def attach(self, connection: Any) -> None:
        """Start to carry for a connection."""
        self.connection = connection
        with self._lock:
            connection.makeConnection(self.transport)

    # -- reading

    def read(self, timeout: float | None) -> None:
        """
        Wait for bytes and take them in. Only for the reader.

        Args:
            timeout: Seconds, or None for ever.
        """
        try:
            readable = self.channel.wait(timeout, writable=bool(self.transport.out))
        except (OSError, ValueError):  # closed by another thread
            return
        if readable:
            self.read_available()

    def read_available(self) -> None:
        """Give the connection the bytes that have come. Only for the reader."""
        try:
            data = self.channel.receive_now()
        except OSError as error:
            if not self.connection.closed:
                self.lost(_how_lost(error))
            return
        if data is None:
            return
        if data:
            with self._lock:
                self.connection.dataReceived(data)
        else:
            self.lost(ConnectionDone())

    def release_role(self, role: threading.Lock) -> None:
        """Give up being the reader, or the sender."""
        role.release()
        if self.connection.closed:
            self._close_channel()
        if self._inbox.sleeping:
            self._inbox.wake_one()

    # -- sending

    def flush(self, deadline: float | None = None, waiter: PendingAnswer | None = None) -> None:
        """
        Send what has been written. Any thread, without the lock.

        Args:
            deadline: When to give up waiting for a full socket; what is left
                then goes out with the next flush or read.
            waiter: Gives up, too, when this is interrupted.
        """
        out = self.transport.out
        # Looked at again each time the role has been given back: what another
        # thread wrote meanwhile relied on us.
        while out:
            if not self.sending.acquire(blocking=False):
                return
            try:
                if not self._send(deadline, waiter):
                    return
            finally:
                self.release_role(self.sending)
        if self.transport.ending is not None and not self.connection.closed:
            self.lost(self.transport.ending)

    def flush_soon(self) -> None:
        """
        Send what has been written, without waiting for the peer to read. Any
        thread, without the lock.
        """
        self.flush(monotonic())
        if self.transport.out and not self.connection.closed:
            # nobody may come by for long, and this thread may be a reactor's
            threading.Thread(target=self.flush, name="txremote sender", daemon=True).start()

    def _send(self, deadline: float | None, waiter: PendingAnswer | None) -> bool:
        """
        Send until nothing is left. Only for the sender.

        Returns:
            Whether to go on; False if the deadline came, or the end.
        """
        out = self.transport.out
        while out:
            try:
                chunk = out.popleft()
            except IndexError:  # aborted
                break
            try:
                sent = self.channel.send(chunk)
            except OSError as error:
                self._broken(error)
                return False
            if sent < len(chunk):
                out.appendleft(memoryview(chunk)[sent:])
                if not sent:
                    if waiter is not None and waiter.interrupted:
                        return False
                    if not self._wait_to_send(deadline):
                        return False
        return True

    def _broken(self, error: OSError) -> None:
        """
        End the connection, for nothing can be sent any more. What the peer said
        before may tell why: an RPyC 5 hangs up on what it does not understand.
        """
        if not self.reading.acquire(blocking=False):
            return  # whoever reads comes to the end
        try:
            while not self.connection.closed and self.channel.wait(0):
                self.read_available()
        except (OSError, ValueError):  # closed by another thread
            return
        finally:
            self.release_role(self.reading)
        self.lost(_how_lost(error))

    def _wait_to_send(self, deadline: float | None) -> bool:
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            return False
        if not self.reading.acquire(blocking=False):
            # somebody else reads; look again soon, they may stop
            self.channel.wait_writable(0.05 if left is None else min(left, 0.05))
            return True
        try:
            if self.channel.wait(left, writable=True):
                self.read_available()
        except (OSError, ValueError):  # closed by another thread
            return False
        finally:
            self.release_role(self.reading)
        return not self.connection.closed

    # -- ending

    def lost(self, reason: Exception) -> None:
        """End the connection, unless it has ended. Any thread, without the lock."""
        with self._lock:
            if self.connection.closed:
                return
            self.transport.out.clear()
            self.connection.connectionLost(Failure(reason))
        self.channel.shutdown()
        self._close_channel()
        for _ in range(len(self._inbox.sleeping)):
            self._inbox.wake_one()

    def _close_channel(self) -> None:
        """
        Close the channel when nobody is in it any more: its descriptors may be
        another file's from then on. Who is in it calls this on leaving.
        """
        with self._closing:
            if self.reading.acquire(blocking=False):
                if self.sending.acquire(blocking=False):
                    self.channel.close()
                    self.sending.release()
                self.reading.release()
        if self._inbox.sleeping:  # it met the reader's role taken
            self._inbox.wake_one()


def _how_lost(error: OSError) -> Exception:
    """Return how a connection was lost, as a reactor tells it: TLS says why."""
    return error if isinstance(error, ssl.SSLError) else TwistedConnectionLost(str(error))
